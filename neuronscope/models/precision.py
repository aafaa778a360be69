"""The precisions a model can be held in: how to choose one, and how to read weights back from it.

float16 on a CPU costs several times a float32 forward and is never chosen there, only taken when asked for.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from neuronscope.errors import InputError

if TYPE_CHECKING:
    from transformers import PretrainedConfig


class Precision(StrEnum):
    """How weights are held in memory."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"
    FLOAT64 = "float64"
    """Only where a program attaches such a model."""

    @property
    def dtype(self) -> torch.dtype:
        """The torch type of the weights."""
        return getattr(torch, self.value)

    @classmethod
    def of(cls, dtype: torch.dtype) -> Precision:
        """The precision that holds weights as `dtype`."""
        return cls(str(dtype).removeprefix("torch."))


CHOICES: tuple[str, ...] = ("auto", Precision.FLOAT32, Precision.BFLOAT16, Precision.FLOAT16)
"""What a person may ask for."""


def choose(precision: str, config: PretrainedConfig, device: torch.device) -> Precision:
    """The precision to load in: what was asked, or for `auto` float32 on a CPU and the checkpoint's own on a GPU.

    Raises:
        InputError: for a precision that does not exist.
    """
    if precision not in CHOICES:
        raise InputError(f"No precision {precision!r}: choose one of {', '.join(CHOICES)}.")
    if precision != "auto":
        return Precision(precision)
    if device.type == "cpu":
        return Precision.FLOAT32
    own = getattr(config, "dtype", None)
    return Precision.of(own) if own in {torch.bfloat16, torch.float16} else Precision.FLOAT32


def matrix(projection: Any) -> Float[Tensor, "inputs outputs"]:
    """A projection's weights as float32 [inputs, outputs], whichever way round its module holds them."""
    weight = projection.weight.detach()
    held_as_outputs_inputs = isinstance(projection, nn.Linear)
    return (weight.T if held_as_outputs_inputs else weight).float()


def inputs(projection: Any) -> int:
    """How many inputs a projection has, read off its shape alone."""
    weight = projection.weight
    return int(projection.in_features if isinstance(projection, nn.Linear) else weight.shape[0])


def bias(projection: Any) -> Float[Tensor, " outputs"]:
    """A projection's bias as float32, zeros where it has none."""
    held = getattr(projection, "bias", None)
    if held is None:
        return torch.zeros(matrix(projection).shape[1], device=projection.weight.device)
    return held.detach().float()
