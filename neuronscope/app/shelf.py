"""The catalogue as a table: every model known by name, what it takes at each precision, and the way to load it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dash_ag_grid as dag
from dash import Dash, Input, Output, State, dcc, html
from dash.exceptions import PreventUpdate

from neuronscope.app.asking import Answer, Frame
from neuronscope.app.memory_bar import readable
from neuronscope.app.parts import card, go, heading
from neuronscope.app.picker import weights
from neuronscope.app.prospects import Prospects
from neuronscope.app.sizes import precisions
from neuronscope.app.tables import GRID_OPTIONS, table_tools

if TYPE_CHECKING:
    from neuronscope.models.catalogue import Entry
    from neuronscope.scope import Workspace

TABLE = "shelf-table"
_SEARCH = "shelf-search"
_CHOSEN = "shelf-chosen"
_BYTES = {
    "function": "params.value == null ? '–' : d3.format('.3~r')(params.value / (params.value < 1e9 ? 1e6 : 1e9)) + "
    "(params.value < 1e9 ? ' MB' : ' GB')"
}
_COUNT = {
    "function": "d3.format('.3~r')(params.value / (params.value < 1e9 ? 1e6 : 1e9)) + "
    "(params.value < 1e9 ? ' M' : ' B')"
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
    return card(
        title,
        html.Div(id=_CHOSEN, className="chosen", role="status"),
        _grid(),
        tools=[search, table_tools(TABLE)],
        name="shelf",
    )


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
        Input(TABLE, "selectedRows"),
        Input(Frame.READY, "data"),
        Input(Frame.SIZES, "data"),
    )
    def choose(rows: list[dict[str, Any]] | None, ready: Answer | None, _sizes: Any) -> Any:
        if not rows:
            return None
        entry = next((entry for entry in workspace.catalogue if entry.name == rows[0]["name"]), None)
        if entry is None:
            raise PreventUpdate
        return _offer(entry, Prospects(workspace, app.sizes))


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
        csvExportParams={"fileName": "models.csv"},
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
