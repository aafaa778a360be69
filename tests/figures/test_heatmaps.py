"""The heatmap of one layer: true numbers, honest colours, every token visible, nothing too big to send."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from neuronscope.analysis.ranking import RULES, rank
from neuronscope.errors import InputError, NoSuchLayer, NoSuchNeuron
from neuronscope.export import token_columns
from neuronscope.figures import ALL, clicked, difference, head_heatmap, heatmap, heatmap_table, layers, overview
from neuronscope.figures.theme import visible
from neuronscope.vocabulary import Activations, Site
from tests.figures.texts import HOSTILE, activations, array, drawn, labels


def test_columns_are_the_chosen_neurons_under_their_true_numbers() -> None:
    made = activations(neurons=40)
    figure = heatmap(made, 1, neurons=[31, 4, 17])
    cells = drawn(figure)["data"][0]
    assert labels(figure, "xaxis") == ["31", "4", "17"]
    assert array(cells["z"]).tolist() == made.values[1][:, [31, 4, 17]].tolist()
    assert array(cells["customdata"]).tolist() == [[31, 4, 17]] * 6


def test_by_default_the_strongest_are_shown_in_the_order_of_a_ranking() -> None:
    made = activations(neurons=200)
    ranking = rank(made.layer(1), made.tokens.kept)
    figure = heatmap(made, 1)
    assert array(drawn(figure)["data"][0]["customdata"])[0].tolist() == ranking.neurons.tolist()
    assert figure.layout.title.text == "64 of 200 neurons: largest magnitude"
    assert figure == heatmap(made, 1, neurons=ranking)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_has_its_words(rule: str) -> None:
    made = activations(neurons=20)
    ranking = rank(made.layer(0), made.tokens.kept, rule=rule, count=3)
    assert heatmap(made, 0, neurons=ranking).layout.title.text.startswith("3 of 20 neurons")


def test_arrays_travel_as_bytes() -> None:
    cells = drawn(heatmap(activations(), 0, neurons="all"))["data"][0]
    assert cells["z"]["dtype"] == "f4"
    assert cells["customdata"]["dtype"] == "i2"


def test_all_neurons_of_a_gpt2_layer_fit_in_a_message() -> None:
    made = activations(128, neurons=3072, layers=(6,))
    figure = heatmap(made, 6, neurons="all")
    assert len(figure.to_json()) < 1_500_000
    assert figure.layout.title.text == "3,072 neurons in 1,024 columns, each showing its strongest"


def test_a_pooled_column_shows_its_strongest_with_its_sign_and_says_whose_it_is() -> None:
    made = activations(3, neurons=2500, layers=(0,))
    cells = drawn(heatmap(made, 0, neurons="all"))["data"][0]
    shown, whose = array(cells["z"]), array(cells["customdata"])
    for row in range(3):
        assert (made.values[0, row, whose[row]] == shown[row]).all()
        for column in range(shown.shape[1]):
            group = made.values[0, row, 3 * column : 3 * column + 3]
            assert abs(shown[row, column]) == np.abs(group).max()


def test_a_pooled_column_stands_amid_the_numbers_of_its_neurons() -> None:
    cells = drawn(heatmap(activations(3, neurons=3072, layers=(0,)), 0, neurons="all"))["data"][0]
    assert (cells["x0"], cells["dx"]) == (1, 3)


def test_a_page_shows_its_neurons_in_the_colours_of_the_whole_layer() -> None:
    made = activations(30, neurons=1000, layers=(0,))
    first = heatmap(made, 0, neurons="all", start=0, stop=100)
    later = heatmap(made, 0, neurons="all", start=900)
    assert later.layout.title.text == "Neurons 900 to 999 of 1,000"
    assert drawn(later)["data"][0]["x0"] == 900
    assert first.data[0].zmax == later.data[0].zmax


def test_colours_are_symmetric_and_the_first_token_does_not_set_them() -> None:
    made = activations(6, neurons=8, layers=(0,))
    made.values[0, 0, 3] = 5000
    figure = heatmap(made, 0)
    counted = np.abs(made.values[0, 1:])
    assert figure.data[0].zmax == counted.max() == -figure.data[0].zmin
    assert figure.data[0].zmid == 0
    assert f"clipped at ±{counted.max():.3g}: " in figure.layout.meta["notes"][0]
    assert "6 tokens (5 counted)" in figure.layout.meta["subtitle"]
    assert all(note in figure.layout.annotations[0].text for note in figure.layout.meta["notes"])


def test_special_tokens_are_drawn_but_do_not_set_the_colours() -> None:
    made = activations(6, neurons=8, layers=(0,))
    made.tokens.special[5] = True
    made.values[0, 5] = 900
    figure = heatmap(made, 0)
    assert figure.data[0].zmax == np.abs(made.values[0, 1:5]).max()
    assert array(drawn(figure)["data"][0]["z"])[5].tolist() == [900] * 8
    assert labels(figure)[5] == "<i>w5</i>"


def test_values_above_the_quantile_are_clipped_and_counted() -> None:
    made = activations(101, neurons=40, layers=(0,))
    made.values[0, 50, :3] = [70, -80, 90]
    figure = heatmap(made, 0)
    assert figure.data[0].zmax < 70
    count = int((np.abs(made.values[0]) > figure.data[0].zmax).sum())
    assert figure.layout.meta["notes"][0].endswith(f": {count} cells")
    assert figure.data[0].colorbar.ticktext[-1].startswith("≥ ")


def test_a_limit_of_the_readers_own_is_used_and_named() -> None:
    figure = heatmap(activations(), 0, limit=0.5)
    assert figure.data[0].zmax == 0.5
    assert "colours to 0.5, as set" in figure.layout.meta["notes"]


def test_a_silent_layer_is_paper_all_over() -> None:
    figure = heatmap(activations(values=np.zeros((3, 6, 8))), 0)
    assert (figure.data[0].zmin, figure.data[0].zmax) == (-1, 1)


def test_cells_without_a_finite_number_are_counted_and_do_not_set_colours() -> None:
    made = activations()
    made.values[0, 2, 3], made.values[0, 3, 4] = np.nan, np.inf
    figure = heatmap(made, 0, neurons="all")
    assert np.isfinite(figure.data[0].zmax)
    assert "2 cells without a finite number, left blank" in figure.layout.meta["notes"]


def every_figure(made: Activations) -> list[str]:
    """What a browser receives of every figure that shows tokens."""
    from neuronscope.analysis.comparison import compare

    other = replace(made, tokens=replace(made.tokens, ids=made.tokens.ids + 1000))
    heads = replace(made, site=Site.ATTENTION, heads=4)
    figures = [
        heatmap(made, 1),
        overview(made),
        overview(made, measure="active"),
        layers(made),
        difference(compare(made, other), 1),
        head_heatmap(heads, 1),
        heatmap(heads, 1),
    ]
    return [json.dumps(figure.to_plotly_json(), default=lambda a: a.tolist(), ensure_ascii=False) for figure in figures]


def test_no_figure_holds_a_hostile_token_as_it_is() -> None:
    for text in every_figure(activations(HOSTILE)):
        for token in ("<b>w", "<script", "</s>", "<a ", "\\u0000", "\u200b", "\u202e", "$x^2$", "\\t"):
            assert token not in text.replace("<b>L", "").replace("<b>layer", "")
        for token in ("<script>alert(1)</script>", "</s>", "שלום", "\x00\x1b", "\u200b", "$x^2$"):
            assert visible(token)[:12] in text


@pytest.mark.parametrize("token", HOSTILE[1:])
def test_every_token_can_be_read_in_its_label_and_under_the_mouse(token: str) -> None:
    figure = heatmap(activations(HOSTILE), 1)
    position = HOSTILE.index(token)
    assert labels(figure)[position] == visible(token, 18)
    assert labels(figure, "yaxis")[position] == f"{visible(token)}<br>position {position} · id {100 + position}"


def test_tokens_never_stand_in_a_template() -> None:
    for made in (heatmap(activations(HOSTILE), 1), overview(activations(HOSTILE))):
        assert all(token not in made.data[0].hovertemplate for token in ("script", "alert", "the"))


def test_a_token_that_occurs_twice_has_two_rows() -> None:
    figure = heatmap(activations(("a", "the", "the", "the")), 0)
    assert list(figure.layout.yaxis51.tickvals) == [0, 1, 2, 3]
    assert labels(figure)[1:] == ["the"] * 3
    assert array(drawn(figure)["data"][0]["z"]).shape[0] == 4


@pytest.mark.parametrize("tokens", [1, 5, 40, 60, 128, 500])
def test_labels_have_the_room_they_need(tokens: int) -> None:
    figure = heatmap(activations(tokens, layers=(0,)), 0)
    axis = figure.layout.yaxis51
    room = figure.layout.height - figure.layout.margin.t - figure.layout.margin.b
    apart = room / tokens * (axis.tickvals[1] - axis.tickvals[0]) if len(axis.tickvals) > 1 else room
    assert apart >= 1.2 * axis.tickfont.size
    assert len(labels(figure, "yaxis")) == tokens


def test_a_long_token_is_short_in_its_label_and_whole_under_the_mouse() -> None:
    figure = heatmap(activations(("a", "x" * 300)), 0)
    assert labels(figure)[1] == "x" * 17 + "…"
    assert labels(figure, "yaxis")[1].startswith("x" * 300 + "<br>")


def test_a_locked_token_is_outlined() -> None:
    (frame,) = heatmap(activations(), 0, locked=4).layout.shapes
    assert (frame.y0, frame.y1, frame.xref) == (3.5, 4.5, "x domain")


def test_a_click_tells_position_and_neuron() -> None:
    assert clicked({"x": 0, "y": 3, "customdata": 31}) == (3, 31)
    assert clicked({"x": 0, "y": 3, "customdata": {"0": 70, "1": 2, "2": 6}}) == (3, 70)
    assert clicked({"x": 0, "y": 3, "customdata": [70, 2, 6]}) == (3, 70)


def test_the_residual_stream_has_dimensions_not_neurons() -> None:
    figure = heatmap(activations(site=Site.RESIDUAL), 0, neurons="all")
    assert figure.layout.xaxis.title.text == "dimension of the residual stream"
    assert figure.data[0].hovertemplate.startswith("<b>L0.D%{customdata}</b>")
    assert "neuron" not in figure.layout.title.text + figure.layout.title.subtitle.text


def test_the_attention_site_names_head_and_dimension() -> None:
    figure = heatmap(activations(neurons=32, site=Site.ATTENTION, heads=4), 0, neurons=[3, 8 + 5])
    assert labels(figure, "xaxis") == ["H0.3", "H1.5"]
    assert figure.layout.xaxis.title.text == "head and dimension"
    assert array(drawn(figure)["data"][0]["customdata"])[0].tolist() == [[3, 0, 3], [13, 1, 5]]
    assert (
        figure.layout.title.subtitle.text
        == "tiny · layer 0 · attention · 6 tokens (5 counted) × 4 heads of 8 dimensions · float32"
    )


def test_many_dimensions_of_heads_are_marked_by_their_head() -> None:
    figure = heatmap(activations(3, neurons=768, layers=(0,), site=Site.ATTENTION, heads=12), 0, neurons="all")
    assert labels(figure, "xaxis") == [f"H{head}" for head in range(12)]
    assert list(figure.layout.xaxis.tickvals) == [64 * head for head in range(12)]


def test_a_text_read_in_windows_is_said_to_be() -> None:
    long = replace(activations(), window=4)
    figure = heatmap(long, 2)
    assert "· read in windows of 4 tokens ·" in figure.layout.title.subtitle.text
    assert figure.layout.meta["window"] == 4
    assert "window" not in heatmap(activations(), 2).layout.meta["subtitle"]


def test_numbers_under_the_mouse_have_a_true_minus() -> None:
    trace = heatmap(activations(), 2).data[0]
    assert trace.zhoverformat == ".4g"
    assert "activation %{z}<extra>" in trace.hovertemplate


def test_the_figure_says_where_its_numbers_come_from() -> None:
    figure = heatmap(activations(), 2)
    assert figure.layout.title.subtitle.text == "tiny · layer 2 · neurons · 6 tokens (5 counted) × 8 neurons · float32"
    known = {"model": "tiny", "revision": "abc123", "precision": "float32", "site": "neurons", "tokens": 6, "units": 8}
    assert known.items() <= figure.layout.meta.items()


def test_the_table_holds_every_value_under_its_name() -> None:
    made = activations(("<b>", "the"), neurons=3000, layers=(4,))
    table = heatmap_table(made, 4, "all")
    assert table["token"].tolist() == ["<b>", "the"]
    assert table["kept"].tolist() == [False, True]
    assert list(table)[:7] == list(token_columns(made.tokens))
    assert table.columns[-1] == "L4.N2999"
    assert (table.filter(like="L4.").to_numpy() == made.values[0]).all()


def test_nothing_to_draw_is_an_empty_figure_that_says_so() -> None:
    assert heatmap(activations((), layers=(0,)), 0).layout.annotations[0].text == "There are no tokens to draw."
    assert heatmap(activations(), 0, neurons=[]).layout.annotations[0].text == "No neuron of layer 0 is chosen."


def test_a_wrong_question_is_answered_with_what_is_true() -> None:
    with pytest.raises(NoSuchNeuron, match="No neuron 8 at the neurons site: it has neurons 0 to 7"):
        heatmap(activations(), 0, neurons=[8])
    with pytest.raises(NoSuchLayer, match="No layer 9"):
        heatmap(activations(), 9)
    with pytest.raises(InputError, match="No choice 'some'"):
        heatmap(activations(), 0, neurons="some")


def test_the_names_of_all_figures_are_true() -> None:
    from neuronscope import figures

    assert all(callable(getattr(figures, name)) for name in ALL)
    assert all(hasattr(figures, name) for name in figures.__all__)
