"""The Atlas view: all neurons on a map and in clusters, and groups of them that are kept under a name.

Maps and clusters are found in the background and kept beside the index; what is marked on a map changes nothing else of
it, and panning, hovering and choosing points ask nothing of the server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dash import ClientsideFunction, Dash, Input, Output, Patch, State, ctx, dcc, html, no_update
from dash.exceptions import PreventUpdate

from neuronscope.app import atlas_answers as answers
from neuronscope.app import atlas_members, atlas_page, atlas_tables, indexing, scenes
from neuronscope.app import atlas_panels as panels
from neuronscope.app.asking import Frame, asked
from neuronscope.app.atlas_panels import Atlas
from neuronscope.app.graphs import csv_id, framed
from neuronscope.app.groups import Groups
from neuronscope.app.parts import empty, heading
from neuronscope.app.scenes import Scene, scene_id
from neuronscope.app.selection import Selection
from neuronscope.errors import InputError
from neuronscope.figures import cluster_choice, cluster_layers, neuron_map
from neuronscope.figures.atlas import marks, names, plainly, window
from neuronscope.vocabulary import Neuron

if TYPE_CHECKING:
    from neuronscope.analysis.clustering import Clusters
    from neuronscope.app.atlas_members import Members
    from neuronscope.indexed import Index
    from neuronscope.scope import Scope, Workspace

NAME = "atlas"
TITLE = "Atlas"
ICON = "map"
QUESTION = "Which neurons are alike?"

UNASKED = 8192
"""So many neurons are clustered without being asked to."""
_CLUSTERS = ("grouping", "k", "layers")
SCENES = {
    Atlas.ABOUT: Scene(NAME, ("layers", "k", "shade", "cluster", "group")),
    Atlas.MAP: Scene(NAME, ("projection", "shade", *_CLUSTERS)),
    Atlas.MARKS: Scene(NAME, ("layer", "neuron", "cluster", "group", *_CLUSTERS)),
    Atlas.CLUSTERS: Scene(NAME, _CLUSTERS),
    Atlas.PAGE: Scene(NAME, ("cluster", "group", *_CLUSTERS)),
}
"""What each part is drawn from."""


def layout(selection: Selection, model: str) -> Any:
    """The view, waiting for the model and its index."""
    unread = html.Div(indexing.panel(), id=Atlas.EMPTY, hidden=True)
    stores = [
        *scenes.layout(NAME, SCENES),
        dcc.Store(id=Atlas.DRAWN),
        dcc.Store(id=Atlas.FOUND),
        dcc.Store(id=Atlas.PICKED),
        dcc.Store(id=Atlas.CENTRE),
        dcc.Store(id=Atlas.ABLE),
        dcc.Store(id=Atlas.KEPT),
    ]
    return html.Div(
        [
            html.Div(id=Atlas.ABOUT),
            unread,
            html.Div(panels.body(selection), id=Atlas.BODY, hidden=True, className="atlas-body"),
            *stores,
        ],
        className="atlas-view",
    )


def register(app: Dash, workspace: Workspace) -> None:
    """Register the view's callbacks."""
    app.maps = answers.Maps()
    app.groups = Groups(workspace.settings.data_folder)
    scenes.register(app, NAME, SCENES)
    _register_place(app, workspace)
    _register_map(app, workspace)
    _register_marks(app, workspace)
    _register_boxes(app, workspace)
    _register_clusters(app, workspace)
    _register_page(app, workspace)
    _register_groups(app, workspace)
    _register_csv(app, workspace)


def _register_place(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Atlas.ABOUT, "children"),
        Output(Atlas.EMPTY, "hidden"),
        Output(Atlas.BODY, "hidden"),
        Output(Atlas.SHADES, "children"),
        Output(Atlas.LAYERS, "value"),
        Output(Atlas.K, "value"),
        Output(Atlas.CLUSTERS_PLACE, "hidden"),
        Output(Atlas.PAGE_PLACE, "hidden"),
        Input(Frame.READY, "data"),
        Input(Frame.INDEX, "data"),
        Input(scene_id(Atlas.ABOUT), "data"),
        State(Frame.URL, "search"),
    )
    def place(ready: Any, _index: Any, _scene: Any, search: str) -> tuple[Any, ...]:
        scope, selection = asked(workspace, NAME, search, ready)
        index = workspace.index_of(scope)
        shades = panels.shades(selection, gated=scope.card.gated)
        looked = selection.cluster is not None or selection.group is not None
        if index is None:
            return panels.unindexed(), False, True, shades, "", None, True, True
        about = panels.about(index)
        return about, index.manifest.complete, False, shades, selection.layers or "", selection.k, looked, not looked


def _register_map(app: Dash, workspace: Workspace) -> None:
    app.clientside_callback(ClientsideFunction("atlas", "able"), Output(Atlas.ABLE, "data"), Input(Frame.READY, "data"))

    @app.callback(
        Output(Atlas.MAP, "figure"),
        Output(Atlas.MAP, "style"),
        Output(Atlas.MAP_HEAD, "children"),
        Output(Atlas.MAP_SAYS, "children"),
        Output(Atlas.DRAWN, "data"),
        *_seen(Atlas.MAP, Atlas.FOUND, Atlas.ABLE),
        State(Atlas.DRAWN, "data"),
        background=True,
        manager=app.manager,
        interval=150,
        running=[(Output(Atlas.WORK, "hidden"), False, True)],
        cancel=[Input(Atlas.CANCEL, "n_clicks")],
        progress=[Output(Atlas.BAR, "value"), Output(Atlas.BAR, "max"), Output(Atlas.DOING, "children")],
        progress_default=[None, "1", ""],
    )
    def draw(set_progress: Any, ready: Any, *others: Any) -> tuple[Any, ...]:
        able, search, mode, drawn = others[-4:]
        if able is None:
            raise PreventUpdate
        scope, selection, index = _looked_at(workspace, search, ready)
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
    shade, says = selection.shade, None
    values = answers.values_of(app.maps, scope, index, shade)
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
    figure, style, head = framed(figure, left=46, above=34, below=64)
    told = {"place": figure.layout.uirevision, "marks": len(figure.data) - 1, "webgl": webgl}
    if drawn and drawn["place"] == told["place"] and drawn["state"] == list(map(str, answers.state(index))):
        figure = _recoloured(figure)
    return figure, style, head, says, told | {"state": list(map(str, answers.state(index)))}


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
        _scope, selection, index = _looked_at(workspace, search, ready)
        projection = app.maps.known_projection(index, selection)
        if not drawn or projection is None:
            raise PreventUpdate
        clusters = app.maps.known_clusters(index, selection)
        chosen = selection.chosen
        if chosen is not None:
            index.row(chosen)
        rows = [index.row(neuron) for neuron in _group(app, selection, index, clusters)]
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
        _scope, selection, index = _looked_at(workspace, search, ready)
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


def _group(app: Dash, selection: Selection, index: Index, clusters: Clusters | None) -> tuple[Neuron, ...]:
    """The neurons of the group or cluster that is looked at; none where none is, or it is not known yet."""
    m = index.manifest
    if selection.group is not None:
        return app.groups.neurons(m.model, m.revision, selection.group)
    if selection.cluster is None or clusters is None:
        return ()
    return tuple(index.neuron(row) for row in clusters.members(selection.cluster).tolist())


def _register_boxes(app: Dash, workspace: Workspace) -> None:
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
        _scope, _selection, index = _looked_at(workspace, search, ready)
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


def _register_clusters(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Atlas.CLUSTERS_HEAD, "children"),
        Output(Atlas.CLUSTERS_TABLE, "rowData"),
        Output(Atlas.CLUSTERS_NOTHING, "children"),
        Output(Atlas.CURVE, "figure"),
        Output(Atlas.CURVE, "style"),
        Output(Atlas.CURVE_HEAD, "children"),
        Output(Atlas.FOUND, "data"),
        Output(Atlas.START, "hidden"),
        Input(Atlas.START, "n_clicks"),
        *_seen(Atlas.CLUSTERS),
        background=True,
        manager=app.manager,
        interval=150,
        running=[(Output(Atlas.FIND_WORK, "hidden"), False, True)],
        cancel=[Input(Atlas.FIND_CANCEL, "n_clicks")],
        progress=[
            Output(Atlas.FIND_BAR, "value"), Output(Atlas.FIND_BAR, "max"), Output(Atlas.FIND_DOING, "children"),
        ],
        progress_default=[None, "1", ""],
    )  # fmt: skip
    def find(set_progress: Any, _presses: Any, ready: Any, *others: Any) -> tuple[Any, ...]:
        search, mode = others[-2:]
        _scope, selection, index = _looked_at(workspace, search, ready)
        units = index.manifest.layers * index.manifest.neurons
        known = app.maps.known_clusters(index, selection)
        if known is None and units > UNASKED and ctx.triggered_id != Atlas.START:
            said = f"Clusters of {units:,} neurons can take minutes if they are not kept yet: press Find clusters."
            return heading("Clusters"), [], empty(said), no_update, no_update, no_update, None, False
        set_progress((None, "1", "Looking for clusters"))
        try:
            clusters = app.maps.clusters(index, selection)
        except InputError as error:
            return heading("Clusters"), [], empty(str(error)), no_update, no_update, no_update, None, True
        figure, style, head = framed(cluster_choice(clusters.grouping.curve, source=index.source, mode=mode or "light"))
        rows = atlas_tables.clusters_rows(clusters, index)
        nothing = [] if rows else empty("No neurons are alike more than chance: try other layers or another method.")
        found = [selection.grouping, selection.k, selection.layers, *map(str, answers.state(index))]
        return heading("Clusters", clusters.shown), rows, nothing, figure, style, head, found, True


def _register_page(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Atlas.PAGE_HEAD, "children"),
        Output(Atlas.PAGE_TOOLS, "children"),
        Output(Atlas.PAGE_FACTS, "children"),
        Output(Atlas.PAGE_TABLE, "rowData"),
        Output(Atlas.PAGE_LAYERS, "figure"),
        Output(Atlas.PAGE_LAYERS, "style"),
        Output(Atlas.PAGE_LAYERS_HEAD, "children"),
        Output(Atlas.PAGE_NAME, "value"),
        Output(Atlas.PAGE_KEEP, "hidden"),
        Output(Atlas.PAGE_RENAME, "hidden"),
        Output(Atlas.PAGE_DELETE, "hidden"),
        *_seen(Atlas.PAGE, Atlas.FOUND),
    )
    def page(ready: Any, *others: Any) -> tuple[Any, ...]:
        search, mode = others[-2:]
        _scope, selection, index = _looked_at(workspace, search, ready)
        members = _members(app, selection, index)
        clusters = app.maps.known_clusters(index, selection)
        kept = selection.group is not None
        figure = cluster_layers(
            members.neurons, index.manifest.layers, name=members.name, source=index.source, mode=mode or "light"
        )
        return (
            atlas_page.page_head(members, None if kept else selection.cluster),
            atlas_page.page_tools(members),
            atlas_page.page_facts(members, clusters),
            atlas_tables.members_rows(members, index, app.maps.tokens(index)),
            *framed(figure, left=46),
            members.name,
            kept,
            not kept,
            not kept,
        )

    @app.callback(
        Output(Atlas.PAGE_READ, "children"),
        *_seen(Atlas.PAGE, Atlas.FOUND),
        background=True,
        manager=app.manager,
        interval=150,
        running=[(Output(Atlas.PAGE_READING, "hidden"), False, True)],
    )
    def read(ready: Any, *others: Any) -> Any:
        scope, selection, index = _looked_at(workspace, others[-2], ready)
        return atlas_page.page_read(scope, index, _members(app, selection, index))


def _members(app: Dash, selection: Selection, index: Index) -> Members:
    """The group that is looked at; there is nothing to draw where none is, or it has not been found yet."""
    clusters = app.maps.known_clusters(index, selection)
    if selection.group is not None:
        neurons = _group(app, selection, index, clusters)
        return atlas_members.of_group(selection.group, neurons, index, clusters)
    if selection.cluster is None or clusters is None:
        raise PreventUpdate
    return atlas_members.of_cluster(clusters, selection.cluster, index)


def _register_groups(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Atlas.GROUPS, "children"),
        Input(Frame.READY, "data"),
        Input(Frame.INDEX, "data"),
        Input(Atlas.KEPT, "data"),
        Input(scene_id(Atlas.PAGE), "data"),
        State(Frame.URL, "search"),
    )
    def listed(ready: Any, _index: Any, _kept: Any, _scene: Any, search: str) -> Any:
        _scope, selection, index = _looked_at(workspace, search, ready)
        return panels.group_list(app.groups.of(index.manifest.model, index.manifest.revision), selection.group)

    @app.callback(
        Output(Atlas.KEPT, "data"),
        Output(Frame.GO, "data", allow_duplicate=True),
        Input(Atlas.PICKED_KEEP, "n_clicks"),
        Input(Atlas.PICKED_NAME, "n_submit"),
        Input(Atlas.PAGE_KEEP, "n_clicks"),
        Input(Atlas.PAGE_RENAME, "n_clicks"),
        Input(Atlas.PAGE_SURE, "submit_n_clicks"),
        State(Atlas.PICKED_NAME, "value"),
        State(Atlas.PAGE_NAME, "value"),
        State(Atlas.PICKED, "data"),
        State(Atlas.KEPT, "data"),
        State(Frame.READY, "data"),
        State(Frame.URL, "search"),
        prevent_initial_call=True,
    )
    def keep(*pressed: Any) -> tuple[Any, Any]:
        *presses, picked_name, page_name, picked, kept, ready, search = pressed
        if not any(presses):
            raise PreventUpdate
        _scope, selection, index = _looked_at(workspace, search, ready)
        of = index.manifest.model, index.manifest.revision
        if ctx.triggered_id in (Atlas.PICKED_KEEP, Atlas.PICKED_NAME):
            called = app.groups.keep(*of, picked_name or "", atlas_page.named(picked))
        elif ctx.triggered_id == Atlas.PAGE_KEEP:
            called = app.groups.keep(*of, page_name or "", _members(app, selection, index).neurons)
        elif selection.group is None:
            raise PreventUpdate
        elif ctx.triggered_id == Atlas.PAGE_RENAME:
            called = app.groups.rename(*of, selection.group, page_name or "")
        else:
            app.groups.delete(*of, selection.group)
            called = None
        return (kept or 0) + 1, {"group": called, "cluster": None}

    app.clientside_callback(
        "(presses) => Boolean(presses)",
        Output(Atlas.PAGE_SURE, "displayed"),
        Input(Atlas.PAGE_DELETE, "n_clicks"),
        prevent_initial_call=True,
    )


def _register_csv(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Frame.DOWNLOAD, "data", allow_duplicate=True),
        Input(csv_id(Atlas.MAP), "n_clicks"),
        Input(csv_id(Atlas.CURVE), "n_clicks"),
        Input(csv_id(Atlas.PAGE_LAYERS), "n_clicks"),
        Input(Atlas.PICKED_CSV, "n_clicks"),
        State(Atlas.PICKED, "data"),
        State(Frame.READY, "data"),
        State(Frame.URL, "search"),
        prevent_initial_call=True,
    )
    def keep(*pressed: Any) -> Any:
        *presses, picked, ready, search = pressed
        if not any(presses):
            raise PreventUpdate
        _scope, selection, index = _looked_at(workspace, search, ready)
        frame, name = _kept(app, ctx.triggered_id, selection, index, atlas_page.named(picked))
        frame = frame.assign(model=index.manifest.model, revision=index.manifest.revision, tokens=index.manifest.seen)
        return dcc.send_data_frame(frame.to_csv, f"{name}.csv", index=False)


def _kept(app: Dash, part: Any, selection: Selection, index: Index, picked: list[Neuron]) -> tuple[Any, str]:
    """The numbers behind a plot, or the neurons that were picked on the map, and what their file is called."""
    import pandas as pd

    clusters = app.maps.known_clusters(index, selection)
    if part == csv_id(Atlas.CURVE):
        curve = None if clusters is None else clusters.grouping.curve
        if curve is None:
            raise PreventUpdate
        columns = {"k": curve.numbers, "stability": curve.stability, "silhouette": curve.silhouette}
        return pd.DataFrame(columns), panels.CURVE_FILE
    if part == csv_id(Atlas.PAGE_LAYERS):
        layers = pd.Series([neuron.layer for neuron in _members(app, selection, index).neurons])
        counts = layers.value_counts().reindex(range(index.manifest.layers), fill_value=0)
        return pd.DataFrame({"layer": counts.index, "members": counts.to_numpy()}), panels.LAYERS_FILE
    projection = app.maps.projection(index, selection)
    table = projection.table.merge(index.statistics()[["layer", "neuron", "frequency", "kurtosis", "max"]])
    if clusters is not None:
        table = table.merge(clusters.assigned, how="left")
    if part == Atlas.PICKED_CSV:
        chosen = pd.DataFrame({"layer": [n.layer for n in picked], "neuron": [n.index for n in picked]})
        return table.merge(chosen), "atlas-selection"
    return table, panels.MAP_FILE


def _seen(part: str, *more: str) -> tuple[Input | State, ...]:
    """What a part listens to: the answer, the index, its own scene and `more`; and what it reads besides."""
    changes = (Frame.READY, Frame.INDEX, scene_id(part), *more)
    return *(Input(one, "data") for one in changes), State(Frame.URL, "search"), State(Frame.THEME, "data")


def _looked_at(workspace: Workspace, search: str | None, ready: Any) -> tuple[Scope, Selection, Index]:
    """The scope, the selection and the index; a callback has nothing to do where there is none."""
    scope, selection = asked(workspace, NAME, search, ready)
    index = workspace.index_of(scope)
    if index is None:
        raise PreventUpdate
    return scope, selection, index
