"""Shards → engine → accumulators: what one pass over a shard of a corpus leaves behind.

The model is borrowed for one batch at a time, so that a page stays usable while its corpus is read. Torch works in the
number of threads that the index was begun with, wherever a shard is scanned: then the result is the same bit by bit.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from neuronscope.engine.capture import Place, See, evaluating, run
from neuronscope.index.accumulators import Accumulator
from neuronscope.index.half import half
from neuronscope.index.layout import Cases
from neuronscope.index.plan import Batch, Plan
from neuronscope.index.state import State
from neuronscope.models.loading import Lend
from neuronscope.vocabulary import ModelCard, Site

_ALONG_TOKENS = ("sums", "maxima", "sample", "sketch")
"""Arrays of a state whose neurons are along the second axis."""
COURTESY = 0.0005
"""Seconds between two batches in which whoever waits for the model gets it."""


def scales(lend: Lend, plan: Plan) -> list[float]:
    """For each layer the power of two nearest the size of its activations in the first batch: the histogram's unit."""
    batch = next(plan.batches(0))

    with lend() as model, evaluating(model.network):
        found = [1.0] * model.card.layers

        def see(_site: Place, layer: int) -> See:
            def measure(values: Tensor) -> None:
                rms = float(values[batch.kept.to(values.device)].double().square().mean().sqrt())
                found[layer] = float(2.0 ** round(np.log2(rms))) if 0 < rms < np.inf else 1.0

            return measure

        run(model, batch.ids, batch.real, (Site.NEURONS,), range(model.card.layers), see)
    return found


def scan_shard(
    lend: Lend,
    card: ModelCard,
    plan: Plan,
    shard: int,
    scales: list[float],
    floors: Float[np.ndarray, "cases neurons"] | None = None,
    seen: Callable[[int], None] = lambda _tokens: None,
) -> State:
    """Run every window of a shard and return what was accumulated; each layer of each batch is a checkpoint.

    `seen` is told after every batch how many of its tokens counted.
    `floors` are values (times their case's sign) below which no context can enter the lists of the whole index: looking
    for contexts is then cheap, and merging gives the same result as without.
    """
    cases = Cases.of(card.gated)
    if floors is None:
        floors = np.full((len(cases.names), card.layers * card.neurons), -np.inf, dtype=np.float32)
    layers = _Layers(card, cases, plan, shard, scales, floors)
    sites: tuple[Place, ...] = ("input", Site.GATE, Site.NEURONS) if card.gated else ("input", Site.NEURONS)
    for batch in plan.batches(shard):
        layers.begin(batch)
        with lend() as model, evaluating(model.network):
            run(model, batch.ids, batch.real, sites, range(card.layers), layers.see)
        seen(batch.count)
        time.sleep(COURTESY)
    return layers.state()


class _Layers:
    """The accumulators of all layers over one shard."""

    def __init__(
        self,
        card: ModelCard,
        cases: Cases,
        plan: Plan,
        shard: int,
        scales: list[float],
        floors: Float[np.ndarray, "cases neurons"],
    ) -> None:
        self._card, self._plan, self._scales = card, plan, scales
        self._floors = torch.from_numpy(np.ascontiguousarray(floors)).view(len(cases.names), card.layers, card.neurons)
        self._rows = plan.sampled_in(shard)
        self._inputs = np.zeros((len(plan.sampled), card.layers, card.width), dtype=np.float16)
        self._slots = np.zeros(len(plan.tabulated), dtype=np.int64)
        self._accumulators: dict[int, Accumulator] = {}
        self._gates: dict[int, Tensor] = {}
        self._batches: dict[torch.device, Batch] = {}

    def begin(self, batch: Batch) -> None:
        """What is seen from now on is of this batch."""
        self._batches = {torch.device("cpu"): batch}
        self._slots += np.bincount(batch.slots.numpy(), minlength=len(self._slots))

    def see(self, site: Place, layer: int) -> See:
        """What to do with the values of a layer."""

        def sample(inputs: Tensor) -> None:
            batch = self._on(inputs.device)
            if batch.sampled.numel():
                rows = self._rows[batch.sample_rows.cpu().numpy()]
                self._inputs[rows, layer] = half(inputs.reshape(-1, inputs.shape[-1])[batch.sampled]).cpu().numpy()

        def keep(gate: Tensor) -> None:
            self._gates[layer] = gate.float()

        def accumulate(values: Tensor) -> None:
            batch = self._on(values.device)
            self._of(layer, values.device).see(values.float(), self._gates.pop(layer, None), batch)

        if site == "input":
            return sample
        return keep if site is Site.GATE else accumulate

    def _on(self, device: torch.device) -> Batch:
        """The batch on the device that a layer is on."""
        if device not in self._batches:
            self._batches[device] = self._batches[torch.device("cpu")].to(device)
        return self._batches[device]

    def _of(self, layer: int, device: torch.device) -> Accumulator:
        if layer not in self._accumulators:
            self._accumulators[layer] = Accumulator(
                self._card.neurons,
                scale=self._scales[layer],
                slots=len(self._slots),
                samples=len(self._rows),
                floors=self._floors[:, layer].to(device),
            )
        return self._accumulators[layer]

    def state(self) -> State:
        """All layers together, their neurons one after the other."""
        layers = [self._accumulators[layer] for layer in range(self._card.layers)]
        parts = [accumulator.arrays() for accumulator in layers]
        joined = {
            name: np.concatenate([part[name] for part in parts], axis=1 if name in _ALONG_TOKENS else 0)
            for name in parts[0]
        }
        sample = np.zeros((len(self._plan.sampled), joined["sample"].shape[1]), dtype=np.float16)
        sample[self._rows] = joined["sample"]
        joined |= {"sample": sample, "inputs": self._inputs, "slot_counts": self._slots}
        joined["signs"] = layers[0].signs.double().cpu().numpy()
        return State(layers[0].seen, layers[0].apart_seen, joined)


@contextlib.contextmanager
def threads(number: int) -> Iterator[None]:
    """Let torch work in this number of threads within this context."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
