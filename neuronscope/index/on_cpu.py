"""What a scan does with a batch on a CPU, compiled by Numba: each function passes over the batch once; see `Way`.

PyTorch would read and write the activations, 12 MB for a layer of GPT-2 and 1,024 tokens, about twenty times for the
same. Here the neurons are worked on a few at a time, whose sums stay beside the core. No neuron depends on another:
stripes of them are shared out over as many threads as PyTorch works in, and the result is the same in any number.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float16, Float32, Int8, Int16, Int32, Int64, Integer
from torch import Tensor

from neuronscope.index.compiled import compiled, from_half, to_half
from neuronscope.index.excerpts import BEFORE, NO_VALUE
from neuronscope.index.half import LARGEST_HALF
from neuronscope.index.plan import KEPT_CONTEXTS, Batch
from neuronscope.index.tops import NOTHING, Peaks, Tops

_TILE = 512
"""Neurons worked on at once."""
_FEW = 32
"""Tokens summed in float32 before they are added in float64."""
_STRIPE = 512
"""Neurons of a layer for which another thread is worth its while."""


def moments(
    values: Float[Tensor, "windows tokens neurons"],
    gate: Float[Tensor, "windows tokens neurons"] | None,
    batch: Batch,
    centre: Float[Tensor, " neurons"],
    sums: Float[Tensor, "8 neurons"],
    sketch: Float[Tensor, "buckets neurons"],
    found: Peaks,
) -> None:
    """See `Way.moments`."""
    array = _array(values)
    gates = array if gate is None else _array(gate)
    rest = centre, batch.buckets, batch.signs, sums, sketch, found.values, found.places
    _striped(_moments, array, gates, gate is not None, _runs(batch), *map(_array, rest))


def strongest(
    values: Float[Tensor, "windows tokens neurons"], batch: Batch, found: Peaks, case: int, top: Tops
) -> None:
    """See `Way.strongest`."""
    given = values, batch.text, batch.base, found.values[case], found.places[case]
    arrays = [_array(one) for one in (*given, top.keys, top.contexts, top.threshold)]
    _striped(_strongest, *arrays, KEPT_CONTEXTS, BEFORE, NO_VALUE, NOTHING)


def add_rows(
    values: Float[Tensor, "tokens neurons"],
    places: Int64[Tensor, " n"],
    slots: Int64[Tensor, " n"],
    sums: Float[Tensor, "slots neurons"],
    maxima: Float[Tensor, "slots neurons"] | None,
) -> None:
    """See `Way.add_rows`."""
    largest = np.empty((0, values.shape[1]), np.float32) if maxima is None else _array(maxima)
    _striped(_add_rows, *map(_array, (values, places, slots, sums)), largest)


def count_rows(
    bins: Int64[Tensor, "tokens neurons"],
    keys: Int64[Tensor, " tokens"],
    values: Float16[Tensor, "tokens neurons"],
    counts: Int32[Tensor, "bins neurons"],
    examples: Int64[Tensor, "bins neurons"],
    shown: Float16[Tensor, "bins neurons"],
) -> None:
    """See `Way.count_rows`."""
    _striped(_count_rows, *map(_array, (bins, keys)), _bits(values), *map(_array, (counts, examples)), _bits(shown))


def differences(
    values: Float[Tensor, "windows tokens neurons"],
    base: Float16[Tensor, "kept neurons"],
    batch: Batch,
    blocks: Integer[np.ndarray, " windows"],
    centres: Float[Tensor, "2 neurons"],
    sums: Float[Tensor, "blocks 5 neurons"],
    found: Peaks,
    *,
    writes: bool,
) -> None:
    """See `Way.differences`."""
    numbers, rest = np.asarray(blocks, np.int64), (centres, sums, found.values, found.places)
    _striped(_differences, _array(values), _bits(base), writes, _runs(batch), numbers, *map(_array, rest))


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.contiguous().numpy()


def _bits(tensor: Float16[Tensor, "*n"]) -> Int16[np.ndarray, "*n"]:
    """Numba knows no float16."""
    return _array(tensor).view(np.int16)


def _runs(batch: Batch) -> Int64[np.ndarray, "runs 3"]:
    return np.array(batch.runs, np.int64).reshape(-1, 3)


def _striped(kernel: Callable[..., None], values: np.ndarray, *rest: Any) -> None:
    """Run a kernel over all neurons, which are the last axis of `values`."""
    neurons = values.shape[-1]
    threads = min(torch.get_num_threads(), neurons // _STRIPE + 1)
    if threads == 1:
        kernel(values, *rest, 0, neurons)
        return
    edges = [neurons // 16 * stripe // threads * 16 for stripe in range(threads)]  # no line of a cache has two writers
    stripes = zip(edges, [*edges[1:], neurons], strict=True)
    list(_pool(threads).map(lambda stripe: kernel(values, *rest, *stripe), stripes))


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "neuronscope-scan")


_Neurons = Float32[np.ndarray, " neurons"]
_Places = Int32[np.ndarray, " neurons"]
_Batch = Float32[np.ndarray, "windows tokens neurons"]
_Windows = Float32[np.ndarray, "cases windows neurons"]


@compiled
def _moments(
    values: _Batch,
    gates: _Batch,
    gated: bool,
    runs: Int64[np.ndarray, "runs 3"],
    centre: _Neurons,
    buckets: Int64[np.ndarray, "windows tokens"],
    signs: Float32[np.ndarray, "windows tokens"],
    sums: Float[np.ndarray, "8 neurons"],
    sketch: Float32[np.ndarray, "buckets neurons"],
    largest: _Windows,
    places: Int32[np.ndarray, "cases windows neurons"],
    first: int,
    last: int,
) -> None:
    part = np.empty((8, _TILE), np.float32)
    for left in range(first, last, _TILE):
        right = min(left + _TILE, last)
        for run in range(len(runs)):
            window, start, stop = runs[run]
            up, down = largest[-2, window, left:right], largest[-1, window, left:right]
            at_up, at_down = places[-2, window, left:right], places[-1, window, left:right]
            for begin in range(start, stop, _FEW):
                part[:] = 0
                for token in range(begin, min(begin + _FEW, stop)):
                    x = values[window, token, left:right]
                    bucket = sketch[buckets[window, token], left:right]
                    _add_powers(x, centre[left:right], signs[window, token], bucket, part)
                    if gated:
                        gate = gates[window, token, left:right]
                        _count_cases(x, gate, part)
                        for case in range(4):
                            peaks, at = largest[case, window, left:right], places[case, window, left:right]
                            _raise_case(x, gate, case, token, peaks, at)
                    _raise(x, token, up, at_up, down, at_down)
                for power in range(len(part)):
                    for i in range(right - left):
                        sums[power, left + i] += part[power, i]


@compiled
def _add_powers(
    x: _Neurons, centre: _Neurons, sign: float, bucket: _Neurons, part: Float32[np.ndarray, "8 tile"]
) -> None:
    for i in range(len(x)):
        d = x[i] - centre[i]
        square = d * d
        bucket[i] += sign * d
        part[0, i] += d
        part[1, i] += square
        part[2, i] += square * d
        part[3, i] += square * square
        part[4, i] += abs(x[i])
        part[5, i] += np.float32(x[i] > 0)


@compiled
def _count_cases(x: _Neurons, gate: _Neurons, part: Float32[np.ndarray, "8 tile"]) -> None:
    for i in range(len(x)):
        part[6, i] += np.float32(gate[i] > 0)
        part[7, i] += np.float32((gate[i] > 0) & (x[i] > 0))


@compiled
def _raise(x: _Neurons, token: int, largest: _Neurons, at_largest: _Places, least: _Neurons, at_least: _Places) -> None:
    at = np.int32(token)
    for i in range(len(x)):
        a, up, down = x[i], largest[i], least[i]
        at_up, at_down = at_largest[i], at_least[i]
        largest[i], at_largest[i] = (a, at) if a > up else (up, at_up)
        least[i], at_least[i] = (-a, at) if -a > down else (down, at_down)


@compiled
def _raise_case(
    x: _Neurons,
    gate: _Neurons,
    case: int,
    token: int,
    largest: _Neurons,
    places: _Places,
) -> None:
    opened, sign, at = case < 2, np.float32(1 if case % 3 == 0 else -1), np.int32(token)
    for i in range(len(x)):
        a, up, at_up = sign * x[i], largest[i], places[i]
        higher = ((gate[i] > 0) == opened) & (a > 0) & (a > up)
        largest[i], places[i] = (a, at) if higher else (up, at_up)


@compiled
def _strongest(
    values: _Batch,
    text: Bool[np.ndarray, "windows tokens"],
    base: Int64[np.ndarray, " windows"],
    peaks: Float32[np.ndarray, "windows neurons"],
    places: Int32[np.ndarray, "windows neurons"],
    keys: Int64[np.ndarray, "neurons places"],
    contexts: Int8[np.ndarray, "neurons places context"],
    threshold: _Neurons,
    shown: int,
    before: int,
    no_value: int,
    empty: int,
    first: int,
    last: int,
) -> None:
    for window in range(len(base)):
        for neuron in range(first, last):
            peak = peaks[window, neuron]
            if not (peak >= threshold[neuron] and peak > -np.inf):
                continue
            own, place = keys[neuron], places[window, neuron]
            worst = _least(own)
            key = _key(peak, base[window] + place)
            if key <= own[worst]:
                continue
            own[worst] = key
            # Only what stands among the first now can stand among the first at the end.
            if _above(own, key) < shown:
                _copy_context(values[window, :, neuron], text[window], place, before, no_value, contexts[neuron, worst])
            least = own[_least(own)]
            if least > empty:
                threshold[neuron] = max(threshold[neuron], _value(least))


@compiled
def _least(keys: Int64[np.ndarray, " places"]) -> int:
    worst = 0
    for place in range(1, len(keys)):
        worst = place if keys[place] < keys[worst] else worst
    return worst


@compiled
def _above(keys: Int64[np.ndarray, " places"], key: np.int64) -> int:
    found = 0
    for other in keys:
        found += other > key
    return found


@compiled
def _key(value: np.float32, position: np.int64) -> np.int64:
    """See `tops.pack`."""
    bits = np.int64(np.float32(value + np.float32(0)).view(np.int32))
    return ((bits ^ 0x7FFFFFFF if bits < 0 else bits) << 32) + (0xFFFFFFFF - position)


@compiled
def _value(key: np.int64) -> np.float32:
    """See `tops.unpack`."""
    ordered = key >> 32
    return np.int32(ordered ^ 0x7FFFFFFF if ordered < 0 else ordered).view(np.float32)


@compiled
def _copy_context(
    values: Float32[np.ndarray, " tokens"],
    text: Bool[np.ndarray, " tokens"],
    place: int,
    before: int,
    no_value: int,
    context: Bool[np.ndarray, " context"],
) -> None:
    """Values around a place, as shares of the one there in 1/127."""
    peak = max(abs(values[place]), np.float32(1e-30))
    for i in range(len(context)):
        at = place - before + i
        if 0 <= at < len(values) and text[at]:
            share = np.rint(values[at] / peak * np.float32(127))
            context[i] = np.int8(min(max(share, np.float32(-127)), np.float32(127)))
        else:
            context[i] = no_value


@compiled
def _add_rows(
    values: Float32[np.ndarray, "tokens neurons"],
    places: Int64[np.ndarray, " n"],
    slots: Int64[np.ndarray, " n"],
    sums: Float32[np.ndarray, "slots neurons"],
    maxima: Float32[np.ndarray, "slots neurons"],
    first: int,
    last: int,
) -> None:
    for n in range(len(places)):
        x, total = values[places[n], first:last], sums[slots[n], first:last]
        for i in range(len(x)):
            total[i] += x[i]
        if len(maxima):
            largest = maxima[slots[n], first:last]
            for i in range(len(x)):
                largest[i] = max(largest[i], x[i])


@compiled
def _count_rows(
    bins: Int64[np.ndarray, "tokens neurons"],
    keys: Int64[np.ndarray, " tokens"],
    values: Int16[np.ndarray, "tokens neurons"],
    counts: Int32[np.ndarray, "bins neurons"],
    examples: Int64[np.ndarray, "bins neurons"],
    shown: Int16[np.ndarray, "bins neurons"],
    first: int,
    last: int,
) -> None:
    for token in range(len(keys)):
        key = keys[token]
        for neuron in range(first, last):
            place = bins[token, neuron]
            counts[place, neuron] += 1
            if key < examples[place, neuron]:
                examples[place, neuron] = key
                shown[place, neuron] = values[token, neuron]


@compiled
def _differences(
    values: _Batch,
    base: Int16[np.ndarray, "kept neurons"],
    writes: bool,
    runs: Int64[np.ndarray, "runs 3"],
    blocks: Int64[np.ndarray, " windows"],
    centres: Float32[np.ndarray, "2 neurons"],
    sums: Float[np.ndarray, "blocks 5 neurons"],
    largest: _Windows,
    places: Int32[np.ndarray, "cases windows neurons"],
    first: int,
    last: int,
) -> None:
    part, own = np.empty((5, _TILE), np.float32), np.empty(_TILE, np.int16)
    for left in range(first, last, _TILE):
        right, row = min(left + _TILE, last), 0
        base_centre, own_centre = centres[0, left:right], centres[1, left:right]
        for run in range(len(runs)):
            window, start, stop = runs[run]
            up, down = largest[-2, window, left:right], largest[-1, window, left:right]
            at_up, at_down = places[-2, window, left:right], places[-1, window, left:right]
            for begin in range(start, stop, _FEW):
                part[:] = 0
                for token in range(begin, min(begin + _FEW, stop)):
                    x, beside = values[window, token, left:right], base[row, left:right]
                    row += 1
                    rounded = beside if writes else own[: right - left]
                    _round(x, rounded)
                    _add_differences(beside, rounded, base_centre, own_centre, part)
                    _raise(x, token, up, at_up, down, at_down)
                for quantity in range(len(part)):
                    for i in range(right - left):
                        sums[blocks[window], quantity, left + i] += part[quantity, i]


@compiled
def _round(x: _Neurons, into: Int16[np.ndarray, " neurons"]) -> None:
    largest = np.float32(LARGEST_HALF)
    for i in range(len(x)):
        value = largest if x[i] > largest else x[i]
        into[i] = to_half(-largest if value < -largest else value)


@compiled
def _add_differences(
    base: Int16[np.ndarray, " neurons"],
    own: Int16[np.ndarray, " neurons"],
    base_centre: _Neurons,
    own_centre: _Neurons,
    part: Float32[np.ndarray, "5 tile"],
) -> None:
    for i in range(len(base)):
        a, b = from_half(base[i]), from_half(own[i])
        about_a, about_b, d = a - base_centre[i], b - own_centre[i], b - a
        part[0, i] += about_a
        part[1, i] += about_a * about_a
        part[2, i] += about_b
        part[3, i] += about_b * about_b
        part[4, i] += d * d
