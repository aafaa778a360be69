"""One checkpoint over the probe corpus: every token once, its neurons beside the base's on the same tokens.

The base's activations wait in one file, in the order in which batches and layers come by, so that they are read as a
stream: memory holds those of one layer and batch, whatever the corpus. The model is borrowed a batch at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import IO

import numpy as np
import torch
from jaxtyping import Float, Float16, Integer
from torch import Tensor

from neuronscope.analysis.drift import NOTHING
from neuronscope.engine.capture import Place, See, evaluating, run
from neuronscope.engine.weights import next_token_losses
from neuronscope.errors import DamagedIndex
from neuronscope.index.half import half
from neuronscope.index.plan import Batch, Plan, hashes
from neuronscope.index.scan import COURTESY
from neuronscope.index.tops import unpack
from neuronscope.models.loading import Lend
from neuronscope.series.accumulate import LayerSums
from neuronscope.shrinkage import posterior_mean, random_effects
from neuronscope.vocabulary import ModelCard, Site

BLOCKS = 32
"""Blocks of windows that are drawn again for intervals."""
SAMPLE = 2048
"""Tokens whose activations are kept, for distributions and the map, and whose next token is predicted."""
KERNEL = 1024
"""The first of them, by which layers are compared."""
MATCHED = 512
"""The first of them, by which neurons are matched."""
CONTEXTS = 10
"""Strongest contexts kept of either sign."""
TOKENS = 20
"""Tokens of highest and of lowest mean kept."""
_PREDICTED = 256
"""Tokens whose next one is predicted at once: few of them would read the whole unembedding each time."""
_TOGETHER = 128
"""Neurons whose tokens are ranked at once: what is worked with in between stays near a core."""


@dataclass(frozen=True, eq=False)
class Summed:
    """Sums over part of a corpus, or all of it; the neurons of all layers stand one after the other."""

    counts: Integer[np.ndarray, " blocks"]
    """Tokens of each block that count."""
    sums: Float[np.ndarray, "blocks quantities units"]
    """`analysis.drift.QUANTITIES`, summed over them; a is the base."""


@dataclass(frozen=True, eq=False)
class Passed(Summed):
    """What one checkpoint left behind."""

    mean: Float[np.ndarray, " units"]
    """The checkpoint's mean activation."""
    sample: Float16[np.ndarray, "units sample"]
    """Its activations on the sampled tokens."""
    context_values: Float[np.ndarray, "units 2 contexts"]
    """The strongest of either side, their sign turned for the negative side; NaN where there is none."""
    context_positions: Integer[np.ndarray, "units 2 contexts"]
    """Where."""
    contexts: Integer[np.ndarray, "units 2 contexts around"]
    """The values around each, as in an index."""
    token_ids: Integer[np.ndarray, "units 2 ranks"]
    """The tokens of highest and of lowest empirical-Bayes mean; `NOTHING` where there are fewer."""
    token_means: Float[np.ndarray, "units 2 ranks"]
    """Their plain means."""
    loss: Float[np.ndarray, " sample"]
    """-log p of the next token in nats; NaN where none follows, or none is predicted."""
    residual: Float16[np.ndarray, "layers kernel width"]
    """The residual stream behind each block on the first sampled tokens."""
    centres: Float[np.ndarray, " units"]
    """What the sums are taken about."""


class Probe:
    """The probe corpus as every checkpoint sees it: the same batches in the same order."""

    def __init__(self, plan: Plan, most: int | None = None) -> None:
        """Of all the plan's tokens; or of as many batches as hold `most`, for their sums alone."""
        self.plan, self.most = plan, most
        self._first = plan.corpus.windows["first"].astype(np.int64)
        self.blocks = min(BLOCKS, len(self._first))
        order = np.random.default_rng(0).permutation(len(self._first))
        self._block = np.empty(len(self._first), np.int64)
        self._block[order] = np.arange(len(self._first)) % self.blocks
        positions = np.flatnonzero(plan.kept)
        self.sampled = positions[np.lexsort((positions, hashes(positions, seed=2)))][:SAMPLE]
        self._place = {int(position): place for place, position in enumerate(self.sampled)}

    @property
    def tokens(self) -> int:
        """About how many tokens are read."""
        counted = int(self.plan.kept.sum())
        return counted if self.most is None else min(self.most, counted)

    def batches(self) -> Iterator[Batch]:
        """The batches, always the same; windows of one token each, of which none counts, make none."""
        seen = 0
        for batch in chain.from_iterable(map(self.plan.batches, range(len(self.plan.shards)))):
            if self.most is not None and seen >= self.most:
                return
            seen += batch.count
            if batch.count:
                yield batch

    def blocks_of(self, batch: Batch) -> Integer[np.ndarray, " windows"]:
        """The block of each window of a batch."""
        first = batch.base.cpu().numpy() + len(self.plan.corpus.lead)
        return self._block[np.searchsorted(self._first, first)]

    def drawn(self, batch: Batch) -> tuple[Integer[Tensor, " n"], Integer[Tensor, " n"]]:
        """The places of a batch that are sampled, and which of `sampled` each is."""
        flat = np.flatnonzero(batch.kept.cpu().numpy())
        rows, columns = np.divmod(flat, batch.kept.shape[1])
        places = [self._place.get(position, -1) for position in (batch.base.cpu().numpy()[rows] + columns).tolist()]
        found = np.array(places, np.int64)
        return torch.from_numpy(flat[found >= 0]), torch.from_numpy(found[found >= 0])


def run_base(lend: Lend, probe: Probe, stream: IO[bytes], seen: Callable[[int], None] = lambda _: None) -> Passed:
    """Run the base and write its activations to `stream`, for the checkpoints to be compared with."""
    return _Run(lend, probe, None, seen).over(stream)


def run_beside(
    lend: Lend,
    probe: Probe,
    stream: IO[bytes],
    centres: Float[np.ndarray, " units"],
    seen: Callable[[int], None] = lambda _: None,
) -> Passed:
    """Run a checkpoint beside the base, whose activations are read from `stream` and whose `centres` are given."""
    return _Run(lend, probe, centres, seen).over(stream)


def run_part(
    lend: Lend,
    probe: Probe,
    stream: IO[bytes],
    centres: Float[np.ndarray, " units"],
    seen: Callable[[int], None] = lambda _: None,
) -> Summed:
    """Run a model over the first batches of a corpus, beside the base, for sums alone."""
    return _Run(lend, probe, centres, seen).part(stream)


class _Run:
    """One pass over the probe corpus."""

    def __init__(
        self,
        lend: Lend,
        probe: Probe,
        centres: Float[np.ndarray, " units"] | None,
        seen: Callable[[int], None],
    ) -> None:
        self._lend, self._probe, self._centres, self._seen = lend, probe, centres, seen
        self._read = np.empty(0, np.float16)
        self._layers: dict[int, LayerSums] = {}
        self._slots = np.zeros(len(probe.plan.tabulated), np.int64)
        self._counts = np.zeros(probe.blocks, np.int64)
        self._leaving: list[tuple[Tensor, Tensor, Tensor]] = []

    def over(self, stream: IO[bytes]) -> Passed:
        """Run every batch; each of its layers is a checkpoint."""
        with self._lend() as model:
            card = model.card
        kernel = min(KERNEL, len(self._probe.sampled))
        residual = np.zeros((card.layers, kernel, card.width), np.float16)
        sites: list[Place] = [Site.NEURONS, Site.RESIDUAL, *(["output"] if card.causal else [])]  # type: ignore[list-item]
        self._read_through(stream, sites, residual)
        return self._passed(card, residual, self._losses())

    def part(self, stream: IO[bytes]) -> Summed:
        """Run every batch for its sums."""
        self._read_through(stream, [Site.NEURONS], np.zeros((0, 0, 0), np.float16))
        return Summed(*self._summed())

    def _read_through(
        self, stream: IO[bytes], sites: list[Place], residual: Float16[np.ndarray, "layers kernel width"]
    ) -> None:
        for batch in self._probe.batches():
            seeing = _Batch(self, batch, stream, residual)
            with self._lend() as model, evaluating(model.network):
                run(model, batch.ids, batch.real, sites, range(model.card.layers), seeing.see)
            self._slots += np.bincount(batch.slots.numpy(), minlength=len(self._slots))
            self._seen(batch.count)
            time.sleep(COURTESY)

    def room(self, size: int) -> Float16[np.ndarray, " size"]:
        """Memory for the base's activations of a layer and batch, the same again and again."""
        if len(self._read) < size:
            self._read = np.empty(size, np.float16)
        return self._read[:size]

    def layer(self, layer: int, neurons: int, device: torch.device) -> LayerSums:
        """What is kept of a layer."""
        if layer not in self._layers:
            own = slice(layer * neurons, (layer + 1) * neurons)
            centre = None if self._centres is None else torch.from_numpy(self._centres[own]).float().to(device)
            self._layers[layer] = LayerSums(
                centre,
                neurons=neurons,
                blocks=self._probe.blocks,
                slots=len(self._slots),
                sample=len(self._probe.sampled),
                contexts=CONTEXTS,
                alone=self._probe.most is not None,
                device=device,
            )
        return self._layers[layer]

    def _losses(self) -> Float[np.ndarray, " sample"]:
        """The loss at the sampled places that have a next token of the text, many at a time."""
        found = np.full(len(self._probe.sampled), np.nan, np.float32)
        if self._leaving:
            rows, leaving, following = map(torch.cat, zip(*self._leaving, strict=True))
            for first in range(0, len(rows), _PREDICTED):
                some = slice(first, first + _PREDICTED)
                with self._lend() as model:
                    found[rows[some].numpy()] = next_token_losses(model, leaving[some], following[some]).numpy()
        return found

    def _passed(
        self,
        card: ModelCard,
        residual: Float16[np.ndarray, "layers kernel width"],
        loss: Float[np.ndarray, " sample"],
    ) -> Passed:
        layers = [self._layers[layer] for layer in range(card.layers)]
        counts, sums = self._summed()
        mean = np.concatenate([layer.mean(int(counts.sum())) for layer in layers])
        tops = [[top.in_order() for top in layer.tops] for layer in layers]
        values, positions = unpack(np.concatenate([np.stack([keys for keys, _ in both], 1) for both in tops]))
        tokens = [self._tokens(layer, counts) for layer in layers]
        return Passed(
            counts=counts,
            sums=sums,
            mean=mean,
            sample=torch.cat([layer.sample.T.cpu() for layer in layers]).numpy(),
            context_values=values,
            context_positions=positions,
            contexts=np.concatenate([np.stack([contexts for _, contexts in both], 1) for both in tops]),
            token_ids=np.concatenate([ids for ids, _ in tokens]),
            token_means=np.concatenate([means for _, means in tokens]),
            loss=loss,
            residual=residual,
            centres=np.concatenate([layer.centres[0] for layer in layers]),
        )

    def _summed(self) -> tuple[Integer[np.ndarray, " blocks"], Float[np.ndarray, "blocks quantities units"]]:
        """Tokens of each block that has any, and their sums."""
        held = self._counts > 0
        sums = [self._layers[layer].sums(self._counts)[held] for layer in sorted(self._layers)]
        return self._counts[held], np.concatenate(sums, axis=2)

    def _tokens(
        self, layer: LayerSums, counts: Integer[np.ndarray, " blocks"]
    ) -> tuple[Integer[np.ndarray, "neurons 2 ranks"], Float[np.ndarray, "neurons 2 ranks"]]:
        """The tokens of highest and of lowest shrunken mean, and their plain means."""
        neurons, total = layer.token_sums.shape[1], int(counts.sum())
        ids = np.full((neurons, 2, TOKENS), NOTHING, np.uint32)
        plain = np.full((neurons, 2, TOKENS), np.nan, np.float32)
        present = np.flatnonzero(self._slots)
        if not len(present):
            return ids, plain
        n, sums = self._slots[present], layer.token_sums.cpu().numpy()
        mean, variance = layer.mean(total), layer.variance(total)
        for first in range(0, neurons, _TOGETHER):
            some = slice(first, first + _TOGETHER)
            means = sums[present, some].astype(np.float64) / n[:, None]
            effects = random_effects(n, means, mean[some], variance[some], total)
            ranked = torch.from_numpy(posterior_mean(effects, n[:, None], means).T.copy())
            for side in (0, 1):
                chosen = ranked.topk(min(TOKENS, len(present)), largest=side == 0).indices.numpy()
                ids[some, side, : chosen.shape[1]] = self._probe.plan.tabulated[present[chosen]]
                plain[some, side, : chosen.shape[1]] = np.take_along_axis(means.T, chosen, 1)
        return ids, plain


class _Batch:
    """What to do with the values of one batch as they pass."""

    def __init__(
        self, pass_: _Run, batch: Batch, stream: IO[bytes], residual: Float16[np.ndarray, "layers kernel width"]
    ) -> None:
        self._run, self._batch, self._stream, self._residual = pass_, batch, stream, residual
        self._blocks = pass_._probe.blocks_of(batch)
        self._places, self._rows = pass_._probe.drawn(batch)
        np.add.at(pass_._counts, self._blocks, batch.kept.sum(1).cpu().numpy())
        self._here: dict[torch.device, Batch] = {batch.ids.device: batch}

    def see(self, site: Place, layer: int) -> See:
        """What to do with the values of a layer."""
        if site == "output":
            return self._predict
        return lambda values: (self._neurons if site is Site.NEURONS else self._stream_of)(values, layer)

    def _neurons(self, values: Float[Tensor, "windows tokens neurons"], layer: int) -> None:
        device, neurons = values.device, values.shape[-1]
        if device not in self._here:
            self._here[device] = self._batch.to(device)
        reads = self._run._centres is not None
        raw = self._run.room(self._batch.count * neurons)
        if reads and self._stream.readinto(raw) != raw.nbytes:  # type: ignore[attr-defined]
            raise DamagedIndex("The base's activations are not as long as they were written. Ask again.")
        base = torch.from_numpy(raw).view(-1, neurons).to(device)
        self._run.layer(layer, neurons, device).see(
            values.float(), self._here[device], self._blocks, (self._places, self._rows), base
        )
        if not reads:
            self._stream.write(base.cpu().numpy().data)

    def _stream_of(self, values: Float[Tensor, "windows tokens width"], layer: int) -> None:
        small = self._rows < self._residual.shape[1]
        picked = values.reshape(-1, values.shape[-1])[self._places[small].to(values.device)]
        self._residual[layer, self._rows[small].numpy()] = half(picked).cpu().numpy()

    def _predict(self, leaving: Float[Tensor, "windows tokens width"]) -> None:
        """Keep what predicts the next token, at the sampled places that have one in the text."""
        width = leaving.shape[1]
        text = self._batch.text.reshape(-1)
        after = self._places + 1
        has = (after % width != 0) & text[after.clamp(max=len(text) - 1)]
        places, rows = self._places[has], self._rows[has]
        if not len(places):
            return
        following = self._batch.ids.reshape(-1)[places + 1]
        flat = leaving.reshape(-1, leaving.shape[-1])[places.to(leaving.device)]
        self._run._leaving.append((rows, flat, following))
