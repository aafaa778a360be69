"""The histogram counts every value once, keeps the signs apart, and says how many there are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from neuronscope.figures import LIGHT, histogram, histogram_table
from neuronscope.vocabulary import Source
from tests.figures.texts import array, drawn


@given(arrays.arrays(np.float32, st.integers(1, 40), elements=st.floats(-100, 100, width=32)), st.integers(1, 80))
def test_every_value_is_counted_once_and_no_bin_holds_both_signs(values: np.ndarray, bins: int) -> None:
    table = histogram_table(values, bins)
    assert table["count"].sum() == len(values)
    assert not ((table["low"] < 0) & (table["high"] > 0)).any()
    assert (table["high"] > table["low"]).all()


def test_bars_are_coloured_by_sign_on_a_logarithmic_scale() -> None:
    figure = histogram(np.array([-1.0, -0.5, 0.5, 1.0, 2.0]), bins=6)
    bars = drawn(figure)["data"][0]
    expected = [LIGHT.negative if x < 0 else LIGHT.positive for x in array(bars["x"])]
    assert bars["marker"]["color"] == expected
    assert figure.layout.yaxis.type == "log"
    assert figure.layout.xaxis.zeroline


def test_the_strongest_values_are_marked_one_by_one() -> None:
    values = np.random.default_rng(0).normal(size=1000)
    rug = array(drawn(histogram(values))["data"][1]["x"])
    assert np.sort(np.abs(rug)) == pytest.approx(np.sort(np.abs(values))[-20:])


def test_a_marker_stands_at_its_value_even_at_zero() -> None:
    assert histogram(np.array([1.0, -2.0]), marker=0.0).layout.shapes[0].x0 == 0.0
    assert not histogram(np.array([1.0, -2.0])).layout.shapes


def test_it_says_how_many_and_whose_they_are() -> None:
    figure = histogram(np.array([1.0, -1.0, np.nan]), name="L1.N127", source=Source("tiny", "abc", "float32"))
    assert figure.layout.title.text == "Activations of L1.N127"
    assert "n = 2" in figure.layout.title.subtitle.text
    assert figure.layout.meta["model"] == "tiny"
    assert figure.layout.meta["notes"] == ["1 value not finite, left out"]


@pytest.mark.parametrize("value", [0.0, 3.0, -3.0])
def test_a_neuron_that_never_changes_has_one_bar(value: float) -> None:
    assert histogram_table(np.full(9, value))["count"].tolist() == [9]


def test_no_values_is_an_empty_figure() -> None:
    assert histogram(np.array([])).layout.annotations[0].text == "There are no values to count."


def test_a_short_axis_of_counts_has_more_labels_than_one() -> None:
    few = histogram(np.array([0.1, 0.1, 0.1, 2.0]))
    assert list(few.layout.yaxis.ticktext) == ["1", "2"]
    many = histogram(np.concatenate([np.zeros(40_000), np.ones(3)]))
    assert list(many.layout.yaxis.ticktext) == ["1", "10", "100", "1,000", "10,000"]


def test_a_bin_says_its_edges_with_a_true_minus() -> None:
    assert "−2 to −1.95" in histogram(np.array([-2.0, 1.0])).data[0].customdata
