"""The proof at load: that a network computes its MLP the way its family says, seen on one short input."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from neuronscope.models.memory import trim
from neuronscope.models.precision import Precision, bias, matrix

if TYPE_CHECKING:
    from neuronscope.models.loading import LoadedModel

TOLERANCE = {
    Precision.FLOAT64: 1e-4,
    Precision.FLOAT32: 1e-4,
    Precision.BFLOAT16: 3e-2,
    Precision.FLOAT16: 1e-2,
    Precision.INT8: 0.15,
    Precision.NF4: 3e-2,
}
"""How far two ways to compute the same may lie apart, as a share of their length. int8 rounds activations as well as
weights, to one part in 127 of the largest of each token; networks that are built differently are far off."""


@dataclass(frozen=True, eq=False)
class Passed:
    """What one layer's MLP did with a few tokens."""

    neurons: Float[Tensor, "tokens neurons"]
    """What entered the output projection."""
    output: Float[Tensor, "tokens width"]
    """What left it."""
    gate: Float[Tensor, "tokens neurons"] | None
    """What left the gate projection, None where there is none."""
    up: Float[Tensor, "tokens neurons"]
    """What left the up projection."""
    down: Any
    """The output projection."""
    activation: Any
    """The activation function."""

    def projects(self, tolerance: float) -> bool:
        """Whether the neurons through the projection's weights give its output."""
        weights = matrix(self.down)
        ours = self.neurons.float().to(weights.device) @ weights + bias(self.down).to(weights.device)
        return _close(ours, self.output, tolerance)

    def activates(self, tolerance: float) -> bool:
        """Whether the activation function gives the neurons."""
        ours = self.activation(self.up) if self.gate is None else self.activation(self.gate) * self.up
        return _close(ours.float(), self.neurons, tolerance)


def passes(model: LoadedModel) -> Iterator[Passed]:
    """What every layer's MLP does with a few tokens, first layer first; the model is left as it was."""
    family = model.family
    paths = dict.fromkeys(path for path in (family.gate, family.up, family.down) if path)
    seen: dict[str, list[tuple[Tensor, Tensor]]] = {path: [] for path in paths}
    handles = [
        model.part(block, path).register_forward_hook(
            lambda _m, args, out, path=path: seen[path].append((args[0].detach().clone(), out.detach().clone()))
        )
        for block in dict.fromkeys(model.blocks)
        for path in paths
    ]
    # What reading a layer's quantized weights took goes before the next layer's, so that a load stays small.
    handles += [block.register_forward_hook(lambda *_: trim()) for block in dict.fromkeys(model.blocks)]
    try:
        _run(model)
    finally:
        for handle in handles:
            handle.remove()
    for layer in range(model.card.layers):
        trim()
        neurons, output = seen[family.down][layer]
        gate = seen[family.gate][layer][1] if family.gate else None
        up = seen[family.up][layer][1]
        if family.fused:
            gate, up = up.chunk(2, dim=-1)
        yield Passed(
            neurons.flatten(0, -2),
            output.flatten(0, -2),
            None if gate is None else gate.flatten(0, -2),
            up.flatten(0, -2),
            model.in_block(layer, family.down),
            model.in_block(layer, family.activation),
        )


def _run(model: LoadedModel) -> None:
    length = min(8, model.card.context)
    # Ids from 5 on: the first few are padding and the like, which some networks treat apart.
    cycle = itertools.cycle(range(5, model.card.vocabulary)) if model.card.vocabulary > 16 else itertools.cycle([0, 1])
    ids = torch.tensor([list(itertools.islice(cycle, length))])
    uncached = {"use_cache": False} if "use_cache" in inspect.signature(model.base.forward).parameters else {}
    training: list[nn.Module] = [module for module in model.network.modules() if module.training]
    try:
        model.network.eval()
        with torch.inference_mode():
            model.base(input_ids=ids.to(model.device), **uncached)
    finally:
        for module in training:
            module.training = True


def _close(ours: Tensor, theirs: Tensor, tolerance: float) -> bool:
    ours, theirs = ours.float().cpu(), theirs.float().cpu()
    return bool((ours - theirs).norm() <= tolerance * theirs.norm() + 1e-6)
