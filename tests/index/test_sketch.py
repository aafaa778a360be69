"""Dot products of sketches are correlations over all tokens that count, wherever values lie and shards are cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import torch

from neuronscope.index import plan
from neuronscope.index.accumulators import Accumulator
from neuronscope.index.plan import BUCKETS, Batch, Plan, hashes, sketched
from neuronscope.index.reading import read
from neuronscope.index.scan import scales, scan_shard
from neuronscope.index.state import State, sketches
from neuronscope.models.loading import LoadedModel, attach
from tests import models_for_tests as tiny
from tests.index import corpora

POSITIONS = np.arange(1 << 18)


def test_every_bucket_and_sign_is_drawn_as_often_and_whatever_decides_about_sampling() -> None:
    buckets, signs = sketched(POSITIONS)
    for chosen in (POSITIONS >= 0, hashes(POSITIONS) < 1 << 27, POSITIONS % 128 == 1):
        for sign in (-1, 1):
            counts = np.bincount(buckets[chosen & (signs == sign)], minlength=BUCKETS)
            assert scipy.stats.chisquare(counts).pvalue > 1e-3
        assert abs(signs[chosen].mean()) < 4 / np.sqrt(chosen.sum())
    assert abs(np.mean(signs[1:] * signs[:-1])) < 4 / np.sqrt(len(signs))


@pytest.mark.parametrize("kind", ["plain", "gated", "encoder"])
def test_dot_products_are_the_correlations_of_the_whole_matrix(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "SHARD_TOKENS", 2000)
    one = corpora.model(kind)
    cut, found = _sketched(one, tmp_path)
    assert len(cut.shards) > 3
    r = np.corrcoef(corpora.everything(one, cut).values[cut.kept].astype(np.float64).T)
    pairs = np.triu_indices(len(r), 1)
    error = (found @ found.T - r)[pairs]
    assert np.sqrt(np.mean(error**2)) <= 1.1 * np.sqrt(np.mean(1 + r[pairs] ** 2) / BUCKETS)
    assert abs(error.mean()) < 0.01
    strong = np.abs(r[pairs]) > 0.7
    assert np.sqrt(np.mean(error[strong] ** 2)) < 0.03


def test_copies_correlate_with_1_opposites_with_minus_1_and_what_never_varies_with_nothing(tmp_path: Path) -> None:
    network = tiny.llama()
    mlp = network.model.layers[1].mlp
    for neuron, factor in ((7, 1.0), (8, 250.0), (9, -1.0), (10, 0.0)):
        mlp.gate_proj.weight.data[neuron] = mlp.gate_proj.weight.data[3]
        mlp.up_proj.weight.data[neuron] = factor * mlp.up_proj.weight.data[3]
    one = attach(network, tiny.tokenizer(), "planted")
    _, found = _sketched(one, tmp_path)
    first = one.card.neurons
    r = found @ found[first + 3]
    assert r[first + np.array([3, 7, 8])] == pytest.approx(1, abs=1e-3)
    assert r[first + 9] == pytest.approx(-1, abs=1e-3)
    assert not found[first + 10].any()


def test_values_far_from_zero_are_sketched_about_their_mean_though_it_differs_from_shard_to_shard() -> None:
    rng = np.random.default_rng(0)
    shared = rng.normal(0, 1e-3, (6, 8, 64, 1))
    values = 300 + 0.6 * shared + 0.8 * rng.normal(0, 1e-3, (6, 8, 64, 12)) + 1e-3 * np.arange(6).reshape(6, 1, 1, 1)
    values = values.astype(np.float32)
    values[..., 11] = 300.1  # no sum of these in float32 is exact
    states = [_scanned(torch.from_numpy(shard), first=512 * number) for number, shard in enumerate(values)]
    merged = states[0]
    for state in states[1:]:
        merged.merge(state)
    found = sketches(merged, neurons=12).astype(np.float64)
    exact = values.reshape(-1, 12).astype(np.float64)
    buckets, signs = sketched(np.arange(len(exact)))
    expected = np.zeros((BUCKETS, 12))
    np.add.at(expected, buckets, signs[:, None] * (exact - exact.mean(0)))
    expected = expected[:, :11] / np.linalg.norm(expected[:, :11], axis=0)
    assert np.allclose(found[:11], expected.T, atol=2e-4)
    assert not found[11].any()


def test_a_half_of_the_buckets_sketches_half_of_the_tokens() -> None:
    rng = np.random.default_rng(1)
    both, apart = rng.normal(size=(2, 8, 256, 2)).astype(np.float32)
    half = sketched(np.arange(8 * 256))[0].reshape(8, 256) < BUCKETS // 2
    apart[..., 0], both[..., 1] = both[..., 0], apart[..., 1]
    values = np.where(half[..., None], np.repeat(both[..., :1], 2, axis=2), both)
    found = sketches(_scanned(torch.from_numpy(values), first=0), neurons=2).astype(np.float64)
    first, second = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in np.split(found, 2, axis=1))
    assert first[0] @ first[1] == pytest.approx(1, abs=0.01)
    assert abs(second[0] @ second[1]) < 3 / np.sqrt(BUCKETS // 2)


def _sketched(one: LoadedModel, folder: Path) -> tuple[Plan, np.ndarray]:
    """The sketches of a model over a random corpus, one row a neuron."""
    corpus = read(one, [str(corpora.texts(folder, documents=300))], folder, window=24)
    cut, lend = Plan(corpus, one.card.neurons, layers=one.card.layers), corpora.lending(one)
    units = scales(lend, cut)
    merged, *states = [scan_shard(lend, one.card, cut, shard, units) for shard in range(len(cut.shards))]
    for state in states:
        merged.merge(state)
    return cut, sketches(merged, neurons=one.card.neurons).astype(np.float64)


def _scanned(values: torch.Tensor, *, first: int) -> State:
    """What a shard of one batch leaves of these values, the first of which is at position `first`."""
    windows, tokens, neurons = values.shape
    kept, nothing = torch.ones(windows, tokens, dtype=torch.bool), torch.zeros(0, dtype=torch.long)
    buckets, signs = sketched(first + np.arange(windows * tokens).reshape(windows, tokens))
    batch = Batch(
        ids=kept.long(), real=kept, text=kept, kept=kept, runs=tuple((row, 0, tokens) for row in range(windows)),
        base=first + torch.arange(windows) * tokens, tabulated=nothing, slots=nothing, counted=nothing,
        counted_keys=nothing, sampled=nothing, sample_rows=nothing, buckets=torch.from_numpy(buckets),
        signs=torch.from_numpy(signs), apart=nothing, count=windows * tokens,
    )  # fmt: skip
    floors = torch.full((2, neurons), -np.inf)
    accumulator = Accumulator(neurons, scale=1.0, slots=0, samples=0, floors=floors)
    accumulator.see(values, None, batch)
    more = {"slot_counts": np.zeros(0, np.int64), "inputs": np.zeros((0, 1, 1), np.float16)}
    more |= {"signs": accumulator.signs.double().numpy()}
    return State(accumulator.seen, 0, accumulator.arrays() | more)
