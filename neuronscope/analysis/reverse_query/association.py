"""How a pattern and a neuron's firing go together, from four counts."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Integer


def lift(
    fired: Float[np.ndarray, " rows"],
    count: Integer[np.ndarray, " rows"],
    firings: Float[np.ndarray, " rows"],
    tokens: int,
) -> Float[np.ndarray, " rows"]:
    """How many times likelier a firing is at a pattern than anywhere, with half a firing added to either side."""
    return ((fired + 0.5) / (count + 1)) / ((firings + 0.5) / (tokens + 1))


def signed_g2(
    fired: Float[np.ndarray, " rows"],
    count: Integer[np.ndarray, " rows"],
    firings: Float[np.ndarray, " rows"],
    tokens: int,
) -> Float[np.ndarray, " rows"]:
    """Log-likelihood ratio G² of pattern against firing (Dunning 1993), negative where they avoid each other."""
    observed = np.stack([fired, count - fired, firings - fired, tokens - count - (firings - fired)])
    rows = observed[[0, 2]] + observed[[1, 3]]
    columns = observed[[0, 1]] + observed[[2, 3]]
    expected = np.stack([rows[0] * columns[0], rows[0] * columns[1], rows[1] * columns[0], rows[1] * columns[1]])
    expected = expected / max(tokens, 1)
    there = observed > 0
    ratio = np.where(there, observed, 1.0) / np.where(there, expected, 1.0)
    g2 = 2 * np.where(there, observed * np.log(ratio), 0.0).sum(0)
    return np.sign(observed[0] - expected[0]) * np.maximum(g2, 0.0)
