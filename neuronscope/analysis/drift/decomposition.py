"""How far a neuron's activations moved between two checkpoints, and in which way: D = 1 - CCC and its exact split.

With paired activations a and b on the same tokens, D is the mean squared difference over what it would be if they had
nothing to do with each other,

    D = E (b - a)² / (sa² + sb² + (mb - ma)²) = 1 - CCC,

one minus Lin's concordance correlation (Lin 1989): 0 only if they are identical, 1 if they are unrelated, 2 if they are
opposed. The numerator splits exactly into (mb - ma)², by which the *location* moved; (sb - sa)², by which the *scale*
did; and 2 (sa sb - cov), by which the *selectivity* did: what the neuron tells apart. A correlation sees only the last.

All of it follows from five sums over tokens. They are kept for blocks of whole windows, which are drawn again with
replacement for intervals: tokens of one window are not independent, windows nearly are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer

QUANTITIES = ("a", "aa", "b", "bb", "dd")
"""The sums of a block: a, a², b, b² (a and b about one centre) and (b - a)²."""
TIMES = 200
"""How often blocks are drawn."""
_AT_ONCE = 256
"""Neurons whose drawn values are worked out together: what is held in between stays near a core."""


@dataclass(frozen=True, eq=False)
class Parts:
    """D of every neuron and what it is made of."""

    drift: Float[np.ndarray, "*draws units"]
    """D: 0 identical, 1 unrelated, at most 2."""
    location: Float[np.ndarray, "*draws units"]
    """The share of D by which the mean moved; the three parts add up to D."""
    scale: Float[np.ndarray, "*draws units"]
    """That by which the standard deviation did."""
    selectivity: Float[np.ndarray, "*draws units"]
    """That by which what the neuron tells apart did."""
    correlation: Float[np.ndarray, "*draws units"]
    """Pearson's r of a and b; 1 where neither varies, 0 where one does not."""
    moved: Float[np.ndarray, "*draws units"]
    """mb - ma."""
    sd_a: Float[np.ndarray, "*draws units"]
    """Standard deviation of a."""
    sd_b: Float[np.ndarray, "*draws units"]
    """Standard deviation of b."""


def parts(count: Float[np.ndarray, "*draws 1"], sums: Float[np.ndarray, "*draws 5 units"]) -> Parts:
    """Split D, from the number of tokens and the five `QUANTITIES` summed over them.

    Nothing divides by a neuron's own variance, so neurons that never vary are no special case: both constant and equal
    is D = 0. Parts that are negative by rounding are 0.
    """
    a, aa, b, bb, dd = (sums[..., i, :] / count for i in range(5))
    sd_a, sd_b = (np.sqrt(np.maximum(square - mean**2, 0)) for mean, square in ((a, aa), (b, bb)))
    whole = sd_a**2 + sd_b**2 + (b - a) ** 2
    location, scale = (b - a) ** 2, (sd_b - sd_a) ** 2
    selectivity = np.maximum(dd - location - scale, 0)
    moved = dd > 0
    safe = np.where(moved & (whole > 0), whole, np.inf)
    both, one = (sd_a > 0) & (sd_b > 0), (sd_a > 0) != (sd_b > 0)
    r = 1 - selectivity / np.where(both, 2 * sd_a * sd_b, 1)
    return Parts(
        drift=(location + scale + selectivity) / safe,
        location=location / safe,
        scale=scale / safe,
        selectivity=selectivity / safe,
        correlation=np.where(both, np.clip(r, -1, 1), np.where(one, 0.0, 1.0)),
        moved=b - a,
        sd_a=sd_a,
        sd_b=sd_b,
    )


def whole(counts: Integer[np.ndarray, " blocks"], sums: Float[np.ndarray, "blocks 5 units"]) -> Parts:
    """The parts of D over all blocks."""
    return parts(counts.sum(keepdims=True).astype(np.float64), sums.sum(0))


def drawn(
    counts: Integer[np.ndarray, " blocks"], sums: Float[np.ndarray, "blocks 5 units"], *, seed: int = 0
) -> Float[np.ndarray, "draws units"]:
    """D in `TIMES` corpora, each made of as many blocks as there are, drawn with replacement.

    The same blocks are drawn for the same seed and number of blocks, so that draws of two checkpoints are paired.
    """
    blocks = len(counts)
    weights = np.random.default_rng(seed).multinomial(blocks, np.full(blocks, 1 / blocks), TIMES).astype(np.float64)
    tokens = (weights @ counts)[:, None]
    found = np.empty((TIMES, sums.shape[2]), np.float32)
    for first in range(0, sums.shape[2], _AT_ONCE):
        some = slice(first, first + _AT_ONCE)
        found[:, some] = _drift(tokens, np.einsum("tb,bqu->tqu", weights, sums[:, :, some], optimize=True))
    return found


def _drift(count: Float[np.ndarray, "draws 1"], sums: Float[np.ndarray, "draws 5 units"]) -> np.ndarray:
    """`parts(count, sums).drift` alone."""
    a, aa, b, bb, dd = (sums[:, i] / count for i in range(5))
    location = (b - a) ** 2
    var_a, var_b = np.maximum(aa - a**2, 0), np.maximum(bb - b**2, 0)
    apart = np.maximum(dd, location + (np.sqrt(var_b) - np.sqrt(var_a)) ** 2)
    whole = var_a + var_b + location
    return np.divide(apart, whole, out=np.zeros_like(whole), where=(dd > 0) & (whole > 0))


def interval(draws: Float[np.ndarray, "draws units"]) -> Float[np.ndarray, "2 units"]:
    """Where 95 % of the drawn values lie."""
    ends: Float[np.ndarray, "2 units"] = np.quantile(draws, (0.025, 0.975), axis=0).astype(np.float32)
    return ends


@dataclass(frozen=True, eq=False)
class Floor:
    """What the same weights seem to drift when only their numbers are rounded differently."""

    bound: Float[np.ndarray, " units"]
    """The upper end of the 95 % interval of that D: what a checkpoint's lower end must exceed."""
    rate: float
    """Of neurons whose weights are the same, the share that would be called changed: the bound of one half of the
    blocks against the lower end in the other half, both ways."""


def floor(counts: Integer[np.ndarray, " blocks"], sums: Float[np.ndarray, "blocks 5 units"]) -> Floor:
    """The noise floor, from the model against itself in other numbers; needs two blocks."""
    bound = interval(drawn(counts, sums))[1]
    halves = [slice(0, None, 2), slice(1, None, 2)]
    ends = [interval(drawn(counts[half], sums[half])) for half in halves]
    called = [above[0] > below[1] for above, below in (ends, ends[::-1])]
    return Floor(bound, float(np.mean(called)))
