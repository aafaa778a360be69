"""How what is kept of a neuron is laid out: the kinds of context that are told apart, and the bins of its histogram.

An index is opened and asked without PyTorch, which takes a second to import: this file needs none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

BINS = 128
"""Bins of the histogram."""


@dataclass(frozen=True)
class Cases:
    """The kinds of context told apart: both signs, or in a gated MLP the four signs of gate and up."""

    names: tuple[str, ...]
    """How each is called."""
    signs: tuple[int, ...]
    """The sign that the activation then has."""

    @classmethod
    def of(cls, gated: bool) -> Cases:
        """The cases of an MLP."""
        return cls(("++", "+-", "-+", "--"), (1, -1, -1, 1)) if gated else cls(("+", "-"), (1, -1))


def bin_edges(scale: float) -> Float[np.ndarray, " edges"]:
    """Lower edges of bins 1 to 127, and the upper edge of the last: 128 numbers, bin i between edges i - 1 and i.

    Bin 0 is never used; the outermost edges are nominal, since the outermost bins take all that is beyond.
    """
    half = BINS // 2 - 1
    positive = scale / 128 * 2.0 ** (np.arange(half + 1) * 15 / half)
    return np.concatenate([-positive[::-1], positive])
