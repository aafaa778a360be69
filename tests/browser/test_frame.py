"""The frame in a real browser: first visit, address, theme, keys, notices, models, memory, exports."""

import csv
import json
import time

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from neuronscope.jobs import track
from neuronscope.scope import Scope

pytestmark = pytest.mark.browser


def test_the_first_visit_shows_neurons_firing_without_a_click(page):
    page.open(fresh=True, text=None)
    assert page.tokens[:4] == ["O", "n", "c", "e"]
    assert page.figure("text-heat", "data[0].type") == "heatmap"
    assert page.one(".heat h2").text.startswith("64 of 700 neurons")
    assert page.notices == []


def test_the_address_holds_what_is_seen_and_going_back_brings_it_back(page):
    page.open(layer=0, position=1)
    assert page.one(".token[aria-pressed='true']").text == "e"
    page.driver.execute_script("window.same = true")
    page.press("[data-key='ArrowUp']")
    assert page.query["layer"] == "1"
    assert page.figure("text-heat", "layout.meta.layer") == 1
    assert page.one('[id=\'{"field":"layer"}\']').get_attribute("value") == "1"
    page.driver.back()
    page.settled()
    assert page.query["layer"] == "0"
    assert page.figure("text-heat", "layout.meta.layer") == 0
    assert page.one('[id=\'{"field":"layer"}\']').get_attribute("value") == "0"
    assert page.driver.execute_script("return window.same") is True


def test_a_control_changes_the_address_and_what_is_drawn(page):
    page.open()
    page.one('[id=\'{"field":"layer"}\']').find_element(By.CSS_SELECTOR, "option[value='2']").click()
    page.settled()
    assert page.query == {"layer": "2"}
    assert page.figure("text-heat", "layout.meta.layer") == 2


def test_light_or_dark_survives_a_reload_and_reaches_the_plots(page):
    page.open()
    light = page.figure("text-heat", "layout.meta.mode")
    page.press("[data-theme]")
    assert page.figure("text-heat", "layout.meta.mode") == "dark" != light
    page.driver.refresh()
    early = page.driver.execute_script("return document.documentElement.dataset.bsTheme")
    page.ready()
    assert early == "dark"
    assert page.figure("text-heat", "layout.meta.mode") == "dark"


def test_an_error_says_what_is_true_and_stays_until_it_is_dismissed(page):
    page.open(layer=9, ready=False, fresh=True)
    page.wait(lambda: page.notices, "a notice")
    assert page.notices == ["No such layer\nNo layer 9 in tiny: it has layers 0 to 2.\nStart afresh"]
    time.sleep(1)
    assert len(page.notices) == 1
    page.press(".notice .btn-close")
    page.wait(lambda: not page.notices)


def test_an_address_that_cannot_be_read_says_so_and_offers_a_fresh_start(page):
    page.open(layer="two", ready=False, fresh=True)
    page.wait(lambda: page.notices, "a notice")
    page.settled()
    time.sleep(1)
    assert len(page.notices) == 1
    assert "layer='two'" in page.notices[0]
    page.press(".notice .press")
    page.ready()
    assert page.query == {}


def test_what_was_wrong_with_a_text_goes_when_a_text_is_read(page):
    page.open()
    for _ in range(2):
        page.write("a" * 200, run=False)
        page.press("[data-run]")
        page.wait(lambda: page.notices, "a notice")
    page.write("", run=False)
    page.one(".prompt-box").send_keys(Keys.BACKSPACE)
    page.press("[data-run]")
    page.wait(lambda: len(page.notices) == 2, "another notice")
    page.write("good morning")
    page.wait(lambda: not page.notices, "the notices to go")


def test_there_is_a_way_back_from_a_model_that_cannot_be_had(page):
    page.open()
    page.press("#picker-button")
    page.wait(lambda: page.all(".modal.show"), "the picker")
    page.one("#picker-other").send_keys("banana/does-not-exist" + Keys.ENTER)
    page.wait(lambda: page.notices, "a notice")
    page.wait(lambda: not page.all(".modal.show"), "the picker to close")
    page.press(".notice .press")
    page.ready()
    assert page.query == {}
    assert page.notices == []


def test_keys_move_about_but_never_while_typing(page):
    page.open()
    page.keys(Keys.ARROW_UP)
    assert page.query == {"layer": "2"}
    page.keys("/")
    assert page.driver.switch_to.active_element.get_attribute("id") == "jump"
    page.driver.switch_to.active_element.send_keys("L0.N20" + Keys.ENTER)
    page.wait(lambda: page.query.get("neuron") == "20")
    page.ready()
    assert page.query == {"view": "neuron", "layer": "0", "neuron": "20"}
    page.keys(Keys.ARROW_RIGHT)
    assert page.query["neuron"] == "21"
    page.one(".prompt-box").send_keys("r?/m" + Keys.ARROW_LEFT)
    page.settled()
    assert page.query["neuron"] == "21"
    assert not page.all(".modal.show")


def test_a_neuron_that_is_not_there_is_refused_by_the_jump_box(page):
    page.open()
    page.keys("/")
    page.driver.switch_to.active_element.send_keys("L0.N9999" + Keys.ENTER)
    page.wait(lambda: page.notices, "a notice")
    assert "0 to 699" in page.notices[0]
    assert "neuron" not in page.query


def test_the_help_opens_with_its_key(page):
    page.open()
    page.keys("?")
    page.wait(lambda: page.all(".modal.show"), "the help")
    assert "previous and next neuron" in page.one(".modal.show").text


def test_another_model_is_picked_and_its_own_equations_are_shown(page):
    page.open(text="hi you")
    page.press("#picker-button")
    page.wait(lambda: page.all(".model-row"), "the models")
    rows = {json.loads(row.get_attribute("data-go"))["model"]: row for row in page.all(".model-row")}
    assert {"tiny", "gated", "demo:stories", "gpt2"} <= set(rows)
    rows["gated"].click()
    page.wait(lambda: page.query.get("model") == "gated")
    page.ready()
    assert page.query["text"] == "hi you"
    assert page.one("#picker-name").text.startswith("gated")
    page.wait(lambda: not page.all(".modal.show"), "the picker to close")
    page.press("#about-button")
    page.wait(lambda: page.all(".modal.show .tab-link"), "the statistics")
    page.press('[id=\'{"about":"equations"}\']')
    assert "SiLU" in page.one("#about-body").text


def test_a_folder_that_is_not_allowed_is_refused(page):
    page.open(model="/etc", ready=False)
    page.wait(lambda: page.notices, "a notice")
    assert page.notices[0].startswith("Not allowed here\nThe page may not load a model from '/etc'")


def test_the_memory_bar_opens_into_its_parts(page):
    page.open()
    page.press(".memory summary")
    words = page.one(".memory-details").text
    assert all(part in words for part in ("this model", "other models", "everything else", "free"))


def test_long_work_shows_itself_can_be_cancelled_and_run_again(page, monkeypatch):
    page.open()
    read = Scope.activations

    def slowly(self, *args, **options):
        for _ in track(range(200), label="Reading"):
            time.sleep(0.05)
        return read(self, *args, **options)

    monkeypatch.setattr(Scope, "activations", slowly)
    page.write("good morning", run=False)
    page.one("[data-run]").click()
    page.wait(lambda: "Reading" in page.one("#work-doing").text, "progress")
    page.wait(lambda: float(page.one("#work-bar").get_attribute("value") or 0) > 0, "a moving bar")
    page.press("#work-cancel")
    page.wait(lambda: page.one("#again").is_displayed(), "the offer to run again")
    monkeypatch.undo()
    page.press("#again-button")
    page.ready()
    assert "".join(page.tokens) == "good·morning"


def test_a_plot_can_fill_the_window_and_escape_makes_it_small_again(page):
    page.open()
    before = page.one("#text-heat").size["width"]
    page.press(".heat [data-enlarge]")
    page.wait(lambda: page.one("#text-heat").size["width"] > 1.5 * before)
    page.wait(lambda: page.one("#text-heat .main-svg").size["width"] > 1.5 * before, "the plot itself to grow")
    page.keys(Keys.ESCAPE)
    page.wait(lambda: page.one("#text-heat").size["width"] == before)


def test_plots_and_tables_are_kept_as_files(page, tmp_path):
    page.driver.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path), "eventsEnabled": False}
    )
    page.open()
    for kind in ("png", "svg"):
        page.press(".heat .keep summary")
        page.press(f".heat [data-export='{kind}']")
        page.wait(lambda kind=kind: list(tmp_path.glob(f"*.{kind}")), kind)
    page.press(".heat .keep summary")
    page.press('[id=\'{"csv":"text-heat"}\']')
    page.wait(lambda: list(tmp_path.glob("*.csv")), "numbers")
    picture = next(tmp_path.glob("*.svg")).read_text(encoding="utf-8")
    assert "64 of 700 neurons" in picture
    assert next(tmp_path.glob("*.png")).read_bytes().startswith(b"\x89PNG")
    lines = next(tmp_path.glob("*.csv")).read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + len("hello there")
    assert lines[0].startswith("position,token_id,token,start,stop,special,kept,L1.N")
    page.press('[data-go=\'{"tab":"statistics"}\']')
    page.wait(lambda: page.all(".ag-cell"), "the table")
    page.press("[data-export='table']")
    page.wait(lambda: (tmp_path / "text-statistics.csv").exists(), "the table's file")
    assert {path.stem for path in tmp_path.iterdir()} == {"text-layer", "text-statistics"}
    rows = list(csv.reader((tmp_path / "text-statistics.csv").read_text(encoding="utf-8-sig").splitlines()))
    numbers = [[float(cell) for cell in row] for row in rows[1:]]
    assert rows[0][:4] == ["layer", "mean", "std", "mean_abs"]
    assert [row[0] for row in numbers] == [0, 1, 2]
    assert min(numbers[0]) < 0
    assert len(rows[1][1].lstrip("-")) > 8, "the mean in full, not as it is shown"
