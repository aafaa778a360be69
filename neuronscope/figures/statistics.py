"""Every layer's statistics, one measure at a time: bars for counts and shares, a line for activations."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from neuronscope.analysis.statistics import LayerStatistics
from neuronscope.errors import InputError
from neuronscope.figures import captions
from neuronscope.figures.axes import first_to_last
from neuronscope.figures.theme import Mode, palette
from neuronscope.vocabulary import Site

STATISTICS: dict[str, str] = {
    "mean": "Mean activation ± standard deviation",
    "std": "Standard deviation of the activations",
    "mean_abs": "Mean |activation|",
    "min": "Smallest activation",
    "max": "Largest activation",
    "active": "Share of activations above 0",
    "sparsity": "Sparsity (Treves-Rolls): 1 where all tokens excite a unit alike, near 0 where few do",
    "silent": "Units never above 0 on this text",
    "constant": "Units that do not vary on this text",
}
"""The measures that `layer_statistics` draws, as a person would say them."""

_BARS = {"active", "sparsity", "silent", "constant"}


def layer_statistics(
    statistics: LayerStatistics, measure: str = "mean_abs", *, mode: Mode = "light", height: int = 320
) -> go.Figure:
    """One measure of every layer, from `analysis.statistics.layer_statistics`; its table is `statistics.table`.

    Raises:
        InputError: for a measure that does not exist.
    """
    if measure not in STATISTICS:
        raise InputError(f"No measure {measure!r} of layers: choose one of {', '.join(STATISTICS)}.")
    word = captions.unit(Site.of(statistics.site))
    title = STATISTICS[measure].replace("Units", f"{word.capitalize()}s").replace("unit", word)
    table, source = statistics.table, statistics.source
    if table.empty:
        return captions.empty("There is no layer to draw.", mode, title=title, height=height)
    tokens, units = int(table["tokens"].iloc[0]), int(table["neurons"].iloc[0])
    figure = go.Figure(_trace(statistics, measure, mode))
    figure.update_layout(
        xaxis={"title": {"text": "layer"}, "showgrid": False, "zeroline": False, "tickformat": "d", **_ticks(table)},
        yaxis={"rangemode": "tozero", "zeroline": True, "automargin": True},
        bargap=0.35,
    )
    if measure == "active":
        figure.update_layout(yaxis={"tickformat": ".0%"})
    shape = f"{captions.count(tokens, 'counted token')} × {captions.count(units, word)}"
    windows = captions.windowed(statistics.window)
    return captions.dress(
        figure,
        mode=mode,
        title=title,
        subtitle=" · ".join((source.model, statistics.site, shape, *windows, source.precision)),
        meta={
            "kind": "layer_statistics",
            **captions.source_meta(source),
            "site": statistics.site,
            "measure": measure,
            "tokens": tokens,
            "units": units,
        },
        height=height,
    )


def _ticks(table: Any) -> dict[str, Any]:
    """A whole number of layers between labels."""
    layers = table["layer"].to_numpy()
    shown = layers[first_to_last(len(layers), -(-len(layers) // 32))]
    return {"tickmode": "array", "tickvals": shown, "ticktext": [str(layer) for layer in shown.tolist()]}


def _trace(statistics: LayerStatistics, measure: str, mode: Mode) -> go.Bar | go.Scatter:
    table, colours = statistics.table, palette(mode)
    x, y = table["layer"].to_numpy(np.int32), table[measure].to_numpy(np.float32)
    form = ",d" if measure in ("silent", "constant") else ".1%" if measure == "active" else ".4g"
    hover = {"yhoverformat": form, "hovertemplate": "layer %{x}<br>%{y}<extra></extra>"}
    if measure in _BARS:
        return go.Bar(x=x, y=y, marker={"color": colours.series[0], "line": {"width": 0}}, **hover)
    trace = go.Scatter(
        x=x,
        y=y,
        mode="lines+markers",
        line={"color": colours.series[0], "width": 2},
        marker={"size": 7},
        **hover,
    )
    if measure == "mean":
        spread = table["std"].to_numpy(np.float32)
        trace.update(
            error_y={"array": spread, "color": colours.muted, "thickness": 1, "width": 3},
            customdata=spread,
            hovertemplate="layer %{x}<br>mean %{y}<br>standard deviation %{customdata:.4g}<extra></extra>",
        )
    return trace
