"""One text read by every checkpoint: a heatmap that goes through them on one colour scale."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from neuronscope.analysis.ranking import rank
from neuronscope.errors import InputError
from neuronscope.figures.colours import colour_limit
from neuronscope.figures.grid import Choice, columns, pooled
from neuronscope.figures.heatmaps import heatmap, heatmap_table
from neuronscope.figures.theme import Mode
from neuronscope.vocabulary import Activations

COUNT = 48
"""How many neurons are drawn unless others are named."""


def drift_text(
    across: Sequence[Activations],
    layer: int,
    *,
    checkpoint: int | None = None,
    neurons: Choice | None = None,
    mode: Mode = "light",
    height: int | None = None,
    width: int = 960,
) -> go.Figure:
    """The heatmap of one checkpoint, of those that `Scope.across` read; the numbers of all stand in `layout.meta`.

    By default the 48 neurons that change most on any token from the first checkpoint, the base, to any other, ordered
    by where they do. Colours are the same in every checkpoint. `layout.meta["frames"]` holds what each of them would
    show as `z`, and `layout.meta["checkpoints"]` their names, for whoever goes through them.

    Raises:
        InputError: if nothing was read, or not the same text by all.
        NoSuchLayer, NoSuchNeuron: if it was not read.
    """
    chosen = _changing(across, layer) if neurons is None else neurons
    place = len(across) - 1 if checkpoint is None else checkpoint
    kept = across[0].tokens.kept
    grid = columns(across[0], chosen)
    shown = [pooled(one.layer(layer), grid).values for one in across]
    limit = colour_limit(np.concatenate(shown, axis=1), kept).value
    figure = heatmap(across[place], layer, neurons=chosen, limit=limit, mode=mode, height=height, width=width)
    names = [one.source.model for one in across]
    frames = [[_rounded(row) for row in values.astype(np.float64)] for values in shown]
    meta = {**figure.layout.meta, "frames": frames, "checkpoints": names}
    return figure.update_layout(meta={**meta, "title": f"Layer {layer} on this text · {names[place]}"})


def drift_text_table(across: Sequence[Activations], layer: int, neurons: Choice | None = None) -> pd.DataFrame:
    """What `drift_text` goes through: one row per checkpoint and token, one column per neuron."""
    chosen = _changing(across, layer) if neurons is None else neurons
    parts = [heatmap_table(one, layer, chosen).assign(checkpoint=one.source.model) for one in across]
    return pd.concat(parts, ignore_index=True)


def _changing(across: Sequence[Activations], layer: int) -> Choice:
    """The neurons that change most from the first reading to any other, ordered by the token where they do."""
    if not across:
        raise InputError("No checkpoint has read the text.")
    first = across[0]
    if any(one.tokens.ids.tolist() != first.tokens.ids.tolist() for one in across):
        raise InputError("These are not readings of one text: the tokens differ.")
    changes = np.stack([one.layer(layer) - first.layer(layer) for one in across])
    largest = np.abs(changes).max(0)
    values = largest if largest.any() else np.abs(first.layer(layer))
    return rank(values, first.tokens.kept, count=min(COUNT, values.shape[1]))


def _rounded(row: np.ndarray) -> list[float]:
    return [float(f"{value:.3g}") for value in row.tolist()]
