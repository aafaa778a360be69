"""The page for everyone: axe-core, headings, labels, narrow windows, keyboard focus."""

import pytest
from selenium.webdriver.common.keys import Keys

from tests.browser.looking import axe

CONTRAST = """
const linear = c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
const light = colour => {
    const parts = colour.match(/[\\d.e-]+/g).map(Number);
    const [r, g, b] = colour.startsWith('color(') ? parts : parts.map(c => c / 255);
    return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
};
return [...document.querySelectorAll('.strip .token')].map(token => {
    const {color, backgroundColor} = getComputedStyle(token);
    const [a, b] = [light(color), light(backgroundColor)].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
});
"""
"""WCAG's contrast of each token's text with its box."""

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    "query", [{"compare": "hallo"}, {"tab": "statistics"}, {"view": "neuron", "model": "gated"}, {"view": "models"}]
)
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
    page.wait(lambda: page.one(".modal").value_of_css_property("opacity") == "1", "the dialog to have come")
    assert axe(page.driver) == []


def test_every_token_can_be_read_on_its_colour_in_either_mode(page):
    page.open(text="the quick brown fox jumps over the lazy dog", layer=2)
    for _ in range(2):
        assert min(page.driver.execute_script(CONTRAST)) >= 4.5
        page.press("[data-theme]")


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


def test_the_table_of_models_scrolls_within_a_narrow_window(page):
    page.driver.set_window_size(768, 1000)
    try:
        page.open(view="models")
        page.wait(lambda: page.all(".shelf-table .ag-row"), "the catalogue")
        wide, window = page.driver.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
        assert wide <= window
    finally:
        page.driver.set_window_size(1440, 900)
