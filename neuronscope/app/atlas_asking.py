"""From the address to the index and to a group of its neurons: what every callback of the Atlas view does first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dash import Dash, Input, State
from dash.exceptions import PreventUpdate

from neuronscope.app import atlas_members
from neuronscope.app.asking import Frame, indexed
from neuronscope.app.atlas_panels import Atlas
from neuronscope.app.scenes import Scene, scene_id
from neuronscope.vocabulary import Neuron

if TYPE_CHECKING:
    from neuronscope.analysis.clustering import Clusters
    from neuronscope.app.atlas_members import Members
    from neuronscope.app.selection import Selection
    from neuronscope.indexed import Index
    from neuronscope.scope import Scope, Workspace

NAME = "atlas"
_CLUSTERS = ("grouping", "k", "layers", "within")
SCENES = {
    Atlas.ABOUT: Scene(NAME, ("layers", "k", "shade", "cluster", "group")),
    Atlas.MAP: Scene(NAME, ("projection", "shade", *_CLUSTERS)),
    Atlas.MARKS: Scene(NAME, ("layer", "neuron", "cluster", "group", *_CLUSTERS)),
    Atlas.CLUSTERS: Scene(NAME, _CLUSTERS),
    Atlas.PAGE: Scene(NAME, ("cluster", "group", *_CLUSTERS)),
}
"""What each part is drawn from."""


def listens(part: str, *more: str) -> tuple[Input | State, ...]:
    """What a part listens to: the answer, the index, its own scene and `more`; and what it reads besides."""
    changes = (Frame.READY, Frame.INDEX, scene_id(part), *more)
    return *(Input(one, "data") for one in changes), State(Frame.URL, "search"), State(Frame.THEME, "data")


def look(workspace: Workspace, search: str | None, ready: Any) -> tuple[Scope, Selection, Index]:
    """The scope, the selection and the index; a callback has nothing to do where there is none."""
    return indexed(workspace, NAME, search, ready)


def neurons_of(app: Dash, selection: Selection, index: Index, clusters: Clusters | None) -> tuple[Neuron, ...]:
    """The neurons of the group or cluster that is looked at; none where none is, or it is not known yet."""
    m = index.manifest
    if selection.group is not None:
        return app.groups.neurons(m.model, m.revision, selection.group)
    if selection.cluster is None or clusters is None:
        return ()
    return tuple(index.neuron(row) for row in clusters.members(selection.cluster).tolist())


def members_of(app: Dash, selection: Selection, index: Index) -> Members:
    """The group that is looked at; there is nothing to draw where none is, or it has not been found yet."""
    clusters = app.maps.known_clusters(index, selection)
    if selection.group is not None:
        neurons = neurons_of(app, selection, index, clusters)
        return atlas_members.of_group(selection.group, neurons, index, clusters)
    if selection.cluster is None or clusters is None:
        raise PreventUpdate
    return atlas_members.of_cluster(clusters, selection.cluster, index)
