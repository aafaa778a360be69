"""The senses of many neurons: a table, and what is kept of each neuron so that its senses can be laid out at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Integer

from neuronscope.analysis.polysemanticity.senses import MOST_CONTEXTS
from neuronscope.errors import NoSuchNeuron
from neuronscope.vocabulary import Neuron

if TYPE_CHECKING:
    import pandas as pd

VERDICTS = ("scored", "dense", "too little evidence", "never fires")
"""What can be said of a neuron, in the order of the numbers that records keep."""
SEPARATIONS = 8
"""Senses of which the separation is kept."""

RECORD = np.dtype(
    [
        ("layer", "<u2"), ("neuron", "<u4"), ("sign", "i1"), ("verdict", "u1"), ("of_index", "?"),
        ("effective", "<f4"), ("modes", "<u2"), ("half_a", "<f4"), ("half_b", "<f4"), ("confirmed", "?"),
        ("cut", "<f4"), ("strong", "<u4"), ("contexts", "<u2"), ("separations", "<f4", (SEPARATIONS,)),
        ("positions", "<u4", (MOST_CONTEXTS,)), ("values", "<f4", (MOST_CONTEXTS,)),
        ("labels", "u1", (MOST_CONTEXTS,)), ("points", "<f2", (MOST_CONTEXTS, 2)),
    ]
)  # fmt: skip
"""What is kept of one neuron and sign."""


@dataclass(frozen=True, eq=False)
class Sense:
    """One of the things that a neuron answers to."""

    share: float
    """Of the neuron's activation over its contexts."""
    positions: Integer[np.ndarray, " contexts"]
    """Where in the corpus, the strongest first."""
    values: Float[np.ndarray, " contexts"]
    """The activations there."""
    tokens: tuple[tuple[str, float], ...]
    """The tokens it fires on, each with its share of the sense's activation, the largest first."""
    separation: float
    """How much more alike its contexts are to each other than to those of the nearest other sense (mean cosines); NaN
    where there is no other."""


@dataclass(frozen=True, eq=False)
class Polysemanticity:
    """How many senses neurons have."""

    records: np.ndarray
    """One record for each neuron and sign; see `RECORD`."""
    tokens: int
    """Tokens that whole layers were read over; 0 if the windows of the index were used."""
    shown: dict[int, str]
    """How each id of the corpus is shown."""
    ids: Integer[np.ndarray, " tokens"]
    """The corpus."""
    token: int | None = None
    """The token on whose occurrences alone neurons were looked at, about what these share; None where it was on all."""

    @property
    def table(self) -> pd.DataFrame:
        """One row for each neuron and sign: those with most senses first, of these the least scattered ones (by N_eff).

        Columns: `layer neuron sign verdict effective senses half_a half_b confirmed contexts strong cut source`.
        `effective` is N_eff and `senses` N_modes (NaN unless scored); `half_a` and `half_b` are N_eff in either half of
        the corpus; `confirmed` means at least two senses that both halves have; `strong` is the number of windows with
        a strong token, of which `contexts` were compared.
        """
        import pandas as pd

        r = self.records
        scored = r["verdict"] == 0
        columns = {
            "layer": r["layer"].astype(np.int64),
            "neuron": r["neuron"].astype(np.int64),
            "sign": np.where(r["sign"] > 0, "+", "-"),
            "verdict": np.array(VERDICTS)[r["verdict"]],
            "effective": np.where(scored, r["effective"], np.nan),
            "senses": np.where(scored, r["modes"], np.nan),
            "half_a": r["half_a"],
            "half_b": r["half_b"],
            "confirmed": r["confirmed"],
            "contexts": r["contexts"].astype(np.int64),
            "strong": r["strong"].astype(np.int64),
            "cut": r["cut"],
            "source": np.where(r["of_index"], self._windows, f"{self.tokens:,} tokens"),
        }
        return pd.DataFrame(columns).iloc[self.order].reset_index(drop=True)

    @property
    def _windows(self) -> str:
        return "windows of the index" if self.token is None else f"occurrences of {self.shown[self.token]}"

    @property
    def order(self) -> Integer[np.ndarray, " records"]:
        """The places of the records in the order of the table."""
        r = self.records
        scored = r["verdict"] == 0
        senses = np.where(scored, r["modes"].astype(np.int64), -1)
        return np.lexsort((r["neuron"], r["layer"], np.where(scored, r["effective"], np.inf), -senses))

    @property
    def retest(self) -> float:
        """Spearman's rank correlation of the scores in the two halves of the corpus; NaN for fewer than three."""
        from scipy.stats import spearmanr

        both = np.isfinite(self.records["half_a"]) & np.isfinite(self.records["half_b"])
        a, b = self.records["half_a"][both], self.records["half_b"][both]
        if len(a) < 3 or not np.ptp(a) or not np.ptp(b):
            return float("nan")
        return float(spearmanr(a, b).statistic)

    def of(self, neuron: Neuron, sign: str = "+") -> np.void:
        """The record of a neuron; raises `NoSuchNeuron` if it was not looked at."""
        r = self.records
        wanted = (
            (r["layer"] == neuron.layer) & (r["neuron"] == neuron.index) & (r["sign"] == (-1 if sign == "-" else 1))
        )
        if not wanted.any():
            raise NoSuchNeuron(f"{neuron} ({sign}) is not among the {len(r):,} that were looked at here.")
        found: np.void = r[wanted][0]
        return found

    def senses(self, neuron: Neuron, sign: str = "+") -> list[Sense]:
        """The clusters of a neuron's contexts, the largest share of the activation first; empty unless scored."""
        record = self.of(neuron, sign)
        if record["verdict"] != 0:
            return []
        n = int(record["contexts"])
        labels, values, positions = record["labels"][:n], record["values"][:n], record["positions"][:n]
        total = max(float(np.abs(values).sum()), 1e-30)
        found = []
        for number in range(int(labels.max()) + 1):
            own = np.flatnonzero(labels == number)
            own = own[np.argsort(-np.abs(values[own]), kind="stable")]
            mass = np.abs(values[own])
            apart = float(record["separations"][number]) if number < SEPARATIONS else float("nan")
            at = positions[own].astype(np.int64)
            found.append(Sense(float(mass.sum() / total), at, values[own], self._tokens(at, mass), apart))
        return found

    def _tokens(
        self, positions: Integer[np.ndarray, " n"], mass: Float[np.ndarray, " n"]
    ) -> tuple[tuple[str, float], ...]:
        ids, place = np.unique(np.asarray(self.ids[positions]), return_inverse=True)
        share = np.bincount(place, weights=mass) / max(mass.sum(), 1e-30)
        order = np.argsort(-share, kind="stable")
        return tuple((self.shown[int(ids[i])], float(share[i])) for i in order)
