"""The Neuron view's corpus: facts, examples, n-grams, kin, notes, and the card as a file."""

import json

import numpy as np
import pytest
from dash import html

from neuronscope.app import corpora, neuron_corpus, neuron_head, neuron_text
from neuronscope.app.examples import example_list, folded, number
from neuronscope.app.neuron_card import as_html, as_json, card_of
from neuronscope.app.notes import LONGEST, Note, Notes
from neuronscope.app.selection import Selection
from neuronscope.errors import FileError, InputError
from neuronscope.figures import corpus_histogram, corpus_histogram_table
from neuronscope.scope import Workspace
from neuronscope.settings import Settings
from neuronscope.vocabulary import Example, Neuron
from tests.app.test_parts import boxes, props, walk

NEURON = Neuron(1, 20)


@pytest.fixture(scope="module", params=["demo:stories", "demo:stories-llama"])
def indexed(request, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    settings = Settings(home / "cache", home / "data", offline=True)
    workspace = Workspace(settings)
    scope = workspace.scope(request.param)
    yield scope, scope.index(corpora.generated(settings, 4000)(), tokens=4000)
    workspace.close()


def strings(part):
    return [piece for piece in walk(part) if isinstance(piece, str)]


def test_the_facts_are_those_of_the_index(indexed):
    _, index = indexed
    numbers = index.statistics().query("layer == 1 and neuron == 20").iloc[0]
    words = strings(html.Div(neuron_corpus.corpus_facts(index, NEURON)))
    assert {number(numbers["max"]), number(numbers["min"]), number(numbers["kurtosis"])} <= set(words)
    assert f"{numbers['frequency']:.1%}" in words
    assert index.progress in words


def test_the_senses_of_a_surveyed_neuron_stand_among_its_facts(indexed):
    scope, index = indexed
    assert "count them" in strings(neuron_corpus.senses(index, NEURON))
    table = scope.polysemanticity(index, layers=[NEURON.layer]).table
    own = table[table["neuron"] == NEURON.index]
    scored = own[own["verdict"] == "scored"]
    said = strings(neuron_corpus.senses(index, NEURON))[0]
    assert all(f"N_eff {effective:.1f}" in said for effective in scored["effective"])
    assert len(scored) or said == own["verdict"].iloc[0]


def test_a_neuron_of_which_nothing_comes_is_called_dead_and_one_that_never_rests_always_on(indexed, monkeypatch):
    _, index = indexed
    changed = index.store.statistics.copy()
    changed["positive"][index.row(NEURON)] = 0
    changed["positive"][index.row(Neuron(0, 0))] = 0.99
    monkeypatch.setattr(index.store, "statistics", changed)
    assert [text for text, _ in neuron_corpus.badges(index, NEURON)] == ["dead"]
    assert "always on" in [text for text, _ in neuron_corpus.badges(index, Neuron(0, 0))]


def test_examples_are_strongest_banded_random_and_negative_or_by_the_signs_of_the_gate(indexed):
    _, index = indexed
    titles = [part.children for made in neuron_corpus.examples(index, NEURON) for part in walk(made) if _is(part, "H2")]
    if index.manifest.gated:
        assert titles == ["Gate +, up +", "Gate −, up −", "Across its range", "Random", "Gate +, up −", "Gate −, up +"]
    else:
        assert titles == ["Strongest", "Across its range", "Random", "Most negative"]


def test_every_example_is_on_one_scale_and_a_true_zero_is_a_zero(indexed):
    _, index = indexed
    limit = neuron_corpus.limit_of(index, NEURON)
    top = index.examples(NEURON, 5)
    chips = [part for part in walk(example_list(top, limit)) if "chip" in str(getattr(part, "className", ""))]
    strengths = sorted((props(chip)["style"]["--strength"] for chip in chips), reverse=True)
    assert strengths[0] == round(min(top[0].value / limit, 1.0), 3)
    zero = Example("ab", ("a", "b"), np.array([0.0, 1.0]), 1, 1.0, 1, "x.txt, document 0", 1)
    assert "a\nvalue 0" in [getattr(part, "title", "") for part in walk(example_list([zero], 2.0))]


def test_tokens_whose_value_was_not_kept_say_so():
    one = Example("ab", ("a", "b"), np.array([np.nan, 1.0]), 1, 1.0, 1, "x.txt, document 0", 1)
    titles = [getattr(part, "title", "") for part in walk(example_list([one], 2.0))]
    assert "values not kept" in titles
    assert "b\nvalue 1" in titles


def test_contexts_that_say_the_same_are_folded_behind_the_first():
    def one(words, position):
        tokens = tuple(words.split())
        return Example(words, tokens, np.ones(len(tokens)), len(tokens) - 1, 1.0, position, "x, document 1", 0)

    groups = folded([one("the red ball", 1), one("a dog", 2), one("the red ball", 3)])
    assert [[example.position for example in group] for group in groups] == [[1, 3], [2]]
    words = strings(example_list([one("the red ball", 1), one("the red ball", 3)], 1.0))
    assert "1 that says the same" in words


def test_the_ngrams_lead_to_the_search_view_with_the_neuron(indexed):
    _, index = indexed
    made = neuron_corpus.ngrams(index.reverse_query(NEURON).table, index, NEURON)
    (way,) = [part for part in boxes(made) if "data-go" in props(part)]
    wanted = {"view": "search", "ask": "neuron", "neurons": None, "layer": 1, "neuron": 20}
    assert json.loads(props(way)["data-go"]) == wanted
    assert index.reverse_query(NEURON).table["ngram"].iloc[0] in strings(made)


def test_the_nearest_neurons_are_those_of_the_index(indexed):
    _, index = indexed
    names = [str(other) for other, _ in index.nearest(NEURON, neuron_corpus.KIN)]
    assert [word for word in strings(neuron_corpus.kin(index, NEURON)) if word in names] == names


def test_the_histogram_of_the_corpus_counts_what_the_index_counted(indexed):
    _, index = indexed
    counted = index.histogram(NEURON)
    numbers = index.store.statistics[index.row(NEURON)]
    low, high = float(numbers["min"]), float(numbers["max"])
    table = corpus_histogram_table(counted, low, high)
    assert table["count"].sum() == counted.tokens
    assert (table["density"] * (table["high"] - table["low"])).sum() == pytest.approx(1.0)
    assert (table["low"].iloc[0], table["high"].iloc[-1]) == (pytest.approx(low), pytest.approx(high))
    for mode in ("light", "dark"):
        figure = corpus_histogram(
            counted, low, high, marker=0.5, name="L1.N20", source=index.source, corpus=index.progress, mode=mode
        )
        assert figure.layout.meta["precision"] == "float32"
        assert index.progress in figure.layout.meta["subtitle"]
        assert figure.layout.shapes[0].x0 == 0.5


def test_the_users_text_is_coloured_and_marked_on_the_scale_of_the_corpus(indexed):
    scope, index = indexed
    read = scope.activations("The old dog slept in the garden.")
    words = strings(neuron_text.strip(read, NEURON, Selection(), "a-plot", index))
    assert f"+{neuron_corpus.limit_of(index, NEURON):.3g}" in words
    figure = neuron_text.distribution(read, NEURON, 3, "light", index)
    assert figure.layout.shapes[0].x0 == pytest.approx(float(read.neuron(NEURON)[3]))
    assert index.row(NEURON) is not None
    assert "in the corpus · " in strings(neuron_head.head(scope.card, read, NEURON, index))


def test_the_card_is_kept_as_json_and_as_a_page_that_fetches_nothing(indexed):
    scope, index = indexed
    found = card_of(scope.card, NEURON, index, scope.weights(NEURON), Note("a <b>label</b>", "and a note"))
    read = json.loads(as_json(found))
    assert read["statistics"]["max"] == pytest.approx(float(index.store.statistics["max"][index.row(NEURON)]))
    assert set(read["examples"]) == set(index.cases)
    assert read["corpus"]["seen"] == index.manifest.seen
    page = as_html(found)
    assert "&lt;b&gt;label" in page
    assert "<b>label" not in page
    assert not any(word in page for word in ("<script", "src=", "url(", "http:", "https:", "@import"))
    bare = json.loads(as_json(card_of(scope.card, NEURON, None, scope.weights(NEURON), Note())))
    assert "corpus" not in bare
    assert bare["weights"]["promotes"]


def test_the_link_is_the_neurons_own():
    assert neuron_head.link_of(Selection(text="hello", position=3, model="demo:stories"), NEURON) == (
        "?view=neuron&model=demo%3Astories&layer=1&neuron=20"
    )


def test_notes_outlive_the_process_and_belong_to_one_neuron_of_one_model(tmp_path):
    Notes(tmp_path).write("gpt2", "abc", NEURON, Note("commas", "also ;"))
    again = Notes(tmp_path)
    assert again.of("gpt2", "abc", NEURON) == Note("commas", "also ;")
    assert again.of("gpt2", "abc", Neuron(1, 21)) == Note()
    assert again.of("gpt2", "other", NEURON) == Note()
    again.write("gpt2", "abc", NEURON, Note("  ", ""))
    assert again.of("gpt2", "abc", NEURON) == Note()


def test_a_note_that_is_too_long_or_a_file_that_is_none_is_said(tmp_path):
    with pytest.raises(InputError, match="20,000 characters"):
        Notes(tmp_path).write("gpt2", "abc", NEURON, Note("", "x" * (LONGEST + 1)))
    (tmp_path / "notes.sqlite").write_text(
        "this is not a database, but a text that is long enough to be refused as one"
    )
    with pytest.raises(FileError, match="Notes cannot be kept"):
        Notes(tmp_path).of("gpt2", "abc", NEURON)


def _is(part, kind):
    return type(part).__name__ == kind
