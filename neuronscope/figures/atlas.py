"""The atlas: neurons on a map, how many clusters there are, and in which layers a group of neurons lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Bool, Float, Integer

from neuronscope.analysis.clustering import Clusters, Curve
from neuronscope.analysis.projection import Projection
from neuronscope.errors import InputError
from neuronscope.figures import captions
from neuronscope.figures.theme import Mode, palette, visible
from neuronscope.vocabulary import Neuron, Source

NAMED = 8
"""So many clusters, the largest, have a colour of their own on a map; more could not be told apart."""
CLIPPED = 0.005
"""The share of neurons at either end of a scale that share its last colour."""
_RAMP = ("#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725")
"""Viridis (Smith & van der Walt 2015): even steps of lightness under every kind of colour blindness."""
_CLASSES = {
    "light": ("#2a5fa8", "#c96521", "#077878", "#8a4f9e", "#8a7a00", "#b0305c", "#4e8f2f", "#5a3b1c"),
    "dark": ("#5eaff6", "#e09545", "#5bc1b7", "#c79bdb", "#d1bb55", "#f0829f", "#9bd06f", "#c8a27c"),
}

_OTHERS = {"light": "#a7b0bc", "dark": "#6b7685"}
"""The neurons of smaller clusters: seen, but behind those that have a colour."""


@dataclass(frozen=True)
class Shade:
    """What the points of a map can be coloured by."""

    title: str
    """What it is, in words."""
    scale: str
    """`linear`, `log` or `signed`."""
    form: str = ".3~g"
    """How d3 writes its values."""
    plus: float = 0.0
    """What is added to a value before its logarithm is taken."""


SHADES: dict[str, Shade] = {
    "layer": Shade("layer", "linear", "d"),
    "density": Shade("share of tokens above 0", "log", ".2~%"),
    "kurtosis": Shade("excess kurtosis", "log", ".3~g", plus=3.0),
    "senses": Shade("effective number of senses", "linear", ".3~f"),
    "alignment": Shade("cosine of what gate and up read", "signed", ".2f"),
}
"""The shades by name; `cluster` stands beside them, and has classes instead of a scale."""


def neuron_map(
    projection: Projection,
    values: Float[np.ndarray, " units"] | None = None,
    *,
    shade: str = "layer",
    clusters: Clusters | None = None,
    tokens: Sequence[str] | None = None,
    selected: Integer[np.ndarray, " rows"] | Sequence[int] = (),
    chosen: Neuron | None = None,
    source: Source | None = None,
    mode: Mode = "light",
    webgl: bool = True,
    height: int = 640,
) -> go.Figure:
    """Every neuron of a projection as a point; the last trace marks the selected.

    Args:
        projection: Where the neurons are; its table is `projection.table`.
        values: What colours them, one for each neuron of the model; NaN is drawn grey. Layers need none.
        shade: What `values` are: one of `SHADES`, or `cluster`.
        clusters: The clusters, for the shade `cluster`.
        tokens: What the card under the mouse says of each neuron of the model, as `visible` writes it.
        selected: Rows of the index to mark.
        chosen: A neuron to mark with its name.
        source: Where the numbers come from.
        mode: `light` or `dark`.
        webgl: Whether the graphics card draws the points. Without, thousands of them take a browser seconds.
        height: Of the whole figure, in pixels.

    Raises:
        InputError: for a shade there is not, or one whose values are missing.
    """
    title = f"{len(projection.rows):,} neurons by {_METHODS[projection.method]}"
    if shade == "cluster":
        if clusters is None:
            raise InputError("A map coloured by cluster takes `clusters`: hand over `index.clusters()`.")
        traces, notes = _classes(projection, clusters, tokens, mode), [clusters.shown]
        layout: dict[str, Any] = {"coloraxis": None, "showlegend": True, "legend": _legend(mode)}
    else:
        traces, notes, axis = _scaled(projection, values, shade, tokens, mode)
        layout = {"coloraxis": axis, "showlegend": False, "legend": _legend(mode)}
    figure = go.Figure([*traces, marks(projection, selected, chosen, mode=mode)])
    if not webgl:
        figure = go.Figure([plainly(trace) for trace in figure.data])
    figure.update_layout(**layout, annotations=names(projection, chosen, mode=mode), uirevision=_place(projection))
    figure.update_layout(xaxis=_axis(projection, 0), yaxis=_axis(projection, 1), hovermode="closest", dragmode="pan")
    own = palette(mode)
    figure.update_layout(modebar={"bgcolor": "rgba(0,0,0,0)", "color": own.muted, "activecolor": own.accent})
    return captions.dress(
        figure,
        mode=mode,
        title=title,
        subtitle=" · ".join(_subtitle(projection, source)),
        meta={
            "kind": "neuron_map",
            **captions.source_meta(source),
            "method": projection.method,
            "settings": projection.settings,
            "shade": shade,
            "points": len(projection.rows),
            "units": projection.units,
        },
        notes=notes,
        height=height,
    )


def plainly(trace: go.Scattergl) -> go.Scatter:
    """The same trace, for a browser that has no use of a graphics card."""
    return go.Scatter({name: value for name, value in trace.to_plotly_json().items() if name != "type"})


_METHODS = {"pca": "principal components", "tsne": "t-SNE", "umap": "UMAP"}


def marks(
    projection: Projection,
    selected: Integer[np.ndarray, " rows"] | Sequence[int],
    chosen: Neuron | None,
    *,
    mode: Mode = "light",
) -> go.Scattergl:
    """The trace that marks neurons on a map: rings, and a larger one round the chosen neuron."""
    rows = np.asarray(selected, np.int64)
    if chosen is not None:
        rows = np.append(rows, chosen.layer * projection.neurons + chosen.index)
    at, inside = _places(projection, rows)
    sizes = np.full(len(rows), 11.0, np.float32)
    if chosen is not None:
        sizes[-1] = 20
    points = projection.points[at[inside]].astype(np.float32)
    return go.Scattergl(
        x=points[:, 0],
        y=points[:, 1],
        mode="markers",
        marker={
            "symbol": "circle-open",
            "size": sizes[inside],
            "color": palette(mode).accent,
            "line": {"width": 2, "color": palette(mode).accent},
        },
        hoverinfo="skip",
        showlegend=False,
        name="selected",
    )


def names(projection: Projection, chosen: Neuron | None, *, mode: Mode = "light") -> list[dict[str, Any]]:
    """The annotation that names the chosen neuron on a map; none where it is not on it."""
    if chosen is None:
        return []
    at, inside = _places(projection, np.array([chosen.layer * projection.neurons + chosen.index]))
    if not inside[0]:
        return []
    x, y = projection.points[at[0]].tolist()
    colours = palette(mode)
    label = {"x": x, "y": y, "text": f"<b>{chosen}</b>", "showarrow": False, "yshift": 20}
    return [{**label, "font": {"color": colours.accent, "size": 13}, "bgcolor": colours.paper, "borderpad": 2}]


def window(projection: Projection, neuron: Neuron) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """The part of a map around a neuron, a quarter of it each way, as ranges of its axes; None if it is not on it."""
    at, inside = _places(projection, np.array([neuron.layer * projection.neurons + neuron.index]))
    if not inside[0]:
        return None
    half = np.ptp(projection.points, axis=0).astype(float) / 8
    x, y = projection.points[at[0]].tolist()
    return (x - half[0], x + half[0]), (y - half[1], y + half[1])


def _places(
    projection: Projection, rows: Integer[np.ndarray, " rows"]
) -> tuple[Integer[np.ndarray, " rows"], Bool[np.ndarray, " rows"]]:
    """Where rows of the index stand among the points, and which of them are on the map."""
    at = np.minimum(np.searchsorted(projection.rows, rows), len(projection.rows) - 1)
    return at, projection.rows[at] == rows


def _place(projection: Projection) -> str:
    """Equal for maps on which the same zoom shows the same neurons."""
    return f"{projection.method} {len(projection.rows)} {int(projection.rows.sum())}"


def _scaled(
    projection: Projection,
    values: Float[np.ndarray, " units"] | None,
    shade: str,
    tokens: Sequence[str] | None,
    mode: Mode,
) -> tuple[list[go.Scattergl], list[str], dict[str, Any]]:
    """Points on one colour scale, those without a value in grey beneath; remarks on the colours; the scale."""
    if shade not in SHADES:
        raise InputError(f"No map by {shade!r}: colour it by {', '.join((*SHADES, 'cluster'))}.")
    if values is None and shade != "layer":
        raise InputError(f"A map coloured by {shade} takes `values`, one for each of the {projection.units:,} neurons.")
    kind = SHADES[shade]
    shown = projection.rows // projection.neurons if values is None else np.asarray(values)[projection.rows]
    shown = np.asarray(shown, np.float32)
    known = np.isfinite(shown)
    colour, axis, clipped = _colours(shown, known, kind, mode)
    hover = f"{kind.title} %{{customdata[2]:{kind.form}}}"
    traces = []
    if not known.all():
        traces.append(_points(projection, ~known, tokens, mode, color=palette(mode).hairline, hover="not known"))
    main = _points(projection, known, tokens, mode, color=colour[known], hover=hover, third=shown[known])
    main.marker.coloraxis = "coloraxis"
    notes = [f"clipped: {captions.count(clipped, 'neuron')} share the last colours"] if clipped else []
    unknown = int((~known).sum())
    notes += [f"{captions.count(unknown, 'neuron')} without a value, in grey"] if unknown else []
    return [*traces, main], notes, axis


def _colours(
    shown: Float[np.ndarray, " points"], known: Bool[np.ndarray, " points"], kind: Shade, mode: Mode
) -> tuple[Float[np.ndarray, " points"], dict[str, Any], int]:
    """What goes into the colour scale, the scale, and how many values lie beyond it."""
    finite = shown[known] if known.any() else np.zeros(1, np.float32)
    if kind.scale == "log":
        least = max(float(np.quantile(finite + kind.plus, CLIPPED)), 1e-4)
        scaled = np.log10(np.maximum(shown + kind.plus, least)).astype(np.float32)
        finite = np.log10(np.maximum(finite + kind.plus, least))
    else:
        scaled = shown
    low, high = (float(np.quantile(finite, q)) for q in (CLIPPED, 1 - CLIPPED))
    if kind.scale == "signed":
        high = max(abs(low), abs(high)) or 1.0
        low = -high
    if kind.form == "d":
        low, high = float(finite.min()), float(finite.max())
    if high <= low:
        high = low + 1.0
    clipped = int(((finite < low - 1e-6) | (finite > high + 1e-6)).sum())
    bar = _bar(low, high, kind)
    scale = _diverging(mode) if kind.scale == "signed" else _ramp(mode)
    return scaled, {"cmin": low, "cmax": high, "colorscale": scale, "colorbar": bar, "showscale": True}, clipped


def _bar(low: float, high: float, kind: Shade) -> dict[str, Any]:
    at = np.linspace(low, high, 5)
    if kind.form == "d":
        at = np.unique(np.round(np.linspace(low, high, min(9, int(high - low) + 1))))
    meant = 10**at - kind.plus if kind.scale == "log" else at
    text = [f"{value:.2g}".replace("-", "−") for value in meant.tolist()]
    if "%" in kind.form:
        text = [f"{100 * value:.2g} %" for value in meant.tolist()]
    if kind.form == "d":
        text = [f"{value:.0f}" for value in meant.tolist()]
    title = {"text": kind.title, "side": "right"}
    return {"title": title, "thickness": 10, "tickvals": at, "ticktext": text, "x": 1.01, "xanchor": "left", **_LOW}


_LOW = {"len": 0.9, "y": 0, "yanchor": "bottom", "outlinewidth": 0, "ticks": ""}
"""How a colour bar leaves room for the buttons above it."""


def _ramp(mode: Mode) -> list[tuple[float, str]]:
    """The colour scale of amounts, without the end that the paper of the mode swallows."""
    colours = _RAMP[:-1] if mode == "light" else _RAMP[2:]
    return [(i / (len(colours) - 1), colour) for i, colour in enumerate(colours)]


def _diverging(mode: Mode) -> list[tuple[float, str]]:
    """Blue to orange with grey in the middle: zero must be seen, for a point is not the paper that it lies on."""
    own = palette(mode)
    middle = "#b9c0ca" if mode == "light" else "#5a6473"
    colours = (*reversed(own.blues[2:]), middle, *own.oranges[2:])
    return [(i / (len(colours) - 1), colour) for i, colour in enumerate(colours)]


def _classes(
    projection: Projection, clusters: Clusters, tokens: Sequence[str] | None, mode: Mode
) -> list[go.Scattergl]:
    """One trace for each of the largest clusters, beneath them the others and the neurons in none."""
    labels = clusters.labels[projection.rows]
    called = [_cluster_name(clusters, number) for number in range(len(clusters))]
    own = palette(mode)
    traces = []
    for name, inside, colour in (
        ("in no cluster", labels < 0, own.hairline),
        ("other clusters", labels >= NAMED, _OTHERS[mode]),
    ):
        if inside.any():
            hover = "cluster %{customdata[2]}" if name == "other clusters" else name
            third = labels[inside]
            traces.append(_points(projection, inside, tokens, mode, color=colour, hover=hover, third=third, name=name))
    sizes = np.bincount(labels[labels >= 0], minlength=len(clusters))
    for number in range(min(NAMED, len(clusters))):
        inside = labels == number
        if inside.any():
            name = f"{called[number]} ({sizes[number]:,})"
            hover, colour = f"cluster {called[number]}", _CLASSES[mode][number]
            traces.append(_points(projection, inside, tokens, mode, color=colour, hover=hover, name=name))
    return traces


def _cluster_name(clusters: Clusters, number: int) -> str:
    said = " ".join(visible(token, 12) for token in clusters.names[number].split(" ")[:3])
    return f"{number}: {said}"


def _points(
    projection: Projection,
    inside: Bool[np.ndarray, " points"],
    tokens: Sequence[str] | None,
    mode: Mode,
    *,
    color: Any,
    hover: str,
    third: np.ndarray | None = None,
    name: str = "",
) -> go.Scattergl:
    """Points of one trace; under the mouse stand the neuron, what it is coloured by, and its tokens."""
    rows = projection.rows[inside]
    layers, neurons = np.divmod(rows, projection.neurons)
    columns = [layers, neurons] if third is None else [layers, neurons, third]
    whole = all(np.asarray(column).dtype.kind in "iu" for column in columns)
    kind = np.int16 if whole and projection.neurons < 32768 else np.int32 if whole else np.float32
    said = "" if tokens is None else "<br>%{text}"
    many = len(projection.rows)
    return go.Scattergl(
        x=projection.points[inside, 0].astype(np.float32),
        y=projection.points[inside, 1].astype(np.float32),
        mode="markers",
        name=name,
        customdata=np.stack(columns, axis=1).astype(kind),
        text=None if tokens is None else [tokens[row] for row in rows.tolist()],
        marker={
            "color": color,
            "size": 7 if many < 1500 else 5.5 if many < 8000 else 3.6,
            "opacity": 0.85 if many < 8000 else 0.7,
            "line": {"width": 0},
        },
        hovertemplate=f"<b>L%{{customdata[0]}}.N%{{customdata[1]}}</b> · {hover}{said}<extra></extra>",
        showlegend=bool(name),
    )


def _axis(projection: Projection, number: int) -> dict[str, Any]:
    """Of principal components, what each explains; the directions of other maps mean nothing, so they have no scale."""
    common: dict[str, Any] = {"zeroline": False, "showgrid": projection.method == "pca"}
    if number:
        common |= {"scaleanchor": "x"}
    if projection.method != "pca":
        return {**common, "showticklabels": False, "title": None}
    share = float(projection.explained[number]) if number < len(projection.explained) else 0.0
    text = f"PC{number + 1}, {100 * share:.2g} % of the variance"
    return {**common, "showticklabels": True, "title": {"text": text}}


def _subtitle(projection: Projection, source: Source | None) -> list[str]:
    parts = [f"{projection.shown} shown", projection.settings]
    if np.isfinite(projection.trustworthiness):
        anchors = captions.count(projection.anchors, "neuron")
        parts.append(f"trustworthiness {projection.trustworthiness:.2f} (over {anchors})")
    return [source.model, *parts, source.precision] if source else parts


def _legend(mode: Mode) -> dict[str, Any]:
    font = {"size": 11, "color": palette(mode).ink}
    return {"orientation": "h", "x": 0, "y": -0.02, "yanchor": "top", "font": font, "itemsizing": "constant"}


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
