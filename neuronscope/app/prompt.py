"""The prompt box, which every view with a text of the visitor's own shares: text, samples, run, a second text."""

from __future__ import annotations

from typing import Any

import dash_bootstrap_components as dbc
from dash import Dash, Input, Output, State, dcc, html

from neuronscope.app.asking import Frame, samples, text_of
from neuronscope.app.parts import dom_id, draft, go, icon, sample
from neuronscope.app.selection import LONGEST_TEXT, Selection

_CHANGED = "prompt-changed"


def panel(selection: Selection, model: str, *, compare: bool = False) -> Any:
    """The panel; with `compare` it has a place for a second text."""
    run = html.Button(
        [icon("play-fill"), "Run"],
        type="button",
        className="press filled run",
        title="Run (Ctrl Enter)",
        **{"data-run": ""},
    )
    changed = html.P("The text has changed: run again.", id=_CHANGED, className="changed", hidden=True, role="status")
    second = [_second_text(selection)] if compare else []
    written = [_box("text", "Your text", text_of(selection, model), 5), *second]
    boxes = html.Div([*written, run, changed], **{"data-submit": ""})
    return html.Section(
        [boxes, _unfold(), _samples(model), dcc.Store(id=sample("prompt"), data=samples(model)[0])],
        className="panel prompt",
    )


def register(app: Dash) -> None:
    """Register what happens in the browser alone: saying that a text is not what was run."""
    app.clientside_callback(
        """(text, search, sample) => {
            const ran = new URLSearchParams(search).get("text") ?? sample;
            return (text ?? "").replaceAll("\\r", "") === ran.replaceAll("\\r", "");
        }""",
        Output(_CHANGED, "hidden"),
        Input(draft("text"), "value"),
        Input(Frame.URL, "search"),
        State(sample("prompt"), "data"),
    )


def _box(name: str, label: str, value: str, rows: int) -> Any:
    area = dbc.Textarea(
        id=draft(name), value=value, rows=rows, maxLength=LONGEST_TEXT, spellCheck=False, class_name="prompt-box"
    )
    return html.Div([html.Label(label, htmlFor=dom_id(draft(name))), area], className="prompt-field")


def _second_text(selection: Selection) -> Any:
    box = _box("compare", "Second text", selection.compare or "", 3)
    summary = html.Summary([icon("plus-slash-minus"), "Compare with a second text"])
    hint = html.P("Tokens that correspond are shown beside each other, and their difference.", className="caption")
    return html.Details([summary, box, hint], open=selection.compare is not None, className="second")


def _unfold() -> Any:
    """On a narrow screen: the way to the samples and settings, which are folded away there."""
    return html.Button(
        [icon("sliders"), "Samples and settings"],
        type="button",
        className="press outlined unfold",
        **{"data-unfold": "", "aria-expanded": "false"},
    )


def _samples(model: str) -> Any:
    """Texts to press; the first one is what the page begins with, and needs no place in the address."""
    buttons = [
        html.Li(go(text, kind="sample", text=None if i == 0 else text, compare=None))
        for i, text in enumerate(samples(model))
    ]
    return html.Div([html.H3("Try"), html.Ul(buttons)], className="samples")
