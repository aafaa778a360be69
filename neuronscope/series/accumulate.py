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
from neuronscope.index.accumulators import FIRST
from neuronscope.index.half import half
from neuronscope.index.plan import Batch
from neuronscope.index.tops import Peaks, Tops
from neuronscope.index.ways import way


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
        alone: bool,
        device: torch.device,
    ) -> None:
        """`centre` is what the base's sums are taken about; None in the base itself.

        What a model's own are taken about is the mean of its first tokens: a neuron that stands elsewhere than in the
        base would lose its variance in the rounding. `alone` says that nothing but sums is kept.
        """
        self._base, self._alone, self._way = centre, alone, way(device)
        self._centres: Tensor | None = None
        self._sums = torch.zeros(blocks, len(QUANTITIES), neurons, dtype=torch.float64, device=device)
        if not alone:
            self.token_sums = torch.zeros(slots, neurons, device=device)
            self.sample = torch.zeros(sample, neurons, dtype=torch.float16, device=device)
            floor = torch.full((neurons,), -math.inf, device=device)
            self.tops = [Tops.empty(floor, contexts) for _sign in (1, -1)]

    def see(
        self,
        values: Float[Tensor, "windows tokens neurons"],
        batch: Batch,
        blocks: Integer[np.ndarray, " windows"],
        sampled: tuple[Integer[Tensor, " s"], Integer[Tensor, " s"]],
        base: Float16[Tensor, "kept neurons"],
    ) -> None:
        """Take in one batch beside the base's activations on its tokens; the base itself writes its own there.

        `blocks` says to which block each window belongs, `sampled` which places go to which rows of the sample.
        """
        windows, _, neurons = values.shape
        flat = values.reshape(-1, neurons)
        if self._centres is None:
            own = half(flat[batch.kept.reshape(-1).nonzero()[:FIRST, 0]]).float().mean(0)
            self._centres = torch.stack([own if self._base is None else self._base, own])
        found, writes = Peaks.none(2, windows, neurons, values.device), self._base is None
        self._way.differences(values, base, batch, blocks, self._centres, self._sums, found, writes=writes)
        if self._alone:
            return
        for case, top in enumerate(self.tops):
            self._way.strongest(values, batch, found, case, top)
        if batch.tabulated.numel():
            self._way.add_rows(flat, batch.tabulated, batch.slots, self.token_sums, None)
        places, rows = sampled
        self.sample[rows] = half(flat[places])

    @property
    def centres(self) -> Float[np.ndarray, "2 neurons"]:
        """What sums are taken about: the base's, and the model's own."""
        assert self._centres is not None, "it has seen a batch"
        return self._centres.cpu().numpy()

    def sums(self, counts: Integer[np.ndarray, " blocks"]) -> Float[np.ndarray, "blocks 5 neurons"]:
        """`QUANTITIES`, both models about the base's centre, in blocks of so many tokens."""
        found, tokens = self._sums.cpu().numpy().copy(), counts[:, None]
        base, own = self.centres.astype(np.float64)
        moved = own - base
        found[:, 3] += moved * (2 * found[:, 2] + tokens * moved)
        found[:, 2] += tokens * moved
        return found

    def mean(self, tokens: int) -> Float[np.ndarray, " neurons"]:
        """The model's own mean activation over `tokens`."""
        return self._own(2, tokens) + self.centres[1].astype(np.float64)

    def variance(self, tokens: int) -> Float[np.ndarray, " neurons"]:
        """The model's own variance."""
        return np.maximum(self._own(3, tokens) - self._own(2, tokens) ** 2, 0)

    def _own(self, quantity: int, tokens: int) -> Float[np.ndarray, " neurons"]:
        summed: Float[np.ndarray, " neurons"] = self._sums[:, quantity].sum(0).cpu().numpy()
        return summed / tokens
