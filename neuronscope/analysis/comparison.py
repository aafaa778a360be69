"""Two texts beside each other: the tokens that correspond, and how activations differ between them.

Tokens correspond where the two texts agree, and one by one where a stretch of one is replaced by a stretch of equal
length in the other. Whatever has no counterpart is counted and left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from neuronscope.errors import InputError
from neuronscope.vocabulary import Activations

_ROUNDING = 1e-5
"""How far apart, as a share of the token's largest, two readings of one activation may be: runs of other lengths."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """How activations on text B differ from those on text A."""

    pairs: Int[np.ndarray, "pairs 2"]
    """Positions in A and in B of the tokens that correspond."""
    difference: Float[np.ndarray, "layers pairs neurons"]
    """Activation on B minus activation on A."""
    unpaired_a: tuple[int, ...]
    """Positions in A without a counterpart."""
    unpaired_b: tuple[int, ...]
    """Positions in B without a counterpart."""
    a: Activations
    """Text A's activations."""
    b: Activations
    """Text B's activations."""

    @cached_property
    def identical(self) -> int:
        """How many pairs at the beginning are the same tokens with the same activations, to float32's rounding.

        In a causal model that is the common beginning of the two texts.
        """
        a, b = self.pairs.T
        same = (a == b) & (self.a.tokens.ids[a] == self.b.tokens.ids[b])
        sizes = np.abs(self.a.values[:, a]).max((0, 2), initial=0.0)
        same &= np.abs(self.difference).max((0, 2), initial=0.0) <= _ROUNDING * sizes
        return int(np.argmin(same)) if not same.all() else len(same)


def compare(a: Activations, b: Activations) -> Comparison:
    """Align the tokens of two texts and subtract their activations.

    Raises:
        InputError: if they are not of the same model, site and layers.
    """
    if (a.source, a.site, a.layers) != (b.source, b.site, b.layers):
        raise InputError("Two texts are compared on one model, one site and the same layers; these differ.")
    pairs = _align(a.tokens.ids.tolist(), b.tokens.ids.tolist())
    return Comparison(
        pairs=pairs,
        difference=b.values[:, pairs[:, 1]] - a.values[:, pairs[:, 0]],
        unpaired_a=tuple(sorted(set(range(len(a.tokens))) - set(pairs[:, 0].tolist()))),
        unpaired_b=tuple(sorted(set(range(len(b.tokens))) - set(pairs[:, 1].tolist()))),
        a=a,
        b=b,
    )


def _align(a: list[int], b: list[int]) -> Int[np.ndarray, "pairs 2"]:
    pairs: list[tuple[int, int]] = []
    for kind, a_start, a_stop, b_start, b_stop in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if kind == "equal" or (kind == "replace" and a_stop - a_start == b_stop - b_start):
            pairs.extend(zip(range(a_start, a_stop), range(b_start, b_stop), strict=True))
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)
