"""The Neuron view: one neuron on a text, and its weights."""

import json

import numpy as np
import pytest

from neuronscope.app.selection import Selection
from neuronscope.app.views import neuron as view
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
    chosen = view.chosen(read, Selection(layer=2), scope.card)
    assert chosen == Neuron(2, int(np.abs(read.layer(2)[read.tokens.kept]).max(0).argmax()))
    assert view.chosen(read, Selection(layer=0, neuron=3), scope.card) == Neuron(0, 3)
    with pytest.raises(NoSuchNeuron):
        view.chosen(read, Selection(layer=0, neuron=999), scope.card)


def test_the_head_tells_what_the_neuron_does_on_this_text(scope):
    read = scope.activations(WORDS)
    values = read.neuron(Neuron(1, 4))[read.tokens.kept]
    words = strings(view._head(scope.card, read, Neuron(1, 4)))
    assert "L1.N4" in words
    assert f"{values.max():.3g}".replace("-", "−") in words
    assert f"{(values > 0).mean():.0%} of {len(values)}" in words


def test_the_neighbours_of_the_first_and_last_neuron_go_round(scope):
    last = scope.card.neurons - 1
    steps = [json.loads(props(box)["data-go"]) for box in boxes(view._walk(scope.card, Neuron(0, 0)))]
    assert steps[0] == {"layer": 0, "neuron": last}
    assert steps[1] == {"layer": 0, "neuron": 1}
    assert steps[2] == {"layer": 0, "neuron": 0}
    assert steps[3] == {"layer": 1, "neuron": 0}
    keys = [props(box)["data-key"] for box in boxes(view._walk(scope.card, Neuron(0, 0)))]
    assert keys == ["ArrowLeft", "ArrowRight", "ArrowDown", "ArrowUp", "r"]


def test_a_random_neuron_is_one_the_model_has(scope):
    for _ in range(20):
        there = json.loads(props(boxes(view._walk(scope.card, Neuron(0, 0)))[-1])["data-go"])
        scope.card.check(Neuron(there["layer"], there["neuron"]))


def test_the_histogram_counts_the_tokens_that_count_and_marks_the_locked_one(scope):
    read = scope.activations(WORDS)
    figure = view._histogram(read, Neuron(1, 4), 3, "light")
    assert sum(figure.data[0].y) == read.tokens.kept.sum()
    assert figure.layout.shapes[0].x0 == pytest.approx(float(read.neuron(Neuron(1, 4))[3]))


def test_the_strip_moves_the_marker_of_the_histogram(scope):
    made = view._strip(scope.activations(WORDS), Neuron(1, 4), Selection())
    strip = next(part for part in walk(made) if getattr(part, "className", "") == "strip")
    assert props(strip)["data-marks"] == view.Page.HISTOGRAM


def test_the_weights_say_that_they_are_not_behaviour_and_show_the_gate_where_there_is_one(scope):
    found = scope.weights(Neuron(1, 4), 5)
    words = strings(view._weights(found))
    assert "The direct path only, not behaviour." in words
    assert ("Gate reads" in words) == scope.card.gated
    assert found.promotes[0].display in words
    assert found.reads_least[0].display in words


def test_what_a_neuron_is_made_of_multiplies_to_it(scope):
    sites = [Site.GATE, Site.UP] if scope.card.gated else [Site.UP]
    read = [scope.activations(WORDS, site=site) for site in sites]
    made = view._inputs(read, Neuron(1, 4), None)
    strips = [part for part in walk(made) if getattr(part, "className", "") == "strip"]
    assert len(strips) == len(sites)
    shown = [float(props(box)["data-value"]) for box in boxes(strips[-1])]
    np.testing.assert_allclose(shown, read[-1].neuron(Neuron(1, 4)), rtol=1e-4, atol=1e-6)
