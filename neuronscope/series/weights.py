"""How far each neuron's own weights moved, with the norms folded in: what it reads, what its gate reads, its writing.

Activations of a neuron also change when what it reads was changed by earlier layers; this tells the two apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from neuronscope import npy
from neuronscope.engine.directions import directions
from neuronscope.engine.weights import read_biases
from neuronscope.models.loading import LoadedModel

PARTS = ("read", "gate", "write")


@dataclass(frozen=True, eq=False)
class Moved:
    """How far the weights of a layer's neurons moved."""

    weights: Float[np.ndarray, "neurons 3"]
    """|w' - w| / |w| of `PARTS`; NaN for the gate of an MLP without one, infinite where a direction had no length."""
    cosines: Float[np.ndarray, "neurons 3"]
    """Cosine of w' and w; NaN where one of them has no length."""
    bias: Float[np.ndarray, " neurons"]
    """The folded bias less that of the base."""


def keep(model: LoadedModel, layer: int, folder: Path) -> None:
    """Write down a layer's directions, for other checkpoints to be compared with."""
    np.savez(_path(folder, layer), **_read(model, layer))  # type: ignore[arg-type]  # its stub knows no mappings


def moved(model: LoadedModel, layer: int, folder: Path) -> Moved:
    """A layer's directions against those that `keep` wrote."""
    own = _read(model, layer)
    found = np.full((2, model.card.neurons, len(PARTS)), np.nan, np.float32)
    base = npy.read_all(_path(folder, layer))
    for place, part in enumerate(PARTS):
        if part in own:
            found[:, :, place] = _compared(base[part], own[part])
    return Moved(found[0], found[1], own["bias"] - base["bias"])


def _read(model: LoadedModel, layer: int) -> dict[str, np.ndarray]:
    parts = [part for part in PARTS if part != "gate" or model.card.gated]
    found = {part: directions(model, layer, part).cpu().numpy() for part in parts}
    return found | {"bias": read_biases(model, layer)}


def _compared(
    base: Float[np.ndarray, "neurons width"], own: Float[np.ndarray, "neurons width"]
) -> Float[np.ndarray, "2 neurons"]:
    length, other = np.linalg.norm(base, axis=1), np.linalg.norm(own, axis=1)
    change = np.linalg.norm(own - base, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(change > 0, change / length, 0)
        cosine = np.clip(np.einsum("nw,nw->n", base, own) / (length * other), -1, 1)
    return np.stack([relative, np.where(change > 0, cosine, np.where(length > 0, 1, np.nan))])


def _path(folder: Path, layer: int) -> Path:
    return folder / f"directions-{layer:03d}.npz"
