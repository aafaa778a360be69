"""Maps: every neuron a point in the plane, near those that do the same.

What is projected are unit vectors, one a neuron, whose dot products are correlations of activations (`sketch.npy` of an
index). Principal components are exact. t-SNE (van der Maaten & Hinton 2008, by openTSNE) and UMAP (McInnes et al. 2018)
start from the principal components, so that the same input gives the same map. A map in two dimensions always tears
neighbourhoods apart: `trustworthiness` says how far it can be believed. Never cluster on a map.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from jaxtyping import Float, Integer

from neuronscope.errors import InputError
from neuronscope.jobs import checkpoint, report

if TYPE_CHECKING:
    import pandas as pd

Method = Literal["pca", "tsne", "umap"]
METHODS: tuple[Method, ...] = get_args(Method)

COMPONENTS = 50
"""Principal components that t-SNE and UMAP are given."""
PERPLEXITY = 30.0
NEIGHBOURS = 15
"""Neighbours of UMAP's graph, and those that `trustworthiness` compares."""
ANCHORS = 1000
"""The most neurons whose neighbourhoods are compared for `trustworthiness`."""
_STEPS = {"early exaggeration": 250, "embedding": 500}


@dataclass(frozen=True, eq=False)
class Projection:
    """A map of neurons."""

    method: Method
    """How it was made."""
    rows: Integer[np.ndarray, " points"]
    """Which neurons are on it: their rows in the index."""
    points: Float[np.ndarray, "points 2"]
    """Where they are."""
    explained: Float[np.ndarray, " components"]
    """Share of the variance that each principal component explains, of all that were computed."""
    trustworthiness: float
    """From 0 to 1: how few of a neuron's neighbours on the map are not its neighbours (Venna & Kaski 2001); NaN for
    maps too small to say."""
    anchors: int
    """How many neurons' neighbourhoods were compared for it."""
    settings: str
    """The method's settings, in words."""
    units: int
    """Neurons of the model; those not on the map never vary, or were not asked for."""
    neurons: int
    """Neurons in each layer."""

    @property
    def table(self) -> pd.DataFrame:
        """One row for each point: `layer neuron x y`."""
        import pandas as pd

        columns = {"layer": self.rows // self.neurons, "neuron": self.rows % self.neurons}
        return pd.DataFrame(columns | {"x": self.points[:, 0], "y": self.points[:, 1]})

    @property
    def shown(self) -> str:
        """How many of the neurons are on the map, in words."""
        left = self.units - len(self.rows)
        why = "" if not left else f": {left:,} never vary, or were not asked for"
        return f"{len(self.rows):,} of {self.units:,} neurons{why}"


@dataclass(frozen=True, eq=False)
class Map:
    """Points in the plane, and how far to believe them; `Projection` adds which neurons they are."""

    points: Float[np.ndarray, "points 2"]
    """Where they are."""
    explained: Float[np.ndarray, " components"]
    """Share of the variance that each principal component explains."""
    trustworthiness: float
    """How far to believe the map; see `trustworthiness`."""
    anchors: int
    """Over how many points that was measured."""
    settings: str
    """The method's settings, in words."""


def project(vectors: Float[np.ndarray, "points features"], method: str = "pca", *, seed: int = 0) -> Map:
    """Put unit vectors on a map.

    Args:
        vectors: One row for each neuron.
        method: `pca`, `tsne` or `umap`.
        seed: Of whatever is random; the same seed gives the same map.

    Raises:
        InputError: for another method, fewer than three vectors, or `umap` where umap-learn is not installed.
        Cancelled: between steps.
    """
    if method not in METHODS:
        raise InputError(f"No map by {method!r}: ask for {', '.join(METHODS)}.")
    if len(vectors) < 3:
        raise InputError(f"A map of {len(vectors)} neurons: it takes three that vary. Choose more neurons or layers.")
    components, explained = principal_components(vectors, min(COMPONENTS, *vectors.shape))
    if components.shape[1] < 2:
        components = np.pad(components, ((0, 0), (0, 2 - components.shape[1])))
    make, settings = _MAKERS[method](len(vectors))
    points = np.asarray(make(components, seed), dtype=np.float32)
    value, anchors = trustworthiness(vectors, points, seed=seed)
    return Map(points, explained, value, anchors, settings)


def principal_components(
    vectors: Float[np.ndarray, "points features"], count: int
) -> tuple[Float[np.ndarray, "points components"], Float[np.ndarray, " components"]]:
    """Scores on the first principal components, and the share of the variance that each explains.

    Exact: an eigendecomposition of the features' covariance. Each component's sign is fixed by its largest loading.
    """
    from sklearn.decomposition import PCA

    report(0, None, "Principal components", time.monotonic())
    wide = np.asarray(vectors, dtype=np.float64)
    if not np.ptp(wide, axis=0).any():
        return np.zeros((len(wide), count)), np.zeros(count)
    solver = "covariance_eigh" if len(wide) >= wide.shape[1] else "full"
    fitted = PCA(count, svd_solver=solver)
    return fitted.fit_transform(wide), fitted.explained_variance_ratio_


def trustworthiness(
    vectors: Float[np.ndarray, "points features"],
    points: Float[np.ndarray, "points 2"],
    *,
    neighbours: int = NEIGHBOURS,
    anchors: int = ANCHORS,
    seed: int = 0,
) -> tuple[float, int]:
    """How far a map's neighbourhoods can be believed, and over how many neurons that was measured.

    `1 - 2 / (A k (2M - 3k - 1)) * sum of max(0, rank - k)` over the k nearest on the map of each of A neurons, `rank`
    being their rank by distance before the projection (Venna & Kaski 2001); `A` is all M neurons, or a random sample of
    them. NaN where M < 2k.
    """
    total = len(vectors)
    if total < 2 * neighbours + 2:
        return float("nan"), 0
    chosen = np.random.default_rng(seed).permutation(total)[:anchors]
    wide = np.asarray(vectors, dtype=np.float32)
    lengths, places = (wide**2).sum(1), (points**2).sum(1)
    penalty = 0.0
    for first in range(0, len(chosen), 64):
        checkpoint()
        some = chosen[first : first + 64]
        own = np.arange(len(some))
        near = places - 2 * points[some] @ points.T
        far = lengths - 2 * wide[some] @ wide.T
        near[own, some] = far[own, some] = -np.inf
        on_map = np.argpartition(near, neighbours, axis=1)[:, : neighbours + 1]
        # The neuron itself stands first by distance, with rank 0.
        ranks = (far[:, None, :] < np.take_along_axis(far, on_map, 1)[:, :, None]).sum(2)
        penalty += np.maximum(ranks - neighbours, 0).sum()
    worst = len(chosen) * neighbours * (2 * total - 3 * neighbours - 1) / 2
    return float(1 - penalty / worst), len(chosen)


Make = Callable[[Float[np.ndarray, "points components"], int], Any]


def _pca(_points: int) -> tuple[Make, str]:
    return lambda components, _seed: components[:, :2], "the first two principal components"


def _tsne(points: int) -> tuple[Make, str]:
    perplexity = max(min(PERPLEXITY, (points - 1) / 3), 1.0)

    def make(components: Float[np.ndarray, "points components"], seed: int) -> Any:
        import openTSNE

        started, done = time.monotonic(), 0

        def tell(_iteration: int, _error: float, _embedding: Any) -> None:
            nonlocal done
            done += 10
            report(done, sum(_STEPS.values()), "t-SNE, step", started)

        start = openTSNE.initialization.rescale(components[:, :2].copy())
        fitted = openTSNE.TSNE(
            perplexity=perplexity,
            initialization=start,
            metric="euclidean",
            n_jobs=1,  # sums in another order would give another map
            neighbors="exact" if points < 2000 else "annoy",
            early_exaggeration_iter=_STEPS["early exaggeration"],
            n_iter=_STEPS["embedding"],
            random_state=seed,
            callbacks=tell,
            callbacks_every_iters=10,
        )
        return fitted.fit(components)

    return make, f"t-SNE, perplexity {perplexity:g}, on {COMPONENTS} principal components, started from the first two"


def _umap(points: int) -> tuple[Make, str]:
    neighbours = max(min(NEIGHBOURS, points - 1), 2)

    def make(components: Float[np.ndarray, "points components"], seed: int) -> Any:
        try:
            import umap
        except ImportError:
            raise InputError(
                "UMAP comes with the extra umap: pip install 'neuronscope[umap]'. Or ask for tsne or pca."
            ) from None
        report(0, None, "UMAP", time.monotonic())
        start = components[:, :2] / max(np.abs(components[:, :2]).max(), 1e-12) * 10
        fitted = umap.UMAP(n_neighbors=neighbours, init=start, random_state=seed, n_jobs=1)
        return fitted.fit_transform(components)

    return make, f"UMAP, {neighbours} neighbours, on {COMPONENTS} principal components, started from the first two"


_MAKERS: dict[str, Callable[[int], tuple[Make, str]]] = {"pca": _pca, "tsne": _tsne, "umap": _umap}
