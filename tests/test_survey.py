"""Surveys of polysemanticity: what was planted is found, on whole layers and from what an index has kept."""

import copy
import threading
from dataclasses import replace

import numpy as np
import pytest

from neuronscope.demo import planted
from neuronscope.demo.world import documents
from neuronscope.errors import InputError, NoSuchNeuron, OtherIndex
from neuronscope.jobs import Cancelled, running
from neuronscope.survey import surveyed
from neuronscope.vocabulary import Neuron
from tests.models_for_tests import gpt2, llama, tokenizer
from tests.texts_for_tests import written

TRUTH = planted.build()
JUDGED = [one for one in TRUTH.neurons if one.senses and one.kind is not planted.Kind.POSITION]


@pytest.fixture(scope="module")
def scope(workspace):
    return workspace.attach(TRUTH.network, TRUTH.tokenizer, "planted")


@pytest.fixture(scope="module")
def index(scope, tmp_path_factory):
    folder = tmp_path_factory.mktemp("planted")
    return scope.index(written(folder, planted.corpus()), folder / "index")


@pytest.fixture(scope="module")
def whole(scope, index):
    return scope.polysemanticity(index)


def test_planted_numbers_of_senses_are_found_with_their_words(whole):
    for one in JUDGED:
        row = whole.table[whole.table["neuron"] == one.index].iloc[0]
        assert row["verdict"] == "scored"
        assert row["effective"] == pytest.approx(one.senses, abs=0.1)
        assert row["senses"] == one.senses
        assert row["confirmed"] == (one.senses > 1)
        found = whole.senses(Neuron(0, one.index))
        assert sum(sense.share for sense in found) == pytest.approx(1)
        if one.kind in (planted.Kind.WORD, planted.Kind.TWO_SENSES, planted.Kind.THREE_SENSES):
            assert {token for sense in found for token, _ in sense.tokens} <= set(one.words)
    colours, food = whole.senses(Neuron(0, 2))
    groups = [{token for token, _ in sense.tokens} for sense in (colours, food)]
    assert sorted(groups, key=sorted) == sorted(
        (set(planted.GROUPS["colours"]), set(planted.GROUPS["food"])), key=sorted
    )
    assert colours.separation > 0.8


def test_dead_and_always_on_neurons_are_not_scored(whole):
    verdicts = dict(zip(whole.table["neuron"], whole.table["verdict"], strict=True))
    assert (verdicts[6], verdicts[8], verdicts[9]) == ("never fires", "dense", "dense")
    assert whole.senses(Neuron(0, 6)) == []


def test_contexts_are_where_they_are_said_to_be(whole, index, scope):
    example = index.contexts(whole.senses(Neuron(0, 3))[0].positions[:5])
    measured = scope.contexts(index, Neuron(0, 3), example)
    values = [one.values[one.peak] for one in measured]
    assert values == pytest.approx(whole.senses(Neuron(0, 3))[0].values[:5].tolist(), rel=2e-3)


def test_what_was_surveyed_is_kept_and_read_without_a_model(scope, index, whole):
    kept = surveyed(index)
    assert kept.tokens == whole.tokens > 10_000
    assert kept.table.equals(whole.table)
    files = {path: path.stat().st_mtime_ns for path in (index.store.folder / "derived").iterdir()}
    assert scope.polysemanticity(index).table.equals(whole.table)
    assert {path: path.stat().st_mtime_ns for path in files} == files


def test_another_number_of_tokens_is_another_survey(scope, index):
    assert len(surveyed(index, tokens=2000).table) == 0
    fewer = scope.polysemanticity(index, tokens=2000)
    assert 2000 <= fewer.tokens < 2100
    assert len(surveyed(index, tokens=2000).table) == 32


def test_one_neuron_is_looked_at_in_the_contexts_of_the_index(scope, index):
    found = scope.polysemanticity(index, [Neuron(0, one.index) for one in JUDGED])
    table = found.table.set_index("neuron")
    assert set(table["source"]) == {"windows of the index"}
    for one in JUDGED:
        assert table.loc[one.index, "verdict"] == "scored"
        # The strongest windows hold the strongest sense for certain, and the others by chance.
        assert 0.75 * one.senses < table.loc[one.index, "effective"] < one.senses + 0.1
        assert table.loc[one.index, "senses"] == one.senses
    with pytest.raises(NoSuchNeuron):
        scope.polysemanticity(index, [Neuron(0, 99)])
    assert scope.polysemanticity(index, []).table.empty


def test_an_index_that_has_only_been_begun_is_not_asked_for_senses(scope, index, tmp_path):
    begun = copy.copy(index)
    begun.store = copy.copy(index.store)
    begun.store.manifest = replace(index.manifest, shards=index.manifest.shards + 9, seen=900)
    begun.store.sampled, begun.store.inputs = index.store.sampled[:40], index.store.inputs[:, :40]
    neuron = Neuron(0, 2)
    for ask in (
        lambda: scope.polysemanticity(begun, [neuron]),
        lambda: scope.polysemanticity(begun, tokens=1234),
        lambda: scope.uses(begun, neuron, "red"),
    ):
        with pytest.raises(InputError, match=r"900 of .* and 40 of those it samples"):
            ask()


def test_gated_neurons_are_looked_at_on_both_sides(workspace, tmp_path):
    scope = workspace.attach(llama(), tokenizer(), "gated")
    words = scope.tokens("the cat sat on the mat").text
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice([word.strip() for word in words if word.strip()], 20)) for _ in range(80)]
    index = scope.index(written(tmp_path, texts), tmp_path / "index")
    table = scope.polysemanticity(index, layers=[1]).table
    assert set(table["layer"]) == {1}
    assert len(table) == 2 * scope.card.neurons
    assert sorted(scope.polysemanticity(index, [Neuron(1, 3)]).table["sign"]) == ["+", "-"]


def test_a_word_of_one_use_has_one_and_one_that_does_not_fire_has_none(scope, index):
    both = Neuron(0, 2)
    red = scope.uses(index, both, "red")
    assert (red.token, int(red.of(both)["modes"])) == (index.token("red"), 1)
    assert list(red.table["source"]) == ["occurrences of red"]
    assert {token for sense in red.senses(both) for token, _ in sense.tokens} == {"red"}
    assert list(scope.uses(index, both, "cat").table["verdict"]) == ["never fires"]
    with pytest.raises(InputError, match="not one token"):
        scope.uses(index, both, "nowhere")
    with pytest.raises(InputError, match="does not occur"):
        scope.uses(index, both, 0)


@pytest.fixture(scope="module")
def sentences(workspace, tmp_path_factory):
    """Sentences with words of two uses, an index of them by the demo model, and which use each word is in.

    The neurons that are asked about them below were chosen on those of seed 11, for telling the uses apart best.
    """
    folder, found = tmp_path_factory.mktemp("senses"), []
    for document in documents(seed=12, count=1200, kinds=("senses",)):
        found.append(document)
    demo = workspace.scope("demo:stories")
    index = demo.index(written(folder, [one.text for one in found]), folder / "index")
    ends = {(i, span.end): span.sense for i, one in enumerate(found) for span in one.spans if span.sense}
    return demo, index, ends


@pytest.mark.parametrize(
    ("word", "neuron", "uses"),
    [
        ("spring", Neuron(1, 373), {"season", "water"}),
        ("ring", Neuron(3, 217), {"jewel", "sound"}),
    ],
)
def test_a_word_with_two_unrelated_uses_separates_into_them(sentences, word, neuron, uses):
    demo, index, ends = sentences
    corpus = index.store.corpus
    found = demo.uses(index, neuron, f" {word}")
    record = found.of(neuron)
    positions = record["positions"][: int(record["contexts"])].tolist()
    places = [corpus.place(position) for position in positions]
    truth = [ends[place.document, place.character + len(f" {word}")] for place in places]
    assert set(truth) == uses
    assert (int(record["modes"]), bool(record["confirmed"])) == (2, True)
    labels = record["labels"][: len(truth)].tolist()
    for use in range(2):
        own = [truth[i] for i, label in enumerate(labels) if label == use]
        assert max(map(own.count, uses)) >= 0.95 * len(own)
    firsts = {max(uses, key=[truth[i] for i, label in enumerate(labels) if label == use].count) for use in range(2)}
    assert firsts == uses


@pytest.mark.parametrize("whole", [True, False])
def test_a_model_beside_itself_has_as_many_ways_to_fire(sentences, whole):
    demo, index, _ends = sentences
    neurons = [Neuron(1, number) for number in (7, 115, 217, 274, 373)]
    poly = demo.polysemanticity(index, layers=[1], tokens=30_000) if whole else demo.polysemanticity(index, neurons)
    both, scored = demo.beside(index, demo), [neuron for neuron in neurons if poly.senses(neuron)]
    assert len(scored) >= 4
    for neuron in scored:
        found, record = both.senses(poly, neuron), poly.of(neuron)
        assert found.found.effective == pytest.approx(float(record["effective"]), rel=1e-3)
        assert found.found.modes == record["modes"]
        assert found.kept() == pytest.approx(1, abs=1e-3)


def test_what_another_model_reads_on_the_sample_is_kept_beside_the_index(sentences):
    demo, index, _ends = sentences
    poly = demo.polysemanticity(index, [Neuron(1, 373), Neuron(0, 7)])
    other = demo.workspace.scope("demo:stories", precision="bfloat16")
    both = demo.beside(index, other)
    first = both.senses(poly, Neuron(1, 373)).found.effective
    folder = index.store.folder / "derived"
    kept = {path: path.stat().st_mtime_ns for path in folder.glob("inputs-*.npz")}
    assert len(kept) >= 2
    assert both.senses(poly, Neuron(1, 373)).found.effective == first
    both.senses(poly, Neuron(0, 7))
    assert {path: path.stat().st_mtime_ns for path in folder.glob("inputs-*.npz")} == kept


def test_the_index_of_another_model_is_refused(workspace, index):
    other = workspace.attach(gpt2(), tokenizer(), "other")
    with pytest.raises(OtherIndex):
        other.polysemanticity(index)


def test_a_layer_that_there_is_not_is_named(scope, index):
    with pytest.raises(NoSuchNeuron, match="layers 0 to 0"):
        scope.polysemanticity(index, layers=[3])


def test_a_cancelled_survey_keeps_the_layers_that_are_done(workspace, tmp_path):
    scope = workspace.attach(gpt2(), tokenizer(), "cancelled")
    words = [word.strip() for word in scope.tokens("the cat sat on the mat").text if word.strip()]
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(words, 20)) for _ in range(80)]
    index = scope.index(written(tmp_path, texts), tmp_path / "index")
    stop = threading.Event()

    class Listener:
        def check(self):
            if stop.is_set():
                raise Cancelled

        def report(self, progress):
            if progress.label.startswith("Layer 1"):
                stop.set()

    with pytest.raises(Cancelled), running(Listener()):
        scope.polysemanticity(index)
    assert set(surveyed(index).table["layer"]) == {0}
