"""What a scan keeps of every neuron of a layer, updated inside the forward pass while its values are in the cache.

Moments are sums of powers about a centre near the mean, in float32 over a few dozen tokens and in float64 from there.
The sketch is a count sketch (Charikar, Chen and Farach-Colton 2002): each token adds its activation less the mean, with
a sign of its own, to one of 512 buckets. Inner products of two neurons' sketches have those of their activations over
all tokens as expectation, and no larger variance than those of a Gaussian projection to as many numbers, which would
cost a token 512 multiplications in place of an addition.
The strongest contexts are found from each window's maximum: only neurons whose maximum passes their present k-th best
are looked at again. A context's value and position are packed into one int64, so that order and ties are total and any
merge of two lists is exact: larger value first, then the earlier position.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float, Float16, Integer
from torch import Tensor

from neuronscope.index.excerpts import AFTER, BEFORE, NO_VALUE
from neuronscope.index.layout import BINS, Cases
from neuronscope.index.plan import BUCKETS, CONTEXT, KEPT_CONTEXTS, PART, Batch, K
from neuronscope.index.rows import add_rows, count_rows

NOTHING = -(1 << 63)
"""The key of an empty place: below every other."""
UNSEEN = (1 << 63) - 1
"""The key of a bin without an example: above every other."""
_CHUNK_BYTES = 1 << 20
"""How much of a layer's values to work on at once: what stays in a core's cache."""
LARGEST_HALF = 65_504.0
"""The largest number that float16 holds."""


def half(values: Float[Tensor, "*n"]) -> Float16[Tensor, "*n"]:
    """The values as float16, which costs one about 1/2,000 of its size; what is larger than any becomes the largest."""
    return values.clamp(-LARGEST_HALF, LARGEST_HALF).to(torch.float16)


def pack(values: Float[Tensor, " n"], positions: Integer[Tensor, " n"]) -> Integer[Tensor, " n"]:
    """One int64 for value and position: the larger value first, and of equal values the earlier position."""
    bits = (values + 0.0).contiguous().view(torch.int32).to(torch.int64)  # + 0.0 makes of -0.0 a 0.0
    ordered = torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits)
    return (ordered << 32) + (0xFFFFFFFF - positions)


def unpack(keys: Integer[np.ndarray, "*n"]) -> tuple[Float[np.ndarray, "*n"], Integer[np.ndarray, "*n"]]:
    """The values and positions that `pack` put together; NaN where a place is empty."""
    ordered = (keys >> 32).astype(np.int32)
    values = np.where(ordered < 0, ordered ^ 0x7FFFFFFF, ordered).astype(np.int32).view(np.float32)
    positions = (0xFFFFFFFF - (keys & 0xFFFFFFFF)).astype(np.uint32)
    empty = keys == NOTHING
    return np.where(empty, np.float32(np.nan), values), np.where(empty, np.uint32(0xFFFFFFFF), positions)


def bins(values: Float[Tensor, "*n"], scale: float) -> Integer[Tensor, "*n"]:
    """The histogram bin of each value: logarithmic on either side of a middle bin for |a| < scale / 128.

    Bins 65 to 127 hold positive values, 63 to 1 negative ones, 0.238 octaves each (a factor of 1.18); the last on
    either side takes whatever is beyond 256 x scale.
    """
    half = BINS // 2 - 1
    steps = (values.abs() * (128 / scale)).clamp_(min=0.5).log2_().mul_(half / 15).floor_().clamp_(-1, half - 1)
    return (torch.sign(values) * (steps + 1)).to(torch.int64) + BINS // 2


@dataclass
class Tops:
    """The strongest contexts of one case for every neuron of a layer, in no order."""

    sign: int
    """1 for the largest values, -1 for the most negative."""
    keys: Integer[Tensor, "neurons places"]
    """Value times sign, and position."""
    contexts: Integer[Tensor, "neurons places context"]
    """Values around each, as a share of the peak in 1/127."""
    threshold: Float[Tensor, " neurons"]
    """The k-th best so far: nothing below it need be looked at."""

    @classmethod
    def empty(cls, sign: int, neurons: int, floor: Float[Tensor, " neurons"], places: int = K) -> Tops:
        """No contexts yet, and room for `places`; values below `floor` are known not to count."""
        device = floor.device
        keys = torch.full((neurons, places), NOTHING, dtype=torch.int64, device=device)
        contexts = torch.full((neurons, places, CONTEXT), NO_VALUE, dtype=torch.int8, device=device)
        return cls(sign, keys, contexts, floor.clone())

    def see(
        self,
        values: Float[Tensor, "windows tokens neurons"],
        allowed: Tensor | None,
        peaks: Float[Tensor, "windows parts neurons"],
        batch: Batch,
    ) -> None:
        """Take in a batch; `peaks` are the `extremes` of each window times sign, `allowed` the places of this case."""
        highest = peaks.amax(1)
        passing = (highest >= self.threshold) & (highest > -math.inf)
        neurons = passing.any(0).nonzero().squeeze(1)
        if not neurons.numel():
            return
        left = torch.where(passing, highest, -math.inf)[:, neurons]
        touched = []
        for _ in range(len(peaks)):
            peak, window = left.max(0)
            found = self._insert(values, allowed, peaks, neurons, window, peak, batch)
            touched.append(neurons[found])
            left[window[found], found] = -math.inf
            again = found[(left[:, found] > -math.inf).any(0)]
            if not again.numel():
                break
            neurons, left = neurons[again], left[:, again]
        changed = torch.unique(torch.cat(touched))
        worst = self.keys[changed].amin(1)
        full = worst > NOTHING
        lowest = torch.from_numpy(unpack(worst[full].cpu().numpy())[0]).to(worst.device)
        self.threshold[changed[full]] = torch.maximum(self.threshold[changed[full]], lowest)

    def _insert(
        self,
        values: Tensor,
        allowed: Tensor | None,
        peaks: Float[Tensor, "windows parts neurons"],
        neurons: Integer[Tensor, " candidates"],
        window: Integer[Tensor, " candidates"],
        peak: Float[Tensor, " candidates"],
        batch: Batch,
    ) -> Integer[Tensor, " inserted"]:
        """Put each candidate's best window in the place of its worst context, if it is better; says which went in."""
        place, worst = self._worst(neurons)
        # At the earliest position that there is, a value must beat the worst: where it stands is looked up only then.
        likely = ((pack(peak, torch.zeros_like(window)) > worst) & (peak > -math.inf)).nonzero().squeeze(1)
        neurons, window, peak, place, worst = (one[likely] for one in (neurons, window, peak, place, worst))
        column = self._column(values, allowed, peaks, neurons, window, batch)
        keys = pack(peak, batch.base[window] + column)
        better = (keys > worst).nonzero().squeeze(1)
        self.keys[neurons[better], place[better]] = keys[better]
        shown = better
        if self.keys.shape[1] > KEPT_CONTEXTS:
            # Only what stands among the first now can stand among the first at the end.
            above = (self.keys[neurons[better]] > keys[better, None]).sum(1)
            shown = better[above < KEPT_CONTEXTS]
        around = _around(values, batch.text, window[shown], column[shown], neurons[shown])
        self.contexts[neurons[shown], place[shown]] = around
        return likely[better]

    def _worst(
        self, neurons: Integer[Tensor, " candidates"]
    ) -> tuple[Integer[Tensor, " candidates"], Integer[Tensor, " candidates"]]:
        """Where the worst context of each candidate stands, and its key."""
        listed = self.keys[neurons]
        place = _argmax(-1 - listed)  # the smallest: -1 - k turns the order round without overflow
        return place, listed.gather(1, place[:, None]).squeeze(1)

    def _column(
        self,
        values: Tensor,
        allowed: Tensor | None,
        peaks: Float[Tensor, "windows parts neurons"],
        neurons: Integer[Tensor, " candidates"],
        window: Integer[Tensor, " candidates"],
        batch: Batch,
    ) -> Integer[Tensor, " candidates"]:
        """The place of each candidate's peak in its window: in the part that has it."""
        size = min(PART, values.shape[1])
        # The last part of a window may begin a little earlier: what it then holds of the one before it is no larger.
        first = (_argmax(peaks[window, :, neurons]) * PART).clamp_(max=values.shape[1] - size)
        counts = batch.kept.unfold(1, size, 1)[window, first]
        if allowed is not None:
            counts = counts & allowed.unfold(1, size, 1)[window, first, neurons]
        found = values.unfold(1, size, 1)[window, first, neurons]
        return first + _argmax(torch.where(counts, found if self.sign > 0 else -found, -math.inf))


def extremes(
    values: Float[Tensor, "windows tokens neurons"], start: int, largest: bool
) -> Float[Tensor, "windows parts neurons"]:
    """The largest or the smallest of each neuron in every part of windows that `values` hold, from place `start` on.

    Parts are `PART` places of a window, counted from its place 0.
    """
    stop = start + values.shape[1]
    edges = [start, *range((start // PART + 1) * PART, stop, PART), stop]
    parts = [values[:, a - start : b - start] for a, b in pairwise(edges)]
    found = [part.amax(1, keepdim=True) if largest else part.amin(1, keepdim=True) for part in parts]
    return found[0] if len(found) == 1 else torch.cat(found, 1)


def parts_of(start: int, stop: int) -> slice:
    """The parts that places `start` to `stop` of a window are in."""
    return slice(start // PART, -(-stop // PART))


def _argmax(values: Tensor) -> Integer[Tensor, " n"]:
    """The first place of each row's largest value; numpy's is several times as fast on a CPU."""
    if values.device.type == "cpu":
        return torch.from_numpy(values.numpy().argmax(1))
    return values.argmax(1)


def _around(
    values: Float[Tensor, "windows tokens neurons"],
    text: Tensor,
    window: Integer[Tensor, " n"],
    column: Integer[Tensor, " n"],
    neurons: Integer[Tensor, " n"],
) -> Integer[Tensor, "n context"]:
    """Values from `BEFORE` tokens before the peak to `AFTER` after it, as a share of the peak in 1/127."""
    at = column[:, None] + torch.arange(-BEFORE, AFTER + 1, device=column.device)
    inside = (at >= 0) & (at < values.shape[1])
    at = at.clamp_(0, values.shape[1] - 1)
    begins = window * values[0].numel() + neurons
    found = values.reshape(-1)[begins[:, None] + at * values.shape[2]]
    peak = found[:, BEFORE, None].abs().clamp(min=1e-30)
    share = (found / peak * 127).round_().clamp_(-127, 127).to(torch.int8)
    return share.masked_fill_(~(inside & text[window].gather(1, at)), NO_VALUE)


class Accumulator:
    """Everything kept of one layer over one shard."""

    def __init__(
        self,
        neurons: int,
        cases: Cases,
        *,
        scale: float,
        slots: int,
        samples: int,
        floors: Float[Tensor, "cases neurons"],
    ) -> None:
        """`slots` tokens are tabulated and `samples` of this shard's tokens belong to the sample."""
        device = floors.device
        self.neurons, self.cases, self.scale = neurons, cases, scale
        self.seen = 0
        self.centre: Tensor | None = None
        self.powers = torch.zeros(5, neurons, dtype=torch.float64, device=device)
        self.positive = torch.zeros(neurons, dtype=torch.float64, device=device)
        self.case_counts = torch.zeros(2, neurons, dtype=torch.float64, device=device)
        self.largest = torch.full((neurons,), -math.inf, device=device)
        self.smallest = torch.full((neurons,), math.inf, device=device)
        self.tops = [Tops.empty(sign, neurons, floor) for sign, floor in zip(cases.signs, floors, strict=True)]
        self.sums = torch.zeros(slots, neurons, device=device)
        self.maxima = torch.full((slots, neurons), -math.inf, device=device)
        self.histogram = torch.zeros(BINS * neurons, dtype=torch.int32, device=device)
        self.examples = torch.full((BINS * neurons,), UNSEEN, dtype=torch.int64, device=device)
        self.example_values = torch.zeros(BINS * neurons, dtype=torch.float16, device=device)
        self.sample = torch.zeros(samples, neurons, dtype=torch.float16, device=device)
        self.sketch = torch.zeros(BUCKETS, neurons, device=device)
        self.signs = torch.zeros(BUCKETS, device=device)
        self.apart = torch.zeros(2, neurons, dtype=torch.float64, device=device)
        self.apart_largest = torch.full((neurons,), -math.inf, device=device)
        self.apart_smallest = torch.full((neurons,), math.inf, device=device)
        self.apart_seen = 0
        rows = max(min(_CHUNK_BYTES // (4 * neurons), PART), 1)
        self._buffers = torch.empty(2, rows, neurons, device=device)
        self._ones = torch.ones(1, rows, device=device)

    @property
    def chunk(self) -> int:
        """How many tokens to work on at once."""
        return self._buffers.shape[1]

    def see(self, values: Float[Tensor, "windows tokens neurons"], gate: Tensor | None, batch: Batch) -> None:
        """Take in one batch: the layer's neurons, and for a gated MLP its gate before the activation function."""
        peaks = self._moments(values, gate, batch)
        for case, (top, sign) in enumerate(zip(self.tops, self.cases.signs, strict=True)):
            allowed = None if gate is None else self.cases.allowed(case, gate)
            top.see(values, allowed, peaks[case] if sign > 0 else -peaks[case], batch)
        flat = values.reshape(-1, self.neurons)
        self.signs.index_add_(0, batch.buckets.view(-1), batch.signs.view(-1))
        self._tokens(flat, batch)
        self._histogram(flat, batch)
        if batch.sampled.numel():
            self.sample[batch.sample_rows] = half(flat[batch.sampled])
        self._apart(flat[batch.apart])

    def _moments(
        self, values: Float[Tensor, "windows tokens neurons"], gate: Tensor | None, batch: Batch
    ) -> list[Float[Tensor, "windows parts neurons"]]:
        """Add to the moments; return the extreme values of each part of each window, case by case."""
        shape = (len(values), parts_of(0, values.shape[1]).stop, self.neurons)
        peaks = [torch.full(shape, -math.inf * sign, device=values.device) for sign in self.cases.signs]
        sums = torch.zeros(8, self.neurons, dtype=torch.float64, device=values.device)
        for first, last, start, stop in batch.chunks(self.chunk):
            part = values[first:last, start:stop]
            if self.centre is None:
                self.centre = part.reshape(-1, self.neurons).mean(0)
            centred = self._centred(part)
            self._add_to_sketch(centred, batch.buckets[first:last, start:stop], batch.signs[first:last, start:stop])
            self._add_powers(centred, part, sums)
            gates = None if gate is None else gate[first:last, start:stop]
            for peak, sign, extreme in zip(
                peaks, self.cases.signs, self._extremes(part, gates, sums, start), strict=True
            ):
                grow, reached = torch.maximum if sign > 0 else torch.minimum, peak[first:last, parts_of(start, stop)]
                grow(reached, extreme, out=reached)
        self.powers += sums[:5]
        self.positive += sums[5]
        self.case_counts += sums[6:]
        self.seen += batch.count
        if gate is None:
            self._widen(peaks[0].amax((0, 1)), peaks[1].amin((0, 1)))
        return peaks

    def _widen(self, largest: Float[Tensor, " neurons"], smallest: Float[Tensor, " neurons"]) -> None:
        torch.maximum(self.largest, largest, out=self.largest)
        torch.minimum(self.smallest, smallest, out=self.smallest)

    def _centred(self, part: Float[Tensor, "windows tokens neurons"]) -> Float[Tensor, "rows neurons"]:
        """A block of values about the centre, in the first buffer."""
        assert self.centre is not None, "set by the first batch"
        d = self._buffers[0, : part.shape[0] * part.shape[1]]
        torch.sub(part, self.centre, out=d.view(part.shape))
        return d

    def _add_to_sketch(
        self, d: Float[Tensor, "rows neurons"], buckets: Integer[Tensor, "windows tokens"], signs: Tensor
    ) -> None:
        """Add each token's values about the centre, times its sign, to its bucket; rows one after the other."""
        signed = torch.mul(d, signs.reshape(-1, 1), out=self._buffers[1, : len(d)])
        self.sketch.index_add_(0, buckets.reshape(-1), signed)

    def _add_powers(
        self,
        d: Float[Tensor, "rows neurons"],
        part: Float[Tensor, "windows tokens neurons"],
        sums: Float[Tensor, "8 neurons"],
    ) -> None:
        """Add the first four powers about the centre, |a|, and how often a > 0; `d` is `part` about the centre."""
        power, ones = self._buffers[1, : len(d)], self._ones[:, : len(d)]
        sums[0] += (ones @ d)[0]
        torch.mul(d, d, out=power)
        sums[1] += (ones @ power)[0]
        torch.mul(d, power, out=d)
        sums[2] += (ones @ d)[0]
        torch.mul(power, power, out=power)
        sums[3] += (ones @ power)[0]
        torch.abs(part, out=d.view(part.shape))
        sums[4] += (ones @ d)[0]
        torch.sign(part, out=d.view(part.shape))
        sums[5] += (ones @ d.clamp_(min=0))[0]

    def _extremes(
        self, part: Float[Tensor, "windows tokens neurons"], gate: Tensor | None, sums: Tensor, start: int
    ) -> list[Float[Tensor, "windows parts neurons"]]:
        """The `extremes` of each case."""
        if gate is None:
            return [extremes(part, start, largest=True), extremes(part, start, largest=False)]
        self._widen(part.amax((0, 1)), part.amin((0, 1)))
        rows = part.shape[0] * part.shape[1]
        open_, passed, ones = self._buffers[0, :rows], self._buffers[1, :rows], self._ones[:, :rows]
        torch.sign(gate, out=open_.view(part.shape)).clamp_(min=0)
        sums[6] += (ones @ open_)[0]
        torch.mul(part, open_.view(part.shape), out=passed.view(part.shape))
        through = passed.view(part.shape)
        found = [extremes(through, start, largest=True), extremes(through, start, largest=False)]
        torch.sign(passed, out=open_).clamp_(min=0)
        sums[7] += (ones @ open_)[0]
        torch.sub(part, through, out=through)
        found += [extremes(through, start, largest=False), extremes(through, start, largest=True)]
        # Where no token of a part belongs to a case, its extreme is 0 or has the other sign.
        return [
            torch.where(values * sign > 0, values, -math.inf * sign)
            for sign, values in zip(self.cases.signs, found, strict=True)
        ]

    def _tokens(self, flat: Float[Tensor, "tokens neurons"], batch: Batch) -> None:
        if batch.tabulated.numel():
            at_once = flat.device.type != "cpu"
            add_rows(flat, batch.tabulated, batch.slots, self.sums, self.maxima, at_once=at_once)

    def _histogram(self, flat: Float[Tensor, "tokens neurons"], batch: Batch) -> None:
        if not batch.counted.numel():
            return
        picked = flat[batch.counted]
        places = bins(picked, self.scale) * self.neurons + torch.arange(self.neurons, device=flat.device)
        kept = self.histogram, self.examples, self.example_values
        count_rows(places, batch.counted_keys, half(picked), *kept, at_once=flat.device.type != "cpu")

    def _apart(self, values: Float[Tensor, "tokens neurons"]) -> None:
        if not len(values):
            return
        self.apart_seen += len(values)
        self.apart[0] += values.double().sum(0)
        self.apart[1] += values.double().square().sum(0)
        torch.maximum(self.apart_largest, values.amax(0), out=self.apart_largest)
        torch.minimum(self.apart_smallest, values.amin(0), out=self.apart_smallest)

    def arrays(self) -> dict[str, np.ndarray]:
        """What was accumulated, neurons along the first axis, or the second (`sums`, `maxima`, `sample`, `sketch`)."""
        mean, m2, m3, m4 = _central(self.powers[:4].cpu().numpy(), self.centre, self.seen)
        count = float(self.seen)
        open_, both = self.case_counts.cpu().numpy()
        positive = self.positive.cpu().numpy()
        cases = np.stack([both, open_ - both, count - open_ - positive + both, positive - both], 1)
        tops = [in_order(top) for top in self.tops]
        shape = (BINS, self.neurons)
        return {
            "mean": mean, "m2": m2, "m3": m3, "m4": m4,
            "absolute": self.powers[4].cpu().numpy(),
            "positive": positive,
            "case_counts": cases,
            "largest": self.largest.cpu().numpy(),
            "smallest": self.smallest.cpu().numpy(),
            "keys": np.stack([keys for keys, _ in tops], 1),
            "contexts": np.stack([contexts for _, contexts in tops], 1),
            "histogram": np.ascontiguousarray(self.histogram.view(shape).T.cpu().numpy()),
            "examples": np.ascontiguousarray(self.examples.view(shape).T.cpu().numpy()),
            "example_values": np.ascontiguousarray(self.example_values.view(shape).T.cpu().numpy()),
            "apart_sum": self.apart[0].cpu().numpy(), "apart_square": self.apart[1].cpu().numpy(),
            "apart_largest": self.apart_largest.cpu().numpy(), "apart_smallest": self.apart_smallest.cpu().numpy(),
            "sums": self.sums.cpu().numpy(), "maxima": self.maxima.cpu().numpy(), "sample": self.sample.cpu().numpy(),
            "sketch": self._sketch(mean),
        }  # fmt: skip

    def _sketch(self, mean: Float[np.ndarray, " neurons"]) -> Float[np.ndarray, "buckets neurons"]:
        """The sketch about the mean, by which activations far from zero keep their digits."""
        if self.centre is None:
            return self.sketch.cpu().numpy()
        moved = self.centre.double().cpu().numpy() - mean
        return (self.sketch.cpu().numpy() + np.outer(self.signs.cpu().numpy(), moved)).astype(np.float32)


def in_order(top: Tops) -> tuple[Integer[np.ndarray, "neurons places"], Integer[np.ndarray, "neurons kept context"]]:
    """A case's contexts from the strongest down; values around them only for the first."""
    keys, order = top.keys.sort(1, descending=True)
    first = order[:, :KEPT_CONTEXTS, None].expand(-1, -1, CONTEXT)
    return keys.cpu().numpy(), top.contexts.gather(1, first).cpu().numpy()


def _central(
    powers: Float[np.ndarray, "4 neurons"], centre: Tensor | None, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Mean and sums of central powers from sums of powers about `centre`."""
    n = max(count, 1)
    s1, s2, s3, s4 = powers / n
    mean = s1 + (0.0 if centre is None else centre.double().cpu().numpy())
    m2 = s2 - s1**2
    m3 = s3 - 3 * s1 * s2 + 2 * s1**3
    m4 = s4 - 4 * s1 * s3 + 6 * s1**2 * s2 - 3 * s1**4
    return mean, np.maximum(m2, 0) * count, m3 * count, np.maximum(m4, 0) * count
