"""What a scan keeps of every neuron of a layer, updated inside the forward pass while its values are in the cache.

Moments are sums of powers about a centre near the mean, in float32 over a few dozen tokens and in float64 from there.
The sketch is a count sketch (Charikar, Chen and Farach-Colton 2002): each token adds its activation less the mean, with
a sign of its own, to one of 512 buckets. Inner products of two neurons' sketches have those of their activations over
all tokens as expectation, and no larger variance than those of a Gaussian projection to as many numbers, which would
cost a token 512 multiplications in place of an addition.
The strongest contexts are found from each window's peak: only neurons whose peak passes their present k-th best are
looked at again.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import Tensor

from neuronscope.index.half import half
from neuronscope.index.layout import BINS
from neuronscope.index.plan import BUCKETS, Batch
from neuronscope.index.tops import Peaks, Tops
from neuronscope.index.ways import way

UNSEEN = (1 << 63) - 1
"""The key of a bin without an example: above every other."""
FIRST = 64
"""Tokens whose mean is the centre of all sums."""


def bins(values: Float[Tensor, "*n"], scale: float) -> Integer[Tensor, "*n"]:
    """The histogram bin of each value: logarithmic on either side of a middle bin for |a| < scale / 128.

    Bins 65 to 127 hold positive values, 63 to 1 negative ones, 0.238 octaves each (a factor of 1.18); the last on
    either side takes whatever is beyond 256 x scale.
    """
    half = BINS // 2 - 1
    steps = (values.abs() * (128 / scale)).clamp_(min=0.5).log2_().mul_(half / 15).floor_().clamp_(-1, half - 1)
    return (torch.sign(values) * (steps + 1)).to(torch.int64) + BINS // 2


class Accumulator:
    """Everything kept of one layer over one shard."""

    def __init__(
        self,
        neurons: int,
        *,
        scale: float,
        slots: int,
        samples: int,
        floors: Float[Tensor, "cases neurons"],
    ) -> None:
        """`slots` tokens are tabulated and `samples` of this shard's tokens belong to the sample."""
        device = floors.device
        self.neurons, self.scale = neurons, scale
        self.seen = 0
        self.centre: Tensor | None = None
        self.powers = torch.zeros(8, neurons, dtype=torch.float64, device=device)
        self.largest = torch.full((neurons,), -math.inf, device=device)
        self.smallest = torch.full((neurons,), math.inf, device=device)
        self.tops = [Tops.empty(floor) for floor in floors]
        self.sums = torch.zeros(slots, neurons, device=device)
        self.maxima = torch.full((slots, neurons), -math.inf, device=device)
        self.histogram = torch.zeros(BINS, neurons, dtype=torch.int32, device=device)
        self.examples = torch.full((BINS, neurons), UNSEEN, dtype=torch.int64, device=device)
        self.example_values = torch.zeros(BINS, neurons, dtype=torch.float16, device=device)
        self.sample = torch.zeros(samples, neurons, dtype=torch.float16, device=device)
        self.sketch = torch.zeros(BUCKETS, neurons, device=device)
        self.signs = torch.zeros(BUCKETS, device=device)
        self.apart = torch.zeros(2, neurons, dtype=torch.float64, device=device)
        self.apart_largest = torch.full((neurons,), -math.inf, device=device)
        self.apart_smallest = torch.full((neurons,), math.inf, device=device)
        self.apart_seen = 0
        self._way = way(device)

    def see(self, values: Float[Tensor, "windows tokens neurons"], gate: Tensor | None, batch: Batch) -> None:
        """Take in one batch: the layer's neurons, and for a gated MLP its gate before the activation function."""
        flat = values.reshape(-1, self.neurons)
        if self.centre is None and batch.count:
            self.centre = flat[batch.kept.reshape(-1).nonzero().squeeze(1)[:FIRST]].mean(0)
        if self.centre is not None:
            self._peaks(values, gate, batch, self.centre)
        self.signs.index_add_(0, batch.buckets.view(-1), batch.signs.view(-1))
        if batch.tabulated.numel():
            self._way.add_rows(flat, batch.tabulated, batch.slots, self.sums, self.maxima)
        if batch.counted.numel():
            picked, kept = flat[batch.counted], (self.histogram, self.examples, self.example_values)
            self._way.count_rows(bins(picked, self.scale), batch.counted_keys, half(picked), *kept)
        if batch.sampled.numel():
            self.sample[batch.sample_rows] = half(flat[batch.sampled])
        self._apart(flat[batch.apart])

    def _peaks(
        self,
        values: Float[Tensor, "windows tokens neurons"],
        gate: Tensor | None,
        batch: Batch,
        centre: Float[Tensor, " neurons"],
    ) -> None:
        """Add to the moments, and to the strongest contexts where the batch's peaks belong there."""
        found = Peaks.none(
            len(self.tops) if gate is None else len(self.tops) + 2, len(values), self.neurons, centre.device
        )
        self._way.moments(values, gate, batch, centre, self.powers, self.sketch, found)
        self.seen += batch.count
        torch.maximum(self.largest, found.values[-2].amax(0), out=self.largest)
        torch.minimum(self.smallest, -found.values[-1].amax(0), out=self.smallest)
        for case, top in enumerate(self.tops):
            self._way.strongest(values, batch, found, case, top)

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
        powers, count = self.powers.cpu().numpy(), float(self.seen)
        mean, m2, m3, m4 = _central(powers[:4], self.centre, self.seen)
        absolute, positive, open_, both = powers[4:]
        cases = np.stack([both, open_ - both, count - open_ - positive + both, positive - both], 1)
        tops = [top.in_order() for top in self.tops]
        return {
            "mean": mean, "m2": m2, "m3": m3, "m4": m4,
            "absolute": absolute,
            "positive": positive,
            "case_counts": cases,
            "largest": self.largest.cpu().numpy(),
            "smallest": self.smallest.cpu().numpy(),
            "keys": np.stack([keys for keys, _ in tops], 1),
            "contexts": np.stack([contexts for _, contexts in tops], 1),
            "histogram": np.ascontiguousarray(self.histogram.T.cpu().numpy()),
            "examples": np.ascontiguousarray(self.examples.T.cpu().numpy()),
            "example_values": np.ascontiguousarray(self.example_values.T.cpu().numpy()),
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
