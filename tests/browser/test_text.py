"""The Text view in a real browser: from a text to its neurons."""

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browser.pages import SHORT

pytestmark = pytest.mark.browser


def test_a_text_of_ones_own_runs_with_ctrl_enter_and_says_before_that_it_has_changed(page):
    page.open()
    assert not page.one("#prompt-changed").is_displayed()
    page.write("cats", run=False)
    page.wait(page.one("#prompt-changed").is_displayed, "the bar")
    assert "".join(page.tokens) == SHORT.replace(" ", "·")
    page.write("cats")
    assert page.tokens == list("cats")
    assert page.query == {"text": "cats"}
    assert not page.one("#prompt-changed").is_displayed()


def test_a_sample_is_one_press_away(page):
    page.open()
    page.press(".samples li:nth-child(3) button")
    page.ready()
    assert "".join(page.tokens).startswith("My·bank")
    assert page.one(".prompt-box").get_attribute("value").startswith("My bank")


def test_a_token_is_locked_by_a_press_and_let_go_by_another(page):
    page.open()
    page.press(".strip .token:nth-child(3)")
    assert page.query == {"position": "2"}
    assert page.one(".inspector .token-name").text == "l"
    assert page.figure("text-heat", "layout.shapes.length") == 1
    workspace = page.site.workspace
    rare = "z" if workspace.index_of(workspace.scope("tiny")) is None else "Percentile"
    assert [title.text for title in page.all(".columns h3")] == ["Raw", rare, "Effect"]
    page.press(".strip .token:nth-child(3)")
    assert page.query == {}
    assert "last token" in page.one(".inspector .caption").text


def test_a_cell_of_the_heatmap_opens_its_neuron_at_its_token(page):
    page.open(layer=1)
    wanted = ids_shown(page)[10]
    press_cell(page, "#text-heat", column=10, row=5)
    page.wait(lambda: page.query.get("view") == "neuron", "the neuron")
    page.ready()
    assert page.query == {"view": "neuron", "layer": "1", "neuron": str(wanted), "position": "5"}
    assert page.one(".neuron-name").text == f"L1.N{wanted}"


def test_a_cell_of_the_overview_chooses_its_layer_and_token(page):
    page.open()
    press_cell(page, "#text-overview", column=4, row=2)
    page.wait(lambda: page.query == {"layer": "2", "position": "4"}, "the layer")
    page.ready()
    assert page.figure("text-heat", "layout.meta.layer") == 2


def test_all_neurons_are_one_press_away_and_paged_under_their_true_numbers(page):
    page.open(rule="index")
    page.press("[data-go='{\"count\": 0}']")
    assert page.one(".pages span").text == "1 to 512 of 700, by number"
    assert ids_shown(page) == list(range(512))
    page.press("[aria-label='Page after']")
    assert page.one(".pages span").text == "513 to 700 of 700, by number"
    assert ids_shown(page) == list(range(512, 700))
    assert page.query == {"rule": "index", "count": "0", "page": "1"}


def test_two_texts_stand_beside_each_other_with_their_difference(page):
    page.open(text="red ball", compare="big ball")
    strips = page.all(".lettered .strip")
    assert [strip.text.replace("\n", "") for strip in strips] == ["red·ball", "big·ball"]
    assert page.one(".heat h2").text.startswith("Difference, B − A")
    page.press('[data-go=\'{"side": "b"}\']')
    assert page.one(".heat h2").text.startswith("64 of 700")
    assert page.query["side"] == "b"


def test_a_token_of_the_second_text_is_looked_at_in_that_text(page):
    page.open(text="red ball", compare="a big round ball")
    second = page.all(".lettered .strip")[1]
    second.find_elements(By.CSS_SELECTOR, ".token")[12].click()
    page.settled()
    assert (page.query["side"], page.query["position"]) == ("b", "12")
    assert page.one(".inspector .token-name").text == "b"
    assert page.notices == []
    pressed = page.all(".lettered .strip")[1].find_elements(By.CSS_SELECTOR, "[aria-pressed='true']")
    assert [token.text for token in pressed] == ["b"]
    page.press('[data-go=\'{"view":"neuron"}\']')
    page.ready()
    assert "".join(page.tokens) == "a·big·round·ball"
    assert page.one("#neuron-strip h2").text.endswith("on your second text")


def test_layers_share_a_scale_or_have_one_each(page):
    page.open(tab="layers")
    assert page.one("#text-layers-head + .tools [aria-pressed='true']").text == "One scale"
    assert page.figure("text-layers", "data.filter(trace => trace.type === 'heatmap').length") == 3
    page.press('[data-go=\'{"scale": "layer"}\']')
    assert page.query == {"tab": "layers", "scale": "layer"}
    ends = page.figure("text-layers", "data.filter(trace => trace.type === 'heatmap').map(trace => trace.zmax)")
    assert len(set(ends)) == 3


def test_statistics_are_drawn_and_listed_for_every_layer(page):
    page.open(tab="statistics")
    page.wait(lambda: len(page.all(".ag-center-cols-container .ag-row")) == 3, "the table")
    options = page.one('[id=\'{"field":"statistic"}\']')
    options.find_element(By.CSS_SELECTOR, "option[value='silent']").click()
    page.settled()
    assert page.query["statistic"] == "silent"
    assert page.figure("text-statistics", "data[0].type") == "bar"


@pytest.mark.parametrize(
    ("place", "first"), [("residual", "64 of 16"), ("attention", "Output of 2"), ("up", "64 of 700")]
)
def test_other_sites_are_read_where_the_model_has_them(page, place, first):
    page.open(site=place)
    heading = page.one(".heat h2").text
    assert heading.startswith(first) or (place == "residual" and heading.startswith("All 16"))


def test_a_text_beyond_the_context_is_refused_with_a_way_to_read_it_in_windows(page):
    page.open(text="word " * 40, ready=False)
    page.wait(lambda: page.notices, "a notice")
    assert page.notices[0].startswith("Text too long\nThis text has 200 tokens and tiny reads 160")
    page.press(".notice .press")
    page.ready()
    assert len(page.tokens) == 200
    assert page.query["long"] == "window"


def test_no_text_says_what_to_do(page):
    page.open(text="", ready=False)
    page.wait(lambda: page.notices, "a notice")
    assert page.notices[0].startswith("Empty text")


def ids_shown(page):
    """The numbers of the columns of the heatmap."""
    return page.driver.execute_script(
        "return Array.from(document.querySelector('#text-heat .js-plotly-plot')._fullData[0].customdata[0])"
    )


def press_cell(page, graph, *, column, row):
    """Press the middle of one cell of a heatmap."""
    x, y = page.driver.execute_script(
        """
        const plot = document.querySelector(arguments[0] + ' .js-plotly-plot');
        plot.scrollIntoView({block: 'center'});
        const {xaxis, yaxis} = plot._fullLayout, box = plot.getBoundingClientRect();
        const trace = plot._fullData[0], place = trace.x ? trace.x[arguments[1]] : (trace.x0 ?? 0) + arguments[1];
        return [box.left + xaxis._offset + xaxis.d2p(place), box.top + yaxis._offset + yaxis.d2p(arguments[2])];
        """,
        graph,
        column,
        row,
    )
    actions = ActionChains(page.driver)
    actions.w3c_actions.pointer_action.move_to_location(int(x), int(y))
    actions.click().perform()


def test_a_text_that_was_not_read_has_no_results_of_another_under_it(page):
    page.open()
    page.write(Keys.DELETE, run=False)
    page.press("[data-run]")
    page.wait(lambda: page.one(".unread").is_displayed(), "the sentence")
    page.wait(lambda: not page.one(".strip").is_displayed() and not page.one(".inspector .panel").is_displayed())
    assert page.one(".unread").text == "This has not been read, so there is nothing to show of it."
    page.write("hello again")
    page.wait(lambda: page.one(".strip").is_displayed())
    assert not page.one(".unread").is_displayed()


def test_the_table_of_statistics_stands_whole_on_a_laptop(page):
    page.open(tab="statistics")
    page.wait(lambda: page.all(".ag-cell"), "the table")
    wide = "const t = document.querySelector('.ag-center-cols-viewport'); return [t.scrollWidth, t.clientWidth]"
    needed, there = page.driver.execute_script(wide)
    assert needed <= there
    cells = "return [...document.querySelectorAll('.ag-cell, .ag-header-cell-text')]"
    cut = f"{cells}.filter(cell => cell.scrollWidth > cell.clientWidth).map(cell => cell.textContent)"
    assert page.driver.execute_script(cut) == []
