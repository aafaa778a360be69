"""Claims about a corpus that was read once: its moments and contexts, and what a reverse query finds in it."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from neuronscope.demo.planted import Kind, PlantedNeuron
from neuronscope.indexed import Index
from neuronscope.selftest.bench import Bench, Check, all_right, close, distance, equal
from neuronscope.selftest.reference import module_outputs
from neuronscope.vocabulary import Neuron

_LISTED = 20


def moments_of_an_index_are_those_of_every_activation(bench: Bench) -> Check:
    """Work the moments and extremes of all neurons out again from every activation, in float64."""
    furthest = 0.0
    for index, truth in _both(bench):
        every = truth[:, 1:].reshape(-1, truth.shape[-1])
        mean, std = every.mean(0), every.std(0)
        varies = std > 1e-6
        z = (every - mean)[:, varies] / std[varies]
        expected = [mean[varies], std[varies], every.min(0)[varies], every.max(0)[varies], (z**3).mean(0)]
        expected.append((z**4).mean(0) - 3)
        table = index.statistics()[varies]
        for name, values in zip(("mean", "std", "min", "max", "skewness", "kurtosis"), expected, strict=True):
            furthest = max(furthest, distance(table[name], values))
    return close("The moments in an index are those of all activations kept", furthest, 1e-5)


def strongest_contexts_are_the_strongest_of_all(bench: Bench) -> Check:
    """Look for each neuron's strongest token of each text, of either sign, among all activations."""
    furthest = 0.0
    for index, truth in _both(bench):
        for row in range(truth.shape[-1]):
            for sign, turned in (("+", 1.0), ("-", -1.0)):
                values = truth[:, 1:, row] * turned
                found = index.examples(index.neuron(row), _LISTED, sign)
                expected = np.sort(values.max(1))[::-1][:_LISTED]
                listed = [one.value * turned for one in found]
                there = [values[divmod(one.position, values.shape[1])] for one in found]
                scale = max(1.0, float(np.abs(values).max()))
                furthest = max(furthest, _furthest(listed, expected) / scale, _furthest(listed, there) / scale)
    return close("The strongest contexts in an index are the strongest there are, each where it says", furthest, 1e-5)


def reverse_queries_find_what_was_planted(bench: Bench) -> Check:
    """Ask what excites each neuron that was built to fire on words; the pair and the word before as patterns."""
    index = bench.index
    expected = {Kind.PAIR: ["in Rome"], Kind.PREVIOUS: ["with *"]}
    judged = [neuron for neuron in bench.planted.neurons if neuron.words]
    wrong: set[PlantedNeuron] = set()
    for neuron in judged:
        sign = "-" if neuron.kind is Kind.OPPOSITE else "+"
        wanted = expected.get(neuron.kind, list(neuron.words))
        found = bench.scope.reverse_query(index, Neuron(0, neuron.index), sign=sign, n=(1, 2), skips=True)
        lengths = {len(words.split()) for words in wanted}
        rows = [row for row, n in zip(found.table["ngram"], found.table["n"], strict=True) if n in lengths]
        first = found.table["ngram"][: len(wanted)].tolist() if neuron.kind in expected else rows[: len(wanted)]
        if set(first) != set(wanted):
            wrong.add(neuron)
    return all_right("Reverse queries find the planted words, pair and skip pattern in their first rows", judged, wrong)


def a_dead_neuron_is_said_to_be_dead(bench: Bench) -> Check:
    """See that of the neuron that never fires nothing is said but that."""
    [dead] = [Neuron(0, neuron.index) for neuron in bench.planted.neurons if neuron.kind is Kind.DEAD]
    row = bench.index.statistics().iloc[dead.index]
    patterns = sum(len(bench.index.reverse_query(dead, sign=sign).table) for sign in "+-")
    found = f"fires on {float(row['frequency']):.0%}, {patterns} patterns, kurtosis {float(row['kurtosis'])}"
    return equal("A dead neuron is said to be dead", "fires on 0%, 0 patterns, kurtosis nan", found)


def _both(bench: Bench) -> list[tuple[Index, Float[np.ndarray, "texts tokens units"]]]:
    """Both models' indexes, and all their activations as transformers computes them."""
    models = (
        (bench.index, bench.planted.network, "mlp.c_proj"),
        (bench.llama_index, bench.llama, "mlp.down_proj"),
    )
    return [(index, _everything(bench, network, entering)) for index, network, entering in models]


def _everything(bench: Bench, network: object, entering: str) -> Float[np.ndarray, "texts tokens units"]:
    every = [module_outputs(network, bench.ids(text), entering, inputs=True) for text in bench.texts]
    return np.stack([np.concatenate(list(values), axis=-1) for values in every]).astype(np.float64)


def _furthest(found: list[float], truth: object) -> float:
    """The largest difference; infinite where there are not as many."""
    a, b = np.asarray(found, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    return float(np.abs(a - b).max()) if a.shape == b.shape and len(a) else float("inf")
