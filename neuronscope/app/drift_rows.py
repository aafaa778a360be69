"""The table of neurons that drifted: what travels to the browser of tens of thousands of them.

Columns travel and not rows; `assets/drift.js` makes the rows of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dash_ag_grid as dag
import numpy as np
import pandas as pd

from neuronscope.app.tables import GRID_OPTIONS, csv_params, number_column
from neuronscope.vocabulary import layers_named

if TYPE_CHECKING:
    from neuronscope.app.drift_asking import Look
    from neuronscope.series import Drift

TABLE = "drift-table"
FILE = "drift"
NUMBERS = (
    *("drift", "low", "high", "location", "scale", "selectivity", "excess", "weight_in", "weight_gate", "weight_out"),
    *("bias", "overlap"),
)
_TWO = {"function": "params.value == null ? '–' : d3.format('.3~g')(params.value)"}
_OVERLAP = {"function": "params.value == null ? '–' : d3.format('.2f')(params.value)"}


def rows_of(look: Look) -> pd.DataFrame:
    """The neurons of the checkpoint that the address asks for, the most drifted first."""
    found = look.drift.rows(look.place)
    layers = layers_named(look.selection.layers or "")
    if layers:
        found = found[found["layer"].isin(layers)]
    if look.selection.beyond == "noise":
        found = found[found["above_noise"]]
    if look.selection.beyond == "control" and look.drift.control is not None:
        found = found[found["above_noise"] & found["above_control"]]
    if look.selection.cause != "any":
        found = found[found["reweighted"] == (look.selection.cause == "weights")]
    return found


def packed(rows: pd.DataFrame, drift: Drift) -> dict[str, Any]:
    """Rows as they travel, with what their numbers are of."""
    columns: dict[str, list[Any]] = {name: rows[name].astype(int).tolist() for name in ("layer", "neuron", "partner")}
    for name in NUMBERS:
        own = rows[name].to_numpy(np.float64)
        columns[name] = [None if value != value else float(f"{value:.4g}") for value in own.tolist()]
    columns |= {name: rows[name].astype(int).tolist() for name in ("above_noise", "above_control")}
    columns["event"] = rows["event"].tolist()
    m = drift.manifest
    same = {"model": m.model, "revision": m.revision, "precision": m.precision, "tokens": m.tokens}
    return {"columns": columns, "same": {**same, "checkpoint": rows["checkpoint"].iloc[0] if len(rows) else ""}}


def columns(*, gated: bool, control: bool) -> list[Any]:
    """The columns of the table: the gate and the control where there are any."""
    excess = number_column("excess", "Excess", _TWO, 72, "D beyond the control's; bold where the interval is above 0")
    gate = number_column("weight_gate", "Gate", _TWO, 60, "How far its gate weights moved, |w′ − w| / |w|")
    shown: list[dict[str, Any]] = [
        {"field": "name", "headerName": "Neuron", "cellRenderer": "DriftCell", "width": 104, "flex": None,
         "filter": "agTextColumnFilter", "pinned": "left"},
        number_column("drift", "D", _TWO, 66, "Drift: 0 the same, 1 unrelated"),
        {"field": "interval", "headerName": "95 %", "headerTooltip": "The interval of D", "minWidth": 112,
         "sortable": False},
        {"field": "parts", "headerName": "Made of", "cellRenderer": "PartsCell", "minWidth": 110, "flex": 2,
         "sortable": False, "headerTooltip": "Location, scale and selectivity as shares of D"},
        number_column("location", "Location", _TWO, 80, "What another mean adds to D"),
        number_column("scale", "Scale", _TWO, 66, "What another spread adds to D"),
        number_column("selectivity", "Selectivity", _TWO, 92, "What firing on other tokens adds to D"),
        {"field": "noise", "headerName": "Noise", "minWidth": 72, "filter": "agTextColumnFilter",
         "headerTooltip": "Whether D is above the neuron's noise floor"},
        *([{**excess, "cellClassRules": {"surely": "params.data.above_control == 'yes'"}}] if control else []),
        number_column("weight_in", "Read", _TWO, 62, "How far its read weights moved, |w′ − w| / |w|"),
        *([gate] if gated else []),
        number_column("weight_out", "Write", _TWO, 64, "How far its write weights moved, |w′ − w| / |w|"),
        number_column("bias", "Bias", _TWO, 60, "By how much its folded bias moved"),
        number_column("overlap", "Tokens", _OVERLAP, 74, "Rank-biased overlap of its top tokens with the base's"),
        {"field": "event", "headerName": "Became", "minWidth": 90, "filter": "agTextColumnFilter"},
    ]  # fmt: skip
    listed = {column["field"] for column in shown}
    seen = [{**column, "hide": False} for column in shown]  # else what was hidden before would stay hidden
    return [*seen, *({"field": name, "hide": True} for name in _FIELDS if name not in listed)]


_FIELDS = (
    *("layer", "neuron", "low", "high", "excess", "above_control", "weight_gate", "partner", "checkpoint"),
    *("model", "revision", "precision", "tokens"),
)


def grid() -> Any:
    """The table, empty: the browser fills it."""
    return dag.AgGrid(
        id=TABLE,
        columnDefs=columns(gated=False, control=False),
        rowData=[],
        getRowId="params.data.name",
        defaultColDef={"sortable": True, "resizable": True, "flex": 1, "suppressHeaderMenuButton": True},
        dashGridOptions={
            **GRID_OPTIONS,
            "domLayout": "normal",
            "rowSelection": {"mode": "singleRow", "checkboxes": False, "enableClickSelection": False},
        },
        csvExportParams=csv_params(FILE),
        className="grid-table dense drift-table",
        style={"width": "100%", "height": "min(388px, 60vh)"},
    )
