"""A few neurons, in windows of which the index knows that they excite them, or where one token stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Integer

from neuronscope.analysis.polysemanticity import FIRING, RECORD, Contexts, Polysemanticity, strong_contexts
from neuronscope.errors import InputError
from neuronscope.survey.contexts import (
    Around,
    context_keys,
    far_enough,
    fill,
    halves_of,
    mean_input,
    occurrences,
    without,
)
from neuronscope.vocabulary import Neuron

if TYPE_CHECKING:
    from neuronscope.index.read_corpus import ReadCorpus
    from neuronscope.indexed import Index
    from neuronscope.models.loading import Lend


_WINDOWS = 64
"""Windows that are read for one neuron."""


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

    far_enough(index)
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
        around = Around.of(index.store.inputs[layer])
        for i in here:
            (neuron, sign), own, record = asked[i], known[i], records[i : i + 1]
            record["layer"], record["neuron"], record["of_index"] = layer, neuron.index, True
            record["sign"] = -1 if sign == "-" else 1
            rows = x[np.searchsorted(positions, own.positions)]
            values = reading.activations(rows, slice(neuron.index, neuron.index + 1))[:, 0]
            chosen = own.chosen(corpus, values * float(record["sign"][0]))
            at = chosen.places
            where, halves = own.positions[at], halves_of(corpus, own.positions[at])
            pushes = reading.contributions(rows[at], around.centre, neuron.index)
            fill(record, chosen, where, values[at], pushes, around.pushes(reading, neuron.index), halves)
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
    far_enough(index)
    corpus, turned = index.store.corpus, -1 if sign == "-" else 1
    own = occurrences(corpus, token)
    if not len(own):
        raise InputError(f"Token {token} does not occur in this corpus: choose one of those it holds.")
    with lend() as model:
        x = np.zeros((len(own), model.card.width), np.float16)
        reading = Reading.of(model, neuron.layer)
    inputs(lend, corpus, own, {neuron.layer: x})
    values = reading.activations(x, slice(neuron.index, neuron.index + 1))[:, 0]
    peak = index.histogram(neuron).quantile(0.9999 if turned > 0 else 0.0001) * turned
    strength = values * turned if float((values * turned).max()) >= FIRING * peak else np.zeros_like(values)
    chosen = strong_contexts(strength, corpus.window_of(own), firing=0.0, alike=context_keys(corpus, own))
    record, at, around = np.zeros(1, RECORD), chosen.places, Around.of(index.store.inputs[neuron.layer])
    record["layer"], record["neuron"], record["sign"], record["of_index"] = neuron.layer, neuron.index, turned, True
    pushes = without(reading, x[at], around.centre, mean_input(x), neuron.index)
    fill(record, chosen, own[at], values[at], pushes, around.pushes(reading, neuron.index), halves_of(corpus, own[at]))
    return Polysemanticity(record, 0, index.shown, corpus.ids, token)


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
            values * turned, windows, peak=peak, firing=firing, alike=context_keys(corpus, positions)
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
        windows, alike = corpus.window_of(self.positions), context_keys(corpus, self.positions)
        return strong_contexts(strength, windows, peak=self.peak, firing=self.firing, alike=alike)


def _counted(corpus: ReadCorpus, window: int) -> Integer[np.ndarray, " tokens"]:
    """The positions that count in a window."""
    return int(corpus.windows["first"][window]) + np.flatnonzero(corpus.kept(window))
