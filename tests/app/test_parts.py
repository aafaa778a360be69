"""The parts: what every view is composed of."""

import json

import dash_ag_grid as dag
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from dash import dcc, html

from neuronscope.app import graphs, lists, parts, tables, tokens
from neuronscope.vocabulary import Neuron, Tokens, TokenScore, visible


def tokens_of(pieces, special=()):
    """Tokens of the given texts, one after the other."""
    stops = np.cumsum([len(piece) for piece in pieces])
    return Tokens(
        text="".join(pieces),
        ids=np.arange(len(pieces)) + 7,
        offsets=np.stack([stops - [len(piece) for piece in pieces], stops], axis=1),
        display=tuple(visible(piece) for piece in pieces),
        special=np.array([i in special for i in range(len(pieces))]),
    )


def walk(part):
    """A component and everything in it."""
    yield part
    children = getattr(part, "children", None)
    for child in children if isinstance(children, list | tuple) else [children]:
        if child is not None:
            yield from walk(child)


def boxes(strip):
    return [part for part in walk(strip) if isinstance(part, html.Button)]


def props(part):
    return part.to_plotly_json()["props"]


def test_a_graph_never_offers_to_send_anything_anywhere():
    graph = next(part for part in walk(graphs.graph("g")) if isinstance(part, dcc.Graph))
    assert graph.config["showSendToCloud"] is False
    assert graph.config["plotlyServerURL"] == ""
    assert graph.config["displaylogo"] is False


def test_token_text_is_a_text_node_inside_bdi_whatever_it_holds():
    hostile = ["<b>", "<script>", "&amp;", "مرحبا", "\x07", "\u200b", " "]
    strip = tokens.token_strip(tokens_of(hostile), np.zeros(7), limit=1.0)
    assert [type(box.children) for box in boxes(strip)] == [html.Bdi] * 7
    assert [box.children.children for box in boxes(strip)] == [
        "<b>",
        "<script>",
        "&amp;",
        "مرحبا",
        "␇",
        "⟨U+200B⟩",
        "·",
    ]


def test_a_token_carries_its_place_id_and_value_and_leads_to_itself():
    strip = tokens.token_strip(tokens_of(["a", " b"]), np.array([0.0, -0.5]), limit=2.0, locked=1)
    first, second = (props(box) for box in boxes(strip))
    assert json.loads(second["data-go"]) == {"position": 1}
    assert second["title"] == "·b\nposition 1 · id 8\nvalue −0.5"
    assert second["style"] == {"--strength": 0.25}
    assert "negative" in second["className"].split()
    assert (first["aria-pressed"], second["aria-pressed"]) == ("false", "true")
    assert "left out of maxima" in first["title"]


def test_bytes_of_one_character_share_a_box_with_the_strongest_of_their_values():
    pieces = Tokens(
        text="é!",
        ids=np.array([1, 2, 3]),
        offsets=np.array([[0, 1], [0, 1], [1, 2]]),
        display=("⟨0xC3⟩", "⟨0xA9⟩", "!"),
        special=np.zeros(3, bool),
    )
    shown = boxes(tokens.token_strip(pieces, np.array([0.1, -0.9, 0.2]), limit=1.0, locked=0))
    assert [box.children.children for box in shown] == ["é", "!"]
    assert "id 1, 2\nvalue −0.9" in props(shown[0])["title"]
    assert props(shown[0])["aria-pressed"] == "true"


def test_a_value_beyond_the_scale_is_full_and_marked_as_clipped():
    box = boxes(tokens.token_strip(tokens_of(["a", "b"]), np.array([0.0, 5.0]), limit=2.0))[1]
    assert props(box)["style"] == {"--strength": 1.0}
    assert {"positive", "clipped"} <= set(props(box)["className"].split())


def test_a_scale_of_nothing_divides_by_nothing():
    box = boxes(tokens.token_strip(tokens_of(["a"]), np.array([0.0]), limit=0.0))[0]
    assert props(box)["style"] == {"--strength": 0.0}


def test_a_text_breaks_its_line_after_a_line_end():
    strip = tokens.token_strip(tokens_of(["a", "\n", "b"]), np.zeros(3), limit=1.0)
    assert [type(part).__name__ for part in strip.children] == ["Button", "Button", "Br", "Button"]


def test_listed_neurons_open_themselves_and_other_units_do_not():
    rows = [("L1.N2", 3.0, Neuron(1, 2)), ("L0.D5", -1.5, None)]
    made = lists.neuron_list("Raw", "activation", rows)
    opened = [json.loads(props(part)["data-go"]) for part in walk(made) if isinstance(part, html.Button)]
    assert opened == [{"view": "neuron", "layer": 1, "neuron": 2}]
    bars = [part.style["width"] for part in walk(made) if isinstance(part, html.Span) and getattr(part, "style", None)]
    assert bars == ["100.0%", "50.0%"]


def test_an_empty_list_is_a_list():
    assert lists.neuron_list("z", "", []).children[-1].children == []
    assert lists.score_list("promoted", []).children[-1].children == []


def test_probabilities_are_shown_in_percent_and_scores_with_a_true_minus():
    text = list(walk(lists.score_list("next", [TokenScore(1, "·a", 0.25)], percent=True)))
    assert "25.0%" in text
    assert "−0.5" in list(walk(lists.score_list("w", [TokenScore(1, "·a", -0.5)])))


def test_choices_say_which_one_holds():
    row = parts.choices("count", "How many", {64: "Strongest 64", 0: "All"}, 0)
    assert [props(b)["aria-pressed"] for b in row.children] == ["false", "true"]
    assert [json.loads(props(b)["data-go"]) for b in row.children] == [{"count": 64}, {"count": 0}]


def test_a_list_of_choices_has_a_label_that_points_at_it():
    label, control = parts.select("site", "Read at", {"neurons": "Neurons"}, "neurons").children
    assert label.htmlFor == '{"field":"site"}' == parts.dom_id(control.id)


def test_a_framed_figure_hands_its_title_to_the_panel_and_keeps_it_for_export():
    from neuronscope.figures import histogram
    from neuronscope.vocabulary import Source

    figure = histogram(np.arange(9.0), name="L0.N1", source=Source("demo", "1", "float32"))
    shown, style, heading = graphs.framed(figure)
    assert shown.layout.title.text is None
    assert shown.layout.meta["title"] == heading[0].children == "Activations of L0.N1"
    assert heading[1].children.startswith("n = 9")
    assert int(style["height"].removesuffix("px")) > 100


def test_a_small_share_is_not_nothing():
    scores = [TokenScore(1, "a", 0.0004), TokenScore(2, "b", 0.0006), TokenScore(3, "c", 0.0)]
    said = [part for part in walk(lists.score_list("Comes next", scores, percent=True)) if isinstance(part, str)]
    assert [text for text in said if "%" in text] == ["<0.1%", "0.1%", "0.0%"]


def test_a_table_sorts_its_numbers_and_is_kept_as_csv():
    frame = pd.DataFrame({"layer": [0, 1], "mean": [0.5, 0.25], "hidden": [1, 2]})
    grid = tables.table("t", frame, "layers", {"layer": "Layer", "mean": "Mean"})
    assert isinstance(grid, dag.AgGrid)
    assert [column["headerName"] for column in grid.columnDefs if not column.get("hide")] == ["Layer", "Mean"]
    assert [column["field"] for column in grid.columnDefs] == ["layer", "mean", "hidden"]
    assert grid.csvExportParams["allColumns"]
    assert grid.csvExportParams["fileName"] == "layers.csv"
    assert getattr(grid, "dangerously_allow_code", None) is None


@pytest.mark.parametrize("kind", ["error", "remark"])
def test_a_notice_stays_until_it_is_dismissed(kind):
    made = parts.notice("Title", "Text", kind=kind)
    assert (made.dismissable, made.is_open) == (True, True)
    assert getattr(made, "duration", None) is None


def test_an_empty_graph_has_no_axes():
    graph = next(part for part in walk(graphs.graph("g")) if isinstance(part, dcc.Graph))
    assert go.Figure(graph.figure).layout.xaxis.visible is False
