"""The map of the Atlas view: its points, the marks that lie on them, and where it is zoomed to.

It is drawn in the background; what is marked on it changes nothing else of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dash import ClientsideFunction, Dash, Input, Output, Patch, State, ctx, no_update
from dash.exceptions import PreventUpdate

from neuronscope.app import atlas_answers as answers
from neuronscope.app import atlas_page
from neuronscope.app import atlas_panels as panels
from neuronscope.app.asking import Frame
from neuronscope.app.atlas_asking import listens, look, neurons_of
from neuronscope.app.atlas_panels import Atlas
from neuronscope.app.graphs import framed
from neuronscope.app.held import state
from neuronscope.app.parts import empty, heading
from neuronscope.app.scenes import scene_id
from neuronscope.errors import InputError
from neuronscope.figures import neuron_map
from neuronscope.figures.atlas import marks, names, plainly, window
from neuronscope.vocabulary import Neuron

if TYPE_CHECKING:
    from neuronscope.analysis.clustering import Clusters
    from neuronscope.app.selection import Selection
    from neuronscope.indexed import Index
    from neuronscope.scope import Scope, Workspace


def register_map(app: Dash, workspace: Workspace) -> None:
    """Register what draws the map and what marks it."""
    _register_points(app, workspace)
    _register_marks(app, workspace)


def _register_points(app: Dash, workspace: Workspace) -> None:
    app.clientside_callback(ClientsideFunction("atlas", "able"), Output(Atlas.ABLE, "data"), Input(Frame.READY, "data"))

    @app.callback(
        Output(Atlas.MAP, "figure"),
        Output(Atlas.MAP, "style"),
        Output(Atlas.MAP_HEAD, "children"),
        Output(Atlas.MAP_SAYS, "children"),
        Output(Atlas.DRAWN, "data"),
        *listens(Atlas.MAP, Atlas.FOUND, Atlas.ABLE),
        State(Atlas.DRAWN, "data"),
        **Atlas.WORK.runs(app.manager),
    )
    def draw(set_progress: Any, ready: Any, *others: Any) -> tuple[Any, ...]:
        able, search, mode, drawn = others[-4:]
        if able is None:
            raise PreventUpdate
        scope, selection, index = look(workspace, search, ready)
        set_progress((None, "1", "Looking for the map"))
        if ctx.triggered_id == Atlas.FOUND and selection.shade != "cluster" and drawn:
            raise PreventUpdate  # the clusters that were found meanwhile are not on this map
        try:
            return _map(app, scope, selection, index, mode or "light", drawn, webgl=able)
        except InputError as error:
            return no_update, no_update, heading("No map"), empty(str(error)), None


def _map(
    app: Dash, scope: Scope, selection: Selection, index: Index, mode: Any, drawn: dict[str, Any] | None, *, webgl: bool
) -> tuple[Any, ...]:
    """The map as it is asked for; where the points stay where they are, only their colours are sent on a kept zoom."""
    projection = app.maps.projection(index, selection)
    clusters = app.maps.known_clusters(index, selection)
    shade, says, remark = selection.shade, None, None
    kept = app.drifts.shown(scope, None) if shade == "drift" else None
    drift = app.drifts.open(kept) if kept else None
    values = answers.values_of(app.maps, scope, index, shade, drift)
    if shade == "drift":
        says, remark = (panels.undrifted(), None) if drift is None else (None, panels.drifted(drift))
    if shade == "cluster" and clusters is None:
        says = "Coloured by layer until the clusters below have been found."
    elif shade == "senses" and values is None:
        says = panels.unsurveyed()
    elif shade == "alignment" and values is None:
        says = "This model's neurons have no gate; coloured by layer."
    figure = neuron_map(
        projection,
        values,
        shade="layer" if says else shade,
        clusters=clusters,
        tokens=app.maps.tokens(index),
        source=index.source,
        mode=mode,
        webgl=webgl,
    )
    figure, style, head = framed(figure, left=46, above=34, below=126)
    told = {"place": figure.layout.uirevision, "marks": len(figure.data) - 1, "webgl": webgl}
    if drawn and drawn["place"] == told["place"] and drawn["state"] == list(map(str, state(index))):
        figure = _recoloured(figure)
    return figure, style, head, says or remark, told | {"state": list(map(str, state(index)))}


def _recoloured(figure: Any) -> Patch:
    """What changes of a figure whose axes stay as they are, zoomed or not."""
    plain = figure.to_plotly_json()
    changes = Patch()
    changes["data"] = plain["data"]
    for name, value in plain["layout"].items():
        if name not in ("xaxis", "yaxis", "uirevision"):
            changes["layout"][name] = value
    return changes


def _register_marks(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Atlas.MAP, "figure", allow_duplicate=True),
        Output(Atlas.NEURON, "children"),
        Input(Atlas.DRAWN, "data"),
        Input(Atlas.FOUND, "data"),
        Input(scene_id(Atlas.MARKS), "data"),
        State(Frame.READY, "data"),
        State(Frame.URL, "search"),
        State(Frame.THEME, "data"),
        prevent_initial_call=True,
    )
    def mark(drawn: Any, _found: Any, _scene: Any, ready: Any, search: str, mode: Any) -> tuple[Any, ...]:
        _scope, selection, index = look(workspace, search, ready)
        projection = app.maps.known_projection(index, selection)
        if not drawn or projection is None:
            raise PreventUpdate
        clusters = app.maps.known_clusters(index, selection)
        chosen = selection.chosen
        if chosen is not None:
            index.row(chosen)
        rows = [index.row(neuron) for neuron in neurons_of(app, selection, index, clusters)]
        changes = Patch()
        trace = marks(projection, rows, chosen, mode=mode or "light")
        changes["data"][drawn["marks"]] = (trace if drawn["webgl"] else plainly(trace)).to_plotly_json()
        changes["layout"]["annotations"] = names(projection, chosen, mode=mode or "light")
        shown = [] if chosen is None else _neuron_card(app, index, chosen, clusters)
        return changes, shown

    @app.callback(
        Output(Atlas.MAP, "figure", allow_duplicate=True),
        Input(Atlas.CENTRE, "data"),
        State(Frame.READY, "data"),
        State(Frame.URL, "search"),
        prevent_initial_call=True,
    )
    def centre(found: list[Any] | None, ready: Any, search: str) -> Patch:
        _scope, selection, index = look(workspace, search, ready)
        projection = app.maps.known_projection(index, selection)
        around = None if not found or projection is None else window(projection, Neuron.parse(found[0]))
        if around is None:
            raise PreventUpdate
        changes = Patch()
        for axis, ends in zip(("xaxis", "yaxis"), around, strict=True):
            changes["layout"][axis]["range"] = list(ends)
            changes["layout"][axis]["autorange"] = False
        return changes


def _neuron_card(app: Dash, index: Index, neuron: Neuron, clusters: Clusters | None) -> Any:
    return atlas_page.neuron_card(index, neuron, app.maps.tokens(index)[index.row(neuron)], clusters)
