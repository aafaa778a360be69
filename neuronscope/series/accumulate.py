"""What is kept of a layer while one checkpoint runs over the probe corpus, updated inside the forward pass.

Activations are rounded to float16 first, for that is how those of the base wait on disk: the same checkpoint differs
from itself by exactly nothing. That costs an activation at most 1/2,000 of its size, and since the errors have either
sign, D less than 1e-4 over a thousand tokens, and less over more.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float, Float16, Integer
from torch import Tensor

from neuronscope.analysis.drift import QUANTITIES
from neuronscope.index.accumulators import LARGEST_HALF, Tops
from neuronscope.index.plan import Batch


class LayerSums:
    """Sums, strongest contexts, sums of frequent tokens and sampled activations of one layer."""

    def __init__(
        self,
        centre: Float[Tensor, " neurons"] | None,
        *,
        neurons: int,
        blocks: int,
        slots: int,
        sample: int,
        contexts: int,
        device: torch.device,
    ) -> None:
        """`centre` is what sums are taken about: the base's; None in the base itself, which takes it from a batch."""
        self.centre = centre
        self.sums = torch.zeros(blocks, len(QUANTITIES), neurons, dtype=torch.float64, device=device)
        self.token_sums = torch.zeros(slots, neurons, device=device)
        self.sample = torch.zeros(sample, neurons, dtype=torch.float16, device=device)
        floor = torch.full((neurons,), -math.inf, device=device)
        self.tops = [Tops.empty(sign, neurons, floor, contexts) for sign in (1, -1)]

    def see(
        self,
        values: Float[Tensor, "windows tokens neurons"],
        batch: Batch,
        blocks: Integer[np.ndarray, " windows"],
        sampled: tuple[Integer[Tensor, " s"], Integer[Tensor, " s"]],
        base: Float16[Tensor, "kept neurons"] | None,
    ) -> Float16[Tensor, "kept neurons"]:
        """Take in one batch, beside the base's activations on its tokens; return its own, rounded, that count.

        `blocks` says to which block each window belongs, `sampled` which places go to which rows of the sample.
        """
        flat = values.reshape(-1, values.shape[-1])
        rounded = torch.empty(batch.count, flat.shape[1], dtype=torch.float16, device=values.device)
        peaks = [torch.full((len(values), flat.shape[1]), -math.inf, device=values.device) for _ in self.tops]
        at = 0
        for row, start, stop in batch.runs:
            part = values[row, start:stop]
            here = slice(at, at + stop - start)
            rounded[here].copy_(part.clamp(-LARGEST_HALF, LARGEST_HALF))
            self._add(rounded[here], None if base is None else base[here], int(blocks[row]))
            for peak, extreme in zip(peaks, (part.amax(0), -part.amin(0)), strict=True):
                torch.maximum(peak[row], extreme, out=peak[row])
            at += stop - start
        for top, peak in zip(self.tops, peaks, strict=True):
            top.see(values, None, peak, batch)
        if batch.tabulated.numel():
            picked = flat[batch.tabulated]
            self.token_sums.scatter_add_(0, batch.slots[:, None].expand(-1, flat.shape[1]), picked)
        places, rows = sampled
        self.sample[rows] = flat[places].clamp(-LARGEST_HALF, LARGEST_HALF).to(torch.float16)
        return rounded

    def _add(
        self, own: Float16[Tensor, "tokens neurons"], base: Float16[Tensor, "tokens neurons"] | None, block: int
    ) -> None:
        """Add a stretch of tokens to the sums of its block; without a base, a checkpoint is its own."""
        b = own.float()
        if self.centre is None:
            self.centre = b.mean(0)
        ones = torch.ones(1, len(b), device=b.device)
        sums = self.sums[block]
        a = b if base is None else base.float()
        if base is not None:
            d = b - a
            sums[4] += (ones @ d.mul_(d))[0]
        for first, about in ((0, a.sub_(self.centre)), *([] if base is None else [(2, b.sub_(self.centre))])):
            sums[first] += (ones @ about)[0]
            sums[first + 1] += (ones @ about.mul_(about))[0]
        if base is None:
            sums[2:4] = sums[0:2]

    def mean(self, tokens: int) -> Float[np.ndarray, " neurons"]:
        """The checkpoint's own mean activation over `tokens`."""
        assert self.centre is not None, "it has seen a batch"
        return self._about(2, tokens) + self.centre.double().cpu().numpy()

    def variance(self, tokens: int) -> Float[np.ndarray, " neurons"]:
        """The checkpoint's own variance."""
        return np.maximum(self._about(3, tokens) - self._about(2, tokens) ** 2, 0)

    def _about(self, quantity: int, tokens: int) -> Float[np.ndarray, " neurons"]:
        summed: Float[np.ndarray, " neurons"] = self.sums[:, quantity].sum(0).cpu().numpy()
        return summed / tokens
