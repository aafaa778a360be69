"""What a ranking promises: the rule it names, true neuron numbers, ties to the lower one."""

from __future__ import annotations

import numpy as np
import pytest

from neuronscope.analysis.ranking import Standing, rank, top_neurons
from neuronscope.errors import InputError, NoSuchToken
from neuronscope.vocabulary import Activations, Neuron, Site, Source, Tokens


def planted() -> tuple[np.ndarray, np.ndarray]:
    """Six tokens × eight neurons: the first token holds a sink that must not count."""
    values = np.zeros((6, 8), np.float32)
    values[0] = 100
    values[2, 3] = -9
    values[4, 5] = 8
    values[1:, 6] = [5, -5, 5, -5, 5]
    values[1:, 1] = 4
    values[3, 2] = 1
    kept = np.array([False, True, True, True, True, True])
    return values, kept


def activations(values: np.ndarray) -> Activations:
    n = values.shape[1]
    tokens = Tokens("x" * n, np.arange(n), np.stack([np.arange(n)] * 2, 1), ("x",) * n, np.zeros(n, bool))
    return Activations(
        values.astype(np.float32), tokens, Site.NEURONS, tuple(range(len(values))), Source("m", "r", "p")
    )


def test_peak_ranks_by_absolute_value_over_the_kept_tokens() -> None:
    ranking = rank(*planted(), rule="peak", count=4, order="rule")
    assert ranking.neurons.tolist() == [3, 5, 6, 1]
    assert ranking.score.tolist() == [9, 8, 5, 4]
    assert ranking.peaks_at.tolist() == [2, 4, 1, 1]
    assert ranking.total == 8


def test_variance_and_selectivity_see_different_neurons() -> None:
    assert rank(*planted(), rule="variance", count=1, order="rule").neurons.tolist() == [6]
    selective = rank(*planted(), rule="selectivity", count=3, order="rule")
    assert set(selective.neurons.tolist()) == {2, 3, 5}
    assert selective.score[0] == pytest.approx(2.0)


def test_constant_neurons_are_not_selective() -> None:
    ranking = rank(*planted(), rule="selectivity", count=None, order="rule")
    score = dict(zip(ranking.neurons.tolist(), ranking.score.tolist(), strict=True))
    assert score[1] == score[0] == 0


def test_token_order_makes_a_diagonal() -> None:
    ranking = rank(*planted(), count=4)
    assert ranking.peaks_at.tolist() == sorted(ranking.peaks_at.tolist())
    assert ranking.neurons.tolist() == [6, 1, 3, 5]


def test_all_neurons_by_index_keep_their_numbers() -> None:
    assert rank(*planted(), rule="index", count=None, order="rule").neurons.tolist() == list(range(8))


def test_with_no_kept_token_all_of_them_count() -> None:
    values, _ = planted()
    assert rank(values, np.zeros(6, bool), order="rule").score[0] == 100


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(InputError, match="No rule 'magic': choose one of peak, variance, selectivity, index"):
        rank(*planted(), rule="magic")


def test_top_neurons_differ_by_what_is_asked() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2, 30, 10)) * 0.1
    values[0, :, 3] += 50
    values[1, 12, 7] = 9
    effects = np.zeros((2, 10))
    effects[0, 2] = -4
    top = top_neurons(activations(values), 12, effects, count=1)
    assert top.by_value[0].neuron == Neuron(0, 3)
    assert top.by_z[0].neuron == Neuron(1, 7)
    assert top.by_effect[0].neuron == Neuron(0, 2)
    assert top.by_effect[0].effect == -4
    assert top.tokens == 29
    kept = values[1, 1:, 7].astype(np.float32).astype(float)
    assert top.by_z[0].z == pytest.approx((kept[11] - kept.mean()) / kept.std(), rel=1e-6)


def test_two_tokens_are_too_few_for_a_z_score() -> None:
    assert top_neurons(activations(np.ones((1, 3, 4))), 1).by_z == ()
    assert top_neurons(activations(np.ones((1, 3, 4))), 1).by_effect == ()


def test_top_neurons_by_percentile_are_highest_first_and_beyond_the_corpus_by_z() -> None:
    shares = np.array([[0.5, 1.0, 0.2, 0.9], [0.9999, 0.98, 0.0, 0.995]])
    z = np.array([[9.0, 3.0, 0.0, 1.0], [4.0, 9.0, -9.0, 0.0]])
    top = top_neurons(activations(np.ones((2, 3, 4))), 1, standing=Standing(shares, z, 1000), count=5)
    names = [one.neuron for one in top.by_percentile]
    assert names == [Neuron(1, 0), Neuron(0, 1), Neuron(1, 3), Neuron(1, 1), Neuron(0, 3)]
    assert [one.percentile for one in top.by_percentile] == [0.9999, 1.0, 0.995, 0.98, 0.9]
    assert top_neurons(activations(np.ones((2, 3, 4))), 1).by_percentile == ()


def test_a_token_that_is_not_there_is_refused() -> None:
    with pytest.raises(NoSuchToken, match="No token 9: this text has tokens 0 to 2"):
        top_neurons(activations(np.ones((1, 3, 4))), 9)
