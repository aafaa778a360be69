"""Two readings beside each other, of two texts or by two models: which tokens correspond, and how activations differ.

Tokens correspond where the two texts agree, and one by one where a stretch of one is replaced by a stretch of equal
length in the other. Whatever has no counterpart is counted and left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from neuronscope.errors import InputError
from neuronscope.vocabulary import Activations

_ROUNDING = 1e-5
"""How far apart, as a share of the token's largest, two readings of one activation may be: runs of other lengths."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """How activations in reading B differ from those in reading A."""

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

    @property
    def models(self) -> bool:
        """Whether two models are compared, rather than two texts."""
        return self.a.source != self.b.source

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
    """Align the tokens of two readings and subtract their activations.

    Two models, such as a base and its checkpoint, are compared unit by unit; that is for the caller to ask of models in
    which a unit of the same number is the same unit. Tokens of two models correspond where they say the same.

    Raises:
        InputError: if they are not of the same site, layers and number of units.
    """
    if (a.site, a.layers, a.values.shape[2]) != (b.site, b.layers, b.values.shape[2]):
        raise InputError("Two readings are compared at one site, on the same layers of as many units; these differ.")
    same = a.source.model == b.source.model
    pairs = _align(*(one.tokens.ids.tolist() if same else list(one.tokens.display) for one in (a, b)))
    return Comparison(
        pairs=pairs,
        difference=b.values[:, pairs[:, 1]] - a.values[:, pairs[:, 0]],
        unpaired_a=tuple(sorted(set(range(len(a.tokens))) - set(pairs[:, 0].tolist()))),
        unpaired_b=tuple(sorted(set(range(len(b.tokens))) - set(pairs[:, 1].tolist()))),
        a=a,
        b=b,
    )


def _align(a: list[Any], b: list[Any]) -> Int[np.ndarray, "pairs 2"]:
    pairs: list[tuple[int, int]] = []
    for kind, a_start, a_stop, b_start, b_stop in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if kind == "equal" or (kind == "replace" and a_stop - a_start == b_stop - b_start):
            pairs.extend(zip(range(a_start, a_stop), range(b_start, b_stop), strict=True))
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)
