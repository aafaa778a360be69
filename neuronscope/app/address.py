"""The address bar and the controls: what was pressed becomes the address, and the address all the rest.

Whatever the visitor does (a press, a choice, a run) changes the address at once, in the browser; `Frame.GO` says what
was done, and is how the server says where to go. From the address come the question, the text boxes and the values of
the controls, and nothing leads back: an answer redraws controls, and were these what the address is made from, an
answer could ask. All of it but the boxes is in `assets/address.js`, so that a press waits for the server once.
"""

from __future__ import annotations

from typing import Any

from dash import ALL, ClientsideFunction, Dash, Input, Output, State, ctx, dcc

from neuronscope.app.asking import Frame, samples
from neuronscope.app.selection import SCHEMA, schema

_TEXTS = "texts"


def layout(model: str) -> list[Any]:
    """What the browser has to know of the fields, `model` being the one to show when the address names none."""
    return [dcc.Store(id=SCHEMA, data={**schema(), "model": model}), dcc.Store(id=_TEXTS)]


def register(app: Dash) -> None:
    """Register the callbacks."""
    app.clientside_callback(
        ClientsideFunction("address", "follow"),
        Output(Frame.URL, "search"),
        Input(Frame.GO, "data"),
        State(Frame.URL, "search"),
        State(SCHEMA, "data"),
        prevent_initial_call=True,
    )
    for name, store in (("view", Frame.VIEW), ("question", Frame.QUESTION), ("texts", _TEXTS)):
        app.clientside_callback(
            ClientsideFunction("address", name),
            Output(store, "data"),
            Input(Frame.URL, "search"),
            State(SCHEMA, "data"),
            State(store, "data"),
        )
    app.clientside_callback(
        ClientsideFunction("address", "controls"),
        Output({"field": ALL}, "value"),
        Input(Frame.URL, "search"),
        State(SCHEMA, "data"),
        State(Frame.READY, "data"),
    )

    @app.callback(
        Output({"draft": ALL}, "value"),
        Output({"sample": ALL}, "data"),
        Input(_TEXTS, "data"),
        prevent_initial_call=True,
    )
    def boxes(texts: dict[str, str]) -> tuple[list[str], list[str]]:
        sample = samples(texts["model"])[0]
        held = {"text": sample if texts["text"] is None else texts["text"], "compare": texts["compare"] or ""}
        drafts, begins = ctx.outputs_list
        return [held[output["id"]["draft"]] for output in drafts], [sample for _ in begins]
