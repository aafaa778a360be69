"""What is asked on the Atlas view: a neuron, layers or a number typed in, and points clicked or lassoed on the map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dash import ClientsideFunction, Dash, Input, Output, State, ctx, no_update
from dash.exceptions import PreventUpdate

from neuronscope.app import atlas_answers as answers
from neuronscope.app.asking import Frame
from neuronscope.app.atlas_asking import look
from neuronscope.app.atlas_panels import Atlas
from neuronscope.vocabulary import Neuron

if TYPE_CHECKING:
    from neuronscope.scope import Workspace


def register_boxes(app: Dash, workspace: Workspace) -> None:
    """Register what is typed in, and what is chosen on the map."""

    @app.callback(
        Output(Frame.GO, "data", allow_duplicate=True),
        Output(Atlas.CENTRE, "data"),
        Input(Atlas.FIND_RUN, "n_clicks"),
        Input(Atlas.FIND, "n_submit"),
        Input(Atlas.LAYERS, "n_submit"),
        Input(Atlas.K, "n_submit"),
        State(Atlas.FIND, "value"),
        State(Atlas.LAYERS, "value"),
        State(Atlas.K, "value"),
        State(Frame.READY, "data"),
        State(Frame.URL, "search"),
        prevent_initial_call=True,
    )
    def ask(*pressed: Any) -> tuple[Any, Any]:
        *presses, neuron, layers, k, ready, search = pressed
        if not any(presses):
            raise PreventUpdate
        _scope, _selection, index = look(workspace, search, ready)
        if ctx.triggered_id == Atlas.LAYERS:
            answers.layers_of(layers, index)
            return {"layers": (layers or "").strip() or None}, no_update
        if ctx.triggered_id == Atlas.K:
            return {"k": int(k) if k else None}, no_update
        found = Neuron.parse((neuron or "").strip())
        index.row(found)
        return {"layer": found.layer, "neuron": found.index}, [str(found), *presses]

    for source, name, target in (
        ("clickData", "click", Frame.GO),
        ("selectedData", "pick", Atlas.PICKED),
    ):
        app.clientside_callback(
            ClientsideFunction("atlas", name),
            Output(target, "data", allow_duplicate=True),
            Input(Atlas.MAP, source),
            prevent_initial_call=True,
        )
    app.clientside_callback(
        ClientsideFunction("atlas", "picked"),
        Output(Atlas.PICKED_PANEL, "hidden"),
        Output(Atlas.PICKED_SAYS, "children"),
        Output(Atlas.PICKED_ASK, "disabled"),
        Input(Atlas.PICKED, "data"),
    )
    app.clientside_callback(
        ClientsideFunction("atlas", "ask"),
        Output(Atlas.PICKED_ASK, "title"),
        Input(Atlas.PICKED_ASK, "n_clicks"),
        State(Atlas.PICKED, "data"),
        prevent_initial_call=True,
    )
