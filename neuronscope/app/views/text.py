"""The Text view: which neurons fire on my text?

The token strip, the layer × token overview, the token × neuron heatmap of one layer, all layers beside each other,
statistics of each layer, and the neurons that stand out at the locked token. Reading the text is the frame's work;
every callback here draws from what the scope remembers of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dash import Dash, Input, Output, State, ctx, dcc, html
from dash.exceptions import PreventUpdate

from neuronscope.analysis.comparison import compare
from neuronscope.analysis.statistics import layer_statistics
from neuronscope.app import pictures, prompt
from neuronscope.app.asking import Frame, asked, text_of
from neuronscope.app.inspector import inspect
from neuronscope.app.parts import (
    card,
    choices,
    csv_id,
    framed,
    go,
    graph,
    graph_tools,
    heading,
    icon,
    select,
    table,
    table_tools,
)
from neuronscope.app.selection import Selection
from neuronscope.app.strips import text_strips
from neuronscope.figures import clicked
from neuronscope.vocabulary import Activations, ModelCard, Site

if TYPE_CHECKING:
    from neuronscope.figures.theme import Mode
    from neuronscope.scope import Scope, Workspace

NAME = "text"
TITLE = "Text"
ICON = "body-text"
ASIDE = "The locked token"
QUESTION = "Which neurons fire on my text?"

SITES = {
    Site.NEURONS: "Neurons",
    Site.GATE: "Gate, before its function",
    Site.UP: "Up projection",
    Site.RESIDUAL: "Residual stream",
    Site.ATTENTION: "Attention heads",
}
RULES = {"peak": "peak", "variance": "variance", "selectivity": "selectivity", "index": "number"}
TABS = {"neurons": "Neurons of one layer", "layers": "Layers side by side", "statistics": "Statistics"}
MEASURES = {"peak": "Strongest", "active": "Share active"}
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
COLUMNS = {
    "layer": "Layer",
    "mean": "Mean",
    "std": "Sd",
    "mean_abs": "Mean |a|",
    "min": "Min",
    "max": "Max",
    "active": "Active",
    "sparsity": "Sparsity",
    "silent": "Silent",
    "constant": "Constant",
}
SCALES = {"shared": "One scale", "layer": "Each its own"}


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
    TABLE = "text-table"
    TABLE_PLACE = "text-table-place"
    INSPECTOR = "text-inspector"


def layout(selection: Selection, model: str) -> Any:
    """The view, with its prompt filled in and everything else waiting for the text to be read."""
    left = html.Div(
        [prompt.panel(selection, model, compare=True), html.Div(id=Text.SETTINGS)],
        className="side",
        tabIndex=0,
        role="region",
        **{"aria-label": "Text and settings"},
    )
    strip = html.Div(id=Text.STRIP)
    tabs = html.Div(_tabs(selection), id=Text.TABS, className="tabs-place")
    neurons = html.Div([_overview_panel(), _heat_panel()], id=Text.NEURONS, hidden=selection.tab != "neurons")
    layers = html.Div(_layers_panel(), id=Text.LAYERS_PANE, hidden=selection.tab != "layers")
    numbers = html.Div(_statistics_panel(selection), id=Text.STATISTICS_PANE, hidden=selection.tab != "statistics")
    middle = html.Div([strip, tabs, neurons, layers, numbers], className="middle")
    return html.Div(
        [left, middle, html.Aside(id=Text.INSPECTOR, className="inspector", tabIndex=0, **{"aria-label": ASIDE})],
        className="text-view",
    )


def register(app: Dash, workspace: Workspace) -> None:
    """Register the view's callbacks."""
    _register_settings(app, workspace)
    _register_neurons(app, workspace)
    _register_others(app, workspace)
    _register_presses(app, workspace)
    _register_csv(app, workspace)


def _register_settings(app: Dash, workspace: Workspace) -> None:
    @app.callback(Output(Text.SETTINGS, "children"), Input(Frame.READY, "data"), State(Frame.URL, "search"))
    def settings(ready: Any, search: str) -> Any:
        scope, selection = asked(workspace, NAME, search, ready)
        return _settings(scope.card, selection)

    @app.callback(
        Output(Text.TABS, "children"),
        Output(Text.NEURONS, "hidden"),
        Output(Text.LAYERS_PANE, "hidden"),
        Output(Text.STATISTICS_PANE, "hidden"),
        Input(Frame.URL, "search"),
    )
    def tabs(search: str) -> tuple[Any, ...]:
        selection = Selection.parse(search)
        return _tabs(selection), *(selection.tab != name for name in TABS)

    @app.callback(Output(Text.STRIP, "children"), *_INPUTS[:2])
    def strip(ready: Any, search: str) -> Any:
        scope, selection = asked(workspace, NAME, search, ready)
        return text_strips(_read(app, scope, selection, ready["model"]), selection, selection.layer_of(scope.card))

    @app.callback(Output(Text.INSPECTOR, "children"), *_INPUTS[:2])
    def look(ready: Any, search: str) -> Any:
        scope, selection = asked(workspace, NAME, search, ready)
        first = _read(app, scope, selection, ready["model"])[0]
        return html.Section(inspect(scope, first, first.tokens.text, selection.position), className="panel")


def _register_neurons(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Text.OVERVIEW, "figure"),
        Output(Text.OVERVIEW, "style"),
        Output(Text.OVERVIEW_HEAD, "children"),
        Output(Text.OVERVIEW_TOOLS, "children"),
        *_INPUTS,
    )
    def overview(ready: Any, search: str, mode: Mode | None) -> tuple[Any, ...]:
        scope, selection = asked(workspace, NAME, search, ready, tab="neurons")
        first = _read(app, scope, selection, ready["model"])[0]
        figure = pictures.overview(first, selection, selection.layer_of(scope.card), mode or "light")
        return *framed(figure, left=44, below=50), choices(
            "measure", "Show for each layer", MEASURES, selection.measure
        )

    @app.callback(
        Output(Text.HEAT, "figure"),
        Output(Text.HEAT, "style"),
        Output(Text.HEAT_HEAD, "children"),
        Output(Text.HEAT_TOOLS, "children"),
        Output(Text.PAGES, "children"),
        *_INPUTS,
    )
    def heat(ready: Any, search: str, mode: Mode | None) -> tuple[Any, ...]:
        scope, selection = asked(workspace, NAME, search, ready, tab="neurons")
        texts, layer = _read(app, scope, selection, ready["model"]), selection.layer_of(scope.card)
        figure = pictures.heat(texts, selection, layer, mode or "light")
        return *framed(figure), _heat_tools(texts, selection, layer, scope.card), _pages(texts, selection)


def _register_others(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Text.LAYERS, "figure"),
        Output(Text.LAYERS, "style"),
        Output(Text.LAYERS_HEAD, "children"),
        Output(Text.LAYERS_TOOLS, "children"),
        *_INPUTS,
    )
    def layers(ready: Any, search: str, mode: Mode | None) -> tuple[Any, ...]:
        scope, selection = asked(workspace, NAME, search, ready, tab="layers")
        first = _read(app, scope, selection, ready["model"])[0]
        figure = pictures.layers(first, selection, selection.layer_of(scope.card), mode or "light")
        return *framed(figure, above=26), choices("scale", "Colour scale", SCALES, selection.scale)

    @app.callback(
        Output(Text.STATISTICS, "figure"),
        Output(Text.STATISTICS, "style"),
        Output(Text.STATISTICS_HEAD, "children"),
        Output(Text.TABLE_PLACE, "children"),
        *_INPUTS,
    )
    def statistics(ready: Any, search: str, mode: Mode | None) -> tuple[Any, ...]:
        scope, selection = asked(workspace, NAME, search, ready, tab="statistics")
        found = layer_statistics(_read(app, scope, selection, ready["model"])[0])
        return *framed(pictures.statistics(found, selection, mode or "light")), table(
            Text.TABLE, found.table, "layer-statistics", COLUMNS
        )


def _register_presses(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Frame.GO, "data", allow_duplicate=True),
        Input(Text.HEAT, "clickData"),
        State(Frame.URL, "search"),
        State(Frame.READY, "data"),
        prevent_initial_call=True,
    )
    def open_cell(click: Any, search: str, ready: Any) -> dict[str, Any]:
        scope, selection = asked(workspace, NAME, search, ready)
        if not click:
            raise PreventUpdate
        texts, layer = _read(app, scope, selection, ready["model"]), selection.layer_of(scope.card)
        return _cell(clicked(click["points"][0]), texts, selection, layer)

    @app.callback(
        Output(Frame.GO, "data", allow_duplicate=True),
        Input(Text.OVERVIEW, "clickData"),
        State(Text.OVERVIEW, "figure"),
        prevent_initial_call=True,
    )
    def open_layer(click: Any, figure: Any) -> dict[str, Any]:
        if not click:
            raise PreventUpdate
        point = click["points"][0]
        return {"layer": figure["layout"]["meta"]["layers"][int(point["y"])], "position": int(point["x"])}


def _register_csv(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Frame.DOWNLOAD, "data", allow_duplicate=True),
        *(Input(csv_id(name), "n_clicks") for name in (Text.OVERVIEW, Text.HEAT, Text.LAYERS, Text.STATISTICS)),
        State(Frame.URL, "search"),
        State(Frame.READY, "data"),
        prevent_initial_call=True,
    )
    def keep(*values: Any) -> Any:
        *clicks, search, ready = values
        scope, selection = asked(workspace, NAME, search, ready)
        if not any(clicks):
            raise PreventUpdate
        name = ctx.triggered_id["csv"]
        frame = pictures.numbers(
            name, _read(app, scope, selection, ready["model"]), selection, selection.layer_of(scope.card)
        )
        return dcc.send_data_frame(frame.to_csv, f"{name}.csv", index=False)


_INPUTS = (Input(Frame.READY, "data"), Input(Frame.URL, "search"), Input(Frame.THEME, "data"))


def _read(app: Dash, scope: Scope, selection: Selection, model: str) -> list[Activations]:
    """The activations of the text, and of the second one if there is one."""
    texts = [text_of(selection, model), *([selection.compare] if selection.compare is not None else [])]
    found: list[Activations] = app.readings.read(scope, texts, selection.site, selection.long)
    return found


def _cell(at: tuple[int, int], texts: list[Activations], selection: Selection, layer: int) -> dict[str, Any]:
    """Where a press on a cell leads: to the neuron, or, where the site has none, to the token alone."""
    row, unit = at
    position: int | None = row
    if pictures.compared(texts, selection):
        position = int(compare(*texts).pairs[row, 0])
    elif len(texts) == 2 and selection.side == "b":
        position = selection.position
    if selection.site in (Site.RESIDUAL, Site.ATTENTION):
        return {"position": position, "layer": layer}
    return {"view": "neuron", "layer": layer, "neuron": unit, "position": position}


def _tabs(selection: Selection) -> Any:
    links = [
        html.Button(
            title,
            type="button",
            className="tab-link",
            **{"data-go": f'{{"tab":"{name}"}}', "aria-current": "true" if name == selection.tab else "false"},
        )
        for name, title in TABS.items()
    ]
    return html.Nav(links, className="tabs", **{"aria-label": "What to show of the text"})


def _settings(model: ModelCard, selection: Selection) -> Any:
    sites = {site: name for site, name in SITES.items() if site in model.sites}
    layers = {layer: str(layer) for layer in range(model.layers)}
    return html.Section(
        [
            select("site", "Read at", sites, selection.site),
            select("layer", f"Layer, 0 to {model.layers - 1}", layers, selection.layer_of(model)),
            select("rule", "Rank by", RULES, selection.rule),
        ],
        className="panel settings",
    )


def _overview_panel() -> Any:
    tools = [html.Span(id=Text.OVERVIEW_TOOLS), graph_tools(Text.OVERVIEW, "layers-by-tokens")]
    plot = graph(Text.OVERVIEW, 160, "Layers by tokens: press a cell to look at that layer and lock that token")
    return card(Text.OVERVIEW_HEAD, plot, tools=tools, name="overview")


def _heat_panel() -> Any:
    tools = [html.Span(id=Text.HEAT_TOOLS, className="tools"), graph_tools(Text.HEAT, "tokens-by-neurons")]
    plot = graph(Text.HEAT, 460, "Tokens by neurons: press a cell to open that neuron")
    return card(Text.HEAT_HEAD, plot, html.Div(id=Text.PAGES, className="pages"), tools=tools, name="heat")


def _layers_panel() -> Any:
    tools = [html.Span(id=Text.LAYERS_TOOLS), graph_tools(Text.LAYERS, "all-layers")]
    return card(Text.LAYERS_HEAD, graph(Text.LAYERS, 600, "The strongest neurons of several layers"), tools=tools)


def _statistics_panel(selection: Selection) -> list[Any]:
    plot = graph(Text.STATISTICS, 300, "Statistics of each layer")
    which = select("statistic", "Statistic", STATISTICS, selection.statistic, hide_label=True)
    bars = card(Text.STATISTICS_HEAD, plot, tools=[which, graph_tools(Text.STATISTICS, "layer-statistics")])
    caption = "Over the tokens that count on this text: the first and special ones are left out."
    numbers = card(
        heading("Every layer in numbers", caption), html.Div(id=Text.TABLE_PLACE), tools=table_tools(Text.TABLE)
    )
    return [bars, numbers]


def _heat_tools(texts: list[Activations], selection: Selection, layer: int, model: ModelCard) -> list[Any]:
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


def _pages(texts: list[Activations], selection: Selection) -> list[Any]:
    """Where in the whole layer this page is, and the way to its neighbours; nothing where there is one page."""
    page = pictures.page_of(texts, selection)
    if page.count == 1:
        return []
    before = go(icon("chevron-left"), label="Page before", page=max(page.number - 1, 0))
    after = go(icon("chevron-right"), label="Page after", page=min(page.number + 1, page.count - 1))
    said = f"{page.start + 1:,} to {page.stop:,} of {page.total:,}, by {RULES[selection.rule]}"
    return [before, html.Span(said), after]
