"""How active neurons are: per layer, and for one neuron. Sums run in float64, over the kept tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from neuronscope.vocabulary import Activations, Source

if TYPE_CHECKING:
    import pandas as pd

CONSTANT = 1e-6
"""A neuron whose spread is below this share of its layer's median spread does not vary."""


@dataclass(frozen=True, eq=False)
class LayerStatistics:
    """One row for each layer."""

    table: pd.DataFrame
    """Columns: `layer mean std mean_abs min max active sparsity silent constant tokens neurons`.

    `active` is the share of values above 0; `sparsity` the mean over neurons of Treves-Rolls `(E|a|)² / E a²` (1 when
    all tokens excite a neuron alike, near 0 when few do; neurons that are 0 throughout are left out); `silent` counts
    neurons that are never above 0 on this text, `constant` those that do not vary on it.
    """
    source: Source
    """The model."""
    site: str
    """Where the values were read."""
    window: int | None = None
    """How many tokens were read at a time, where the text is longer than the model's context."""


@dataclass(frozen=True)
class NeuronStatistics:
    """One neuron on one text."""

    tokens: int
    """Kept tokens that were counted."""
    mean: float
    """Mean activation."""
    std: float
    """Standard deviation (population)."""
    min: float
    """Smallest."""
    max: float
    """Largest."""
    active: float
    """Share of tokens with an activation above 0."""
    peak: int
    """Position of the largest |activation|."""


def layer_statistics(activations: Activations) -> LayerStatistics:
    """Statistics of every captured layer over the kept tokens (all tokens where none is kept)."""
    import pandas as pd

    kept = _counted(activations.tokens.kept)
    rows = [{"layer": layer, **_one_layer(activations.values[i][kept])} for i, layer in enumerate(activations.layers)]
    return LayerStatistics(pd.DataFrame(rows), activations.source, str(activations.site), activations.window)


def neuron_statistics(values: Float[np.ndarray, " tokens"], kept: Bool[np.ndarray, " tokens"]) -> NeuronStatistics:
    """Statistics of one neuron over the kept tokens (all tokens where none is kept)."""
    positions = np.flatnonzero(_counted(kept))
    counted = values[positions].astype(np.float64)
    return NeuronStatistics(
        tokens=len(counted),
        mean=float(counted.mean()),
        std=float(counted.std()),
        min=float(counted.min()),
        max=float(counted.max()),
        active=float((counted > 0).mean()),
        peak=int(positions[np.abs(counted).argmax()]),
    )


def _counted(kept: Bool[np.ndarray, " tokens"]) -> Bool[np.ndarray, " tokens"]:
    return kept if kept.any() else np.ones_like(kept)


def _one_layer(values: Float[np.ndarray, "kept neurons"]) -> dict[str, float]:
    values = values.astype(np.float64)
    magnitude, square = np.abs(values).mean(0), np.square(values).mean(0)
    spread = values.std(0)
    fires = square > 0
    return {
        "mean": values.mean(),
        "std": values.std(),
        "mean_abs": magnitude.mean(),
        "min": values.min(),
        "max": values.max(),
        "active": (values > 0).mean(),
        "sparsity": (magnitude[fires] ** 2 / square[fires]).mean() if fires.any() else np.nan,
        "silent": int((values.max(0) <= 0).sum()),
        "constant": int((spread <= CONSTANT * np.median(spread)).sum()),
        "tokens": len(values),
        "neurons": values.shape[1],
    }
