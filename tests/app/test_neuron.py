"""The Neuron view: one neuron on a text, and its weights."""

import json
from dataclasses import replace

import numpy as np
import pytest
from dash import html

from neuronscope.app import neuron_head, neuron_text, neuron_weights
from neuronscope.app.neuron_asking import chosen
from neuronscope.app.selection import Selection
from neuronscope.errors import NoSuchNeuron
from neuronscope.scope import Workspace
from neuronscope.settings import Settings
from neuronscope.vocabulary import Neuron, Site
from tests.app.test_parts import boxes, props, walk
from tests.models_for_tests import gpt2, llama, tokenizer

WORDS = "the cat sat on the mat and a dog ran"


@pytest.fixture(scope="module", params=[gpt2, llama], ids=["gpt2", "llama"])
def scope(request, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    workspace = Workspace(Settings(home / "cache", home / "data", offline=True))
    yield workspace.attach(request.param(), tokenizer(), "small")
    workspace.close()


def strings(part):
    return [piece for piece in walk(part) if isinstance(piece, str)]


def test_without_a_choice_the_layers_strongest_neuron_is_shown(scope):
    read = scope.activations(WORDS)
    assert chosen(read, Selection(layer=2), scope.card) == Neuron(
        2, int(np.abs(read.layer(2)[read.tokens.kept]).max(0).argmax())
    )
    assert chosen(read, Selection(layer=0, neuron=3), scope.card) == Neuron(0, 3)
    with pytest.raises(NoSuchNeuron):
        chosen(read, Selection(layer=0, neuron=999), scope.card)


def test_the_head_tells_what_the_neuron_does_on_this_text(scope):
    read = scope.activations(WORDS)
    values = read.neuron(Neuron(1, 4))[read.tokens.kept]
    words = strings(neuron_head.head(scope.card, read, Neuron(1, 4)))
    assert "L1.N4" in words
    assert f"{values.max():.3g}".replace("-", "−") in words
    assert f"{(values > 0).mean():.0%} of {len(values)}" in words


def test_the_neighbours_of_the_first_and_last_neuron_go_round(scope):
    last = scope.card.neurons - 1
    steps = [json.loads(props(box)["data-go"]) for box in boxes(neuron_head.walk(scope.card, Neuron(0, 0)))]
    assert steps[0] == {"layer": 0, "neuron": last}
    assert steps[1] == {"layer": 0, "neuron": 1}
    assert steps[2] == {"layer": 0, "neuron": 0}
    assert steps[3] == {"layer": 1, "neuron": 0}
    keys = [props(box)["data-key"] for box in boxes(neuron_head.walk(scope.card, Neuron(0, 0)))]
    assert keys == ["ArrowLeft", "ArrowRight", "ArrowDown", "ArrowUp", "r"]


def test_a_random_neuron_is_one_the_model_has(scope):
    for _ in range(20):
        there = json.loads(props(boxes(neuron_head.walk(scope.card, Neuron(0, 0)))[-1])["data-go"])
        scope.card.check(Neuron(there["layer"], there["neuron"]))


def test_the_histogram_counts_the_tokens_that_count_and_marks_the_locked_one(scope):
    read = scope.activations(WORDS)
    figure = neuron_text.distribution(read, Neuron(1, 4), 3, "light")
    assert sum(figure.data[0].y) == read.tokens.kept.sum()
    assert figure.layout.shapes[0].x0 == pytest.approx(float(read.neuron(Neuron(1, 4))[3]))


def test_the_strip_moves_the_marker_of_the_histogram(scope):
    made = neuron_text.strip(scope.activations(WORDS), Neuron(1, 4), Selection(), "a-plot")
    strip = next(part for part in walk(made) if getattr(part, "className", "") == "strip")
    assert props(strip)["data-marks"] == "a-plot"


@pytest.fixture
def two(scope):
    return [scope.workspace.attach(gpt2(seed=seed), tokenizer(), f"seed {seed}") for seed in (1, 2)]


def test_a_neuron_is_seen_in_two_models_and_in_their_difference(two):
    read, neuron = [one.activations(WORDS) for one in two], Neuron(1, 4)
    made = neuron_text.beside(read, neuron, Selection(against="seed 2", position=2, side="b"))
    rows = [[props(box) for box in boxes(part)] for part in walk(made) if getattr(part, "className", "") == "lettered"]
    a, b, apart = ([float(token["data-value"]) for token in row] for row in rows)
    np.testing.assert_allclose(a, read[0].neuron(neuron), rtol=1e-5)
    np.testing.assert_allclose(b, read[1].neuron(neuron), rtol=1e-5)
    np.testing.assert_allclose(apart, np.subtract(b, a), atol=1e-5)
    assert [row[2]["aria-pressed"] for row in rows] == ["false", "true", "true"]
    assert [json.loads(row[3]["data-go"]) for row in rows] == [{"position": 3, "side": "a"}, *[{"position": 3}] * 2]


def test_tokens_without_a_counterpart_have_no_difference(two):
    read = [two[0].activations(WORDS), two[1].activations(f"{WORDS} the")]
    made = neuron_text.beside(read, Neuron(1, 4), Selection(against="seed 2"))
    *_, last = boxes(made)
    assert float(props(last)["data-value"]) == 0
    assert "1 token of B without a counterpart: no difference" in strings(made)


def test_the_weights_say_that_they_are_not_behaviour_and_show_the_gate_where_there_is_one(scope):
    found = scope.weights(Neuron(1, 4), 5)
    words = strings(neuron_weights.weights(found))
    assert "The direct path only, not behaviour." in words
    assert ("Gate reads" in words) == scope.card.gated
    assert found.promotes[0].display in words
    assert found.reads_least[0].display in words


def test_what_a_neuron_is_made_of_multiplies_to_it(scope):
    sites = [Site.GATE, Site.UP] if scope.card.gated else [Site.UP]
    read = [scope.activations(WORDS, site=site) for site in sites]
    made = neuron_text.inputs(read, Neuron(1, 4), None)
    strips = [part for part in walk(made) if getattr(part, "className", "") == "strip"]
    assert len(strips) == len(sites)
    shown = [float(props(box)["data-value"]) for box in boxes(strips[-1])]
    np.testing.assert_allclose(shown, read[-1].neuron(Neuron(1, 4)), rtol=1e-4, atol=1e-6)


def test_the_neurons_alike_open_themselves_and_say_what_chance_would_give(scope):
    ways = neuron_weights.ways(scope.card)
    assert ways == (("read", "gate", "write") if scope.card.gated else ("read", "write"))
    found = {by: scope.alike(Neuron(1, 4), by, 5) for by in ways}
    made = html.Div(neuron_weights.alike(scope.card, found))
    opened = [json.loads(props(box)["data-go"]) for box in boxes(made)]
    assert opened == [
        {"view": "neuron", "layer": other.layer, "neuron": other.index} for by in ways for other, _ in found[by]
    ]
    chance = np.sqrt(2 * np.log(3 * scope.card.neurons) / 16)
    assert any(word.endswith(f"the nearest would have ±{chance:.2f}") for word in strings(made))


def test_a_neuron_without_weights_has_none_alike(scope):
    assert "Its own are all 0." in strings(html.Div(neuron_weights.alike(scope.card, {"write": []})))


def test_only_of_a_large_model_neurons_alike_are_to_be_asked_for(scope):
    assert not neuron_weights.is_much(scope.card)
    large = replace(scope.card, layers=32, neurons=11_008, width=4096)
    assert neuron_weights.is_much(large)
    assert "352,256 others" in neuron_weights.not_yet(large).children
