"""What a CPU does compiled and what a GPU does with PyTorch come to the same, in any number of threads."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numba
import numpy as np
import pytest
import torch

from neuronscope.index import on_cpu, on_gpu, ways
from neuronscope.index.accumulators import UNSEEN
from neuronscope.index.compiled import compiled
from neuronscope.index.half import half
from neuronscope.index.plan import Batch
from neuronscope.index.tops import Peaks, Tops, unpack

WINDOWS, TOKENS, NEURONS = 5, 70, 1100
WAYS = (on_cpu, on_gpu)


@pytest.fixture(params=[1, 3], autouse=True)
def threads(request: pytest.FixtureRequest) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


def batch(number: int = 0) -> Batch:
    """Windows of several lengths, with holes; window 3 holds nothing that counts."""
    torch.manual_seed(number)
    kept = torch.zeros(WINDOWS, TOKENS, dtype=torch.bool)
    runs = [(0, 1, 70), (1, 1, 30), (1, 34, 41), (2, 5, 6), (4, 0, 66)]
    for window, start, stop in runs:
        kept[window, start:stop] = True
    text = torch.ones_like(kept)
    text[1, 41:] = False
    none = torch.zeros(0, dtype=torch.int64)
    return Batch(
        ids=torch.zeros(WINDOWS, TOKENS, dtype=torch.int64), real=text, text=text, kept=kept, runs=tuple(runs),
        base=torch.arange(WINDOWS) * TOKENS + 1000 * number, tabulated=none, slots=none, counted=none,
        counted_keys=none, sampled=none, sample_rows=none, buckets=torch.randint(0, 16, kept.shape),
        signs=torch.where(kept, torch.randint(0, 2, kept.shape) * 2.0 - 1, 0.0), apart=none, count=int(kept.sum()),
    )  # fmt: skip


def activations(number: int = 0) -> torch.Tensor:
    """With ties within and between windows, zeros, a neuron that is always zero, and one that never is positive."""
    torch.manual_seed(100 + number)
    values = (torch.randn(WINDOWS, TOKENS, NEURONS) * 4).round() / 4
    values[..., 1] = 0
    values[..., 2] = -values[..., 2].abs() - 1
    return values


@pytest.mark.parametrize("gated", [False, True])
def test_moments_sketches_and_peaks_are_the_same(gated: bool):
    values, gate = activations(), activations(1) if gated else None
    one, centre = batch(), values[0, :9].mean(0)
    found = []
    for way in WAYS:
        sums, sketch = torch.zeros(8, NEURONS, dtype=torch.float64), torch.zeros(16, NEURONS)
        peaks = Peaks.none(6 if gated else 2, WINDOWS, NEURONS, values.device)
        way.moments(values, gate, one, centre, sums, sketch, peaks)
        found.append((sums, sketch, peaks))
    (sums, sketch, peaks), (others, other, same) = found
    assert torch.allclose(sums, others, rtol=1e-6, atol=1e-3)
    assert torch.allclose(sketch, other, atol=1e-4)
    reached = peaks.values > -math.inf
    assert torch.equal(peaks.values, same.values)
    assert torch.equal(peaks.places[reached], same.places[reached])
    kept = values[one.kept].double()
    assert torch.allclose(sums[3], ((kept - centre) ** 4).sum(0), rtol=1e-6)
    assert torch.equal(sums[5], (kept > 0).sum(0).double())
    assert torch.equal(peaks.values[-1, 1], -values[1][one.kept[1]].amin(0))
    assert not reached[:, 3].any()
    if gated:
        opened = gate[one.kept] > 0
        assert torch.equal(sums[6], opened.sum(0).double())
        assert torch.equal(sums[7], (opened & (kept > 0)).sum(0).double())
        assert not reached[:4, :, 1].any()
        closed_and_negative = torch.where(
            one.kept[0, :, None] & (gate[0] <= 0) & (values[0] < 0), -values[0], -math.inf
        )
        assert torch.equal(peaks.values[2, 0], closed_and_negative.amax(0))


def test_the_strongest_contexts_are_the_same_and_those_of_all_windows():
    tops = [[Tops.empty(torch.full((NEURONS,), -math.inf), 22) for _sign in (1, -1)] for _ in WAYS]
    everything = []
    for number in range(7):
        values, one = activations(number), batch(number)
        for way, top in zip(WAYS, tops, strict=True):
            peaks = Peaks.none(2, WINDOWS, NEURONS, values.device)
            way.moments(values, None, one, values[0, 0], torch.zeros(8, NEURONS), torch.zeros(16, NEURONS), peaks)
            for case in (0, 1):
                way.strongest(values, one, peaks, case, top[case])
        everything.append(torch.where(one.kept[..., None], values, -math.inf).amax(1))
    for case in (0, 1):
        (keys, contexts), (others, other) = (top[case].in_order() for top in tops)
        assert np.array_equal(keys, others)
        assert np.array_equal(contexts, other)
        assert torch.equal(tops[0][case].threshold, tops[1][case].threshold)
    found, _ = unpack(tops[0][0].in_order()[0])
    best = torch.cat(everything).sort(0, descending=True).values[:22].T.numpy()
    assert np.array_equal(found, best)


def test_rows_are_added_to_their_slots():
    values, places, slots = activations().flatten(0, 1), torch.arange(3, 33), torch.randint(0, 5, (30,))
    found = []
    for way in WAYS:
        sums, maxima = torch.zeros(6, NEURONS), torch.full((6, NEURONS), -math.inf)
        way.add_rows(values, places, slots, sums, maxima)
        way.add_rows(values, places, slots, sums, None)
        found.append((sums, maxima))
    assert torch.allclose(found[0][0], found[1][0], atol=1e-4)
    assert torch.equal(found[0][1], found[1][1])
    own = values[places][slots == 2]
    assert torch.allclose(found[0][0][2], 2 * own.sum(0), atol=1e-4)
    assert torch.equal(found[0][1][2], own.amax(0))
    assert (found[0][1][5] == -math.inf).all()


def test_bins_are_counted_and_have_their_first_examples():
    torch.manual_seed(0)
    tokens, bins = 50, 4
    values, places = torch.randn(tokens, NEURONS).half(), torch.randint(0, bins, (tokens, NEURONS))
    keys = torch.randperm(tokens) << 33
    found = []
    for way in WAYS:
        counts, examples = torch.zeros(bins, NEURONS, dtype=torch.int32), torch.full((bins, NEURONS), UNSEEN)
        shown = torch.zeros(bins, NEURONS, dtype=torch.float16)
        for part in (slice(0, 20), slice(20, tokens)):
            way.count_rows(places[part], keys[part], values[part], counts, examples, shown)
        found.append((counts, examples, shown))
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)
    counts, examples, shown = found[0]
    assert counts.sum() == tokens * NEURONS
    inside = (places[:, 3] == 2).nonzero().squeeze(1)
    first = inside[keys[inside].argmin()]
    assert (int(examples[2, 3]), float(shown[2, 3])) == (int(keys[first]), float(values[first, 3]))


def test_differences_are_summed_block_by_block():
    one, blocks = batch(), np.array([1, 0, 1, 2, 2])
    base, values = activations() * 1.37, activations(2) * 1.0009765625  # half-way between two numbers, many of them
    base[0, 4, 5], values[0, 4, 5], values[0, 4, 6], values[0, 4, 7] = 1e6, -1e6, 6e-8, -0.0
    a, b = half(base[one.kept]), half(values[one.kept])
    centres, found = torch.stack([a[:30].float().mean(0), b[:30].float().mean(0)]), []
    for way in WAYS:
        sums, written = (torch.zeros(3, 5, NEURONS, dtype=torch.float64) for _ in range(2))
        own = torch.empty_like(a)
        none = Peaks.none(2, WINDOWS, NEURONS, a.device)
        way.differences(base, own, one, blocks, centres[[0, 0]], written, none, writes=True)
        assert torch.equal(own, a)
        assert torch.equal(written[:, :2], written[:, 2:4])
        assert not written[:, 4].any()
        peaks = Peaks.none(2, WINDOWS, NEURONS, a.device)
        way.differences(values, own, one, blocks, centres, sums, peaks, writes=False)
        assert torch.equal(own, a)
        assert torch.equal(sums[:, :2], written[:, :2])
        assert torch.equal(peaks.values[-2], torch.where(one.kept[..., None], values, -math.inf).amax(1))
        found.append((sums, peaks))
    (sums, peaks), (others, other) = found
    reached = peaks.values > -math.inf
    assert torch.allclose(sums, others, rtol=1e-5, atol=1e-3)
    assert torch.equal(peaks.values, other.values)
    assert torch.equal(peaks.places[reached], other.places[reached])
    rows = torch.from_numpy(blocks)[one.kept.nonzero()[:, 0]] == 1
    assert torch.allclose(sums[1, 4], (b.double() - a.double())[rows].square().sum(0), rtol=1e-5)
    assert torch.allclose(sums[1, 2], (b[rows].double() - centres[1]).sum(0), rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("scale", [1e-7, 1e-5, 1.0, 1e4])
def test_numbers_are_rounded_as_pytorch_rounds_them(scale: float):
    one = batch()
    values = torch.randn(WINDOWS, TOKENS, NEURONS) * scale
    own = torch.empty(one.count, NEURONS, dtype=torch.float16)
    sums, peaks = torch.zeros(1, 5, NEURONS, dtype=torch.float64), Peaks.none(2, WINDOWS, NEURONS, values.device)
    on_cpu.differences(values, own, one, np.zeros(WINDOWS, int), values[0, :2], sums, peaks, writes=True)
    assert torch.equal(own, half(values[one.kept]))


def test_what_is_no_number_stays_none():
    one, values = batch(), activations()
    values[0, 5, 7] = math.nan
    centre = torch.zeros(NEURONS)
    for way in WAYS:
        sums = torch.zeros(8, NEURONS, dtype=torch.float64)
        way.moments(
            values, None, one, centre, sums, torch.zeros(16, NEURONS), Peaks.none(2, WINDOWS, NEURONS, values.device)
        )
        assert sums[:5, 7].isnan().all()
        assert not sums[:, 8].isnan().any()
        blocks = torch.zeros(1, 5, NEURONS, dtype=torch.float64)
        own, peaks = half(values[one.kept]), Peaks.none(2, WINDOWS, NEURONS, values.device)
        way.differences(values, own, one, np.zeros(WINDOWS, int), torch.zeros(2, NEURONS), blocks, peaks, writes=False)
        assert blocks[0, :, 7].isnan().all()
        assert not blocks[0, :, 8].isnan().any()


def test_a_processor_without_half_precision_is_worked_on_as_a_gpu_is(monkeypatch: pytest.MonkeyPatch):
    here = torch.device("cpu")
    assert ways.way(here) is on_cpu
    monkeypatch.setattr(ways, "HAS_HALVES", False)
    assert ways.way(here) is on_gpu


def test_where_nothing_may_be_written_it_is_compiled_anew(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(numba.config, "CACHE_LOCATOR_CLASSES", "IPythonCacheLocator")

    def twice(x: np.ndarray) -> None:
        for i in range(len(x)):
            x[i] *= 2

    values = np.arange(4.0)
    compiled(twice)(values)
    assert values.tolist() == [0, 2, 4, 6]
