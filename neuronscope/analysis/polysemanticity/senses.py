"""Polysemanticity: how many unrelated things a neuron answers to, and which.

A neuron's strong contexts are compared by *why* it fired there: the contribution vector of a context is the gradient of
the activation times the MLP's input, `(da/dx) * (x - mu)`, one number for each dimension of the residual stream that
the neuron reads (after Foote 2024, "neuron embeddings"). Contexts with like contributions are one sense. Three things
make the count honest: inputs are centred (or a few outlier dimensions make everything alike), the cut between senses
is the likeness of arbitrary tokens as this neuron sees them, and senses count by their share of the activation
(the exponential of its entropy). A sense is a way to fire, not a meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Integer

Verdict = Literal["scored", "dense", "too little evidence", "never fires"]

MOST_CONTEXTS = 200
LEAST_CONTEXTS = 20
FIRING = 0.25
"""A context is strong from this share of the 99.99th percentile on."""
DENSE = 0.5
"""A neuron that is strong on more of all tokens than this is dense: its contexts are not occasions."""
CUT_QUANTILE, CUT_LEAST, CUT_MOST = 0.9, 0.2, 0.5
SENSE_SHARE = 0.1
"""A cluster of contexts is a sense from this share of the activation on."""
_GOLDEN, _WORD = np.uint64(2654435761), np.uint64(0xFFFFFFFF)
"""Knuth's multiplicative hash, which puts whole numbers in an order that has nothing to do with theirs."""
_HALF_LEAST = 10
"""The fewest contexts of a half of the corpus that are scored by themselves."""


@dataclass(frozen=True, eq=False)
class Contexts:
    """The strong contexts of a neuron, or why there are none to compare."""

    verdict: Verdict
    """`scored` if they can be compared."""
    places: Integer[np.ndarray, " contexts"]
    """Which tokens: at most 200, one a window, evenly down the ranking by activation."""
    strong: int
    """How many windows have a strong token, of which `places` are drawn."""


@dataclass(frozen=True, eq=False)
class Senses:
    """The senses of one neuron's contexts."""

    effective: float
    """N_eff: the exponential of the entropy of the clusters' shares of the activation."""
    modes: int
    """N_modes: clusters with at least a tenth of the activation."""
    labels: Integer[np.ndarray, " contexts"]
    """The cluster of each context, the one with the largest share first."""
    shares: Float[np.ndarray, " clusters"]
    """Each cluster's share of the activation."""
    cut: float
    """Contexts whose average cosine is above this are one cluster."""
    directions: Float[np.ndarray, "contexts width"]
    """The contributions, each of length 1."""
    half_a: float
    """N_eff of the contexts in one half of the windows; NaN where they are too few."""
    half_b: float
    """N_eff of the contexts in the other half."""
    confirmed: bool
    """Whether there are two senses or more, in both halves too, and the same: mean directions match above the cut."""

    def separation(self, sense: int) -> float:
        """How much more alike a cluster's contexts are to each other than to the nearest other one (mean cosines)."""
        own = self.directions[self.labels == sense]
        if len(own) < 2 or len(self.shares) < 2:
            return float("nan")
        total = own.sum(0)
        inside = float((total @ total - len(own)) / (len(own) * (len(own) - 1)))
        others = [k for k in range(len(self.shares)) if k != sense and self.shares[k] >= SENSE_SHARE]
        between = [float(total @ self.directions[self.labels == k].mean(0)) / len(own) for k in others]
        return inside - max(between) if between else float("nan")

    def flat(self) -> Float[np.ndarray, "contexts 2"]:
        """The contexts in the plane: the first two principal components of their directions."""
        from scipy.linalg import eigh

        n = len(self.directions)
        if n < 3:
            return np.zeros((n, 2))
        centred = (self.directions - self.directions.mean(0)).astype(np.float64)
        size, axes = eigh(centred @ centred.T, subset_by_index=(n - 2, n - 1))
        points = (axes * np.sqrt(np.maximum(size, 0)))[:, ::-1]
        return points * np.where(points.max(0) >= -points.min(0), 1, -1)


def strong_contexts(
    values: Float[np.ndarray, " tokens"],
    windows: Integer[np.ndarray, " tokens"],
    *,
    peak: float | None = None,
    firing: float | None = None,
    alike: Integer[np.ndarray, " tokens"] | None = None,
) -> Contexts:
    """Choose the contexts to compare: tokens above a quarter of the 99.99th percentile, one of each window.

    Which one of a window is left to chance (the same one each time), and of all windows they are chosen evenly down the
    ranking by activation: the strongest alone hide modes.

    Args:
        values: Activations of the neuron, times -1 for its negative side.
        windows: The window of each token.
        peak: The 99.99th percentile where `values` are not all tokens but a choice of them.
        firing: The share of all tokens that are strong, where `values` are a choice of them.
        alike: A number for each token's context; of contexts with the same number one counts, or a document that stands
            in the corpus twice would be a sense.
    """
    nothing = np.zeros(0, np.int64)
    if peak is None and len(values):
        peak = _quantile(values, 0.9999)
    if peak is None or not peak > 0:
        return Contexts("never fires", nothing, 0)
    strong = np.flatnonzero(values >= FIRING * peak)
    share = len(strong) / len(values) if firing is None else firing
    if share > DENSE:
        return Contexts("dense", nothing, len(strong))
    # Any strong token of a window, not its strongest: a sense that fires a little weaker would never be chosen.
    chosen = strong[np.argsort(strong.astype(np.uint64) * _GOLDEN & _WORD, kind="stable")]
    for kind in (windows, alike):
        if kind is not None:
            _kinds, first = np.unique(kind[chosen], return_index=True)
            chosen = chosen[np.sort(first)]
    chosen = chosen[np.lexsort((chosen, -values[chosen]))]
    if len(chosen) < LEAST_CONTEXTS:
        return Contexts("too little evidence", chosen, len(chosen))
    spread = np.unique(np.linspace(0, len(chosen) - 1, min(MOST_CONTEXTS, len(chosen))).astype(np.int64))
    return Contexts("scored", chosen[spread], len(chosen))


def senses(
    contributions: Float[np.ndarray, "contexts width"],
    activations: Float[np.ndarray, " contexts"],
    background: Float[np.ndarray, "tokens width"],
    halves: Bool[np.ndarray, " contexts"],
) -> Senses:
    """Count the senses of contexts by their contribution vectors (average linkage on cosines, cut by the background).

    Args:
        contributions: `(da/dx) * (x - mu)` at each context.
        activations: The neuron's activation there, in absolute value.
        background: The same vectors at tokens drawn at random.
        halves: Which contexts are in the first half of the corpus.
    """
    unit = _unit(contributions)
    cut = background_cut(background)
    labels, shares = _clusters(unit, activations, cut)
    first, second = (_scored(unit[part], activations[part], cut) for part in (halves, ~halves))
    modes = int((shares >= SENSE_SHARE).sum())
    return Senses(
        effective=_effective(shares),
        modes=modes,
        labels=labels,
        shares=shares,
        cut=cut,
        directions=unit,
        half_a=first.effective,
        half_b=second.effective,
        confirmed=modes > 1 and _matching(first.middles, second.middles, cut),
    )


def background_cut(background: Float[np.ndarray, "tokens width"]) -> float:
    """The 90th percentile of the cosines of arbitrary tokens' contributions, within 0.2 and 0.5.

    Of the pairs between the tokens' first half and their second, which are enough to tell.
    Without the limits, neurons that read few dimensions would fall into dozens of clusters.
    """
    unit = _unit(background)
    if len(unit) < 2:
        return CUT_LEAST
    half = len(unit) // 2
    cosines = unit[:half] @ unit[half:].T
    return float(np.clip(np.quantile(cosines, CUT_QUANTILE), CUT_LEAST, CUT_MOST))


def _quantile(values: Float[np.ndarray, " tokens"], share: float) -> float:
    """`numpy.quantile` near 1, from the few largest values alone."""
    place = (len(values) - 1) * share
    largest = len(values) - int(place)
    blocks = values[: len(values) // 256 * 256].reshape(-1, 256).max(1)
    if largest < len(blocks):
        # As many values as there are such blocks are at least this large.
        values = values[values >= np.partition(blocks, -largest)[-largest]]
    top = np.sort(values)[-largest:].astype(np.float64)
    return float(top[0] + (top[min(1, largest - 1)] - top[0]) * (place - int(place)))


def _unit(vectors: Float[np.ndarray, "n width"]) -> Float[np.ndarray, "n width"]:
    wide = np.asarray(vectors, dtype=np.float32)
    return wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-20)


def _clusters(
    unit: Float[np.ndarray, "contexts width"], activations: Float[np.ndarray, " contexts"], cut: float
) -> tuple[Integer[np.ndarray, " contexts"], Float[np.ndarray, " clusters"]]:
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    if len(unit) < 2:
        return np.zeros(len(unit), np.int64), np.ones(len(unit))
    apart = np.clip(1 - unit @ unit.T, 0, 2).astype(np.float64)
    np.fill_diagonal(apart, 0)
    found = fcluster(linkage(squareform(apart, checks=False), "average"), 1 - cut, "distance") - 1
    mass = np.bincount(found, weights=np.abs(activations))
    order = np.argsort(-mass, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return place[found], mass[order] / max(mass.sum(), 1e-30)


def _effective(shares: Float[np.ndarray, " clusters"]) -> float:
    present = shares[shares > 0]
    return float(np.exp(-(present * np.log(present)).sum()))


@dataclass(frozen=True, eq=False)
class _Half:
    effective: float
    middles: Float[np.ndarray, "senses width"]


def _scored(unit: Float[np.ndarray, "contexts width"], activations: np.ndarray, cut: float) -> _Half:
    if len(unit) < _HALF_LEAST:
        return _Half(float("nan"), np.zeros((0, unit.shape[1]), np.float32))
    labels, shares = _clusters(unit, activations, cut)
    middles = np.stack([unit[labels == k].mean(0) for k in np.flatnonzero(shares >= SENSE_SHARE)] or [unit[0] * 0])
    return _Half(_effective(shares), _unit(middles))


def _matching(a: Float[np.ndarray, "senses width"], b: Float[np.ndarray, "others width"], cut: float) -> bool:
    """Whether at least two senses of one half have their counterpart, each another, in the other half."""
    from scipy.optimize import linear_sum_assignment

    if len(a) < 2 or len(b) < 2:
        return False
    alike = a @ b.T
    pairs = linear_sum_assignment(-alike)
    return int((alike[pairs] >= cut).sum()) >= 2
