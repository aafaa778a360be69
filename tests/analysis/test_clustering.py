"""Clusters of planted groups: found, counted and told from noise; what cannot be clustered is said."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from neuronscope.analysis.clustering import LEFT_OUT, UNASSIGNED, Clusters, Curve, cluster
from neuronscope.analysis.clustering.grouping import STABLE, suggest
from neuronscope.analysis.clustering.kmeans import centroids, loadings, spherical_kmeans
from neuronscope.errors import InputError

GROUPS = 12


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def planted():
    """480 neurons of twelve groups with r about 0.5 inside a group, then 120 that are like no other."""
    random = np.random.default_rng(0)
    truth = np.concatenate([np.arange(480) % GROUPS, np.full(120, UNASSIGNED)])
    causes = random.normal(size=(GROUPS, 512))
    noise = random.normal(size=(600, 512))
    return unit(np.where(truth[:, None] >= 0, causes[truth] + noise, noise)), truth


@pytest.mark.parametrize("k", [None, GROUPS], ids=["suggested", "given"])
def test_planted_groups_are_found_and_noise_is_left_out(planted, k):
    vectors, truth = planted
    found = cluster(vectors, k)
    inside = truth >= 0
    assert adjusted_rand_score(truth[inside], found.labels[inside]) >= 0.9
    assert (found.labels[~inside] == UNASSIGNED).mean() >= 0.9
    assert (found.labels[inside] == UNASSIGNED).mean() <= 0.02
    assert len(found.centroids) == GROUPS
    assert found.cohesion == pytest.approx(0.5, abs=0.05)
    assert np.median(found.stability) > 0.95
    assert found.stability.min() > 0.75
    assert (found.curve is None) == (k is not None)
    if found.curve:
        assert max(found.curve.stability) > STABLE
        assert "smallest" in found.curve.why


@pytest.mark.parametrize("method", ["minibatch", "agglomerative", "hdbscan"])
def test_the_other_methods_find_groups_that_stand_apart(planted, method):
    vectors, truth = planted
    inside = truth >= 0
    found = cluster(vectors[inside], None if method == "hdbscan" else GROUPS, method=method)
    kept = found.labels >= 0
    assert kept.mean() > 0.8
    assert adjusted_rand_score(truth[inside][kept], found.labels[kept]) >= 0.9


def test_the_order_of_neurons_changes_no_group(planted):
    vectors = planted[0][planted[1] >= 0]
    order = np.random.default_rng(1).permutation(len(vectors))
    a, b = cluster(vectors, GROUPS), cluster(vectors[order], GROUPS)
    assert adjusted_rand_score(a.labels[order], b.labels) > 0.98


def test_the_same_question_has_the_same_answer(planted):
    vectors, _truth = planted
    for method in ("kmeans", "minibatch", "agglomerative", "hdbscan"):
        a, b = (cluster(vectors, 7 if method != "hdbscan" else None, method=method) for _ in range(2))
        assert np.array_equal(a.labels, b.labels)
        assert np.array_equal(a.loadings, b.loadings)


def test_largest_clusters_come_first(planted):
    vectors, truth = planted
    kept = np.flatnonzero((truth >= 0) & ((truth > 2) | (np.arange(600) < 100)))
    found = cluster(vectors[kept], GROUPS)
    size = np.bincount(found.labels[found.labels >= 0])
    assert np.array_equal(size, np.sort(size)[::-1])


def test_k_means_gets_no_less_of_the_cosines_than_the_planted_groups(planted):
    vectors, truth = planted
    vectors, truth = vectors[truth >= 0], truth[truth >= 0]
    found = spherical_kmeans(vectors, GROUPS)
    got, planted_total = ((centroids(vectors, labels)[labels] * vectors).sum() for labels in (found, truth))
    assert got >= planted_total - 1e-3


def test_a_loading_is_the_correlation_with_the_other_members():
    vectors = unit(np.random.default_rng(2).normal(size=(30, 64)))
    labels = np.arange(30) % 3
    labels[29] = UNASSIGNED
    found = loadings(vectors, labels)
    others = [i for i in range(30) if labels[i] == labels[4] and i != 4]
    mean = vectors[others].mean(0)
    assert found[4] == pytest.approx(vectors[4] @ mean / np.linalg.norm(mean), abs=1e-5)
    middles = centroids(vectors, labels)
    assert found[29] == pytest.approx((middles @ vectors[29]).max(), abs=1e-5)


def test_noise_alone_has_no_stable_number_and_no_members():
    vectors = unit(np.random.default_rng(3).normal(size=(400, 512)))
    curve = suggest(vectors)
    assert max(curve.stability) < 0.2
    assert "no k is stable" in curve.why
    assert (cluster(vectors, 8).labels == UNASSIGNED).mean() > 0.9


@pytest.mark.parametrize(
    ("count", "k", "method", "said"),
    [
        (0, None, "kmeans", "it takes four"),
        (1, 1, "kmeans", "it takes four"),
        (10, 11, "kmeans", "ask for 1 to 10"),
        (10, 0, "agglomerative", "ask for 1 to 10"),
        (10, 2, "voronoi", "ask for kmeans, minibatch, agglomerative, hdbscan"),
    ],
)
def test_what_cannot_be_clustered_is_refused(count, k, method, said):
    with pytest.raises(InputError, match=said):
        cluster(np.eye(12, dtype=np.float32)[:count], k, method=method)


@pytest.mark.parametrize("method", ["kmeans", "minibatch", "agglomerative", "hdbscan"])
def test_neurons_that_are_all_the_same_are_one_group_or_none(method):
    same = np.tile(unit(np.ones((1, 64))), (20, 1))
    found = cluster(same, method=method)
    assert len(set(found.labels.tolist())) == 1


def test_a_table_of_clusters_says_who_is_where(planted):
    vectors, _truth = planted
    found = cluster(vectors, GROUPS)
    rows = np.arange(600) * 2  # of 1,200 neurons in four layers, every second one was looked at
    labels = np.full(1200, LEFT_OUT)
    labels[rows] = found.labels
    count = len(found.centroids)
    clusters = Clusters("kmeans", labels, found, rows, ("a",) * count, (("a", "b"),) * count, ("+",) * count, 300)
    assert len(clusters) == len(clusters.table) == GROUPS
    assert clusters.table["size"].sum() == (found.labels >= 0).sum()
    assert set(clusters.table["layers"]) == {"0-3"}
    assert len(clusters.assigned) == 600
    members = clusters.members(3)
    assert (labels[members] == 3).all()
    held = [clusters.loading(int(row)) for row in members]
    assert held == sorted(held, reverse=True)
    assert np.isnan(clusters.loading(1))
    assert all(abs(r) <= 1 and number != 3 for number, r in clusters.neighbours(3))
    assert "600 never fire or vary, or were not asked for" in clusters.shown
    with pytest.raises(InputError, match="No cluster 12: there are 12"):
        clusters.members(12)


def test_the_reason_for_a_number_names_it():
    assert "k = 4" in Curve((2, 4), (0.1, 0.2), (0.3, 0.5), 4).why
