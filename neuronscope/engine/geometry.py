"""How the directions that neurons read overlap: the geometry of superposition, which says nothing of what they mean.

`interference` is the largest |cosine| of a neuron's read direction with another one's of its layer. Of N random
directions in d dimensions it would be about sqrt(2 ln N / d). `capacity` is the share of a dimension that is a neuron's
own (Scherlis et al. 2022; Elhage et al. 2022): `D_i = |w_i|^4 / sum_j (w_i . w_j)^2`. It is 1 where no other direction
overlaps, 1/2 for each of an opposed pair, and sums to no more than the rank of the matrix: an MLP that is four times as
wide as the stream has a mean of 1/4 at most, whatever its neurons mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import Tensor

from neuronscope.engine.directions import directions
from neuronscope.jobs import checkpoint
from neuronscope.models.loading import LoadedModel

_ROWS = 1024


@dataclass(frozen=True, eq=False)
class Overlap:
    """How the directions of one layer overlap."""

    interference: Float[np.ndarray, " neurons"]
    """The largest |cosine| with another direction; 0 for a direction of length 0."""
    nearest: Integer[np.ndarray, " neurons"]
    """The neuron that it is with."""
    capacity: Float[np.ndarray, " neurons"]
    """The share of a dimension that is the neuron's own, 0 to 1."""
    by_chance: float
    """The interference of as many random directions: sqrt(2 ln N / d)."""


def overlap(model: LoadedModel, layer: int, by: str = "read") -> Overlap:
    """How the directions that a layer's neurons `read`, `write` or, in a gated MLP, read by their `gate` overlap.

    Raises:
        NoSuchLayer: if the model does not have it.
        InputError: for another `by`.
        Cancelled: between blocks of neurons.
    """
    return overlap_of(directions(model, layer, by))


def overlap_of(rows: Float[Tensor, "neurons width"]) -> Overlap:
    """How the rows of a matrix overlap, float32 products of unit rows and float64 sums of a smaller matrix."""
    unit = torch.nn.functional.normalize(rows.float(), dim=1)
    exact = rows.double()
    products = exact.T @ exact
    squares = exact.square().sum(1)
    around = ((exact @ products) * exact).sum(1)
    capacity = torch.where(squares > 0, squares.square() / around.clamp(min=torch.finfo(torch.float64).tiny), 0.0)
    largest, nearest = [], []
    for first in range(0, len(unit), _ROWS):
        checkpoint()
        cosines = (unit[first : first + _ROWS] @ unit.T).abs()
        own = torch.arange(len(cosines), device=cosines.device)
        cosines[own, own + first] = -1
        value, place = cosines.max(1)
        largest.append(value.clamp(0, 1))
        nearest.append(place)
    return Overlap(
        interference=torch.cat(largest).cpu().numpy().astype(np.float64),
        nearest=torch.cat(nearest).cpu().numpy(),
        capacity=capacity.cpu().numpy(),
        by_chance=float(np.sqrt(2 * np.log(max(len(rows), 1)) / rows.shape[1])),
    )
