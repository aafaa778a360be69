"""The tables of the Search view: n-grams that excite neurons, and neurons that respond to a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dash_ag_grid as dag

from neuronscope.app.searching import spelled
from neuronscope.app.tables import GRID_OPTIONS, csv_params, number_column
from neuronscope.vocabulary import Neuron

if TYPE_CHECKING:
    import pandas as pd

    from neuronscope.analysis.reverse_query import Alone, ReverseQuery
    from neuronscope.indexed import Index

FILE = "search-ngrams"
TABLE = "search-table"
_NUMBER = {"function": "d3.format('.3~g')(params.value)"}
_SIGNED = {"function": "d3.format('+.3~g')(params.value)"}
_MARGIN = {"function": "d3.format('.2~g')(params.value)"}
_ROUNDED = {"function": "d3.format(',.3~r')(params.value)"}
_SHARE = {"function": "d3.format('.0%')(params.value)"}
_COUNT = {"function": "d3.format(',')(params.value)"}
_NEURON = {
    "field": "name",
    "headerName": "Neuron",
    "cellRenderer": "NeuronCell",
    "minWidth": 96,
    "flex": 2,
    "filter": "agTextColumnFilter",
}


def exported(
    result: ReverseQuery, index: Index, alone: Alone | None = None, changes: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The rows with what it takes to know what their numbers are of.

    With `alone`, what each n-gram did alone; with `changes`, what it became in another model.
    """
    from neuronscope.analysis.reverse_query import beside

    m, table = index.manifest, result.table
    if alone is not None:
        table = beside(table, alone).assign(threshold=alone.threshold, alone_after=alone.after)
    if changes is not None:
        table = table.merge(changes.drop(columns="ngram"), on="tokens", how="left")
    return table.drop(columns="tokens").assign(
        ids=[spelled(pattern) for pattern in result.table["tokens"]],
        neurons=" ".join(map(str, result.neurons)),
        sign=result.sign,
        unit=result.unit,
        model=m.model,
        revision=m.revision,
        precision=m.precision,
        corpus=", ".join(m.sources),
        tokens_seen=m.seen,
        tokens=m.tokens,
    )


def grid() -> Any:
    """The table of n-grams, empty."""
    return _grid(TABLE, [], [], FILE, "params.data.ids", "ngrams-table", tall=True)


def ngrams(
    result: ReverseQuery, index: Index, alone: Alone | None = None, changes: pd.DataFrame | None = None
) -> tuple[list[Any], list[Any]]:
    """Columns and rows of the table of n-grams; the n-gram of each is a button that looks at it."""
    frame = exported(result, index, alone, changes)
    group = len(result.neurons) > 1
    shown = [
        {"field": "ngram", "headerName": "N-gram", "cellRenderer": "NgramCell", "minWidth": 150, "flex": 3,
         "filter": "agTextColumnFilter", "pinned": "left"},
        number_column("n", "n", _COUNT, 48),
        number_column("mean", "Mean", _NUMBER, 66),
        *([{**number_column("alone", "Alone", _NUMBER, 84), "cellRenderer": "AloneCell"}] if alone is not None else []),
        *([number_column("kept", "Kept", _SHARE, 62)] if alone is not None else []),
        *(_CHANGE if changes is not None else []),
        number_column("low", "Low", _NUMBER, 62),
        number_column("high", "High", _NUMBER, 62),
        number_column("max", "Max", _NUMBER, 62),
        number_column("count", "Count", _COUNT, 66),
        number_column("z", "z", _NUMBER, 56),
        number_column("lift", "Lift", _ROUNDED, 62),
        number_column("share", "Share", _SHARE, 62),
        *([number_column("agree", "Agree", _SHARE, 62)] if group else []),
        {"field": "source", "headerName": "Source", "minWidth": 138, "filter": "agTextColumnFilter"},
    ]  # fmt: skip
    listed = {column["field"] for column in shown}
    hidden = [{"field": name, "hide": True} for name in frame.columns if name not in listed]
    return [*shown, *hidden], frame.to_dict("records")


_CHANGE = [
    number_column("there", "There", _NUMBER, 66),
    number_column("change", "Change", _SIGNED, 72),
    number_column("margin", "±", _MARGIN, 54),
]


def changed_table(id: str, frame: pd.DataFrame, filename: str) -> Any:  # noqa: A002
    """Neurons that respond otherwise in another model, most changed first; the name of each is a link that opens it."""
    shown = [
        _NEURON,
        number_column("z", "Change in sd", _SIGNED, 96),
        number_column("change", "Change", _SIGNED, 72),
        number_column("margin", "±", _MARGIN, 60),
        number_column("here", "Here", _NUMBER, 66),
        number_column("there", "There", _NUMBER, 66),
        number_column("count", "Over", _COUNT, 60),
    ]
    return _neurons(id, shown, frame, filename)


def responders_table(id: str, frame: pd.DataFrame, filename: str, *, extreme: bool) -> Any:  # noqa: A002
    """Neurons that respond, strongest first; the name of each is a link that opens it.

    `extreme` is whether the column `max` holds the extreme of this sign.
    """
    shown = [
        _NEURON,
        number_column("z", "z", _NUMBER, 60),
        number_column("mean", "Mean", _NUMBER, 66),
        *([number_column("max", "Extreme", _NUMBER, 74)] if extreme else []),
        number_column("count", "Over", _COUNT, 60),
    ]
    return _neurons(id, shown, frame, filename)


def _neurons(id: str, shown: list[Any], frame: pd.DataFrame, filename: str) -> Any:  # noqa: A002
    """A table of neurons, whose names are links."""
    frame = frame.assign(
        name=[str(Neuron(int(a), int(b))) for a, b in zip(frame["layer"], frame["neuron"], strict=True)]
    )
    listed = {column["field"] for column in shown}
    hidden = [{"field": name, "hide": True} for name in frame.columns if name not in listed]
    rows = frame.to_dict("records")
    return _grid(id, [*shown, *hidden], rows, filename, "params.data.name", "", tall=len(rows) > 12)


def _grid(
    id: str,  # noqa: A002
    columns: list[Any],
    rows: list[Any],
    filename: str,
    row: str,
    name: str,
    *,
    tall: bool,
) -> Any:
    return dag.AgGrid(
        id=id,
        columnDefs=columns,
        rowData=rows,
        getRowId=row,
        defaultColDef={"sortable": True, "resizable": True, "flex": 1, "suppressHeaderMenuButton": True},
        dashGridOptions={
            **GRID_OPTIONS,
            "domLayout": "normal" if tall else "autoHeight",
            "rowSelection": {"mode": "singleRow", "checkboxes": False, "enableClickSelection": False},
        },
        csvExportParams=csv_params(filename),
        className=f"grid-table dense {name}".strip(),
        style={"width": "100%", "height": "min(400px, 60vh)" if tall else None},
    )
