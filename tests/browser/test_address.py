"""The address in a real browser: what a press makes of it, and that no answer makes anything of it."""

import time

import pytest

from neuronscope.app.selection import Selection, schema
from neuronscope.scope import Scope

pytestmark = pytest.mark.browser

STEPS = (
    ("", {"layer": 2}),
    ("?layer=2&position=3", {"position": 4, "view": "neuron"}),
    ("?layer=2&position=3&page=2", {"layer": 0}),
    ("?text=a+b%21&position=3&count=0&page=1", {"text": "né ✓\n&=+", "compare": None}),
    ("?compare=x&side=b&position=2", {"compare": None}),
    ("?compare=x&position=2", {"side": "b"}),
    ("?compare=x&position=2", {"side": "b", "position": 5}),
    ("?model=a%2Fb&layer=1&neuron=4&site=up&colour=neuron", {"model": "c", "precision": "int8"}),
    ("?text=&page=3", {"rule": "index"}),
    ("?token=secret&layer=1", {"count": 0}),
)
"""Where the visitor is, and what is pressed there."""


def test_the_browser_follows_presses_as_the_selection_does(page):
    page.open()
    for search, changes in STEPS:
        after = page.driver.execute_script(
            "return dash_clientside.address.next(...arguments)",
            search,
            changes,
            schema(),
        )
        expected = Selection.parse(search).go(**changes)
        assert Selection.parse(after) == expected
        asked = page.driver.execute_script(
            "return dash_clientside.address.question(arguments[0], {...arguments[1], model: 'm'}, null)",
            after,
            schema(),
        )
        assert asked == {"key": expected.question, "model": expected.model or "m", "precision": expected.precision}


def test_presses_that_follow_each_other_at_once_all_count(page):
    page.open(layer=0)
    page.driver.execute_script(
        """
        const go = dash_clientside.address.go;
        go({layer: 1}); go({position: 2}); setTimeout(() => go({rule: 'index'}), 5);
        """
    )
    time.sleep(0.1)
    page.ready()
    assert page.query == {"layer": "1", "position": "2", "rule": "index"}


def test_controls_that_an_answer_redraws_do_not_undo_what_was_chosen_meanwhile(page, monkeypatch):
    page.open(layer=1)
    read = Scope.activations

    def slowly(self, *args, **options):
        time.sleep(0.5)
        return read(self, *args, **options)

    monkeypatch.setattr(Scope, "activations", slowly)
    for place in ("up", "residual", "attention"):
        page.choose("site", place)
        time.sleep(0.3)
    page.choose("layer", "2")
    page.ready()
    assert page.query == {"site": "attention", "layer": "2"}
    assert page.figure("text-heat", "layout.meta.layer") == 2
    assert page.one(".heat h2").text.startswith("Output of 2")


def test_a_question_that_got_lost_is_asked_once_more(page):
    page.open()
    page.driver.execute_script(
        "const {data} = dash_component_api.getLayout('ready').props;"
        "dash_clientside.set_props('ready', {data: {...data, key: 'another'}})"
    )
    page.wait(lambda: page.all(".main.stale"), "the page to see that it shows something else")
    page.ready()
    assert page.tokens == list("hello·there")
    assert not page.one("#again").is_displayed()
