"""The words print, parse and refuse as they should."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuronscope.errors import NoSuchLayer, NoSuchNeuron, NoSuchSite
from neuronscope.vocabulary import Neuron, Site
from tests.analysis.test_ranking import activations


@given(st.integers(0, 200), st.integers(0, 100_000))
def test_a_neuron_parses_from_what_it_prints(layer: int, index: int) -> None:
    assert Neuron.parse(str(Neuron(layer, index))) == Neuron(layer, index)


def test_neuron_names_are_forgiving_in_case_and_space_only() -> None:
    assert Neuron.parse(" l5.n131 ") == Neuron(5, 131)
    assert str(Neuron(5, 131)) == "L5.N131"
    for wrong in ("", "5.131", "L5", "L-1.N3", "L5.N1.2", "L5.N131x"):
        with pytest.raises(NoSuchNeuron, match="write layer and neuron as"):
            Neuron.parse(wrong)


def test_sites_are_found_by_name() -> None:
    assert Site.of("gate") is Site.GATE
    with pytest.raises(NoSuchSite, match="No site 'mlp': the sites are neurons, gate, up, residual, attention"):
        Site.of("mlp")


def test_activations_and_tokens_print_as_one_line() -> None:
    some = activations(np.arange(24).reshape(2, 3, 4))
    some = replace(some, tokens=replace(some.tokens, text="two\nlines " + "and more " * 9))
    said = "'two\\nlines and more and more and more an…'"
    assert repr(some) == f"Activations(neurons: 2 layers × 3 tokens × 4 units, m, {said})"
    assert repr(some.tokens) == f"Tokens(3 of {said})"


def test_activations_go_by_true_layer_numbers() -> None:
    some = replace(activations(np.arange(24).reshape(2, 3, 4)), layers=(3, 7))
    assert some.layer(7).tolist() == some.values[1].tolist()
    assert some.neuron(Neuron(3, 2)).tolist() == [2, 6, 10]
    with pytest.raises(NoSuchLayer, match="No layer 0 in these activations of m: they hold 3, 7"):
        some.layer(0)
    with pytest.raises(NoSuchNeuron, match="neurons 0 to 3"):
        some.neuron(Neuron(7, 4))
    with pytest.raises(NoSuchSite, match="belong to the attention site"):
        some.head_norms()
