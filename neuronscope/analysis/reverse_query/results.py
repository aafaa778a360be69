"""What a reverse query is made from and ends in: evidence, question, result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Integer

from neuronscope.ngrams import Pattern
from neuronscope.vocabulary import Neuron

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Evidence:
    """What an index knows of one neuron; every number as activated, whatever the sign of the query."""

    neuron: Neuron
    """Which neuron."""
    mean: float
    """Mean activation over the counted tokens."""
    std: float
    """Standard deviation of the same."""
    mu: float
    """`Effects.mu` of its tokens."""
    within: float
    """`Effects.within` of its tokens."""
    between: float
    """`Effects.between` of its tokens."""
    quantile: float
    """The activation that one token in a thousand exceeds; for a negative query, that one in a thousand is below."""
    threshold: float
    """From where on the neuron counts as firing; for a negative query, down from where."""
    firings: int
    """How many counted tokens reach the threshold."""
    positions: Integer[np.ndarray, " strong"]
    """Positions whose activation is known, each once: strongest contexts and examples along the histogram."""
    values: Float[np.ndarray, " strong"]
    """The activations there."""
    tokens: Integer[np.ndarray, " listed"]
    """Ids of tokens whose mean over the whole corpus is known."""
    token_means: Float[np.ndarray, " listed"]
    """Their means."""
    token_maxima: Float[np.ndarray, " listed"]
    """Their largest activations."""


@dataclass(frozen=True, eq=False)
class Question:
    """What a query looks at: the patterns, how often they occur, and what is known of them without the model."""

    members: tuple[Evidence, ...]
    """The neurons, turned so that what is asked for is positive."""
    sign: str
    """"+" or "-"."""
    lengths: tuple[int, ...]
    """The lengths of n-gram that are to be listed."""
    patterns: tuple[Pattern, ...]
    """Tokens, n-grams and skip patterns that may excite them, and every suffix of these."""
    counts: Integer[np.ndarray, " patterns"]
    """How often each occurs in the corpus."""
    tokens: int
    """How many tokens of the corpus count."""
    which: Integer[np.ndarray, " incidences"]
    """Index of a pattern."""
    member: Integer[np.ndarray, " incidences"]
    """Index of a neuron one of whose known positions ends with it."""
    value: Float[np.ndarray, " incidences"]
    """The activation there."""


@dataclass(frozen=True, eq=False)
class ReverseQuery:
    """What excites one neuron, or a group of neurons, best first."""

    table: pd.DataFrame
    """Columns `ngram tokens n mean low high max count z lift g2 share agree known source`.

    `ngram` is the pattern as it is read and `tokens` its ids (None for a skipped one); `mean` with `low` and `high` is
    the empirical-Bayes mean with its 90 % interval and `max` the largest activation known; `count` is exact. `z` is
    the mean against the neuron's own mean and standard deviation. `lift` is how many times likelier the neuron fires
    here than anywhere (0.5 added to each count), `g2` its signed log-likelihood ratio. Where `source` is "strong
    contexts only", firing means to be among the known strong positions. `share` is the part of these that end so.
    Of a group, `mean low high max` are in standard deviations from each neuron's mean, averaged over the neurons;
    `agree` is the share of neurons with z above 1 and `known` the share for which anything is known: one of which
    nothing is known counts as 0 and as not agreeing.
    """
    neurons: tuple[Neuron, ...]
    """The neurons that were asked about."""
    sign: str
    """"+" or "-"; for "-" every number is of minus the activation."""
    unit: str
    """What `mean low high max` are in: "activation", or "z" for a group."""
    thresholds: tuple[float, ...]
    """From where on each neuron counts as firing; above 0 for either sign, infinite if it never has that sign."""
    tokens: int
    """How many tokens of the corpus count."""
    exact: Bool[np.ndarray, " rows"]
    """Which rows come from every occurrence in the corpus."""
    without_effect: int
    """How many of the neurons do not depend measurably on the token alone."""
    considered: int
    """How many patterns were looked at; those that add nothing to their parts are not listed."""
