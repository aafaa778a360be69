"""The planted model keeps its promises: by its rules, by its words, by its decoys."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from neuronscope.demo.planted import (
    CONTEXT,
    FIRING,
    GROUPS,
    NEURONS,
    PLANTED,
    READING_DECOY,
    WORDS,
    WRITING_DECOYS,
    Kind,
    Planted,
    build,
    corpus,
)


@pytest.fixture(scope="module")
def planted() -> Planted:
    return build()


@pytest.fixture(scope="module")
def ids(planted):
    return planted.tokenizer(corpus(texts=128), return_tensors="pt").input_ids


def read(planted, ids, module):
    """What enters (`c_proj`) or leaves (anything else) a module of the only block, read without NeuronScope."""
    seen = {}
    block = planted.network.transformer.h[0]
    hook = {
        "neurons": lambda: block.mlp.c_proj.register_forward_pre_hook(lambda _, given: seen.update(value=given[0])),
        "pre-activation": lambda: block.mlp.c_fc.register_forward_hook(lambda _, __, out: seen.update(value=out)),
        "after the norm": lambda: block.ln_2.register_forward_hook(lambda _, __, out: seen.update(value=out)),
    }[module]()
    with torch.no_grad():
        planted.network(ids)
    hook.remove()
    return seen["value"].numpy()


@pytest.mark.parametrize("neuron", PLANTED, ids=lambda neuron: str(neuron.kind))
def test_a_planted_neuron_fires_exactly_where_its_rule_says(planted, ids, neuron):
    values = read(planted, ids, "neurons")[:, :, neuron.index]
    rule = np.stack([neuron.fires([WORDS[i] for i in text]) for text in ids.tolist()])
    assert np.array_equal(values > FIRING, rule)
    assert rule.any() != (neuron.kind is Kind.DEAD)
    assert rule.all() == (neuron.kind is Kind.ALWAYS)


def test_pre_activations_are_four_where_a_rule_holds_and_well_below_zero_elsewhere(planted, ids):
    values = read(planted, ids, "pre-activation")
    for neuron in PLANTED:
        if neuron.kind in {Kind.WORD, Kind.GROUP, Kind.TWO_SENSES, Kind.THREE_SENSES, Kind.PAIR, Kind.PREVIOUS}:
            rule = np.stack([neuron.fires([WORDS[i] for i in text]) for text in ids.tolist()])
            np.testing.assert_allclose(values[rule, neuron.index], 4.0, atol=1e-4)
            assert values[~rule, neuron.index].max() < -3.0


def test_the_copy_is_half_of_its_twin_before_the_activation_and_the_opposite_is_its_negative(planted, ids):
    values = read(planted, ids, "pre-activation")
    decoy = np.isin(ids.numpy(), WORDS.index(READING_DECOY))  # which only the original reads
    twin, copy, opposite = (values[~decoy][:, i] for i in (0, 7, 9))
    np.testing.assert_allclose(copy, twin / 2, atol=1e-4)
    np.testing.assert_allclose(opposite, -twin, atol=1e-4)


def test_norm_gains_matter_to_what_neurons_read_and_write(planted):
    network, block = planted.network, planted.network.transformer.h[0]
    words, gain = network.lm_head.weight, network.transformer.ln_f.weight
    written = {"folded": (words * gain) @ block.mlp.c_proj.weight.T, "forgotten": words @ block.mlp.c_proj.weight.T}
    read_in = {
        "folded": words @ (block.ln_2.weight[:, None] * block.mlp.c_fc.weight),
        "forgotten": words @ block.mlp.c_fc.weight,
    }
    assert WORDS[read_in["folded"][:, 0].argmax()] == "cat"
    assert WORDS[read_in["forgotten"][:, 0].argmax()] == READING_DECOY
    for index, word, pick in ((0, "milk", torch.argmax), (1, "the", torch.argmin)):
        assert WORDS[pick(written["folded"][:, index])] == word
        assert WORDS[pick(written["forgotten"][:, index])] == WRITING_DECOYS[word]


def test_a_promoted_word_is_what_the_network_then_predicts(planted):
    ids = planted.tokenizer("the cat", return_tensors="pt").input_ids
    with torch.no_grad():
        assert WORDS[planted.network(ids).logits[0, -1].argmax()] == "milk"


def test_every_kind_is_planted_once_and_the_rest_is_noise(planted, ids):
    assert Counter(neuron.kind for neuron in planted.neurons) == Counter(Kind)
    assert [neuron.index for neuron in planted.neurons] == list(range(len(Kind)))
    noise = read(planted, ids, "neurons")[:, :, len(Kind) :]
    assert noise.shape[-1] == NEURONS - len(Kind)
    assert (noise.std(axis=(0, 1)) > 0.01).all()


def test_the_tokenizer_knows_its_64_words_and_begins_every_text(planted):
    assert len(WORDS) == len(set(WORDS)) == len(planted.tokenizer) == 64
    assert all(len(group) == 8 for group in GROUPS.values())
    encoded = planted.tokenizer("the  cat, a zebra.", return_offsets_mapping=True)
    assert planted.tokenizer.convert_ids_to_tokens(encoded.input_ids) == [
        "<start>", "the", "cat", ",", "a", "<unknown>", ".",
    ]  # fmt: skip
    assert encoded.offset_mapping == [(0, 0), (0, 3), (5, 8), (8, 9), (10, 11), (12, 17), (17, 18)]


def test_the_seed_changes_noise_and_gains_but_no_rule(ids):
    first, second = build(seed=0), build(seed=1)
    a, b = read(first, ids, "neurons"), read(second, ids, "neurons")
    planted, noise = slice(0, len(PLANTED)), slice(len(PLANTED), None)
    np.testing.assert_allclose(a[..., planted], b[..., planted], atol=1e-4)
    assert np.abs(a[..., noise] - b[..., noise]).max() > 0.1
    again = build(seed=0)
    assert all(torch.equal(p, q) for p, q in zip(first.network.parameters(), again.network.parameters(), strict=True))


def test_the_corpus_is_reproducible_and_holds_the_pair_often_enough():
    texts = corpus(seed=3)
    assert texts == corpus(seed=3)
    assert texts != corpus(seed=4)
    assert {len(text.split()) for text in texts} == {23}
    assert CONTEXT > 23
    assert sum(text.count("in Rome") for text in texts) > 100
