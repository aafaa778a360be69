"""The tables of the Atlas view: clusters, and the members of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dash_ag_grid as dag
import numpy as np

from neuronscope.app.tables import GRID_OPTIONS, csv_params, number_column

if TYPE_CHECKING:
    from neuronscope.analysis.clustering import Clusters
    from neuronscope.app.atlas_members import Members
    from neuronscope.indexed import Index

CLUSTERS_FILE, MEMBERS_FILE = "atlas-clusters", "atlas-members"
_NUMBER = {"function": "params.value == null ? '' : d3.format('.2f')(params.value)"}
_GENERAL = {"function": "params.value == null ? '' : d3.format('.3~g')(params.value)"}
_SHARE = {"function": "params.value == null ? '' : d3.format('.1%')(params.value)"}
_COUNT = {"function": "d3.format(',')(params.value)"}


def clusters_grid() -> Any:
    """The table of clusters, empty; the name of each is a button that opens it."""
    columns = [
        {"field": "name", "headerName": "Cluster", "cellRenderer": "ClusterCell", "minWidth": 170, "flex": 3,
         "filter": "agTextColumnFilter", "pinned": "left"},
        number_column("size", "Size", _COUNT, 60),
        {"field": "layers", "headerName": "Layers", "minWidth": 80, "filter": "agTextColumnFilter"},
        number_column("cohesion", "Cohesion", _NUMBER, 86),
        number_column("stability", "Stability", _NUMBER, 84),
        {"field": "tokens", "headerName": "Distinctive tokens", "minWidth": 200, "flex": 4,
         "filter": "agTextColumnFilter"},
    ]  # fmt: skip
    hidden = ("cluster", "sign", "method", "model", "revision", "precision", "tokens_seen")
    return _grid("atlas-clusters-table", [*columns, *_hidden(hidden)], CLUSTERS_FILE, "params.data.row")


def clusters_rows(clusters: Clusters, index: Index) -> list[Any]:
    """What stands in it, with what it takes to know what its numbers are of."""
    m = index.manifest
    frame = clusters.table.assign(
        row=[f"c{number}" for number in range(len(clusters))],
        method=clusters.method,
        model=m.model,
        revision=m.revision,
        precision=m.precision,
        tokens_seen=m.seen,
    )
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


def members_grid() -> Any:
    """The table of members, empty; the name of each is a link that opens it."""
    columns = [
        {"field": "name", "headerName": "Neuron", "cellRenderer": "NeuronCell", "minWidth": 96, "flex": 2,
         "filter": "agTextColumnFilter", "pinned": "left"},
        number_column("loading", "Loading", _NUMBER, 78),
        number_column("density", "Density", _SHARE, 78),
        number_column("kurtosis", "Kurtosis", _GENERAL, 82),
        number_column("max", "Max", _GENERAL, 66),
        {"field": "tokens", "headerName": "Tokens", "minWidth": 130, "flex": 3, "filter": "agTextColumnFilter"},
    ]  # fmt: skip
    hidden = ("layer", "neuron", "group", "model", "revision", "precision", "tokens_seen")
    return _grid("atlas-page-table", [*columns, *_hidden(hidden)], MEMBERS_FILE, "params.data.name")


def members_rows(members: Members, index: Index, tokens: list[str]) -> list[Any]:
    """What stands in it. `tokens` are as figures show them, so their markup is undone."""
    import html

    m, statistics = index.manifest, index.store.statistics
    found = []
    for neuron, loading in zip(members.neurons, members.loadings.tolist(), strict=True):
        row = index.row(neuron)
        numbers = statistics[row]
        found.append(
            {
                "name": str(neuron),
                "loading": loading,
                "density": float(numbers["positive"]),
                "kurtosis": _finite(float(numbers["kurtosis"])),
                "max": float(numbers["max"]),
                "tokens": html.unescape(tokens[row]),
                "layer": neuron.layer,
                "neuron": neuron.index,
                "group": members.name,
                "model": m.model,
                "revision": m.revision,
                "precision": m.precision,
                "tokens_seen": m.seen,
            }
        )
    return found


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _hidden(names: tuple[str, ...]) -> list[dict[str, Any]]:
    return [{"field": name, "hide": True} for name in names]


def _grid(id: str, columns: list[Any], filename: str, row: str) -> Any:  # noqa: A002
    return dag.AgGrid(
        id=id,
        columnDefs=columns,
        rowData=[],
        getRowId=row,
        defaultColDef={"sortable": True, "resizable": True, "flex": 1, "suppressHeaderMenuButton": True},
        dashGridOptions={**GRID_OPTIONS, "domLayout": "normal"},
        csvExportParams=csv_params(filename),
        className="grid-table dense",
        style={"width": "100%", "height": "min(400px, 60vh)"},
    )
