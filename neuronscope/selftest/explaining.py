"""Claims about what is said of neurons: the words they read and write, and what they add to a prediction."""

from __future__ import annotations

import numpy as np

from neuronscope.selftest.bench import Bench, Check, all_right, close, distance, equal
from neuronscope.selftest.reference import logit_without_neurons, logits
from neuronscope.vocabulary import Neuron


def weights_tell_what_neurons_read(bench: Bench) -> Check:
    """Ask which words excite the neurons whose rules are about the present word; a forgotten gain finds decoys."""
    judged = [neuron for neuron in bench.planted.neurons if neuron.words and neuron.kind != "previous"]
    wrong = set()
    for neuron in judged:
        read = bench.scope.weights(Neuron(0, neuron.index))
        listed = read.reads_least if neuron.kind == "opposite" else read.reads_most
        words = neuron.words[1:] if neuron.kind == "pair" else neuron.words
        if {score.display for score in listed[: len(words)]} != set(words):
            wrong.add(neuron)
    return all_right("The words that weights say a neuron reads are those it fires on", judged, wrong)


def weights_tell_what_neurons_write(bench: Bench) -> Check:
    """Ask which word each writing neuron promotes or suppresses most; a forgotten gain finds decoys."""
    expected, found = [], []
    for neuron in bench.planted.neurons:
        written = bench.scope.weights(Neuron(0, neuron.index))
        if neuron.promotes:
            expected.append(f"+{neuron.promotes}")
            found.append(f"+{written.promotes[0].display}")
        if neuron.suppresses:
            expected.append(f"-{neuron.suppresses}")
            found.append(f"-{written.suppresses[0].display}")
    return equal("Weights tell the words that neurons promote and suppress", ", ".join(expected), ", ".join(found))


def biases_hold_the_norms_share(bench: Bench) -> Check:
    """Compare each planted neuron's bias, the norm's own bias folded in, with the one that was built in."""
    built = {0: -4.0, 1: -4.0, 2: -4.0, 3: -4.0, 4: -12.0, 5: 0.0, 6: -20.0, 7: -2.0, 8: 3.0, 9: 4.0, 10: -4.0}
    found = np.array([bench.scope.weights(Neuron(0, index)).bias for index in built])
    return close(
        "A neuron's bias is the one built in, the norm's bias included", distance(found, list(built.values())), 1e-5
    )


def direct_effects_and_the_rest_make_the_logit(bench: Bench) -> Check:
    """Add to the neurons' direct effects what everything else writes, and compare with the network's own logit."""
    furthest = 0.0
    for scope, network in ((bench.scope, bench.planted.network), (bench.llama_scope, bench.llama)):
        for text in bench.texts[:4]:
            ids = bench.ids(text)
            for position in (1, len(ids) - 1):
                effects = scope.direct_effects(text, position)
                logit = float(logits(network, ids)[position, effects.target.id])
                rest = logit_without_neurons(scope, network, text, position, effects.target.id)
                furthest = max(furthest, abs(logit - effects.logit), abs(rest + float(effects.values.sum()) - logit))
    return close("Direct effects of all neurons, and the rest, add up to the logit", furthest, 1e-4)


def the_promoting_neuron_decides_the_prediction(bench: Bench) -> Check:
    """Ask what comes after a word whose neuron promotes another word, and which neuron says so."""
    effects = bench.scope.direct_effects("the cat", 2)
    layer, index = np.unravel_index(effects.values.argmax(), effects.values.shape)
    found = f"{effects.target.display} by {Neuron(int(layer), int(index))}"
    return equal("After “the cat” the neuron of “cat” makes “milk” the prediction", "milk by L0.N0", found)
