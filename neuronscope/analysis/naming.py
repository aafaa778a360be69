"""Names for groups: the tokens that tell a group from the others (c-TF-IDF, Grootendorst 2022).

`W = tf * ln(1 + A / f)`: `tf` is how much of a token there is in a group, `f` in all groups together, `A` the mean over
groups of all that is in one. A name is a hint at what a group has in common, not what it means.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Integer


def distinctive(
    groups: Integer[np.ndarray, " entries"],
    tokens: Integer[np.ndarray, " entries"],
    amounts: Float[np.ndarray, " entries"],
    count: int,
    most: int = 8,
) -> list[tuple[int, ...]]:
    """The tokens that are distinctive of each of `count` groups, the most distinctive first.

    Args:
        groups: The group of each entry; entries of no group (below 0) are left out.
        tokens: Its token id.
        amounts: How much of it, not negative.
        count: How many groups there are.
        most: How many tokens to name at most.
    """
    inside = groups >= 0
    keys, place = np.unique(np.stack([groups[inside], tokens[inside]]), axis=1, return_inverse=True)
    amount = np.bincount(place.reshape(-1), weights=amounts[inside], minlength=keys.shape[1])
    ids, which = np.unique(keys[1], return_inverse=True)
    overall = np.bincount(which.reshape(-1), weights=amount, minlength=len(ids))
    mean = amount.sum() / max(count, 1)
    weight = amount * np.log1p(mean / np.maximum(overall[which.reshape(-1)], 1e-30))
    order = np.lexsort((keys[1], -weight, keys[0]))
    first = np.searchsorted(keys[0][order], np.arange(count + 1))
    return [tuple(keys[1][order[a:b]][:most].tolist()) for a, b in itertools.pairwise(first)]


def spoken(tokens: Sequence[str], most: int = 3) -> str:
    """A name from tokens as they are shown: those that differ by more than a leading space or capitals."""
    seen: dict[str, str] = {}
    for token in tokens:
        seen.setdefault(token.strip("·").lower() or token, token)
    return " ".join(list(seen.values())[:most])
