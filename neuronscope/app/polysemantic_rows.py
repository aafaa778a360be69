"""The ranked table of the Polysemantic view: what travels to the browser of tens of thousands of neurons.

Columns travel and not rows, numbers where they can stand for words; `assets/polysemantic.js` makes the rows of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dash_ag_grid as dag
import numpy as np
from jaxtyping import Integer

from neuronscope.analysis.polysemanticity import VERDICTS, Polysemanticity
from neuronscope.app.tables import GRID_OPTIONS, csv_params, number_column
from neuronscope.vocabulary import Neuron

if TYPE_CHECKING:
    from neuronscope.indexed import Index

TABLE = "senses-table"
FILE = "polysemantic-neurons"
NAMED, WORDS = 3, 2
"""The table names so many tokens of the first so many senses, in this order: senses, tokens."""
_STRETCH = 4096
_NUMBER = {"function": "params.value == null ? '–' : d3.format('.3~g')(params.value)"}
_COUNT = {"function": "params.value == null ? '–' : d3.format(',')(params.value)"}
_SENSES = "Senses: the first tokens of each, the largest sense first"


@dataclass(frozen=True, eq=False)
class Rows:
    """Every record as a row, those with most senses first, of these the least scattered."""

    columns: dict[str, np.ndarray]
    """Columns by name; see `rows_of`."""
    retest: float
    """Rank correlation of the scores in the two halves of the corpus."""

    def among(self, which: str) -> Integer[np.ndarray, " rows"]:
        """The places of the rows that are `confirmed`, `scored`, or `all` of them."""
        c = self.columns
        chosen = {"confirmed": c["confirmed"], "scored": c["verdict"] == 0}.get(which)
        return np.arange(len(c["layer"])) if chosen is None else np.flatnonzero(chosen)

    def first(self, which: str) -> tuple[Neuron, str] | None:
        """The first neuron of the table and its sign; of all where there is none of these; None of an empty table."""
        for choice in (which, "scored", "all"):
            if len(found := self.among(choice)):
                c, row = self.columns, int(found[0])
                return Neuron(int(c["layer"][row]), int(c["neuron"][row])), "+" if c["sign"][row] > 0 else "-"
        return None

    def counts(self) -> dict[str, int]:
        """How many records have each verdict."""
        found = np.bincount(self.columns["verdict"], minlength=len(VERDICTS)).tolist()
        return dict(zip(VERDICTS, found, strict=True))


def rows_of(poly: Polysemanticity) -> Rows:
    """The rows of a survey.

    Columns: `layer neuron sign verdict effective senses half_a half_b confirmed contexts strong words`, as in
    `Polysemanticity.table` but for `verdict`, a place in `VERDICTS`, `sign`, 1 or -1, and `words`, the first tokens of
    the first senses.
    """
    r = poly.records[poly.order]
    scored = r["verdict"] == 0
    columns = {name: np.ascontiguousarray(r[name]) for name in ("layer", "neuron", "sign", "verdict", "confirmed")}
    columns |= {name: np.where(scored, r[name], np.nan) for name in ("effective", "half_a", "half_b")}
    columns["senses"] = np.where(scored, r["modes"].astype(np.float64), np.nan)
    columns |= {name: np.ascontiguousarray(r[name]) for name in ("contexts", "strong")}
    columns["words"] = first_words(poly, r)
    return Rows(columns, poly.retest)


def first_words(poly: Polysemanticity, records: np.ndarray) -> np.ndarray:
    """For each record the first tokens of its first senses, by their share of the activation; empty unless scored."""
    words = np.full(len(records), "", dtype=object)
    for start in range(0, len(records), _STRETCH):
        part = records[start : start + _STRETCH]
        row, sense, token = _first_tokens(part, np.asarray(poly.ids))
        said: dict[int, list[list[str]]] = {}
        for i, k, one in zip(row.tolist(), sense.tolist(), token.tolist(), strict=True):
            senses = said.setdefault(i, [])
            if len(senses) <= k:
                senses.append([])
            senses[-1].append(poly.shown[one])
        for i, senses in said.items():
            more = " …" if int(part["modes"][i]) > NAMED else ""
            words[start + i] = " | ".join(" ".join(tokens) for tokens in senses) + more
    return words


def _first_tokens(part: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row, sense and token of the first tokens, in the order of rows, then senses, then their mass."""
    n = part["positions"].shape[1]
    labels = part["labels"].astype(np.int64)
    shown = np.minimum(part["modes"].astype(np.int64), NAMED)[:, None]
    there = (np.arange(n) < part["contexts"][:, None]) & (labels < shown) & (part["verdict"] == 0)[:, None]
    row, place = np.nonzero(there)
    token = ids[part["positions"][row, place].astype(np.int64)].astype(np.int64)
    group = row * NAMED + labels[row, place]
    key = group * (int(token.max(initial=0)) + 1) + token
    kinds, first, which = np.unique(key, return_index=True, return_inverse=True)
    mass = np.bincount(which, weights=np.abs(part["values"][row, place]), minlength=len(kinds))
    order = np.lexsort((-mass, group[first]))
    own = group[first][order]
    begins = np.flatnonzero(np.r_[True, own[1:] != own[:-1]]) if len(own) else np.zeros(0, np.int64)
    rank = np.arange(len(own)) - np.repeat(begins, np.diff(np.r_[begins, len(own)]))
    kept = first[order][rank < WORDS]
    return row[kept], labels[row[kept], place[kept]], token[kept]


def packed(rows: Rows, which: str, index: Index, tokens: int) -> dict[str, Any]:
    """The rows of a choice as they travel, with what their numbers are of."""
    chosen = rows.among(which)
    columns: dict[str, list[Any]] = {}
    for name, values in rows.columns.items():
        own = values[chosen]
        if own.dtype.kind == "f":
            own = np.round(own.astype(np.float64), 3).astype(object)
            own[own != own] = None
        elif own.dtype.kind == "b":
            own = own.astype(np.uint8)
        columns[name] = own.tolist()
    m = index.manifest
    same = {"model": m.model, "revision": m.revision, "precision": m.precision, "tokens": tokens}
    return {"columns": columns, "verdicts": list(VERDICTS), "same": {**same, "retest": _number(rows.retest)}}


def columns(which: str, *, gated: bool) -> list[Any]:
    """The columns of the table: the verdict where it differs, the sign where there are two."""
    words = {"field": "words", "headerName": "Senses", "headerTooltip": _SENSES, "cellRenderer": "SensesCell"}
    both = "Whether both halves of the corpus have two senses, and the same"
    shown: list[dict[str, Any]] = [
        {"field": "name", "headerName": "Neuron", "cellRenderer": "NeuronCell", "width": 104, "flex": None,
         "filter": "agTextColumnFilter", "pinned": "left"},
        *([{"field": "sign", "headerName": "Sign", "minWidth": 54, "filter": "agTextColumnFilter"}] if gated else []),
        {**words, "minWidth": 170, "flex": 6, "filter": "agTextColumnFilter"},
        *([_verdict()] if which == "all" else []),
        number_column("senses", "≥ 10 %", _COUNT, 66, "Senses with at least a tenth of the activation: most first"),
        number_column("effective", "N_eff", _NUMBER, 66, "The effective number of senses; of equals the least first"),
        number_column("half_a", "Half A", _NUMBER, 66, "N_eff in one half of the corpus"),
        number_column("half_b", "Half B", _NUMBER, 66, "N_eff in the other half"),
        {"field": "confirmed", "headerName": "In both", "headerTooltip": both, "minWidth": 70,
         "filter": "agTextColumnFilter"},
        number_column("contexts", "Compared", _COUNT, 80, "Contexts that were compared"),
        number_column("strong", "Strong", _COUNT, 64, "Windows of the corpus with a strong token"),
    ]  # fmt: skip
    listed = {column["field"] for column in shown}
    seen = [{**column, "hide": False} for column in shown]  # else what was hidden before would stay hidden
    return [*seen, *({"field": name, "hide": True} for name in _FIELDS if name not in listed)]


_FIELDS = ("layer", "neuron", "sign", "verdict", "model", "revision", "precision", "tokens", "retest")


def _verdict() -> dict[str, Any]:
    return {"field": "verdict", "headerName": "Verdict", "minWidth": 116, "filter": "agTextColumnFilter"}


def grid() -> Any:
    """The table, empty: the browser fills it."""
    return dag.AgGrid(
        id=TABLE,
        columnDefs=columns("confirmed", gated=False),
        rowData=[],
        getRowId="params.data.name + params.data.sign",
        defaultColDef={"sortable": True, "resizable": True, "flex": 1, "suppressHeaderMenuButton": True},
        dashGridOptions={
            **GRID_OPTIONS,
            "domLayout": "normal",
            "rowSelection": {"mode": "singleRow", "checkboxes": False, "enableClickSelection": False},
        },
        csvExportParams=csv_params(FILE),
        className="grid-table dense senses-table",
        style={"width": "100%", "height": "min(372px, 60vh)"},
    )


def _number(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None
