"""What a neuron does over a whole corpus: its histogram as the index counted it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from neuronscope.figures import captions
from neuronscope.figures.theme import Mode, palette
from neuronscope.vocabulary import Histogram, Source


def corpus_histogram(
    counted: Histogram,
    low: float,
    high: float,
    *,
    marker: float | None = None,
    name: str = "",
    source: Source,
    corpus: str,
    mode: Mode = "light",
    height: int = 300,
) -> go.Figure:
    """How a neuron's activations are distributed over a corpus, on a logarithmic scale, coloured by sign.

    The index counts in bins that widen with the distance from zero, so a bar's height is its share of the tokens for
    each unit of activation: areas are shares. `low` and `high` are the neuron's extremes, at which the outermost bars
    end; `marker` draws a line at one value; `corpus` says in words what was counted.
    """
    title = f"{name} over the corpus" if name else "Activations over the corpus"
    table = corpus_histogram_table(counted, low, high)
    if table.empty:
        return captions.empty("No token of this corpus has been counted yet.", mode, title=title, height=height)
    colours = palette(mode)
    centre = ((table["low"] + table["high"]) / 2).to_numpy()
    edges = table[["low", "high"]].itertuples(index=False)
    said = [
        f"{captions.figure_of(a)} to {captions.figure_of(b)}<br>{count:,} of {counted.tokens:,} tokens"
        for (a, b), count in zip(edges, table["count"], strict=True)
    ]
    figure = go.Figure(
        go.Bar(
            x=centre.astype(np.float32),
            y=table["density"].to_numpy(np.float32),
            width=(table["high"] - table["low"]).to_numpy(np.float32),
            customdata=said,
            marker={"color": [colours.negative if c < 0 else colours.positive for c in centre], "line": {"width": 0}},
            hovertemplate="%{customdata}<extra></extra>",
        )
    )
    bottom, top = np.log10(table["density"].min() / 3), np.log10(table["density"].max() * 2)
    figure.update_layout(
        bargap=0,
        showlegend=False,
        xaxis={"title": {"text": "activation"}, "zeroline": False},
        yaxis={
            "title": {"text": "share per unit (log scale)"},
            "type": "log",
            "range": [bottom, top],
            "dtick": 1,
            "exponentformat": "power",
        },
    )
    if marker is not None:
        _marker(figure, marker, mode)
    return captions.dress(
        figure,
        mode=mode,
        title=title,
        subtitle=f"{source.model} · {corpus} · {counted.tokens:,} tokens drawn by hash · {source.precision}",
        meta={"kind": "corpus histogram", **captions.source_meta(source), "name": name, "n": counted.tokens},
        height=height,
    )


def corpus_histogram_table(counted: Histogram, low: float, high: float) -> pd.DataFrame:
    """What `corpus_histogram` draws: for each bin that holds a token its edges, its count, share and density."""
    edges, counts = np.asarray(counted.edges, np.float64), np.asarray(counted.counts)
    filled = np.flatnonzero(counts)
    starts, stops = edges[filled], edges[filled + 1]
    if len(filled):
        # The outermost bins take all that is beyond their nominal edges, and the neuron's own range may end within one.
        starts[0] = low if low < stops[0] else starts[0]
        stops[-1] = high if high > starts[-1] else stops[-1]
    stops = np.maximum(stops, starts + np.spacing(np.abs(starts)) + 1e-9)  # a neuron that takes one value alone
    share = counts[filled] / max(counted.tokens, 1)
    return pd.DataFrame(
        {"low": starts, "high": stops, "count": counts[filled], "share": share, "density": share / (stops - starts)}
    )


def _marker(figure: go.Figure, marker: float, mode: Mode) -> None:
    colour = palette(mode).accent
    figure.add_vline(
        x=marker,
        line={"color": colour, "width": 2},
        annotation={"text": captions.figure_of(marker), "font": {"size": 11, "color": colour}, "yanchor": "bottom"},
        annotation_position="top",
    )
