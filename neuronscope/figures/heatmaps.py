"""Heatmaps of one text: every token against the units of a layer, and every layer against the tokens.

Colours are symmetric about zero and stop at the 99.9th percentile of the magnitudes at the tokens that count; the first
token and special ones are drawn, but their huge values would blank the rest. A click on a cell tells its token and unit
through `clicked`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from jaxtyping import Float, Int

from neuronscope.analysis.ranking import rank
from neuronscope.figures import captions
from neuronscope.figures.axes import Along, layer_axis, places, token_axis, unit_axis
from neuronscope.figures.grid import Choice, Columns, Limit, colour_limit, columns, pooled, smallest
from neuronscope.figures.theme import Mode, palette
from neuronscope.vocabulary import Activations, Site

Measure = Literal["peak", "active"]


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
    chosen = columns(activations, rank(values, kept) if neurons is None else neurons, start, stop)
    if not len(activations.tokens) or not chosen.wide:
        return captions.empty(f"No {captions.unit(activations.site)} of layer {layer} is chosen.", mode)
    grid = pooled(values, chosen)
    paged = len(chosen.units) < len(chosen.whole)
    colours = colour_limit(grid.values, kept, limit, basis=values[:, chosen.whole] if paged else None)
    height = height or fitting_height(len(kept))
    figure = go.Figure(cells(activations, layer, chosen, grid.values, grid.whose, colours, mode))
    figure.update_layout(xaxis=unit_axis(activations, chosen, width - 2 * captions.SIDE))
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


def overview(
    activations: Activations,
    *,
    measure: Measure = "peak",
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
    units whose activation is above `threshold`. `layer` and `locked` outline what is being looked at.
    """
    if not activations.values.size:
        return captions.empty("There are no tokens or layers to draw.", mode)
    word = captions.unit(activations.site)
    values, whose = _overview(activations, measure, threshold)
    kept = activations.tokens.kept
    colours = colour_limit(values.T, kept, limit)
    trace = _overview_cells(activations, values, whose, colours, measure, threshold, mode)
    height = height or max(280, min(560, captions.TOP + captions.BOTTOM + 40 + 22 * len(values)))
    figure = go.Figure(trace)
    layer_axis(figure, activations.layers, height - captions.TOP - captions.BOTTOM - 40)
    token_axis(figure, activations.tokens, "x", width - 2 * captions.SIDE)
    if locked is not None:
        outline(figure, "x", locked, mode)
    if layer in activations.layers:
        outline(figure, "y", activations.layers.index(layer), mode)
    title = f"The strongest {word} of each layer" if measure == "peak" else f"How many {word}s are active in each layer"
    return captions.dress(
        figure,
        mode=mode,
        title=title,
        subtitle=captions.subtitle(activations, captions.count(len(values), "layer")),
        meta=captions.provenance(
            activations,
            "overview",
            measure=measure,
            limit=colours.value,
            **({"threshold": threshold} if measure == "active" else {}),
        ),
        notes=colours.notes,
        height=height,
    )


def overview_table(activations: Activations, measure: Measure = "peak", threshold: float = 0.0) -> pd.DataFrame:
    """What `overview` draws: one row per layer and token; for "peak" with the unit that has it."""
    values, whose = _overview(activations, measure, threshold)
    tokens = token_columns(activations)
    table = pd.concat([tokens.assign(layer=layer) for layer in activations.layers], ignore_index=True)
    name = "value" if measure == "peak" else "share"
    table[name] = values.reshape(-1)
    if measure == "peak":
        table[captions.unit(activations.site)] = whose.reshape(-1)
    return table[["layer", *(column for column in table.columns if column != "layer")]]


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
    values: Float[np.ndarray, "tokens columns"],
    whose: Int[np.ndarray, "tokens columns"],
    colours: Limit,
    mode: Mode,
) -> go.Heatmap:
    """The trace of one layer: colours, the number of each cell's unit, and what it says under the mouse."""
    x0, dx = places(chosen)
    tokens, wide = values.shape
    data, name = _customdata(activations, whose)
    strongest = f"<br>strongest of {chosen.pool} in this column" if chosen.pool > 1 else ""
    return go.Heatmap(
        z=np.ascontiguousarray(values, dtype=np.float32),
        x0=x0,
        dx=dx,
        y0=0,
        dy=1,
        customdata=data,
        hovertemplate=f"<b>L{layer}.{name}</b>{strongest}<br>%{{y}}<br>activation %{{z:.4g}}<extra></extra>",
        xgap=1 if wide <= 160 else 0,
        ygap=1 if tokens <= 64 else 0,
        **diverging(colours, mode),
        colorbar=colour_bar("activation", colours),
    )


def _customdata(activations: Activations, whose: Int[np.ndarray, "tokens columns"]) -> tuple[np.ndarray, str]:
    """What each cell carries, and how its unit's name is written from it: a head's unit needs three numbers."""
    if activations.heads:
        head, dimension = np.divmod(whose, activations.values.shape[-1] // activations.heads)
        return np.stack([whose, head, dimension], axis=-1).astype(whose.dtype), "H%{customdata[1]}.%{customdata[2]}"
    return whose, ("D" if activations.site is Site.RESIDUAL else "N") + "%{customdata}"


def diverging(colours: Limit, mode: Mode) -> dict[str, Any]:
    """The part of a heatmap that colours both signs, with zero as paper."""
    return {"colorscale": palette(mode).diverging, "zmin": -colours.value, "zmax": colours.value, "zmid": 0.0}


def colour_bar(title: str, colours: Limit, **more: Any) -> dict[str, Any]:
    """A colour bar over both signs, whose ends say so where values lie beyond them."""
    at = [-colours.value, -colours.value / 2, 0.0, colours.value / 2, colours.value]
    text = [captions.figure_of(value) for value in at]
    if colours.clipped:
        text[0], text[-1] = f"≤ {text[0]}", f"≥ {text[-1]}"
    return {
        "title": {"text": title, "side": "right"},
        "thickness": 10,
        "tickvals": at,
        "ticktext": text,
        "x": 1.01,
        "xanchor": "left",
        **more,
    }


def outline(figure: go.Figure, along: Along, place: int, mode: Mode) -> None:
    """Draw a frame round one row or column of the first panel: what the reader has chosen."""
    across = "y" if along == "x" else "x"
    figure.add_shape(
        type="rect",
        **{f"{along}ref": along, f"{along}0": place - 0.5, f"{along}1": place + 0.5},
        **{f"{across}ref": f"{across} domain", f"{across}0": 0, f"{across}1": 1},
        line={"color": palette(mode).accent, "width": 2},
    )


def fitting_height(tokens: int) -> int:
    """How many pixels high a heatmap of so many tokens is best."""
    return captions.TOP + captions.BOTTOM + max(150, min(560, 22 * tokens))


def token_columns(activations: Activations) -> pd.DataFrame:
    """What stands before the numbers in every table with a row per token."""
    tokens = activations.tokens
    return pd.DataFrame(
        {
            "position": np.arange(len(tokens)),
            "token": list(tokens.display),
            "id": tokens.ids,
            "special": tokens.special,
            "counted": tokens.kept,
        }
    )


def _overview(
    activations: Activations, measure: Measure, threshold: float
) -> tuple[Float[np.ndarray, "layers tokens"], Int[np.ndarray, "layers tokens"]]:
    values = activations.values
    whose = np.nan_to_num(np.abs(values), nan=0.0).argmax(axis=-1)
    if measure == "active":
        return (values > threshold).mean(axis=-1, dtype=np.float32), whose
    return np.take_along_axis(values, whose[..., None], axis=-1)[..., 0], whose


def _overview_cells(
    activations: Activations,
    values: Float[np.ndarray, "layers tokens"],
    whose: Int[np.ndarray, "layers tokens"],
    colours: Limit,
    measure: Measure,
    threshold: float,
    mode: Mode,
) -> go.Heatmap:
    data, name = _customdata(activations, whose.astype(smallest(activations.values.shape[-1])))
    common = {
        "z": np.ascontiguousarray(values, dtype=np.float32),
        "x0": 0,
        "dx": 1,
        "y0": 0,
        "dy": 1,
        "xgap": 1 if values.shape[1] <= 64 else 0,
        "ygap": 1,
    }
    if measure == "active":
        text = f"share with activation > {captions.figure_of(threshold)}"
        return go.Heatmap(
            **common,
            hovertemplate="<b>layer %{y}</b><br>%{x}<br>active %{z:.1%}<extra></extra>",
            colorscale=palette(mode).sequential,
            zmin=0,
            zmax=colours.value,
            colorbar={**colour_bar(text, colours), **_share_ticks(colours)},
        )
    return go.Heatmap(
        **common,
        customdata=data,
        hovertemplate=f"<b>L%{{y}}.{name}</b><br>%{{x}}<br>activation %{{z:.4g}}<extra></extra>",
        **diverging(colours, mode),
        colorbar=colour_bar("activation", colours),
    )


def _share_ticks(colours: Limit) -> dict[str, Any]:
    at = [0.0, colours.value / 2, colours.value]
    text = [f"{value:.1%}" for value in at]
    if colours.clipped:
        text[-1] = f"≥ {text[-1]}"
    return {"tickvals": at, "ticktext": text}
