"""A model once more in other numbers: what the rounding of weights and activations does, and nothing else."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

import torch

from neuronscope.models.loading import LoadedModel
from neuronscope.models.offloaded import is_spread
from neuronscope.models.precision import Precision

Lend = Callable[[], AbstractContextManager[LoadedModel]]


@contextmanager
def in_other_numbers(lend: Lend) -> Iterator[tuple[Lend, str] | None]:
    """The same weights in bfloat16, or in float32 where they are held in less; and the name of these numbers.

    A copy, which takes half of the model's memory or twice of it. None where there is none: of quantized weights, and
    of a model that is spread over several devices.
    """
    with lend() as model:
        held = Precision(model.card.precision)
        if held.quantized or is_spread(model.network):
            yield None
            return
        to = torch.bfloat16 if held is Precision.FLOAT32 else torch.float32
        network = copy.deepcopy(model.network).to(to)
    name = str(to).removeprefix("torch.")
    other = replace(model, network=network, card=replace(model.card, precision=name))

    @contextmanager
    def lent() -> Iterator[LoadedModel]:
        yield other

    yield lent, name
