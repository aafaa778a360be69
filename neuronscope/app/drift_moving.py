"""The moving map of the Drift view, and the plots that its slider moves: where drift is, and the loss."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from dash import ClientsideFunction, Dash, Input, Output, State, ctx, dcc
from dash.exceptions import PreventUpdate

from neuronscope.app.asking import Frame
from neuronscope.app.drift_asking import AROUND, listens, look
from neuronscope.app.drift_panels import Page
from neuronscope.app.drift_plots import short
from neuronscope.app.graphs import csv_id
from neuronscope.app.parts import heading
from neuronscope.app.scenes import scene_id
from neuronscope.figures import animate, drift_layers, drift_losses, drift_losses_table
from neuronscope.figures.axes import outline
from neuronscope.vocabulary import layers_named

if TYPE_CHECKING:
    from flask import Response

    from neuronscope.scope import Workspace

_WIDTH = 430
"""About how wide the plots beside the map are, in pixels."""
_HEAT = {
    "drift": "0: the same · 1: unrelated",
    "median": "0: the same · 1: unrelated",
    "cka": "1: the same up to rotation and scale · 0: unrelated",
    "cka_residual": "1: the same up to rotation and scale · 0: unrelated",
    "excess": "above 0: more than the control",
}
"""What the ends of a measure mean."""


def register_moving(app: Dash, workspace: Workspace) -> None:
    """Register the map, what its slider moves, and the addresses from which it is sent."""
    _register_sent(app)
    _register_player(app, workspace)
    _register_gif(app, workspace)
    _register_where(app, workspace)


def _register_sent(app: Dash) -> None:
    import flask

    prefix = app.config.routes_pathname_prefix

    def sent(name: str, what: str) -> Response:
        kept = app.drifts.one(name)
        if kept is None or not kept.opens:
            flask.abort(404)
        if what == "page":
            page = flask.Response(app.drifts.page(kept), mimetype="text/html")
            page.headers["Content-Disposition"] = f"attachment; filename=drift-{kept.name}.html"
            return page
        data = flask.Response(app.drifts.packed(kept), mimetype="application/octet-stream")
        data.headers["Cache-Control"] = "private, max-age=3600"  # its address says how far the drift had come
        return data

    app.server.add_url_rule(f"{prefix}_drift/<name>/<any(frames, page):what>", "drift", sent)


def _register_player(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Page.PLAYED, "data"),
        Output(Page.MOVING_HEAD, "children"),
        Output(Page.EXPORT, "href"),
        *listens(Page.ABOUT),
    )
    def play(*values: Any) -> tuple[Any, ...]:
        found, _mode = look(app, workspace, values)
        at = app.get_relative_path(f"/_drift/{found.kept.name}")
        said = "Every neuron near those that do the same, in every checkpoint. Press one to look at it below."
        last = len(found.drift.checkpoints) - 1
        return {"frames": f"{at}/frames?{found.kept.state}", "last": last}, heading("How it moved", said), f"{at}/page"

    app.clientside_callback(
        ClientsideFunction("drift", "play"),
        Output(Page.PLAYED, "modified_timestamp"),
        Input(Page.PLAYED, "data"),
        Input(scene_id(Page.PLAYER), "data"),
        State(Frame.URL, "search"),
    )


def _register_gif(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Frame.DOWNLOAD, "data", allow_duplicate=True),
        Input(Page.GIF, "n_clicks"),
        *AROUND,
        **Page.DRAWING.runs(app.manager, (Output(Page.GIF, "disabled"), True, False)),
        prevent_initial_call=True,
    )
    def draw(set_progress: Any, clicks: int | None, *values: Any) -> Any:
        if not clicks:
            raise PreventUpdate
        set_progress((None, "1", "Placing the neurons"))
        found, mode = look(app, workspace, values)
        with TemporaryDirectory() as folder:
            file = animate(found.drift, Path(folder) / f"drift-{found.kept.name}.gif", mode=mode)
            return dcc.send_bytes(file.read_bytes(), file.name)


def _register_where(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Page.LAYERS, "figure"),
        Output(Page.LAYERS, "style"),
        Output(Page.LAYERS_HEAD, "children"),
        *listens(Page.LAYERS),
    )
    def where(*values: Any) -> tuple[Any, ...]:
        found, mode = look(app, workspace, values)
        figure = drift_layers(found.drift, found.selection.heat, checkpoint=found.place, mode=mode, width=_WIDTH)
        layers = layers_named(found.selection.layers or "")
        for layer in layers if len(layers) < found.drift.manifest.layers else ():
            outline(figure, "y", layer, mode)
        return short(figure, _HEAT.get(found.selection.heat, ""), left=44, below=46)

    @app.callback(
        Output(Page.LOSSES, "figure"),
        Output(Page.LOSSES, "style"),
        Output(Page.LOSSES_HEAD, "children"),
        *listens(Page.ABOUT),
    )
    def losses(*values: Any) -> tuple[Any, ...]:
        found, mode = look(app, workspace, values)
        figure = drift_losses(found.drift, checkpoint=found.place, mode=mode, height=330, width=_WIDTH)
        return short(figure, "bars: ± 2 standard errors of the difference from the base", left=52, above=30, below=46)

    app.clientside_callback(
        ClientsideFunction("drift", "cell"),
        Output(Page.LAYERS, "clickAnnotationData"),
        Input(Page.LAYERS, "clickData"),
        Input(Page.LOSSES, "clickData"),
        prevent_initial_call=True,
    )

    @app.callback(
        Output(Frame.DOWNLOAD, "data", allow_duplicate=True),
        Input(csv_id(Page.LAYERS), "n_clicks"),
        Input(csv_id(Page.LOSSES), "n_clicks"),
        State(Frame.READY, "data"),
        State(Frame.URL, "search"),
        State(Frame.THEME, "data"),
        prevent_initial_call=True,
    )
    def keep(layers: int | None, losses: int | None, *values: Any) -> Any:
        if not (layers or losses):
            raise PreventUpdate
        drift = look(app, workspace, values)[0].drift
        whole = ctx.triggered_id == csv_id(Page.LAYERS)
        table = drift.layers if whole else drift_losses_table(drift)
        m = drift.manifest
        table = table.assign(model=m.model, revision=m.revision, precision=m.precision, tokens=m.tokens)
        name = "drift-layers" if whole else "drift-losses"
        return dcc.send_data_frame(table.to_csv, f"{name}.csv", index=False)
