"""The points of a neuron map: all on one colour scale, or a trace for each cluster, with a card under the mouse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Bool, Float

from neuronscope.analysis.clustering import Clusters
from neuronscope.analysis.projection import Projection
from neuronscope.errors import InputError
from neuronscope.figures import captions
from neuronscope.figures.shades import CLASSES, NAMED, OTHERS, SHADES, coloured
from neuronscope.figures.theme import Mode, palette, visible


def scaled(
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
    colour, axis, clipped = coloured(shown, known, kind, mode)
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


def classes(projection: Projection, clusters: Clusters, tokens: Sequence[str] | None, mode: Mode) -> list[go.Scattergl]:
    """One trace for each of the largest clusters, beneath them the others and the neurons in none."""
    labels = clusters.labels[projection.rows]
    called = [_cluster_name(clusters, number) for number in range(len(clusters))]
    own = palette(mode)
    traces = []
    for name, inside, colour in (
        ("in no cluster", labels < 0, own.hairline),
        ("other clusters", labels >= NAMED, OTHERS[mode]),
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
            hover, colour = f"cluster {called[number]}", CLASSES[mode][number]
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
