"""The heatmap of one layer: every token of a text against the units of the layer.

Colours are symmetric about zero and stop at the 99.9th percentile of the magnitudes at the tokens that count; the first
token and special ones are drawn, but their huge values would blank the rest. A click on a cell tells its token and unit
through `clicked`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from jaxtyping import Int

from neuronscope import export
from neuronscope.analysis.ranking import rank
from neuronscope.figures import captions
from neuronscope.figures.axes import outline, places, token_axis, unit_axis
from neuronscope.figures.colours import Limit, colour_bar, colour_limit, diverging
from neuronscope.figures.grid import Choice, Columns, Pooled, columns, pooled
from neuronscope.figures.theme import Mode
from neuronscope.vocabulary import Activations, Site


def heatmap(
    activations: Activations,
    layer: int,
    *,
    neurons: Choice | None = None,
    start: int = 0,
    stop: int | None = None,
    limit: float | None = None,
    locked: int | None = None,
    mode: Mode = "light",
    height: int | None = None,
    width: int = 960,
) -> go.Figure:
    """Tokens from top to bottom, units of one layer from left to right under their true numbers.

    `neurons` says which: a ranking or numbers, in their order; "all" for every one in index order; by default the 64
    with the largest |activation|, ordered by the token they fire on. `start` and `stop` cut a page out of that order.
    More than 1,024 share columns, each of which shows its strongest unit and says which it is. `limit` sets where
    colours stop; `locked` outlines a token. `width` is about how wide the figure will be, for the density of labels.
    Raises `NoSuchLayer` or `NoSuchNeuron`.
    """
    values = activations.layer(layer)
    kept = activations.tokens.kept
    if not values.size:
        return captions.empty("There are no tokens to draw.", mode)
    chosen = columns(activations, rank(values, kept) if neurons is None else neurons, start, stop)
    if not chosen.wide:
        return captions.empty(f"No {captions.unit(activations.site)} of layer {layer} is chosen.", mode)
    grid = pooled(values, chosen)
    paged = len(chosen.units) < len(chosen.whole)
    colours = colour_limit(grid.values, kept, limit, basis=values[:, chosen.whole] if paged else None)
    height = height or fitting_height(len(kept))
    figure = go.Figure(cells(activations, layer, chosen, grid, colours, mode))
    captions.lay_out(figure, xaxis=unit_axis(activations, chosen, width - 2 * captions.SIDE))
    token_axis(figure, activations.tokens, "y", height - captions.TOP - captions.BOTTOM)
    if locked is not None:
        outline(figure, "y", locked, mode)
    return captions.dress(
        figure,
        mode=mode,
        title=chosen.title(captions.unit(activations.site)),
        subtitle=captions.subtitle(activations, f"layer {layer}"),
        meta=captions.provenance(
            activations, "heatmap", layer=layer, shown=len(chosen.units), pool=chosen.pool, limit=colours.value
        ),
        notes=colours.notes,
        height=height,
    )


def heatmap_table(
    activations: Activations, layer: int, neurons: Choice | None = None, start: int = 0, stop: int | None = None
) -> pd.DataFrame:
    """What `heatmap` draws, unpooled: one row per token, one column per unit under its name, such as `L6.N12`."""
    values = activations.layer(layer)
    choice = rank(values, activations.tokens.kept) if neurons is None else neurons
    chosen = columns(activations, choice, start, stop)
    names = [captions.unit_name(activations, layer, index) for index in chosen.units.tolist()]
    drawn = pd.DataFrame(values[:, chosen.units], columns=names)
    return pd.concat([token_columns(activations), drawn], axis=1)


def clicked(point: Mapping[str, Any]) -> tuple[int, int]:
    """The token position and the unit's number of a point that Plotly reports for a heatmap, such as a clicked one."""
    data = point["customdata"]
    # Where a cell carries several numbers, the page sends them as an object with the keys "0", "1" …
    first = data["0"] if isinstance(data, Mapping) else data[0] if isinstance(data, list | tuple) else data
    return int(point["y"]), int(first)


def cells(
    activations: Activations,
    layer: int,
    chosen: Columns,
    grid: Pooled,
    colours: Limit,
    mode: Mode,
    value: str = "activation",
) -> go.Heatmap:
    """The trace of one layer: colours, the number of each cell's unit, and what it says under the mouse.

    `value` says what the numbers are.
    """
    x0, dx = places(chosen)
    tokens, wide = grid.values.shape
    data, name = unit_data(activations, grid.whose)
    strongest = f"<br>strongest of {chosen.pool} in this column" if chosen.pool > 1 else ""
    return go.Heatmap(
        z=np.ascontiguousarray(grid.values),
        x0=x0,
        dx=dx,
        y0=0,
        dy=1,
        customdata=data,
        hovertemplate=f"<b>L{layer}.{name}</b>{strongest}<br>%{{y}}<br>{value} %{{z}}<extra></extra>",
        zhoverformat=captions.HOVER,
        xgap=1 if wide <= 160 else 0,
        ygap=1 if tokens <= 64 else 0,
        **diverging(colours, mode),
        colorbar=colour_bar(value, colours),
    )


def unit_data(activations: Activations, whose: Int[np.ndarray, "tokens columns"]) -> tuple[np.ndarray, str]:
    """What each cell carries, and how its unit's name is written from it: a head's unit needs three numbers."""
    if activations.heads:
        head, dimension = np.divmod(whose, activations.values.shape[-1] // activations.heads)
        return np.stack([whose, head, dimension], axis=-1).astype(whose.dtype), "H%{customdata[1]}.%{customdata[2]}"
    return whose, ("D" if activations.site is Site.RESIDUAL else "N") + "%{customdata}"


def fitting_height(tokens: int) -> int:
    """How many pixels high a heatmap of so many tokens is best."""
    return captions.TOP + captions.BOTTOM + max(150, min(480, 22 * tokens), min(640, 12 * tokens))


def token_columns(activations: Activations) -> pd.DataFrame:
    """What stands before the numbers in every table with a row per token: the columns of `export`."""
    return pd.DataFrame(export.token_columns(activations.tokens))
