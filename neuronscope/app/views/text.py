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
from neuronscope.app import pictures, prompt, scenes, text_panels
from neuronscope.app.asking import Frame, asked, looked_at, read
from neuronscope.app.comparable import comparable
from neuronscope.app.graphs import csv_id, framed
from neuronscope.app.inspector import inspect
from neuronscope.app.parts import choices, unread
from neuronscope.app.scenes import Scene, scene_id
from neuronscope.app.selection import Selection
from neuronscope.app.strips import text_strips
from neuronscope.app.tables import table
from neuronscope.app.text_panels import FILES, MEASURES, SCALES, TABS, Text
from neuronscope.figures import clicked
from neuronscope.vocabulary import Activations, Site

if TYPE_CHECKING:
    from neuronscope.figures.theme import Mode
    from neuronscope.scope import Workspace

NAME = "text"
TITLE = "Text"
ICON = "body-text"
ASIDE = "The locked token"
QUESTION = "Which neurons fire on my text?"

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
    "constant": "Const.",
}


SCENES = {
    Text.TABS: Scene(NAME, ("tab", "site")),
    Text.STRIP: Scene(NAME, ("layer", "neuron", "position", "colour", "side")),
    Text.INSPECTOR: Scene(NAME, ("position", "side")),
    Text.OVERVIEW: Scene(NAME, ("measure", "side"), "neurons"),
    Text.HEAT: Scene(NAME, ("layer", "rule", "count", "page", "side"), "neurons"),
    Text.LAYERS: Scene(NAME, ("layer", "scale", "side"), "layers"),
    Text.STATISTICS: Scene(NAME, ("statistic", "side"), "statistics"),
    Text.OUTLINES: Scene(NAME, ("tab", "layer", "position", "page", "side")),
}
"""What each part is drawn from. The locked token and, in the overview, the layer are outlines, which only move."""


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
    tabs = html.Div(text_panels.tabs(selection), id=Text.TABS, className="tabs-place")
    neurons = html.Div(
        [text_panels.overview_panel(), text_panels.heat_panel()], id=Text.NEURONS, hidden=selection.tab != "neurons"
    )
    layers = html.Div(text_panels.layers_panel(), id=Text.LAYERS_PANE, hidden=selection.tab != "layers")
    numbers = html.Div(
        text_panels.statistics_panel(selection), id=Text.STATISTICS_PANE, hidden=selection.tab != "statistics"
    )
    middle = html.Div([unread(), strip, tabs, neurons, layers, numbers], className="middle")
    look = html.Aside(id=Text.INSPECTOR, className="inspector", tabIndex=0, **{"aria-label": ASIDE})
    stores = [*scenes.layout(NAME, SCENES), dcc.Store(id=Text.OUTLINES)]
    return html.Div([left, middle, look, *stores], className="text-view")


def register(app: Dash, workspace: Workspace) -> None:
    """Register the view's callbacks."""
    scenes.register(app, NAME, SCENES)
    _register_settings(app, workspace)
    _register_neurons(app, workspace)
    _register_outlines(app, workspace)
    _register_others(app, workspace)
    _register_presses(app, workspace)
    _register_csv(app, workspace)


def _register_settings(app: Dash, workspace: Workspace) -> None:
    @app.callback(Output(Text.SETTINGS, "children"), Input(Frame.READY, "data"), State(Frame.URL, "search"))
    def settings(ready: Any, search: str) -> Any:
        scope, selection = asked(workspace, NAME, search, ready)
        return text_panels.settings(scope.card, selection, comparable(workspace, scope, app.drifts))

    @app.callback(
        Output(Text.TABS, "children"),
        Output(Text.NEURONS, "hidden"),
        Output(Text.LAYERS_PANE, "hidden"),
        Output(Text.STATISTICS_PANE, "hidden"),
        Input(scene_id(Text.TABS), "data"),
        State(Frame.URL, "search"),
    )
    def tabs(_scene: Any, search: str) -> tuple[Any, ...]:
        selection = Selection.parse(search)
        return text_panels.tabs(selection), *(selection.tab != name for name in TABS)

    @app.callback(Output(Text.STRIP, "children"), *_seen(Text.STRIP)[:3])
    def strip(ready: Any, _scene: Any, search: str) -> Any:
        scope, selection = asked(workspace, NAME, search, ready)
        return text_strips(
            read(app.readings, workspace, scope, selection, ready["model"]), selection, selection.layer_of(scope.card)
        )

    @app.callback(Output(Text.INSPECTOR, "children"), Input(Frame.INDEX, "data"), *_seen(Text.INSPECTOR)[:3])
    def look(_index: Any, ready: Any, _scene: Any, search: str) -> Any:
        scope, selection = asked(workspace, NAME, search, ready)
        texts = read(app.readings, workspace, scope, selection, ready["model"])
        first = looked_at(texts, selection)
        which = pictures.which_text(texts, selection)
        index = workspace.index_of(scope)
        shown = inspect(scope, first, first.tokens.text, selection.position, which, index)
        return html.Section(shown, className="panel")


def _register_neurons(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Text.OVERVIEW, "figure"),
        Output(Text.OVERVIEW, "style"),
        Output(Text.OVERVIEW_HEAD, "children"),
        Output(Text.OVERVIEW_TOOLS, "children"),
        *_seen(Text.OVERVIEW),
    )
    def overview(ready: Any, _scene: Any, search: str, mode: Mode | None) -> tuple[Any, ...]:
        scope, selection = asked(workspace, NAME, search, ready, tab="neurons")
        texts = read(app.readings, workspace, scope, selection, ready["model"])
        figure = pictures.overview(texts, selection, selection.layer_of(scope.card), mode or "light")
        return *framed(figure, left=44, below=50), choices(
            "measure", "Show for each layer", MEASURES, selection.measure
        )

    @app.callback(
        Output(Text.HEAT, "figure"),
        Output(Text.HEAT, "style"),
        Output(Text.HEAT_HEAD, "children"),
        Output(Text.HEAT_TOOLS, "children"),
        Output(Text.PAGES, "children"),
        *_seen(Text.HEAT),
    )
    def heat(ready: Any, _scene: Any, search: str, mode: Mode | None) -> tuple[Any, ...]:
        scope, selection = asked(workspace, NAME, search, ready, tab="neurons")
        texts, layer = read(app.readings, workspace, scope, selection, ready["model"]), selection.layer_of(scope.card)
        figure = pictures.heat(texts, selection, layer, mode or "light")
        return (
            *framed(figure),
            text_panels.heat_tools(texts, selection, layer, scope.card),
            text_panels.pages(texts, selection),
        )


def _register_outlines(app: Dash, workspace: Workspace) -> None:
    scenes.register_outlines(app, Text.OUTLINES)

    @app.callback(Output(Text.OUTLINES, "data"), *_seen(Text.OUTLINES))
    def outlines(ready: Any, _scene: Any, search: str, mode: Mode | None) -> dict[str, Any]:
        scope, selection = asked(workspace, NAME, search, ready)
        texts, layer = read(app.readings, workspace, scope, selection, ready["model"]), selection.layer_of(scope.card)
        return pictures.outlines(texts, selection, layer, mode or "light")


def _register_others(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Text.LAYERS, "figure"),
        Output(Text.LAYERS, "style"),
        Output(Text.LAYERS_HEAD, "children"),
        Output(Text.LAYERS_TOOLS, "children"),
        *_seen(Text.LAYERS),
    )
    def layers(ready: Any, _scene: Any, search: str, mode: Mode | None) -> tuple[Any, ...]:
        scope, selection = asked(workspace, NAME, search, ready, tab="layers")
        texts = read(app.readings, workspace, scope, selection, ready["model"])
        figure = pictures.layers(texts, selection, selection.layer_of(scope.card), mode or "light")
        return *framed(figure, above=26), choices("scale", "Colour scale", SCALES, selection.scale)

    @app.callback(
        Output(Text.STATISTICS, "figure"),
        Output(Text.STATISTICS, "style"),
        Output(Text.STATISTICS_HEAD, "children"),
        Output(Text.TABLE_HEAD, "children"),
        Output(Text.TABLE_PLACE, "children"),
        *_seen(Text.STATISTICS),
    )
    def statistics(ready: Any, _scene: Any, search: str, mode: Mode | None) -> tuple[Any, ...]:
        scope, selection = asked(workspace, NAME, search, ready, tab="statistics")
        texts = read(app.readings, workspace, scope, selection, ready["model"])
        found = layer_statistics(looked_at(texts, selection))
        return (
            *framed(pictures.statistics(found, texts, selection, mode or "light")),
            text_panels.table_head(pictures.which_text(texts, selection)),
            table(Text.TABLE, found.table, FILES[Text.STATISTICS], COLUMNS),
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
        texts, layer = read(app.readings, workspace, scope, selection, ready["model"]), selection.layer_of(scope.card)
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
            name,
            read(app.readings, workspace, scope, selection, ready["model"]),
            selection,
            selection.layer_of(scope.card),
        )
        return dcc.send_data_frame(frame.to_csv, f"{FILES[name]}.csv", index=False)


def _seen(part: str) -> tuple[Input | State, ...]:
    """What a part listens to, the answer and its own scene, and what it reads besides."""
    listens = Input(Frame.READY, "data"), Input(scene_id(part), "data")
    return *listens, State(Frame.URL, "search"), State(Frame.THEME, "data")


def _cell(at: tuple[int, int], texts: list[Activations], selection: Selection, layer: int) -> dict[str, Any]:
    """Where a press on a cell leads: to the neuron, or, where the site has none, to the token alone."""
    row, unit = at
    position = row
    if pictures.compared(texts, selection):
        position = int(compare(*texts).pairs[row, 0])
    if selection.site in (Site.RESIDUAL, Site.ATTENTION):
        return {"position": position, "layer": layer}
    return {"view": "neuron", "layer": layer, "neuron": unit, "position": position}
