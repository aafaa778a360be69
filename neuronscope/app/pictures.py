"""The Text view's figures and their numbers: from a selection to what `figures` draws of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float

from neuronscope import figures
from neuronscope.analysis.comparison import Comparison, compare
from neuronscope.analysis.ranking import Ranking, rank
from neuronscope.analysis.statistics import LayerStatistics, layer_statistics
from neuronscope.app.asking import looked_at
from neuronscope.app.selection import Selection
from neuronscope.figures.axes import frame
from neuronscope.vocabulary import Activations

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from neuronscope.figures.theme import Mode

CELLS = 200_000
"""The most cells that one page of the heatmap holds, so that it stays below a megabyte on its way."""
WIDTH = 720
"""About how many pixels a plot is wide on a laptop: how dense its labels may stand."""
LAYERS = 8
"""The most layers that are drawn under each other at once."""


@dataclass(frozen=True)
class Page:
    """A page of a layer's units in their order."""

    number: int
    """Which, from 0."""
    count: int
    """How many there are."""
    start: int
    """The place of its first unit in the order."""
    stop: int
    """The place after its last."""
    total: int
    """How many units are paged through."""


def page_of(texts: list[Activations], selection: Selection) -> Page:
    """The page the selection asks for; the last one where there are fewer."""
    tokens, total = len(texts[0].tokens), int(texts[0].values.shape[-1])
    if 0 < selection.count < total:
        return Page(0, 1, 0, selection.count, selection.count)
    size = max(64, min(512, CELLS // max(tokens, 1)))
    count = -(-total // size)
    number = min(selection.page, count - 1)
    return Page(number, count, number * size, min((number + 1) * size, total), total)


def which_text(texts: list[Activations], selection: Selection) -> str:
    """Of two texts, which is looked at, in words; nothing where there is one."""
    return "" if len(texts) == 1 else "text B" if selection.of_second else "text A"


def _of(figure: go.Figure, texts: list[Activations], selection: Selection) -> go.Figure:
    """The figure, whose title says which of two texts it is of."""
    if which := which_text(texts, selection):
        figure.update_layout(meta={**figure.layout.meta, "title": f"{figure.layout.meta['title']} · {which}"})
    return figure


def overview(texts: list[Activations], selection: Selection, layer: int, mode: Mode) -> go.Figure:
    """Layers by tokens, with what is being looked at outlined."""
    activations = looked_at(texts, selection)
    figure = figures.overview(
        activations,
        measure=selection.measure,
        locked=selection.position,
        layer=layer,
        mode=mode,
        height=_OVERVIEW_ROOM + max(96, min(320, 20 * len(activations.layers))),
        width=WIDTH,
    )
    return _of(figure, texts, selection)


_OVERVIEW_ROOM = 84 + 58


def heat(texts: list[Activations], selection: Selection, layer: int, mode: Mode) -> go.Figure:
    """Tokens by units of one layer: of one text, or of two and their difference; of the heads their lengths first."""
    page = page_of(texts, selection)
    if compared(texts, selection):
        both = compare(*texts)
        return figures.difference(
            both,
            layer,
            neurons=_differing(both, selection, layer),
            start=page.start,
            stop=page.stop,
            locked=selection.position,
            mode=mode,
            width=WIDTH,
        )
    shown, locked = _side(texts, selection)
    if shown.heads and selection.count:
        return _of(figures.head_heatmap(shown, layer, locked=locked, mode=mode, width=WIDTH), texts, selection)
    figure = figures.heatmap(
        shown,
        layer,
        neurons=_ranked(shown, selection, layer),
        start=page.start,
        stop=page.stop,
        locked=locked,
        mode=mode,
        width=WIDTH,
    )
    return _of(figure, texts, selection)


def compared(texts: list[Activations], selection: Selection) -> bool:
    """Whether the difference of two texts is shown, rather than one of them."""
    return len(texts) == 2 and selection.side == "difference"


def _side(texts: list[Activations], selection: Selection) -> tuple[Activations, int | None]:
    """The text that is shown, and the locked position in it."""
    return looked_at(texts, selection), selection.position


def _ranked(activations: Activations, selection: Selection, layer: int) -> Ranking:
    return _rank(activations.layer(layer), activations.tokens.kept, selection)


def _differing(both: Comparison, selection: Selection, layer: int) -> Ranking:
    kept = both.a.tokens.kept[both.pairs[:, 0]] & both.b.tokens.kept[both.pairs[:, 1]]
    return _rank(both.difference[both.a.layers.index(layer)], kept, selection)


def _rank(
    values: Float[np.ndarray, "tokens neurons"], kept: Bool[np.ndarray, " tokens"], selection: Selection
) -> Ranking:
    """The chosen few in the order of the token they fire on; all of them in the order of the rule itself."""
    few = 0 < selection.count < values.shape[1]
    return rank(
        values, kept, rule=selection.rule, count=selection.count if few else None, order="token" if few else "rule"
    )


def layers(texts: list[Activations], selection: Selection, layer: int, mode: Mode) -> go.Figure:
    """Several layers under each other: all of them, or in a deep model those around the chosen one."""
    activations = looked_at(texts, selection)
    figure = figures.layers(
        activations,
        layers=_some_layers(activations, layer),
        scale=selection.scale,
        locked=selection.position,
        mode=mode,
        width=WIDTH,
    )
    return _of(figure, texts, selection)


def _some_layers(activations: Activations, layer: int) -> tuple[int, ...]:
    first = max(0, min(layer - LAYERS // 2, len(activations.layers) - LAYERS))
    return activations.layers[first : first + LAYERS]


def outlines(texts: list[Activations], selection: Selection, layer: int, mode: Mode) -> dict[str, list[Any]]:
    """The outlines in the plots of the open tab, by the plot's id: what is being looked at.

    They are those of the plots themselves, without drawing these: what only moves is there sooner.
    """
    shown, locked = _side(texts, selection)
    row = [] if locked is None else [frame("y", locked, mode)]
    if selection.tab == "layers":
        panels = range(1, len(_some_layers(shown, layer)) + 1)
        return {"text-layers": [] if locked is None else [frame("y", locked, mode, panel) for panel in panels]}
    if selection.tab != "neurons":
        return {}
    if compared(texts, selection):  # rows are pairs of tokens, of which not all are drawn
        row = [shape.to_plotly_json() for shape in heat(texts, selection, layer, mode).layout.shapes]
    column = [] if locked is None else [frame("x", locked, mode)]
    return {
        "text-overview": [*column, frame("y", shown.layers.index(layer), mode)],
        "text-heat": row,
    }


def statistics(found: LayerStatistics, texts: list[Activations], selection: Selection, mode: Mode) -> go.Figure:
    """One statistic of every layer."""
    return _of(figures.layer_statistics(found, selection.statistic, mode=mode), texts, selection)


def numbers(name: str, texts: list[Activations], selection: Selection, layer: int) -> pd.DataFrame:
    """What the plot called `name` shows, as a table with all it takes to draw it again."""
    first = looked_at(texts, selection)
    if name == "text-overview":
        return figures.overview_table(first, selection.measure)
    if name == "text-statistics":
        return layer_statistics(first).table
    if name == "text-layers":
        return figures.layers_table(first, layers=_some_layers(first, layer))
    page = page_of(texts, selection)
    if compared(texts, selection):
        both = compare(*texts)
        return figures.difference_table(both, layer, _differing(both, selection, layer), page.start, page.stop)
    shown, _ = _side(texts, selection)
    if shown.heads and selection.count:
        return figures.head_table(shown, layer)
    return figures.heatmap_table(shown, layer, _ranked(shown, selection, layer), page.start, page.stop)
