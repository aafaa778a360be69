"""One neuron's drift: its activations in the base and in a checkpoint, all of them and token by token."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from neuronscope.figures import captions
from neuronscope.figures.distributions import count_ticks, edges
from neuronscope.figures.drift_words import (
    dressed,
    drift_said,
    own_floor,
)
from neuronscope.figures.theme import Mode, palette, visible
from neuronscope.series.drift import Drift
from neuronscope.series.store import read
from neuronscope.vocabulary import Neuron

_LED = 4
"""Tokens before the one that a point of `drift_pairs` stands for, under the mouse."""


def drift_neuron(
    drift: Drift, neuron: Neuron, checkpoint: str | int, *, mode: Mode = "light", height: int = 320
) -> go.Figure:
    """How a neuron's activations on the sampled tokens are distributed in the base and in a checkpoint: same bins."""
    after, own = drift.checkpoint(checkpoint).label, palette(mode)
    table = drift_neuron_table(drift, neuron, checkpoint)
    centre = ((table["low"] + table["high"]) / 2).to_numpy(np.float32)
    figure = go.Figure()
    figure.add_bar(
        x=centre,
        y=table["before"].to_numpy(np.int32),
        width=(table["high"] - table["low"]).to_numpy(np.float32),
        name="base",
        marker={"color": own.muted, "opacity": 0.45, "line": {"width": 0}},
        customdata=_bins(table),
        hovertemplate="%{customdata}<extra></extra>",
    )
    figure.add_scatter(
        x=np.append(table["low"], table["high"].iloc[-1]).astype(np.float32),
        y=np.append(np.maximum(table["after"], 0.5), 0.5).astype(np.float32),
        name=captions.plain(after),
        mode="lines",
        line={"shape": "hv", "color": own.series[1], "width": 2},
        hoverinfo="skip",
    )
    most = int(max(table["before"].max(), table["after"].max()))
    figure.update_layout(
        bargap=0,
        xaxis={"title": {"text": "activation"}, "zeroline": True, "zerolinecolor": own.muted},
        yaxis={
            "title": {"text": "tokens (log scale)"},
            "type": "log",
            "range": [np.log10(0.5), np.log10(most * 1.6)],
            **count_ticks(most),
        },
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
    )
    return dressed(
        figure,
        drift,
        "drift_neuron",
        mode=mode,
        title=f"{neuron}, base and {after}",
        notes=[drift_said(drift, neuron, checkpoint), *own_floor(drift, neuron, checkpoint)],
        sampled=int(table["before"].sum()),
        height=height,
        headroom=18,
        neuron=str(neuron),
        checkpoint=after,
    )


def drift_neuron_table(drift: Drift, neuron: Neuron, checkpoint: str | int, bins: int = 60) -> pd.DataFrame:
    """What `drift_neuron` draws: of each bin its edges and how many tokens fall into it, before and after."""
    both = drift.paired(neuron, checkpoint).astype(np.float64)
    ends = edges(both.ravel(), bins)
    counts = [np.histogram(np.clip(values, ends[0], ends[-1]), ends)[0] for values in both]
    return pd.DataFrame({"low": ends[:-1], "high": ends[1:], "before": counts[0], "after": counts[1]})


def _bins(table: pd.DataFrame) -> list[str]:
    number = captions.figure_of
    return [
        f"{number(row['low'])} to {number(row['high'])}<br>base: {row['before']:.0f} tokens<br>"
        f"after: {row['after']:.0f} tokens"
        for row in table.to_dict("records")
    ]


def drift_pairs(
    drift: Drift, neuron: Neuron, checkpoint: str | int, *, mode: Mode = "light", webgl: bool = True, height: int = 460
) -> go.Figure:
    """A neuron's activation on each sampled token, in the base and in a checkpoint; on the line nothing changed.

    Without `webgl` the browser draws the points without the graphics card.
    """
    after, own = drift.checkpoint(checkpoint).label, palette(mode)
    before, now = drift.paired(neuron, checkpoint)
    low, high = float(min(before.min(), now.min())), float(max(before.max(), now.max()))
    edge = 0.04 * (high - low) or 1.0
    span = [low - edge, high + edge]
    figure = go.Figure()
    figure.add_scatter(
        x=span,
        y=span,
        mode="lines",
        line={"color": own.muted, "width": 1, "dash": "dot"},
        name="the same",
        hoverinfo="skip",
    )
    kind = go.Scattergl if webgl else go.Scatter
    figure.add_trace(
        kind(
            x=before,
            y=now,
            mode="markers",
            marker={"size": 5, "color": own.series[0], "opacity": 0.45, "line": {"width": 0}},
            customdata=_tokens_said(drift, len(before)),
            name="tokens",
            xhoverformat=captions.HOVER,
            yhoverformat=captions.HOVER,
            hovertemplate="%{customdata}<br>base %{x}<br>after %{y}<extra></extra>",
        )
    )
    axis = {"range": span, "zeroline": True, "zerolinecolor": own.muted}
    figure.update_layout(
        xaxis={**axis, "title": {"text": "activation in the base"}},
        yaxis={**axis, "title": {"text": f"in {captions.plain(after)}"}, "automargin": True},
    )
    return dressed(
        figure,
        drift,
        "drift_pairs",
        mode=mode,
        title=f"{neuron}, token by token",
        notes=[drift_said(drift, neuron, checkpoint), *own_floor(drift, neuron, checkpoint), "dotted: the same"],
        sampled=len(before),
        height=height,
        neuron=str(neuron),
        checkpoint=after,
    )


def drift_pairs_table(drift: Drift, neuron: Neuron, checkpoint: str | int) -> pd.DataFrame:
    """What `drift_pairs` draws: of each sampled token its position in the corpus, itself, and both activations."""
    before, after = drift.paired(neuron, checkpoint)
    positions = np.asarray(read(drift.folder, "sampled"))[: len(before)].astype(np.int64)
    tokens = [drift.corpus.display(int(token)) for token in drift.corpus.ids[positions]]
    return pd.DataFrame({"position": positions, "token": tokens, "before": before, "after": after})


def _tokens_said(drift: Drift, count: int) -> list[str]:
    """Each sampled token behind those that lead up to it."""
    corpus = drift.corpus
    positions = np.asarray(read(drift.folder, "sampled"))[:count].astype(np.int64)
    firsts = corpus.windows["first"].astype(np.int64)[corpus.window_of(positions)]
    return [
        _context(drift, max(position - _LED, first), position)
        for position, first in zip(positions.tolist(), firsts.tolist(), strict=True)
    ]


def _context(drift: Drift, first: int, position: int) -> str:
    *led, token = (visible(drift.corpus.display(int(one)), 24) for one in drift.corpus.ids[first : position + 1])
    return f"{''.join(led)}<b>{token}</b>"
