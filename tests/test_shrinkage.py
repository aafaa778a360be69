"""Shrunk means find planted tokens that plain means miss, equal a direct computation, and are careful with little."""

from __future__ import annotations

import numpy as np
import pytest

from neuronscope.shrinkage import Effects, posterior, random_effects


def tabulated(tokens: np.ndarray, values: np.ndarray, keys: int) -> tuple[np.ndarray, np.ndarray]:
    """Count of each key, and mean of each key and neuron (0 where there is none)."""
    counts = np.bincount(tokens, minlength=keys)
    sums = np.stack([np.bincount(tokens, column, keys) for column in values.T], axis=1)
    return counts, sums / np.maximum(counts, 1)[:, None]


def effects_of(tokens: np.ndarray, values: np.ndarray, keys: int) -> Effects:
    counts, means = tabulated(tokens, values, keys)
    return random_effects(counts, means, values.mean(0), values.var(0), len(tokens))


def zipf(seed: int, tokens: int = 60_000, keys: int = 5_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tokens under Zipf's law, one neuron's noisy activations, and the ten tokens that truly excite it."""
    random = np.random.default_rng(seed)
    chances = 1 / np.arange(1, keys + 1)
    drawn = random.choice(keys, tokens, p=chances / chances.sum())
    truth = random.normal(0, 0.15, keys)
    planted = random.choice(np.arange(20, 600), 10, replace=False)
    truth[planted] = 1.5
    values = truth[drawn] + random.standard_normal(tokens)
    return drawn, np.where(values > 0, values, 0.05 * values)[:, None], planted


def test_nine_of_ten_planted_tokens_are_found_where_plain_means_find_none():
    shrunk, plain = [], []
    for seed in range(10):
        tokens, values, planted = zipf(seed)
        counts, means = tabulated(tokens, values, 5_000)
        believed = posterior(effects_of(tokens, values, 5_000), counts[:, None], means)
        shrunk.append(len({*np.argsort(-believed.mean[:, 0])[:10].tolist()} & {*planted.tolist()}))
        plain.append(len({*np.argsort(-means[:, 0])[:10].tolist()} & {*planted.tolist()}))
    assert np.mean(shrunk) >= 9
    assert max(plain) == 0


def test_it_equals_the_sums_of_squares_written_out():
    random = np.random.default_rng(1)
    tokens = random.choice(40, 600, p=np.linspace(1, 3, 40) / np.linspace(1, 3, 40).sum())
    values = random.normal(size=(40, 3))[tokens] * [0.0, 0.4, 2.0] + random.normal(size=(600, 3)) + [0, 5, -300]
    effects = effects_of(tokens, values, 45)
    groups = [values[tokens == key] for key in np.unique(tokens)]
    ssw = sum(((group - group.mean(0)) ** 2).sum(0) for group in groups)
    ssb = sum(len(group) * (group.mean(0) - values.mean(0)) ** 2 for group in groups)
    n0 = (600 - sum(len(group) ** 2 for group in groups) / 600) / (len(groups) - 1)
    within = ssw / (600 - len(groups))
    between = np.maximum((ssb / (len(groups) - 1) - within) / n0, 0)
    assert effects.mu == pytest.approx(values.mean(0), rel=1e-12)
    assert effects.within == pytest.approx(within, rel=1e-9)
    assert effects.between == pytest.approx(between, rel=1e-9)
    counts, means = tabulated(tokens, values, 45)
    believed = posterior(effects, counts[:, None], means)
    kappa = effects.kappa[2]
    assert kappa == pytest.approx(within[2] / between[2])
    assert believed.mean[7, 2] == pytest.approx(
        (counts[7] * means[7, 2] + kappa * -300) / (counts[7] + kappa), rel=1e-3
    )
    assert believed.sd[7, 2] == pytest.approx(np.sqrt(within[2] / (counts[7] + kappa)))


def test_the_variances_are_estimated_without_bias():
    random = np.random.default_rng(2)
    tokens = random.choice(300, 9_000, p=np.arange(1, 301) / np.arange(1, 301).sum())
    truth = random.normal(0, 0.5, (300, 200))
    effects = effects_of(tokens, truth[tokens] + random.normal(0, 2, (9_000, 200)), 300)
    assert effects.within.mean() == pytest.approx(4, rel=0.01)
    assert effects.between.mean() == pytest.approx(0.25, rel=0.03)


def test_the_interval_holds_the_true_mean_nine_times_in_ten():
    random = np.random.default_rng(3)
    tokens = random.choice(300, 9_000, p=np.arange(1, 301) / np.arange(1, 301).sum())
    truth = random.normal(0, 0.5, (300, 200))
    values = truth[tokens] + random.normal(0, 2, (9_000, 200))
    counts, means = tabulated(tokens, values, 300)
    believed = posterior(effects_of(tokens, values, 300), counts[:, None], means)
    assert (np.abs(believed.mean - truth) < 1.645 * believed.sd).mean() == pytest.approx(0.9, abs=0.01)


def test_where_the_token_makes_no_difference_everything_is_the_mean():
    # Each key's mean is exactly the neuron's mean: there is less between keys than chance would put there.
    tokens = np.repeat(np.arange(50), 4)
    values = np.tile([-1.0, 1.0, -2.0, 2.0], 50)[:, None]
    effects = effects_of(tokens, values, 50)
    counts, means = tabulated(tokens, values, 50)
    believed = posterior(effects, counts[:, None], means + 7)
    assert effects.kappa.tolist() == [np.inf]
    assert (believed.mean == 0).all()
    assert (believed.sd == 0).all()


def test_a_neuron_that_is_the_token_is_not_shrunk_at_all():
    tokens = np.repeat(np.arange(5), 3)
    values = np.array([0.0, 1.0, 4.0, 9.0, 16.0])[tokens][:, None]
    counts, means = tabulated(tokens, values, 6)
    believed = posterior(effects_of(tokens, values, 6), counts[:, None], means)
    assert believed.mean[:5, 0] == pytest.approx([0, 1, 4, 9, 16])
    assert believed.sd[:5, 0] == pytest.approx(0, abs=1e-6)
    assert believed.mean[5, 0] == pytest.approx(6)  # never seen: the mean, and any token's doubt
    assert believed.sd[5, 0] > 5


def test_where_every_token_occurs_once_nothing_is_claimed():
    values = np.random.default_rng(4).normal(size=(30, 2))
    effects = effects_of(np.arange(30), values, 30)
    assert effects.between.tolist() == [0, 0]
    assert effects.within == pytest.approx(values.var(0))


@pytest.mark.parametrize("tokens", [0, 1, 2, 3])
def test_tiny_counts_give_finite_numbers(tokens: int):
    values = np.arange(float(tokens * 2)).reshape(tokens, 2)
    ids = np.arange(tokens) // 2
    counts, means = tabulated(ids, values, 4)
    moments = (values.mean(0), values.var(0)) if tokens else (np.zeros(2), np.zeros(2))
    effects = random_effects(counts, means, *moments, tokens)
    believed = posterior(effects, counts[:, None], means)
    assert np.isfinite(effects.within).all()
    assert np.isfinite(believed.mean).all()
    assert np.isfinite(believed.sd).all()


def test_a_constant_neuron_has_no_effect_and_no_doubt():
    values = np.full((100, 1), 300.1, dtype=np.float32)
    tokens = np.arange(100) % 7
    counts, means = tabulated(tokens, values.astype(np.float64), 7)
    effects = effects_of(tokens, values.astype(np.float64), 7)
    believed = posterior(effects, counts[:, None], means)
    assert believed.mean == pytest.approx(np.full((7, 1), 300.1), rel=1e-6)
    assert believed.sd.max() < 1e-6


def test_tokens_under_no_key_shrink_more_never_less():
    tokens, values, planted = zipf(5)
    counts, means = tabulated(tokens, values, 5_000)
    known = counts >= 8
    whole = effects_of(tokens, values, 5_000)
    part = random_effects(counts[known], means[known], values.mean(0), values.var(0), len(tokens))
    among = np.isin(tokens, np.flatnonzero(known))
    assert part.mu == pytest.approx(values[among].mean(0))
    assert part.within[0] >= whole.within[0] * 0.99
    # The same keys alone, with nothing beside them, are less blurred than with the rest taken as one group.
    alone = effects_of(tokens[among], values[among], 5_000)
    assert part.kappa[0] >= alone.kappa[0] * 0.99
    believed = posterior(part, counts[known][:, None], means[known])
    best = np.flatnonzero(known)[np.argsort(-believed.mean[:, 0])[:10]]
    assert len({*best.tolist()} & {*planted.tolist()}) >= 9


def test_many_neurons_at_once_are_each_as_alone():
    random = np.random.default_rng(6)
    tokens = random.integers(0, 3_000, 20_000)
    values = random.normal(size=(3_000, 4))[tokens] + random.normal(size=(20_000, 4))
    together = effects_of(tokens, values, 3_000)
    alone = [effects_of(tokens, values[:, [i]], 3_000) for i in range(4)]
    assert together.kappa == pytest.approx(np.concatenate([one.kappa for one in alone]), rel=1e-12)
