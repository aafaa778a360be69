"""The catalogue as a table: every model known by name, what it takes at each precision, and the way to load it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dash_ag_grid as dag
from dash import Dash, Input, Output, State, dcc, html
from dash.exceptions import PreventUpdate

from neuronscope.app.asking import Answer, Frame
from neuronscope.app.memory_bar import readable
from neuronscope.app.parts import card, go, heading, icon
from neuronscope.app.picker import weights
from neuronscope.app.prospects import Prospects
from neuronscope.app.sizes import precisions
from neuronscope.app.tables import GRID_OPTIONS, csv_params, table_tools
from neuronscope.models import hub

if TYPE_CHECKING:
    from neuronscope.models.catalogue import Entry
    from neuronscope.models.hub import Plan
    from neuronscope.scope import Workspace

TABLE = "shelf-table"
_SEARCH = "shelf-search"
_CHOSEN = "shelf-chosen"
_HUB = "shelf-hub"
_ASK = "shelf-ask"
_DOWNLOADS = "shelf-downloads"
_BYTES = {
    "function": "params.value == null ? '–' : d3.format('.3~r')(params.value / (params.value < 9.995e8 ? 1e6 : 1e9)) + "
    "(params.value < 9.995e8 ? ' MB' : ' GB')"
}
_COUNT = {
    "function": "d3.format('.3~r')(params.value / (params.value < 9.995e8 ? 1e6 : 1e9)) + "
    "(params.value < 9.995e8 ? ' M' : ' B')"
}


def layout() -> Any:
    """The panel: a search box, the table, and what can be done with the row that is chosen."""
    search = html.Div(
        [
            html.Label("Find a model", htmlFor=_SEARCH, className="visually-hidden"),
            dcc.Input(id=_SEARCH, type="search", placeholder="Find: gemma, MIT, encoder …", autoComplete="off"),
        ],
        className="find",
    )
    title = heading("Catalogue", "What the weights take at each precision; choose a row to load it.")
    ask = html.Button(
        [icon("cloud-download"), "Ask the hub how much it downloads"],
        id=_ASK,
        type="button",
        className="press outlined",
    )
    place = html.Div([ask, html.Span(id=_DOWNLOADS, role="status")], id=_HUB, className="from-hub", hidden=True)
    chosen = html.Div(id=_CHOSEN, className="chosen", role="status")
    return card(title, chosen, place, _grid(), tools=[search, table_tools(TABLE)], name="shelf")


def register(app: Dash, workspace: Workspace) -> None:
    """Register what fills the table, searches it, and answers to a chosen row."""

    @app.callback(
        Output(TABLE, "rowData"), Input(Frame.WARM, "data"), Input(Frame.READY, "data"), Input(Frame.SIZES, "data")
    )
    def fill(_warm: Any, _ready: Any, _sizes: Any) -> list[dict[str, Any]]:
        prospects = Prospects(workspace, app.sizes)
        return [_record(entry, prospects, offline=workspace.settings.offline) for entry in workspace.catalogue]

    @app.callback(
        Output(TABLE, "dashGridOptions"),
        Input(_SEARCH, "value"),
        State(TABLE, "dashGridOptions"),
        prevent_initial_call=True,
    )
    def find(words: str | None, options: dict[str, Any]) -> dict[str, Any]:
        return {**options, "quickFilterText": words or ""}

    @app.callback(
        Output(_CHOSEN, "children"),
        Output(_HUB, "hidden"),
        Output(_DOWNLOADS, "children"),
        Input(TABLE, "selectedRows"),
        Input(Frame.READY, "data"),
        Input(Frame.SIZES, "data"),
    )
    def choose(rows: list[dict[str, Any]] | None, _ready: Answer | None, _sizes: Any) -> tuple[Any, bool, str]:
        entry = _chosen(workspace, rows)
        if entry is None:
            return None, True, ""
        prospects = Prospects(workspace, app.sizes)
        return _offer(entry, prospects), workspace.settings.offline or prospects.here(entry), ""

    @app.callback(
        Output(_DOWNLOADS, "children", allow_duplicate=True),
        Input(_ASK, "n_clicks"),
        State(TABLE, "selectedRows"),
        background=True,
        manager=app.manager,
        prevent_initial_call=True,
        running=[(Output(_ASK, "disabled"), True, False)],
    )
    def ask(clicks: int | None, rows: list[dict[str, Any]] | None) -> str:
        entry = _chosen(workspace, rows)
        if not clicks or entry is None:
            raise PreventUpdate
        return downloads(hub.plan(entry.name))


def downloads(plan: Plan) -> str:
    """What having a model here would take from the hub, in words."""
    if plan.missing == plan.bytes:
        return f"downloads {readable(plan.bytes)}"
    return f"downloads {readable(plan.missing)}; the rest of {readable(plan.bytes)} is here"


def _chosen(workspace: Workspace, rows: list[dict[str, Any]] | None) -> Entry | None:
    name = rows[0]["name"] if rows else None
    return next((entry for entry in workspace.catalogue if entry.name == name), None)


def _grid() -> Any:
    names = [name for name in precisions() if name not in ("auto", "float16")]
    columns = [
        {"field": "name", "headerName": "Model", "minWidth": 236, "flex": 3, "pinned": "left"},
        {"field": "family", "headerName": "Family", "minWidth": 90},
        _number("parameters", "Weights", _COUNT, 86),
        _number("context", "Context", {"function": "d3.format(',')(params.value)"}, 86),
        {"field": "licence", "headerName": "Licence", "minWidth": 100},
        {"field": "access", "headerName": "Access", "minWidth": 90},
        {"field": "here", "headerName": "Where", "minWidth": 92},
        *(_number(name, name, _BYTES, 90) for name in names),
        {"field": "use", "headerName": "Good for", "minWidth": 210, "flex": 3, "tooltipField": "use"},
    ]
    return dag.AgGrid(
        id=TABLE,
        columnDefs=columns,
        rowData=[],
        getRowId="params.data.name",
        defaultColDef={
            "sortable": True,
            "resizable": True,
            "flex": 1,
            "filter": True,
            "suppressHeaderMenuButton": True,
        },
        dashGridOptions={
            **GRID_OPTIONS,
            "domLayout": "normal",
            "rowSelection": {"mode": "singleRow", "checkboxes": False, "enableClickSelection": True},
            "tooltipShowDelay": 400,
        },
        csvExportParams=csv_params("models-catalogue"),
        className="grid-table shelf-table",
        style={"width": "100%", "height": "min(430px, 60vh)"},
    )


def _number(name: str, title: str, form: dict[str, str], width: int) -> dict[str, Any]:
    return {
        "field": name,
        "headerName": title,
        "type": "numericColumn",
        "filter": "agNumberColumnFilter",
        "valueFormatter": form,
        "minWidth": width,
    }


def _record(entry: Entry, prospects: Prospects, *, offline: bool) -> dict[str, Any]:
    return {
        "name": entry.name,
        "family": entry.family,
        "parameters": entry.parameters,
        "context": entry.context,
        "licence": entry.licence,
        "access": "on request" if entry.permission else "open",
        "here": _where(entry, prospects, offline=offline),
        "use": entry.use,
        **prospects.size(entry).bytes,
    }


def _where(entry: Entry, prospects: Prospects, *, offline: bool) -> str:
    if entry.name in prospects.warm:
        return "in memory"
    if entry.demo:
        return "built in"
    if prospects.here(entry):
        return "on disk"
    return "not here" if offline else "on the hub"


def _offer(entry: Entry, prospects: Prospects) -> list[Any]:
    """The chosen model: a way to load it in each precision, with what each would mean."""
    auto = prospects.of(entry, "auto")
    said = [entry.use, f"{weights(entry.parameters)} · {entry.licence} · {entry.context:,} tokens of context"]
    if entry.permission and not prospects.here(entry):
        said.append(
            "Its authors ask for permission first: get it on the hub, and set HF_TOKEN to a token of that account."
        )
    who = html.Div([html.H3(entry.name), *(html.P(line, className="caption") for line in said)], className="who")
    buttons = [_load(entry, name, prospects) for name in ("auto", *(n for n in precisions() if n != "auto"))]
    needs = html.P(f"In {auto.precision} it {auto.words}.", className="changed") if auto.words else None
    return [who, html.Div(buttons, className="loads"), needs]


def _load(entry: Entry, precision: str, prospects: Prospects) -> Any:
    prospect = prospects.of(entry, precision)
    size = "" if prospect.bytes is None else f"{'≈ ' if prospect.rough else ''}{readable(prospect.bytes)}"
    under = "in memory" if prospect.warm else size or "not to be had"
    words = [html.Strong("Load" if precision == "auto" else precision), html.Span(under)]
    button = go(words, kind="filled" if precision == "auto" else "outlined", model=entry.name, precision=precision)
    button.disabled = not prospect.fits
    button.title = prospect.words or f"Load {entry.name} in {prospect.precision}"
    return button
