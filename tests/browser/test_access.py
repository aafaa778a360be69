"""The page for everyone: axe-core, headings, labels, narrow windows, keyboard focus."""

import pytest
from selenium.webdriver.common.keys import Keys

from tests.browser.looking import axe

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("query", [{"compare": "hallo"}, {"tab": "statistics"}, {"view": "neuron", "model": "gated"}])
def test_axe_finds_nothing_serious_in_either_mode(page, query):
    page.open(**query)
    assert axe(page.driver) == []
    page.press("[data-theme]")
    assert axe(page.driver) == []


def test_axe_finds_nothing_serious_in_dialogs_and_notices(page):
    page.open(text="", ready=False)
    page.wait(lambda: page.notices)
    page.press("#picker-button")
    page.wait(lambda: page.all(".model-row"))
    assert axe(page.driver) == []


def test_there_is_one_first_heading_and_a_language(page):
    page.open()
    assert [heading.text for heading in page.all("h1")] == ["NeuronScope"]
    assert page.one("html").get_attribute("lang") == "en"


def test_tab_reaches_the_content_first_and_shows_where_it_is(page):
    page.open(fresh=True)
    page.keys(Keys.TAB)
    focused = page.driver.switch_to.active_element
    assert focused.text == "Skip to the content"
    assert focused.value_of_css_property("outline-style") == "solid"


@pytest.mark.parametrize("query", [{"compare": "hallo"}, {"tab": "statistics"}, {"view": "neuron", "model": "gated"}])
def test_nothing_overflows_a_narrow_window(page, query):
    page.driver.set_window_size(768, 1000)
    try:
        page.open(**query)
        wide, window = page.driver.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
        assert wide <= window
        assert not page.one(".samples").is_displayed()
        page.press("[data-unfold]")
        assert page.one(".samples").is_displayed()
        page.press("[data-unfold]")
    finally:
        page.driver.set_window_size(1440, 900)
