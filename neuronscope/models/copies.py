"""A model once more in other numbers: what rounding does to what its neurons do, and nothing else does."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch

from neuronscope.models.loading import Lend, LoadedModel
from neuronscope.models.offloaded import is_spread
from neuronscope.models.precision import Precision


@contextmanager
def in_other_numbers(lend: Lend) -> Iterator[tuple[Lend, str] | None]:
    """The same weights rounded to bfloat16, or computed with in float32 where they are held in less; and which it is.

    Either computes in float32, for on many CPUs bfloat16 takes dozens of times as long. A copy, which takes as much
    memory as the weights in float32. None where there is none: of quantized weights, and of a model that is spread over
    several devices.
    """
    with lend() as model:
        held = Precision(model.card.precision)
        if held.quantized or is_spread(model.network):
            yield None
            return
        network = copy.deepcopy(model.network)
        if held is Precision.FLOAT32:
            network.to(torch.bfloat16)
        network.to(torch.float32)
    name = "weights rounded to bfloat16" if held is Precision.FLOAT32 else "float32 arithmetic"
    other = replace(model, network=network)

    @contextmanager
    def lent() -> Iterator[LoadedModel]:
        yield other

    yield lent, name
