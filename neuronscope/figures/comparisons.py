"""Heatmaps beside each other: several layers on one text, and one layer on two texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from jaxtyping import Bool

from neuronscope.analysis.comparison import Comparison
from neuronscope.analysis.ranking import rank
from neuronscope.errors import InputError
from neuronscope.figures import captions
from neuronscope.figures.axes import LABEL, covered_axis, density, outline, token_axis, unit_axis
from neuronscope.figures.colours import Limit, colour_limit
from neuronscope.figures.grid import Choice, Columns, Pooled, columns, pooled
from neuronscope.figures.heatmaps import cells, fitting_height, token_columns
from neuronscope.figures.theme import Mode, palette, visible
from neuronscope.vocabulary import Activations

BEFORE = 2
"""How many rows of a difference are drawn before the first that differs."""
GAP = 64
"""Pixels between two panels: for the axis of the one above and the title of the one below."""


def layers(
    activations: Activations,
    *,
    layers: Sequence[int] | None = None,
    scale: str = "shared",
    neurons: Mapping[int, Choice] | None = None,
    count: int = 32,
    limit: float | None = None,
    locked: int | None = None,
    mode: Mode = "light",
    width: int = 960,
) -> go.Figure:
    """The heatmaps of several layers under each other, each of its `count` strongest units or those of `neurons`.

    With `scale="shared"` one colour scale holds for all; with "layer" each has its own, and says how far it reaches.
    Raises `NoSuchLayer`, `NoSuchNeuron`, or `InputError` for a scale there is not.
    """
    if scale not in ("shared", "layer"):
        raise InputError(f"No scale {scale!r}: choose shared (one for all) or layer (one for each).")
    numbers = tuple(activations.layers if layers is None else layers)
    kept = activations.tokens.kept
    if not numbers or not len(kept):
        return captions.empty("No layer is chosen.", mode)
    shared = scale == "shared"
    grids = [_grid(activations, layer, (neurons or {}).get(layer), count) for layer in numbers]
    every = colour_limit(np.concatenate([grid.values for _, grid in grids], axis=1), kept, limit)
    room = max(110, min(240, 14 * len(kept)))
    whole = len(grids) * room + (len(grids) - 1) * GAP
    figure = go.Figure()
    for i, (layer, (chosen, grid)) in enumerate(zip(numbers, grids, strict=True)):
        colours = every if shared else colour_limit(grid.values, kept, limit)
        place = _Place(i + 1, 1 - i * (room + GAP) / whole, room, whole, last=i + 1 == len(grids))
        _draw(figure, activations, _Panel(layer, chosen, grid, colours, shared), place, mode, width)
        if locked is not None:
            outline(figure, "y", locked, mode, i + 1)
    scales = "one colour scale for all" if shared else "a colour scale for each"
    return captions.dress(
        figure,
        mode=mode,
        title=f"{captions.count(len(grids), 'layer')}, {scales}",
        subtitle=captions.subtitle(activations, "layers " + ", ".join(map(str, numbers))),
        meta=captions.provenance(
            activations, "layers", drawn=list(numbers), scale=scale, limit=every.value if shared else None
        ),
        notes=every.notes if shared else every.basis,
        height=captions.TOP + captions.BOTTOM + whole,
        headroom=18,
    )


def layers_table(
    activations: Activations,
    *,
    layers: Sequence[int] | None = None,
    neurons: Mapping[int, Choice] | None = None,
    count: int = 32,
) -> pd.DataFrame:
    """What `layers` draws: one row per token, and for each layer one column per unit, such as `L6.N12`."""
    parts = [token_columns(activations)]
    for layer in activations.layers if layers is None else layers:
        chosen, _ = _grid(activations, layer, (neurons or {}).get(layer), count)
        names = [captions.unit_name(activations, layer, index) for index in chosen.units.tolist()]
        parts.append(pd.DataFrame(activations.layer(layer)[:, chosen.units], columns=names))
    return pd.concat(parts, axis=1)


def difference(
    comparison: Comparison,
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
    """Activation on text B minus activation on text A, for the tokens that correspond: one row per pair.

    Of the tokens up to which both texts are the same, so that nothing differs, the last two are drawn; how far that
    goes is said. A row is labelled by both tokens where they differ. By default the 64 units that differ most. `locked`
    is a position in A. A clicked point's `y` counts rows: its positions are `comparison.pairs[y]`. Raises `NoSuchLayer`
    or `NoSuchNeuron`.
    """
    a, kept = comparison.a, _kept(comparison)
    a.layer(layer)
    values = comparison.difference[a.layers.index(layer)]
    title = "Difference, B − A"
    if comparison.identical == len(values):
        return captions.empty(_nothing_differs(comparison), mode, title=title)
    chosen = columns(a, rank(values, kept) if neurons is None else neurons, start, stop)
    if not chosen.wide:
        return captions.empty(f"No {captions.unit(a.site)} of layer {layer} is chosen.", mode, title=title)
    top = max(0, comparison.identical - BEFORE)
    grid = pooled(values[top:], chosen)
    paged = len(chosen.units) < len(chosen.whole)
    colours = colour_limit(grid.values, kept[top:], limit, basis=values[top:, chosen.whole] if paged else None)
    height = height or fitting_height(len(values) - top)
    figure = go.Figure(cells(a, layer, chosen, grid, colours, mode, value="B − A").update(y0=top))
    captions.lay_out(figure, xaxis=unit_axis(a, chosen, width - 2 * captions.SIDE))
    _pair_axis(figure, comparison, kept, height - captions.TOP - captions.BOTTOM, top)
    for row in np.flatnonzero(comparison.pairs[:, 0] == locked) if locked is not None else ():
        if row >= top:
            outline(figure, "y", int(row), mode)
    pairs = captions.counted("token pair", len(values), int(kept.sum()))
    shape = f"{pairs} × {captions.size(a)}"
    windows = captions.windowed(a.window or comparison.b.window)
    return captions.dress(
        figure,
        mode=mode,
        title=f"{title} · {chosen.title(captions.unit(a.site))}",
        subtitle=" · ".join((_whose(comparison), f"layer {layer}", str(a.site), shape, *windows, a.source.precision)),
        meta=captions.provenance(
            a, "difference", layer=layer, pairs=len(values), shown=len(chosen.units), limit=colours.value
        ),
        notes=[*_identical(comparison), *_unpaired(comparison), *colours.notes],
        height=height,
    )


def difference_table(
    comparison: Comparison, layer: int, neurons: Choice | None = None, start: int = 0, stop: int | None = None
) -> pd.DataFrame:
    """What `difference` draws, unpooled: one row per pair of tokens, one column per unit, such as `L6.N12`.

    The pairs before the first that differs, which are not drawn, have their rows too.
    """
    a, b = comparison.a, comparison.b
    a.layer(layer)
    values = comparison.difference[a.layers.index(layer)]
    chosen = columns(a, rank(values, _kept(comparison)) if neurons is None else neurons, start, stop)
    names = [captions.unit_name(a, layer, index) for index in chosen.units.tolist()]
    at_a, at_b = comparison.pairs.T.tolist() if len(values) else ([], [])
    tokens = {
        "position_a": at_a,
        "position_b": at_b,
        "token_a": [a.tokens.display[i] for i in at_a],
        "token_b": [b.tokens.display[i] for i in at_b],
        "kept": _kept(comparison),
    }
    return pd.concat([pd.DataFrame(tokens), pd.DataFrame(values[:, chosen.units], columns=names)], axis=1)


@dataclass(frozen=True, eq=False)
class _Panel:
    """One of several heatmaps."""

    layer: int
    """Its layer."""
    chosen: Columns
    """Its columns."""
    grid: Pooled
    """Its numbers."""
    colours: Limit
    """Where its colours stop."""
    shared: bool
    """Whether the other panels have the same colours."""


@dataclass(frozen=True)
class _Place:
    """Where a panel stands."""

    number: int
    """From 1, top to bottom."""
    top: float
    """Its upper edge, as a share of the whole height from below."""
    room: int
    """Its height in pixels."""
    whole: int
    """The height of all panels with their gaps, in pixels."""
    last: bool
    """Whether it is the lowest."""


def _grid(activations: Activations, layer: int, choice: Choice | None, count: int) -> tuple[Columns, Pooled]:
    values = activations.layer(layer)
    chosen = columns(activations, rank(values, activations.tokens.kept, count=count) if choice is None else choice)
    return chosen, pooled(values, chosen)


def _draw(figure: go.Figure, activations: Activations, panel: _Panel, place: _Place, mode: Mode, width: int) -> None:
    number = "" if place.number == 1 else str(place.number)
    trace = cells(activations, panel.layer, panel.chosen, panel.grid, panel.colours, mode)
    bar = {"lenmode": "pixels", "len": min(place.whole, 420) if panel.shared else place.room, "y": place.top}
    trace.update(
        xaxis=f"x{number}",
        yaxis=f"y{number}",
        showscale=not panel.shared or place.number == 1,
        colorbar={**bar, "yanchor": "top"},
        ygap=1 if place.room >= 7 * len(activations.tokens) else 0,
    )
    figure.add_trace(trace)
    axis = unit_axis(activations, panel.chosen, width - 2 * captions.SIDE)
    if not place.last:
        axis["title"] = {"text": ""}
    captions.lay_out(figure, **{f"xaxis{number}": {**axis, "anchor": f"y{number}"}})
    token_axis(figure, activations.tokens, "y", place.room, place.number)
    domain = [max(0.0, place.top - place.room / place.whole), place.top]
    captions.lay_out(figure, **{f"yaxis{number}": {"domain": domain, "anchor": f"x{number}"}})
    words = [f"layer {panel.layer}: {panel.chosen.title(captions.unit(activations.site))}"]
    if not panel.shared:
        words += panel.colours.edge or [f"colours to ±{captions.figure_of(panel.colours.value)}"]
    figure.add_annotation(
        text=captions.plain(" · ".join(words)),
        x=0,
        y=place.top,
        xref="paper",
        yref="paper",
        xanchor="left",
        yanchor="bottom",
        yshift=2,
        showarrow=False,
        font={"size": 11, "color": palette(mode).ink},
    )


def _kept(comparison: Comparison) -> Bool[np.ndarray, " pairs"]:
    at_a, at_b = comparison.pairs[:, 0], comparison.pairs[:, 1]
    return np.asarray(comparison.a.tokens.kept[at_a] & comparison.b.tokens.kept[at_b])


def _pair_axis(
    figure: go.Figure, comparison: Comparison, kept: Bool[np.ndarray, " pairs"], room: int, top: int
) -> None:
    hover, labels = [], {}
    font, step = density(len(kept) - top, room, lines=1.25)
    for row, (at_a, at_b) in enumerate(comparison.pairs.tolist()):
        a, b = comparison.a.tokens, comparison.b.tokens
        same = a.ids[at_a] == b.ids[at_b]
        whole = visible(a.display[at_a]) + ("" if same else f" → {visible(b.display[at_b])}")
        hover.append(f"{whole}<br>position {at_a} in A, {at_b} in B" + ("" if kept[row] else "<br>not counted"))
        pair = f"{visible(a.display[at_a], 11)} → {visible(b.display[at_b], 11)}"
        short = visible(a.display[at_a], LABEL) if same else pair
        if row >= top and (row - top) % step == 0:
            labels[row] = short if kept[row] else f"<i>{short}</i>"
    covered_axis(figure, "y", hover, labels, font, start=top)


def _identical(comparison: Comparison) -> list[str]:
    """Up to which token the two texts are the same."""
    if not comparison.identical:
        return []
    last = int(comparison.pairs[comparison.identical - 1, 0])
    return [f"identical up to token {last}, {comparison.a.tokens.display[last]}"]


def _whose(comparison: Comparison) -> str:
    """The model, or the two that are compared."""
    a, b = comparison.a.source.model, comparison.b.source.model
    return f"A {a}, B {b}" if comparison.models else a


def _nothing_differs(comparison: Comparison) -> str:
    """Why there is no difference to draw."""
    if not len(comparison.pairs):
        return "No token of one text corresponds to one of the other."
    rest = "; ".join(_unpaired(comparison))
    if not rest and comparison.models:
        return "Both models do the same on this text, so nothing differs."
    if not rest:
        return "Both texts are the same, so nothing differs."
    same = captions.count(len(comparison.pairs), "token")
    return f"Both texts begin with the same {same}, on which nothing differs ({rest})."


def _unpaired(comparison: Comparison) -> list[str]:
    a, b = len(comparison.unpaired_a), len(comparison.unpaired_b)
    if not a + b:
        return []
    return [f"left out, without counterpart: {captions.count(a, 'token')} of A, {captions.count(b, 'token')} of B"]
