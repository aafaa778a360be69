"""Drift neuron by neuron: where each stands on the map that all checkpoints share, and what its drift is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from jaxtyping import Bool, Float

from neuronscope.figures import captions
from neuronscope.figures.animation import MOVERS, PART_COLOURS, PARTS
from neuronscope.figures.atlas import plainly
from neuronscope.figures.drift_words import dressed
from neuronscope.figures.shades import OTHERS
from neuronscope.figures.theme import Mode, palette
from neuronscope.series.drift import Drift
from neuronscope.vocabulary import Neuron


def drift_map(
    drift: Drift,
    checkpoint: str | int,
    *,
    movers: int = MOVERS,
    chosen: Neuron | None = None,
    mode: Mode = "light",
    webgl: bool = True,
    height: int = 620,
) -> go.Figure:
    """Every neuron where it stands in a checkpoint, on one map fitted over all; trails lead from the base.

    Colours say what most of a neuron's drift is, areas how large it is; grey ones are within the noise floor. The
    `movers` of largest drift have trails and names, as `chosen` has. Without `webgl` the browser draws the points
    without the graphics card. Its table is `drift_map_table`.
    """
    number = drift.place(checkpoint)
    after = drift.checkpoints[number].label
    table = drift_map_table(drift, number)
    way = drift.trajectories()
    figure = go.Figure()
    for part in ("", *PARTS):
        inside = (table["part"] == part).to_numpy() & table["x"].notna().to_numpy()
        if inside.any():
            figure.add_trace(_points(table[inside], part, mode))
    named = _named(table, movers, chosen, drift.manifest.neurons)
    figure.add_trace(_trails(way.points[: number + 1], named, mode))
    if not webgl:
        figure = go.Figure([plainly(trace) for trace in figure.data])
    ends = [(np.nanmin(way.points[..., i]), np.nanmax(way.points[..., i])) for i in (0, 1)]
    axes = [_axis(float(low), float(high), i, float(way.explained[i])) for i, (low, high) in enumerate(ends)]
    place = {"orientation": "h", "x": 0, "y": 0, "yref": "container", "yanchor": "bottom", "itemsizing": "constant"}
    figure.update_layout(xaxis=axes[0], yaxis=axes[1], dragmode="pan", uirevision="drift map", showlegend=True)
    figure.update_layout(legend=place, annotations=_names(way.points[number], named, drift.manifest.neurons, mode))
    shown = int(table["x"].notna().sum())
    still = f" · {len(table) - shown:,} that never vary are left out" if shown < len(table) else ""
    return dressed(
        figure,
        drift,
        "drift_map",
        mode=mode,
        title=f"Where the neurons stand in {after}" if number else "Where the neurons stand in the base",
        parts=[f"{shown:,} of {len(table):,} neurons{still}"],
        notes=["one map fitted over all checkpoints · area: drift", *_trailed(named, number)],
        height=height,
        checkpoint=after,
        shown=shown,
    )


def drift_map_table(drift: Drift, checkpoint: str | int) -> pd.DataFrame:
    """What `drift_map` draws: of every neuron its place, its D and the larger part of it, empty within the noise floor.

    The place is NaN for neurons that never vary.
    """
    number = drift.place(checkpoint)
    records, points = drift.records(number), drift.trajectories().points[number]
    layer, neuron = np.divmod(np.arange(len(records)), drift.manifest.neurons)
    largest = np.stack([records[part] for part in PARTS]).argmax(0)
    part = np.where(records["above"], np.array(PARTS)[largest], "")
    drifted = records["drift"].astype(np.float32)
    columns = {"layer": layer, "neuron": neuron, "x": points[:, 0], "y": points[:, 1], "drift": drifted, "part": part}
    return pd.DataFrame(columns)


def _points(table: pd.DataFrame, part: str, mode: Mode) -> go.Scattergl:
    drifted = table["drift"].to_numpy(np.float32)
    many = len(table)
    least = 3.5 if many < 8000 else 2.5
    return go.Scattergl(
        x=table["x"].to_numpy(np.float32),
        y=table["y"].to_numpy(np.float32),
        mode="markers",
        name=f"mostly {part}" if part else "within the noise floor",
        marker={
            "color": dict(zip(PARTS, PART_COLOURS[mode], strict=True))[part] if part else OTHERS[mode],
            "size": least + 9 * np.sqrt(np.minimum(drifted, 1)),
            "opacity": 0.75 if part else 0.5,
            "line": {"width": 0},
        },
        customdata=table[["layer", "neuron", "drift"]].to_numpy(np.float32),
        hovertemplate="<b>L%{customdata[0]}.N%{customdata[1]}</b><br>D %{customdata[2]:.3~g}<extra></extra>",
    )


def _named(table: pd.DataFrame, movers: int, chosen: Neuron | None, neurons: int) -> list[int]:
    """Rows of the neurons that have a trail and a name: the `movers` that drifted most, and the chosen one last."""
    drifted = np.where(table["x"].notna() & (table["part"] != ""), table["drift"], 0)
    rows = [int(row) for row in np.argsort(-drifted, kind="stable")[:movers] if drifted[row] > 0]
    return rows if chosen is None else [row for row in rows if row != (own := _row(chosen, neurons))] + [own]


def _row(neuron: Neuron, neurons: int) -> int:
    return neuron.layer * neurons + neuron.index


def _trails(points: Float[np.ndarray, "checkpoints units 2"], rows: Sequence[int], mode: Mode) -> go.Scattergl:
    """The ways of some neurons up to now, one line with gaps."""
    gap = np.full((1, len(rows), 2), np.nan, np.float32)
    lines = np.concatenate([points[:, list(rows)], gap]).transpose(1, 0, 2).reshape(-1, 2)
    return go.Scattergl(
        x=lines[:, 0],
        y=lines[:, 1],
        mode="lines",
        line={"color": palette(mode).ink, "width": 1},
        opacity=0.55,
        hoverinfo="skip",
        showlegend=False,
        name="trails",
    )


def _names(points: Float[np.ndarray, "units 2"], rows: Sequence[int], neurons: int, mode: Mode) -> list[dict[str, Any]]:
    own = palette(mode)
    font = {"size": 11, "color": own.ink}
    return [
        {"x": float(points[row, 0]), "y": float(points[row, 1]), "text": str(Neuron(*divmod(row, neurons)))}
        | {"showarrow": False, "yshift": 12, "font": font, "bgcolor": own.paper, "opacity": 0.85, "borderpad": 1}
        for row in rows
        if np.isfinite(points[row]).all()
    ]


def _axis(low: float, high: float, number: int, share: float) -> dict[str, Any]:
    edge = 0.05 * (high - low) or 1.0
    title = f"PC{number + 1} over all checkpoints, {100 * share:.2g} % of the variance"
    return {"range": [low - edge, high + edge], "zeroline": False, "showticklabels": False, "title": {"text": title}}


def _trailed(named: Sequence[int], number: int) -> list[str]:
    return [f"trails: the way of {captions.count(len(named), 'neuron')} from the base"] if named and number else []


def drift_parts(
    drift: Drift, checkpoint: str | int, count: int = 200, *, mode: Mode = "light", height: int = 480
) -> go.Figure:
    """What the drift of the `count` neurons that drifted most is made of: the nearer a corner, the more of that.

    Its table is `drift.rows(checkpoint)`.
    """
    after = drift.checkpoint(checkpoint).label
    title = f"What the drift in {after} is made of"
    rows = drift.rows(checkpoint)
    moved = rows[rows["above_noise"]].head(count)
    if moved.empty:
        return captions.empty("No neuron is above the noise floor.", mode, title=title, height=height)
    figure, own = go.Figure(), palette(mode)
    largest = moved[list(PARTS)].to_numpy().argmax(1)
    for number, part in enumerate(PARTS):
        inside = largest == number
        if inside.any():
            figure.add_trace(_ternary(moved, inside, part, PART_COLOURS[mode][number]))
    corner = {"showticklabels": False, "gridcolor": own.hairline, "linecolor": own.muted, "ticks": ""}
    corners = {
        f"{axis}axis": {**corner, "title": {"text": said, "font": {"size": 12}}}
        for axis, said in (
            ("a", "location: its mean moved"),
            ("b", "scale:<br>its spread changed"),
            ("c", "selectivity: it<br>tells other things apart"),
        )
    }
    figure.update_layout(ternary={**corners, "sum": 1, "bgcolor": "rgba(0,0,0,0)"}, showlegend=False)
    return dressed(
        figure,
        drift,
        "drift_parts",
        mode=mode,
        title=title,
        parts=[f"the {len(moved):,} of {len(rows):,} neurons that drifted most", "area: D"],
        height=height,
        headroom=34,
        checkpoint=after,
        shown=len(moved),
    )


def _ternary(moved: pd.DataFrame, inside: Bool[np.ndarray, " rows"], part: str, colour: str) -> go.Scatterternary:
    rows = moved[inside]
    whole = rows["drift"].to_numpy(np.float32)
    location, scale, selectivity = (rows[name].to_numpy(np.float32) for name in PARTS)
    return go.Scatterternary(
        a=location / whole,
        b=scale / whole,
        c=selectivity / whole,
        mode="markers",
        name=f"mostly {part}",
        marker={"size": 4 + 12 * np.sqrt(np.minimum(whole, 1)), "color": colour, "opacity": 0.65, "line": {"width": 0}},
        customdata=rows[["layer", "neuron", "drift", *PARTS]].to_numpy(np.float32),
        hovertemplate="<b>L%{customdata[0]}.N%{customdata[1]}</b><br>D %{customdata[2]:.3~g}<br>"
        "location %{customdata[3]:.3~g}<br>scale %{customdata[4]:.3~g}<br>selectivity %{customdata[5]:.3~g}"
        "<extra></extra>",
    )
