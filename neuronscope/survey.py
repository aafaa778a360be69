"""Surveys of polysemanticity: the senses of many neurons, for which a model reads part of its corpus again.

A whole layer is read over windows drawn at random; a few neurons are looked at in windows of which the index knows that
they excite them, which takes a second instead of minutes and sees less: of the windows that an index has kept, most are
those with the strongest tokens. The table says which of the two each row comes from.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Float16, Integer

from neuronscope.analysis.polysemanticity import (
    FIRING,
    RECORD,
    SEPARATIONS,
    VERDICTS,
    Contexts,
    Elsewhere,
    Polysemanticity,
    Senses,
    elsewhere,
    senses,
    strong_contexts,
)
from neuronscope.errors import InputError
from neuronscope.index import derived
from neuronscope.index.plan import hashes
from neuronscope.jobs import track
from neuronscope.vocabulary import Neuron

if TYPE_CHECKING:
    from neuronscope.engine.contributions import Reading
    from neuronscope.index.read_corpus import ReadCorpus
    from neuronscope.index.store import Store
    from neuronscope.indexed import Index
    from neuronscope.models.loading import Lend

TOKENS = 131_072
"""Tokens of the corpus that a layer is read over."""
_KIND, _SAMPLED = "polysemanticity", "inputs"
_HELD_BYTES = 2 << 30
"""Disk for the inputs of the layers that are read in one pass."""
_TOGETHER = 256
"""Neurons whose activations are worked out at once."""
_ALIKE = 8
"""Contexts whose tokens up to the peak agree this far back are one."""
_LEAST_SAMPLED = 64
"""Sampled tokens by which contexts can be compared while an index grows."""
_WINDOWS = 64
"""Windows that are read for one neuron."""
_OCCURRENCES = 600
"""Occurrences of a token that are read."""
_ROUNDING = 0.02
"""What is left of the push on a token is its own rounding below this share of it."""
_STRETCH = 16
"""Windows that follow each other and go into the same half of the corpus."""


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
        _far_enough(index)
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


def of_neurons(lend: Lend, index: Index, asked: Sequence[tuple[Neuron, str]]) -> Polysemanticity:
    """Look at single neurons, each with a sign, in windows of which the index knows that they excite it.

    These windows are read whole: the index has kept the strongest token of each, which alone would hide senses that
    fire a little weaker.

    Raises:
        NoSuchNeuron: if there is no such neuron.
        InputError: if the index has only been begun.
        Cancelled: between batches.
    """
    from neuronscope.engine.contributions import Reading
    from neuronscope.index.measure import inputs

    _far_enough(index)
    corpus = index.store.corpus
    known = [_Known.of(index, neuron, sign) for neuron, sign in asked]
    records = np.zeros(len(asked), RECORD)
    for layer in sorted({neuron.layer for neuron, _sign in asked}):
        here = [i for i, (neuron, _) in enumerate(asked) if neuron.layer == layer]
        positions = np.unique(np.concatenate([known[i].positions for i in here])).astype(np.int64)
        with lend() as model:
            x = np.zeros((len(positions), model.card.width), np.float16)
            reading = Reading.of(model, layer)
        inputs(lend, corpus, positions, {layer: x})
        around = _Around.of(index.store.inputs[layer])
        for i in here:
            (neuron, sign), own, record = asked[i], known[i], records[i : i + 1]
            record["layer"], record["neuron"], record["of_index"] = layer, neuron.index, True
            record["sign"] = -1 if sign == "-" else 1
            rows = x[np.searchsorted(positions, own.positions)]
            values = reading.activations(rows, slice(neuron.index, neuron.index + 1))[:, 0]
            chosen = own.chosen(corpus, values * float(record["sign"][0]))
            at = chosen.places
            where, halves = own.positions[at], _halves(corpus, own.positions[at])
            pushes = reading.contributions(rows[at], around.centre, neuron.index)
            _fill(record, chosen, where, values[at], pushes, around.pushes(reading, neuron.index), halves)
    return Polysemanticity(records, 0, index.shown, corpus.ids)


def of_token(lend: Lend, index: Index, neuron: Neuron, token: int, sign: str = "+") -> Polysemanticity:
    """How many ways a neuron has to fire on one token: what all occurrences of the token share is taken out first.

    A neuron that reads a word answers to it in all its uses, for the word itself is most of what pushes it there. About
    the mean input of the token's occurrences, only what else pushes it is left. Strong is an occurrence from a quarter
    of the strongest on; a neuron for which not even that one is strong elsewhere "never fires" on the token. Where
    next to nothing is left, all occurrences are one use.

    Raises:
        NoSuchNeuron: if there is no such neuron.
        InputError: if the token does not occur among those that count, or the index has only been begun.
        Cancelled: between batches.
    """
    from neuronscope.engine.contributions import Reading
    from neuronscope.index.measure import inputs

    index.row(neuron)
    _far_enough(index)
    corpus, turned = index.store.corpus, -1 if sign == "-" else 1
    own = _occurrences(corpus, token)
    if not len(own):
        raise InputError(f"Token {token} does not occur in this corpus: choose one of those it holds.")
    with lend() as model:
        x = np.zeros((len(own), model.card.width), np.float16)
        reading = Reading.of(model, neuron.layer)
    inputs(lend, corpus, own, {neuron.layer: x})
    values = reading.activations(x, slice(neuron.index, neuron.index + 1))[:, 0]
    peak = index.histogram(neuron).quantile(0.9999 if turned > 0 else 0.0001) * turned
    strength = values * turned if float((values * turned).max()) >= FIRING * peak else np.zeros_like(values)
    chosen = strong_contexts(strength, corpus.window_of(own), firing=0.0, alike=_context_keys(corpus, own))
    record, at, around = np.zeros(1, RECORD), chosen.places, _Around.of(index.store.inputs[neuron.layer])
    record["layer"], record["neuron"], record["sign"], record["of_index"] = neuron.layer, neuron.index, turned, True
    pushes = _left(reading, x[at], around.centre, _mean(x), neuron.index)
    _fill(record, chosen, own[at], values[at], pushes, around.pushes(reading, neuron.index), _halves(corpus, own[at]))
    return Polysemanticity(record, 0, index.shown, corpus.ids, token)


def of_another(there: Lend, index: Index, record: np.void, token: int | None = None) -> Elsewhere:
    """What another model does in the contexts that were compared of a neuron; `record` is that of its senses.

    `token` is the one on whose occurrences the senses were found, see `of_token`.

    Raises:
        InputError: if its contexts were not compared.
        Cancelled: between batches.
    """
    from neuronscope.engine.contributions import Reading
    from neuronscope.index.measure import inputs

    layer, neuron, sign = int(record["layer"]), int(record["neuron"]), float(record["sign"])
    if VERDICTS[record["verdict"]] != "scored":
        raise InputError(f"{Neuron(layer, neuron)} has no senses to compare: {VERDICTS[record['verdict']]}.")
    corpus, n = index.store.corpus, int(record["contexts"])
    around = _Around.of(_inputs_there(there, index, layer))
    own = record["positions"][:n].astype(np.int64)
    occurring = own[:0] if token is None else _occurrences(corpus, token)
    with there() as model:
        x = np.zeros((n + len(occurring), model.card.width), np.float16)
        reading = Reading.of(model, layer)
    inputs(there, corpus, np.concatenate([own, occurring]), {layer: x})
    word = around.centre if token is None else _mean(x[n:])
    return elsewhere(
        here=record["values"][:n] * sign,
        there=reading.activations(x[:n], slice(neuron, neuron + 1))[:, 0] * sign,
        contributions=_left(reading, x[:n], around.centre, word, neuron),
        background=around.pushes(reading, neuron),
        labels=record["labels"][:n],
        halves=_halves(corpus, own),
    )


def _inputs_there(lend: Lend, index: Index, layer: int) -> Float16[np.ndarray, "sample width"]:
    """What another model's MLP reads on the sampled tokens, as `Store.inputs` has it of the index' own.

    They stand in as many windows, which takes a while to run: it is kept beside the index, for this layer and those
    before it, which pass on the way.
    """
    from neuronscope.index.measure import inputs

    store = index.store
    with lend() as model:
        card = model.card
    asked = {"revision": card.revision, "precision": card.precision}
    found = derived.known(store.folder, store.manifest, _SAMPLED, {**asked, "layer": layer})
    if found is not None:
        return found["inputs"]
    into = {one: np.zeros((len(store.sampled), card.width), np.float16) for one in range(layer + 1)}
    inputs(lend, store.corpus, store.sampled, into)
    for one, read in into.items():
        derived.keep(store.folder, store.manifest, _SAMPLED, {**asked, "layer": one}, {"inputs": read})
    return into[layer]


@dataclass(frozen=True, eq=False)
class _Around:
    """What arbitrary tokens bring to a layer's MLP, which says how alike they are to a neuron."""

    inputs: Float[np.ndarray, "sample width"]
    centre: Float[np.ndarray, " width"]

    @classmethod
    def of(cls, sample: Float16[np.ndarray, "sample width"]) -> _Around:
        """The sampled tokens, and their mean."""
        return cls(np.asarray(sample, np.float32), _mean(sample))

    def pushes(self, reading: Reading, neuron: int) -> Float[np.ndarray, "sample width"]:
        """Their contributions to one neuron."""
        return reading.contributions(self.inputs, self.centre, neuron)


@dataclass(frozen=True, eq=False)
class _Known:
    """The windows in which a neuron is looked at, or why it is not."""

    refused: Contexts | None
    positions: Integer[np.ndarray, " tokens"]
    peak: float
    firing: float

    @classmethod
    def of(cls, index: Index, neuron: Neuron, sign: str) -> _Known:
        """By what the index has kept, with the peak and the share of strong tokens by its histogram."""
        turned, corpus, histogram = -1 if sign == "-" else 1, index.store.corpus, index.histogram(neuron)
        positions, values = index.seen(neuron, sign)
        peak = histogram.quantile(0.9999 if turned > 0 else 0.0001) * turned
        above = histogram.above(FIRING * peak * turned)
        firing = above if turned > 0 else 1 - above
        windows = corpus.window_of(positions)
        found = strong_contexts(
            values * turned, windows, peak=peak, firing=firing, alike=_context_keys(corpus, positions)
        )
        if found.verdict != "scored":
            return cls(found, np.zeros(0, np.int64), peak, firing)
        spread = np.unique(np.linspace(0, len(found.places) - 1, min(_WINDOWS, len(found.places))).astype(np.int64))
        own = windows[found.places[spread]]
        return cls(None, np.concatenate([_counted(corpus, int(window)) for window in np.sort(own)]), peak, firing)

    def chosen(self, corpus: ReadCorpus, strength: Float[np.ndarray, " tokens"]) -> Contexts:
        """The contexts to compare, by what the neuron does on every token of its windows."""
        if self.refused is not None:
            return Contexts(self.refused.verdict, np.zeros(0, np.int64), self.refused.strong)
        windows, alike = corpus.window_of(self.positions), _context_keys(corpus, self.positions)
        return strong_contexts(strength, windows, peak=self.peak, firing=self.firing, alike=alike)


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
        alike = _context_keys(corpus, positions)
        return cls(corpus, positions, window[inside], _halves(corpus, positions), alike)

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
        around = _Around.of(sample)
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
                _fill(record, chosen, self.positions[at], values[at], pushes, arbitrary, self.halves[at])
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


def _fill(
    record: np.ndarray,
    chosen: Contexts,
    positions: Integer[np.ndarray, " contexts"],
    values: Float[np.ndarray, " contexts"],
    contributions: Float[np.ndarray, "contexts width"],
    background: Float[np.ndarray, "background width"],
    halves: Bool[np.ndarray, " contexts"],
) -> None:
    """Write down what was found of one neuron."""
    n = len(positions)
    record["verdict"], record["strong"] = VERDICTS.index(chosen.verdict), chosen.strong
    record["contexts"] = n if chosen.verdict == "scored" else 0
    record["half_a"] = record["half_b"] = record["separations"] = np.nan
    if chosen.verdict != "scored":
        return
    found = senses(contributions, np.abs(values), background, halves)
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


def _left(
    reading: Reading,
    x: Float[np.ndarray, "contexts width"],
    centre: Float[np.ndarray, " width"],
    word: Float[np.ndarray, " width"],
    neuron: int,
) -> Float[np.ndarray, "contexts width"]:
    """What pushes a neuron about a token's mean input; about that of arbitrary tokens where next to nothing is left."""
    whole, left = (reading.contributions(x, about, neuron) for about in (centre, word))
    return left if np.linalg.norm(left) >= _ROUNDING * np.linalg.norm(whole) else whole


def _occurrences(corpus: ReadCorpus, token: int) -> Integer[np.ndarray, " drawn"]:
    """Where a token stands and counts: at most `_OCCURRENCES`, one of a window, drawn at random (seed 0)."""
    shuffled = np.random.default_rng(0).permutation(np.flatnonzero((np.asarray(corpus.ids) == token) & corpus.counted))
    _windows, first = np.unique(corpus.window_of(shuffled), return_index=True)
    return np.sort(shuffled[np.sort(first)[:_OCCURRENCES]])


def _far_enough(index: Index) -> None:
    """Raise `InputError` if a growing index has not seen enough tokens to say how alike arbitrary ones are."""
    m, sampled = index.manifest, len(index.store.sampled)
    if not m.complete and sampled < _LEAST_SAMPLED:
        raise InputError(
            f"This index has seen {m.seen:,} of {m.tokens:,} tokens and {sampled} of those it samples; how alike "
            f"arbitrary tokens are to a neuron takes {_LEAST_SAMPLED}. Wait until it has seen more."
        )


def _mean(inputs: Float[np.ndarray, "tokens width"]) -> Float[np.ndarray, " width"]:
    return np.asarray(inputs.mean(0, dtype=np.float64), np.float32)


def _counted(corpus: ReadCorpus, window: int) -> Integer[np.ndarray, " tokens"]:
    """The positions that count in a window."""
    return int(corpus.windows["first"][window]) + np.flatnonzero(corpus.kept(window))


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


def _kept(store: Store, layer: int, tokens: int) -> dict[str, np.ndarray] | None:
    return derived.known(store.folder, store.manifest, _KIND, {"layer": layer, "tokens": tokens})


def _together(index: Index, kept: Iterable[Mapping[str, np.ndarray] | None]) -> Polysemanticity:
    parts = [found for found in kept if found is not None]
    records = np.concatenate([found["records"] for found in parts]) if parts else np.zeros(0, RECORD)
    tokens = int(parts[0]["tokens"]) if parts else 0
    return Polysemanticity(records, tokens, index.shown, index.store.corpus.ids)
