"""A text at a glance: the strongest of each layer with its sign and owner, the share that is active, the heads."""

from __future__ import annotations

import numpy as np
import pytest

from neuronscope.errors import InputError, NoSuchSite
from neuronscope.figures import head_heatmap, head_table, overview, overview_table
from neuronscope.figures.axes import first_to_last
from neuronscope.vocabulary import Site
from tests.figures.texts import activations, array, drawn, labels


def test_the_peak_keeps_its_sign_and_says_whose_it_is() -> None:
    made = activations(layers=(3, 5, 9))
    made.values[1, 4, 6] = -77
    figure = overview(made)
    cells = drawn(figure)["data"][0]
    assert array(cells["z"])[1, 4] == -77
    assert array(cells["customdata"])[1, 4] == 6
    assert (np.abs(array(cells["z"])) == np.abs(made.values).max(axis=-1)).all()


def test_the_first_layer_stands_at_the_bottom_under_its_true_number() -> None:
    figure = overview(activations(layers=(3, 5, 9)))
    assert labels(figure) == ["3", "5", "9"]
    assert tuple(figure.layout.yaxis.range) == (-0.5, 2.5)
    assert tuple(figure.layout.xaxis.range) == (-0.5, 5.5)


def test_active_is_the_share_above_the_threshold_that_is_stated() -> None:
    made = activations()
    figure = overview(made, measure="active", threshold=0.25)
    assert array(drawn(figure)["data"][0]["z"]) == pytest.approx((made.values > 0.25).mean(axis=-1))
    assert figure.data[0].colorbar.title.text == "share with activation > 0.25"
    assert figure.data[0].zmin == 0
    assert not any("±" in note for note in figure.layout.meta["notes"])


def test_what_is_looked_at_is_outlined() -> None:
    token, layer = overview(activations(layers=(3, 5, 9)), locked=2, layer=9).layout.shapes
    assert (token.x0, token.x1) == (1.5, 2.5)
    assert (layer.y0, layer.y1) == (1.5, 2.5)


def test_the_table_has_a_row_for_each_layer_and_token() -> None:
    made = activations(layers=(3, 5, 9))
    table = overview_table(made)
    row = table[(table["layer"] == 5) & (table["position"] == 4)].iloc[0]
    assert len(table) == 18
    assert row["value"] == made.values[1, 4, row["neuron"]]
    assert overview_table(made, "active")["share"].between(0, 1).all()


def test_heads_are_drawn_by_the_length_of_their_output() -> None:
    made = activations(neurons=12, site=Site.ATTENTION, heads=3)
    figure = head_heatmap(made, 1, locked=2)
    assert array(drawn(figure)["data"][0]["z"]) == pytest.approx(made.head_norms()[1])
    assert labels(figure, "xaxis") == ["H0", "H1", "H2"]
    assert (figure.layout.shapes[0].y0, figure.layout.shapes[0].y1) == (1.5, 2.5)
    assert head_table(made, 1)["L1.H2"].to_numpy() == pytest.approx(made.head_norms()[1][:, 2])


def test_only_the_attention_site_has_heads() -> None:
    with pytest.raises(NoSuchSite, match="Head norms belong to the attention site"):
        head_heatmap(activations(), 1)


def test_no_tokens_is_an_empty_figure() -> None:
    assert overview(activations(())).layout.annotations[0].text == "There are no tokens or layers to draw."


def test_an_unknown_measure_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match="No measure 'mean': an overview shows peak or active"):
        overview(activations(), measure="mean")


def test_of_few_layers_each_is_named_and_of_many_the_first_and_the_last() -> None:
    assert labels(overview(activations(), height=238)) == ["0", "1", "2"]
    deep = labels(overview(activations(layers=tuple(range(61))), height=400))
    assert (deep[0], deep[-1]) == ("0", "60")
    assert 8 < len(deep) < 40
    assert first_to_last(62, 4)[-2:] == [56, 61]
    assert [first_to_last(places, 3) for places in (0, 1, 2, 4)] == [[], [0], [0, 1], [0, 3]]


def test_a_low_colour_bar_has_three_numbers() -> None:
    assert len(overview(activations(), height=238).data[0].colorbar.tickvals) == 3
    assert len(overview(activations(), height=400).data[0].colorbar.tickvals) == 5
