"""The tables of the page: sorted, filtered, kept as CSV."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

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

    `form` is how numbers that are not whole are shown, as d3 writes it; the CSV has them in full.
    """
    number = {"function": f"d3.format('{form}')(params.value)"}
    columns = [
        {
            "field": name,
            "headerName": title,
            "type": "numericColumn",
            "filter": "agNumberColumnFilter",
            "useValueFormatterForExport": False,
            "minWidth": 70 if frame[name].dtype.kind == "f" else 58,
            **({"valueFormatter": number} if frame[name].dtype.kind == "f" else {}),
        }
        for name, title in headings.items()
    ]
    return dag.AgGrid(
        id=id,
        columnDefs=columns,
        rowData=frame.to_dict("records"),
        defaultColDef={"sortable": True, "resizable": True, "flex": 1, "suppressHeaderMenuButton": True},
        dashGridOptions=GRID_OPTIONS,
        csvExportParams={"fileName": f"{filename}.csv"},
        className="grid-table",
        style={"width": "100%", "height": None},
    )


def table_tools(table_id: str) -> Part:
    """The button that keeps a table as CSV."""
    return html.Button(
        [icon("download"), "CSV"],
        type="button",
        className="press quiet",
        title="Keep this table as CSV",
        **{"data-export": "table", "data-graph": table_id},
    )
