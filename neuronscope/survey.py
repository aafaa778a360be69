"""Surveys of polysemanticity: the senses of many neurons, for which a model reads part of its corpus again.

A whole layer is read over windows drawn at random; a few neurons are looked at in the contexts that the index has kept
of them, which takes a second instead of minutes and sees less: an index keeps the strongest contexts and one for each
height of activation. The table says which of the two each row comes from.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Integer

from neuronscope.analysis.polysemanticity import (
    BACKGROUND,
    RECORD,
    SEPARATIONS,
    VERDICTS,
    Contexts,
    Polysemanticity,
    Senses,
    senses,
    strong_contexts,
)
from neuronscope.index import derived
from neuronscope.index.plan import hashes
from neuronscope.jobs import track
from neuronscope.vocabulary import Neuron

if TYPE_CHECKING:
    from neuronscope.engine.contributions import Reading
    from neuronscope.index.read_corpus import ReadCorpus
    from neuronscope.index.scan import Lend
    from neuronscope.index.store import Store

TOKENS = 131_072
"""Tokens of the corpus that a layer is read over."""
_KIND = "polysemanticity"
_HELD_BYTES = 2 << 30
"""Disk for the inputs of the layers that are read in one pass."""
_TOGETHER = 256
"""Neurons whose activations are worked out at once."""
_ALIKE = 8
"""Contexts whose tokens up to the peak agree this far back are one."""
_STRETCH = 16
"""Windows that follow each other and go into the same half of the corpus."""


def of_layers(lend: Lend, store: Store, layers: Sequence[int], *, tokens: int = TOKENS) -> Polysemanticity:
    """Look at every neuron of some layers, over windows drawn at random; layers that were looked at before are read.

    Raises:
        Cancelled: between batches, and every few neurons; layers that are finished are kept.
    """
    m = store.manifest
    signs = (1, -1) if m.gated else (1,)
    asked = {layer: {"layer": layer, "tokens": tokens} for layer in layers}
    kept = {layer: derived.known(store.folder, m, _KIND, asked[layer]) for layer in layers}
    read = _Read.of(store, tokens)
    for group in _groups([layer for layer in layers if kept[layer] is None], store, len(read.positions), lend):
        with read.inputs(lend, store.corpus, group) as inputs:
            for layer in group:
                found = read.look(lend, inputs[layer], layer, signs)
                derived.keep(store.folder, m, _KIND, asked[layer], {"records": found})
                kept[layer] = {"records": found}
    parts = [held["records"] for held in kept.values() if held is not None]
    records = np.concatenate(parts) if parts else np.zeros(0, RECORD)
    return Polysemanticity(records, len(read.positions), _shown(store.corpus), store.corpus.ids)


def of_neurons(
    lend: Lend, store: Store, asked: Sequence[tuple[Neuron, int, Known]], *, seed: int = 0
) -> Polysemanticity:
    """Look at single neurons, each with a sign and what the index knows of it.

    Raises:
        Cancelled: between batches.
    """
    from neuronscope.engine.contributions import Reading
    from neuronscope.index.measure import inputs

    corpus = store.corpus
    background = _background(corpus, store.sampled)
    chosen = [_contexts_of(corpus, sign, known) for _neuron, sign, known in asked]
    layers = sorted({neuron.layer for neuron, _sign, _known in asked})
    records = np.zeros(len(asked), RECORD)
    for layer in layers:
        here = [i for i, (neuron, _, _) in enumerate(asked) if neuron.layer == layer]
        at = [asked[i][2].positions[chosen[i].places] for i in here]
        positions = np.unique(np.concatenate([background, *at])).astype(np.int64)
        with lend() as model:
            width = model.card.width
            reading = Reading.of(model, layer)
        x = np.zeros((len(positions), width), np.float16)
        inputs(lend, corpus, positions, {layer: x})
        around = x[np.searchsorted(positions, background)].astype(np.float32)
        centre = np.asarray(around.mean(0, dtype=np.float64), np.float32)
        for i, own in zip(here, at, strict=True):
            neuron, sign, known = asked[i]
            record = records[i : i + 1]
            record["layer"], record["neuron"], record["sign"], record["of_index"] = layer, neuron.index, sign, True
            rows = x[np.searchsorted(positions, own)]
            values = np.asarray(known.values[chosen[i].places])
            _fill(record, chosen[i], own, values, rows, around, centre, reading, neuron.index, _halves(corpus, own))
    return Polysemanticity(records, 0, _shown(corpus), corpus.ids)


@dataclass(frozen=True, eq=False)
class Known:
    """What an index knows of one neuron and sign."""

    positions: Integer[np.ndarray, " n"]
    """Positions at which its activation is known."""
    values: Float[np.ndarray, " n"]
    """The activations there."""
    peak: float
    """The 99.99th percentile of its activation times the sign."""
    firing: float
    """The share of the corpus' tokens on which it is at a quarter of that or above."""


@dataclass(frozen=True, eq=False)
class _Read:
    """The part of a corpus that layers are read over."""

    corpus: ReadCorpus
    positions: Integer[np.ndarray, " tokens"]
    windows: Integer[np.ndarray, " tokens"]
    halves: Bool[np.ndarray, " tokens"]
    alike: Integer[np.ndarray, " tokens"]
    background: Integer[np.ndarray, " places"]

    @classmethod
    def of(cls, store: Store, tokens: int) -> _Read:
        """Windows drawn at random (seed 0) until they hold so many tokens that count."""
        corpus = store.corpus
        counted = np.flatnonzero(corpus.counted)
        window = corpus.window_of(counted)
        order = np.random.default_rng(0).permutation(len(corpus.windows))
        sizes = np.bincount(window, minlength=len(order))[order]
        enough = int(np.searchsorted(np.cumsum(sizes), tokens)) + 1
        inside = np.isin(window, order[:enough])
        positions = counted[inside]
        places = np.random.default_rng(1).permutation(len(positions))[:BACKGROUND]
        alike = _context_keys(corpus, positions)
        return cls(corpus, positions, window[inside], _halves(corpus, positions), alike, np.sort(places))

    def inputs(self, lend: Lend, corpus: ReadCorpus, layers: Sequence[int]) -> _Inputs:
        """What enters the MLPs of these layers at all positions, in files that vanish with the context."""
        return _Inputs(lend, corpus, layers, self.positions)

    def look(self, lend: Lend, x: Float[np.ndarray, "tokens width"], layer: int, signs: Sequence[int]) -> np.ndarray:
        """The records of all neurons of a layer."""
        from neuronscope.engine.contributions import Reading

        with lend() as model:
            neurons = model.card.neurons
            reading = Reading.of(model, layer)
        centre = np.asarray(np.mean(x, axis=0, dtype=np.float64), np.float32)
        around = x[self.background].astype(np.float32)
        records = np.zeros(neurons * len(signs), RECORD)
        records["layer"] = layer
        row = 0
        for neuron, values in track(_each(reading, x, neurons), label=f"Layer {layer}, neuron", total=neurons):
            for sign in signs:
                record = records[row : row + 1]
                record["neuron"], record["sign"] = neuron, sign
                chosen = strong_contexts(values * sign, self.windows, alike=self.alike)
                at = chosen.places
                _fill(
                    record, chosen, self.positions[at], values[at], x[at], around, centre, reading, neuron,
                    self.halves[at],
                )  # fmt: skip
                row += 1
        return records


class _Inputs:
    """The inputs of some layers, on disk as long as its context lasts."""

    def __init__(
        self, lend: Lend, corpus: ReadCorpus, layers: Sequence[int], positions: Integer[np.ndarray, " tokens"]
    ) -> None:
        self._lend, self._corpus, self._layers, self._positions = lend, corpus, layers, positions
        self._folder = tempfile.TemporaryDirectory(prefix="neuronscope-")

    def __enter__(self) -> Mapping[int, Float[np.ndarray, "tokens width"]]:
        from neuronscope.index.measure import inputs

        with self._lend() as model:
            shape = (len(self._positions), model.card.width)
        folder = Path(self._folder.name)
        held = {
            layer: np.lib.format.open_memmap(folder / f"{layer}.npy", "w+", np.float16, shape) for layer in self._layers
        }
        try:
            inputs(self._lend, self._corpus, self._positions, held)
        except BaseException:
            self._folder.cleanup()
            raise
        return held

    def __exit__(self, *_problem: object) -> None:
        self._folder.cleanup()


def _groups(layers: Sequence[int], store: Store, tokens: int, lend: Lend) -> Iterator[list[int]]:
    """The layers, as many together as the disk is to hold."""
    with lend() as model:
        each = tokens * model.card.width * 2
    together = max(_HELD_BYTES // max(each, 1), 1)
    for first in range(0, len(layers), together):
        yield list(layers[first : first + together])


def _each(
    reading: Reading, x: Float[np.ndarray, "tokens width"], neurons: int
) -> Iterator[tuple[int, Float[np.ndarray, " tokens"]]]:
    """Every neuron's activations."""
    for first in range(0, neurons, _TOGETHER):
        values = np.ascontiguousarray(reading.activations(x, slice(first, first + _TOGETHER)).T)
        yield from enumerate(values, first)


def _fill(
    record: np.ndarray,
    chosen: Contexts,
    positions: Integer[np.ndarray, " contexts"],
    values: Float[np.ndarray, " contexts"],
    x: Float[np.ndarray, "contexts width"],
    around: Float[np.ndarray, "background width"],
    centre: np.ndarray,
    reading: Reading,
    neuron: int,
    halves: Bool[np.ndarray, " contexts"],
) -> None:
    """Write down what was found of one neuron."""
    n = len(positions)
    record["verdict"], record["strong"] = VERDICTS.index(chosen.verdict), chosen.strong
    record["contexts"] = n if chosen.verdict == "scored" else 0
    record["half_a"] = record["half_b"] = record["separations"] = np.nan
    if chosen.verdict != "scored":
        return
    found = senses(
        reading.contributions(x, centre, neuron), np.abs(values), reading.contributions(around, centre, neuron), halves
    )
    record["effective"], record["modes"] = found.effective, found.modes
    record["half_a"], record["half_b"], record["confirmed"] = found.half_a, found.half_b, found.confirmed
    record["cut"] = found.cut
    record["separations"][0] = _separations(found)
    record["positions"][0, :n], record["values"][0, :n] = positions, values
    record["labels"][0, :n] = np.minimum(found.labels, 255)
    record["points"][0, :n] = found.flat()


def _separations(found: Senses) -> Float[np.ndarray, " senses"]:
    number = min(len(found.shares), SEPARATIONS)
    known = [found.separation(k) for k in range(number)]
    return np.array(known + [np.nan] * (SEPARATIONS - number), np.float32)


def _contexts_of(corpus: ReadCorpus, sign: int, known: Known) -> Contexts:
    """The contexts to compare among those that the index has kept."""
    windows = corpus.window_of(known.positions)
    alike = _context_keys(corpus, known.positions)
    strength = known.values * sign
    return strong_contexts(strength, windows, peak=known.peak, firing=known.firing, alike=alike)


def _background(corpus: ReadCorpus, sampled: Integer[np.ndarray, " sample"]) -> Integer[np.ndarray, " tokens"]:
    """600 tokens, eight of each of some windows: fewer windows to run than 600 single tokens would take."""
    rng = np.random.default_rng(1)
    windows = np.unique(corpus.window_of(sampled.astype(np.int64)))
    found: list[np.ndarray] = []
    for window in rng.permutation(windows):
        first, length = int(corpus.windows["first"][window]), int(corpus.windows["length"][window])
        counted = first + np.flatnonzero(corpus.counted[first : first + length])
        found.append(rng.permutation(counted)[:8])
        if sum(map(len, found)) >= BACKGROUND:
            break
    return np.sort(np.concatenate(found)[:BACKGROUND])


def _halves(corpus: ReadCorpus, positions: Integer[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """Which half of the corpus each position is in: stretches of windows are dealt to the halves by hash."""
    return (hashes(corpus.window_of(positions) // _STRETCH) & 1).astype(bool)


def _context_keys(corpus: ReadCorpus, positions: Integer[np.ndarray, " n"]) -> Integer[np.ndarray, " n"]:
    """A number for the eight tokens up to each position: the same for contexts that say the same."""
    keys = np.zeros(len(positions), np.uint64)
    ids = corpus.ids
    with np.errstate(over="ignore"):
        for back in range(_ALIKE):
            before = np.asarray(ids[np.maximum(positions - back, 0)]).astype(np.uint64)
            keys = keys * np.uint64(0x100000001B3) + before + np.uint64(1)
    return keys.astype(np.int64)


def _shown(corpus: ReadCorpus) -> dict[int, str]:
    return {i: display for i, (_, display) in corpus.shown.items()}
