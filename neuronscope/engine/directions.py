"""Directions of the residual stream that neurons read and write, with the norms folded in; and which are alike.

A projection that reads `norm(x) = gain * (x - mean) / sigma + shift` reads `x` with weights `gain * w`, centred over
the width for LayerNorm (which takes the mean out of `x`) and as they are for RMSNorm. A norm behind the MLP scales what
a neuron writes by its gain. The sigmas, which differ from token to token, are left out: they change no direction.

Directions stay on the device where their matrix is, which differs in a model that is spread over several, and are
float32 however the weights are held.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from neuronscope.errors import InputError
from neuronscope.models.loading import LoadedModel
from neuronscope.models.offloaded import weight
from neuronscope.models.precision import matrix
from neuronscope.vocabulary import Neuron

Part = Literal["up", "gate"]


def directions(model: LoadedModel, layer: int, by: str, neurons: slice = slice(None)) -> Float[Tensor, "neurons width"]:
    """What neurons `read` (through the up projection), what their `gate` reads, or what they `write`.

    Raises:
        NoSuchLayer: if the model does not have it.
        InputError: for the gate of an MLP that has none, or another `by` than these three.
    """
    if by not in ("read", "gate", "write"):
        raise InputError(f"Neurons are not compared by {by!r}: choose 'read', 'write' or, in a gated MLP, 'gate'.")
    if by == "write":
        return written_directions(model, layer, neurons)
    return read_directions(model, layer, "gate" if by == "gate" else "up", neurons)


def gate_alignment(model: LoadedModel, layer: int) -> Float[np.ndarray, " neurons"]:
    """Cosine of what each neuron's gate and its up projection read; 0 where one of them reads nothing.

    Raises:
        NoSuchLayer: if the model does not have it.
        InputError: if its MLP has no gate.
    """
    gate, up = read_directions(model, layer, "gate"), read_directions(model, layer, "up")
    lengths = (gate.norm(dim=1) * up.norm(dim=1)).clamp(min=torch.finfo(torch.float32).tiny)
    cosines: Float[np.ndarray, " neurons"] = ((gate * up).sum(1) / lengths).clamp(-1, 1).cpu().numpy()
    return cosines


def alike_in(
    model: LoadedModel, layer: int, by: str, direction: Float[Tensor, " width"], count: int
) -> list[tuple[Neuron, float]]:
    """The neurons of one layer whose directions have the largest |cosine| with a direction, and that cosine.

    Ties go to the lower neuron; the cosine with a direction of length 0 is 0.
    """
    others = directions(model, layer, by)
    products = others @ direction.to(others.device)
    # Of a transposed matrix, the sum of squares takes a quarter of the time that `norm` does.
    lengths = (others.square().sum(1).sqrt() * direction.norm().item()).clamp(min=torch.finfo(torch.float32).tiny)
    cosines = (products / lengths).clamp(-1, 1).cpu().numpy()
    nearest = np.argsort(-np.abs(cosines), kind="stable")[: max(count, 0)]
    return [(Neuron(layer, int(index)), float(cosines[index])) for index in nearest]


def read_directions(
    model: LoadedModel, layer: int, part: Part = "up", neurons: slice = slice(None)
) -> Float[Tensor, "neurons width"]:
    """What neurons of a layer read of the residual stream, through the up projection or the gate; all by default.

    The product with the residual stream, divided by the norm's sigma there, is what enters the neuron's function (or,
    in a gated MLP, its gate and its up value), up to the bias and the norm's own shift.

    Raises:
        NoSuchLayer: if the model does not have it.
        InputError: for the gate of an MLP that has none.
    """
    model.card.check_layer(layer)
    family, count = model.family, model.card.neurons
    path = family.up if part == "up" else family.gate
    if path is None:
        raise InputError(f"{model.card.label} has no gate: its neurons read through the up projection alone.")
    rows = matrix(model.in_block(layer, path)).T
    if family.fused:
        rows = rows[count:] if part == "up" else rows[:count]
    return folded(model, rows[neurons], model.mlp_norm(layer))


def written_directions(model: LoadedModel, layer: int, neurons: slice = slice(None)) -> Float[Tensor, "neurons width"]:
    """What neurons of a layer add to the residual stream for each unit of activation; all of them by default.

    Where a norm stands behind the MLP, up to that norm's sigma.

    Raises:
        NoSuchLayer: if the model does not have it.
    """
    model.card.check_layer(layer)
    return joining(model, layer, matrix(model.in_block(layer, model.family.down))[neurons])


def joining(model: LoadedModel, layer: int, written: Float[Tensor, "*rows width"]) -> Float[Tensor, "*rows width"]:
    """What of an MLP's output reaches the residual stream, up to the sigma of a norm on the way."""
    if model.family.mlp_out_norm:
        written = folded(model, written, model.in_block(layer, model.family.mlp_out_norm))
    return written * getattr(model.network.config, "residual_multiplier", 1.0)


def folded(model: LoadedModel, rows: Float[Tensor, "*rows width"], norm: Any | None) -> Float[Tensor, "*rows width"]:
    """Rows that stand behind a norm, as they meet what enters it; unchanged where there is no norm."""
    if norm is None:
        return rows
    rows = rows * gain(model, norm, rows.device)
    return rows - rows.mean(-1, keepdim=True) if model.family.norm == "LayerNorm" else rows


def gain(model: LoadedModel, norm: Any, device: torch.device) -> Tensor | float:
    """What a norm multiplies each dimension of the stream by; 1 where it has no weights."""
    held = weight(norm)
    return 1.0 if held is None else held.float().to(device) + model.family.gain_offset
