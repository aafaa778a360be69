"""The moving map of a drift: every neuron in every checkpoint on one projection, sent to a browser once.

`frames` gathers what it shows, `packed` makes of it the bytes that `assets/drift-player.js` draws from, and `page` a
file of its own that needs no network. 36,864 neurons in 10 checkpoints are 2.9 MB.

The bytes, little-endian: the length of a JSON text as uint32, that text, and then, checkpoint by checkpoint and in each
neuron by neuron: places as int16 [checkpoints, units, 2], -32768 where a neuron never varies; and without the base:
drift as uint16, 65535 sqrt(D / 2); the shares of location and of scale in it, as uint8 255ths; and whether it is above
the noise floor, a bit each.
"""

from __future__ import annotations

import base64
import html
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Float32

from neuronscope.figures.drift_words import control_said, floor_said
from neuronscope.figures.shades import ramp
from neuronscope.figures.theme import Mode, palette, visible
from neuronscope.settings import assets_folder
from neuronscope.vocabulary import Neuron

if TYPE_CHECKING:
    from neuronscope.series import Drift

MOVERS = 12
"""So many neurons of largest drift are named in each checkpoint."""
NEVER = -32768
"""Stands for the place of a neuron that never varies."""
PARTS = ("location", "scale", "selectivity")
"""What drift is made of."""
PART_COLOURS = {"light": ("#2a5fa8", "#e0a02a", "#b0305c"), "dark": ("#5eaff6", "#e0b045", "#f0829f")}
"""A colour for each part: under every kind of colour blindness any two differ by 24 or more (CIE 1976)."""
_QUIET = {"light": "#a7b0bc", "dark": "#566070"}
_TOKENS = 2
_FULL = 65535


@dataclass(frozen=True)
class Mover:
    """One of the neurons that drifted most."""

    neuron: Neuron
    """Which neuron."""
    tokens: str
    """The tokens of its highest mean in that checkpoint, visible and short."""


@dataclass(frozen=True, eq=False)
class Frames:
    """What the moving map shows."""

    model: str
    """The base's name."""
    facts: str
    """What the numbers come from."""
    labels: tuple[str, ...]
    """The names of the checkpoints, the base first."""
    losses: tuple[float | None, ...]
    """The mean loss of each in nats a token."""
    layers: int
    """Layers of the model."""
    explained: tuple[float, float]
    """The shares of the variance that the two axes explain."""
    points: Float32[np.ndarray, "checkpoints units 2"]
    """Where every neuron stands, each axis from -1 to 1 over all checkpoints; NaN for neurons that never vary."""
    drift: Float32[np.ndarray, "checkpoints units"]
    """D of every neuron; of the base 0."""
    location: Float32[np.ndarray, "checkpoints units"]
    """The share of location in it."""
    scale: Float32[np.ndarray, "checkpoints units"]
    """The share of scale in it; the rest is selectivity."""
    above: Bool[np.ndarray, "checkpoints units"]
    """Whether it is above the noise floor."""
    movers: tuple[tuple[Mover, ...], ...]
    """The neurons of largest drift in each checkpoint, the largest first; of the base, none."""

    @property
    def units(self) -> int:
        """Neurons of all layers."""
        return self.points.shape[1]


def frames(drift: Drift) -> Frames:
    """Gather what the moving map of a drift shows; the projection is fitted the first time, which takes seconds."""
    way = drift.trajectories()
    records = [drift.records(number) for number in range(len(drift.checkpoints))]
    gathered = {name: np.stack([one[name] for one in records]) for name in ("drift", "location", "scale", "above")}
    whole = np.where(gathered["drift"] > 0, gathered["drift"], 1)
    tokens = f"{drift.manifest.tokens:,} tokens of a probe corpus"
    return Frames(
        model=drift.source.model,
        facts=" · ".join((tokens, drift.manifest.precision, floor_said(drift), control_said(drift))),
        labels=tuple(one.label for one in drift.checkpoints),
        losses=tuple(one.loss for one in drift.checkpoints),
        layers=drift.manifest.layers,
        explained=(float(way.explained[0]), float(way.explained[1])),
        points=_within(way.points),
        drift=gathered["drift"],
        location=gathered["location"] / whole,
        scale=gathered["scale"] / whole,
        above=gathered["above"],
        movers=tuple(_movers(drift, number, one["drift"]) for number, one in enumerate(records)),
    )


def _within(points: Float32[np.ndarray, "checkpoints units 2"]) -> Float32[np.ndarray, "checkpoints units 2"]:
    """The same with each axis from -1 to 1 over all checkpoints."""
    if not np.isfinite(points).any():
        return points
    low, high = np.nanmin(points, axis=(0, 1)), np.nanmax(points, axis=(0, 1))
    half = np.maximum((high - low) / 2, 1e-12)
    return ((points - (low + high) / 2) / half).astype(np.float32)


def _movers(drift: Drift, number: int, drifted: Float[np.ndarray, " units"]) -> tuple[Mover, ...]:
    rows = np.argsort(-drifted, kind="stable")[: MOVERS if number else 0].tolist()
    found = []
    for row in (row for row in rows if drifted[row] > 0):
        neuron = Neuron(*divmod(row, drift.manifest.neurons))
        tokens = drift.tokens(neuron, number)[:_TOKENS]
        found.append(Mover(neuron, " ".join(html.unescape(visible(token, 12)) for token, _ in tokens)))
    return tuple(found)


def packed(shown: Frames) -> bytes:
    """The frames as the player reads them; see the top of this module."""
    places = np.where(np.isnan(shown.points), NEVER, np.rint(shown.points * 32767)).astype("<i2")
    drifted = np.rint(np.sqrt(np.clip(shown.drift[1:], 0, 2) / 2) * _FULL).astype("<u2")
    shares = [np.rint(np.clip(one[1:], 0, 1) * 255).astype(np.uint8) for one in (shown.location, shown.scale)]
    above = np.packbits(shown.above[1:], bitorder="little")
    head = json.dumps(_head(shown), ensure_ascii=False, allow_nan=False).encode()
    head += b" " * (-len(head) % 4)
    pieces = (np.uint32(len(head)).astype("<u4"), places, drifted, *shares, above)
    return b"".join([pieces[0].tobytes(), head, *(piece.tobytes() for piece in pieces[1:])])


def _head(shown: Frames) -> dict[str, Any]:
    neurons = shown.units // shown.layers
    return {
        "model": shown.model,
        "facts": shown.facts,
        "checkpoints": list(shown.labels),
        "losses": list(shown.losses),
        "layers": shown.layers,
        "neurons": neurons,
        "explained": list(shown.explained),
        "movers": [
            [[one.neuron.layer * neurons + one.neuron.index, one.tokens] for one in checkpoint]
            for checkpoint in shown.movers
        ],
        "colours": {"light": _colours("light", shown.layers), "dark": _colours("dark", shown.layers)},
    }


def _colours(mode: Mode, layers: int) -> dict[str, Any]:
    own = palette(mode)
    return {
        "paper": own.paper,
        "ink": own.ink,
        "muted": own.muted,
        "accent": own.accent,
        "quiet": _QUIET[mode],
        "parts": dict(zip(PARTS, PART_COLOURS[mode], strict=True)),
        "above": own.positive,
        "layers": [ramp(mode, number / max(layers - 1, 1)) for number in range(layers)],
    }


def payload(drift: Drift) -> bytes:
    """What the player draws a drift from."""
    return packed(frames(drift))


def page(drift: Drift) -> str:
    """The moving map as an HTML file of its own, which asks nothing of any network."""
    data = base64.b64encode(payload(drift)).decode()
    assets = assets_folder()
    style, script = ((assets / f"drift-player.{kind}").read_text("utf-8") for kind in ("css", "js"))
    return _PAGE.format(
        title=html.escape(f"What changed in {drift.source.model}"), style=style, script=script, data=data
    )


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body class="drift-page">
<main><h1>{title}</h1><div id="player" class="drift-player"></div></main>
<script type="text/plain" id="data">{data}</script>
<script>{script}</script>
<script>
document.documentElement.dataset.bsTheme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
const bytes = Uint8Array.from(atob(document.getElementById("data").textContent), (one) => one.charCodeAt(0));
new DriftPlayer(document.getElementById("player"), bytes.buffer);
</script>
</body>
</html>
"""
