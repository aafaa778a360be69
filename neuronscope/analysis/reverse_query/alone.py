"""The held-out check: does an n-gram excite the neuron when it is all the text there is?

A mean over a corpus can be the work of what usually stands around an n-gram. Run alone, after a neutral opening, the
n-gram has only itself. Whoever has the model runs it; here is said what that shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from neuronscope.analysis.reverse_query.results import ReverseQuery
from neuronscope.errors import InputError
from neuronscope.ngrams import Pattern
from neuronscope.vocabulary import Neuron

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Alone:
    """What a neuron does on the last token of some n-grams, each of which stands alone."""

    neuron: Neuron
    """Which neuron."""
    patterns: tuple[Pattern, ...]
    """The n-grams, best first; a token that a skip pattern leaves out was filled with tokens drawn from the corpus."""
    activation: Float[np.ndarray, " patterns"]
    """The activation alone; for a negative query, minus the activation."""
    kept: Float[np.ndarray, " patterns"]
    """Its share of the mean over the corpus, NaN where that is not above 0."""
    fires: Bool[np.ndarray, " patterns"]
    """Whether it reaches the threshold."""
    threshold: float
    """From where on the neuron counts as firing: a quarter of its strongest activation in the corpus."""
    after: str
    """What the n-grams stood after, in words."""


def checkable(query: ReverseQuery, most: int) -> tuple[Pattern, ...]:
    """The n-grams to check: the first `most` of a query; raises `InputError` for the query of a group."""
    if len(query.neurons) != 1:
        raise InputError(
            f"This query is of {len(query.neurons)} neurons, and n-grams are run alone for one neuron: ask about one."
        )
    return tuple(query.table["tokens"].head(most))


def held_out(
    query: ReverseQuery, patterns: Sequence[Pattern], values: Float[np.ndarray, " patterns"], after: str
) -> Alone:
    """Read the activations of `patterns` alone, of either sign, against a query of one neuron."""
    turned = -values if query.sign == "-" else values
    means = dict(zip(query.table["tokens"], query.table["mean"], strict=True))
    mean = np.array([means[pattern] for pattern in patterns], dtype=np.float64)
    kept = np.divide(turned, mean, out=np.full(len(mean), np.nan), where=mean > 0)
    [neuron], [threshold] = query.neurons, query.thresholds
    return Alone(neuron, tuple(patterns), turned, kept, turned >= threshold, threshold, after)


def beside(table: pd.DataFrame, alone: Alone) -> pd.DataFrame:
    """The table of a query with the columns `alone kept fires`; of rows that were not checked, NaN and None."""
    rows = {pattern: row for row, pattern in enumerate(alone.patterns)}
    places = [rows.get(pattern) for pattern in table["tokens"]]
    return table.assign(
        alone=[float("nan") if row is None else float(alone.activation[row]) for row in places],
        kept=[float("nan") if row is None else float(alone.kept[row]) for row in places],
        fires=np.array([None if row is None else bool(alone.fires[row]) for row in places], dtype=object),
    )
