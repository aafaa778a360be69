"""Each measure of the layers is drawn as it stands in the table, under words that say what it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuronscope.analysis.statistics import layer_statistics as statistics_of
from neuronscope.errors import InputError
from neuronscope.figures import STATISTICS, layer_statistics
from neuronscope.vocabulary import Site
from tests.figures.texts import activations, array, drawn


@pytest.mark.parametrize("measure", STATISTICS)
def test_every_measure_is_drawn_as_the_table_has_it(measure: str) -> None:
    found = statistics_of(activations(layers=(3, 5, 9)))
    trace = drawn(layer_statistics(found, measure))["data"][0]
    assert array(trace["x"]).tolist() == [3, 5, 9]
    assert array(trace["y"]) == pytest.approx(found.table[measure].to_numpy(np.float32))


def test_the_mean_comes_with_its_standard_deviation() -> None:
    found = statistics_of(activations())
    assert np.asarray(layer_statistics(found, "mean").data[0].error_y.array) == pytest.approx(found.table["std"])


def test_dimensions_are_not_called_neurons() -> None:
    figure = layer_statistics(statistics_of(activations(site=Site.RESIDUAL)), "silent")
    assert figure.layout.title.text == "Dimensions never above 0 on this text"
    assert figure.layout.title.subtitle.text == "tiny · residual · 5 counted tokens × 8 dimensions · float32"


def test_an_unknown_measure_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match="No measure 'median' of layers: choose one of mean, std"):
        layer_statistics(statistics_of(activations()), "median")


def test_no_layer_is_an_empty_figure() -> None:
    found = statistics_of(activations())
    assert layer_statistics(replace(found, table=found.table[:0])).layout.meta["kind"] == "empty"
