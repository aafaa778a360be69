"""The Models view in a real browser: what is in memory, what could be, and what a smaller precision changes."""

from dataclasses import replace

import pytest
from selenium.webdriver.support.ui import Select

from neuronscope.app import shelf
from neuronscope.models.hub import Plan, RemoteFile

pytestmark = pytest.mark.browser

ROW = ".shelf-table .ag-row[row-id='{}'] [col-id='{}']"


@pytest.fixture
def view(page):
    """The view, open, with only the program's own models in memory once the test is over."""
    page.open(view="models", fresh=True)
    yield page
    page.open()
    for scope in page.site.workspace.scopes():
        page.site.workspace.manager.evict(scope.key) if not scope.key.attached else None


def cell(page, row, column):
    return page.driver.execute_script(
        "return document.querySelector(arguments[0])?.textContent", ROW.format(row, column)
    )


def memory(page):
    return [one.text.split("\n")[0] for one in page.all(".warm-models .who")]


def test_a_model_of_the_catalogue_is_loaded_shown_and_evicted(view):
    assert sorted(memory(view)) == ["gated", "tiny on screen"]
    assert cell(view, "demo:stories", "here") == "built in"
    assert cell(view, "demo:stories", "float32") == "4.48 MB"
    assert cell(view, "google/gemma-7b", "access") in (None, "on request")  # further down than what is drawn
    view.press(ROW.format("demo:stories", "name"))
    ways = ["Load", "float32", "bfloat16"]  # drawn anew when memory changes
    view.wait(lambda: [way.text.split("\n")[0] for way in view.all(".loads .press")][:3] == ways, "the ways to load it")
    view.press(".loads .press:nth-child(3)")
    view.wait(lambda: view.query.get("precision") == "bfloat16")
    view.wait(lambda: "demo:stories on screen" in memory(view), "the model in memory")
    view.wait(lambda: cell(view, "demo:stories", "here") == "in memory")
    view.settled()
    view.press(".warm-models [id*='demo:stories'].press")
    view.wait(lambda: sorted(memory(view)) == ["gated", "tiny"], "its going")
    view.wait(lambda: view.one("#again").is_displayed(), "the offer to load it again")
    assert not any(scope.name == "demo:stories" for scope in view.site.workspace.scopes())


def test_the_catalogue_is_searched_and_kept(view):
    view.one("#shelf-search").send_keys("gemma")
    view.wait(lambda: view.all(".shelf-table .ag-row") and len(view.all(".ag-pinned-left-cols-container .ag-row")) < 12)
    names = [row.text for row in view.all(".ag-pinned-left-cols-container .ag-row")]
    assert names
    assert all("gemma" in name for name in names)
    assert cell(view, "google/gemma-2b", "access") == "on request"


def test_a_smaller_precision_is_compared_with_full_and_says_on_what(view):
    Select(view.one("#faithful-model")).select_by_value("demo:stories")
    Select(view.one("#faithful-precision")).select_by_value("bfloat16")
    Select(view.one("#faithful-on")).select_by_value("text")
    view.settled()
    view.press("#faithful-run")
    view.wait(lambda: view.one("#faithful-result").is_displayed(), "the report")
    view.settled()
    words = view.one(".faithful-numbers").text
    assert "bfloat16 with float32" in words
    assert "nats" in words
    assert view.figure("faithful-figure", "layout.meta.kind") == "fidelity"
    assert len(view.figure("faithful-figure", "data[1].text")) == 4
    view.press("[data-theme]")
    assert view.figure("faithful-figure", "layout.meta.mode") == "dark"


def test_the_hub_is_asked_for_a_download_only_when_the_visitor_says_so(view, monkeypatch):
    asked = []

    def plan(name):
        asked.append(name)
        return Plan(name, None, "c0ffee", (RemoteFile("model.safetensors", 548_000_000, "none"),))

    monkeypatch.setattr(shelf.hub, "plan", plan)
    monkeypatch.setattr(view.site.workspace, "settings", replace(view.site.workspace.settings, offline=False))
    view.press(ROW.format("gpt2", "name"))
    view.wait(lambda: view.one("#shelf-hub").is_displayed(), "the offer to ask")
    assert asked == []
    view.press("#shelf-ask")
    view.wait(lambda: view.one("#shelf-downloads").text == "downloads 548 MB", "the answer")
    assert asked == ["gpt2"]
    view.press(ROW.format("demo:stories", "name"))
    view.wait(lambda: not view.one("#shelf-hub").is_displayed(), "no offer for what is here")
