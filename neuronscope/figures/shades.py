"""The colours of a neuron map: scales for what is measured of a neuron, and classes for clusters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from neuronscope.figures.theme import Mode, palette

NAMED = 8
"""So many clusters, the largest, have a colour of their own on a map; more could not be told apart."""
CLIPPED = 0.005
"""The share of neurons at either end of a scale that share its last colour."""
_RAMP = ("#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725")
"""Viridis (Smith & van der Walt 2015): even steps of lightness under every kind of colour blindness."""
CLASSES = {
    "light": ("#2a5fa8", "#c96521", "#077878", "#8a4f9e", "#8a7a00", "#b0305c", "#4e8f2f", "#5a3b1c"),
    "dark": ("#5eaff6", "#e09545", "#5bc1b7", "#c79bdb", "#d1bb55", "#f0829f", "#9bd06f", "#c8a27c"),
}
"""A colour for each of the `NAMED` clusters, in either mode."""
OTHERS = {"light": "#a7b0bc", "dark": "#6b7685"}
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
    "drift": Shade("drift, 1 − CCC", "linear", ".3~f"),
}
"""The shades by name; `cluster` stands beside them, and has classes instead of a scale."""


def coloured(
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
        at = np.arange(low, high + 1, max(1, round((high - low) / 8)))
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


def ramp(mode: Mode, share: float) -> str:
    """The colour that stands so far along the scale of amounts, 0 to 1."""
    from plotly.colors import sample_colorscale

    return str(sample_colorscale([colour for _, colour in _ramp(mode)], [share])[0])


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
