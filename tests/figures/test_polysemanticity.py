"""Polysemanticity as drawn: contexts by sense, shares that add up, layers with their counts, hostile tokens as text."""

from __future__ import annotations

import numpy as np
import pytest

from neuronscope.errors import NoSuchNeuron
from neuronscope.figures import DARK, LIGHT, sense_map, sense_map_table, sense_shares, senses_by_layer
from neuronscope.figures.polysemanticity import SHAPES, senses_by_layer_table
from neuronscope.vocabulary import Example, Neuron, Source
from neuronscope.vocabulary import visible as shown
from tests.figures.senses import planted, survey, unscored
from tests.figures.texts import HOSTILE

SOURCE = Source("tiny", "abc", "float32")
ONE = Neuron(0, 0)


def test_every_context_is_a_point_in_the_colour_and_shape_of_its_sense():
    poly = survey(planted((60, 30, 5, 5)))
    for mode, colours in (("light", LIGHT), ("dark", DARK)):
        figure = sense_map(poly, ONE, mode=mode)
        by_name = {trace.name[:1]: trace for trace in figure.data}
        assert {name: len(trace.x) for name, trace in by_name.items()} == {"1": 60, "2": 30, "s": 10}
        assert [by_name[name].marker.color for name in "12s"] == [*colours.series[:2], colours.muted]
        assert [by_name[name].marker.symbol for name in "12s"] == [*SHAPES[:2], "circle-open"]
    assert "(60%)" in by_name["1"].name
    assert "t1" in by_name["2"].name


def test_the_area_of_a_point_is_the_activation_and_its_position_travels_along():
    record = planted((40, 20))
    record["values"][0, 0] = 4
    figure = sense_map(survey(record), ONE)
    first = next(trace for trace in figure.data if trace.name.startswith("1"))
    assert first.marker.size[0] == max(first.marker.size)
    assert len(set(first.marker.size[1:])) == 1
    assert [data[1] for data in first.customdata] == record["positions"][0, :40].tolist()


def test_the_text_under_the_mouse_is_that_of_the_context_where_it_is_given():
    poly = survey(planted((30, 20)))
    position = int(poly.records["positions"][0, 0])
    example = Example("the<b>end", ("the", "<b>", "end"), np.full(3, np.nan), 1, 0.0, position, "doc", 0)
    said = {data[1]: data[0] for trace in sense_map(poly, ONE, contexts=[example]).data for data in trace.customdata}
    assert said[position].startswith("the<b>&lt;b&gt;</b>end<br>")
    assert "sense 1" in said[position]
    before = said[int(poly.records["positions"][0, 5])]
    assert before.startswith("t2t3t4t5t6t7t8t9<b>t0</b>")


def test_the_subtitle_says_model_contexts_tokens_and_precision():
    figure = sense_map(survey(planted()), ONE, source=SOURCE)
    said = figure.layout.title.subtitle.text
    for words in ("tiny", "100 of 300 strong contexts", "1,000 tokens read again", "float32"):
        assert words in said
    assert figure.layout.meta["contexts"] == 100
    of_index = planted()
    of_index["of_index"] = True
    assert "that the index has kept" in sense_map(survey(of_index), ONE).layout.title.subtitle.text


def test_what_cannot_be_mapped_is_said():
    for verdict, words in (("dense", "more than half"), ("too little evidence", "3 strong"), ("never fires", "never")):
        figure = sense_map(survey(unscored(verdict)), ONE)
        assert words in figure.layout.annotations[0].text
    with pytest.raises(NoSuchNeuron, match=r"L3\.N1"):
        sense_map(survey(planted()), Neuron(3, 1))


def test_the_table_of_the_map_has_what_is_drawn():
    table = sense_map_table(survey(planted((60, 30, 5, 5))), ONE)
    assert table["sense"].value_counts().to_dict() == {1: 60, 2: 30, 0: 10}
    assert (table["token"][table["sense"] == 2] == "t1").all()


def test_shares_of_each_neuron_add_up_and_the_rest_is_grey():
    poly = survey(planted((60, 30, 5, 5)), planted((50, 50), neuron=1), unscored("dense", neuron=2))
    figure = sense_shares(poly, [ONE, Neuron(0, 1), Neuron(0, 2)], source=SOURCE)
    total = dict.fromkeys((0, 1), 0.0)
    for bar in figure.data:
        total[bar.y[0]] += bar.x[0]
    assert total == pytest.approx({0: 1, 1: 1})
    rest = [bar for bar in figure.data if "smaller" in bar.hovertext]
    assert [bar.x[0] for bar in rest] == pytest.approx([0.1])
    assert rest[0].marker.color == LIGHT.muted
    assert list(figure.layout.yaxis.ticktext) == ["L0.N0", "L0.N1"]
    assert "1 neuron not scored" in figure.layout.meta["notes"][0]
    assert "dense" in sense_shares(poly, Neuron(0, 2)).layout.annotations[0].text


def test_layers_have_their_quartiles_and_how_many_were_scored():
    records = [planted((60, 30 + i, 10), neuron=i) for i in range(9)]
    poly = survey(*records, *(planted((100,), 1, i) for i in range(4)), unscored("dense", 1, 4))
    figure = senses_by_layer(poly, source=SOURCE)
    table = senses_by_layer_table(poly)
    assert table["scored"].tolist() == [9, 4]
    assert table["dense"].tolist() == [0, 1]
    assert table["median"][0] == pytest.approx(np.median([r["effective"][0] for r in records]), rel=1e-6)
    violins = [trace for trace in figure.data if trace.type == "violin"]
    assert [len(trace.y) for trace in violins] == [9, 4]
    assert np.exp2(violins[0].y) == pytest.approx([r["effective"][0] for r in records], rel=1e-5)
    assert list(figure.layout.xaxis.ticktext) == ["0<br>n = 9", "1<br>n = 4"]
    assert "13 of 14 scored" in figure.layout.title.subtitle.text
    assert "1 dense" in figure.data[-1].customdata[1]


def test_many_layers_and_a_layer_of_which_none_was_scored_are_drawn():
    poly = survey(*(planted(layer=layer) for layer in range(30)), unscored("never fires", 30))
    figure = senses_by_layer(poly)
    assert len([trace for trace in figure.data if trace.type == "violin"]) == 30
    assert len(figure.layout.xaxis.ticktext) <= 16
    assert "0 scored" in figure.data[-1].customdata[-1]


def test_a_survey_of_nothing_is_an_empty_figure_with_a_reason():
    for poly in (survey(unscored("dense")), survey(np.zeros(0, planted().dtype))):
        assert "survey" in senses_by_layer(poly).layout.annotations[0].text


def test_tokens_that_look_like_markup_stay_text():
    poly = survey(planted((60, 30, 10)), shown={i: shown(HOSTILE[i + 1]) for i in range(10)})
    hover = [data[0] for trace in sense_map(poly, ONE).data for data in trace.customdata]
    names = [trace.name for trace in sense_map(poly, ONE).data]
    bars = [text for bar in sense_shares(poly, ONE).data for text in (bar.text, bar.hovertext)]
    for text in (*hover, *names, *bars):
        bare = text.replace("<br>", "").replace("<b>", "").replace("</b>", "")
        assert "<" not in bare
        assert ">" not in bare
        assert "$" not in bare
