"""The same tokens in two models: how a neuron's mean changed from the one to the other.

Each activation is compared with that of the other model at the same token, so that what differs between tokens drops
out: the interval is that of the mean of differences. It takes tokens as independent of each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

_TWO_SIDED = 1.96
"""Standard errors on each side of a 95 % interval."""


@dataclass(frozen=True, eq=False)
class Paired:
    """Means over some tokens, and their difference; in units of activation."""

    count: int
    """How many tokens."""
    here: Float[np.ndarray, " units"]
    """The mean in the first model."""
    there: Float[np.ndarray, " units"]
    """The mean in the second."""
    margin: Float[np.ndarray, " units"]
    """Half of the 95 % interval of the difference; NaN where there are fewer than two tokens."""

    @property
    def change(self) -> Float[np.ndarray, " units"]:
        """The mean in the second model less that in the first."""
        return self.there - self.here


def paired(a: Float[np.ndarray, "tokens units"], b: Float[np.ndarray, "tokens units"]) -> Paired:
    """Compare what some neurons do at the same tokens in two models; means are NaN where there is no token."""
    count = len(a)
    if not count:
        nothing = np.full(a.shape[1], np.nan)
        return Paired(0, nothing, nothing, nothing)
    wide, other = a.astype(np.float64), b.astype(np.float64)
    spread = (other - wide).std(0, ddof=1) if count > 1 else np.full(a.shape[1], np.nan)
    return Paired(count, wide.mean(0), other.mean(0), _TWO_SIDED * spread / np.sqrt(count))
