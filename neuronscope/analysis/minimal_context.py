"""Minimal context: how little of what stands before a token still makes a neuron fire.

The token is run again with shorter and shorter contexts (Foote et al. 2023, "Neuron to Graph"): the shortest that keeps
half of the activation is what the neuron needed. Right of the token nothing matters to a causal model. Whoever has the
model runs `suffix_lengths`; `shortest` reads the result.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

LENGTHS = (*range(1, 11), 12, 16, 24, 32)
"""Contexts that are tried, in tokens, the firing one included."""
KEEP = 0.5
"""The share of the activation that a sufficient context keeps."""


@dataclass(frozen=True)
class MinimalContext:
    """The shortest context that keeps enough of an activation."""

    length: int | None
    """In tokens, the firing one included; None where no context that was tried keeps enough."""
    kept: float
    """The share of the activation that it keeps; of the longest one tried where none is enough."""
    activation: float
    """The activation in the whole context."""


def suffix_lengths(before: int) -> tuple[int, ...]:
    """The contexts to try for a token with `before` tokens before it."""
    return tuple(length for length in LENGTHS if length <= before + 1)


def shortest(
    lengths: tuple[int, ...], values: Float[np.ndarray, " lengths"], whole: float, keep: float = KEEP
) -> MinimalContext:
    """Read the activations in each context against the one in the `whole` text, which may be of either sign.

    The shortest counts even where a longer one then keeps less. An activation of 0 needs no context: it has no minimum.
    """
    if not len(lengths) or whole == 0:
        return MinimalContext(None, 0.0, whole)
    shares = np.asarray(values, dtype=np.float64) / whole
    enough = np.flatnonzero(shares >= keep)
    if len(enough):
        first = int(enough[0])
        return MinimalContext(lengths[first], float(shares[first]), whole)
    return MinimalContext(None, float(shares[-1]), whole)
