"""What a scan does with a batch on a GPU, with PyTorch: few calls, each over the whole batch; see `Way`."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Bool, Float, Float16, Int8, Int32, Int64, Integer
from torch import Tensor

from neuronscope.index.excerpts import AFTER, BEFORE, NO_VALUE
from neuronscope.index.half import half
from neuronscope.index.plan import CONTEXT, Batch
from neuronscope.index.tops import NOTHING, Peaks, Tops, pack, unpack


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
    counts = batch.kept[..., None]
    d = torch.where(counts, values - centre, 0)
    sketch.index_add_(0, batch.buckets.reshape(-1), (d * batch.signs[..., None]).flatten(0, 1))
    power = d
    for number in range(4):
        sums[number] += power.sum((0, 1)).double()
        power = power * d
    sums[4] += torch.where(counts, values.abs(), 0).sum((0, 1)).double()
    positive = counts & (values > 0)
    sums[5] += positive.sum((0, 1))
    if gate is not None:
        opened = gate > 0
        sums[6] += (counts & opened).sum((0, 1))
        sums[7] += (positive & opened).sum((0, 1))
        for case, (sign, side) in enumerate(((1, opened), (-1, opened), (-1, ~opened), (1, ~opened))):
            _raise(values * sign, counts & side & (values * sign > 0), found, case)
    _peaks(values, batch, found)


def _peaks(values: Float[Tensor, "windows tokens neurons"], batch: Batch, found: Peaks) -> None:
    for case, sign in ((-2, 1), (-1, -1)):
        _raise(values * sign, batch.kept[..., None], found, case)


def _raise(values: Float[Tensor, "windows tokens neurons"], counts: Tensor, found: Peaks, case: int) -> None:
    highest = torch.where(counts, values, -math.inf).max(1)
    found.values[case], found.places[case] = highest.values, highest.indices.int()


def strongest(
    values: Float[Tensor, "windows tokens neurons"], batch: Batch, found: Peaks, case: int, top: Tops
) -> None:
    """See `Way.strongest`."""
    reached = found.values[case] > -math.inf
    neurons = (reached & (found.values[case] >= top.threshold)).any(0).nonzero().squeeze(1)
    if not neurons.numel():
        return
    peaks, places = found.values[case, :, neurons].T, found.places[case, :, neurons].T.long()
    fresh = torch.where(reached[:, neurons].T, pack(peaks, batch.base + places), NOTHING)
    contexts = torch.cat([top.contexts[neurons], _around(values, batch.text, neurons, places)], 1)
    keys, order = torch.cat([top.keys[neurons], fresh], 1).topk(top.keys.shape[1], 1)
    top.keys[neurons] = keys
    top.contexts[neurons] = contexts.gather(1, order[..., None].expand(-1, -1, CONTEXT))
    full = keys[:, -1] > NOTHING
    lowest = torch.from_numpy(unpack(keys[full, -1].cpu().numpy())[0]).to(values.device)
    top.threshold[neurons[full]] = torch.maximum(top.threshold[neurons[full]], lowest)


def _around(
    values: Float[Tensor, "windows tokens neurons"],
    text: Bool[Tensor, "windows tokens"],
    neurons: Int64[Tensor, " some"],
    places: Int64[Tensor, "some windows"],
) -> Int8[Tensor, "some windows context"]:
    """Values from `BEFORE` tokens before each place to `AFTER` after it, as shares of the one there in 1/127."""
    at = places[..., None] + torch.arange(-BEFORE, AFTER + 1, device=values.device)
    inside = (at >= 0) & (at < values.shape[1])
    at = at.clamp_(0, values.shape[1] - 1)
    window = torch.arange(len(values), device=values.device)[:, None]
    found = values[window, at, neurons[:, None, None]]
    peak = found[..., BEFORE, None].abs().clamp(min=1e-30)
    share = (found / peak * 127).round_().clamp_(-127, 127).to(torch.int8)
    return share.masked_fill_(~(inside & text[window, at]), NO_VALUE)


def add_rows(
    values: Float[Tensor, "tokens neurons"],
    places: Int64[Tensor, " n"],
    slots: Int64[Tensor, " n"],
    sums: Float[Tensor, "slots neurons"],
    maxima: Float[Tensor, "slots neurons"] | None,
) -> None:
    """See `Way.add_rows`."""
    picked = values[places]
    sums.index_add_(0, slots, picked)
    if maxima is not None:
        maxima.scatter_reduce_(0, slots[:, None].expand_as(picked), picked, "amax")


def count_rows(
    bins: Int64[Tensor, "tokens neurons"],
    keys: Int64[Tensor, " tokens"],
    values: Float16[Tensor, "tokens neurons"],
    counts: Int32[Tensor, "bins neurons"],
    examples: Int64[Tensor, "bins neurons"],
    shown: Float16[Tensor, "bins neurons"],
) -> None:
    """See `Way.count_rows`."""
    own = keys[:, None].expand_as(bins)
    counts.scatter_add_(0, bins, torch.ones_like(bins, dtype=torch.int32))
    examples.scatter_reduce_(0, bins, own, "amin")
    token, neuron = (examples.gather(0, bins) == own).nonzero(as_tuple=True)
    shown[bins[token, neuron], neuron] = values[token, neuron]


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
    own = half(values[batch.kept])
    if writes:
        base.copy_(own)
    a, b = base.float(), own.float()
    block = torch.from_numpy(blocks).to(a.device)[batch.kept.nonzero()[:, 0]]
    about_a, about_b = a - centres[0], b - centres[1]
    for quantity, summed in enumerate((about_a, about_a**2, about_b, about_b**2, (b - a) ** 2)):
        sums[:, quantity].index_add_(0, block, summed.double())
    _peaks(values, batch, found)
