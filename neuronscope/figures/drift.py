"""Drift over all neurons: which layers changed in which checkpoint, what it did to the loss, in what way it went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from jaxtyping import Float

from neuronscope.errors import InputError
from neuronscope.figures import captions
from neuronscope.figures.axes import layer_axis, outline
from neuronscope.figures.colours import Limit, colour_bar, colour_limit, diverging, sequential
from neuronscope.figures.drift_words import (
    checkpoint_axis,
    control_name,
    dressed,
)
from neuronscope.figures.theme import Mode, palette
from neuronscope.series.drift import Drift


@dataclass(frozen=True)
class Measure:
    """What `drift_layers` can draw of each layer in each checkpoint."""

    title: str
    """What it is, in words."""
    bar: str
    """What stands beside the colour bar."""
    scale: str = "amount"
    """`amount`: none is paper; `signed`: both signs, zero is paper; `similar`: 1 is paper, less is darker."""
    percent: bool = False
    """Whether it is a share."""


DRIFT_MEASURES: dict[str, Measure] = {
    "drift": Measure("Mean drift of the neurons", "mean D"),
    "median": Measure("Drift of the median neuron", "median D"),
    "above": Measure("Share of neurons above the noise floor", "share", percent=True),
    "excess": Measure("Mean drift beyond the control's", "mean excess of D", "signed"),
    "cka": Measure("CKA of the neurons with the base's", "unbiased CKA", "similar"),
    "cka_residual": Measure("CKA of the residual stream with the base's", "unbiased CKA", "similar"),
    "itself": Measure("Share of neurons most like themselves", "share", "similar", percent=True),
    "weight_in": Measure("How far the read weights moved", "mean |w′ − w| / |w|"),
    "weight_out": Measure("How far the write weights moved", "mean |w′ − w| / |w|"),
}
"""The measures of layers by name: columns of `Drift.layers`."""
_SAID = {
    "cka": "1: the same up to rotation and scale · 0: unrelated",
    "cka_residual": "1: the same up to rotation and scale · 0: unrelated",
    "itself": "1: every neuron that varies is still most like itself",
    "drift": "0: the same · 1: unrelated",
    "median": "0: the same · 1: unrelated",
}


def drift_layers(
    drift: Drift,
    measure: str = "drift",
    *,
    checkpoint: str | int | None = None,
    mode: Mode = "light",
    height: int | None = None,
    width: int = 720,
) -> go.Figure:
    """One measure of every layer in every checkpoint; its table is `drift.layers`.

    `checkpoint` is outlined. `width` is about how wide the figure will be, for the density of labels.

    Raises:
        InputError: for a measure that does not exist.
    """
    if measure not in DRIFT_MEASURES:
        raise InputError(f"No measure {measure!r} of layers: choose one of {', '.join(DRIFT_MEASURES)}.")
    kind = DRIFT_MEASURES[measure]
    if measure == "excess" and drift.control is None:
        return captions.empty("There is no control to compare with: measure again with one.", mode, title=kind.title)
    names = [one.label for one in drift.checkpoints]
    layers = drift.manifest.layers
    values = drift.layers[measure].to_numpy(np.float32).reshape(len(names), layers).T
    height = height or captions.TOP + captions.BOTTOM + max(130, min(480, 26 * layers))
    figure = go.Figure(_cells(values, kind, mode))
    layer_axis(figure, tuple(range(layers)), height - captions.TOP - captions.BOTTOM)
    checkpoint_axis(figure, names, width - 2 * captions.SIDE)
    if checkpoint is not None:
        outline(figure, "x", drift.place(checkpoint), mode)
    said = [_SAID[measure]] if measure in _SAID else []
    return dressed(
        figure,
        drift,
        "drift_layers",
        mode=mode,
        title=kind.title,
        parts=[f"{layers} layers × {captions.count(drift.manifest.neurons, 'neuron')}"],
        notes=said,
        height=height,
        measure=measure,
    )


def _cells(values: Float[np.ndarray, "layers checkpoints"], kind: Measure, mode: Mode) -> go.Heatmap:
    shown = 1 - values if kind.scale == "similar" else values
    colours = colour_limit(shown, np.ones(len(shown), bool), signed=kind.scale == "signed")
    scale = diverging(colours, mode) if kind.scale == "signed" else sequential(colours, mode)
    bar = colour_bar(kind.bar, colours, kind.percent)
    if kind.scale == "similar":
        bar = _downwards(bar, colours, kind.percent)
    few = values.size <= 160
    return go.Heatmap(
        z=np.ascontiguousarray(shown),
        customdata=np.ascontiguousarray(values),
        hovertemplate=f"<b>layer %{{y}}</b><br>%{{x}}<br>{kind.bar} "
        + ("%{customdata:.1%}" if kind.percent else "%{customdata:.3~g}")
        + "<extra></extra>",
        xgap=1 if few else 0,
        ygap=1 if few else 0,
        colorbar=bar,
        **scale,
    )


def _downwards(bar: dict[str, Any], colours: Limit, percent: bool) -> dict[str, Any]:
    """A bar of similarities, whose paper is 1."""
    at = [1 - value for value in bar["tickvals"]]
    text = [f"{value:.0%}" if percent else captions.figure_of(value) for value in at]
    return {**bar, "ticktext": [*text[:-1], f"≤ {text[-1]}" if colours.clipped else text[-1]]}


def drift_losses(
    drift: Drift,
    *,
    checkpoint: str | int | None = None,
    mode: Mode = "light",
    height: int = 320,
    width: int = 720,
) -> go.Figure:
    """The loss of every checkpoint on the probe corpus, with two standard errors of its difference from the base's.

    The control stands behind the others; `checkpoint` is outlined.
    """
    title = "Loss on the probe corpus"
    table = drift_losses_table(drift)
    if table["loss"].isna().all():
        said = "This model predicts no next token, so that it has no loss here."
        return captions.empty(said, mode, title=title, height=height)
    own = palette(mode)
    figure = go.Figure()
    places, control = np.arange(len(table)), table["control"].to_numpy(bool)
    for inside, name, colour, symbol in (
        (~control, "checkpoints", own.series[0], "circle"),
        (control, "control", own.series[1], "diamond"),
    ):
        rows = table[inside]
        if rows.empty:
            continue
        figure.add_scatter(
            x=places[inside].astype(np.int32),
            y=rows["loss"].to_numpy(np.float32),
            name=name,
            mode="lines+markers" if name == "checkpoints" else "markers",
            line={"color": colour, "width": 2},
            marker={"size": 8, "symbol": symbol, "color": colour},
            error_y={"array": 2 * rows["error"].fillna(0).to_numpy(np.float32), "color": own.muted, "width": 4},
            customdata=[_loss_said(row) for row in rows.to_dict("records")],
            hovertemplate="%{customdata}<extra></extra>",
        )
    base = float(table["loss"].iloc[0])
    figure.add_hline(y=base, line={"color": own.muted, "width": 1, "dash": "dot"})
    checkpoint_axis(figure, table["checkpoint"].tolist(), width - 2 * captions.SIDE)
    figure.update_layout(
        yaxis={"title": {"text": "loss (nats a token)"}, "automargin": True},
        showlegend=bool(control.any()),
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
    )
    if checkpoint is not None:
        outline(figure, "x", drift.place(checkpoint), mode)
    return dressed(
        figure,
        drift,
        "drift_losses",
        mode=mode,
        title=title,
        parts=["bars: ± 2 standard errors of the difference from the base"],
        height=height,
        headroom=18 if control.any() else 0,
    )


def drift_losses_table(drift: Drift) -> pd.DataFrame:
    """What `drift_losses` draws: a row per checkpoint, the control last, with its loss in nats a token.

    `difference` is from the base, `error` the standard error of that; NaN where no next token is predicted.
    """
    known = [(one.label, one, False) for one in drift.checkpoints]
    known += [(control_name(drift), drift.control, True)] if drift.control else []
    base = drift.checkpoints[0].loss
    rows = [
        {
            "checkpoint": name,
            "step": one.step,
            "control": control,
            "loss": np.nan if one.loss is None else one.loss,
            "difference": np.nan if one.loss is None or base is None else one.loss - base,
            "error": np.nan if one.loss_error is None else one.loss_error,
        }
        for name, one, control in known
    ]
    return pd.DataFrame(rows)


def _loss_said(row: dict[Any, Any]) -> str:
    lines = [f"<b>{captions.plain(row['checkpoint'])}</b>", f"loss {row['loss']:.4f}"]
    if np.isfinite(row["error"]):
        change = f"{row['difference']:+.4f}".replace("-", "−")
        lines.append(f"{change} against the base, ± {2 * row['error']:.4f}")
    return "<br>".join(lines)
