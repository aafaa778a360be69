"""The Atlas view: all neurons on a map and in clusters, and groups of them that are kept under a name.

Maps and clusters are found in the background and kept beside the index; what is marked on a map changes nothing else of
it, and panning, hovering and choosing points ask nothing of the server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dash import Dash, Input, Output, State, dcc, html

from neuronscope.app import atlas_answers as answers
from neuronscope.app import atlas_panels as panels
from neuronscope.app import indexing, scenes
from neuronscope.app.asking import Frame, asked
from neuronscope.app.atlas_asking import NAME, SCENES
from neuronscope.app.atlas_boxes import register_boxes
from neuronscope.app.atlas_clusters import register_clusters
from neuronscope.app.atlas_groups import register_groups
from neuronscope.app.atlas_map import register_map
from neuronscope.app.atlas_panels import Atlas
from neuronscope.app.groups import Groups
from neuronscope.app.scenes import scene_id
from neuronscope.app.selection import Selection

if TYPE_CHECKING:
    from neuronscope.scope import Workspace

TITLE = "Atlas"
ICON = "map"
QUESTION = "Which neurons are alike?"


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
    app.groups = Groups(workspace.settings.data_folder)
    app.maps = answers.Maps(app.groups)
    scenes.register(app, NAME, SCENES)
    _register_place(app, workspace)
    register_map(app, workspace)
    register_boxes(app, workspace)
    register_clusters(app, workspace)
    register_groups(app, workspace)


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
