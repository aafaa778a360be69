"""Fidelity is what numpy says over all tokens together, however the texts are cut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuronscope.analysis.fidelity import Comparing
from neuronscope.errors import InputError
from tests.analysis.test_ranking import activations


def pair(tokens: int, seed: int, noise: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(2, tokens, 5)) * [1, 2, 3, 4, 5] + [0, 10, -5, 0, 300]
    return a.astype(np.float32), (a + noise * rng.normal(size=a.shape)).astype(np.float32)


def test_correlations_over_many_texts_are_those_of_all_tokens_together() -> None:
    comparing, kept = Comparing(), []
    for seed, tokens in enumerate([5, 2, 40, 13]):
        a, b = pair(tokens, seed)
        comparing.add(activations(a), activations(b))
        kept.append((a[:, 1:], b[:, 1:]))
    found = comparing.result()
    a, b = (np.concatenate([each[i] for each in kept], 1).astype(np.float64) for i in (0, 1))
    assert found.tokens == a.shape[1] == 56
    for layer in (0, 1):
        row = found.table.loc[layer]
        each = [np.corrcoef(a[layer, :, n], b[layer, :, n])[0, 1] for n in range(5)]
        assert row["correlation"] == pytest.approx(np.corrcoef(a[layer].ravel(), b[layer].ravel())[0, 1], abs=1e-9)
        assert row["median_neuron"] == pytest.approx(np.median(each), abs=1e-9)
        assert row["low_neuron"] == pytest.approx(np.quantile(each, 0.05), abs=1e-9)
        shared = [len({*np.argsort(-a[layer, :, n])[:10]} & {*np.argsort(-b[layer, :, n])[:10]}) / 10 for n in range(5)]
        assert row["overlap"] == pytest.approx(np.mean(shared))


def test_a_model_is_perfectly_faithful_to_itself() -> None:
    a, _ = pair(30, 0)
    logits = np.random.default_rng(0).normal(size=(30, 7)).astype(np.float32)
    comparing = Comparing()
    comparing.add(activations(a), activations(a), (logits, logits))
    found = comparing.result()
    assert np.allclose(found.table[["correlation", "median_neuron", "low_neuron", "overlap"]], 1)
    assert found.divergence == 0
    assert found.agreement == 1


def test_divergence_is_kullback_leibler_in_nats_from_the_full_model() -> None:
    a, b = pair(3, 1)
    p, q = np.log([[0.5, 0.5], [0.9, 0.1], [0.5, 0.5]]), np.log([[0.5, 0.5], [0.1, 0.9], [0.25, 0.75]])
    comparing = Comparing()
    comparing.add(activations(a), activations(b), (p, q))
    found = comparing.result()
    expected = [0.9 * np.log(9) + 0.1 * np.log(1 / 9), 0.5 * np.log(2) + 0.5 * np.log(2 / 3)]
    assert found.divergence == pytest.approx(np.mean(expected))
    assert found.agreement == 0.0


def test_texts_that_differ_are_refused_and_no_text_is_said() -> None:
    a, b = pair(4, 0)
    other = activations(b)
    with pytest.raises(InputError, match="cut the text differently"):
        Comparing().add(activations(a), replace(other, tokens=replace(other.tokens, ids=np.arange(4) + 9)))
    comparing = Comparing()
    comparing.add(activations(a[:, :1]), activations(b[:, :1]))
    with pytest.raises(InputError, match="no token to compare"):
        comparing.result()
