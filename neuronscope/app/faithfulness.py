"""How faithful a precision is: one model beside itself in float32 on a sample, layer by layer."""

from __future__ import annotations

import threading
from collections import OrderedDict
from itertools import islice
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import dash_bootstrap_components as dbc
from dash import Dash, Input, Output, State, dcc, html, no_update
from dash.exceptions import PreventUpdate

from neuronscope.app import picker
from neuronscope.app.asking import Answer, Frame, text_of
from neuronscope.app.graphs import csv_id, framed, graph, graph_tools
from neuronscope.app.lists import facts
from neuronscope.app.parts import card, heading, icon, short
from neuronscope.app.selection import Selection
from neuronscope.app.sizes import precisions
from neuronscope.app.tables import table, table_tools
from neuronscope.app.work_bar import WorkBar
from neuronscope.figures import layer_fidelity
from neuronscope.jobs import checkpoint

if TYPE_CHECKING:
    import pandas as pd

    from neuronscope.analysis.fidelity import Fidelity
    from neuronscope.figures.theme import Mode
    from neuronscope.scope import Workspace

SAMPLE = 24
"""How many texts of the demo corpus make a sample."""
_SEED = 7
_KEPT = 16

COLUMNS = {
    "layer": "Layer",
    "correlation": "Correlation",
    "median_neuron": "Median",
    "low_neuron": "5th %",
    "overlap": "Top 10",
}


_WHAT = (
    "Correlation: Pearson's r over all neurons and counted tokens of the layer. Median and 5th %: of the "
    "neurons' own r. Top 10: share of a neuron's ten strongest tokens that are among the ten in the other."
)


class Faithful:
    """The ids of this panel."""

    MODEL = "faithful-model"
    PRECISION = "faithful-precision"
    ON = "faithful-on"
    RUN = "faithful-run"
    WORK = WorkBar("faithful")
    REPORT = "faithful-report"
    HEAD = "faithful-head"
    FIGURE = "faithful-figure"
    NUMBERS = "faithful-numbers"
    TABLE = "faithful-table"
    TABLE_PLACE = "faithful-table-place"
    RESULT = "faithful-result"


class Reports:
    """The last few reports of one app, by a key that the page holds."""

    def __init__(self) -> None:
        """None yet."""
        self._held: OrderedDict[str, Fidelity] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, report: Fidelity) -> str:
        """Keep a report; returns its key."""
        key = uuid4().hex
        with self._lock:
            self._held[key] = report
            while len(self._held) > _KEPT:
                self._held.popitem(last=False)
        return key

    def of(self, key: str | None) -> Fidelity:
        """The report of that key; the page updates nothing where there is none any more."""
        with self._lock:
            if key is None or key not in self._held:
                raise PreventUpdate
            return self._held[key]


def layout() -> Any:
    """The panel: what to compare, the work while it runs, and the report."""
    run = html.Button([icon("play-fill"), "Compare"], id=Faithful.RUN, type="button", className="press filled")
    controls = html.Div(
        [
            _labelled("Model", dbc.Select(id=Faithful.MODEL, options=[], size="sm")),
            _labelled("Held in", dbc.Select(id=Faithful.PRECISION, options=_reduced(), value="bfloat16", size="sm")),
            _labelled("On", dbc.Select(id=Faithful.ON, options=_samples(), value="sample", size="sm")),
            run,
        ],
        className="faithful-controls",
    )
    plot = graph(Faithful.FIGURE, 260, "Correlation with float32, layer by layer")
    result = html.Div(
        [
            html.Div(id=Faithful.NUMBERS, className="faithful-numbers"),
            card(Faithful.HEAD, plot, tools=graph_tools(Faithful.FIGURE, "models-fidelity"), name="inner"),
            html.Div([html.Div(id=Faithful.TABLE_PLACE), html.P(_WHAT, className="caption")]),
        ],
        id=Faithful.RESULT,
        className="faithful-result",
        hidden=True,
    )
    title = heading(
        "Fidelity",
        "How much a smaller precision changes the neurons: a model beside itself in float32, both in memory.",
    )
    return card(
        title,
        controls,
        Faithful.WORK.layout("Progress of the comparison"),
        result,
        dcc.Store(id=Faithful.REPORT),
        tools=table_tools(Faithful.TABLE),
        name="faithful",
    )


def register(app: Dash, workspace: Workspace) -> None:
    """Register what offers the models, compares them, and shows the report."""
    app.reports = Reports()
    _register_models(app, workspace)
    _register_work(app, workspace)
    _register_report(app)


def _register_models(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Faithful.MODEL, "options"),
        Output(Faithful.MODEL, "value"),
        Input(Frame.WARM, "data"),
        Input(Frame.READY, "data"),
        State(Faithful.MODEL, "value"),
    )
    def offer(_warm: Any, ready: Answer | None, chosen: str | None) -> tuple[Any, Any]:
        names = _names(workspace)
        options = [{"label": short(name), "value": name} for name in names]
        shown = ready["model"] if ready else None
        return options, chosen if chosen in names else shown if shown in names else names[0]


def _register_work(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Faithful.REPORT, "data"),
        Input(Faithful.RUN, "n_clicks"),
        State(Faithful.MODEL, "value"),
        State(Faithful.PRECISION, "value"),
        State(Faithful.ON, "value"),
        State(Frame.URL, "search"),
        State(Frame.READY, "data"),
        **Faithful.WORK.runs(app.manager, (Output(Faithful.RUN, "disabled"), True, False)),
        prevent_initial_call=True,
    )
    def compare(
        set_progress: Any, clicks: Any, name: str, precision: str, on: str, search: str, ready: Answer | None
    ) -> Any:
        if not clicks:
            return no_update
        set_progress((None, "1", f"Loading {short(name)} in {precision}"))
        picker.permitted(name, workspace, "")
        scope = workspace.scope(name, precision=precision)
        checkpoint()
        shown = ready["model"] if ready else name
        return app.reports.add(scope.fidelity(_texts(on, Selection.parse(search), shown)))


def _register_report(app: Dash) -> None:
    @app.callback(
        Output(Faithful.RESULT, "hidden"),
        Output(Faithful.FIGURE, "figure"),
        Output(Faithful.FIGURE, "style"),
        Output(Faithful.HEAD, "children"),
        Output(Faithful.NUMBERS, "children"),
        Output(Faithful.TABLE_PLACE, "children"),
        Input(Faithful.REPORT, "data"),
        Input(Frame.THEME, "data"),
    )
    def show(key: str | None, mode: Mode | None) -> tuple[Any, ...]:
        report = app.reports.of(key)
        figure = layer_fidelity(report, mode=mode or "light")
        drawn = framed(figure, left=64, above=30)
        numbers = table(Faithful.TABLE, _exported(report), "models-fidelity", COLUMNS, ".5f")
        return False, *drawn, _numbers(report), numbers

    @app.callback(
        Output(Frame.DOWNLOAD, "data", allow_duplicate=True),
        Input(csv_id(Faithful.FIGURE), "n_clicks"),
        State(Faithful.REPORT, "data"),
        prevent_initial_call=True,
    )
    def keep(clicks: int | None, key: str | None) -> Any:
        if not clicks:
            raise PreventUpdate
        return dcc.send_data_frame(_exported(app.reports.of(key)).to_csv, "models-fidelity.csv", index=False)


def _names(workspace: Workspace) -> list[str]:
    """The models that can be held in two precisions here and now: those on disk and those in memory."""
    from neuronscope.models import hub

    warm = [scope.key.name for scope in workspace.scopes() if not scope.key.attached]
    here = [entry.name for entry in workspace.catalogue if entry.demo or hub.find(entry.name)]
    return list(dict.fromkeys((*here, *warm)))


def _reduced() -> list[dict[str, str]]:
    return [{"label": name, "value": name} for name in precisions() if name not in ("auto", "float32")]


def _samples() -> list[dict[str, str]]:
    return [
        {"label": f"{SAMPLE} sample texts", "value": "sample"},
        {"label": "The text on screen", "value": "text"},
    ]


def _texts(on: str, selection: Selection, model: str) -> list[str]:
    from neuronscope.demo.world import texts

    return [text_of(selection, model)] if on == "text" else list(islice(texts(_SEED), SAMPLE))


def _labelled(label: str, control: Any) -> Any:
    return html.Div([html.Label(label, htmlFor=control.id), control], className="labelled")


def _numbers(report: Fidelity) -> Any:
    """What was compared, and how far the predictions moved."""
    pairs = [
        ("model", report.reduced.model),
        ("compared", f"{report.reduced.precision} with {report.full.precision}"),
        ("over", f"{report.tokens:,} tokens"),
    ]
    if report.divergence is not None and report.agreement is not None:
        pairs += [
            ("next-token divergence", f"{report.divergence:.2g} nats"),
            ("same most probable token", f"{report.agreement:.1%}"),
        ]
    return facts(pairs, "facts inline")


def _exported(report: Fidelity) -> pd.DataFrame:
    """The report's table with what it takes to know what its numbers are of."""
    return report.table.assign(
        model=report.reduced.model,
        revision=report.reduced.revision,
        precision=report.reduced.precision,
        against=report.full.precision,
        tokens=report.tokens,
        divergence_nats=report.divergence,
        agreement=report.agreement,
    )
