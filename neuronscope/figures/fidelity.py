"""How faithful a quantized model is, layer by layer: correlations of its neurons with those of the full model."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from neuronscope.analysis.fidelity import Fidelity
from neuronscope.figures import captions
from neuronscope.figures.theme import Mode, palette

_LABELLED = 12
"""The most layers whose correlations are written beside their marks."""


def layer_fidelity(report: Fidelity, *, mode: Mode = "light", height: int = 340) -> go.Figure:
    """Each layer's correlation of activations with the other precision's, from `Scope.fidelity`.

    A mark for all neurons and tokens of the layer together; a line from the 5th percentile of the neurons' own
    correlations to their median. The axis need not begin at 0, so these are marks, not bars. The table is
    `report.table`.
    """
    reduced, full = report.reduced, report.full
    title = f"Correlation with {full.precision}, layer by layer"
    if report.table.empty:
        return captions.empty("There is no layer to draw.", mode, title=title, height=height)
    figure = go.Figure([_spread(report, mode), _together(report, mode)])
    figure.update_layout(
        xaxis={"title": {"text": "layer"}, "showgrid": False, "zeroline": False, "tickformat": "d", **_ticks(report)},
        yaxis={"title": {"text": "correlation"}, "automargin": True, "zeroline": False, "range": _range(report)},
        showlegend=True,
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom"},
    )
    return captions.dress(
        figure,
        mode=mode,
        title=title,
        subtitle=" · ".join((reduced.model, f"{reduced.precision} against {full.precision}", _tokens(report))),
        meta={
            "kind": "fidelity",
            **captions.source_meta(reduced),
            "against": full.precision,
            "tokens": report.tokens,
        },
        height=height,
        headroom=22,
    )


def _tokens(report: Fidelity) -> str:
    return captions.count(report.tokens, "counted token")


def _spread(report: Fidelity, mode: Mode) -> go.Scatter:
    """A vertical line for each layer, from the 5th percentile of its neurons to their median."""
    table, colour = report.table, palette(mode).muted
    gap = np.full(len(table), np.nan)
    x = np.stack([table["layer"], table["layer"], gap], axis=1).ravel()
    y = np.stack([table["low_neuron"], table["median_neuron"], gap], axis=1).ravel()
    hover = "layer %{x}<br>%{y:.5f}<extra>5th percentile and median of the neurons</extra>"
    line = {"color": colour, "width": 2}
    marker = {"symbol": "line-ew", "size": 13, "line": {"width": 2, "color": colour}}
    name = "its neurons: 5th percentile to median"
    return go.Scatter(x=x, y=y, mode="lines+markers", line=line, marker=marker, name=name, hovertemplate=hover)


def _together(report: Fidelity, mode: Mode) -> go.Scatter:
    table, colours = report.table, palette(mode)
    values = table["correlation"].to_numpy(np.float64)
    few = len(table) <= _LABELLED
    return go.Scatter(
        x=table["layer"].to_numpy(np.int32),
        y=values,
        mode="markers+text" if few else "markers",
        text=[f"  {value:.4f}" for value in values] if few else None,
        textposition="middle right",
        textfont={"color": colours.muted, "size": 11},
        marker={"color": colours.series[0], "size": 10},
        name="all neurons of the layer",
        hovertemplate="layer %{x}<br>%{y:.6f}<extra>all neurons and tokens</extra>",
        cliponaxis=False,
    )


def _range(report: Fidelity) -> list[float]:
    """From a little below the lowest mark to a little above 1, the highest there can be."""
    table = report.table[["correlation", "median_neuron", "low_neuron"]].to_numpy(np.float64)
    lowest = float(np.nanmin(table)) if np.isfinite(table).any() else 0.0
    room = 0.08 * max(1 - lowest, 1e-6)
    return [lowest - room, 1 + room]


def _ticks(report: Fidelity) -> dict[str, Any]:
    """A whole number of layers between labels, and room at both ends."""
    layers = report.table["layer"].to_numpy()
    shown = layers[:: -(-len(layers) // 32)]
    ends = [float(layers[0]) - 0.5, float(layers[-1]) + 0.7]
    return {"tickmode": "array", "tickvals": shown, "ticktext": [str(n) for n in shown.tolist()], "range": ends}
