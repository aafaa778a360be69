"""The Drift view in a real browser: the map plays, a press looks at a neuron, a drift is measured and cancelled."""

import shutil

import pytest
from PIL import Image
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.keys import Keys

from tests import drifts_for_tests as truth
from tests.browser.looking import axe

HOSTILE = "step-2<img src=x onerror=alert(1)>"
PLAYER = "document.getElementById('drift-player')?.player"
PICTURE = f"""
const {{canvas}} = {PLAYER}, {{data}} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
let sum = 0;
for (let i = 0; i < data.length; i += 4) sum = (31 * sum + data[i] + 7 * data[i + 1] + 13 * data[i + 2]) | 0;
return sum;
"""

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module", autouse=True)
def model(site):
    """A model with a drift that is kept, whose last checkpoint has a name that is markup."""
    settings = site.workspace.settings
    runs = truth.checkpoints(settings.model_roots[0] / "runs")
    (runs / "run" / "step-2").rename(runs / "run" / HOSTILE)
    scope = site.workspace.scope(str(runs / "base"))
    scope.drift(runs / "run", truth.corpus(runs), control=runs / "even", folder=settings.data_folder / "drift" / "made")
    yield str(runs / "base")
    site.workspace.manager.evict(scope.key)
    shutil.rmtree(runs)
    shutil.rmtree(settings.data_folder / "drift")


def opened(page, model, **query):
    page.open(ready=False, view="drift", model=model, **query)
    page.wait(lambda: page.driver.execute_script(f"return {PLAYER}?.begun"), "the player")
    page.wait(lambda: page.all("#drift-table .ag-row") or page.all("#drift-nothing .empty"), "the table")
    return page.settled()


def player(page, expression):
    return page.driver.execute_script(f"return {PLAYER}.{expression}")


def test_the_map_has_all_neurons_and_steps_through_the_checkpoints(page, model):
    opened(page, model, fresh=True)
    alive = page.driver.execute_script(f"const p = {PLAYER}; return p.orderOf(0).length")
    assert player(page, "drawn") == alive
    assert 0 < alive <= player(page, "data.units")
    assert player(page, "frame") == 2
    last = page.driver.execute_script(PICTURE)
    page.press("#drift-player [data-key=ArrowLeft]")
    page.wait(lambda: page.query.get("checkpoint") == "1", "the address")
    page.settled()
    assert page.driver.execute_script(PICTURE) != last
    assert "step-1" in page.one(".drift-name").text
    assert "step-1 against the base" in page.one("#drift-table-head").text
    for graph in ("drift-layers", "drift-losses"):
        assert page.figure(graph, "layout.shapes.find(({yref}) => /domain/.test(yref)).x0") == 0.5
    page.keys(Keys.ARROW_LEFT)
    page.wait(lambda: "the base itself" in page.one("#drift-nothing").text, "the base")
    assert not page.one("#drift-card-place").is_displayed()


def test_playing_goes_to_the_end_and_is_paused(page, model):
    opened(page, model, checkpoint=0)
    page.one(".drift-screen canvas").send_keys(Keys.SPACE)
    page.wait(lambda: 0.2 < player(page, "time") < 2, "the way")
    assert page.all("#drift-player [aria-label^=Pause]")
    page.one(".drift-screen canvas").send_keys(Keys.SPACE)
    page.wait(lambda: page.query.get("checkpoint") in ("1", "2"), "the pause")
    opened(page, model, checkpoint=0)
    page.press("#drift-player [aria-label^=Play]")
    page.wait(lambda: page.query.get("checkpoint") == "2", "the end")
    page.wait(lambda: "before and after" in page.one("#drift-card-head").text, "the card")


def test_a_press_on_the_map_looks_at_its_neuron(page, model):
    opened(page, model, checkpoint=1)
    row = truth.MOVED.layer * player(page, "data.neurons") + truth.MOVED.index
    x, y = page.driver.execute_script(f"""
        const p = {PLAYER}; p.canvas.scrollIntoView({{block: "center"}});
        const {{left, top}} = p.canvas.getBoundingClientRect(), [x, y] = p.placeOf({row}, p.time);
        return [left + x, top + y].map(Math.round);
    """)
    mouse = ActionBuilder(page.driver)
    mouse.pointer_action.move_to_location(x, y).pause(0.2)
    mouse.perform()
    page.wait(lambda: str(truth.MOVED) in page.one(".drift-hover").text, "what stands under the mouse")
    assert "location" in page.one(".drift-hover").text
    mouse.pointer_action.click()
    mouse.perform()
    wanted = {"layer": str(truth.MOVED.layer), "neuron": str(truth.MOVED.index)}
    page.wait(lambda: page.query.items() >= wanted.items(), "the address")
    page.wait(lambda: f"{truth.MOVED}, before" in page.one("#drift-card-head").text, "its card")


def test_a_row_looks_at_its_neuron_and_a_layer_narrows_the_table(page, model):
    opened(page, model, checkpoint=2, layers="2")
    a, b = map(str, truth.SWAPPED)
    names = [cell.text for cell in page.all("#drift-table .drift-press")]
    assert names
    assert all(name.startswith("L2.") for name in names)
    cell = next(cell for cell in page.all("#drift-table .drift-press") if cell.text == a)
    page.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", cell)
    cell.click()
    page.wait(lambda: f"{b} now does what it did" in page.one("#drift-card-facts").text, "its card")
    assert player(page, "layers.size") == 1


def test_names_and_tokens_stay_text(page, model):
    opened(page, model)
    assert HOSTILE in page.one(".drift-name").text
    assert page.all("#drift-examples .example")
    assert not page.driver.execute_script("return document.querySelector('.main img, .main script, .main b b')")


def test_the_moving_map_is_kept_as_a_gif(page, model, tmp_path):
    page.driver.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path), "eventsEnabled": False}
    )
    opened(page, model)
    page.press("#drift-gif")
    page.wait(lambda: list(tmp_path.glob("*.gif")), "the file")
    with Image.open(next(tmp_path.glob("*.gif"))) as picture:
        assert picture.format == "GIF"
        assert picture.n_frames > 10
    page.wait(lambda: not page.one("#drift-gif-work").is_displayed(), "its end")
    assert page.notices == []


def test_the_tokens_that_its_weights_read_are_compared_on_demand(page, model):
    opened(page, model, layer=truth.SWAPPED[0].layer, neuron=truth.SWAPPED[0].index)
    run = page.one("#drift-weights-run")
    page.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", run)
    run.click()
    page.wait(lambda: page.all(".drift-lists section"), "the tokens")
    page.settled()
    lists = {one.text.split("\n")[0]: one.text for one in page.all(".drift-lists section")}
    assert list(lists) == ["Reads: excite it", "Reads: inhibit it", "Writes: promoted", "Writes: suppressed"]
    assert "of 20 kept" in lists["Reads: excite it"]
    assert page.one("#drift-weights-head").text.startswith("Tokens its weights read and write")
    opened(page, model, layer=0, neuron=1)
    assert not page.all(".drift-lists section")
    assert "L0.N1 in the base" in page.one("#drift-weights-head").text
    opened(page, model, layer=truth.SWAPPED[0].layer, neuron=truth.SWAPPED[0].index)
    assert page.all(".drift-lists section")
    assert page.notices == []


def test_a_drift_is_measured_and_another_one_cancelled(page, model, site):
    opened(page, model)
    page.driver.execute_script("document.getElementById('drift-choice').open = true")
    box = page.one("#drift-checkpoints")
    page.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", box)
    box.send_keys(f"{model.removesuffix('base')}run/step-1")
    page.one("#drift-run").click()
    page.wait(lambda: "1 of 1 checkpoints" in page.driver.execute_script(_KEPT), "the new one")
    page.wait(lambda: not page.one("#drift-work").is_displayed(), "its end")
    page.wait(lambda: "1 checkpoint (step-1)" in page.one("#drift-about").text, "what is compared")
    page.settled()
    assert "includes generic drift" in page.one("#drift-about").text

    page.driver.execute_script("document.getElementById('drift-choice').open = true")
    page.one("#drift-tokens").send_keys("200")
    page.one("#drift-run").click()
    page.wait(lambda: page.one("#drift-cancel").is_displayed(), "the work")
    page.one("#drift-cancel").click()
    page.wait(lambda: "Stopped" in page.one("#drift-says").text, "its end")
    page.settled()
    assert page.notices == []


_KEPT = "return document.getElementById('drift-kept').textContent"


def test_without_a_drift_it_says_what_to_do(page):
    page.open(ready=False, view="drift")
    page.wait(lambda: page.one("#drift-run").is_displayed(), "the form")
    page.settled()
    assert "What did fine-tuning change?" in page.one("#drift-about").text
    assert not page.one("#drift-body").is_displayed()
    page.press("#drift-run")
    page.wait(lambda: page.notices, "the notice")
    assert "No checkpoint is named" in page.notices[0]
    page.press(".notice .btn-close")


def test_axe_finds_nothing_serious_in_either_mode(page, model):
    opened(page, model)
    assert axe(page.driver) == []
    page.press("[data-theme]")
    assert axe(page.driver) == []
