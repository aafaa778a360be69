"""Why a neuron fires: its activation split over the dimensions of what the MLP reads.

To first order a neuron's activation at a token differs from what it would be at the mean input by `(da/dx) * (x - mu)`,
one number for each dimension of the input `x` (behind the norm): its contribution vector. For a plain MLP the gradient
is the read direction times one number, `act'(z) w`, and directions are all that is asked of contributions, so that
number is left out. For a gated one, `a = act(g) u`, it is `act'(g) u w_gate + act(g) w_up`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from neuronscope.models.loading import LoadedModel
from neuronscope.models.precision import bias, matrix


@dataclass(frozen=True, eq=False)
class Reading:
    """What the neurons of one layer make of the MLP's input; weights float32, on the device where they are."""

    up: Float[Tensor, "neurons width"]
    """The up projection, as the input behind the norm meets it."""
    up_bias: Float[Tensor, " neurons"]
    """Its bias."""
    gate: Float[Tensor, "neurons width"] | None
    """The gate projection; None where there is none."""
    gate_bias: Float[Tensor, " neurons"]
    """Its bias."""
    activation: Callable[[Tensor], Tensor]
    """The activation function."""

    @classmethod
    def of(cls, model: LoadedModel, layer: int) -> Reading:
        """The reading side of a layer's MLP; raises `NoSuchLayer`."""
        model.card.check_layer(layer)
        family, count = model.family, model.card.neurons
        activation = model.in_block(layer, family.activation)
        module = model.in_block(layer, family.up)
        weights, shift = matrix(module).T, bias(module)
        if family.gate is None:
            return cls(weights, shift, None, shift, activation)
        if family.fused:
            return cls(weights[count:], shift[count:], weights[:count], shift[:count], activation)
        gate = model.in_block(layer, family.gate)
        return cls(weights, shift, matrix(gate).T, bias(gate), activation)

    def activations(
        self, inputs: Float[np.ndarray, "tokens width"], neurons: slice = slice(None)
    ) -> Float[np.ndarray, "tokens neurons"]:
        """What some of the neurons do at these inputs, float32."""
        x = self._tensor(inputs)
        with torch.inference_mode():
            u = x @ self.up[neurons].T + self.up_bias[neurons]
            if self.gate is None:
                return self.activation(u).float().cpu().numpy()
            g = x @ self.gate[neurons].T + self.gate_bias[neurons]
            return (self.activation(g) * u).float().cpu().numpy()

    def contributions(
        self, inputs: Float[np.ndarray, "tokens width"], centre: Float[np.ndarray, " width"], neuron: int
    ) -> Float[np.ndarray, "tokens width"]:
        """The contribution vector of one neuron at each input, up to its length in a plain MLP."""
        x = self._tensor(inputs)
        moved = x - self._tensor(centre)
        if self.gate is None:
            return (moved * self.up[neuron]).cpu().numpy()
        u = x @ self.up[neuron] + self.up_bias[neuron]
        g = (x @ self.gate[neuron] + self.gate_bias[neuron]).detach().requires_grad_()
        with torch.enable_grad():
            opened = self.activation(g)
            (slope,) = torch.autograd.grad(opened.sum(), g)
        gradient = (slope * u)[:, None] * self.gate[neuron] + opened.detach()[:, None] * self.up[neuron]
        return (gradient * moved).detach().cpu().numpy()

    def _tensor(self, array: Float[np.ndarray, "*shape"]) -> Tensor:
        return torch.from_numpy(np.asarray(array, dtype=np.float32)).to(self.up.device)
