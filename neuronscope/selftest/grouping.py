"""Claims about the atlas: how many senses neurons have, which are alike, and where they stand on a map."""

from __future__ import annotations

import numpy as np

from neuronscope.demo.planted import GROUPS, Kind, PlantedNeuron
from neuronscope.selftest.bench import Bench, Check, all_right, close, distance
from neuronscope.vocabulary import Neuron

_COUNTED = (Kind.WORD, Kind.GROUP, Kind.TWO_SENSES, Kind.THREE_SENSES, Kind.PAIR, Kind.COPY, Kind.PREVIOUS)
"""Rules that read one direction for each thing they answer to; the one for positions reads one for each position."""


def senses_are_as_many_as_were_planted(bench: Bench) -> Check:
    """Count the senses of every neuron that was built to answer to one, two or three things, and read their tokens."""
    found = bench.scope.polysemanticity(bench.long_index)
    judged = [one for one in bench.planted.neurons if one.kind in _COUNTED]
    wrong: set[PlantedNeuron] = set()
    for one in judged:
        record = found.of(Neuron(0, one.index))
        counted = abs(float(record["effective"]) - one.senses) < 0.1 and int(record["modes"]) == one.senses
        tokens = {frozenset(token for token, _ in sense.tokens) for sense in found.senses(Neuron(0, one.index))}
        if not counted or bool(record["confirmed"]) != (one.senses > 1) or not _are(one, tokens):
            wrong.add(one)
    return all_right("Neurons have as many senses as were planted, in both halves of the corpus", judged, wrong)


def silent_and_steady_neurons_are_not_scored(bench: Bench) -> Check:
    """Look at the verdict on neurons that never fire, or nearly always."""
    table = bench.scope.polysemanticity(bench.long_index).table
    verdicts = dict(zip(table["neuron"], table["verdict"], strict=True))
    said = {Kind.DEAD: "never fires", Kind.ALWAYS: "dense", Kind.OPPOSITE: "dense"}
    judged = [one for one in bench.planted.neurons if one.kind in said]
    wrong = {one for one in judged if verdicts[one.index] != said[one.kind]}
    return all_right("No senses are counted where a neuron never fires, or nearly always does", judged, wrong)


def copies_are_alike_and_stand_together(bench: Bench) -> Check:
    """Cluster all neurons, and look for the copy, and on the map, beside its original."""
    index = bench.long_index
    clusters, made = index.clusters(8), index.projection()
    place = {int(row): point for row, point in zip(made.rows, made.points, strict=True)}
    spread = float(np.abs(made.points).max())
    judged = [one for one in bench.planted.neurons if one.kind is Kind.COPY]
    wrong: set[PlantedNeuron] = set()
    for one in judged:
        twin = one.twin or 0
        apart = float(np.abs(place[one.index] - place[twin]).max()) / spread
        if clusters.labels[one.index] != clusters.labels[twin] or clusters.labels[twin] < 0 or apart > 0.05:
            wrong.add(one)
    return all_right("A neuron that copies another is in its cluster, and beside it on the map", judged, wrong)


def correlations_are_those_of_all_activations(bench: Bench) -> Check:
    """Correlate every activation of every pair of neurons, and compare with what the sketches of the index say."""
    index, scope = bench.long_index, bench.scope
    read = [one.values[0, 1:] for one in scope.activations(bench.long_texts)]
    every = np.concatenate(read).astype(np.float64)
    varies = every.std(0) > 1e-6
    truth = np.corrcoef(every[:, varies].T)
    sketch = np.asarray(index.store.sketch, np.float64)[varies]
    off = float(np.sqrt(np.mean((sketch @ sketch.T - truth) ** 2)))
    return close("Correlations by sketch are those of all activations, to their standard error", off, 0.05)


def principal_components_are_exact(bench: Bench) -> Check:
    """Work the map's principal components out again, by singular values in float64."""
    index = bench.long_index
    made = index.projection("pca")
    centred = np.asarray(index.store.sketch[made.rows], np.float64)
    centred = centred - centred.mean(0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    off = distance(np.abs(made.points), np.abs(u[:, :2] * s[:2]))
    explained = distance(made.explained[:2], (s**2 / (s**2).sum())[:2])
    return close("The axes of the map are the principal components", max(off, explained), 1e-5)


def _are(one: PlantedNeuron, tokens: set[frozenset[str]]) -> bool:
    """Whether the senses' tokens are those that were planted, where the rule is about the tokens themselves."""
    if one.kind is Kind.TWO_SENSES:
        return tokens == {frozenset(GROUPS["colours"]), frozenset(GROUPS["food"])}
    if one.kind is Kind.THREE_SENSES:
        return tokens == {frozenset([word]) for word in one.words}
    return one.kind is not Kind.WORD or tokens == {frozenset(one.words)}
