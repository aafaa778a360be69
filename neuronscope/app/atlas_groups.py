"""What is kept from the Atlas view: groups of neurons under a name, and the numbers behind its plots as a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dash import Dash, Input, Output, State, ctx, dcc
from dash.exceptions import PreventUpdate

from neuronscope.app import atlas_page
from neuronscope.app import atlas_panels as panels
from neuronscope.app.asking import Frame
from neuronscope.app.atlas_asking import look, members_of
from neuronscope.app.atlas_panels import Atlas
from neuronscope.app.graphs import csv_id
from neuronscope.app.scenes import scene_id

if TYPE_CHECKING:
    from neuronscope.app.selection import Selection
    from neuronscope.indexed import Index
    from neuronscope.scope import Workspace
    from neuronscope.vocabulary import Neuron


def register_groups(app: Dash, workspace: Workspace) -> None:
    """Register what keeps, renames and deletes groups, and what sends numbers as a file."""
    _register_names(app, workspace)
    _register_csv(app, workspace)


def _register_names(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Atlas.GROUPS, "children"),
        Input(Frame.READY, "data"),
        Input(Frame.INDEX, "data"),
        Input(Atlas.KEPT, "data"),
        Input(scene_id(Atlas.PAGE), "data"),
        State(Frame.URL, "search"),
    )
    def listed(ready: Any, _index: Any, _kept: Any, _scene: Any, search: str) -> Any:
        _scope, selection, index = look(workspace, search, ready)
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
        _scope, selection, index = look(workspace, search, ready)
        of = index.manifest.model, index.manifest.revision
        if ctx.triggered_id in (Atlas.PICKED_KEEP, Atlas.PICKED_NAME):
            called = app.groups.keep(*of, picked_name or "", atlas_page.named(picked))
        elif ctx.triggered_id == Atlas.PAGE_KEEP:
            called = app.groups.keep(*of, page_name or "", members_of(app, selection, index).neurons)
        elif selection.group is None:
            raise PreventUpdate
        elif ctx.triggered_id == Atlas.PAGE_RENAME:
            called = app.groups.rename(*of, selection.group, page_name or "")
        else:
            app.groups.delete(*of, selection.group)
            called = None
        changes = {"group": called, "cluster": None}
        if selection.within == selection.group is not None:
            changes["within"] = called  # it has another name now, or is no more
        return (kept or 0) + 1, changes

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
        Input(csv_id(Atlas.PAGE_PROFILE), "n_clicks"),
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
        _scope, selection, index = look(workspace, search, ready)
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
        layers = pd.Series([neuron.layer for neuron in members_of(app, selection, index).neurons])
        counts = layers.value_counts().reindex(range(index.manifest.layers), fill_value=0)
        return pd.DataFrame({"layer": counts.index, "members": counts.to_numpy()}), panels.LAYERS_FILE
    if part == csv_id(Atlas.PAGE_PROFILE):
        return index.profile(members_of(app, selection, index).neurons).table, panels.PROFILE_FILE
    projection = app.maps.projection(index, selection)
    table = projection.table.merge(index.statistics()[["layer", "neuron", "frequency", "kurtosis", "max"]])
    if clusters is not None:
        table = table.merge(clusters.assigned, how="left")
    if part == Atlas.PICKED_CSV:
        chosen = pd.DataFrame({"layer": [n.layer for n in picked], "neuron": [n.index for n in picked]})
        return table.merge(chosen), "atlas-selection"
    return table, panels.MAP_FILE
