"""Clusters of neurons as figures: how many there are, in which layers a group lies, and what it does on average."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from neuronscope.analysis.clustering import Curve, Profile
from neuronscope.figures import captions
from neuronscope.figures.distributions import edges, histogram
from neuronscope.figures.theme import Mode, palette
from neuronscope.vocabulary import Neuron, Source

_BINS = 48
_NONE = 0.5
"""Where a count of none is drawn on the logarithmic scale of counts: at its lower end."""


def cluster_choice(
    curve: Curve | None, *, source: Source | None = None, mode: Mode = "light", height: int = 330
) -> go.Figure:
    """How stable and how separate each number of clusters is, with the number that was chosen."""
    title = "How many clusters"
    if curve is None:
        return captions.empty("The number of clusters was given, so none was looked for.", mode, title=title)
    own = palette(mode)
    lines = (("stability (ARI)", curve.stability, own.series[0]), ("silhouette", curve.silhouette, own.series[1]))
    figure = go.Figure(
        [
            go.Scatter(
                x=np.array(curve.numbers, np.int32),
                y=np.array(values, np.float32),
                name=name,
                mode="lines+markers",
                line={"color": colour, "width": 2},
                marker={"size": 6, "symbol": "circle" if i == 0 else "diamond"},
                hovertemplate=f"k = %{{x}}<br>{name} %{{y:.3f}}<extra></extra>",
            )
            for i, (name, values, colour) in enumerate(lines)
        ]
    )
    figure.add_vline(x=curve.chosen, line={"color": own.accent, "width": 1.5, "dash": "dot"})
    figure.add_annotation(
        x=np.log10(curve.chosen), y=1, yref="paper", yanchor="top", xanchor="left", xshift=3,
        text=f"k = {curve.chosen}", showarrow=False, font={"color": own.accent, "size": 12},
    )  # fmt: skip
    marks = [k for k in curve.numbers if np.log2(k) % 1 == 0] or list(curve.numbers)
    figure.update_layout(
        xaxis={"type": "log", "title": {"text": "number of clusters k"}, "tickvals": marks, "ticktext": marks},
        yaxis={"rangemode": "tozero", "zeroline": True},
        showlegend=True,
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom"},
    )
    return captions.dress(
        figure,
        mode=mode,
        title=title,
        subtitle=curve.why,
        meta={"kind": "cluster_choice", **captions.source_meta(source), "chosen": curve.chosen},
        height=height,
        headroom=14,
    )


def cluster_layers(
    neurons: Sequence[Neuron],
    layers: int,
    *,
    name: str = "",
    source: Source | None = None,
    mode: Mode = "light",
    height: int = 260,
) -> go.Figure:
    """How many of a group's neurons lie in each of a model's `layers`."""
    title = f"Where {name or 'the group'} lies"
    if not neurons:
        return captions.empty("There is no neuron in it.", mode, title=title, height=height)
    counts = np.bincount([neuron.layer for neuron in neurons], minlength=layers).astype(np.int32)
    figure = go.Figure(
        go.Bar(
            x=np.arange(layers, dtype=np.int32),
            y=counts,
            marker={"color": palette(mode).series[0], "line": {"width": 0}},
            hovertemplate="layer %{x}<br>%{y} neurons<extra></extra>",
        )
    )
    figure.update_layout(
        xaxis={"title": {"text": "layer"}, "tickformat": "d", "dtick": max(1, -(-layers // 16)), "showgrid": False},
        yaxis={"rangemode": "tozero", "tickformat": "d", "automargin": True, "nticks": 5},
        bargap=0.35,
    )
    return captions.dress(
        figure,
        mode=mode,
        title=title,
        subtitle=f"{captions.count(len(neurons), 'neuron')} in {captions.count(int((counts > 0).sum()), 'layer')}",
        meta={"kind": "cluster_layers", **captions.source_meta(source), "neurons": len(neurons)},
        height=height,
    )


def cluster_profile(
    profile: Profile, *, name: str = "", source: Source | None = None, mode: Mode = "light", height: int = 300
) -> go.Figure:
    """How often a group is how active on random tokens, by the mean of its members' standardised activations.

    Bars are the group as it is, the line what its members would come to if each were active for itself.
    """
    figure = histogram(
        profile.together,
        bins=_BINS,
        name=name or "the group",
        of="mean activation",
        unit="standard deviations",
        source=source,
        mode=mode,
        height=height,
    )
    if not profile.members:
        return figure
    ends = _reaching(edges(profile.together, _BINS), profile.apart)
    counts, _ = np.histogram(np.clip(profile.apart, ends[0], ends[-1]), ends)  # an edge may be a hair inside
    figure.add_scatter(
        x=np.repeat(ends, 2).astype(np.float32),
        y=np.repeat([_NONE, *np.maximum(counts, _NONE), _NONE], 2).astype(np.float32)[1:-1],
        mode="lines",
        line={"color": palette(mode).accent, "width": 1.5},
        name="if each were active for itself",
        hoverinfo="skip",
    )
    lowest, highest = figure.layout.yaxis.range
    figure.layout.yaxis.range = [lowest, max(highest, float(np.log10(counts.max() * 2)))]
    figure.update_traces(showlegend=False, selector={"type": "bar"})
    figure.update_traces(showlegend=False, selector={"mode": "markers"})
    captions.lay_out(figure, legend={"x": 1, "xanchor": "right", "y": 1, "yanchor": "top"})
    figure.layout.showlegend = True
    return figure


def _reaching(
    ends: Float[np.ndarray, " edges"], values: Float[np.ndarray, " values"]
) -> Float[np.ndarray, " more_edges"]:
    """The same bins, and as many more of their width on either side as hold all the values."""
    width = ends[1] - ends[0]
    before, after = (max(0, int(np.ceil(far / width))) for far in (ends[0] - values.min(), values.max() - ends[-1]))
    return np.asarray(ends[0] + width * np.arange(-before, len(ends) + after))
