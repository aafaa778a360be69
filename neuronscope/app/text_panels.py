"""The panels of the Text view: their ids, their controls and the words on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dash import html

from neuronscope.app import pictures
from neuronscope.app.comparable import chooser
from neuronscope.app.graphs import graph, graph_tools
from neuronscope.app.parts import card, choices, go, heading, icon, select
from neuronscope.app.selection import Selection
from neuronscope.app.tables import table_tools
from neuronscope.figures.grid import CHOSEN
from neuronscope.vocabulary import Activations, ModelCard, Site

SITES = {
    Site.NEURONS: "Neurons",
    Site.GATE: "Gate, before its function",
    Site.UP: "Up projection",
    Site.RESIDUAL: "Residual stream",
    Site.ATTENTION: "Attention heads",
}
RULES = {**CHOSEN, "index": "number"}
TABS = ("neurons", "layers", "statistics")
FILES = {
    "text-overview": "text-overview",
    "text-heat": "text-layer",
    "text-layers": "text-layers",
    "text-statistics": "text-statistics",
}
"""What each plot's files are called, whatever their format: the page, then the part of it."""
MEASURES = {"peak": "Strongest", "active": "Share active"}
SCALES = {"shared": "One scale", "layer": "Each its own"}
STATISTICS = {
    "mean": "Mean ± sd",
    "std": "Standard deviation",
    "mean_abs": "Mean magnitude",
    "min": "Smallest",
    "max": "Largest",
    "active": "Share above 0",
    "sparsity": "Sparsity",
    "silent": "Never above 0",
    "constant": "Constant",
}


class Text:
    """The ids of this view."""

    SETTINGS = "text-settings"
    STRIP = "text-strip"
    TABS = "text-tabs"
    NEURONS = "text-neurons"
    OVERVIEW = "text-overview"
    OVERVIEW_HEAD = "text-overview-head"
    OVERVIEW_TOOLS = "text-overview-tools"
    HEAT = "text-heat"
    HEAT_HEAD = "text-heat-head"
    HEAT_TOOLS = "text-heat-tools"
    PAGES = "text-pages"
    LAYERS_PANE = "text-layers-pane"
    LAYERS = "text-layers"
    LAYERS_HEAD = "text-layers-head"
    LAYERS_TOOLS = "text-layers-tools"
    STATISTICS_PANE = "text-statistics-pane"
    STATISTICS = "text-statistics"
    STATISTICS_HEAD = "text-statistics-head"
    TABLE_HEAD = "text-table-head"
    TABLE = "text-table"
    TABLE_PLACE = "text-table-place"
    INSPECTOR = "text-inspector"
    OUTLINES = "text-outlines"


def overview_panel() -> Any:
    """Where the layers × tokens overview goes."""
    tools = [html.Span(id=Text.OVERVIEW_TOOLS), graph_tools(Text.OVERVIEW, FILES[Text.OVERVIEW])]
    plot = graph(Text.OVERVIEW, 160, "Layers by tokens: press a cell to look at that layer and lock that token")
    return card(Text.OVERVIEW_HEAD, plot, tools=tools, name="overview")


def heat_panel() -> Any:
    """Where the tokens × neurons heatmap of one layer goes, and the way through its pages."""
    tools = [html.Span(id=Text.HEAT_TOOLS, className="tools"), graph_tools(Text.HEAT, FILES[Text.HEAT])]
    plot = graph(Text.HEAT, 460, "Tokens by neurons: press a cell to open that neuron")
    return card(Text.HEAT_HEAD, plot, html.Div(id=Text.PAGES, className="pages"), tools=tools, name="heat")


def layers_panel() -> Any:
    """Where the layers under each other go."""
    tools = [html.Span(id=Text.LAYERS_TOOLS), graph_tools(Text.LAYERS, FILES[Text.LAYERS])]
    return card(Text.LAYERS_HEAD, graph(Text.LAYERS, 600, "The strongest neurons of several layers"), tools=tools)


def statistics_panel(selection: Selection) -> list[Any]:
    """Where the statistics of the layers go: one of them drawn, all of them as a table."""
    plot = graph(Text.STATISTICS, 300, "Statistics of each layer")
    which = select("statistic", "Statistic", STATISTICS, selection.statistic, hide_label=True)
    bars = card(Text.STATISTICS_HEAD, plot, tools=[which, graph_tools(Text.STATISTICS, FILES[Text.STATISTICS])])
    numbers = card(Text.TABLE_HEAD, html.Div(id=Text.TABLE_PLACE), tools=table_tools(Text.TABLE))
    return [bars, numbers]


def table_head(which: str) -> list[Any]:
    """Over the table of statistics: what they are of; `which` is which of two texts."""
    return heading("Every layer in numbers", f"Over the tokens that count in {which or 'this text'}.")


def tabs(selection: Selection) -> Any:
    """The way from one part of the view to another."""
    units = {Site.RESIDUAL: "Dimensions", Site.ATTENTION: "Heads"}.get(Site(selection.site), "Neurons")
    titles = (f"{units} of one layer", "Layers side by side", "Statistics")
    links = [
        html.Button(
            title,
            type="button",
            className="tab-link",
            **{"data-go": f'{{"tab":"{name}"}}', "aria-current": "true" if name == selection.tab else "false"},
        )
        for name, title in zip(TABS, titles, strict=True)
    ]
    return html.Nav(links, className="tabs", **{"aria-label": "What to show of the text"})


def settings(model: ModelCard, selection: Selection, others: Mapping[str, str]) -> Any:
    """Where activations are read, which layer is shown, what ranks its units, and which other model is subtracted from.

    `others` are models of the same shape, by name, each with what it is called.
    """
    sites = {site: name for site, name in SITES.items() if site in model.sites}
    layers = {layer: str(layer) for layer in range(model.layers)}
    return html.Section(
        [
            select("site", "Read at", sites, selection.site),
            select("layer", f"Layer, 0 to {model.layers - 1}", layers, selection.layer_of(model)),
            select("rule", "Rank by", RULES, selection.rule),
            *chooser(selection, others),
        ],
        className="panel settings",
    )


def heat_tools(texts: list[Activations], selection: Selection, layer: int, model: ModelCard) -> list[Any]:
    """Above the heatmap: which text, which layer, how many units."""
    total = texts[0].values.shape[-1]
    few = f"{texts[0].heads} heads" if texts[0].heads else "Strongest 64"
    counts = {64: few, 0: f"All {total:,}"} if total > 64 or texts[0].heads else {0: f"All {total:,}"}
    step = html.Span(
        [
            go(icon("chevron-down"), label="Layer below", key="ArrowDown", layer=max(layer - 1, 0)),
            html.Span(f"layer {layer}", className="at"),
            go(icon("chevron-up"), label="Layer above", key="ArrowUp", layer=min(layer + 1, model.layers - 1)),
        ],
        className="stepper",
    )
    sides = choices("side", "Text", {"a": "A", "difference": "B − A", "b": "B"}, selection.side)
    count = selection.count if selection.count in counts else 0
    return [*([sides] if len(texts) > 1 else []), step, choices("count", "How many", counts, count)]


def pages(texts: list[Activations], selection: Selection) -> list[Any]:
    """Where in the whole layer this page is, and the way to its neighbours; nothing where there is one page."""
    page = pictures.page_of(texts, selection)
    if page.count == 1:
        return []
    before = go(icon("chevron-left"), label="Page before", page=max(page.number - 1, 0))
    after = go(icon("chevron-right"), label="Page after", page=min(page.number + 1, page.count - 1))
    said = f"{page.start + 1:,} to {page.stop:,} of {page.total:,}, by {RULES[selection.rule]}"
    return [before, html.Span(said), after]
