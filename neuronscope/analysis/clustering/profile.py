"""What a group of neurons does on average, and what it would do if each of them were active for itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float


@dataclass(frozen=True, eq=False)
class Profile:
    """The mean of a group's standardised activations on some tokens."""

    together: Float[np.ndarray, " sample"]
    """As the neurons are."""
    apart: Float[np.ndarray, " sample"]
    """With the tokens of each neuron shuffled by themselves: what is left where they have nothing in common."""
    members: int
    """How many neurons it is the mean of."""

    @property
    def table(self) -> pd.DataFrame:
        """A row for each token of the sample; of `apart` only how the values are distributed means anything."""
        return pd.DataFrame({"together": self.together, "apart": self.apart})


def profile(z: Float[np.ndarray, "members sample"], *, seed: int = 0) -> Profile:
    """The profile of neurons by their standardised activations on a sample of tokens; `seed` is of the shuffling."""
    if not z.size:  # no neuron, or an index that has seen none of its sampled tokens yet
        return Profile(np.zeros(0), np.zeros(0), 0)
    apart = np.random.default_rng(seed).permuted(z, axis=1)
    return Profile(np.asarray(z.mean(0)), np.asarray(apart.mean(0)), len(z))
