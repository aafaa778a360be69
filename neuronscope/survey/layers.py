"""Whole layers, read over windows drawn at random; what was found is kept beside the index."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Float16, Integer

from neuronscope.analysis.polysemanticity import RECORD, Polysemanticity, strong_contexts
from neuronscope.index import derived
from neuronscope.jobs import track
from neuronscope.survey.contexts import Around, context_keys, far_enough, fill, halves_of
from neuronscope.vocabulary import Neuron

if TYPE_CHECKING:
    from neuronscope.engine.contributions import Reading
    from neuronscope.index.read_corpus import ReadCorpus
    from neuronscope.index.store import Store
    from neuronscope.indexed import Index
    from neuronscope.models.loading import Lend


TOKENS = 131_072
"""Tokens of the corpus that a layer is read over."""
_KIND = "polysemanticity"
_HELD_BYTES = 2 << 30
"""Disk for the inputs of the layers that are read in one pass."""
_TOGETHER = 256
"""Neurons whose activations are worked out at once."""


def of_layers(lend: Lend, index: Index, layers: Sequence[int], *, tokens: int = TOKENS) -> Polysemanticity:
    """Look at every neuron of some layers, over windows drawn at random; layers that were looked at before are read.

    Raises:
        NoSuchLayer: for a layer that the index does not have.
        InputError: if the index has only been begun.
        Cancelled: between batches, and every few neurons; layers that are finished are kept.
    """
    store, m = index.store, index.manifest
    for layer in layers:
        index.row(Neuron(layer, 0))
    kept = {layer: _kept(store, layer, tokens) for layer in layers}
    missing = [layer for layer in layers if kept[layer] is None]
    if missing:
        far_enough(index)
        read = _Read.of(store.corpus, tokens)
        for group in _groups(missing, len(read.positions), lend):
            with _Inputs(lend, read.corpus, group, read.positions) as inputs:
                for layer in group:
                    records = read.look(lend, inputs[layer], layer, (1, -1) if m.gated else (1,), store.inputs[layer])
                    found = {"records": records, "tokens": np.array(len(read.positions))}
                    derived.keep(store.folder, m, _KIND, {"layer": layer, "tokens": tokens}, found)
                    kept[layer] = found
    return _together(index, kept.values())


def surveyed(index: Index, layers: Sequence[int] | None = None, *, tokens: int = TOKENS) -> Polysemanticity:
    """What was found of the layers that were looked at before, without a model; empty if none was."""
    wanted = range(index.manifest.layers) if layers is None else layers
    return _together(index, [_kept(index.store, layer, tokens) for layer in wanted])


@dataclass(frozen=True, eq=False)
class _Read:
    """The part of a corpus that layers are read over."""

    corpus: ReadCorpus
    positions: Integer[np.ndarray, " tokens"]
    windows: Integer[np.ndarray, " tokens"]
    halves: Bool[np.ndarray, " tokens"]
    alike: Integer[np.ndarray, " tokens"]

    @classmethod
    def of(cls, corpus: ReadCorpus, tokens: int) -> _Read:
        """Windows drawn at random (seed 0) until they hold so many tokens that count."""
        counted = np.flatnonzero(corpus.counted)
        window = corpus.window_of(counted)
        order = np.random.default_rng(0).permutation(len(corpus.windows))
        sizes = np.bincount(window, minlength=len(order))[order]
        enough = int(np.searchsorted(np.cumsum(sizes), tokens)) + 1
        inside = np.isin(window, order[:enough])
        positions = counted[inside]
        alike = context_keys(corpus, positions)
        return cls(corpus, positions, window[inside], halves_of(corpus, positions), alike)

    def look(
        self,
        lend: Lend,
        x: Float[np.ndarray, "tokens width"],
        layer: int,
        signs: Sequence[int],
        sample: Float16[np.ndarray, "sample width"],
    ) -> np.ndarray:
        """The records of all neurons of a layer, which reads `x` on these tokens and `sample` on the sampled ones."""
        from neuronscope.engine.contributions import Reading

        with lend() as model:
            neurons = model.card.neurons
            reading = Reading.of(model, layer)
        around = Around.of(sample)
        records = np.zeros(neurons * len(signs), RECORD)
        records["layer"] = layer
        row = 0
        for neuron, values in track(_each(reading, x, neurons), label=f"Layer {layer}, neuron", total=neurons):
            for sign in signs:
                record = records[row : row + 1]
                record["neuron"], record["sign"] = neuron, sign
                chosen = strong_contexts(values * sign, self.windows, alike=self.alike)
                at = chosen.places
                pushes, arbitrary = reading.contributions(x[at], around.centre, neuron), around.pushes(reading, neuron)
                fill(record, chosen, self.positions[at], values[at], pushes, arbitrary, self.halves[at])
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


def _groups(layers: Sequence[int], tokens: int, lend: Lend) -> Iterator[list[int]]:
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


def _kept(store: Store, layer: int, tokens: int) -> dict[str, np.ndarray] | None:
    return derived.known(store.folder, store.manifest, _KIND, {"layer": layer, "tokens": tokens})


def _together(index: Index, kept: Iterable[Mapping[str, np.ndarray] | None]) -> Polysemanticity:
    parts = [found for found in kept if found is not None]
    records = np.concatenate([found["records"] for found in parts]) if parts else np.zeros(0, RECORD)
    tokens = int(parts[0]["tokens"]) if parts else 0
    return Polysemanticity(records, tokens, index.shown, index.store.corpus.ids)
