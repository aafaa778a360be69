"""Where every neuron stands in every checkpoint, on one map that is fitted once over all of them.

A principal component analysis of each checkpoint by itself turns and flips its axes: neurons would seem to move by more
than the map's whole spread though nothing changed. One analysis over all rows, checkpoint × neuron, moves only what
moved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

Read = Callable[[int], Float[np.ndarray, "units tokens"]]
"""The activations of one checkpoint on the sampled tokens."""


@dataclass(frozen=True, eq=False)
class Trajectories:
    """The way of every neuron over the checkpoints."""

    points: Float32[np.ndarray, "checkpoints units 2"]
    """Its place on the two first principal components; NaN for neurons that never vary."""
    explained: Float[np.ndarray, " 2"]
    """The share of the variance over all checkpoints and neurons that each of the two explains."""

    @property
    def travelled(self) -> Float[np.ndarray, " units"]:
        """The length of each neuron's way; NaN for neurons that never vary."""
        steps = np.diff(self.points.astype(np.float64), axis=0)
        length: Float[np.ndarray, " units"] = np.sqrt((steps**2).sum(-1)).sum(0)
        return length


def trajectories(read: Read, checkpoints: Sequence[int]) -> Trajectories:
    """Fit one map over some checkpoints, of which the first is the base.

    A neuron's row is its activations on the sampled tokens, less its mean in the base, over its standard deviation
    there or, where it is larger, in the checkpoints on average: so that every neuron weighs about the same, and a shift
    or a change of scale moves it as a change of selectivity does. Neurons that never vary in any checkpoint are left
    out. The components' signs are fixed: the largest loading is positive.
    """
    base = read(checkpoints[0])
    mean = base.mean(1, dtype=np.float64, keepdims=True)
    own = base.var(1, dtype=np.float64)
    spread = np.zeros(len(base))
    for number in checkpoints:
        spread += read(number).var(1, dtype=np.float64)
    sd = np.sqrt(np.maximum(own, spread / len(checkpoints)))[:, None]
    alive = sd[:, 0] > 1e-6 * np.maximum(np.abs(mean[:, 0]), 1e-30)

    def rows(number: int) -> Float32[np.ndarray, "units tokens"]:
        values = read(number)[alive].astype(np.float32)
        return ((values - mean[alive]) / sd[alive]).astype(np.float32)

    tokens = base.shape[1]
    total, square, count = np.zeros(tokens), np.zeros((tokens, tokens)), 0
    for number in checkpoints:
        part = rows(number)
        total += part.sum(0, dtype=np.float64)
        square += (part.T @ part).astype(np.float64)
        count += len(part)
    points = np.full((len(checkpoints), len(base), 2), np.nan, np.float32)
    if count < 2:
        return Trajectories(points, np.zeros(2))
    centre = total / count
    values, vectors = np.linalg.eigh(square / count - np.outer(centre, centre))
    axes = vectors[:, ::-1][:, :2]
    axes = axes * np.sign(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])])
    for place, number in enumerate(checkpoints):
        points[place, alive] = (rows(number) - centre) @ axes
    whole = max(float(np.maximum(values, 0).sum()), 1e-30)
    return Trajectories(points, np.maximum(values[::-1][:2], 0) / whole)
