"""Minimal context: how little of what stands before a token still makes a neuron fire.

The token is run again with shorter and shorter contexts (Foote et al. 2023, "Neuron to Graph"): the shortest that keeps
half of the activation is what the neuron needed. Right of the token nothing matters to a causal model. `sought` asks
whoever has the model to run suffixes; `shortest` reads one example's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

LENGTHS = (*range(1, 11), 12, 16, 24, 32)
"""Contexts that are tried, in tokens, the firing one included."""
_STAGES = (LENGTHS[:2], LENGTHS[2:6], LENGTHS[6:])
KEEP = 0.5
"""The share of the activation that a sufficient context keeps."""


Run = Callable[[Sequence[tuple[int, int]]], Float[np.ndarray, " suffixes"]]
"""Activations in some suffixes, each given as the place of an example and a length in tokens."""


@dataclass(frozen=True)
class MinimalContext:
    """The shortest context that keeps enough of an activation."""

    length: int | None
    """In tokens, the firing one included; None where no context that was tried keeps enough."""
    kept: float
    """The share of the activation that it keeps; of the longest one tried where none is enough."""
    activation: float
    """The activation in the whole context."""


def sought(before: Sequence[int], whole: Sequence[float], run: Run, keep: float = KEEP) -> list[MinimalContext]:
    """The minimal context of each example: with `before` tokens before it, its activation is `whole`.

    Short suffixes are run first, and longer ones only of those examples for which no shorter one was enough: the
    shortest is the same, and most neurons need little.
    """
    lengths = [suffix_lengths(count) for count in before]
    values: list[list[float]] = [[] for _ in lengths]

    def found(place: int) -> MinimalContext:
        tried = values[place]
        return shortest(lengths[place][: len(tried)], np.array(tried), whole[place], keep)

    for stage in _STAGES:
        open_ = [place for place in range(len(lengths)) if whole[place] and found(place).length is None]
        suffixes = [(place, length) for place in open_ for length in lengths[place] if length in stage]
        for (place, _), value in zip(suffixes, run(suffixes) if suffixes else (), strict=True):
            values[place].append(float(value))
    return [found(place) for place in range(len(lengths))]


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
