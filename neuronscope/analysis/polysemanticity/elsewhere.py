"""A neuron's contexts in another model: which of its senses are left there, and how many ways to fire these make.

Ways to fire are counted in both models by the same background tokens: those of a survey are others, and by others the
same model has another number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Integer

from neuronscope.analysis.polysemanticity.senses import LEAST_CONTEXTS, Senses, senses


@dataclass(frozen=True, eq=False)
class Elsewhere:
    """What a neuron of the same number does in another model, in the contexts in which its senses were found."""

    here: Float[np.ndarray, " contexts"]
    """The activations of the model in which they were found, times the sign of the side that was looked at."""
    there: Float[np.ndarray, " contexts"]
    """Those of the other model, times the same sign."""
    labels: Integer[np.ndarray, " contexts"]
    """The sense of each context in the first model."""
    before: Senses | None
    """The ways to fire that these contexts make in the first model; None where they are fewer than twenty."""
    found: Senses | None
    """Those in the other model, of the contexts in which it fires; None where fewer than twenty are left."""

    @property
    def fires(self) -> int:
        """In how many of the contexts the neuron is on the same side of zero there."""
        return int((self.there > 0).sum())

    def kept(self, sense: int | None = None) -> float:
        """The activation there as a share of that here, over the contexts of a sense, or all."""
        own = slice(None) if sense is None else self.labels == sense
        return float(np.maximum(self.there[own], 0).sum() / max(float(self.here[own].sum()), 1e-30))


@dataclass(frozen=True, eq=False)
class Pushed:
    """What one model does in some contexts, and why."""

    values: Float[np.ndarray, " contexts"]
    """The activations, times the sign of the side that is looked at."""
    contributions: Float[np.ndarray, "contexts width"]
    """As for `senses`."""
    background: Float[np.ndarray, "tokens width"]
    """As for `senses`."""


def elsewhere(
    here: Pushed, there: Pushed, labels: Integer[np.ndarray, " contexts"], halves: Bool[np.ndarray, " contexts"]
) -> Elsewhere:
    """Compare the same contexts in two models."""
    return Elsewhere(here.values, there.values, labels, *(_ways(one, halves) for one in (here, there)))


def _ways(one: Pushed, halves: Bool[np.ndarray, " contexts"]) -> Senses | None:
    on = one.values > 0
    if int(on.sum()) < LEAST_CONTEXTS:
        return None
    return senses(one.contributions[on], one.values[on], one.background, halves[on])
