"""What is said around every figure of a drift: model, checkpoints, tokens, the noise floor and the control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from neuronscope.figures import captions
from neuronscope.figures.axes import covered_axis, density, first_to_last
from neuronscope.figures.theme import Mode
from neuronscope.series.drift import Drift
from neuronscope.series.store import CONTROL
from neuronscope.vocabulary import Neuron

LABEL = 18
"""The most characters of a checkpoint's name along an axis."""


def dressed(
    figure: go.Figure,
    drift: Drift,
    kind: str,
    *,
    mode: Mode,
    title: str,
    parts: Sequence[str] = (),
    notes: Sequence[str] = (),
    sampled: int | None = None,
    height: int,
    headroom: int = 0,
    **more: Any,
) -> go.Figure:
    """Give `figure` its title, where its numbers come from, and what they must be told from.

    `sampled` is the number of tokens it draws where those are not all that were read; `more` goes into meta.
    """
    source = drift.source
    tokens = ("" if sampled is None else f"{sampled:,} of ") + f"{drift.manifest.tokens:,} tokens"
    return captions.dress(
        figure,
        mode=mode,
        title=title,
        subtitle=" · ".join((source.model, *parts, tokens, source.precision)),
        meta=provenance(drift, kind, **more),
        notes=[*notes, floor_said(drift), control_said(drift)],
        height=height,
        headroom=headroom,
    )


def provenance(drift: Drift, kind: str, **more: Any) -> dict[str, Any]:
    """What `layout.meta` holds of a figure of a drift."""
    floor, control = drift.noise_floor, drift.control
    return {
        "kind": kind,
        **captions.source_meta(drift.source),
        "checkpoints": [one.label for one in drift.checkpoints],
        "control": control.label if control else None,
        "noise_floor": {"against": floor.against, "median": floor.median, "rate": number_or_none(floor.rate)},
        "corpus": drift.manifest.corpus,
        "tokens": drift.manifest.tokens,
        **more,
    }


def floor_said(drift: Drift) -> str:
    """The noise floor in words."""
    floor = drift.noise_floor
    if floor.against is None:
        return "noise floor: not known, any change counts"
    rate = f", exceeded by {100 * floor.rate:.2g} % of unchanged neurons" if np.isfinite(floor.rate) else ""
    return f"noise floor D {decimal(floor.median)}: the base against itself with {floor.against}{rate}"


def control_said(drift: Drift) -> str:
    """The control in words, or what its absence means."""
    control = drift.control
    return f"control: {control_name(drift)}" if control else "no control: includes generic drift"


def control_name(drift: Drift) -> str:
    """The control's own name."""
    assert drift.control is not None
    return drift.control.label.removesuffix(f" ({CONTROL})")


def drift_said(drift: Drift, neuron: Neuron, checkpoint: str | int) -> str:
    """A neuron's D in words, with its interval and its parts."""
    found, number = drift.records(checkpoint)[drift.row(neuron)], captions.figure_of
    if not found["drift"] > 0:
        return "D 0: the same"
    d, low, high = (number(float(found[name])) for name in ("drift", "low", "high"))
    parts = ", ".join(f"{name} {number(float(found[name]))}" for name in ("location", "scale", "selectivity"))
    return f"D {d} ({low} to {high}): {parts}"


def own_floor(drift: Drift, neuron: Neuron, checkpoint: str | int) -> list[str]:
    """What a neuron's D is to be told from: its own noise floor, and the control's D."""
    found = drift.records(checkpoint)[drift.row(neuron)]
    said = [f"its own floor: {decimal(float(found['floor']))}"] if found["floor"] > 0 else []
    return said + ([f"its D in the control: {decimal(float(found['control']))}"] if found["control"] >= 0 else [])


def decimal(value: float) -> str:
    """A small number to two digits, never in powers of ten."""
    return np.format_float_positional(value, precision=2, unique=False, fractional=False, trim="-")


def number_or_none(value: float) -> float | None:
    """A number that JSON knows."""
    return float(value) if np.isfinite(value) else None


def checkpoint_axis(figure: go.Figure, names: Mapping[int, str] | Sequence[str], room: int, panel: int = 1) -> None:
    """Put checkpoints along x under their names, `room` pixels wide on the screen; the whole name is to hover."""
    whole = list(names.values()) if isinstance(names, Mapping) else list(names)
    _, step = density(len(whole), room, lines=1.3)
    shown = {i: captions.plain(shortened(whole[i])) for i in first_to_last(len(whole), step)}
    covered_axis(figure, "x", [captions.plain(name) for name in whole], shown, 11, panel)
    widest = max((len(shortened(name)) for name in whole), default=0)
    turned = widest * 6.5 * len(shown) > room
    number = "" if panel == 1 else str(panel)
    figure.update_layout({f"xaxis{50 + panel}": {"tickangle": -45 if turned else 0}, f"xaxis{number}": {"title": None}})


def shortened(name: str) -> str:
    """A name with its middle left out where it is long: its end says which checkpoint it is."""
    return name if len(name) <= LABEL else f"{name[: LABEL // 3]}…{name[-(LABEL - LABEL // 3 - 1) :]}"
