"""A group of neurons and how well it holds together, be it a cluster that was found or a group that was kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from neuronscope.analysis.clustering.kmeans import directions, loadings
from neuronscope.vocabulary import Neuron

if TYPE_CHECKING:
    from neuronscope.analysis.clustering import Clusters
    from neuronscope.indexed import Index

ASKED = 64
"""So many members, those of the largest loading, are asked for what excites the group and where it fires."""
KIN = 5


@dataclass(frozen=True, eq=False)
class Members:
    """The neurons of a group."""

    name: str
    """What it is called."""
    neurons: tuple[Neuron, ...]
    """Its neurons, the largest loading first."""
    loadings: Float[np.ndarray, " members"]
    """Correlation of each with the mean of the others."""
    cohesion: float
    """Mean correlation of two members; NaN for one."""
    stability: float | None
    """Share of it that comes back when half of the corpus is left out; None for a group put together by hand."""
    sign: str
    """The side of zero that is looked at."""
    kin: tuple[tuple[int, float], ...]
    """The clusters whose mean is most like the group's, or most opposed, with the correlation."""


def of_cluster(clusters: Clusters, number: int, index: Index) -> Members:
    """A cluster; raises `InputError` if there is none of that number."""
    rows = clusters.members(number).tolist()
    return Members(
        name=clusters.names[number],
        neurons=tuple(index.neuron(row) for row in rows),
        loadings=np.array([clusters.loading(row) for row in rows]),
        cohesion=float(clusters.grouping.cohesion[number]),
        stability=float(clusters.grouping.stability[number]),
        sign=clusters.signs[number],
        kin=tuple(clusters.neighbours(number, KIN)),
    )


def of_group(name: str, neurons: Sequence[Neuron], index: Index, clusters: Clusters | None) -> Members:
    """A kept group, by the index's sketch of what its neurons do; raises `NoSuchNeuron` if one is not in the index."""
    rows = np.array([index.row(neuron) for neuron in neurons])
    vectors = np.asarray(index.store.sketch[rows], np.float32)
    held = loadings(vectors, np.zeros(len(rows), np.int64))
    total = vectors.sum(0)
    count = len(rows)
    cohesion = (float(total @ total) - float((vectors**2).sum())) / (count * (count - 1)) if count > 1 else float("nan")
    kin: tuple[tuple[int, float], ...] = ()
    if clusters is not None and len(clusters):
        r = clusters.grouping.centroids @ directions(total[None])[0]
        kin = tuple((int(i), float(r[i])) for i in np.argsort(-np.abs(r), kind="stable")[:KIN])
    order = np.argsort(-held, kind="stable")
    return Members(name, tuple(neurons[i] for i in order), held[order], cohesion, None, "+", kin)
