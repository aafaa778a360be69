"""Texts and activations that the tests of figures draw, and what a reader would find in a figure."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import plotly.graph_objects as go

from neuronscope.vocabulary import Activations, Site, Source, Tokens

HOSTILE = (
    "first",
    "<b>",
    "<script>alert(1)</script>",
    "&amp;",
    '<a href="https://example.org">here</a>',
    "</s>",
    "<br>",
    "שלום",
    "مرحبا",
    "\x00\x1b",
    "\u200b",
    "",
    " ",
    "\n",
    "\t",
    "$x^2$",
    "a\u202eb",
    "%{z}",
    "the",
    "the",
)
"""Tokens that a careless figure would run, swallow, merge or turn round."""


def activations(
    words: tuple[str, ...] | int = 6,
    neurons: int = 8,
    layers: tuple[int, ...] = (0, 1, 2),
    *,
    site: Site = Site.NEURONS,
    heads: int | None = None,
    values: np.ndarray | None = None,
) -> Activations:
    """Activations on `words` (or so many made-up ones): reproducible noise, or the `values` given."""
    display = words if isinstance(words, tuple) else tuple(f"w{i}" for i in range(words))
    shape = (len(layers), len(display), neurons)
    if values is None:
        values = np.random.default_rng(0).normal(size=shape)
    count = len(display)
    special = np.zeros(count, dtype=bool)
    tokens = Tokens("", np.arange(count) + 100, np.zeros((count, 2), dtype=int), display, special)
    source = Source("tiny", "abc123", "float32")
    return Activations(values.astype(np.float32).reshape(shape), tokens, site, layers, source, heads)


def drawn(figure: go.Figure) -> dict[str, Any]:
    """The figure as a browser receives it."""
    received: dict[str, Any] = json.loads(figure.to_json())
    return received


def array(packed: dict[str, Any]) -> np.ndarray:
    """A number array as it travels: bytes in base64, never decimal text."""
    import base64

    kinds = {"f4": np.float32, "i2": np.int16, "i4": np.int32, "i1": np.int8, "u1": np.uint8, "f8": np.float64}
    flat = np.frombuffer(base64.b64decode(packed["bdata"]), dtype=kinds[packed["dtype"]])
    return flat.reshape([int(n) for n in str(packed.get("shape", len(flat))).split(",")])


def labels(figure: go.Figure, axis: str = "yaxis51") -> list[str]:
    """The labels that stand along an axis; along `yaxis` itself, the hover text of every row."""
    return list(figure.layout[axis].ticktext)
