"""The clusters of a model: which neuron is in which, how good each is, and what it is called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Integer

from neuronscope.analysis.clustering.grouping import Grouping
from neuronscope.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

LEFT_OUT = -2
"""The label of a neuron that was not clustered."""


@dataclass(frozen=True, eq=False)
class Clusters:
    """Groups of neurons that are active together."""

    method: str
    """How they were found."""
    labels: Integer[np.ndarray, " units"]
    """The cluster of every neuron of the model, by row: -1 for none, -2 where it was not looked at."""
    grouping: Grouping
    """The same for the neurons that were looked at, with loadings, cohesion, stability and the choice of k."""
    rows: Integer[np.ndarray, " points"]
    """Which neurons were looked at."""
    names: tuple[str, ...]
    """A name for each cluster, of its distinctive tokens."""
    tokens: tuple[tuple[str, ...], ...]
    """Each cluster's distinctive tokens."""
    signs: tuple[str, ...]
    """Which side of zero each cluster's members mostly go to; its tokens are those of that side."""
    neurons: int
    """Neurons in each layer."""

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def table(self) -> pd.DataFrame:
        """One row for each cluster: `cluster name size layers cohesion stability sign tokens`.

        `cohesion` is the mean correlation of two members, `stability` the share of the cluster that comes back when
        half of the corpus is left out (Jaccard).
        """
        import pandas as pd

        members = [self.members(number) for number in range(len(self))]
        return pd.DataFrame(
            {
                "cluster": np.arange(len(self)),
                "name": list(self.names),
                "size": [len(rows) for rows in members],
                "layers": [_ranges(np.unique(rows // self.neurons)) for rows in members],
                "cohesion": self.grouping.cohesion,
                "stability": self.grouping.stability,
                "sign": list(self.signs),
                "tokens": [" ".join(tokens) for tokens in self.tokens],
            }
        )

    @property
    def assigned(self) -> pd.DataFrame:
        """One row for each neuron that was looked at: `layer neuron cluster loading`; cluster -1 is none."""
        import pandas as pd

        columns = {"layer": self.rows // self.neurons, "neuron": self.rows % self.neurons}
        return pd.DataFrame(columns | {"cluster": self.grouping.labels, "loading": self.grouping.loadings})

    def members(self, number: int) -> Integer[np.ndarray, " members"]:
        """The rows of a cluster's neurons, the largest loading first; raises `InputError` if there is none such."""
        if not 0 <= number < len(self):
            raise InputError(f"No cluster {number}: there are {len(self)}, from 0.")
        own = np.flatnonzero(self.grouping.labels == number)
        return self.rows[own[np.argsort(-self.grouping.loadings[own], kind="stable")]]

    def loading(self, row: int) -> float:
        """The loading of a neuron on its cluster; NaN if it was not looked at."""
        at = np.searchsorted(self.rows, row)
        found = at < len(self.rows) and self.rows[at] == row
        return float(self.grouping.loadings[at]) if found else float("nan")

    def neighbours(self, number: int, count: int = 5) -> list[tuple[int, float]]:
        """The clusters whose mean directions are most like this one's, or most opposed, with the correlation."""
        self.members(number)
        r = self.grouping.centroids @ self.grouping.centroids[number]
        order = [int(i) for i in np.argsort(-np.abs(r), kind="stable") if i != number]
        return [(i, float(r[i])) for i in order[:count]]

    @property
    def shown(self) -> str:
        """How many neurons are in clusters, and why the others are not, in words."""
        inside = int((self.grouping.labels >= 0).sum())
        noise, out = len(self.rows) - inside, len(self.labels) - len(self.rows)
        said = f"{inside:,} of {len(self.labels):,} neurons in {len(self)} clusters"
        said += f"; {noise:,} are like none more than chance" if noise else ""
        return said + (f"; {out:,} never fire or vary, or were not asked for" if out else "")


def _ranges(numbers: Integer[np.ndarray, " n"]) -> str:
    """Numbers as a reader would write them: 0-2, 5."""
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs if len(run))
