"""The neurons that stand out at one token, of all layers: by raw value, by z-score, by direct effect."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from neuronscope.vocabulary import Activations, Neuron


@dataclass(frozen=True)
class TopNeuron:
    """One neuron of a list, with all three of its numbers."""

    neuron: Neuron
    """Which."""
    value: float
    """Its activation at the token."""
    z: float
    """The same in standard deviations from its mean over this text's kept tokens."""
    effect: float | None
    """What it adds directly to the logit of the predicted token; None where that was not computed."""


@dataclass(frozen=True)
class TopNeurons:
    """Three ways to ask which neurons matter at one token."""

    position: int
    """The token."""
    by_value: tuple[TopNeuron, ...]
    """Largest |activation| first."""
    by_z: tuple[TopNeuron, ...]
    """Furthest from their own mean first."""
    by_effect: tuple[TopNeuron, ...]
    """Largest |direct effect| first; empty where none was computed."""
    tokens: int
    """How many tokens the means and spreads were taken over."""


def top_neurons(
    activations: Activations,
    position: int,
    effects: Float[np.ndarray, "layers neurons"] | None = None,
    *,
    count: int = 10,
) -> TopNeurons:
    """The `count` neurons that stand out at token `position`, each way; `effects` as `DirectEffects.values`.

    Means and spreads are taken over the kept tokens of this text (all tokens if none is kept), in float64. With fewer
    than three tokens a z-score says nothing, and the list by z is empty. `effects` covers all layers of the model, and
    needs activations of all of them.

    Raises:
        NoSuchToken: if the text has no such position.
    """
    activations.tokens.check(position)
    kept = activations.tokens.kept
    counted = activations.values[:, kept] if kept.any() else activations.values
    mean = counted.mean(1, dtype=np.float64)
    spread = counted.std(1, dtype=np.float64)
    here = activations.values[:, position]
    # A spread within float32's rounding of the values themselves is no spread.
    constant = spread <= 1e-6 * np.abs(counted).max(1)
    z = np.where(constant, 0.0, (here - mean) / np.where(constant, 1.0, spread))
    enough = counted.shape[1] >= 3

    def strongest(score: Float[np.ndarray, "layers neurons"]) -> tuple[TopNeuron, ...]:
        places = np.argsort(-np.abs(score), axis=None, kind="stable")[:count]
        rows, columns = np.unravel_index(places, score.shape)
        return tuple(
            TopNeuron(
                Neuron(activations.layers[row], int(column)),
                float(here[row, column]),
                float(z[row, column]),
                None if effects is None else float(effects[activations.layers[row], column]),
            )
            for row, column in zip(rows, columns, strict=True)
        )

    return TopNeurons(
        position=position,
        by_value=strongest(here),
        by_z=strongest(z) if enough else (),
        by_effect=strongest(effects[list(activations.layers)]) if effects is not None else (),
        tokens=counted.shape[1],
    )
