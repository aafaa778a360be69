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
from neuronscope.index.accumulators import LARGEST_HALF, Tops, extremes, half, parts_of
from neuronscope.index.plan import Batch


class LayerSums:
    """Sums, and unless they are all that is wanted, strongest contexts, sums of frequent tokens and a sample."""

    def __init__(
        self,
        centre: Float[Tensor, " neurons"] | None,
        *,
        neurons: int,
        blocks: int,
        slots: int,
        sample: int,
        contexts: int,
        known: bool,
        alone: bool,
        device: torch.device,
    ) -> None:
        """`centre` is what sums are taken about: the base's; None in the base itself, which takes it from a batch.

        `known` says that the base's own sums are, and need not be taken again; `alone` that nothing but sums is kept.
        """
        self.centre, self._known, self._alone = centre, known, alone
        self.sums = torch.zeros(blocks, len(QUANTITIES), neurons, dtype=torch.float64, device=device)
        if not alone:
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
        rounded = torch.empty(batch.count, values.shape[-1], dtype=torch.float16, device=values.device)
        at = 0
        for row, start, stop in batch.runs:
            here = slice(at, at + stop - start)
            self._add(values[row, start:stop], rounded[here], None if base is None else base[here], int(blocks[row]))
            at += stop - start
        if not self._alone:
            self._keep(values, batch, *sampled)
        return rounded

    def _keep(
        self,
        values: Float[Tensor, "windows tokens neurons"],
        batch: Batch,
        places: Integer[Tensor, " s"],
        rows: Integer[Tensor, " s"],
    ) -> None:
        """Keep strongest contexts, sums of frequent tokens and what is sampled."""
        windows, tokens, neurons = values.shape
        shape = (windows, parts_of(0, tokens).stop, neurons)
        peaks = [torch.full(shape, -math.inf, device=values.device) for _ in self.tops]
        for row, start, stop in batch.runs:
            part = values[row : row + 1, start:stop]
            for peak, top in zip(peaks, self.tops, strict=True):
                extreme, reached = extremes(part, start, largest=top.sign > 0)[0], peak[row, parts_of(start, stop)]
                torch.maximum(reached, extreme if top.sign > 0 else -extreme, out=reached)
        for top, peak in zip(self.tops, peaks, strict=True):
            top.see(values, None, peak, batch)
        flat = values.reshape(-1, neurons)
        if batch.tabulated.numel():
            self.token_sums.index_add_(0, batch.slots, flat[batch.tabulated])
        self.sample[rows] = half(flat[places])

    def _add(
        self,
        values: Float[Tensor, "tokens neurons"],
        rounded: Float16[Tensor, "tokens neurons"],
        base: Float16[Tensor, "tokens neurons"] | None,
        block: int,
    ) -> None:
        """Round a stretch of tokens, and add it to the sums of its block; without a base, a checkpoint is its own."""
        b = rounded.copy_(values.clamp(-LARGEST_HALF, LARGEST_HALF)).float()
        if self.centre is None:
            self.centre = b.mean(0)
        centre = self.centre
        if base is None:
            self._moments(b, centre, block, 0)
            self.sums[block, 2:4] = self.sums[block, 0:2]
            return
        a = base.float()
        d = b - a
        self.sums[block, 4] += (torch.ones(1, len(d), device=d.device) @ d.mul_(d))[0]
        if not self._known:
            self._moments(a, centre, block, 0)
        self._moments(b, centre, block, 2)

    def _moments(
        self, values: Float[Tensor, "tokens neurons"], centre: Float[Tensor, " neurons"], block: int, first: int
    ) -> None:
        """Add values and their squares about the centre to two of the sums; `values` are no more after that."""
        ones, about = torch.ones(1, len(values), device=values.device), values.sub_(centre)
        self.sums[block, first] += (ones @ about)[0]
        self.sums[block, first + 1] += (ones @ about.mul_(about))[0]

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
