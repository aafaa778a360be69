"""The fidelity figure says what the report says, and of what."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuronscope.analysis.fidelity import Comparing
from neuronscope.figures import layer_fidelity
from neuronscope.vocabulary import Source
from tests.figures.texts import activations, array, drawn


@pytest.fixture
def report():
    full = activations(layers=(2, 5, 7), words=9)
    noise = np.random.default_rng(1).normal(size=full.values.shape).astype(np.float32)
    reduced = replace(full, values=full.values + 0.1 * noise, source=Source("tiny", "abc123", "int8"))
    comparing = Comparing()
    comparing.add(full, reduced)
    return comparing.result()


def test_each_layer_has_its_correlation_and_the_spread_of_its_neurons(report):
    spread, together = drawn(layer_fidelity(report))["data"]
    assert array(together["x"]).tolist() == [2, 5, 7]
    assert array(together["y"]) == pytest.approx(report.table["correlation"].to_numpy())
    ends = np.array(array(spread["y"]), dtype=float).reshape(3, 3)[:, :2]
    assert ends == pytest.approx(report.table[["low_neuron", "median_neuron"]].to_numpy())


def test_nothing_is_drawn_outside_the_axis(report):
    low, high = layer_fidelity(report).layout.yaxis.range
    drawn_values = report.table[["correlation", "median_neuron", "low_neuron"]].to_numpy()
    assert low < drawn_values.min()
    assert drawn_values.max() <= 1 < high


def test_it_says_which_precisions_and_how_many_tokens(report):
    figure = layer_fidelity(report)
    assert figure.layout.title.text == "Correlation with float32, layer by layer"
    assert figure.layout.title.subtitle.text == "tiny · int8 against float32 · 8 counted tokens"
    assert figure.layout.meta["against"] == "float32"


def test_no_layer_is_an_empty_figure(report):
    assert layer_fidelity(replace(report, table=report.table[:0])).layout.meta["kind"] == "empty"
