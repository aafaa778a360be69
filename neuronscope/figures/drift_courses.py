"""How far some neurons had drifted in each checkpoint, against the noise floor and the control."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from neuronscope.errors import InputError
from neuronscope.figures import captions
from neuronscope.figures.axes import outline
from neuronscope.figures.drift_words import checkpoint_axis, control_name, decimal, dressed
from neuronscope.figures.theme import Mode, palette
from neuronscope.series.drift import Drift
from neuronscope.vocabulary import Neuron

MOST = 12
"""The most neurons whose courses one figure draws."""
_DASHES = ("solid", "dash", "dot")


def drift_course(
    drift: Drift,
    neurons: Neuron | Sequence[Neuron],
    *,
    checkpoint: str | int | None = None,
    mode: Mode = "light",
    height: int = 360,
    width: int = 720,
) -> go.Figure:
    """D of some neurons over the checkpoints with its 95 % interval; the control's stands behind the others.

    The dotted line is the noise floor, the largest of these neurons'; `checkpoint` is outlined.

    Raises:
        NoSuchNeuron: for a neuron that the model has not.
        InputError: for more than 12 neurons.
    """
    asked = [neurons] if isinstance(neurons, Neuron) else list(neurons)
    title = f"Drift of {asked[0]}" if len(asked) == 1 else f"Drift of {captions.count(len(asked), 'neuron')}"
    if not asked:
        return captions.empty("No neuron was named.", mode, title="Drift of neurons", height=height)
    if len(asked) > MOST:
        raise InputError(f"{len(asked)} neurons are too many to tell apart: name at most {MOST}.")
    table, own = drift_course_table(drift, asked), palette(mode)
    names = list(dict.fromkeys(table["checkpoint"]))
    figure = go.Figure()
    for number, neuron in enumerate(asked):
        rows = table[(table["layer"] == neuron.layer) & (table["neuron"] == neuron.index)]
        colour = own.series[number % len(own.series)]
        dash = _DASHES[number // len(own.series)]
        for part, line in ((rows[~rows["control"]], "lines+markers"), (rows[rows["control"]], "markers")):
            if part.empty:
                continue
            d, low, high = (part[name].to_numpy(np.float32) for name in ("drift", "low", "high"))
            figure.add_scatter(
                x=np.array([names.index(name) for name in part["checkpoint"]], np.int32),
                y=d,
                name=str(neuron),
                mode=line,
                showlegend=line != "markers",
                line={"color": colour, "width": 2, "dash": dash},
                marker={"color": colour, "size": 7 if line != "markers" else 9, "symbol": _symbol(line)},
                error_y={"array": high - d, "arrayminus": d - low, "color": colour, "thickness": 1, "width": 4},
                customdata=[_course_said(row) for row in part.to_dict("records")],
                hovertemplate="%{customdata}<extra></extra>",
            )
    floor = float(table["floor"].max())
    figure.add_hline(y=floor, line={"color": own.muted, "width": 1.5, "dash": "dot"})
    checkpoint_axis(figure, names, width - 2 * captions.SIDE)
    figure.update_layout(
        yaxis={"title": {"text": "drift D (0 the same, 1 unrelated)"}, "rangemode": "tozero", "automargin": True},
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
    )
    if checkpoint is not None:
        outline(figure, "x", drift.place(checkpoint), mode)
    return dressed(
        figure,
        drift,
        "drift_course",
        mode=mode,
        title=title,
        parts=["D and its 95 % interval", f"dotted: their noise floor, {decimal(floor)}"],
        height=height,
        headroom=18 * (1 + (len(asked) - 1) // 7),
        neurons=[str(one) for one in asked],
    )


def drift_course_table(drift: Drift, neurons: Sequence[Neuron]) -> pd.DataFrame:
    """What `drift_course` draws: D of each neuron in each checkpoint with its 95 % interval and floor, control last."""
    known = [(one.label, one, False) for one in drift.checkpoints]
    known += [(control_name(drift), drift.control, True)] if drift.control else []
    rows = []
    for name, one, control in known:
        records = drift.records(one.label)
        for neuron in neurons:
            found = records[drift.row(neuron)]
            rows.append(
                {"checkpoint": name, "step": one.step, "control": control, "layer": neuron.layer}
                | {"neuron": neuron.index}
                | {column: float(found[column]) for column in ("drift", "low", "high", "floor")}
            )
    return pd.DataFrame(rows)


def _symbol(line: str) -> str:
    return "diamond" if line == "markers" else "circle"


def _course_said(row: dict[Any, Any]) -> str:
    name = captions.plain(row["checkpoint"]) + (" (control)" if row["control"] else "")
    number = captions.figure_of
    lines = [f"<b>L{row['layer']}.N{row['neuron']}</b>", name, f"D {number(row['drift'])}"]
    if row["high"] > 0:
        lines.append(f"95 % between {number(row['low'])} and {number(row['high'])}")
    return "<br>".join(lines)
