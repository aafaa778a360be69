"""Maps: principal components are exact, the same input gives the same map, and a map says how far to believe it."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness as reference

from neuronscope.analysis.projection import Projection, principal_components, project, trustworthiness
from neuronscope.errors import InputError


@pytest.fixture(scope="module")
def vectors():
    random = np.random.default_rng(0)
    causes = random.normal(size=(8, 64))
    made = causes[np.arange(200) % 8] + 0.5 * random.normal(size=(200, 64))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def test_principal_components_are_those_of_a_full_decomposition(vectors):
    ours, explained = principal_components(vectors, 10)
    exact = PCA(10, svd_solver="full").fit(vectors.astype(np.float64))
    assert ours == pytest.approx(exact.transform(vectors.astype(np.float64)), abs=1e-8)
    assert explained == pytest.approx(exact.explained_variance_ratio_, abs=1e-10)


@pytest.mark.parametrize("method", ["pca", "tsne", "umap"])
def test_groups_stand_together_on_a_map_and_the_map_is_the_same_again(vectors, method):
    pytest.importorskip("umap") if method == "umap" else None
    one, again = project(vectors, method), project(vectors, method)
    assert np.array_equal(one.points, again.points)
    group = np.arange(200) % 8
    middles = np.stack([one.points[group == number].mean(0) for number in range(8)])
    nearest = np.linalg.norm(one.points[:, None] - middles, axis=2).argmin(1)
    assert (nearest == group).mean() > (0.5 if method == "pca" else 0.95)
    assert one.settings


def test_a_sign_is_fixed_whatever_the_order_of_neurons(vectors):
    order = np.random.default_rng(1).permutation(len(vectors))
    assert project(vectors[order]).points == pytest.approx(project(vectors).points[order], abs=1e-5)


def test_trustworthiness_is_that_of_the_reference(vectors):
    points = project(vectors).points
    found, anchors = trustworthiness(vectors, points, neighbours=10)
    assert anchors == 200
    assert found == pytest.approx(reference(vectors, points, n_neighbors=10), abs=2e-3)
    sampled, some = trustworthiness(vectors, points, neighbours=10, anchors=80)
    assert (some, sampled) == (80, pytest.approx(found, abs=0.03))


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_make_no_map(count):
    with pytest.raises(InputError, match="it takes three"):
        project(np.eye(5, dtype=np.float32)[:count])


def test_an_unknown_method_names_those_that_there_are():
    with pytest.raises(InputError, match="pca, tsne, umap"):
        project(np.eye(5, dtype=np.float32), "isomap")


def test_neurons_that_are_all_the_same_stand_on_one_point():
    found = project(np.ones((10, 6), np.float32))
    assert np.ptp(found.points, axis=0).tolist() == [0, 0]
    assert found.explained.tolist() == [0] * 6


@pytest.mark.parametrize("method", ["pca", "tsne", "umap"])
def test_a_handful_of_neurons_makes_a_map(method):
    pytest.importorskip("umap") if method == "umap" else None
    found = project(np.random.default_rng(2).normal(size=(4, 9)).astype(np.float32), method)
    assert found.points.shape == (4, 2)
    assert np.isfinite(found.points).all()
    assert np.isnan(found.trustworthiness)


def test_a_map_names_its_neurons_and_says_how_many_are_missing(vectors):
    made = project(vectors)
    rows = np.arange(200) * 3
    one = Projection("pca", rows, made.points, made.explained, 0.9, 200, made.settings, 600, 100)
    assert one.table.loc[50, ["layer", "neuron"]].tolist() == [1, 50]
    assert one.shown == "200 of 600 neurons: 400 never vary, or were not asked for"
