"""A text at a glance: every layer against every token, and every attention head of a layer against every token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from jaxtyping import Float, Int

from neuronscope.errors import InputError
from neuronscope.figures import captions
from neuronscope.figures.axes import density, layer_axis, outline, token_axis
from neuronscope.figures.colours import Limit, colour_bar, colour_limit, diverging, sequential
from neuronscope.figures.grid import smallest
from neuronscope.figures.heatmaps import fitting_height, token_columns, unit_data
from neuronscope.figures.theme import Mode
from neuronscope.vocabulary import Activations

MEASURES = ("peak", "active")
"""What `overview` can show."""


def overview(
    activations: Activations,
    *,
    measure: str = "peak",
    threshold: float = 0.0,
    limit: float | None = None,
    locked: int | None = None,
    layer: int | None = None,
    mode: Mode = "light",
    height: int | None = None,
    width: int = 640,
) -> go.Figure:
    """Every layer (the first at the bottom) against every token.

    "peak": the value of the unit with the largest magnitude, sign kept, and which unit it is. "active": the share of
    units whose activation is above `threshold`; the default of 0 is the one that layer statistics use. `layer` and
    `locked` outline what is being looked at. A clicked point's `y` counts rows: its layer is `activations.layers[y]`.
    Raises `InputError` for a measure there is not.
    """
    if not activations.values.size:
        return captions.empty("There are no tokens or layers to draw.", mode)
    summary = _summary(activations, measure, threshold)
    colours = colour_limit(summary.values.T, activations.tokens.kept, limit, signed=measure == "peak")
    height = height or max(280, min(560, captions.TOP + captions.BOTTOM + 40 + 22 * len(activations.layers)))
    room = height - captions.TOP - captions.BOTTOM - 40
    figure = go.Figure(_cells(activations, summary, colours, mode, low=room < 110))
    layer_axis(figure, activations.layers, room)
    token_axis(figure, activations.tokens, "x", width - 2 * captions.SIDE)
    if locked is not None:
        outline(figure, "x", locked, mode)
    if layer in activations.layers:
        outline(figure, "y", activations.layers.index(layer), mode)
    return captions.dress(
        figure,
        mode=mode,
        title=summary.title,
        subtitle=captions.subtitle(activations, captions.count(len(activations.layers), "layer")),
        meta=captions.provenance(
            activations, "overview", measure=measure, limit=colours.value, threshold=summary.threshold
        ),
        notes=colours.notes,
        height=height,
    )


def overview_table(activations: Activations, measure: str = "peak", threshold: float = 0.0) -> pd.DataFrame:
    """What `overview` draws: one row per layer and token; for "peak" with the unit that has it."""
    summary = _summary(activations, measure, threshold)
    tokens = token_columns(activations)
    table = pd.concat([tokens.assign(layer=layer) for layer in activations.layers], ignore_index=True)
    table[summary.column] = summary.values.reshape(-1)
    if summary.whose is not None:
        table[captions.unit(activations.site)] = summary.whose.reshape(-1)
    return table[["layer", *(column for column in table.columns if column != "layer")]]


def head_heatmap(
    activations: Activations,
    layer: int,
    *,
    limit: float | None = None,
    locked: int | None = None,
    mode: Mode = "light",
    height: int | None = None,
    width: int = 640,
) -> go.Figure:
    """How long each attention head's output is at each token, in one layer; raises `NoSuchSite` at any other site."""
    norms = _norms(activations, layer)
    if not norms.size:
        return captions.empty("There are no tokens to draw.", mode)
    tokens, heads = norms.shape
    colours = colour_limit(norms, activations.tokens.kept, limit, signed=False)
    height = height or fitting_height(tokens)
    figure = go.Figure(
        go.Heatmap(
            z=norms,
            x0=0,
            y0=0,
            customdata=np.broadcast_to(np.arange(heads, dtype=np.int16), norms.shape),
            hovertemplate=f"<b>L{layer}.H%{{customdata}}</b><br>%{{y}}<br>length %{{z:.4g}}<extra></extra>",
            xgap=1,
            ygap=1 if tokens <= 64 else 0,
            **sequential(colours, mode),
            colorbar=colour_bar("length of the output", colours),
        )
    )
    font, step = density(heads, width - 2 * captions.SIDE, lines=2.0)
    shown = np.arange(0, heads, step)
    axis = {"tickmode": "array", "tickvals": shown, "ticktext": [f"H{head}" for head in shown.tolist()]}
    look = {"title": {"text": "head"}, "tickfont": {"size": font}, "showgrid": False, "zeroline": False}
    captions.lay_out(figure, xaxis={**axis, **look})
    token_axis(figure, activations.tokens, "y", height - captions.TOP - captions.BOTTOM)
    if locked is not None:
        outline(figure, "y", locked, mode)
    return captions.dress(
        figure,
        mode=mode,
        title=f"Output of {captions.count(heads, 'attention head')}",
        subtitle=captions.subtitle(activations, f"layer {layer}"),
        meta=captions.provenance(activations, "head_heatmap", layer=layer, limit=colours.value),
        notes=colours.notes,
        height=height,
    )


def head_table(activations: Activations, layer: int) -> pd.DataFrame:
    """What `head_heatmap` draws: one row per token, one column per head under its name, such as `L6.H3`."""
    norms = _norms(activations, layer)
    drawn = pd.DataFrame(norms, columns=[f"L{layer}.H{head}" for head in range(norms.shape[1])])
    return pd.concat([token_columns(activations), drawn], axis=1)


@dataclass(frozen=True, eq=False)
class _Summary:
    """One number for each layer and token."""

    values: Float[np.ndarray, "layers tokens"]
    """The numbers, float32."""
    whose: Int[np.ndarray, "layers tokens"] | None
    """Which unit each belongs to, where it is one unit's."""
    column: str
    """What the numbers are called in a table."""
    title: str
    """What they are, in words."""
    threshold: float | None
    """What an active unit's activation is above, where that matters."""


def _summary(activations: Activations, measure: str, threshold: float) -> _Summary:
    if measure not in MEASURES:
        raise InputError(f"No measure {measure!r}: an overview shows {' or '.join(MEASURES)}.")
    values, word = activations.values, captions.unit(activations.site)
    if measure == "active":
        share = (values > threshold).mean(axis=-1, dtype=np.float32)
        return _Summary(share, None, "share", f"How many {word}s of each layer are active", threshold)
    whose = np.nan_to_num(np.abs(values), nan=0.0).argmax(axis=-1)
    peaks = np.take_along_axis(values, whose[..., None], axis=-1)[..., 0].astype(np.float32)
    return _Summary(peaks, whose, "value", f"The strongest {word} of each layer", None)


def _cells(activations: Activations, summary: _Summary, colours: Limit, mode: Mode, *, low: bool) -> go.Heatmap:
    common: dict[str, Any] = {
        "z": np.ascontiguousarray(summary.values),
        "x0": 0,
        "y0": 0,
        "xgap": 1 if summary.values.shape[1] <= 64 else 0,
        "ygap": 1,
    }
    if summary.whose is None:
        rule = f"activation > {captions.figure_of(summary.threshold or 0.0)}"
        return go.Heatmap(
            **common,
            hovertemplate=f"<b>layer %{{y}}</b><br>%{{x}}<br>%{{z:.1%}} have {rule}<extra></extra>",
            **sequential(colours, mode),
            colorbar=colour_bar(f"share with {rule}", colours, percent=True, low=low),
        )
    data, name = unit_data(activations, summary.whose.astype(smallest(activations.values.shape[-1])))
    return go.Heatmap(
        **common,
        customdata=data,
        hovertemplate=f"<b>L%{{y}}.{name}</b><br>%{{x}}<br>activation %{{z}}<extra></extra>",
        zhoverformat=captions.HOVER,
        **diverging(colours, mode),
        colorbar=colour_bar("activation", colours, low=low),
    )


def _norms(activations: Activations, layer: int) -> Float[np.ndarray, "tokens heads"]:
    activations.layer(layer)
    return np.asarray(activations.head_norms()[activations.layers.index(layer)], dtype=np.float32)
