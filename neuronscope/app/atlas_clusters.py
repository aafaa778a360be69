"""The clusters of the Atlas view, found in the background, and the page of one of them or of a group that is kept."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from dash import Dash, Input, Output, ctx, html, no_update

from neuronscope.app import atlas_page, atlas_tables
from neuronscope.app.atlas_asking import listens, look, members_of
from neuronscope.app.atlas_panels import Atlas
from neuronscope.app.background import POLL
from neuronscope.app.graphs import framed
from neuronscope.app.held import state
from neuronscope.app.parts import empty, go, heading
from neuronscope.errors import InputError
from neuronscope.figures import cluster_choice, cluster_layers, cluster_profile

if TYPE_CHECKING:
    from neuronscope.scope import Workspace

UNASKED = 8192
"""So many neurons are clustered without being asked to."""


def register_clusters(app: Dash, workspace: Workspace) -> None:
    """Register what finds the clusters, and what shows the one that is looked at."""
    _register_finding(app, workspace)
    _register_page(app, workspace)


def _register_finding(app: Dash, workspace: Workspace) -> None:
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
        *listens(Atlas.CLUSTERS),
        **Atlas.FIND_WORK.runs(app.manager),
    )  # fmt: skip
    def find(set_progress: Any, _presses: Any, ready: Any, *others: Any) -> tuple[Any, ...]:
        search, mode = others[-2:]
        _scope, selection, index = look(workspace, search, ready)
        head = _clusters_of(selection.within)
        neurons = app.maps.within(index, selection)
        units = index.manifest.layers * index.manifest.neurons if neurons is None else len(neurons)
        known = app.maps.known_clusters(index, selection)
        if known is None and units > UNASKED and ctx.triggered_id != Atlas.START:
            said = f"Clusters of {units:,} neurons can take minutes if they are not kept yet: press Find clusters."
            return head(None), [], empty(said), no_update, no_update, no_update, None, False
        set_progress((None, "1", "Looking for clusters"))
        try:
            clusters = app.maps.clusters(index, selection)
        except InputError as error:
            return head(None), [], empty(str(error)), no_update, no_update, no_update, None, True
        curve = cluster_choice(clusters.grouping.curve, source=index.source, mode=mode or "light")
        figure, style, curve_head = framed(curve)
        rows = atlas_tables.clusters_rows(clusters, index)
        nothing = [] if rows else empty("No neurons are alike more than chance: try other layers or another method.")
        found = [selection.grouping, selection.k, selection.layers, selection.within, *map(str, state(index))]
        return head(clusters.shown), rows, nothing, figure, style, curve_head, found, True


def _clusters_of(group: str | None) -> Callable[[str | None], list[Any]]:
    """The heading of the clusters, of all neurons or of a group's, with what they are and the way out of the group."""
    if group is None:
        return partial(heading, "Clusters")
    title = html.Span(["Clusters in ", html.Bdi(group)])
    return lambda said: [*heading(title, said), go("Cluster all neurons", within=None)]


def _register_page(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Atlas.PAGE_HEAD, "children"),
        Output(Atlas.PAGE_TOOLS, "children"),
        Output(Atlas.PAGE_FACTS, "children"),
        Output(Atlas.PAGE_TABLE, "rowData"),
        Output(Atlas.PAGE_LAYERS, "figure"),
        Output(Atlas.PAGE_LAYERS, "style"),
        Output(Atlas.PAGE_LAYERS_HEAD, "children"),
        Output(Atlas.PAGE_PROFILE, "figure"),
        Output(Atlas.PAGE_PROFILE, "style"),
        Output(Atlas.PAGE_PROFILE_HEAD, "children"),
        Output(Atlas.PAGE_NAME, "value"),
        Output(Atlas.PAGE_KEEP, "hidden"),
        Output(Atlas.PAGE_RENAME, "hidden"),
        Output(Atlas.PAGE_DELETE, "hidden"),
        *listens(Atlas.PAGE, Atlas.FOUND),
    )
    def page(ready: Any, *others: Any) -> tuple[Any, ...]:
        search, mode = others[-2:]
        _scope, selection, index = look(workspace, search, ready)
        members = members_of(app, selection, index)
        clusters = app.maps.known_clusters(index, selection)
        kept = selection.group is not None
        of: dict[str, Any] = {"name": members.name, "source": index.source, "mode": mode or "light"}
        layers = cluster_layers(members.neurons, index.manifest.layers, **of)
        profile = cluster_profile(index.profile(members.neurons), **of)
        return (
            atlas_page.page_head(members, None if kept else selection.cluster),
            atlas_page.page_tools(members, kept=kept),
            atlas_page.page_facts(members, clusters),
            atlas_tables.members_rows(members, index, app.maps.tokens(index)),
            *framed(layers, left=46),
            *framed(profile, left=52),
            members.name,
            kept,
            not kept,
            not kept,
        )

    @app.callback(
        Output(Atlas.PAGE_READ, "children"),
        *listens(Atlas.PAGE, Atlas.FOUND),
        background=True,
        manager=app.manager,
        interval=POLL,
        running=[(Output(Atlas.PAGE_READING, "hidden"), False, True)],
    )
    def read(ready: Any, *others: Any) -> Any:
        scope, selection, index = look(workspace, others[-2], ready)
        return atlas_page.page_read(scope, index, members_of(app, selection, index))
