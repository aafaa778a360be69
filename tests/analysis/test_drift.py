"""Drift: the split of D, its distances and its floors against independent formulas; what was planted leads the list."""

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import wasserstein_distance

from neuronscope.analysis.drift import (
    NOTHING,
    alignment,
    distances,
    drawn,
    floor,
    interval,
    jaccard,
    kernel,
    match,
    rank_biased_overlap,
    trajectories,
    whole,
)

TOKENS, UNITS, BLOCKS = 4096, 120, 32


def activations(seed=0, tokens=TOKENS, units=UNITS):
    """Units that share thirty causes, most of them silent most of the time."""
    rng = np.random.default_rng(seed)
    causes = rng.standard_normal((tokens, 30)) @ rng.standard_normal((30, units)) / 5.5
    return np.maximum(causes + rng.normal(-0.5, 0.3, units), 0)


def summed(a, b):
    """The five sums of blocks, about the mean of `a`."""
    counts = np.full(BLOCKS, len(a) // BLOCKS)
    a, b = (values.reshape(BLOCKS, -1, values.shape[1]) - a.mean(0) for values in (a, b))
    return counts, np.stack([x.sum(1) for x in (a, a**2, b, b**2, (b - a) ** 2)], axis=1)


def changed(a):
    """Five units changed in five ways, the others by less than a hundredth of their spread."""
    rng = np.random.default_rng(1)
    b = a + 0.003 * rng.standard_normal(a.shape)
    b[:, 3] = np.roll(a[:, 3], 7)
    b[:, 50] += 0.8
    b[:, 77] *= 3
    b[:, 100] = 0
    b[:, 119] = a[:, 119].max() - a[:, 119]
    return b


def test_drift_is_one_minus_lins_concordance_and_splits_exactly():
    a = activations()
    b = changed(a)
    found = whole(*summed(a, b))
    square = ((b - a) ** 2).mean(0)
    spread = a.var(0) + b.var(0) + (b.mean(0) - a.mean(0)) ** 2
    np.testing.assert_allclose(found.drift, square / spread, atol=1e-10)
    np.testing.assert_allclose(found.location + found.scale + found.selectivity, found.drift, atol=1e-12)
    np.testing.assert_allclose(found.location * spread, (b.mean(0) - a.mean(0)) ** 2, atol=1e-10)
    np.testing.assert_allclose(found.scale * spread, (b.std(0) - a.std(0)) ** 2, atol=1e-10)
    varying = np.delete(np.arange(UNITS), 100)
    r = [np.corrcoef(a[:, i], b[:, i])[0, 1] for i in varying]
    np.testing.assert_allclose(found.correlation[varying], r, atol=1e-9)


def test_what_was_changed_leads_and_each_change_has_its_part():
    a = activations()
    found = whole(*summed(a, changed(a)))
    assert set(np.argsort(-found.drift)[:5].tolist()) == {3, 50, 77, 100, 119}
    assert np.sort(found.drift)[-6] < 1e-3
    assert found.selectivity[3] > 0.99 * found.drift[3]
    assert found.location[50] > 0.99 * found.drift[50]
    assert found.scale[77] > found.selectivity[77]
    assert found.correlation[77] == pytest.approx(1, abs=1e-3)
    assert found.drift[119] > 1
    assert found.correlation[119] == pytest.approx(-1, abs=1e-3)


def test_the_same_activations_do_not_drift_dead_ones_neither():
    a = activations()
    a[:, 7] = 0.25
    counts, sums = summed(a, a)
    found = whole(counts, sums)
    for part in ("drift", "location", "scale", "selectivity", "moved"):
        assert not getattr(found, part).any()
    assert not drawn(counts, sums).any()


def test_intervals_hold_the_drift_of_the_population_as_often_as_they_say():
    population = activations(tokens=65_536, units=40)
    moved = population + 0.3 * population.std(0) * np.random.default_rng(2).standard_normal(population.shape)
    truth = whole(np.array([len(population)]), summed_once(population, moved)).drift
    inside = []
    for part in range(16):
        some = slice(part * TOKENS, (part + 1) * TOKENS)
        low, high = interval(drawn(*summed(population[some], moved[some])))
        inside.append((low <= truth) & (truth <= high))
    assert 0.88 < np.mean(inside) < 0.99


def summed_once(a, b):
    return np.stack([x.sum(0) for x in (a, a**2, b, b**2, (b - a) ** 2)])[None]


def test_the_floor_calls_few_unchanged_neurons_changed():
    a = activations()
    b = a + 0.01 * a.std(0) * np.random.default_rng(3).standard_normal(a.shape)
    found = floor(*summed(a, b))
    assert found.rate < 0.05
    assert (found.bound > whole(*summed(a, b)).drift).mean() > 0.95


def test_distances_are_scipys():
    a = activations(units=20)
    b = activations(seed=5, units=20) + 0.1
    divergence, transport = distances(a.T, b.T)
    for i in range(20):
        low, high = np.quantile(np.concatenate([a[:, i], b[:, i]]), [0.001, 0.999])
        edges = np.concatenate([[-np.inf], np.linspace(low, high, 65), [np.inf]])
        p, q = (np.histogram(x[:, i], edges)[0] for x in (a, b))
        assert divergence[i] == pytest.approx(jensenshannon(p, q, base=2) ** 2, abs=1e-6)
        spread = np.sqrt((a[:, i].var() + b[:, i].var()) / 2)
        assert transport[i] == pytest.approx(wasserstein_distance(a[:, i], b[:, i]) / spread, abs=1e-6)
    assert not np.any(distances(a.T, a.T))


def test_overlap_counts_what_stands_first_most():
    ranks = np.arange(20)
    top, bottom = ranks.copy(), ranks.copy()
    top[:2], bottom[-2:] = [1, 0], [19, 18]
    others = np.stack([ranks, ranks + 100, top, bottom]).astype(np.uint32)
    mine = np.tile(ranks.astype(np.uint32), (4, 1))
    np.testing.assert_allclose(rank_biased_overlap(mine, others), [1, 0, 0.90, 0.999], atol=5e-4)
    np.testing.assert_allclose(jaccard(mine, others), [1, 0, 1, 1])


def test_lists_that_end_early_are_compared_as_far_as_they_go():
    short = np.array([[4, 2, NOTHING], [NOTHING] * 3, [4, 2, NOTHING]], np.uint32)
    other = np.array([[4, 2, NOTHING], [NOTHING] * 3, [4, NOTHING, NOTHING]], np.uint32)
    np.testing.assert_allclose(rank_biased_overlap(short, other)[:2], [1, 1])
    np.testing.assert_allclose(jaccard(short, other), [1, 1, 0.5])


def test_alignment_ignores_rotation_and_scale_and_is_about_zero_for_unrelated_layers():
    rng = np.random.default_rng(0)
    x = activations()[:500]
    turned = 3 * x @ np.linalg.qr(rng.standard_normal((UNITS, UNITS)))[0] + 5
    assert alignment(kernel(x), kernel(x)) == pytest.approx(1, abs=1e-12)
    assert alignment(kernel(x), kernel(turned)) == pytest.approx(1, abs=1e-9)
    a, b = rng.standard_normal((2, 500, 400))
    assert abs(alignment(kernel(a), kernel(b))) < 0.02
    assert np.isnan(alignment(kernel(x), kernel(np.ones((500, 3)))))


def test_permuted_neurons_are_matched_back():
    a = activations(units=UNITS)[:1024].T
    a[5], a[6] = 0, a[7]  # a dead neuron, and two that do the same
    order = np.random.default_rng(4).permutation(UNITS)
    noisy = a[order] + 0.02 * np.random.default_rng(5).standard_normal(a.shape)
    noisy[order == 5] = 0
    found = match(a, noisy)
    back = np.argsort(order)
    known = np.delete(np.arange(UNITS), [5, 6, 7])
    np.testing.assert_array_equal(found.partner[known], back[known])
    assert set(found.partner[[6, 7]]) == set(back[[6, 7]])
    assert found.partner[5] == -1
    assert np.isnan(found.own[5])
    assert found.itself < 0.1
    assert match(a, a).itself == pytest.approx(1, abs=0.02)


def test_nothing_moves_on_the_map_where_nothing_drifted():
    a = activations()[:512].T
    noise = np.random.default_rng(6)
    held = [a] + [a + 1e-4 * noise.standard_normal(a.shape) for _ in range(4)]
    made = trajectories(lambda number: held[number], range(5))
    assert np.nanmax(made.travelled) < 1e-2 * np.nanstd(made.points[0])
    still = trajectories(lambda _number: a, range(3))
    assert not np.nanmax(np.abs(np.diff(still.points, axis=0)))


def test_what_moved_moves_on_the_map_and_dead_neurons_have_no_place():
    a = activations()[:512].T
    a[9] = 0
    b = a.copy()
    b[3] += 2 * a[3].std()
    made = trajectories(lambda number: (a, b)[number], (0, 1))
    assert np.nanargmax(made.travelled) == 3
    assert np.isnan(made.points[:, 9]).all()
