"""What is known of each pattern and neuron: from token lists, from measurement, or from strong contexts only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from neuronscope.analysis.reverse_query.results import Evidence, Question
from neuronscope.ngrams import Sample

SOURCES = ("corpus", "sample of {}", "strong contexts only")
"""Where a row's mean comes from, best first."""


@dataclass(eq=False)
class Known:
    """What is known of each pattern and neuron; patterns × neurons, NaN where nothing is."""

    mean: np.ndarray
    """Mean over `n` occurrences."""
    n: np.ndarray
    """Occurrences that the mean stands on."""
    squares: np.ndarray
    """Sum of squares around that mean; NaN where the neuron's variance within tokens must do."""
    max: np.ndarray
    """Largest activation."""
    fired: np.ndarray
    """Occurrences at which the neuron fires."""
    firings: np.ndarray
    """Firings anywhere, in the same sense."""
    source: np.ndarray
    """Index into `SOURCES`, 3 where nothing is known."""
    seen: np.ndarray
    """Mean of the strong positions that end with it."""
    strong: np.ndarray
    """Share of the neuron's strong positions that end with it."""


def known_of(question: Question) -> Known:
    """What the index knows: token lists, else the known positions with the neuron's mean for every other occurrence."""
    shape = (len(question.patterns), len(question.members))
    cells = question.which * shape[1] + question.member
    mu, threshold = of(question, "mu"), of(question, "threshold")
    apart = question.value - mu[question.member]
    fires = question.value >= threshold[question.member]
    size = shape[0] * shape[1]

    def total(weights: np.ndarray | None = None) -> np.ndarray:
        return np.bincount(cells, weights, size).reshape(shape).astype(np.float64)

    times, sums, strong = total(), total(apart), total(fires)
    n = np.broadcast_to(question.counts[:, None].astype(np.float64), shape).copy()
    each = np.maximum(n, 1)
    largest = np.full(size, -np.inf)
    np.maximum.at(largest, cells, question.value)
    # Every one-token pattern is kept for each place, so that these count a neuron's strong positions.
    firings = np.array([(one.values >= one.threshold).sum() for one in question.members], dtype=np.float64)
    nothing = times == 0
    known = Known(
        mean=np.where(nothing, np.nan, mu + sums / each),
        n=n,
        squares=np.maximum(total(apart**2) - sums**2 / each, 0),
        max=np.where(nothing, np.nan, largest.reshape(shape)),
        fired=strong,
        firings=np.broadcast_to(firings, shape).copy(),
        source=np.where(nothing, 3, 2),
        seen=np.where(nothing, np.nan, mu + sums / np.maximum(times, 1)),
        strong=strong / np.maximum(firings, 1),
    )
    _list(known, question)
    return known


def of(question: Question, name: str) -> Float[np.ndarray, " neurons"]:
    """One number of each neuron's evidence."""
    return np.array([getattr(one, name) for one in question.members], dtype=np.float64)


def _list(known: Known, question: Question) -> None:
    """Put in the tokens whose means over the whole corpus are listed."""
    places = {pattern: index for index, pattern in enumerate(question.patterns)}
    for column, one in enumerate(question.members):
        rows = np.array([places.get((int(token),), -1) for token in one.tokens], dtype=np.int64)
        here = rows >= 0
        rows = rows[here]
        known.mean[rows, column] = one.token_means[here]
        known.squares[rows, column] = np.nan
        known.max[rows, column] = np.fmax(known.max[rows, column], one.token_maxima[here])
        known.source[rows, column] = 0
        silent = rows[never_fires(one)[here]]
        known.fired[silent, column], known.firings[silent, column] = 0, one.firings


def never_fires(one: Evidence) -> Bool[np.ndarray, " listed"]:
    """Which listed tokens stay below the threshold wherever they occur; maxima are kept in half precision."""
    return one.token_maxima.astype(np.float64) < one.threshold - 2.0**-10 * abs(one.threshold)


def measure(known: Known, question: Question, plan_: Sample, values: Float[np.ndarray, "positions neurons"]) -> None:
    """Put in what was measured, without preferring positions that were known because they are strong."""
    places = {pattern: index for index, pattern in enumerate(question.patterns)}
    threshold, firings = of(question, "threshold"), of(question, "firings")
    for pattern, members, count in zip(plan_.patterns, plan_.members, plan_.counts.tolist(), strict=True):
        if pattern not in places or not len(members):
            continue
        row, own = places[pattern], values[members].astype(np.float64)
        fired = (own >= threshold).mean(0) * count
        known.fired[row], known.firings[row] = fired, np.maximum(firings, fired)
        known.max[row] = np.fmax(known.max[row], own.max(0))
        new = known.source[row] > 0
        known.mean[row, new] = own.mean(0)[new]
        known.squares[row, new] = ((own - own.mean(0)) ** 2).sum(0)[new]
        known.n[row, new] = len(own)
        known.source[row, new] = 0 if len(own) == count else 1
