"""The Polysemantic view in a real browser: survey, rank, a neuron's senses, the way to its page and back."""

import shutil

import pytest

from tests.browser.looking import axe

TALE = "the cat sat on the mat. a dog ran under the tree, and the bird sang. she said: go! "

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module", autouse=True)
def indexed(site, tmp_path_factory):
    scope = site.workspace.scope("tiny")
    corpus = tmp_path_factory.mktemp("corpus") / "tale.txt"
    corpus.write_text("\n\n".join(TALE * 2 + str(i) for i in range(40)))
    before, folder = site.workspace.index_of(scope), site.workspace.settings.data_folder / "senses"
    scope.index(corpus, folder)
    folders = site.workspace.index_folders
    site.workspace.index_folders = (folder,)
    yield
    site.workspace.index_folders = folders
    shutil.rmtree(folder)
    assert site.workspace.index_of(scope) == before


def opened(page, **query):
    """Open the view and wait for a neuron's senses, or why there are none."""
    page.open(ready=False, view="polysemantic", **query)
    page.wait(lambda: page.all("#polysemantic-neuron-head h2"), "the neuron")
    return page.settled()


def rows(page):
    return page.all(".senses-table .ag-center-cols-container .ag-row")


def shown(page, selector):
    return any(one.is_displayed() for one in page.all(selector))


@pytest.fixture(scope="module")
def surveyed(indexed, site):
    """The survey of all layers but the journey's own, for the tests that come after it."""
    scope = site.workspace.scope("tiny")
    scope.polysemanticity(site.workspace.index_of(scope))


def test_a_neuron_is_looked_at_before_any_survey_and_a_survey_that_is_cancelled_keeps_its_layers(page):
    opened(page, layer=1, neuron=20, fresh=True)
    assert "L1.N20" in page.one("#polysemantic-neuron-head").text
    assert "windows that the index has kept" in page.one("#polysemantic-neuron-head").text
    assert "have not been surveyed" in page.one("#polysemantic-survey-head").text
    assert not shown(page, "#polysemantic-ranked")

    page.one("#polysemantic-begin").click()
    page.wait(lambda: "Layer 1" in page.one("#polysemantic-doing").get_property("textContent"), "the second layer", 100)
    page.one("#polysemantic-cancel").click()
    page.wait(lambda: not shown(page, "#polysemantic-work"), "the work to end")
    page.wait(lambda: shown(page, "#polysemantic-ranked"), "the table")
    page.settled()
    assert "of 3 layers are done" in page.one("#polysemantic-survey-head").text
    assert page.one("#polysemantic-begin").is_displayed()
    assert page.notices == []


def test_from_the_rest_of_the_survey_to_a_neuron_to_its_page_and_back(page):
    opened(page, among="all")
    page.press("#polysemantic-begin")
    page.wait(lambda: not shown(page, "#polysemantic-survey"), "the survey", 200)
    page.wait(lambda: "2,100 of 2,100 neurons" in page.one("#polysemantic-head").text, "the whole table")
    page.settled()

    name = page.all(".senses-table .ag-pinned-left-cols-container .cell-press")[2].text
    rows(page)[2].find_element("css selector", ".senses-press").click()
    page.wait(lambda: name in page.one("#polysemantic-neuron-head").text, "its senses")
    page.settled()
    layer, neuron = name[1:].split(".N")
    assert page.query == {"view": "polysemantic", "among": "all", "layer": layer, "neuron": neuron}
    assert page.one(".senses-table .ag-pinned-left-cols-container .ag-row-selected").text == name

    page.press("#polysemantic-neuron-head .press")
    page.ready()
    assert page.query["view"] == "neuron"
    assert page.one(".neuron-name").text == name
    page.driver.back()
    page.wait(lambda: page.all("#polysemantic-neuron-head h2"), "the view")
    page.wait(lambda: name in page.one("#polysemantic-neuron-head").text, "the senses again")
    page.settled()
    assert page.notices == []


def test_a_sense_has_examples_and_more_of_them_and_a_point_of_the_map_opens_its_context(page, surveyed):
    opened(page, among="scored")
    page.wait(lambda: page.all(".poly-card"), "the cards")
    if not page.all(".poly-card .example"):  # of the first neuron no way to fire has a tenth: take one that has
        page.driver.execute_script(
            "dash_clientside.address.go(JSON.parse([...document.querySelectorAll('.senses-press')]"
            ".find(press => press.textContent !== '–').dataset.go))"
        )
    page.wait(lambda: page.all(".poly-card .example"), "the examples")
    page.settled()
    assert all(token.text for token in page.all(".sense-tokens .token-name"))
    before = len(page.all(".poly-card .example"))
    more = page.all("[data-more-senses]")
    if more:
        more[0].click()
        page.wait(lambda: len(page.all(".poly-card .example")) > before, "more examples")
        page.settled()
    page.driver.execute_script(
        "const plot = document.querySelector('#polysemantic-map .js-plotly-plot');"
        "const {x, y, customdata} = plot.data.at(-1);"
        "plot.emit('plotly_click', {points: [{curveNumber: plot.data.length - 1, pointNumber: 0, x: 0, y: 0,"
        " customdata: customdata[0], data: plot.data.at(-1), fullData: plot._fullData.at(-1)}], event: {}});"
    )
    page.wait(lambda: page.all("#polysemantic-point .example"), "the context")
    page.settled()
    assert page.notices == []


def test_the_table_is_of_the_confirmed_the_scored_or_all(page, surveyed):
    opened(page)
    page.press('#polysemantic-among .segment[data-go*="all"]')
    page.wait(lambda: "All neurons" in page.one("#polysemantic-head").text, "the table of all")
    page.settled()
    assert page.query["among"] == "all"
    headings = [cell.text for cell in page.all(".senses-table .ag-header-cell-text")]
    assert "Verdict" in headings
    page.driver.back()
    page.wait(lambda: "both halves" in page.one("#polysemantic-head").text, "the table before")
    page.settled()


def test_a_neuron_is_looked_at_on_one_token_and_on_all_again(page, surveyed):
    opened(page, among="scored")
    before = page.one("#polysemantic-neuron-head").text
    offered = [one.get_attribute("value") for one in page.all("#polysemantic-others option")]
    token = next(filter(None, offered))
    page.choose("token", token)
    page.wait(lambda: "found in occurrences of" in page.one("#polysemantic-neuron-head").text, "the token's uses")
    page.settled()
    assert page.query["token"] == token
    assert page.all(".poly-card, #polysemantic-shares .empty")
    page.driver.back()
    page.wait(lambda: page.one("#polysemantic-neuron-head").text == before, "all tokens")
    page.settled()
    assert page.notices == []
    opened(page, among="scored", token="99999")
    assert "does not hold" in page.one("#polysemantic-shares").text


def test_senses_are_compared_with_another_model(page, surveyed, site):
    with site.another("tuned"):
        opened(page, among="all")
        cards = len(page.all(".poly-card"))
        assert not page.all(".poly-elsewhere")
        page.choose("against", "tuned")
        page.wait(lambda: page.all(".poly-elsewhere"), "what is left there")
        page.settled()
        said = page.one(".poly-elsewhere .caption").text
        assert said.startswith("tuned: fires in ")
        assert "of the activation here" in said
        assert "here)" in said or "too few" in said
        assert len(page.all(".poly-card")) == cards
        assert "of its activation in tuned" in page.one(".poly-card .caption").text
        assert page.notices == []
        assert axe(page.driver) == []
        page.choose("against", "")
        page.wait(lambda: not page.all(".poly-elsewhere"), "one model")
        page.settled()


def test_what_cannot_be_looked_at_is_said(page, surveyed):
    opened(page, layer=9, neuron=1)
    assert "layers 0 to 2" in page.one("#polysemantic-shares").text
    opened(page, layer=1, neuron=1, sign="-")
    assert "only the positive side" in page.one("#polysemantic-shares").text
    assert not shown(page, "#polysemantic-senses")


def test_without_an_index_the_way_to_one_is_shown(page):
    page.open(ready=False, view="polysemantic", model="gated")
    page.wait(lambda: page.one("#index-panel").is_displayed(), "the panel")
    assert not shown(page, "#polysemantic-all")


def test_axe_finds_nothing_serious_in_either_mode(page, surveyed):
    opened(page, among="scored")
    page.wait(lambda: rows(page), "the table")
    page.settled()
    assert axe(page.driver) == []
    page.press("[data-theme]")
    assert axe(page.driver) == []


def test_nothing_overflows_a_narrow_window(page, surveyed):
    page.driver.set_window_size(768, 1000)
    try:
        opened(page, among="scored")
        page.wait(lambda: rows(page), "the table")
        wide, window = page.driver.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
        assert wide <= window
    finally:
        page.driver.set_window_size(1440, 900)
