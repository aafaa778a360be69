"""How far two distributions, or two rankings of tokens, are from each other, for many neurons at once.

Distributions are those of paired samples, which have as many tokens on either side. Rankings are lists of token ids
from the first down, `NOTHING` where a list ends.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float32, Integer

NOTHING = 0xFFFFFFFF
"""The id where there is no token."""
BINS = 64
"""Equal bins between the ends of the pooled range; what lies beyond on either side has a bin of its own."""
RANGE = (0.001, 0.999)
"""The ends: these quantiles of both samples pooled."""
PERSISTENCE = 0.9
"""How much each further rank counts in rank-biased overlap."""
_AT_ONCE = 512


def distances(
    a: Float[np.ndarray, "units tokens"], b: Float[np.ndarray, "units tokens"]
) -> tuple[Float32[np.ndarray, " units"], Float32[np.ndarray, " units"]]:
    """For each neuron the Jensen-Shannon divergence (base 2, 0 to 1) and Wasserstein's distance W1.

    W1 is in units of the pooled standard deviation, the root of the mean of both variances; 0 where neither varies and
    both are equal.
    """
    divergence, transport = np.zeros(len(a), np.float32), np.zeros(len(a), np.float32)
    for first in range(0, len(a), _AT_ONCE):
        some = slice(first, first + _AT_ONCE)
        x, y = (np.sort(values[some].astype(np.float32), axis=1) for values in (a, b))
        divergence[some] = _jensen_shannon(x, y)
        spread = np.sqrt((x.var(1, dtype=np.float64) + y.var(1, dtype=np.float64)) / 2)
        cost = np.abs(x - y).mean(1, dtype=np.float64)
        transport[some] = np.where(cost > 0, cost / np.maximum(spread, 1e-12), 0)
    return divergence, transport


def _jensen_shannon(
    x: Float[np.ndarray, "units tokens"], y: Float[np.ndarray, "units tokens"]
) -> Float[np.ndarray, " units"]:
    """The divergence of samples that are sorted."""
    low, high = _ends(x, y)
    width = np.where(high <= low, 1.0, high - low)
    edges = (low[:, None] + width[:, None] * np.linspace(0, 1, BINS + 1)).astype(x.dtype)

    def shares(values: Float[np.ndarray, "units tokens"]) -> Float[np.ndarray, "units bins"]:
        below = np.empty(edges.shape, np.int64)
        for row, (own, ends) in enumerate(zip(values, edges, strict=True)):
            below[row] = own.searchsorted(ends)
        return np.diff(below, axis=1, prepend=0, append=values.shape[1]) / values.shape[1]

    p, q = shares(x), shares(y)
    m = (p + q) / 2

    def divergence(part: Float[np.ndarray, "units bins"]) -> Float[np.ndarray, " units"]:
        ratio = np.where(part > 0, part, 1) / np.where(m > 0, m, 1)
        return np.where(part > 0, part * np.log2(ratio), 0).sum(1)

    return np.maximum(divergence(p) + divergence(q), 0) / 2


def _ends(
    x: Float[np.ndarray, "units tokens"], y: Float[np.ndarray, "units tokens"]
) -> tuple[Float[np.ndarray, " units"], Float[np.ndarray, " units"]]:
    """The quantiles `RANGE` of two sorted samples pooled, from the few values at either end that they lie between."""
    last = 2 * x.shape[1] - 1
    few = min(int(RANGE[0] * last) + 2, x.shape[1])
    low = np.sort(np.concatenate([x[:, :few], y[:, :few]], 1), axis=1)
    high = np.sort(np.concatenate([x[:, -few:], y[:, -few:]], 1), axis=1)
    before = last + 1 - high.shape[1]
    return _at(low, RANGE[0] * last), _at(high, RANGE[1] * last - before)


def _at(values: Float[np.ndarray, "units ranks"], rank: float) -> Float[np.ndarray, " units"]:
    """What stands at a rank of sorted values, in a line between two of them."""
    lower, upper = values[:, int(rank)], values[:, min(int(rank) + 1, values.shape[1] - 1)]
    found: Float[np.ndarray, " units"] = lower + (upper - lower) * (rank - int(rank))
    return found


def jaccard(
    a: Integer[np.ndarray, "units ranks"], b: Integer[np.ndarray, "units ranks"]
) -> Float32[np.ndarray, " units"]:
    """The share of tokens that both lists have among those that either has; 1 where both are empty."""
    shared = _same(a, b).sum((1, 2))
    either = (a != NOTHING).sum(1) + (b != NOTHING).sum(1) - shared
    return np.where(either > 0, shared / np.maximum(either, 1), 1).astype(np.float32)


def rank_biased_overlap(
    a: Integer[np.ndarray, "units ranks"], b: Integer[np.ndarray, "units ranks"], p: float = PERSISTENCE
) -> Float32[np.ndarray, " units"]:
    """Extrapolated rank-biased overlap (Webber, Moffat and Zobel 2010, equation 23) of two lists of the same length.

    1 for the same list in the same order, 0 for none in common; what stands first counts most. With X_d tokens in
    common down to rank d of k: (1 - p) / p · sum over d of (X_d / d) pᵈ, plus (X_k / k) pᵏ. The length k is that of the
    longer list of each pair; 1 where both are empty.
    """
    same, depth = _same(a, b), np.arange(1, a.shape[1] + 1)
    new = [same[:, d, : d + 1].sum(1) + same[:, :d, d].sum(1) for d in depth - 1]
    common = np.cumsum(np.stack(new, 1), axis=1).astype(np.float64)
    lengths = np.maximum((a != NOTHING).sum(1), (b != NOTHING).sum(1))
    inside = depth <= lengths[:, None]
    agreement = np.where(inside, common / depth * p**depth, 0).sum(1)
    last = np.take_along_axis(common, np.maximum(lengths - 1, 0)[:, None], 1)[:, 0] / np.maximum(lengths, 1)
    found = (1 - p) / p * agreement + last * p**lengths
    return np.where(lengths > 0, found, 1).astype(np.float32)


def _same(a: Integer[np.ndarray, "units ranks"], b: Integer[np.ndarray, "units ranks"]) -> np.ndarray:
    """Where token i of one list is token j of the other, [units, ranks, ranks]."""
    return (a[:, :, None] == b[:, None, :]) & (a != NOTHING)[:, :, None]
