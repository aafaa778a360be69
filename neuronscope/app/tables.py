"""The tables of the page: sorted, filtered, kept as CSV."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dash_ag_grid as dag
from dash import html

from neuronscope.app.parts import Part, icon

if TYPE_CHECKING:
    import pandas as pd

GRID_OPTIONS = {
    "rowHeight": 32,
    "headerHeight": 34,
    "domLayout": "autoHeight",
    "ensureDomOrder": True,
    "enableCellTextSelection": True,
}
"""How every table of the page stands: as tall as its rows, its text to be selected and read aloud in order."""


def table(
    id: str,  # noqa: A002
    frame: pd.DataFrame,
    filename: str,
    headings: Mapping[str, str],
    form: str = ".3~g",
) -> Part:
    """A table of the columns in `headings`, under those names, to sort, to filter, and to keep as CSV.

    `form` is how numbers that are not whole are shown, as d3 writes it. The CSV has them in full, under the names that
    `frame` has for its columns, and the columns that are not shown too.
    """
    number = {"function": f"d3.format('{form}')(params.value)"}
    columns = [
        {
            "field": name,
            "headerName": title,
            "type": "numericColumn",
            "filter": "agNumberColumnFilter",
            "useValueFormatterForExport": False,
            "minWidth": 66 if frame[name].dtype.kind == "f" else 50,
            **({"valueFormatter": number} if frame[name].dtype.kind == "f" else {}),
        }
        for name, title in headings.items()
    ]
    columns += [{"field": name, "hide": True} for name in frame.columns if name not in headings]
    return dag.AgGrid(
        id=id,
        columnDefs=columns,
        rowData=frame.to_dict("records"),
        defaultColDef={"sortable": True, "resizable": True, "flex": 1, "suppressHeaderMenuButton": True},
        dashGridOptions=GRID_OPTIONS,
        csvExportParams=csv_params(filename),
        className="grid-table dense",
        style={"width": "100%", "height": None},
    )


def number_column(name: str, title: str, form: dict[str, str], width: int, says: str | None = None) -> dict[str, Any]:
    """A column of numbers: how they are written, its least width in pixels, and what its heading says when asked."""
    return {
        "field": name,
        "headerName": title,
        "headerTooltip": says,
        "type": "numericColumn",
        "filter": "agNumberColumnFilter",
        "valueFormatter": form,
        "useValueFormatterForExport": False,
        "minWidth": width,
    }


def csv_params(filename: str) -> dict[str, object]:
    """How a table is kept as CSV: all of its columns, under the names of its data and not those of its headings."""
    name = {"function": "params.column.getColId()"}
    return {"fileName": f"{filename}.csv", "allColumns": True, "processHeaderCallback": name}


def table_tools(table_id: str) -> Part:
    """The button that keeps a table as CSV."""
    return html.Button(
        [icon("download"), "CSV"],
        type="button",
        className="press quiet",
        title="Keep this table as CSV",
        **{"data-export": "table", "data-graph": table_id},
    )
