"""A neuron's contexts in another model: which of its senses are left there, and how many ways to fire these make.

Ways to fire are counted in either model by what it reads on the same sampled tokens.
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
    found: Senses | None
    """The ways to fire in the other model, of the contexts in which it fires; None where fewer than twenty are left."""

    @property
    def fires(self) -> int:
        """In how many of the contexts the neuron is on the same side of zero there."""
        return int((self.there > 0).sum())

    def kept(self, sense: int | None = None) -> float:
        """The activation there as a share of that here, over the contexts of a sense, or all."""
        own = slice(None) if sense is None else self.labels == sense
        return float(np.maximum(self.there[own], 0).sum() / max(float(self.here[own].sum()), 1e-30))


def elsewhere(
    here: Float[np.ndarray, " contexts"],
    there: Float[np.ndarray, " contexts"],
    contributions: Float[np.ndarray, "contexts width"],
    background: Float[np.ndarray, "tokens width"],
    labels: Integer[np.ndarray, " contexts"],
    halves: Bool[np.ndarray, " contexts"],
) -> Elsewhere:
    """Compare the same contexts in two models.

    Args:
        here: The activations of the model in which the senses were found, times the sign of the side.
        there: Those of the other model, times the same sign.
        contributions: Why the other model fires there, as for `senses`.
        background: The same at tokens drawn at random.
        labels: The sense of each context in the first model.
        halves: Which contexts are in the first half of the corpus.
    """
    on, found = there > 0, None
    if int(on.sum()) >= LEAST_CONTEXTS:
        found = senses(contributions[on], there[on], background, halves[on])
    return Elsewhere(here, there, labels, found)
