"""Rows of activations that go to rows of a table, or to bins: on a GPU all at once, on a CPU one after the other.

On a CPU that takes about three quarters of the time: PyTorch would copy the rows first.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Float16, Int32, Integer
from torch import Tensor


def add_rows(
    values: Float[Tensor, "tokens neurons"],
    places: Integer[Tensor, " n"],
    slots: Integer[Tensor, " n"],
    sums: Float[Tensor, "slots neurons"],
    maxima: Float[Tensor, "slots neurons"],
    *,
    at_once: bool,
) -> None:
    """Add the rows of `values` at `places` to the sums of their slots, and raise the maxima to them."""
    if at_once:
        picked, to = values[places], slots[:, None].expand(-1, values.shape[1])
        sums.scatter_add_(0, to, picked)
        maxima.scatter_reduce_(0, to, picked, "amax")
        return
    rows, added, largest = values.numpy(), sums.numpy(), maxima.numpy()
    for place, slot in zip(places.tolist(), slots.tolist(), strict=True):
        row, total, most = rows[place], added[slot], largest[slot]
        np.add(total, row, out=total)
        np.maximum(most, row, out=most)


def count_rows(
    places: Integer[Tensor, "tokens neurons"],
    keys: Integer[Tensor, " tokens"],
    values: Float16[Tensor, "tokens neurons"],
    counts: Int32[Tensor, " bins"],
    examples: Integer[Tensor, " bins"],
    shown: Float16[Tensor, " bins"],
    *,
    at_once: bool,
) -> None:
    """Count every number's bin; of each bin the smallest key stands in `examples`, and its value in `shown`.

    The places of one token are all different, and so are the keys.
    """
    if at_once:
        flat, own = places.view(-1), keys[:, None].expand(-1, places.shape[1]).reshape(-1)
        counts.scatter_add_(0, flat, torch.ones_like(flat, dtype=torch.int32))
        examples.scatter_reduce_(0, flat, own, "amin")
        first = examples[flat] == own
        shown[flat[first]] = values.view(-1)[first]
        return
    counted, least, kept = counts.numpy(), examples.numpy(), shown.numpy()
    for at, key, row in zip(places.numpy(), keys.tolist(), values.numpy(), strict=True):
        counted[at] += 1
        won = np.flatnonzero(least[at] > key)
        least[at[won]], kept[at[won]] = key, row[won]
