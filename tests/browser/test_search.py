"""The Search view in a real browser: a reverse query, its contexts, and the way to a neuron and back."""

import shutil

import pytest
from selenium.webdriver.common.keys import Keys

from tests.browser.looking import axe

TALE = "the cat sat on the mat. a dog ran under the tree, and the bird sang. she said: go! "

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module", autouse=True)
def indexed(site, tmp_path_factory):
    scope = site.workspace.scope("tiny")
    corpus = tmp_path_factory.mktemp("corpus") / "tale.txt"
    corpus.write_text("\n\n".join(TALE * 2 + str(i) for i in range(40)))
    before = site.workspace.index_of(scope)
    scope.index(corpus, site.workspace.settings.data_folder / "tale")
    folders = site.workspace.index_folders
    site.workspace.index_folders = (site.workspace.settings.data_folder / "tale",)
    yield
    site.workspace.index_folders = folders
    shutil.rmtree(site.workspace.settings.data_folder / "tale")
    assert site.workspace.index_of(scope) == before


def searched(page, **query):
    """Open the Search view and wait for its rows."""
    page.open(ready=False, view="search", **query)
    page.wait(lambda: page.all("#search-table .ag-center-cols-container .ag-row"), "the rows")
    page.wait(lambda: page.all(".contexts .example"), "the contexts")
    return page.settled()


def test_from_a_link_to_a_reverse_query_to_a_neuron_and_back(page):
    searched(page, layer=1, neuron=20, fresh=True)
    assert page.one("#search-neurons").get_attribute("value") == "L1.N20"
    first = page.one(".ngrams-table .cell-press").text
    assert page.one("#search-contexts-head .token-name").text == first

    box = page.one("#search-neurons")
    box.send_keys(Keys.CONTROL, "a")
    box.send_keys("L2.N7", Keys.ENTER)
    page.wait(lambda: page.query == {"view": "search", "layer": "2", "neuron": "7"}, "the address")
    page.wait(lambda: "L2.N7" in page.one("#search-head").text, "the query")
    page.settled()

    page.press(".asked-neurons .press")
    page.ready()
    assert page.query == {"view": "neuron", "layer": "2", "neuron": "7"}
    assert page.one(".neuron-name").text == "L2.N7"
    page.driver.back()
    page.wait(lambda: page.all(".contexts .example"), "the contexts")
    assert page.one("#search-neurons").get_attribute("value") == "L2.N7"
    page.driver.back()
    page.wait(lambda: page.one("#search-neurons").get_attribute("value") == "L1.N20", "the query before")
    page.settled()
    assert page.notices == []


def test_a_row_shows_its_contexts_aligned_at_the_firing_token(page):
    searched(page, layer=1, neuron=20)
    button = page.all(".ngrams-table .cell-press")[2]
    wanted = button.text
    button.click()
    page.wait(lambda: page.one("#search-contexts-head .token-name").text == wanted, "its contexts")
    page.settled()
    assert "ngram" in page.query
    peaks = [peak for peak in page.all(".contexts .example .peak") if peak.is_displayed()]
    assert {peak.text for peak in peaks} == {wanted.split(" ")[-1]}
    assert len({round(peak.location["x"]) for peak in peaks}) == 1
    assert page.one(".ngrams-table .ag-row-selected .cell-press").text == wanted


def test_n_grams_are_run_alone_and_each_row_says_whether_it_fires(page):
    searched(page, layer=1, neuron=20)
    assert not page.all(".ngrams-table .fires, .ngrams-table .silent")
    page.press("#search-check")
    page.wait(lambda: page.all(".ngrams-table .fires, .ngrams-table .silent"), "the column")
    page.settled()
    assert "fire alone" in page.one("#search-head").text
    said = {word.get_property("textContent").strip() for word in page.all(".ngrams-table .visually-hidden")}
    assert said & {"fires", "does not fire"}
    assert not page.one("#search-check").is_enabled()
    assert not page.one("#search-work").is_displayed()


def test_the_slider_and_the_order_stand_in_the_address(page):
    searched(page, layer=1, neuron=20)
    thumb = page.one("#search-least [role=slider]")
    thumb.send_keys(Keys.ARROW_RIGHT)
    page.wait(lambda: page.query.get("least") == "2", "the address")
    page.settled()
    assert thumb.get_attribute("aria-valuetext") == "2"
    page.driver.back()
    page.wait(lambda: thumb.get_attribute("aria-valuenow") == "0", "the slider to go back")
    searched(page, layer=1, neuron=20, order="share", least=5)
    assert page.one("#search-least [role=slider]").get_attribute("aria-valuetext") == "5"
    assert page.notices == []


def test_where_every_row_is_exact_nothing_is_left_to_measure(page):
    searched(page, layer=0, neuron=5, longest=2)
    assert "without running the model" in page.one("#search-head").text
    assert not page.one("#search-measure").is_enabled()


def test_a_text_leads_to_neurons_and_a_neuron_opens(page):
    page.open(ready=False, view="search", ask="text", find="t")
    page.wait(lambda: page.all("#search-excited .cell-press"), "the neurons")
    page.settled()
    name = page.one("#search-excited .cell-press").text
    page.press("#search-excited .cell-press")
    page.ready()
    assert page.query["view"] == "neuron"
    assert page.one(".neuron-name").text == name


def test_an_expression_is_run_where_it_matches(page):
    page.open(ready=False, view="search", ask="text", find="[cm]at", regular="yes")
    page.wait(lambda: "matches in the corpus" in page.one("#search-find-head").text, "the answer")
    assert page.notices == []


def test_n_grams_and_responders_are_compared_with_another_model(page, site):
    with site.another("tuned"):
        compared_with_another(page)


def compared_with_another(page):
    searched(page, layer=1, neuron=20)
    assert not page.one("#search-compare").is_displayed()
    page.choose("against", "tuned")
    page.wait(lambda: page.one("#search-compare").is_displayed(), "the button")
    page.settled()
    page.press("#search-compare")
    page.wait(lambda: page.all('.ngrams-table .ag-header-cell[col-id="change"]'), "the column")
    page.settled()
    cells = page.all('.ngrams-table .ag-row [col-id="change"]')
    assert all(cell.text[0] in "+−-" for cell in cells if cell.text)
    assert any(cell.text for cell in cells)
    assert not page.one("#search-compare").is_enabled()
    page.press('[data-go*=\'"ask":"text"\']')
    page.wait(lambda: page.one("#search-find").is_displayed(), "the other way to ask")
    page.one("#search-find").send_keys(" cat", Keys.ENTER)
    page.wait(lambda: page.all("#search-changed .cell-press"), "the neurons that changed")
    page.settled()
    assert page.query["against"] == "tuned"
    assert page.notices == []
    assert axe(page.driver) == []


def test_what_cannot_be_answered_is_said_in_place_of_the_answer(page):
    page.open(ready=False, view="search", neurons="L9.N1")
    page.wait(lambda: page.all("#search-nothing .empty"), "the sentence")
    assert "layers 0 to 2" in page.one("#search-nothing").text
    assert not page.one("#search-more").is_displayed()


def test_without_an_index_the_way_to_one_is_shown(page):
    page.open(ready=False, view="search", model="gated")
    page.wait(lambda: page.one("#index-panel").is_displayed(), "the panel")
    assert not page.one("#search-neurons").is_displayed()


@pytest.mark.parametrize("query", [{"neurons": "L1.N20 L2.N7"}, {"ask": "text", "find": "t"}])
def test_axe_finds_nothing_serious_in_either_mode(page, query):
    page.open(ready=False, view="search", **query)
    page.wait(lambda: page.all(".search-view .cell-press"), "the table")
    page.settled()
    assert axe(page.driver) == []
    page.press("[data-theme]")
    assert axe(page.driver) == []


def test_nothing_overflows_a_narrow_window(page):
    page.driver.set_window_size(768, 1000)
    try:
        searched(page, neurons="L1.N20 L2.N7")
        wide, window = page.driver.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
        assert wide <= window
    finally:
        page.driver.set_window_size(1440, 900)
