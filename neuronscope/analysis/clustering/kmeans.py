"""Spherical k-means (Dhillon & Modha 2001): groups of unit vectors, each with its mean direction.

Scikit-learn's k-means draws its centroids inside the sphere; these stay on it, so that a dot product is a correlation.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Integer
from scipy import sparse

from neuronscope.jobs import track

_STARTS, _START_STEPS = 5, 5
_FEW, _STARTS_OF_FEW = 32, 15
"""Up to so many clusters, starts cost little, and there are so many of them."""
_START_ROWS, _START_MEMBERS = 1024, 10
_ENOUGH = 5e-5
"""A step that gains less than this, in the mean cosine of vectors with their centres, is the last."""


def spherical_kmeans(
    vectors: Float[np.ndarray, "points features"], k: int, *, seed: int = 0, starts: int | None = None, steps: int = 50
) -> Integer[np.ndarray, " points"]:
    """Labels of k groups that maximise the sum of cosines between vectors and their group's mean direction.

    The best of several k-means++ starts on a sample of the vectors (1,024, or ten a cluster) goes on with all of them.
    """
    from sklearn.cluster import kmeans_plusplus

    rng = np.random.default_rng(seed)
    rows = max(_START_ROWS, _START_MEMBERS * k)
    some = vectors[np.sort(rng.permutation(len(vectors))[:rows])]
    best, centres = -np.inf, some[:k]
    for _ in range(starts or (_STARTS if k > _FEW else _STARTS_OF_FEW)):
        drawn = int(rng.integers(1 << 31))
        first, _places = kmeans_plusplus(some, k, random_state=drawn, n_local_trials=1 if k > _FEW else None)
        found, _labels, total = _lloyd(some, first, _START_STEPS)
        if total > best:
            best, centres = total, found
    return _lloyd(vectors, centres, steps)[1]


def centroids(
    vectors: Float[np.ndarray, "points features"], labels: Integer[np.ndarray, " points"]
) -> Float[np.ndarray, "clusters features"]:
    """The mean direction of each cluster, of length 1; zeros for an empty one."""
    return directions(sums_of(vectors, labels, int(labels.max(initial=-1)) + 1))


def loadings(
    vectors: Float[np.ndarray, "points features"], labels: Integer[np.ndarray, " points"]
) -> Float[np.ndarray, " points"]:
    """Cosine of each vector with its cluster's mean direction, itself left out; 0 in a cluster of one.

    Without leaving it out, a vector of noise is like the centroid that it is a part of. Of the unassigned, the largest
    cosine with any centroid.
    """
    count = int(labels.max(initial=-1)) + 1
    if not count:
        return np.zeros(len(vectors), np.float32)
    sums = sums_of(vectors, labels, count)
    along = vectors @ sums.T
    own = np.maximum(labels, 0)
    dots = along[np.arange(len(vectors)), own] - 1
    square = (sums**2).sum(1)[own] - 2 * dots - 1
    inside = np.where(square > 1e-9, dots / np.sqrt(np.maximum(square, 1e-9)), 0)
    outside = (along / np.maximum(np.linalg.norm(sums, axis=1), 1e-12)).max(1)
    return np.where(labels >= 0, inside, outside).astype(np.float32)


def _lloyd(
    vectors: Float[np.ndarray, "points features"], centres: Float[np.ndarray, "clusters features"], steps: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """Assign and average until nothing changes: the centres, the labels, and the sum of cosines."""
    labels, before = np.zeros(len(vectors), np.int64), -np.inf
    centres = directions(centres)
    for _ in track(range(steps), label="Clustering, step"):
        along = vectors @ centres.T
        labels = along.argmax(1)
        nearest = along[np.arange(len(labels)), labels]
        total = float(nearest.sum(dtype=np.float64))
        empty = np.flatnonzero(np.bincount(labels, minlength=len(centres)) == 0)
        # A cluster that lost its last member starts anew from a vector that fits its own worst.
        labels[np.argsort(nearest, kind="stable")[: len(empty)]] = empty
        if total - before <= _ENOUGH * len(vectors) and not len(empty):
            break
        before = total
        centres = directions(sums_of(vectors, labels, len(centres)))
    return centres, labels, total


def sums_of(vectors: Float[np.ndarray, "points features"], labels: np.ndarray, count: int) -> np.ndarray:
    """The sum of each cluster's vectors; vectors of no cluster are left out."""
    inside = np.flatnonzero(labels >= 0)
    ones = np.ones(len(inside), vectors.dtype)
    chosen = sparse.csr_array((ones, (labels[inside], inside)), shape=(count, len(vectors)))
    return np.asarray(chosen @ vectors)


def directions(sums: Float[np.ndarray, "clusters features"]) -> Float[np.ndarray, "clusters features"]:
    """Sums scaled to length 1."""
    return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
