"""Clusters: groups of neurons that are active together.

What is clustered are unit vectors, one a neuron, whose dot products are correlations of activations. Spherical k-means
(Dhillon & Modha 2001) is the default: on raw activations k-means finds the neurons' scales, not their likeness. A
neuron that correlates with its cluster no better than neurons whose tokens were shuffled do is left unassigned.
How many clusters there are is never given by the data alone: `suggest` draws the curve behind the choice, and every
cluster says how much of it comes back when half of the corpus is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Integer

from neuronscope.analysis.clustering.kmeans import centroids, directions, loadings, spherical_kmeans, sums_of
from neuronscope.errors import InputError
from neuronscope.jobs import track

Method = Literal["kmeans", "minibatch", "agglomerative", "hdbscan"]
METHODS: tuple[Method, ...] = get_args(Method)

UNASSIGNED = -1
"""The label of a neuron that is in no cluster."""
GRID = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192)
"""Numbers of clusters that `suggest` tries, as far as there are four times as many neurons."""
PLATEAU = 0.02
"""The smallest number whose stability is this close to the best is suggested."""
STABLE = 0.6
"""Where no number reaches this stability, stability says nothing about which to take, and silhouette decides."""
MERGE = 0.8
"""Clusters whose centroids correlate more than this are one, where their number was not given by hand."""
SAME = 0.5
"""Average correlation down to which agglomerative clustering joins."""
LARGEST_MATRIX = 8192
"""The most neurons whose correlations with each other are held at once."""
_SUGGEST_ROWS = 4096
_HALVES = 3
_SILHOUETTE_ROWS = 2000
_NULL_ROWS, _NULL_QUANTILE = 2000, 0.99


@dataclass(frozen=True, eq=False)
class Curve:
    """How well each number of clusters does."""

    numbers: tuple[int, ...]
    """The numbers of clusters that were tried."""
    stability: tuple[float, ...]
    """Mean adjusted Rand index of clusterings made from random halves of the corpus: 1 is the same, 0 chance."""
    silhouette: tuple[float, ...]
    """Mean silhouette by cosine (Rousseeuw 1987), on the halves' common neurons."""
    chosen: int
    """The smallest number whose stability is within 0.02 of the best; where none is stable, that of the highest
    silhouette."""

    @property
    def why(self) -> str:
        """Why this number was chosen, in words."""
        best = max(self.stability)
        if best >= STABLE:
            return f"k = {self.chosen} is the smallest whose stability is within {PLATEAU:g} of the best, {best:.2f}"
        return f"no k is stable (ARI at best {best:.2f}), so k = {self.chosen} is where the silhouette is highest"


@dataclass(frozen=True, eq=False)
class Grouping:
    """Which vector belongs to which cluster, and how firmly."""

    labels: Integer[np.ndarray, " points"]
    """The cluster of each, largest cluster first; -1 for none."""
    loadings: Float[np.ndarray, " points"]
    """Correlation of each with the mean of its cluster's other members; of the unassigned, with the nearest mean."""
    centroids: Float[np.ndarray, "clusters features"]
    """The clusters' mean directions, of length 1."""
    cohesion: Float[np.ndarray, " clusters"]
    """Mean correlation of two members; NaN for a cluster of one."""
    stability: Float[np.ndarray, " clusters"]
    """Mean Jaccard overlap with the most similar cluster of clusterings made from random halves of the corpus."""
    threshold: float
    """The loading that shuffled neurons stay below in 99 of 100 cases; NaN for methods that say who is out."""
    curve: Curve | None
    """How the number of clusters was chosen; None where it was not."""


def cluster(
    vectors: Float[np.ndarray, "points features"], k: int | None = None, *, method: str = "kmeans", seed: int = 0
) -> Grouping:
    """Group unit vectors.

    Args:
        vectors: One row for each neuron; features hold disjoint tokens each, so that half of them are half a corpus.
        k: How many clusters; by default `suggest`ed, and clusters that turn out the same merged.
        method: `kmeans` (spherical, the default), `minibatch` (scikit-learn's mini-batch k-means), `agglomerative`
            (average linkage down to r = 0.5, or to `k` clusters) or `hdbscan` (on 20 principal components).
        seed: Of whatever is random.

    Raises:
        InputError: for another method, a `k` that cannot be, or too many neurons for `agglomerative`.
        Cancelled: between steps.
    """
    if method not in METHODS:
        raise InputError(f"No clustering by {method!r}: ask for {', '.join(METHODS)}.")
    if k is not None and not 1 <= k <= len(vectors):
        raise InputError(f"{k} clusters of {len(vectors):,} neurons that vary: ask for 1 to {len(vectors):,}.")
    if len(vectors) < 4:
        raise InputError(f"Clusters of {len(vectors)} neurons: it takes four that vary. Choose more neurons or layers.")
    unit = np.ascontiguousarray(vectors, dtype=np.float32)
    curve = suggest(unit, seed=seed) if k is None and method in ("kmeans", "minibatch") else None
    number = curve.chosen if curve else k
    labels = _partition(unit, number, method, seed)
    if curve:
        labels = _merged(unit, labels)
    threshold = float("nan")
    if method in ("kmeans", "minibatch"):
        threshold = null_loading(unit, centroids(unit, labels), seed=seed)
        labels = _without_noise(unit, labels, threshold)
    labels = _by_size(labels)
    stable = _jaccard(unit, labels, number, method, seed)
    middles = centroids(unit, labels)
    return Grouping(labels, loadings(unit, labels), middles, _cohesion(unit, labels), stable, threshold, curve)


def suggest(vectors: Float[np.ndarray, "points features"], *, seed: int = 0) -> Curve:
    """Try numbers of clusters, each on three random halves of the corpus, and say which to take.

    On at most 4,096 neurons, drawn at random.
    """
    from sklearn.metrics import adjusted_rand_score

    rng = np.random.default_rng(seed)
    some = vectors[np.sort(rng.permutation(len(vectors))[:_SUGGEST_ROWS])]
    numbers = [k for k in GRID if 4 * k <= len(some)] or [1]
    halves = [_half(some, rng) for _ in range(_HALVES)]
    stability, silhouette = [], []
    for k in track(numbers, label="Trying numbers of clusters"):
        found = [spherical_kmeans(half, k, seed=seed + i, starts=3) for i, half in enumerate(halves)]
        pairs = [(a, b) for a in range(_HALVES) for b in range(a)]
        stability.append(float(np.mean([adjusted_rand_score(found[a], found[b]) for a, b in pairs])))
        silhouette.append(_silhouette(some, spherical_kmeans(some, k, seed=seed, starts=3), seed))
    good = [k for k, value in zip(numbers, stability, strict=True) if value >= max(stability) - PLATEAU]
    chosen = good[0] if max(stability) >= STABLE else numbers[int(np.argmax(np.nan_to_num(silhouette, nan=-1)))]
    return Curve(tuple(numbers), tuple(stability), tuple(silhouette), chosen)


def null_loading(
    vectors: Float[np.ndarray, "points features"], middles: Float[np.ndarray, "clusters features"], *, seed: int = 0
) -> float:
    """The cosine with their nearest centroid that neurons with shuffled tokens stay below in 99 of 100 cases.

    Shuffling a vector's features, with random signs, deals its tokens to other buckets with other signs: what it does
    stays, when it does it is chance.
    """
    rng = np.random.default_rng(seed)
    some = vectors[rng.permutation(len(vectors))[:_NULL_ROWS]]
    shuffled = rng.permuted(some, axis=1) * rng.choice(np.array([-1, 1], np.float32), some.shape)
    return float(np.quantile((shuffled @ middles.T).max(1), _NULL_QUANTILE))


def _partition(unit: Float[np.ndarray, "points features"], k: int | None, method: str, seed: int) -> np.ndarray:
    if method == "kmeans":
        assert k is not None, "given, or suggested"
        return spherical_kmeans(unit, k, seed=seed)
    if method == "minibatch":
        from sklearn.cluster import MiniBatchKMeans

        return MiniBatchKMeans(k, n_init=5, random_state=seed).fit_predict(unit)
    if method == "hdbscan":
        from sklearn.cluster import HDBSCAN
        from sklearn.decomposition import PCA

        if not np.ptp(unit, axis=0).any():
            return np.zeros(len(unit), dtype=np.int64)
        reduced = PCA(min(20, *unit.shape), svd_solver="full" if len(unit) < unit.shape[1] else "covariance_eigh")
        least = max(min(15, len(unit) // 10), 2)
        return HDBSCAN(min_cluster_size=least, copy=True).fit_predict(reduced.fit_transform(unit))
    return _agglomerative(unit, k)


def _agglomerative(unit: Float[np.ndarray, "points features"], k: int | None) -> np.ndarray:
    from sklearn.cluster import AgglomerativeClustering

    if len(unit) > LARGEST_MATRIX:
        raise InputError(
            f"Agglomerative clustering holds the correlation of every two of {len(unit):,} neurons, and takes at most "
            f"{LARGEST_MATRIX:,}. Choose layers, or cluster by kmeans."
        )
    apart = np.clip(1 - unit @ unit.T, 0, 2)
    np.fill_diagonal(apart, 0)
    until = {"n_clusters": k} if k is not None else {"n_clusters": None, "distance_threshold": 1 - SAME}
    labels = AgglomerativeClustering(metric="precomputed", linkage="average", **until).fit_predict(apart)
    alone = np.bincount(labels)[labels] == 1
    return np.where(alone, UNASSIGNED, labels) if k is None else labels


def _half(vectors: Float[np.ndarray, "points features"], rng: np.random.Generator) -> np.ndarray:
    """The vectors as a random half of the corpus shows them."""
    chosen = np.sort(rng.permutation(vectors.shape[1])[: max(vectors.shape[1] // 2, 1)])
    return directions(np.ascontiguousarray(vectors[:, chosen]))


def _silhouette(vectors: Float[np.ndarray, "points features"], labels: np.ndarray, seed: int) -> float:
    from sklearn.metrics import silhouette_score

    some = np.random.default_rng(seed).permutation(len(vectors))[:_SILHOUETTE_ROWS]
    kinds = len(np.unique(labels[some]))
    if not 2 <= kinds < len(some):
        return float("nan")
    return float(silhouette_score(vectors[some], labels[some], metric="cosine"))


def _without_noise(
    vectors: Float[np.ndarray, "points features"], labels: np.ndarray, threshold: float
) -> Integer[np.ndarray, " points"]:
    """Let go of members whose loading is below the threshold, again until none is: a cluster of one has loading 0."""
    while True:
        noise = (loadings(vectors, labels) < threshold) & (labels >= 0)
        if not noise.any():
            return labels
        labels = np.where(noise, UNASSIGNED, labels)


def _merged(vectors: Float[np.ndarray, "points features"], labels: np.ndarray) -> np.ndarray:
    """The same with clusters joined whose centroids correlate by more than `MERGE` on average."""
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    middles = centroids(vectors, labels)
    if len(middles) < 2:
        return labels
    apart = np.clip(1 - middles @ middles.T, 0, 2).astype(np.float64)
    np.fill_diagonal(apart, 0)
    joined = fcluster(linkage(squareform(apart, checks=False), "average"), 1 - MERGE, "distance") - 1
    return joined[labels]


def _by_size(labels: Integer[np.ndarray, " points"]) -> Integer[np.ndarray, " points"]:
    """The same labels counted from the largest cluster to the smallest, and none of them empty."""
    kept, first, counts = np.unique(labels[labels >= 0], return_index=True, return_counts=True)
    order = np.lexsort((first, -counts))
    table = np.full(int(labels.max(initial=0)) + 1, UNASSIGNED)
    table[kept[order]] = np.arange(len(kept))
    return np.where(labels >= 0, table[np.maximum(labels, 0)], UNASSIGNED)


def _cohesion(vectors: Float[np.ndarray, "points features"], labels: np.ndarray) -> Float[np.ndarray, " clusters"]:
    count = int(labels.max(initial=-1)) + 1
    n = np.bincount(labels[labels >= 0], minlength=count)
    square = (sums_of(vectors, labels, count).astype(np.float64) ** 2).sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(n > 1, (square - n) / (n * (n - 1)), np.nan)


def _jaccard(
    vectors: Float[np.ndarray, "points features"], labels: np.ndarray, k: int | None, method: str, seed: int
) -> Float[np.ndarray, " clusters"]:
    """For every cluster, how much of it comes back from random halves of the corpus."""
    rng, count = np.random.default_rng(seed + 1), int(labels.max(initial=-1)) + 1
    overlaps = np.zeros((_HALVES, count))
    inside: Bool[np.ndarray, " points"] = labels >= 0
    for i in track(range(_HALVES), label="Clustering halves of the corpus"):
        again = _partition(_half(vectors, rng), k, method, seed + i)
        if k is not None and method in ("kmeans", "minibatch"):
            again = _merged(vectors, again)
        again = np.where(inside, again, UNASSIGNED)
        table = np.zeros((count, int(again.max(initial=-1)) + 1))
        both = inside & (again >= 0)
        np.add.at(table, (labels[both], again[both]), 1)
        mine = np.bincount(labels[inside], minlength=count)
        union = mine[:, None] + table.sum(0) - table
        if table.size:
            overlaps[i] = (table / np.maximum(union, 1)).max(1)
    return overlaps.mean(0)
