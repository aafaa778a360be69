"""The Atlas view in a real browser: the map, a neuron found on it, a cluster, and a group that is kept and reopened."""

import shutil

import pytest
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support import expected_conditions

from tests.browser.looking import axe

TALE = "the cat sat on the mat. a dog ran under the tree, and the bird sang. she said: go! "

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module", autouse=True)
def indexed(site, tmp_path_factory):
    scope = site.workspace.scope("tiny")
    corpus = tmp_path_factory.mktemp("corpus") / "tale.txt"
    corpus.write_text("\n\n".join(TALE * 2 + str(i) for i in range(40)))
    folder = site.workspace.settings.data_folder / "tale-atlas"
    scope.index(corpus, folder)
    folders = site.workspace.index_folders
    site.workspace.index_folders = (folder,)
    yield
    site.workspace.index_folders = folders
    shutil.rmtree(folder)


def opened(page, **query):
    """Open the Atlas view and wait for its map and its clusters."""
    page.open(ready=False, view="atlas", **query)
    page.wait(lambda: page.figure("atlas-map", "data.length") > 1, "the map")
    if "cluster" not in query and "group" not in query:
        page.wait(lambda: page.all("#atlas-clusters-table .ag-center-cols-container .ag-row"), "the clusters")
    page.driver.execute_script("window.scrollTo(0, 0)")
    return page.settled()


def test_another_colour_keeps_the_zoom(page):
    opened(page, fresh=True)
    assert page.figure("atlas-map", "layout.xaxis.title.text").startswith("PC1, ")
    script = "const plot = document.querySelector('#atlas-map .js-plotly-plot');"
    page.driver.execute_script(f"{script} Plotly.Plots.resize(plot)")
    zoom = page.one("#atlas-map .modebar-btn[data-attr='zoom'][data-val='in']")
    zoom.click()
    page.settled()
    before = page.figure("atlas-map", "_fullLayout.xaxis.range")
    page.one("""[id='{"field":"shade"}']""").send_keys("density")
    page.wait(lambda: page.query.get("shade") == "density", "the address")
    page.wait(lambda: "above 0" in page.figure("atlas-map", "layout.coloraxis.colorbar.title.text"), "the colours")
    page.settled()
    assert page.figure("atlas-map", "_fullLayout.xaxis.range") == pytest.approx(before)
    assert page.notices == []


def test_a_neuron_is_found_marked_and_centred(page):
    opened(page)
    box = page.one("#atlas-find")
    box.send_keys(Keys.CONTROL, "a")
    box.send_keys("L2.N7", Keys.ENTER)
    page.wait(lambda: page.query == {"view": "atlas", "layer": "2", "neuron": "7"}, "the address")
    page.wait(lambda: page.all("#atlas-neuron .panel"), "the neuron")
    page.settled()
    assert page.figure("atlas-map", "layout.annotations[0].text") == "<b>L2.N7</b>"
    x = page.figure("atlas-map", "layout.annotations[0].x")
    left, right = page.figure("atlas-map", "_fullLayout.xaxis.range")
    assert x == pytest.approx((left + right) / 2, abs=(right - left) / 20)
    page.press("#atlas-neuron .tools .press")
    page.ready()
    assert page.query == {"view": "neuron", "layer": "2", "neuron": "7"}


PLACE = """
const plot = document.querySelector('#atlas-map .js-plotly-plot'), [points] = plot._fullData;
const {left, top} = plot.querySelector('.nsewdrag').getBoundingClientRect(), {xaxis, yaxis} = plot._fullLayout;
const at = points.x.indexOf(Math.max(...points.x));
return [left + xaxis.d2p(points.x[at]), top + yaxis.d2p(points.y[at]), ...points.customdata[at]].map(Math.round);
"""
"""Where the rightmost point stands on the screen, and the layer and index of its neuron."""


def test_a_click_on_a_point_looks_at_its_neuron(page):
    opened(page)
    x, y, layer, neuron = page.driver.execute_script(PLACE)[:4]
    mouse = ActionBuilder(page.driver)
    mouse.pointer_action.move_to_location(x, y).pause(0.5).click()
    mouse.perform()
    page.wait(lambda: page.query == {"view": "atlas", "layer": str(layer), "neuron": str(neuron)}, "the address")
    page.wait(lambda: f"L{layer}.N{neuron}" in page.one("#atlas-neuron").text, "the neuron")


def test_a_neuron_that_is_none_is_refused_by_name(page):
    opened(page)
    box = page.one("#atlas-find")
    box.send_keys(Keys.CONTROL, "a")
    box.send_keys("L9.N7", Keys.ENTER)
    page.wait(lambda: page.notices, "the notice")
    assert "layers 0 to 2" in page.notices[0]
    page.press(".notice .btn-close")


def test_from_a_cluster_to_a_kept_group_to_a_neuron_and_back(page):
    opened(page)
    page.press("#atlas-clusters-table .cell-press")
    page.wait(lambda: page.all("#atlas-page-read .examples"), "what was read")
    page.settled()
    assert page.query == {"view": "atlas", "cluster": "0"}
    assert "Cluster 0" in page.one("#atlas-page-head").text
    count = len(page.figure("atlas-map", "data.at(-1).marker.size"))
    assert count > 1

    name = page.one("#atlas-page-name")
    name.send_keys(Keys.CONTROL, "a")
    name.send_keys("those of the tale")
    page.press("#atlas-page-keep")
    page.wait(lambda: page.query == {"view": "atlas", "group": "those of the tale"}, "the group")
    page.wait(lambda: "Kept group" in page.one("#atlas-page-head").text, "its page")
    page.settled()
    assert "those of the tale" in page.one("#atlas-groups").text
    page.press("#atlas-page-table .cell-press")
    page.ready()
    assert page.query["view"] == "neuron"

    opened(page)
    page.press("#atlas-groups .press")
    page.wait(lambda: "those of the tale" in page.one("#atlas-page-head").text, "the group again")
    page.settled()
    page.one("#atlas-page-delete").click()
    page.wait(lambda: expected_conditions.alert_is_present()(page.driver), "the question")
    page.driver.switch_to.alert.accept()
    page.wait(lambda: page.query == {"view": "atlas"}, "the way out")
    page.settled()
    assert "those of the tale" not in page.one("#atlas-groups").text
    assert page.notices == []


def test_neurons_drawn_round_become_a_group(page):
    opened(page)
    page.driver.execute_script("dash_clientside.set_props('atlas-picked', {data: [[0, 3], [1, 2], [2, 7]]})")
    page.wait(lambda: page.one("#atlas-picked-panel").is_displayed(), "the selection")
    page.settled()
    assert page.one("#atlas-picked-says").text.startswith("3 neurons")
    page.press("#atlas-picked-keep")
    page.wait(lambda: page.notices, "the notice")
    assert "has no name" in page.notices[0]
    page.press(".notice .btn-close")
    page.one("#atlas-picked-name").send_keys("three", Keys.ENTER)
    page.wait(lambda: page.query == {"view": "atlas", "group": "three"}, "the group")
    page.wait(lambda: "3 neurons" in page.one("#atlas-page-head").text, "its page")
    page.settled()
    assert page.figure("atlas-page-profile", "data.length") == 3
    page.press("#atlas-page-tools .press:nth-child(2)")
    page.wait(lambda: page.query == {"view": "atlas", "within": "three"}, "the address")
    page.wait(lambda: "Clusters in three" in page.one("#atlas-clusters-head").text, "the clusters in it")
    page.driver.back()
    page.wait(lambda: page.one("#atlas-page-delete").is_displayed(), "its page again")
    page.settled()
    page.one("#atlas-page-delete").click()
    page.wait(lambda: expected_conditions.alert_is_present()(page.driver), "the question")
    page.driver.switch_to.alert.accept()
    page.wait(lambda: page.query == {"view": "atlas"}, "the way out")


def test_many_neurons_are_clustered_when_asked(page, monkeypatch):
    monkeypatch.setattr("neuronscope.app.atlas_clusters.UNASKED", 0)
    page.open(ready=False, view="atlas", k=5)
    page.wait(lambda: "press Find clusters" in page.one("#atlas-clusters-nothing").text, "the sentence")
    page.settled()
    page.driver.execute_script("window.scrollTo(0, 400)")
    page.press("#atlas-start")
    page.wait(lambda: page.all("#atlas-clusters-table .ag-center-cols-container .ag-row"), "the clusters")
    assert not page.one("#atlas-start").is_displayed()


def test_without_an_index_the_way_to_one_is_shown(page):
    page.open(ready=False, view="atlas", model="gated")
    page.wait(lambda: page.one("#index-panel").is_displayed(), "the panel")
    assert not page.one("#atlas-map").is_displayed()


@pytest.mark.parametrize("query", [{}, {"cluster": 0, "layer": 1, "neuron": 3, "shade": "cluster"}])
def test_axe_finds_nothing_serious_in_either_mode(page, query):
    opened(page, **query)
    assert axe(page.driver) == []
    page.press("[data-theme]")
    assert axe(page.driver) == []
