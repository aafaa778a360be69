"""The atlas: all neurons on a map, and the marks that name and find some of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Bool, Float, Integer

from neuronscope.analysis.clustering import Clusters
from neuronscope.analysis.projection import Projection
from neuronscope.errors import InputError
from neuronscope.figures import captions
from neuronscope.figures.points import classes, scaled
from neuronscope.figures.theme import Mode, palette
from neuronscope.vocabulary import Neuron, Source


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
        shade: What `values` are: one of `shades.SHADES`, or `cluster`.
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
        traces, notes = classes(projection, clusters, tokens, mode), [clusters.shown]
        layout: dict[str, Any] = {"coloraxis": None, "showlegend": True, "legend": _legend(mode)}
    else:
        traces, notes, axis = scaled(projection, values, shade, tokens, mode)
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
    """At the foot of the figure, below the name of the axis."""
    font = {"size": 11, "color": palette(mode).ink}
    place = {"x": 0, "y": 0, "yref": "container", "yanchor": "bottom"}
    return {"orientation": "h", **place, "font": font, "itemsizing": "constant"}
