"""How values are distributed: the histogram of the activations of one neuron, or of many."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from jaxtyping import Float

from neuronscope.figures import captions
from neuronscope.figures.theme import Mode, palette
from neuronscope.vocabulary import Source

RUG = 20
"""How many of the strongest values are marked one by one."""


_SHORT = 200
"""Up to how high a count more than the powers of ten are labelled."""


def histogram(
    values: Float[np.ndarray, "*values"],
    *,
    bins: int = 60,
    marker: float | None = None,
    name: str = "",
    of: str = "activation",
    unit: str = "",
    source: Source | None = None,
    mode: Mode = "light",
    height: int = 300,
) -> go.Figure:
    """The distribution of some activations, of one neuron or of many: counts on a logarithmic scale, coloured by sign.

    No bin holds both signs: zero is an edge. Ticks below the axis mark the 20 values of largest magnitude; `marker`
    draws a line at one value, such as that of the token under the mouse. `name` says whose values they are, `of` what
    they are, in a word for one of them, and `unit` what they are counted in.
    """
    title = f"{of.capitalize()}s of {name}" if name else f"{of.capitalize()}s"
    finite = _finite(values)
    if not finite.size:
        return captions.empty("There are no values to count.", mode, title=title, height=height)
    table = histogram_table(values, bins)
    colours = palette(mode)
    centre = (table["low"] + table["high"]) / 2
    edges = table[["low", "high"]].itertuples(index=False)
    figure = go.Figure(
        go.Bar(
            x=centre.to_numpy(np.float32),
            y=table["count"].to_numpy(np.int32),
            width=(table["high"] - table["low"]).to_numpy(np.float32),
            customdata=[f"{captions.figure_of(low)} to {captions.figure_of(high)}" for low, high in edges],
            marker={"color": [colours.negative if c < 0 else colours.positive for c in centre], "line": {"width": 0}},
            hovertemplate="%{customdata}<br>%{y:,} values<extra></extra>",
        )
    )
    top = float(np.log10(table["count"].max() * 2))
    _rug(figure, finite, mode)
    figure.update_layout(
        bargap=0,
        xaxis={
            "anchor": "y2",
            "title": {"text": f"{of}, in {unit}" if unit else of},
            "zeroline": True,
            "zerolinewidth": 1,
            "zerolinecolor": colours.muted,
        },
        yaxis={
            "title": {"text": "count (log scale)"},
            "type": "log",
            "range": [np.log10(0.5), top],
            **count_ticks(int(table["count"].max())),
            "domain": [0.1, 1],
        },
        yaxis2={"visible": False, "range": [0, 1], "domain": [0, 0.07], "fixedrange": True},
    )
    if marker is not None:
        _marker(figure, marker, mode)
    dropped = values.size - finite.size
    return captions.dress(
        figure,
        mode=mode,
        title=title,
        subtitle=" · ".join(_subtitle(source, finite)),
        meta={
            "kind": "histogram",
            **captions.source_meta(source),
            "name": name,
            "n": int(finite.size),
            "marker": marker,
        },
        notes=[f"{captions.count(dropped, 'value')} not finite, left out"] if dropped else [],
        height=height,
    )


def histogram_table(values: Float[np.ndarray, "*values"], bins: int = 60) -> pd.DataFrame:
    """What `histogram` draws: a row per bin with its edges (`low` is in it, `high` in the next) and its count."""
    finite = _finite(values)
    ends = edges(finite, bins)
    # The outermost edge is a rounded multiple of the width: it may lie a hair inside the outermost value.
    counts, _ = np.histogram(np.clip(finite, ends[0], ends[-1]), ends)
    return pd.DataFrame({"low": ends[:-1], "high": ends[1:], "count": counts})


def count_ticks(most: int) -> dict[str, Any]:
    """Labels of a logarithmic axis of counts: 1, 2, 5, 10 … where it is short, else the powers of ten."""
    powers = 10 ** np.arange(int(np.log10(most)) + 1)
    ticks = [int(power * step) for power in powers for step in ((1, 2, 5) if most <= _SHORT else (1,))]
    shown = [tick for tick in ticks if tick <= most]
    return {"tickmode": "array", "tickvals": shown, "ticktext": [f"{tick:,}" for tick in shown]}


def _finite(values: Float[np.ndarray, "*values"]) -> Float[np.ndarray, " n"]:
    flat = np.asarray(values, dtype=np.float64).reshape(-1)
    return flat[np.isfinite(flat)]


def edges(finite: Float[np.ndarray, " n"], bins: int) -> Float[np.ndarray, " edges"]:
    """Edges of equal distance, one of them at zero where both signs occur."""
    if not finite.size:
        return np.array([0.0, 1.0])
    low, high = float(finite.min()), float(finite.max())
    if low == high:
        half = abs(low) / 20
        return np.array([low - half, low + half]) if low else np.array([0.0, 1.0])
    width = (high - low) / bins
    if low < 0 < high:
        first, last = np.floor(low / width), np.floor(high / width) + 1
        return np.asarray(np.arange(first, last + 1) * width)
    edges = np.linspace(low, high, bins + 1)
    return np.asarray(edges)


def _rug(figure: go.Figure, finite: Float[np.ndarray, " n"], mode: Mode) -> None:
    strongest = finite[np.argsort(-np.abs(finite), kind="stable")[:RUG]]
    colours = palette(mode)
    figure.add_scatter(
        x=strongest.astype(np.float32),
        y=np.full(len(strongest), 0.5, dtype=np.float32),
        yaxis="y2",
        mode="markers",
        marker={
            "symbol": "line-ns",
            "size": 9,
            "line": {"width": 1.2, "color": [colours.blues[3] if v < 0 else colours.oranges[3] for v in strongest]},
        },
        xhoverformat=captions.HOVER,
        hovertemplate="one of the strongest: %{x}<extra></extra>",
    )


def _marker(figure: go.Figure, marker: float, mode: Mode) -> None:
    colour = palette(mode).accent
    figure.add_vline(
        x=marker,
        line={"color": colour, "width": 2},
        annotation={"text": captions.figure_of(marker), "font": {"size": 11, "color": colour}, "yanchor": "bottom"},
        annotation_position="top",
    )


def _subtitle(source: Source | None, finite: Float[np.ndarray, " n"]) -> list[str]:
    above = float((finite > 0).mean())
    parts = [f"n = {finite.size:,}", f"{above:.1%} above 0", f"the {min(RUG, finite.size)} strongest marked below"]
    return [source.model, *parts, source.precision] if source else parts
