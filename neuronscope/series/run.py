"""Measuring a drift: the base once, then one checkpoint after the other beside it, each kept as soon as it has run.

Beside the base one more model is in memory at a time. A checkpoint that is missing, damaged or of another kind loses
only itself. Asked again, the work goes on with the first checkpoint that is not done.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np
from jaxtyping import Float

from neuronscope import npy
from neuronscope.analysis import drift as measures
from neuronscope.errors import ModelError, NotOfSeries
from neuronscope.index.encoding import Encoder, cuts_alike
from neuronscope.index.plan import Plan
from neuronscope.index.scan import threads
from neuronscope.jobs import counter, track
from neuronscope.models.copies import in_other_numbers
from neuronscope.models.loading import Lend
from neuronscope.series import store, weights
from neuronscope.series.beginning import Probing, begun
from neuronscope.series.finding import Candidate
from neuronscope.series.passing import KERNEL, MATCHED, Passed, Probe, Summed, run_base, run_beside, run_part
from neuronscope.series.store import BASE, CONTROL, LAYER, RECORD, Checkpoint, Manifest
from neuronscope.vocabulary import ModelCard

FLOOR_TOKENS = 4096
"""Tokens over which the noise floor is measured."""

Borrow = Callable[[str], AbstractContextManager[Lend]]
"""How to get at a checkpoint by name: a context in which it is in memory."""


def measure(
    lend: Lend,
    borrow: Borrow,
    card: ModelCard,
    candidates: Sequence[Candidate],
    control: Candidate | None,
    folder: Path,
    probing: Probing,
) -> None:
    """Measure how far checkpoints drifted from the base into `folder`, or go on with what was begun there.

    Raises:
        DriftProblem: if the folder holds something else, or another process works in it.
        FileError: if a text cannot be read or the disk is full; checkpoints that are done are kept.
        NotOfSeries, ModelError: if no checkpoint at all can be compared; the first problem.
        Cancelled: at any layer of any batch; checkpoints that are done are kept.
    """
    with store.working(folder) as work:
        manifest, plan = begun(lend, card, candidates, control, folder, probing)
        if manifest.complete:
            return
        work.mkdir(exist_ok=True)
        with threads(manifest.threads):
            manifest = _Series(lend, borrow, card, folder, work, plan).run(manifest)
        shutil.rmtree(work, ignore_errors=True)
    if not any(one.done for one in manifest.checkpoints if one.place not in (BASE, CONTROL)):
        raise NotOfSeries(next(one.problem for one in manifest.checkpoints if one.problem))


class _Series:
    """A base and what is compared with it."""

    def __init__(self, lend: Lend, borrow: Borrow, card: ModelCard, folder: Path, work: Path, plan: Plan) -> None:
        self._lend, self._borrow, self._card = lend, borrow, card
        self._folder, self._work, self._probe = folder, work, Probe(plan)

    def run(self, manifest: Manifest) -> Manifest:
        """Run everything that is left."""
        if manifest.checkpoints[0].done and not self._ready.exists():
            manifest = self._looked_over(manifest)
        if not manifest.complete:
            manifest = self._base(manifest)
        for one in manifest.checkpoints:
            if not (one.done or one.problem):
                manifest = manifest.with_(self._checkpoint(one))
                store.write_manifest(self._folder, manifest)
        return manifest

    @property
    def _ready(self) -> Path:
        """The mark that what the base leaves for the others is whole."""
        return self._work / "ready"

    def _looked_over(self, manifest: Manifest) -> Manifest:
        """What is wrong with checkpoints that could not run before: for those alone the base need not run again."""
        for one in manifest.checkpoints:
            if not one.done:
                try:
                    with self._examined(one):
                        pass
                except (ModelError, NotOfSeries) as problem:
                    manifest = manifest.with_(replace(one, problem=str(problem)))
        store.write_manifest(self._folder, manifest)
        return manifest

    def _base(self, manifest: Manifest) -> Manifest:
        """Run the base, unless what it leaves for the others is still there, and measure the noise floor."""
        if self._ready.exists():
            return manifest
        one = manifest.checkpoints[0]
        with (self._work / "activations.f16").open("wb") as stream:
            passed = run_base(self._lend, self._probe, stream, counter(self._probe.tokens, f"Running {one.label}"))
        np.savez(self._work / "base.npz", centres=passed.centres)
        neurons = self._card.neurons
        for layer in track(range(self._card.layers), label="Keeping what the base is compared by, layer"):
            with self._lend() as model:
                weights.keep(model, layer, self._work)
            own = passed.sample[layer * neurons : (layer + 1) * neurons, :KERNEL]
            kernels = {"neurons": measures.kernel(own.T), "residual": measures.kernel(passed.residual[layer])}
            np.savez(self._work / f"kernels-{layer:03d}.npz", **kernels)  # type: ignore[arg-type]
        floor, said = self._floor(passed)
        np.save(self._work / "floor.npy", floor)
        np.save(self._folder / "sampled.npy", self._probe.sampled.astype(np.uint32))
        table, layers = self._of_base(passed)
        store.write(self._folder, BASE, _arrays(passed, table, layers))
        loss, _ = _mean_loss(passed.loss, None)
        manifest = replace(manifest.with_(replace(one, done=True, loss=loss)), floor=said)
        store.write_manifest(self._folder, manifest)
        self._ready.touch()
        return manifest

    def _of_base(self, passed: Passed) -> tuple[np.ndarray, np.ndarray]:
        units = passed.sums.shape[2]
        table, layers = np.zeros(units, RECORD), np.ones(self._card.layers, LAYER)
        found = measures.whole(passed.counts, passed.sums)
        table["mean"], table["sd"] = passed.mean, found.sd_b
        for name in ("jaccard", "overlap", "cosines", "correlation", "own", "matched"):
            table[name] = 1
        table["partner"] = np.arange(units) % self._card.neurons
        table["alive"] = _alive(passed, found, self._card.gated)
        return table, layers

    def _floor(self, base: Passed) -> tuple[Float[np.ndarray, " units"], dict[str, object]]:
        """The drift of the base against itself in other numbers, over part of the corpus."""
        probe = Probe(self._probe.plan, FLOOR_TOKENS)
        again = Probe(self._probe.plan, 1)
        with self._stream() as stream:
            said: dict[str, object] = {"recomputed": _largest(run_part(self._lend, again, stream, base.centres))}
        with in_other_numbers(self._lend) as other:
            if other is None:
                return np.zeros(base.sums.shape[2], np.float32), said
            lend, against = other
            with self._stream() as stream:
                label = f"Measuring the noise floor against {against}"
                passed = run_part(lend, probe, stream, base.centres, counter(probe.tokens, label))
        if len(passed.counts) < 4:
            return np.zeros(base.sums.shape[2], np.float32), said
        floor = measures.floor(passed.counts, passed.sums)
        said |= {"against": against, "tokens": int(passed.counts.sum()), "rate": floor.rate}
        return floor.bound, said | {"median": float(np.median(floor.bound))}

    @contextmanager
    def _stream(self) -> Iterator[IO[bytes]]:
        with (self._work / "activations.f16").open("rb") as stream:
            yield stream

    @contextmanager
    def _examined(self, one: Checkpoint) -> Iterator[tuple[Lend, ModelCard]]:
        """A checkpoint in memory; raises `ModelError` or `NotOfSeries` if it cannot be compared with the base."""
        with self._borrow(one.name) as lend:
            with lend() as model:
                card = model.card
                self._belongs(card, Encoder(model.tokenizer), one.name)
            yield lend, card

    def _checkpoint(self, one: Checkpoint) -> Checkpoint:
        """Run one checkpoint; what is wrong with it is written down, and costs nothing else."""
        try:
            with self._examined(one) as (lend, card):
                with self._stream() as stream:
                    seen = counter(self._probe.tokens, f"Running {one.label}")
                    base = npy.read_all(self._work / "base.npz")
                    passed = run_beside(lend, self._probe, stream, base["centres"], seen)
                moved = []
                for layer in track(range(card.layers), label=f"Comparing the weights of {one.label}, layer"):
                    with lend() as model:
                        moved.append(weights.moved(model, layer, self._work))
        except (ModelError, NotOfSeries) as problem:
            return replace(one, problem=str(problem))
        table, layers = self._compared(passed, moved)
        if one.place == CONTROL:
            np.savez(self._work / "control.npz", counts=passed.counts, sums=passed.sums)
        store.write(self._folder, one.place, _arrays(passed, table, layers))
        loss, error = _mean_loss(passed.loss, store.read(self._folder / BASE, "loss"))
        return replace(one, done=True, revision=card.revision, loss=loss, loss_error=error)

    def _belongs(self, card: ModelCard, encoder: Encoder, name: str) -> None:
        """Raise `NotOfSeries` unless the checkpoint has the base's neurons and reads the corpus as the same tokens."""
        for field, differs in _SHAPE:
            mine, theirs = getattr(self._card, field), getattr(card, field)
            if mine != theirs:
                raise NotOfSeries(f"{name} is no checkpoint of {self._card.label}: {differs.format(theirs, mine)}.")
        if not cuts_alike(encoder, self._probe.plan.corpus):
            raise NotOfSeries(
                f"{name} cannot be compared with {self._card.label} token by token: its tokenizer cuts the probe "
                "corpus into other tokens."
            )

    def _compared(self, passed: Passed, moved: Sequence[weights.Moved]) -> tuple[np.ndarray, np.ndarray]:
        """The records of every neuron and of every layer."""
        neurons, folder = self._card.neurons, self._folder / BASE
        found = measures.whole(passed.counts, passed.sums)
        table, layers = np.zeros(passed.sums.shape[2], RECORD), np.zeros(self._card.layers, LAYER)
        for name in ("drift", "location", "scale", "selectivity", "correlation"):
            table[name] = getattr(found, name)
        table["mean"], table["sd"], table["moved"] = passed.mean, found.sd_b, found.moved
        self._against_noise(table, passed)
        ids = store.read(folder, "token_ids")
        for side in (0, 1):
            table["jaccard"][:, side] = measures.jaccard(ids[:, side], passed.token_ids[:, side])
            table["overlap"][:, side] = measures.rank_biased_overlap(ids[:, side], passed.token_ids[:, side])
        table["weights"] = np.concatenate([one.weights for one in moved])
        table["cosines"] = np.concatenate([one.cosines for one in moved])
        table["bias"] = np.concatenate([one.bias for one in moved])
        table["alive"] = _alive(passed, found, self._card.gated)
        sample = store.read(folder, "sample")
        for layer in track(range(self._card.layers), label="Comparing distributions, layer"):
            own = slice(layer * neurons, (layer + 1) * neurons)
            a, b = sample[own], passed.sample[own]
            table["divergence"][own], table["transport"][own] = measures.distances(a, b)
            matching = measures.match(a[:, :MATCHED], b[:, :MATCHED])
            table["partner"][own] = matching.partner
            table["own"][own], table["matched"][own] = matching.own, matching.matched
            base = npy.read_all(self._work / f"kernels-{layer:03d}.npz")
            cka = measures.alignment(base["neurons"], measures.kernel(b[:, :KERNEL].T))
            stream = measures.alignment(base["residual"], measures.kernel(passed.residual[layer]))
            layers[layer] = (cka, stream, matching.itself)
        return table, layers

    def _against_noise(self, table: np.ndarray, passed: Passed) -> None:
        """The interval of each neuron's drift, whether it is above the floor, and how far above the control's."""
        draws = measures.drawn(passed.counts, passed.sums)
        table["low"], table["high"] = measures.interval(draws)
        table["floor"] = npy.read(self._work / "floor.npy")
        table["above"] = table["low"] > table["floor"]
        table["control"] = table["excess"] = table["excess_low"] = np.nan
        if (self._work / "control.npz").exists():
            control = npy.read_all(self._work / "control.npz")
            table["control"] = measures.whole(control["counts"], control["sums"]).drift
            table["excess"] = table["drift"] - table["control"]
            table["excess_low"] = measures.interval(draws - measures.drawn(control["counts"], control["sums"]))[0]


_SHAPE = (
    ("architecture", "it is a {} and the base a {}"),
    ("layers", "it has {:,} layers and the base {:,}"),
    ("neurons", "it has {:,} neurons a layer and the base {:,}"),
    ("width", "its residual stream is {:,} wide and the base's {:,}"),
    ("precision", "it is held in {} and the base in {}"),
)
"""What a checkpoint shares with its base, and how a difference is said."""


def _arrays(passed: Passed, table: np.ndarray, layers: np.ndarray) -> dict[str, np.ndarray]:
    names = ("sample", "context_values", "context_positions", "contexts", "token_ids", "token_means", "loss")
    return {"table": table, "layers": layers} | {name: getattr(passed, name) for name in names}


def _alive(passed: Passed, found: measures.Parts, gated: bool) -> np.ndarray:
    """Neurons that vary, by more than sums can tell, and in a plain MLP fire: have a strongest context above zero."""
    varies = found.sd_b > 1e-6 * np.maximum(np.abs(passed.mean) + np.abs(found.moved), 1e-30)
    return varies if gated else varies & (passed.context_values[:, 0, 0] > 0)


def _largest(passed: Summed) -> float:
    """The root mean squared difference of the neuron that differs most."""
    return float(np.sqrt(passed.sums[:, 4].sum(0) / passed.counts.sum()).max())


def _mean_loss(
    loss: Float[np.ndarray, " sample"], base: Float[np.ndarray, " sample"] | None
) -> tuple[float | None, float | None]:
    """The mean over the sampled tokens that have a next one, and the standard error of its difference to the base."""
    known = np.isfinite(loss)
    if not known.any():
        return None, None
    mean = float(loss[known].mean(dtype=np.float64))
    if base is None:
        return mean, None
    return mean, float((loss[known] - base[known]).std(dtype=np.float64) / np.sqrt(known.sum()))
