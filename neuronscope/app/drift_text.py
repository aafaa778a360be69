"""A text of the visitor's own, read by every checkpoint: a heatmap that moves along with the slider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dash_bootstrap_components as dbc
from dash import Dash, Input, Output, State, dcc, html, no_update
from dash.exceptions import PreventUpdate

from neuronscope.app.asking import Frame, samples
from neuronscope.app.drift_asking import AROUND, listens, look
from neuronscope.app.drift_panels import Page
from neuronscope.app.drift_plots import plotted, short
from neuronscope.app.graphs import csv_id, graph, graph_tools
from neuronscope.app.held import Held
from neuronscope.app.parts import card, heading, icon
from neuronscope.app.picker import permitted
from neuronscope.app.selection import LONGEST_TEXT
from neuronscope.app.work_bar import WorkBar
from neuronscope.figures import drift_text, drift_text_table

if TYPE_CHECKING:
    from neuronscope.scope import Workspace

_EXPLAINED = "Each checkpoint reads it once; then the heatmap goes along with the slider above."


class OwnText:
    """The ids of this panel."""

    BOX = "drift-text"
    LAYER = "drift-text-layer"
    RUN = "drift-text-run"
    WORK = WorkBar("drift-text")
    HEAD = "drift-text-head"
    PLOT = "drift-text-plot"
    PLACE = "drift-text-place"
    READ = "drift-text-read"


def panel(model: str) -> Any:
    """The panel: a text, a layer, the work while checkpoints read it, and the heatmap."""
    box = dbc.Textarea(
        id=OwnText.BOX, value=samples(model)[0], rows=2, maxLength=LONGEST_TEXT, spellCheck=False, size="sm"
    )
    layer = dbc.Select(id=OwnText.LAYER, size="sm")
    form = html.Div(
        [
            html.Div([html.Label("Your text", htmlFor=OwnText.BOX), box], className="drift-wide"),
            html.Div([html.Label("Layer", htmlFor=OwnText.LAYER), layer], className="choice"),
            html.Button([icon("play-fill"), "Read"], id=OwnText.RUN, type="button", className="press filled"),
        ],
        className="index-form drift-form",
    )
    work = OwnText.WORK.layout("Progress of reading the text")
    plot = graph(OwnText.PLOT, 300, "Tokens by neurons of the text, in the checkpoint of the slider")
    drawn = html.Div(
        [html.Div(graph_tools(OwnText.PLOT, OwnText.PLOT), className="tools"), plot], id=OwnText.PLACE, hidden=True
    )
    return card(OwnText.HEAD, form, work, drawn, dcc.Store(id=OwnText.READ), name="drift-own-text")


def register(app: Dash, workspace: Workspace) -> None:
    """Register what reads the text and draws it."""
    held = Held(4)
    _register_form(app, workspace)
    _register_reading(app, workspace, held)
    _register_plot(app, workspace, held)


def _register_form(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(OwnText.LAYER, "options"),
        Output(OwnText.LAYER, "value"),
        Output(OwnText.HEAD, "children"),
        *listens(Page.ABOUT),
        State(OwnText.LAYER, "value"),
    )
    def offer(*values: Any) -> tuple[Any, ...]:
        *where, chosen = values
        layers = look(app, workspace, tuple(where))[0].drift.manifest.layers
        options = [{"label": str(layer), "value": str(layer)} for layer in range(layers)]
        known = chosen is not None and int(chosen) < layers
        return options, chosen if known else str(layers // 2), heading("On your own text", _EXPLAINED)


def _register_reading(app: Dash, workspace: Workspace, held: Held) -> None:
    @app.callback(
        Output(OwnText.READ, "data"),
        Input(OwnText.RUN, "n_clicks"),
        *AROUND,
        State(OwnText.BOX, "value"),
        **OwnText.WORK.runs(app.manager, (Output(OwnText.RUN, "disabled"), True, False)),
        prevent_initial_call=True,
    )
    def read(set_progress: Any, clicks: int | None, *values: Any) -> Any:
        *where, text = values
        if not clicks:
            raise PreventUpdate
        set_progress((None, "1", "Reading the text"))
        found = look(app, workspace, tuple(where))[0]
        names = [one.name for one in found.drift.checkpoints]
        for name in names:
            permitted(name, workspace, where[0]["model"])  # it may have been measured by another program
        held.of((found.kept.state, text), lambda: found.scope.across(names, text or ""))
        return {"text": text, "drift": found.kept.state}


def _register_plot(app: Dash, workspace: Workspace, held: Held) -> None:
    @app.callback(
        *plotted(OwnText.PLOT, OwnText.HEAD, again=True),
        Output(OwnText.PLACE, "hidden"),
        Input(OwnText.READ, "data"),
        Input(OwnText.LAYER, "value"),
        *AROUND,
        prevent_initial_call=True,
    )
    def draw(asked: Any, layer: str | None, *values: Any) -> tuple[Any, ...]:
        found, mode = look(app, workspace, values)
        if not asked or layer is None or asked["drift"] != found.kept.state:
            return no_update, no_update, no_update, True
        across = held.find((found.kept.state, asked["text"]))
        if across is None:
            raise PreventUpdate
        figure = drift_text(across, int(layer), checkpoint=found.place, mode=mode)
        return *short(figure, _EXPLAINED, "On your own text", left=88, below=60), False

    @app.callback(
        Output(Frame.DOWNLOAD, "data", allow_duplicate=True),
        Input(csv_id(OwnText.PLOT), "n_clicks"),
        State(OwnText.READ, "data"),
        State(OwnText.LAYER, "value"),
        prevent_initial_call=True,
    )
    def keep(clicks: int | None, asked: Any, layer: str) -> Any:
        across = held.find((asked["drift"], asked["text"])) if clicks and asked else None
        if across is None:
            raise PreventUpdate
        table = drift_text_table(across, int(layer))
        return dcc.send_data_frame(table.to_csv, f"{OwnText.PLOT}.csv", index=False)
