"""The Text view: from a selection to what is drawn of it."""

import json
from dataclasses import replace

import numpy as np
import pytest
from dash import html

from neuronscope.analysis.statistics import layer_statistics
from neuronscope.app import inspector, pictures, strips, text_panels
from neuronscope.app.asking import looked_at, read
from neuronscope.app.comparable import comparable
from neuronscope.app.drift_kept import Drifts
from neuronscope.app.graphs import framed
from neuronscope.app.readings import Readings
from neuronscope.app.selection import Selection
from neuronscope.app.views import text as view
from neuronscope.errors import InputError
from neuronscope.scope import Workspace
from neuronscope.settings import Settings
from neuronscope.vocabulary import Neuron
from tests.app.test_parts import boxes, props, walk
from tests.models_for_tests import gpt2, llama, of_type, tokenizer

WORDS = "the cat sat on the mat and a dog ran under the tree ."
OTHER = "the dog sat on the mat and a cat ran under the tree ."


@pytest.fixture(scope="module")
def scope(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    workspace = Workspace(Settings(home / "cache", home / "data", offline=True))
    yield workspace.attach(gpt2(n_inner=100), tokenizer(), "small")
    workspace.close()


@pytest.fixture(scope="module")
def pair(scope):
    return scope.activations([WORDS, OTHER])


def strings(part):
    return [piece for piece in walk(part) if isinstance(piece, str)]


def test_the_strongest_64_are_one_page_and_all_are_paged(pair):
    assert pictures.page_of(pair, Selection()) == pictures.Page(0, 1, 0, 64, 64)
    assert pictures.page_of(pair, Selection(count=0)) == pictures.Page(0, 1, 0, 100, 100)


def test_pages_cover_every_unit_once_whatever_page_is_asked_for(pair, monkeypatch):
    monkeypatch.setattr(pictures, "CELLS", 64 * len(pair[0].tokens))
    pages = [pictures.page_of(pair, Selection(count=0, page=page)) for page in range(3)]
    assert [(page.start, page.stop) for page in pages] == [(0, 64), (64, 100), (64, 100)]
    assert text_panels.pages(pair, Selection(count=0))[1].children == "1 to 64 of 100, by largest magnitude"


@pytest.mark.parametrize("tab", ["neurons", "layers", "statistics"])
@pytest.mark.parametrize("side", ["a", "b", "difference"])
@pytest.mark.parametrize("position", [None, 0, 4])
def test_outlines_are_those_of_the_plots_without_drawing_them(pair, tab, side, position):
    selection = Selection(compare=OTHER, tab=tab, side=side, position=position)
    neurons = {"text-overview": pictures.overview, "text-heat": pictures.heat}
    drawn = {"neurons": neurons, "layers": {"text-layers": pictures.layers}, "statistics": {}}
    for texts in (pair, pair[:1]):
        for layer in (0, 2):
            found = pictures.outlines(texts, selection, layer, "dark")
            assert found == {
                name: [shape.to_plotly_json() for shape in draw(texts, selection, layer, "dark").layout.shapes]
                for name, draw in drawn[tab].items()
            }


def test_outlines_of_heads_are_those_of_their_plot(scope):
    read, selection = [scope.activations(WORDS, site="attention")], Selection(site="attention", position=3)
    shapes = [shape.to_plotly_json() for shape in pictures.heat(read, selection, 0, "light").layout.shapes]
    assert pictures.outlines(read, selection, 0, "light")["text-heat"] == shapes != []


def test_a_full_page_of_a_long_text_stays_below_the_size_that_travels(scope):
    class Long:
        tokens = range(1000)
        values = np.zeros((1, 1, 3072), np.float32)

    page = pictures.page_of([Long], Selection(count=0))
    assert 4 * 4 / 3 * 1000 * (page.stop - page.start) < 1_500_000


@pytest.mark.parametrize("side", ["a", "b", "difference"])
@pytest.mark.parametrize("count", [64, 0])
def test_two_texts_can_be_seen_each_and_as_their_difference(pair, side, count):
    selection = Selection(compare=OTHER, side=side, count=count)
    figure = pictures.heat(pair, selection, 1, "light")
    expected = {"a": pair[0].layer(1), "b": pair[1].layer(1), "difference": pair[1].layer(1) - pair[0].layer(1)}[side]
    drawn = np.asarray(figure.data[0].z)
    assert drawn.shape == (len(expected), min(count or 100, 100))
    units = np.asarray(figure.data[0].customdata)[0]
    np.testing.assert_allclose(drawn, expected[:, units], rtol=1e-6)


def test_true_ids_are_under_every_column(pair):
    figure = pictures.heat(pair[:1], Selection(count=0, rule="variance"), 2, "dark")
    assert sorted(np.asarray(figure.data[0].customdata)[0].tolist()) == list(range(100))


def test_numbers_are_those_of_the_plot(pair):
    frame = pictures.numbers("text-heat", pair[:1], Selection(), 1)
    figure = pictures.heat(pair[:1], Selection(), 1, "light")
    np.testing.assert_allclose(frame.filter(like="L1.N").to_numpy(), np.asarray(figure.data[0].z))
    assert frame["token"].tolist() == list(pair[0].tokens.display)
    for name in ("text-overview", "text-layers", "text-statistics"):
        assert len(pictures.numbers(name, pair, Selection(compare=OTHER), 1))
    assert {"token_a", "token_b"} <= set(pictures.numbers("text-heat", pair, Selection(compare=OTHER), 1).columns)


def test_heads_are_shown_by_the_length_of_their_output(scope):
    read = scope.activations([WORDS], site="attention")
    heads = pictures.heat(read, Selection(site="attention"), 0, "light")
    np.testing.assert_allclose(np.asarray(heads.data[0].z), read[0].head_norms()[0], rtol=1e-6)
    assert np.asarray(pictures.heat(read, Selection(site="attention", count=0), 0, "light").data[0].z).shape[1] == 16


def test_a_deep_model_shows_the_layers_around_the_chosen_one(pair, monkeypatch):
    monkeypatch.setattr(pictures, "LAYERS", 2)
    assert pictures._some_layers(pair[0], 0) == (0, 1)
    assert pictures._some_layers(pair[0], 2) == (1, 2)


def test_every_plot_fits_its_panel_and_its_budget(pair):
    figures = [
        pictures.overview(pair[:1], Selection(position=3), 1, "light"),
        pictures.heat(pair[:1], Selection(count=0), 1, "light"),
        pictures.layers(pair[:1], Selection(scale="layer"), 1, "dark"),
    ]
    for figure in figures:
        shown, _, heading = framed(figure)
        assert heading[0].children
        assert len(shown.to_json()) < 1_500_000


def test_of_two_texts_every_figure_names_the_one_it_is_of(pair):
    def titles(texts, selection):
        made = [
            pictures.overview(texts, selection, 1, "light"),
            pictures.heat(texts, selection, 1, "light"),
            pictures.layers(texts, selection, 1, "light"),
            pictures.statistics(layer_statistics(looked_at(texts, selection)), texts, selection, "light"),
        ]
        return [framed(figure)[2][0].children for figure in made]

    assert all(title.endswith(" · text B") for title in titles(pair, Selection(compare=OTHER, side="b")))
    assert all(title.endswith(" · text A") for title in titles(pair, Selection(compare=OTHER, side="a")))
    ends = [title.endswith(" · text A") for title in titles(pair, Selection(compare=OTHER))]
    assert ends == [True, False, True, True]
    assert not any("text A" in title for title in titles(pair[:1], Selection()))
    assert "Over the tokens that count in text B." in strings(html.Div(text_panels.table_head("text B")))


def test_the_order_has_one_name_in_the_control_in_the_title_and_between_the_pages(pair, scope, monkeypatch):
    offered = strings(text_panels.settings(scope.card, Selection(), {}))
    choose = text_panels.settings(scope.card, Selection(), {}).children[2].children[1]
    monkeypatch.setattr(pictures, "CELLS", 64 * len(pair[0].tokens))
    for option in choose.options[:3]:
        selection = Selection(rule=option["value"], count=0)
        assert option["label"] in pictures.heat(pair[:1], selection, 1, "light").layout.title.text
        assert option["label"] in text_panels.pages(pair, selection)[1].children
    assert "Rank by" in offered


def test_the_first_tab_names_the_units_of_the_site():
    def first(site):
        return text_panels.tabs(Selection(site=site)).children[0].children

    assert [first(site) for site in ("neurons", "up", "residual", "attention")] == [
        "Neurons of one layer",
        "Neurons of one layer",
        "Dimensions of one layer",
        "Heads of one layer",
    ]


def test_what_counts_is_said_once_and_how_a_long_text_was_read(pair):
    said = strings(strips.text_strips(pair[:1], Selection(), 1))
    assert sum("Dashed: the first token" in text for text in said) == 1
    assert not any("windows" in text for text in said)
    long = [replace(pair[0], window=8), pair[1]]
    said = strings(strips.text_strips(long, Selection(compare=OTHER), 1))
    assert any("14 tokens, where the model reads 8: read in half-overlapping windows of 8." in text for text in said)


def test_a_text_too_short_for_z_says_so(scope):
    read = scope.activations("the cat")
    words = strings(inspector.inspect(scope, read, "the cat", None)[-1])
    assert "needs three tokens that count; this text has one" in words


def test_the_strip_is_coloured_by_the_layers_peak_and_by_a_chosen_neuron(pair):
    first = pair[0]
    peak = strips.text_strips([first], Selection(), 1)
    values = [float(props(box)["data-value"]) for box in boxes(peak) if "data-value" in props(box)]
    np.testing.assert_allclose(np.abs(values), np.abs(first.layer(1)).max(1), rtol=1e-4)
    chosen = strips.text_strips([first], Selection(neuron=7, colour="neuron"), 1)
    values = [float(props(box)["data-value"]) for box in boxes(chosen) if "data-value" in props(box)]
    np.testing.assert_allclose(values, first.layer(1)[:, 7], rtol=1e-4, atol=1e-6)
    assert "activation of L1.N7" in strings(chosen)


def test_two_texts_have_two_strips_on_one_scale_and_only_the_first_has_the_lock(pair):
    made = strips.text_strips(pair, Selection(compare=OTHER, position=2), 1)
    pressed = [props(box)["aria-pressed"] for box in boxes(made) if "data-value" in props(box)]
    assert len(pressed) == len(pair[0].tokens) + len(pair[1].tokens)
    assert [i for i, state in enumerate(pressed) if state == "true"] == [2]


def test_a_press_on_the_other_texts_strip_chooses_that_text_too(pair):
    def leads(side):
        made = strips.text_strips(pair, Selection(compare=OTHER, side=side, position=2), 1)
        shown = [props(box) for box in boxes(made) if "data-value" in props(box)]
        firsts = [json.loads(shown[i]["data-go"]) for i in (0, len(pair[0].tokens))]
        return *firsts, [i for i, box in enumerate(shown) if box["aria-pressed"] == "true"]

    assert leads("difference") == ({"position": 0}, {"position": 0, "side": "b"}, [2])
    assert leads("b") == ({"position": 0, "side": "a"}, {"position": 0}, [len(pair[0].tokens) + 2])
    assert looked_at(pair, Selection(compare=OTHER, side="b")) is pair[1]
    assert looked_at(pair, Selection(compare=OTHER)) is pair[0]


def test_the_scale_is_set_by_the_tokens_that_count():
    peak = strips.peaks(np.array([[100.0, 0.0], [-3.0, 2.0], [0.0, 1.0]]))
    assert peak.tolist() == [100.0, -3.0, 1.0]


def test_the_inspector_looks_at_the_last_token_unless_one_is_locked(scope, pair):
    last = inspector.inspect(scope, pair[0], WORDS, None)
    assert any("the last token that counts; press another" in text for text in strings(last[0]))
    locked = inspector.inspect(scope, pair[0], WORDS, 3)
    assert any(text.startswith("position 3 · id") for text in strings(locked[0]))


def test_the_inspector_names_the_strongest_neuron_and_opens_it(scope, pair):
    values = pair[0].values[:, 5]
    layer, index = np.unravel_index(np.abs(values).argmax(), values.shape)
    shown = inspector.inspect(scope, pair[0], WORDS, 5)
    opened = [json.loads(props(b)["data-go"]) for part in shown for b in boxes(part)]
    raw = [step for step in opened if "neuron" in step]
    assert raw[0] == {"view": "neuron", "layer": int(layer), "neuron": int(index)}
    words = strings(shown[-1])
    assert {"Raw", "z", "Effect"} <= set(words)
    assert any(word.startswith("within this text") for word in words)


@pytest.fixture(scope="module")
def indexed(scope, tmp_path_factory):
    corpus = tmp_path_factory.mktemp("corpus") / "words.txt"
    corpus.write_text("\n".join([WORDS, OTHER] * 40))
    return scope.index(corpus, window=16)


def test_with_an_index_neurons_are_ranked_within_their_own_distribution(scope, pair, indexed):
    shown = inspector.inspect(scope, pair[0], WORDS, 5, index=indexed)
    raw, rare, effect = shown[-1].children
    total = indexed.histogram(Neuron(0, 0)).tokens
    assert [column.children[0].children for column in (raw, rare, effect)] == ["Raw", "Percentile", "Effect"]
    assert rare.children[1].children == f"lower on so many of {total:,} tokens"
    shares = np.stack([indexed.percentile(layer, pair[0].values[layer, 5].astype(float)) for layer in range(3)])
    opened = [json.loads(props(box)["data-go"]) for box in boxes(rare)]
    found = [shares[step["layer"], step["neuron"]] for step in opened]
    finest = 1 - 1 / total
    assert np.minimum(found, finest).tolist() == sorted(np.minimum(shares.ravel(), finest), reverse=True)[:10]
    assert inspector.percentile_text(found[0], total) in strings(rare)


def test_other_sites_have_no_percentiles(scope, indexed):
    read = scope.activations(WORDS, site="up")
    columns = inspector.inspect(scope, read, WORDS, 5, index=indexed)[-1].children
    assert [column.children[0].children for column in columns] == ["Raw", "z"]


def test_a_percentile_claims_no_more_than_the_corpus_can_tell():
    said = inspector.percentile_text
    assert said(1.0, 16_384) == "> 99.99%"
    assert said(0.99996, 58_914) == "99.99%"
    assert said(0.9997, 58_914) == "99.97%"
    assert said(0.5, 58_914) == "50.00%"
    assert (said(1.0, 1000), said(0.9985, 1000)) == ("> 99.9%", "99.8%")
    assert (said(1.0, 100), said(0.985, 100)) == ("> 99%", "98%")
    assert said(1.0, 20) == "> 95%"
    assert said(0.0, 0) == "> 0%"


def test_what_has_no_neurons_has_no_effects_and_opens_nothing(scope):
    read = scope.activations(WORDS, site="residual")
    shown = inspector.inspect(scope, read, WORDS, 5)
    assert "Effect" not in strings(shown[-1])
    assert [b for b in boxes(shown[-1]) if "data-go" in props(b)] == []


def test_a_press_on_a_cell_opens_the_neuron_at_its_token(pair):
    one, two = pair[:1], pair
    assert view._cell((4, 9), one, Selection(), 1) == {"view": "neuron", "layer": 1, "neuron": 9, "position": 4}
    assert view._cell((4, 9), one, Selection(site="residual"), 1) == {"position": 4, "layer": 1}
    assert view._cell((4, 9), two, Selection(compare=OTHER, side="b", position=1), 1)["position"] == 4
    assert view._cell((4, 9), two, Selection(compare=OTHER), 1)["position"] == 4


def test_only_the_sites_the_model_has_are_offered(scope, tmp_path):
    offered = strings(text_panels.settings(scope.card, Selection(), {}))
    workspace = Workspace(Settings(tmp_path / "c", tmp_path / "d", offline=True))
    gated = workspace.attach(llama(), tokenizer(), "gated").card
    sites = [option["value"] for option in text_panels.settings(gated, Selection(), {}).children[0].children[1].options]
    assert "gate" in sites
    plain = [
        option["value"] for option in text_panels.settings(scope.card, Selection(), {}).children[0].children[1].options
    ]
    assert "gate" not in plain
    assert offered
    workspace.close()


def test_of_an_encoder_the_inspector_shows_the_last_token_that_counts_and_no_next_one(workspace_of_an_encoder):
    read = workspace_of_an_encoder.activations("the cat sat on the mat")
    shown = inspector.inspect(workspace_of_an_encoder, read, "the cat sat on the mat", None)
    last = int(read.tokens.kept.nonzero()[0][-1])
    assert any(text.startswith(f"position {last} · id") for text in strings(shown[0]))
    assert any("predicts no next token" in text for text in strings(shown[1]))
    assert [column.children[0].children for column in shown[-1].children] == ["Raw", "z"]


@pytest.fixture
def workspace_of_an_encoder(tmp_path):
    opened = Workspace(Settings(tmp_path / "cache", tmp_path / "data", offline=True))
    yield opened.attach(of_type("bert"), tokenizer(), "encoder")
    opened.close()


def test_a_second_model_reads_the_same_text_and_its_difference_is_named(scope, tmp_path):
    other = scope.workspace.attach(gpt2(seed=1, n_inner=100), tokenizer(), "tuned")
    selection = Selection(text=WORDS, against=other.name)
    readings = Readings()
    a, b = read(readings, scope.workspace, scope, selection, "small")
    assert (a.source.model, b.source.model) == ("small", "tuned")
    np.testing.assert_array_equal(b.values, other.activations(WORDS).values)
    figure = pictures.heat([a, b], selection, 1, "light")
    assert "A small, B tuned" in figure.layout.meta["subtitle"]
    letters = [
        piece for piece in strings(strips.text_strips([a, b], selection, 1)) if piece in ("A", "B", "small", "tuned")
    ]
    assert letters == ["A", "small", "B", "tuned"]
    assert looked_at([a, b], selection.go(side="b")) is b
    swapped = read(readings, scope.workspace, scope, replace(selection, compare=OTHER), "small")
    assert [one.tokens.text for one in swapped] == [WORDS, OTHER]
    narrow = scope.workspace.attach(gpt2(n_inner=48), tokenizer(), "narrow")
    with pytest.raises(InputError, match="narrow has 3 layers of 48 neurons"):
        read(readings, scope.workspace, scope, Selection(text=WORDS, against=narrow.name), "small")


def test_models_of_the_same_shape_and_checkpoints_are_offered(scope, tmp_path):
    scope.workspace.attach(gpt2(seed=2, n_inner=100), tokenizer(), "twin")
    drifts = Drifts(tmp_path)
    offered = comparable(scope.workspace, scope, drifts)
    assert "twin" in offered
    assert "narrow" not in offered
    assert scope.name not in offered
    demo = comparable(scope.workspace, scope.workspace.scope("demo:stories"), drifts)
    assert demo["demo:stories/step-0400"] == "step-0400"
    nothing = text_panels.settings(scope.card, Selection(), offered).children[-1].children[1]
    assert (nothing.value, nothing.placeholder) == ("", "No other model")
    chosen = text_panels.settings(scope.card, Selection(against="elsewhere"), offered)
    assert chosen.children[-1].children[1].options[-1] == {"label": "elsewhere", "value": "elsewhere"}
