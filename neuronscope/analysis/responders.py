"""Responders: which neurons a token, an n-gram or a kind of text excites most, each against its own distribution.

Two ways in. From an index's lists of each neuron's best and worst tokens, at no cost: `responders_by_token`, which
knows nothing of neurons that do not list the token. From activations at the places in question, captured by whoever
has the model: `responders_at`, which knows every neuron. Neurons are ranked by z: how many of a neuron's own standard
deviations its empirical-Bayes mean on the token lies above (or below) its mean over the corpus.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Integer

from neuronscope.errors import InputError
from neuronscope.shrinkage import Effects, Posterior, posterior

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Background:
    """What each neuron does over the whole corpus; neuron i of layer l stands at `l * neurons + i`."""

    mean: Float[np.ndarray, " units"]
    """Mean activation of each."""
    std: Float[np.ndarray, " units"]
    """Standard deviation of each; those that never vary are not ranked."""
    effects: Effects
    """How strongly each depends on the token."""
    neurons: int
    """Neurons in each layer."""


@dataclass(frozen=True, eq=False)
class Responders:
    """The neurons that respond most, of either sign, largest |z| first."""

    table: pd.DataFrame
    """Columns `layer neuron mean z max count sign`: `mean` is empirical-Bayes, `max` the extreme of that sign."""
    known: int
    """For how many neurons the response is known: the others do not list the token among their best or worst."""
    neurons: int
    """How many neurons there are."""


def responders_by_token(
    background: Background,
    tokens: Integer[np.ndarray, "units listed"],
    means: Float[np.ndarray, "units listed"],
    maxima: Float[np.ndarray, "units listed"],
    token: int,
    count: int,
    limit: int = 50,
) -> Responders:
    """Rank the neurons that list `token`, which occurs `count` times, among the tokens that excite or calm them most.

    `max` is the largest activation also where the sign is "-": the least one is not listed. At most `limit` neurons of
    each sign.
    """
    unit, place = np.nonzero(tokens == token)
    effects = background.effects
    own = Effects(effects.mu[unit], effects.within[unit], effects.between[unit])
    counts = np.full((1, 1), count)
    believed = posterior(own, counts, means[unit, place][None].astype(np.float64))
    extreme = maxima[unit, place].astype(np.float64)
    return _ranked(background, unit, believed, (extreme, extreme), count, limit)


def responders_at(background: Background, values: Float[np.ndarray, "positions units"], limit: int = 50) -> Responders:
    """Rank all neurons by their activations at some positions: the occurrences of an n-gram, or matches of a search.

    Raises `InputError` where there are no positions.
    """
    if not len(values):
        raise InputError("Nothing responds to what does not occur: the corpus holds no such token or n-gram.")
    unit = np.arange(values.shape[1])
    sums = values.sum(0, dtype=np.float64)
    believed = posterior(background.effects, np.full((1, 1), len(values)), (sums / len(values))[None])
    extremes = values.max(0).astype(np.float64), values.min(0).astype(np.float64)
    return _ranked(background, unit, believed, extremes, len(values), limit)


def _ranked(
    background: Background,
    unit: Integer[np.ndarray, " known"],
    believed: Posterior,
    extremes: tuple[Float[np.ndarray, " known"], Float[np.ndarray, " known"]],
    count: int,
    limit: int,
) -> Responders:
    import pandas as pd

    spread = background.std[unit]
    mean = believed.mean[0]
    z = np.where(spread > 0, (mean - background.mean[unit]) / np.where(spread > 0, spread, 1.0), 0.0)
    order = np.argsort(-np.abs(z), kind="stable")
    rows = np.sort(np.concatenate([np.flatnonzero(z[order] > 0)[:limit], np.flatnonzero(z[order] < 0)[:limit]]))
    best = order[rows]
    table = pd.DataFrame(
        {
            "layer": unit[best] // background.neurons,
            "neuron": unit[best] % background.neurons,
            "mean": mean[best],
            "z": z[best],
            "max": np.where(z[best] > 0, extremes[0][best], extremes[1][best]),
            "count": np.full(len(best), count),
            "sign": np.where(z[best] > 0, "+", "-"),
        }
    )
    return Responders(table, len(unit), len(background.mean))
