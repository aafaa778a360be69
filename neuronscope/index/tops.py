"""The strongest contexts of a case: what a scan keeps of them, and how value and position are packed.

Both are in one int64, so that order and ties are total and any merge of two lists is exact: larger value first, then
the earlier position.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int8, Int32, Int64, Integer
from torch import Tensor

from neuronscope.index.excerpts import NO_VALUE
from neuronscope.index.plan import CONTEXT, KEPT_CONTEXTS, K

NOTHING = -(1 << 63)
"""The key of an empty place: below every other."""


def pack(values: Float[Tensor, "*n"], positions: Integer[Tensor, "*n"]) -> Int64[Tensor, "*n"]:
    """One int64 for value and position: the larger value first, and of equal values the earlier position."""
    bits = (values + 0.0).contiguous().view(torch.int32).to(torch.int64)  # + 0.0 makes of -0.0 a 0.0
    ordered = torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits)
    return (ordered << 32) + (0xFFFFFFFF - positions)


def unpack(keys: Integer[np.ndarray, "*n"]) -> tuple[Float[np.ndarray, "*n"], Integer[np.ndarray, "*n"]]:
    """The values and positions that `pack` put together; NaN where a place is empty."""
    ordered = (keys >> 32).astype(np.int32)
    values = np.where(ordered < 0, ordered ^ 0x7FFFFFFF, ordered).astype(np.int32).view(np.float32)
    positions = (0xFFFFFFFF - (keys & 0xFFFFFFFF)).astype(np.uint32)
    empty = keys == NOTHING
    return np.where(empty, np.float32(np.nan), values), np.where(empty, np.uint32(0xFFFFFFFF), positions)


@dataclass
class Peaks:
    """The largest activation of every neuron in each window of a batch, and where it is: of each case, and then of
    either sign whatever the case."""

    values: Float[Tensor, "cases windows neurons"]
    """Times the sign of the case; -inf where no token of the window counts for it."""
    places: Int32[Tensor, "cases windows neurons"]
    """The first place of the window that has it."""

    @classmethod
    def none(cls, cases: int, windows: int, neurons: int, device: torch.device) -> Peaks:
        """Before any token."""
        shape = (cases, windows, neurons)
        values = torch.full(shape, -math.inf, device=device)
        return cls(values, torch.zeros(shape, dtype=torch.int32, device=device))


@dataclass
class Tops:
    """The strongest contexts of one case for every neuron of a layer, in no order."""

    keys: Int64[Tensor, "neurons places"]
    """Value times sign, and position."""
    contexts: Int8[Tensor, "neurons places context"]
    """Values around each, as a share of the peak in 1/127."""
    threshold: Float[Tensor, " neurons"]
    """The k-th best so far: nothing below it need be looked at."""

    @classmethod
    def empty(cls, floor: Float[Tensor, " neurons"], places: int = K) -> Tops:
        """No contexts yet, and room for `places`; values below `floor` are known not to count."""
        neurons, device = len(floor), floor.device
        keys = torch.full((neurons, places), NOTHING, dtype=torch.int64, device=device)
        contexts = torch.full((neurons, places, CONTEXT), NO_VALUE, dtype=torch.int8, device=device)
        return cls(keys, contexts, floor.clone())

    def in_order(self) -> tuple[Int64[np.ndarray, "neurons places"], Int8[np.ndarray, "neurons kept context"]]:
        """From the strongest down; values around them only for the first."""
        keys, order = self.keys.sort(1, descending=True)
        first = order[:, :KEPT_CONTEXTS, None].expand(-1, -1, CONTEXT)
        return keys.cpu().numpy(), self.contexts.gather(1, first).cpu().numpy()
