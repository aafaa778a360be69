"""Several layers on scales that are named, and two texts whose differing tokens are both shown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuronscope.analysis.comparison import Comparison, compare
from neuronscope.errors import InputError
from neuronscope.figures import difference, difference_table, layers, layers_table
from neuronscope.vocabulary import Activations
from tests.figures.texts import activations, array, drawn, labels


def two_texts() -> Comparison:
    """Six tokens against seven: one replaced, one added at the end."""

    def on(words: str, ids: list[int], seed: float) -> Activations:
        made = activations(tuple(words.split()), neurons=90)
        made = replace(made, values=made.values + np.float32(seed))
        return replace(made, tokens=replace(made.tokens, ids=np.array(ids)))

    a = on("The tower of Paris is tall", [1, 2, 3, 4, 5, 6], 0.0)
    b = on("The tower of Rome is tall !", [1, 2, 3, 7, 5, 6, 8], 0.5)
    return compare(a, b)


def test_one_scale_for_all_layers_is_one_colour_bar() -> None:
    figure = layers(activations(neurons=40), scale="shared", count=5)
    maps = [trace for trace in figure.data if trace.type == "heatmap"]
    assert len({trace.zmax for trace in maps}) == 1
    assert [trace.showscale for trace in maps] == [True, False, False]
    assert figure.layout.title.text == "3 layers, one colour scale for all"


def test_a_scale_for_each_layer_is_named_at_each() -> None:
    figure = layers(activations(neurons=40), scale="layer", count=5)
    maps = [trace for trace in figure.data if trace.type == "heatmap"]
    assert len({trace.zmax for trace in maps}) == 3
    assert all(trace.showscale for trace in maps)
    titles = [note.text for note in figure.layout.annotations if note.text.startswith("layer ")]
    assert [f"±{trace.zmax:.3g}" in title for trace, title in zip(maps, titles, strict=True)] == [True] * 3


def test_panels_do_not_overlap_and_stand_in_the_order_asked_for() -> None:
    figure = layers(activations(neurons=40), layers=[2, 0], count=5)
    upper, lower = figure.layout.yaxis.domain, figure.layout.yaxis2.domain
    assert lower[0] >= 0
    assert lower[1] < upper[0]
    assert upper[1] == 1
    assert figure.data[0].hovertemplate.startswith("<b>L2.")


def test_every_panel_labels_its_tokens_and_outlines_the_locked_one() -> None:
    figure = layers(activations(neurons=40), locked=3)
    assert [labels(figure, f"yaxis{51 + i}") for i in range(3)] == [labels(figure)] * 3
    assert [shape.yref for shape in figure.layout.shapes] == ["y", "y2", "y3"]


def test_the_neurons_of_a_layer_can_be_chosen() -> None:
    made = activations(neurons=40)
    figure = layers(made, layers=[0, 1], neurons={1: [7, 3]}, count=5)
    assert labels(figure, "xaxis2") == ["7", "3"]
    assert layers_table(made, layers=[0, 1], neurons={1: [7, 3]}, count=5).columns[-2:].tolist() == ["L1.N7", "L1.N3"]


def test_a_difference_is_b_minus_a_and_says_what_was_left_out() -> None:
    made = two_texts()
    figure = difference(made, 1, neurons=[4, 2])
    assert array(drawn(figure)["data"][0]["z"]) == pytest.approx(made.difference[1][:, [4, 2]])
    assert figure.data[0].colorbar.title.text == "B − A"
    assert figure.layout.meta["notes"][0] == "left out, without counterpart: 0 tokens of A, 1 token of B"


def test_a_pair_that_differs_shows_both_tokens() -> None:
    figure = difference(two_texts(), 1)
    assert labels(figure)[3] == "Paris → Rome"
    assert labels(figure)[4] == "is"
    assert labels(figure, "yaxis")[3] == "Paris → Rome<br>position 3 in A, 3 in B"


def with_a_common_beginning(words: str, change: int) -> Comparison:
    """A text, and the same text with another word at `change`, after which everything differs."""
    a = activations(tuple(words.split()), neurons=20)
    b = replace(a, values=a.values * np.where(np.arange(len(a.tokens)) < change, 1 + 1e-7, 1.5)[:, None])
    ids = a.tokens.ids + np.where(np.arange(len(a.tokens)) == change, 900, 0)
    return compare(a, replace(b, values=b.values.astype(np.float32), tokens=replace(a.tokens, ids=ids)))


def test_the_common_beginning_of_two_texts_is_named_and_out_of_view() -> None:
    made = with_a_common_beginning("a b c d e f g h", change=6)
    assert made.identical == 6
    figure = difference(made, 1, neurons=[4, 2], locked=7)
    assert figure.layout.meta["notes"][0] == "identical up to token 5, f"
    assert figure.data[0].y0 == 4
    assert np.asarray(figure.data[0].z) == pytest.approx(made.difference[1][4:, [4, 2]])
    assert labels(figure) == ["e", "f", "g → g", "h"]
    assert tuple(figure.layout.yaxis.range) == tuple(figure.layout.yaxis51.range) == (7.5, 3.5)
    assert labels(figure, "yaxis")[7].startswith("h<br>position 7 in A")
    assert [shape.y0 for shape in figure.layout.shapes] == [6.5]
    assert not difference(made, 1, locked=2).layout.shapes
    assert len(difference_table(made, 1, [4])) == 8


def test_equal_tokens_with_other_activations_are_not_called_identical() -> None:
    assert two_texts().identical == 0
    assert difference(two_texts(), 1).data[0].y0 == 0


def test_where_nothing_differs_a_sentence_says_so() -> None:
    made = with_a_common_beginning("a b c", change=3)
    said = difference(made, 1).layout.annotations[0].text
    assert said == "Both texts are the same, so nothing differs."
    shorter = replace(made, unpaired_b=(3,))
    assert "the same 3 tokens, on which nothing differs (left out" in difference(shorter, 1).layout.annotations[0].text


def test_a_difference_is_not_called_an_activation() -> None:
    assert difference(two_texts(), 1).layout.title.text == "Difference, B − A · 64 of 90 neurons: largest magnitude"


def test_the_table_of_a_difference_has_a_row_for_each_pair() -> None:
    table = difference_table(two_texts(), 1, [4])
    assert table["token_b"].tolist() == ["The", "tower", "of", "Rome", "is", "tall"]
    assert table["L1.N4"].to_numpy() == pytest.approx(two_texts().difference[1][:, 4])


def test_texts_without_a_common_token_are_an_empty_figure() -> None:
    made = two_texts()
    nothing = replace(made, pairs=made.pairs[:0], difference=made.difference[:, :0])
    assert "No token of one text" in difference(nothing, 1).layout.annotations[0].text
    assert layers(activations(), layers=[]).layout.annotations[0].text == "No layer is chosen."


def test_an_unknown_scale_is_refused() -> None:
    with pytest.raises(InputError, match="No scale 'own': choose shared"):
        layers(activations(), scale="own")
