"""The panels of the Atlas view: their ids, their controls and the words on them."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from dash import dcc, html

from neuronscope.app.atlas_tables import clusters_grid, members_grid
from neuronscope.app.graphs import GRAPH_CONFIG, graph, graph_tools
from neuronscope.app.parts import card, go, heading, icon, select
from neuronscope.app.tables import table_tools
from neuronscope.app.work_bar import WorkBar

if TYPE_CHECKING:
    from neuronscope.app.selection import Selection
    from neuronscope.indexed import Index
    from neuronscope.series import Drift

PROJECTIONS = {"pca": "Principal components", "tsne": "t-SNE", "umap": "UMAP"}
SHADES = {
    "layer": "layer",
    "cluster": "cluster",
    "density": "density",
    "kurtosis": "kurtosis",
    "senses": "senses",
    "alignment": "gate and up alignment",
    "drift": "drift",
}
GROUPINGS = {
    "kmeans": "Spherical k-means",
    "minibatch": "Mini-batch k-means",
    "agglomerative": "Agglomerative",
    "hdbscan": "HDBSCAN",
}
MAP_FILE, CURVE_FILE, LAYERS_FILE, PROFILE_FILE = "atlas-map", "atlas-choice", "atlas-layers", "atlas-profile"


class Atlas:
    """The ids of this view."""

    ABOUT = "atlas-about"
    EMPTY = "atlas-empty"
    BODY = "atlas-body"
    SHADES = "atlas-shades"
    LAYERS = "atlas-layers-box"
    MAP = "atlas-map"
    MAP_HEAD = "atlas-map-head"
    MAP_SAYS = "atlas-map-says"
    DRAWN = "atlas-drawn"
    MARKS = "atlas-marks"
    CENTRE = "atlas-centre"
    ABLE = "atlas-able"
    WORK = WorkBar("atlas")
    FIND = "atlas-find"
    FIND_RUN = "atlas-find-run"
    NEURON = "atlas-neuron"
    PICKED = "atlas-picked"
    PICKED_PANEL = "atlas-picked-panel"
    PICKED_SAYS = "atlas-picked-says"
    PICKED_NAME = "atlas-picked-name"
    PICKED_KEEP = "atlas-picked-keep"
    PICKED_ASK = "atlas-picked-ask"
    PICKED_CSV = "atlas-picked-csv"
    GROUPS = "atlas-groups"
    KEPT = "atlas-kept"
    CLUSTERS = "atlas-clusters"
    CLUSTERS_HEAD = "atlas-clusters-head"
    CLUSTERS_TABLE = "atlas-clusters-table"
    CLUSTERS_NOTHING = "atlas-clusters-nothing"
    CLUSTERS_PLACE = "atlas-clusters-place"
    FOUND = "atlas-found"
    K = "atlas-k"
    START = "atlas-start"
    FIND_WORK = WorkBar("atlas-find")
    CURVE = "atlas-curve"
    CURVE_HEAD = "atlas-curve-head"
    PAGE = "atlas-page"
    PAGE_PLACE = "atlas-page-place"
    PAGE_HEAD = "atlas-page-head"
    PAGE_TOOLS = "atlas-page-tools"
    PAGE_FACTS = "atlas-page-facts"
    PAGE_TABLE = "atlas-page-table"
    PAGE_LAYERS = "atlas-page-layers"
    PAGE_LAYERS_HEAD = "atlas-page-layers-head"
    PAGE_PROFILE = "atlas-page-profile"
    PAGE_PROFILE_HEAD = "atlas-page-profile-head"
    PAGE_NAME = "atlas-page-name"
    PAGE_KEEP = "atlas-page-keep"
    PAGE_RENAME = "atlas-page-rename"
    PAGE_DELETE = "atlas-page-delete"
    PAGE_SURE = "atlas-page-sure"
    PAGE_READ = "atlas-page-read"
    PAGE_READING = "atlas-page-reading"


def body(selection: Selection) -> list[Any]:
    """The map with what is chosen on it, and below it the clusters, or the one that is looked at."""
    aside = html.Div([_finding(), html.Div(id=Atlas.NEURON), _picked(), _groups()], className="atlas-aside")
    return [
        html.Div([_map(selection), aside], className="atlas-top"),
        html.Div(_clusters(selection), id=Atlas.CLUSTERS_PLACE, className="atlas-top", hidden=True),
        html.Div(_page(), id=Atlas.PAGE_PLACE, hidden=True),
    ]


def _map(selection: Selection) -> Any:
    plot = graph(Atlas.MAP, 560, "Every neuron as a point, near those that do the same")
    buttons = [["zoom2d", "pan2d", "lasso2d", "select2d"], ["zoomIn2d", "zoomOut2d", "autoScale2d"]]
    plot.children.config = {
        **GRAPH_CONFIG,
        "displayModeBar": True,
        "modeBarButtons": buttons,
        "doubleClick": "autosize",
    }
    controls = html.Div(
        [
            select("projection", "Map", PROJECTIONS, selection.projection),
            html.Div(shades(selection, gated=True), id=Atlas.SHADES),
            _layers(),
        ],
        className="atlas-controls",
    )
    work = Atlas.WORK.layout("Progress of the map")
    says = html.Div(id=Atlas.MAP_SAYS, className="caption")
    return card(
        Atlas.MAP_HEAD, controls, work, says, plot, tools=[graph_tools(Atlas.MAP, MAP_FILE)], name="atlas-map-panel"
    )


def shades(selection: Selection, *, gated: bool) -> Any:
    """What to colour the map by; what gate and up read is for gated models alone."""
    options = {name: said for name, said in SHADES.items() if gated or name != "alignment"}
    return select("shade", "Colour", options, selection.shade)


def _layers() -> Any:
    box = dcc.Input(id=Atlas.LAYERS, type="text", placeholder="all, or 0-3,8", autoComplete="off", debounce=False)
    return html.Div([html.Label("Layers", htmlFor=Atlas.LAYERS), box], className="choice")


def _finding() -> Any:
    box = dcc.Input(id=Atlas.FIND, type="text", placeholder="L2.N7", autoComplete="off", debounce=False)
    run = html.Button([icon("search"), "Find"], id=Atlas.FIND_RUN, type="button", className="press outlined")
    label = html.Label("Find a neuron on the map", htmlFor=Atlas.FIND)
    return html.Section([label, html.Div([box, run], className="beside")], className="panel atlas-find")


def _picked() -> Any:
    name = dcc.Input(id=Atlas.PICKED_NAME, type="text", autoComplete="off", placeholder="What they have in common")
    keep = html.Button("Keep", id=Atlas.PICKED_KEEP, type="button", className="press outlined")
    ask = html.Button([icon("search"), "Ask Search"], id=Atlas.PICKED_ASK, type="button", className="press quiet")
    csv = html.Button([icon("download"), "CSV"], id=Atlas.PICKED_CSV, type="button", className="press quiet")
    return html.Section(
        [
            html.H2("Selection"),
            html.P(id=Atlas.PICKED_SAYS, className="caption", role="status"),
            html.Label("Name this group", htmlFor=Atlas.PICKED_NAME),
            html.Div([name, keep], className="beside"),
            html.Div([ask, csv], className="beside"),
        ],
        id=Atlas.PICKED_PANEL,
        className="panel atlas-picked",
        hidden=True,
    )


def _groups() -> Any:
    return html.Section([html.H2("Kept groups"), html.Div(id=Atlas.GROUPS)], className="panel atlas-groups")


def group_list(kept: dict[str, int], chosen: str | None) -> Any:
    """The groups that were kept, each a way to its page."""
    if not kept:
        said = "None yet: draw round points with the lasso, or open a cluster, and give them a name."
        return html.P(said, className="caption")
    rows = [
        html.Li(
            [
                go(name, kind="quiet current" if name == chosen else "quiet", group=name, cluster=None),
                html.Span(f"{count:,}", className="number"),
            ]
        )
        for name, count in kept.items()
    ]
    return html.Ul(rows)


def _clusters(selection: Selection) -> list[Any]:
    box = dcc.Input(id=Atlas.K, type="number", min=1, placeholder="suggested", autoComplete="off", debounce=True)
    controls = html.Div(
        [
            select("grouping", "Method", GROUPINGS, selection.grouping),
            html.Div([html.Label("k", htmlFor=Atlas.K), box], className="choice"),
        ],
        className="atlas-controls",
    )
    work = Atlas.FIND_WORK.layout("Progress of the clusters")
    start = html.Button("Find clusters", id=Atlas.START, type="button", className="press outlined", hidden=True)
    found = card(
        Atlas.CLUSTERS_HEAD,
        controls,
        work,
        html.Div(clusters_grid()),
        html.Div(id=Atlas.CLUSTERS_NOTHING),
        tools=[start, table_tools(Atlas.CLUSTERS_TABLE)],
    )
    plot = graph(Atlas.CURVE, 250, "Stability and silhouette of each number of clusters")
    return [found, card(Atlas.CURVE_HEAD, plot, tools=graph_tools(Atlas.CURVE, CURVE_FILE))]


def _page() -> Any:
    plot = graph(Atlas.PAGE_LAYERS, 200, "Members in each layer")
    layers = card(Atlas.PAGE_LAYERS_HEAD, plot, tools=graph_tools(Atlas.PAGE_LAYERS, LAYERS_FILE))
    course = graph(Atlas.PAGE_PROFILE, 240, "How often the members together are how active")
    profile = card(Atlas.PAGE_PROFILE_HEAD, course, tools=graph_tools(Atlas.PAGE_PROFILE, PROFILE_FILE))
    reading = html.P("Asking what excites them …", id=Atlas.PAGE_READING, className="caption", hidden=True)
    head = card(
        Atlas.PAGE_HEAD,
        html.Div(id=Atlas.PAGE_FACTS),
        _naming(),
        tools=[html.Span(id=Atlas.PAGE_TOOLS, className="tools")],
    )
    members = card(heading("Members"), members_grid(), tools=[table_tools(Atlas.PAGE_TABLE)])
    left = html.Div([head, members, profile, layers], className="atlas-column")
    right = html.Div([reading, html.Div(id=Atlas.PAGE_READ)], className="atlas-column")
    return html.Div([left, right], className="atlas-page")


def _naming() -> Any:
    """Keep a cluster under a name, or rename or forget a kept group."""
    name = dcc.Input(id=Atlas.PAGE_NAME, type="text", autoComplete="off", placeholder="What they have in common")
    keep = html.Button("Keep as a group", id=Atlas.PAGE_KEEP, type="button", className="press outlined")
    rename = html.Button("Rename", id=Atlas.PAGE_RENAME, type="button", className="press outlined")
    forget = html.Button("Delete", id=Atlas.PAGE_DELETE, type="button", className="press quiet")
    sure = dcc.ConfirmDialog(id=Atlas.PAGE_SURE, message="Delete this group? Its neurons stay as they are.")
    words = html.Label("Name", htmlFor=Atlas.PAGE_NAME)
    return html.Div([words, html.Div([name, keep, rename, forget, sure], className="beside")], className="atlas-naming")


def about(index: Index) -> Any:
    """What every number of the page comes from."""
    m = index.manifest
    names = [PurePath(source).name or source for source in m.sources]
    named = ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
    parts = [index.source.model, f"corpus {named}", index.progress, m.precision]
    return html.P(" · ".join(parts), className="caption search-about")


def unindexed() -> Any:
    """What is said where there is no index."""
    said = "Neurons are alike where they fire on the same tokens of a corpus. Build an index of one here."
    return html.P(said, className="caption search-about")


def undrifted() -> Any:
    """What is said where drift was asked for and none was measured."""
    link = go("Drift", kind="link", view="drift")
    return html.Span(["No checkpoint of this model has been compared with it: open ", link, " to do it."])


def drifted(drift: Drift) -> Any:
    """Which drift colours the map."""
    last = drift.checkpoints[-1]
    link = go("Drift", kind="link", view="drift")
    said = f" over {drift.manifest.tokens:,} tokens, not in this index: open "
    return html.Span(["1 − CCC from the base to ", html.Bdi(last.label), said, link, " for the others."])


def unsurveyed() -> Any:
    """What is said where senses were asked for and none were looked for."""
    link = go("Polysemantic", kind="link", view="polysemantic")
    return html.Span(["The senses of this model's neurons have not been surveyed: open ", link, " to do it."])
