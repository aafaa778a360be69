"""What a scan keeps equals what keeping everything gives, whatever the shards and their order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import scipy.stats

from neuronscope.index import accumulators, plan
from neuronscope.index.accumulators import bins
from neuronscope.index.excerpts import NO_VALUE
from neuronscope.index.layout import Cases, bin_edges
from neuronscope.index.measure import inputs
from neuronscope.index.plan import AFTER, BEFORE, KEPT_CONTEXTS, K, Plan, hashes
from neuronscope.index.reading import read
from neuronscope.index.scan import scales, scan_shard
from neuronscope.index.state import HIGHEST, NO_TOKEN, State, sketches, statistics, tokens_of
from neuronscope.index.tops import pack, unpack
from neuronscope.models.loading import LoadedModel
from neuronscope.shrinkage import posterior, random_effects
from tests.index import corpora


@dataclass
class Scanned:
    """One corpus, scanned and kept whole."""

    model: LoadedModel
    plan: Plan
    state: State
    scales: list[float]
    all: corpora.Everything

    @property
    def kept(self) -> np.ndarray:
        return self.plan.kept

    @property
    def values(self) -> np.ndarray:
        return self.all.values[self.kept].astype(np.float64)


@pytest.fixture(scope="module", params=["plain", "gated", "encoder", "overlapping"])
def scanned(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Scanned:
    """Several shards, merged in order."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "SHARD_TOKENS", 300)
        patch.setattr(plan, "BATCH_TOKENS", 96)
        patch.setattr(plan, "SAMPLE", 64)
        folder = tmp_path_factory.mktemp(request.param)
        model = corpora.model("plain" if request.param == "overlapping" else request.param)
        overlap = 7 if request.param == "overlapping" else 0
        corpus = read(model, [str(corpora.texts(folder))], folder, window=24, overlap=overlap)
        cut = Plan(corpus, model.card.neurons, layers=model.card.layers)
        lend = corpora.lending(model)
        units = scales(lend, cut)
        states = [scan_shard(lend, model.card, cut, shard, units) for shard in range(len(cut.shards))]
        assert len(states) > 3
        merged = states[0]
        for state in states[1:]:
            merged.merge(state)
        return Scanned(model, cut, merged, units, corpora.everything(model, cut))


def test_every_token_that_counts_is_seen_once(scanned: Scanned) -> None:
    assert scanned.state.count == scanned.kept.sum() == np.isfinite(scanned.all.values[:, 0]).sum()
    assert (np.isfinite(scanned.all.values[:, 0]) == scanned.kept).all()


def test_moments_are_those_of_the_whole_matrix(scanned: Scanned) -> None:
    table = statistics(scanned.state, {})
    values = scanned.values
    assert np.allclose(table["mean"], values.mean(0), rtol=1e-6, atol=1e-6 * values.std(0).max())
    assert np.allclose(table["variance"], values.var(0), rtol=1e-6)
    assert np.allclose(table["skewness"], scipy.stats.skew(values), rtol=1e-6, atol=1e-6)
    assert np.allclose(table["kurtosis"], scipy.stats.kurtosis(values), rtol=1e-6, atol=1e-6)
    assert np.allclose(table["mean_abs"], np.abs(values).mean(0), rtol=1e-6)
    assert np.array_equal(np.rint(table["positive"] * scanned.state.count), (values > 0).sum(0))
    assert np.array_equal(table["max"], values.max(0).astype(np.float32))
    assert np.array_equal(table["min"], values.min(0).astype(np.float32))


def test_the_strongest_contexts_are_the_strongest_windows(scanned: Scanned) -> None:
    values, positions = unpack(scanned.state.arrays["keys"])
    windows = scanned.plan.corpus.window_of(np.arange(len(scanned.plan.corpus)))
    for case, found in _by_case(scanned):
        best = np.full((windows.max() + 1, found.shape[1]), -np.inf)
        np.maximum.at(best, windows, found)
        expected = -np.sort(-best, axis=0)[:K].T
        listed = np.where(np.isnan(values[:, case]), -np.inf, values[:, case])[:, : expected.shape[1]]
        assert np.array_equal(listed, expected.astype(np.float32))
        unit, place = np.nonzero(np.isfinite(listed))
        assert np.array_equal(found[positions[unit, case, place], unit], listed[unit, place])


def test_contexts_hold_the_values_around_the_peak(scanned: Scanned) -> None:
    _, positions = unpack(scanned.state.arrays["keys"])
    contexts = scanned.state.arrays["contexts"]
    windows, full = scanned.plan.corpus.windows, scanned.all.values
    for unit in range(0, full.shape[1], 7):
        for place in range(KEPT_CONTEXTS):
            position = int(positions[unit, 0, place])
            if position == NO_TOKEN:
                assert (contexts[unit, 0, place] == NO_VALUE).all()
                continue
            window = windows[int(scanned.plan.corpus.window_of(np.array([position]))[0])]
            for at, share in zip(range(position - BEFORE, position + AFTER + 1), contexts[unit, 0, place], strict=True):
                inside = window["first"] <= at < window["first"] + window["length"]
                assert inside == (share != NO_VALUE)
                counted = inside and at >= int(window["first"]) + int(window["context"])
                if counted and scanned.kept[at]:
                    exact = np.clip(full[at, unit] / abs(full[position, unit]) * 127, -127, 127)
                    assert abs(share - exact) <= 0.51


def test_token_sums_and_maxima_are_exact(scanned: Scanned) -> None:
    ids, arrays = scanned.plan.corpus.ids[scanned.kept], scanned.state.arrays
    for slot, token in enumerate(scanned.plan.tabulated):
        own = scanned.values[ids == token]
        assert arrays["slot_counts"][slot] == len(own)
        assert np.allclose(arrays["sums"][slot], own.sum(0), rtol=1e-5, atol=1e-4)
        assert np.array_equal(arrays["maxima"][slot], own.max(0).astype(np.float32))


def test_a_neuron_s_tokens_are_ranked_by_empirical_bayes_means(scanned: Scanned) -> None:
    listed, effects = tokens_of(scanned.state, scanned.plan.tabulated, neurons=scanned.model.card.neurons)
    ids, values = scanned.plan.corpus.ids[scanned.kept], scanned.values
    counts = np.array([(ids == token).sum() for token in scanned.plan.tabulated])
    means = np.stack([values[ids == token].mean(0) for token in scanned.plan.tabulated])
    fitted = random_effects(counts, means, values.mean(0), values.var(0), len(values))
    ranked = posterior(fitted, counts[:, None], means).mean
    assert np.allclose(effects["token_between"], fitted.between, rtol=1e-3, atol=1e-6)
    shown = min(HIGHEST, len(counts))
    for unit in range(0, values.shape[1], 5):
        place = np.searchsorted(scanned.plan.tabulated, listed["id"][unit, :shown])
        assert np.allclose(ranked[place, unit], -np.sort(-ranked[:, unit])[:shown], atol=1e-4)


def test_the_histogram_counts_the_tokens_drawn_for_it(scanned: Scanned) -> None:
    drawn = hashes(np.flatnonzero(scanned.kept)) < scanned.plan.counted_below
    neurons = scanned.model.card.neurons
    for unit in (0, neurons - 1, neurons):
        edges = bin_edges(scanned.scales[unit // neurons])
        inner = np.concatenate([[-np.inf], edges[1:-1], [np.inf]])
        expected = np.histogram(scanned.values[drawn, unit], inner)[0]
        # A value on an edge may fall on either side of it.
        assert np.abs(np.cumsum(scanned.state.arrays["histogram"][unit, 1:]) - np.cumsum(expected)).max() <= 1


def test_each_bin_has_an_example_that_belongs_to_it(scanned: Scanned) -> None:
    arrays = scanned.state.arrays
    unit, place = np.nonzero(arrays["histogram"])
    positions = arrays["examples"][unit, place] & 0xFFFFFFFF
    values = scanned.all.values[positions, unit]
    assert np.allclose(arrays["example_values"][unit, place], values, rtol=2e-3, atol=1e-4)
    for one, value, where in list(zip(unit, values, place, strict=True))[::11]:
        import torch

        scale = scanned.scales[one // scanned.model.card.neurons]
        assert int(bins(torch.tensor([value]), scale)[0]) == where


def test_the_sample_is_the_activations_at_its_positions(scanned: Scanned) -> None:
    expected = scanned.all.values[scanned.plan.sampled]
    assert np.allclose(scanned.state.arrays["sample"], expected, rtol=2e-3, atol=1e-4)
    assert scanned.kept[scanned.plan.sampled].all()


def test_the_inputs_of_the_sample_are_what_the_mlps_read_there(scanned: Scanned) -> None:
    card, sampled, found = scanned.model.card, scanned.plan.sampled, scanned.state.arrays["inputs"]
    expected = {layer: np.zeros((len(sampled), card.width), np.float16) for layer in range(card.layers)}
    inputs(corpora.lending(scanned.model), scanned.plan.corpus, sampled, expected)
    assert np.allclose(found, np.stack([expected[layer] for layer in range(card.layers)], 1), rtol=2e-3, atol=2e-3)
    assert np.abs(found).max(2).min() > 0


def test_the_four_cases_of_gate_and_up_are_told_apart(scanned: Scanned) -> None:
    if scanned.all.gates is None:
        pytest.skip("this network has no gate")
    gate, values = scanned.all.gates[scanned.kept] > 0, scanned.values > 0
    expected = np.stack([(gate & values), (gate & ~values), (~gate & ~values), (~gate & values)], 2).sum(0)
    assert np.array_equal(scanned.state.arrays["case_counts"], expected)


def test_floors_and_another_order_of_shards_change_nothing(scanned: Scanned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "BATCH_TOKENS", 96)
    lend, card = corpora.lending(scanned.model), scanned.model.card
    done = {}
    for shard in reversed(range(len(scanned.plan.shards))):
        floors = done[shard + 1].floors if shard + 1 in done else None
        done[shard] = scan_shard(lend, card, scanned.plan, shard, scanned.scales, floors)
    again = done[0]
    for shard in range(1, len(scanned.plan.shards)):
        again.merge(done[shard])
    for name, array in scanned.state.arrays.items():
        assert np.array_equal(array, again.arrays[name], equal_nan=array.dtype.kind == "f"), name


def test_another_batch_size_differs_by_rounding_only(scanned: Scanned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "BATCH_TOKENS", 24)
    lend, card = corpora.lending(scanned.model), scanned.model.card
    again = scan_shard(lend, card, scanned.plan, 0, scanned.scales)
    for shard in range(1, len(scanned.plan.shards)):
        again.merge(scan_shard(lend, card, scanned.plan, shard, scanned.scales))
    a, b = statistics(scanned.state, {}), statistics(again, {})
    for name in ("mean", "variance", "min", "max"):
        assert np.allclose(a[name], b[name], rtol=1e-5, atol=1e-5), name
    a, b = (sketches(state, neurons=card.neurons).astype(float) for state in (scanned.state, again))
    assert np.allclose(a, b, atol=1e-3)


def test_values_far_from_zero_keep_their_spread() -> None:
    import torch

    rng = np.random.default_rng(0)
    values = torch.from_numpy(rng.normal(300, 1e-3, (4, 40, 2)).astype(np.float32))
    kept = torch.ones(4, 40, dtype=torch.bool)
    nothing = torch.zeros(0, dtype=torch.long)
    batch = plan.Batch(
        ids=kept.long(), real=kept, text=kept, kept=kept, runs=tuple((row, 0, 40) for row in range(4)),
        base=torch.arange(4) * 40, tabulated=nothing, slots=nothing, counted=nothing, counted_keys=nothing,
        sampled=nothing, sample_rows=nothing, buckets=kept.long(), signs=kept.float(), apart=nothing, count=160,
    )  # fmt: skip
    floors = torch.full((2, 2), -np.inf)
    accumulator = accumulators.Accumulator(2, scale=1.0, slots=0, samples=0, floors=floors)
    accumulator.see(values, None, batch)
    found = accumulator.arrays()
    exact = values.double().reshape(-1, 2).numpy()
    assert np.allclose(found["m2"] / 160, exact.var(0), rtol=1e-6)


def test_keys_order_by_value_then_by_earlier_position() -> None:
    import torch

    values = torch.tensor([1.0, 1.0, -0.5, -0.0, 0.0, -2.0, 3e38])
    positions = torch.tensor([7, 5, 1, 2, 9, 0, 4])
    keys = pack(values, positions)
    assert torch.argsort(keys, descending=True).tolist() == [6, 1, 0, 3, 4, 2, 5]
    back, where = unpack(keys.numpy())
    assert np.array_equal(back, np.array([1, 1, -0.5, 0, 0, -2, 3e38], np.float32))
    assert np.array_equal(where, positions.numpy())


def test_bins_are_where_their_edges_say() -> None:
    import torch

    edges = bin_edges(0.5)
    assert len(edges) == 128
    assert (np.diff(edges) > 0).all()
    values = torch.linspace(-2, 2, 4001)
    placed = bins(values, 0.5).numpy()
    assert (values.numpy() >= edges[placed - 1] - 1e-6).all()
    assert (values.numpy() <= edges[placed] + 1e-6).all()
    assert bins(torch.tensor([1e9, -1e9, 0.0]), 0.5).tolist() == [127, 1, 64]


def _by_case(scanned: Scanned):
    """For each case the activations times its sign, -inf where the token does not belong to it."""
    cases = Cases.of(scanned.model.card.gated)
    full = np.where(scanned.kept[:, None], scanned.all.values, np.nan)
    for case, (name, sign) in enumerate(zip(cases.names, cases.signs, strict=True)):
        turned = full * sign
        belongs = ~np.isnan(turned)
        if scanned.all.gates is not None:
            gate = scanned.all.gates > 0
            belongs &= (gate if name[0] == "+" else ~gate) & (turned > 0)
        yield case, np.where(belongs, turned, -np.inf)
