"""Half precision: what waits on disk, or is kept of many tokens, is held in it."""

from __future__ import annotations

import torch
from jaxtyping import Float, Float16
from torch import Tensor

LARGEST_HALF = 65_504.0
"""The largest number that float16 holds."""


def half(values: Float[Tensor, "*n"]) -> Float16[Tensor, "*n"]:
    """The values as float16, which costs one about 1/2,000 of its size; what is larger than any becomes the largest."""
    return values.clamp(-LARGEST_HALF, LARGEST_HALF).to(torch.float16)
