"""The address bar and the controls: one callback owns both directions.

Whatever the visitor does (a press, a choice, a run, the back button) becomes a change of the selection; the selection
becomes the address, the values of the controls, and, where the model has to run again, a new question.
"""

from __future__ import annotations

from typing import Any

from dash import ALL, Dash, Input, Output, State, ctx, no_update

from neuronscope.app.asking import Frame, Question, question, samples, text_of
from neuronscope.app.selection import Selection

_NUMBERS = ("layer", "count")


def register(app: Dash, model: str) -> None:
    """Register the callback; `model` is the one to show when the address names none."""

    @app.callback(
        Output(Frame.URL, "search"),
        Output({"field": ALL}, "value"),
        Output({"draft": ALL}, "value"),
        Output(Frame.ASKED, "data"),
        Input(Frame.URL, "search"),
        Input(Frame.GO, "data"),
        Input({"field": ALL}, "value"),
        Input({"run": ALL}, "n_clicks"),
        State({"draft": ALL}, "value"),
        State(Frame.ASKED, "data"),
        State(Frame.READY, "data"),
    )
    def follow(search: str, go: Any, _f: Any, _r: Any, _d: Any, open_question: Any, ready: Any) -> tuple[Any, ...]:
        before = Selection.parse(search)
        middle = ready["layers"] // 2 if ready else None
        after = _moved(before, go, middle, model)
        return (
            no_update if after == before else after.search,
            [shown(after, output["id"]["field"], middle) for output in ctx.outputs_list[1]],
            [_draft(after, output["id"]["draft"], before, model) for output in ctx.outputs_list[2]],
            _news(question(after, model), open_question),
        )

    # The answer redraws controls, which are inputs here: a circle, and Dash drops a callback that it finds to have set
    # itself off. Were the question an output above, one that came just as controls were redrawn would be dropped so.
    app.clientside_callback(
        f"asked => {{ dash_clientside.set_props('{Frame.QUESTION}', {{data: asked}}); "
        "return dash_clientside.no_update; }",
        Output(Frame.ASKED, "modified_timestamp"),
        Input(Frame.ASKED, "data"),
    )


def shown(selection: Selection, name: str, middle: int | None) -> Any:
    """The value of the control of one field; `middle` is the layer that is shown when none is chosen."""
    value = getattr(selection, name)
    if name == "layer":
        value = middle if value is None else value
        return None if value is None else str(value)
    return value


def _moved(before: Selection, go: dict[str, Any] | None, middle: int | None, model: str) -> Selection:
    """The selection after what the visitor did: pressed something, chose something, or ran the drafts."""
    cause = ctx.triggered_id
    if cause == Frame.GO and go:
        return before.go(**_steps(before, {name: value for name, value in go.items() if name != "at"}))
    if isinstance(cause, dict) and "run" in cause and any(entry["value"] for entry in ctx.triggered):
        drafts = {entry["id"]["draft"]: entry.get("value") for entry in ctx.states_list[0]}
        return before.go(**_texts(before, drafts, model))
    if isinstance(cause, dict) and "field" in cause:
        values = {entry["id"]["field"]: entry.get("value") for entry in ctx.inputs_list[2]}
        return before.go(**_chosen(before, cause["field"], values[cause["field"]], middle))
    return before


def _steps(before: Selection, changes: dict[str, Any]) -> dict[str, Any]:
    """A press on the locked token lets go of it."""
    if set(changes) == {"position"} and changes["position"] == before.position:
        return {"position": None}
    return changes


def _texts(before: Selection, drafts: dict[str, str | None], model: str) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if "text" in drafts:
        text = drafts["text"] or ""
        untouched = before.text is None and text == samples(before.model or model)[0]
        changes["text"] = None if untouched else text
    if "compare" in drafts:
        changes["compare"] = drafts["compare"] or None
    return changes


def _chosen(before: Selection, name: str, value: Any, middle: int | None) -> dict[str, Any]:
    """A control that was only drawn anew holds what the address says already, and changes nothing."""
    if value is None or value == shown(before, name, middle):
        return {}
    return {name: int(value) if name in _NUMBERS else value}


def _draft(after: Selection, name: str, before: Selection, model: str) -> Any:
    """What a text box holds: it is left alone while the visitor writes, unless the text itself changed."""
    cause = ctx.triggered_id
    if cause not in (None, Frame.URL) and getattr(after, name) == getattr(before, name) and after.model == before.model:
        return no_update
    return text_of(after, after.model or model) if name == "text" else after.compare or ""


def _news(asks: Question, open_question: Question | None) -> Any:
    return no_update if asks == open_question else asks
