"""Claims about what is read while a network runs: neurons, gates, attention, masks, batches, statistics."""

from __future__ import annotations

import numpy as np

from neuronscope.analysis.ranking import rank
from neuronscope.analysis.statistics import layer_statistics
from neuronscope.selftest.bench import Bench, Check, all_right, close, distance, equal
from neuronscope.selftest.reference import load, module_outputs
from neuronscope.vocabulary import Neuron


def planted_neurons_fire_by_their_rules(bench: Bench) -> Check:
    """Hold the activations of each planted neuron against its rule, at every token of 64 texts."""
    from neuronscope.demo.planted import FIRING

    wrong = set()
    for read in bench.scope.activations(bench.texts):
        words = bench.words(read.tokens)
        for neuron in bench.planted.neurons:
            if not np.array_equal(read.neuron(Neuron(0, neuron.index)) > FIRING, neuron.fires(words)):
                wrong.add(neuron)
    return all_right(
        "Planted neurons fire at the tokens their rules name, and at no other", bench.planted.neurons, wrong
    )


def pre_activations_are_as_built(bench: Bench) -> Check:
    """Hold the `up` site against the value that each rule was built to give."""
    built = {"word": 4.0, "group": 4.0, "two senses": 4.0, "three senses": 4.0, "pair": 4.0, "previous": 4.0}
    built |= {"copy": 2.0, "opposite": 4.0, "always": 3.0}
    furthest = 0.0
    for read in bench.scope.activations(bench.texts, site="up"):
        words = bench.words(read.tokens)
        for neuron in bench.planted.neurons:
            if neuron.kind in built:
                values = read.neuron(Neuron(0, neuron.index))[neuron.fires(words)]
                furthest = max([furthest, *np.abs(values - built[neuron.kind]).tolist()])
    return close("Pre-activations of planted neurons have the values that were built in", furthest, 1e-4)


def attention_reads_the_word_before(bench: Bench) -> Check:
    """Hold the attention site against what was built in: the identity of the word before, and nothing else."""
    size = len(bench.planted.tokenizer)
    furthest = 0.0
    for read in bench.scope.activations(bench.texts[:8], site="attention"):
        before = np.concatenate([read.tokens.ids[:1], read.tokens.ids[:-1]])
        furthest = max(furthest, distance(read.values[0], np.eye(read.values.shape[-1])[before]))
    return close(f"The attention site holds the word before, one of {size}", furthest, 1e-3)


def first_token_and_special_ones_do_not_count(bench: Bench) -> Check:
    """See that maxima leave out the first token, although neurons fire there."""
    read = bench.scope.activations("the cat")
    ranking = rank(read.layer(0), read.tokens.kept, rule="peak", count=None)
    found = [str(i) for i in range(len(read.tokens)) if read.tokens.kept[i] or i in ranking.peaks_at]
    return equal("The first token and special ones count in no maximum: tokens that do", "1, 2", ", ".join(found))


def statistics_are_those_of_the_kept_tokens(bench: Bench) -> Check:
    """Work the layer's mean, spread and extremes out again, without the first token."""
    read = bench.scope.activations(bench.texts[0])
    values = read.values[0, 1:].astype(np.float64)
    truth = [values.mean(), values.std(), np.abs(values).mean(), values.min(), values.max()]
    table = layer_statistics(read).table
    found = table.loc[0, ["mean", "std", "mean_abs", "min", "max"]].to_numpy(dtype=np.float64)
    return close("Layer statistics are those of the tokens that count", distance(found, truth), 1e-5)


def texts_are_the_same_alone_and_together(bench: Bench) -> Check:
    """Run texts of unlike length one by one and all at once."""
    lengths = (1, 23, 5, 12, 2, 19)
    texts = [" ".join(text.split()[:n]) for n, text in zip(lengths, bench.texts, strict=False)]
    furthest = 0.0
    for scope in (bench.scope, bench.llama_scope):
        for text, together in zip(texts, scope.activations(texts), strict=True):
            furthest = max(furthest, distance(together.values, scope.activations(text).values))
    return close("A text's activations are the same alone and among longer ones", furthest, 1e-5)


def gate_and_up_are_what_the_projections_give(bench: Bench) -> Check:
    """Read the outputs of the Llama's gate and up projections without NeuronScope."""
    text = bench.texts[1]
    furthest = 0.0
    for site, module in (("gate", "gate_proj"), ("up", "up_proj")):
        truth = module_outputs(bench.llama, bench.ids(text), f"mlp.{module}")
        furthest = max(furthest, distance(bench.llama_scope.activations(text, site=site).values, truth))
    return close("The gate and up sites hold what the gate and up projections give", furthest, 1e-5)


def gated_neurons_are_gate_times_up(bench: Bench) -> Check:
    """Multiply the activated gate with the up projection, and compare with the neurons."""
    text = bench.texts[1]
    gate, up = (
        module_outputs(bench.llama, bench.ids(text), f"mlp.{name}").astype(np.float64)
        for name in ("gate_proj", "up_proj")
    )
    truth = gate / (1 + np.exp(-gate)) * up
    found = bench.llama_scope.activations(text).values
    return close("A gated neuron is silu(gate) × up", distance(found, truth), 1e-5)


def demo_models_are_read_as_transformers_runs_them(bench: Bench) -> Check:
    """Load both demo models a second time without NeuronScope and compare every neuron on a sentence."""
    from neuronscope.models.catalogue import demo_folder

    furthest = 0.0
    for name, entering in (("demo:stories", "mlp.c_proj"), ("demo:stories-llama", "mlp.down_proj")):
        scope = bench.workspace.scope(name, precision="float32", device="cpu")
        read = scope.activations("The capital of France is Paris, and a cat sat on the mat.")
        truth = module_outputs(load(demo_folder(name)), read.tokens.ids.tolist(), entering, inputs=True)
        furthest = max(furthest, distance(read.values, truth))
    return close("Every neuron of the demo models is what transformers computes", furthest, 1e-5)
