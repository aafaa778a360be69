"""The models in memory: what each takes, how long it has rested, and the way to let it go."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dash import ALL, Dash, Input, Output, State, ctx, html, no_update
from dash.exceptions import PreventUpdate

from neuronscope.app.asking import Answer, Frame
from neuronscope.app.memory_bar import readable
from neuronscope.app.parts import card, empty, go, heading, icon, short
from neuronscope.errors import InputError
from neuronscope.models.manager import Key

if TYPE_CHECKING:
    from neuronscope.scope import Scope, Workspace

_PLACE = "warm-place"
_HEAD = "warm-head"


def layout() -> Any:
    """The panel, to be filled when it is known which models are warm."""
    return card(_HEAD, html.Div(id=_PLACE), name="warm")


def register(app: Dash, workspace: Workspace) -> None:
    """Register what fills the panel, and what its buttons do."""

    @app.callback(
        Output(_PLACE, "children"),
        Output(_HEAD, "children"),
        Input(Frame.WARM, "data"),
        Input(Frame.READY, "data"),
    )
    def fill(_warm: Any, ready: Answer | None) -> tuple[Any, Any]:
        scopes = workspace.scopes()
        held = sum(scope.card.bytes for scope in scopes)
        caption = (
            f"{readable(held)} of weights; {readable(workspace.manager.budget)} may be kept, then those least used go"
        )
        rows = [_row(scope, ready) for scope in scopes]
        listed = html.Ul(rows, className="warm-models") if rows else empty("No model is in memory. Load one below.")
        return listed, heading("In memory", caption)

    @app.callback(
        Output(Frame.WARM, "data", allow_duplicate=True),
        Output(Frame.READY, "data", allow_duplicate=True),
        Input({"evict": ALL}, "n_clicks"),
        State(Frame.READY, "data"),
        prevent_initial_call=True,
    )
    def evict(clicks: list[int | None], ready: Answer | None) -> tuple[Any, Any]:
        if not any(clicks):
            raise PreventUpdate
        key = Key(**json.loads(ctx.triggered_id["evict"]))
        if not workspace.manager.evict(key) and key in workspace.manager.cards():
            raise InputError(f"{short(key.name)} is at work: wait until that is done, or cancel it, and evict it then.")
        left = [[scope.key.name, str(scope.card.precision)] for scope in workspace.scopes()]
        return left, None if ready and _on_screen(key, ready) else no_update


def _row(scope: Scope, ready: Answer | None) -> Any:
    key, model = scope.key, scope.card
    shown = ready is not None and _on_screen(key, ready)
    name = [html.Strong(model.label, title=model.name)]
    if shown:
        name += [" ", html.Span("on screen", className="badge-small ready")]
    chosen = f", chosen by auto: {model.chosen}" if key.precision == "auto" else ""
    held = html.Span(
        [html.B(readable(model.bytes)), f" · {model.device} · {model.precision}{chosen}"], className="caption"
    )
    return html.Li(
        [html.Div([html.Div(name), held], className="who"), html.Div(_buttons(key, shown=shown), className="tools")]
    )


def _buttons(key: Key, *, shown: bool) -> list[Any]:
    precision = "auto" if key.attached else key.precision
    look = go("Show", label=f"Show {short(key.name)}", kind="outlined", model=key.name, precision=precision)
    if key.attached:
        return [*([] if shown else [look]), html.Span("your program's", className="caption")]
    name = f"Evict {short(key.name)} in {key.precision}"
    evict = html.Button(
        [icon("eject"), "Evict"],
        id={"evict": json.dumps(asdict(key))},
        type="button",
        className="press outlined",
        title=name,
        **{"aria-label": name},
    )
    return [*([] if shown else [look]), evict]


def _on_screen(key: Key, ready: Answer) -> bool:
    return key.name == ready["model"] and (key.attached or key.precision == ready["precision"])
