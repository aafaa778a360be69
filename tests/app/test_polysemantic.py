"""The Polysemantic view: from a survey to its table, from a neuron to the cards of its senses."""

import json
import threading

import numpy as np
import pytest

from neuronscope.app import polysemantic_cards, polysemantic_panels, polysemantic_rows
from neuronscope.app.polysemantic_cards import Looked
from neuronscope.app.polysemantic_surveys import Surveyed, Surveys, begins_itself
from neuronscope.demo import planted as truth_of
from neuronscope.jobs import Cancelled, running
from neuronscope.vocabulary import Neuron
from tests.app.test_parts import walk
from tests.figures.senses import planted, survey, unscored
from tests.texts_for_tests import written

TRUTH = truth_of.build()
TWO = Neuron(0, 2)
"""A neuron on which two unrelated groups of words were planted."""


@pytest.fixture(scope="module")
def scope(workspace):
    return workspace.attach(TRUTH.network, TRUTH.tokenizer, "planted")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return written(tmp_path_factory.mktemp("corpus"), truth_of.corpus())


@pytest.fixture(scope="module")
def fresh(scope, corpus, tmp_path_factory):
    """An index that has not been surveyed."""
    return scope.index(corpus, tmp_path_factory.mktemp("fresh") / "index")


@pytest.fixture(scope="module")
def index(scope, corpus, tmp_path_factory):
    """An index that has been surveyed."""
    index = scope.index(corpus, tmp_path_factory.mktemp("surveyed") / "index")
    Surveys().take(scope, index)
    return index


def words(part):
    return " ".join(piece for one in (part if isinstance(part, list) else [part]) for piece in walk(one)
                    if isinstance(piece, str))  # fmt: skip


def named(part, name):
    return [one for one in walk(part) if name in str(getattr(one, "className", "")).split()]


def test_what_is_not_surveyed_is_said_with_its_cost_and_a_single_neuron_is_found_at_once(scope, fresh):
    surveys = Surveys()
    surveyed = surveys.of(fresh)
    assert (surveyed.layers, surveyed.of, surveyed.whole) == (0, fresh.manifest.layers, False)
    said = words(polysemantic_panels.survey_head(surveyed, scope.card, fresh))
    assert f"{fresh.manifest.neurons * fresh.manifest.layers:,} neurons" in said
    assert "roughly" in said
    poly = surveys.neuron(scope, fresh, TWO)
    assert surveys.neuron(scope, fresh, TWO) is poly
    head = words(polysemantic_cards.neuron_head(Looked(poly, TWO, "+"), surveys.geometry(scope, 0)))
    assert "windows that the index has kept" in head
    assert "weighs weaker senses fairly" in head
    assert polysemantic_panels.CAUTION in head
    assert "not what they mean" in head


def test_what_was_surveyed_is_read_once_and_again_when_more_is_kept(scope, index):
    surveys = Surveys()
    surveyed = surveys.of(index)
    assert surveyed.whole
    assert surveys.of(index) is surveyed
    assert surveys.neuron(scope, index, TWO) is surveyed.poly
    (index.store.folder / "derived" / "another").touch()
    assert surveys.of(index) is not surveyed


def test_the_rows_are_the_table_in_its_order(index):
    surveyed = Surveys().of(index)
    table, columns = surveyed.poly.table, surveyed.rows.columns
    assert columns["neuron"].tolist() == table["neuron"].tolist()
    for name in ("effective", "senses", "half_a", "half_b"):
        assert columns[name] == pytest.approx(table[name].to_numpy(), nan_ok=True)
    named = dict(zip(columns["neuron"].tolist(), columns["words"], strict=True))
    for neuron, said in named.items():
        found = surveyed.poly.senses(Neuron(0, neuron))
        modes = int(surveyed.poly.of(Neuron(0, neuron))["modes"]) if found else 0
        expected = [" ".join(token for token, _ in sense.tokens[:2]) for sense in found[: min(modes, 3)]]
        heavy = [[share for _, share in sense.tokens[:3]] for sense in found[: min(modes, 3)]]
        if all(len(set(np.round(shares, 5))) == len(shares) for shares in heavy):  # else either may come first
            assert said.removesuffix(" …") == " | ".join(expected)


def test_the_table_ranks_the_confirmed_the_scored_or_all():
    poly = survey(
        planted((50, 50), neuron=0),
        planted((40, 30, 30), neuron=1, confirmed=False),
        planted((100,), neuron=2, confirmed=False),
        unscored("dense", neuron=3),
    )
    rows = Surveyed(poly, 1, 1).rows
    assert [rows.columns["neuron"][rows.among(which)].tolist() for which in ("confirmed", "scored", "all")] == [
        [0],
        [1, 0, 2],
        [1, 0, 2, 3],
    ]
    assert rows.first("confirmed") == (Neuron(0, 0), "+")
    assert rows.first("all") == (Neuron(0, 1), "+")
    assert rows.counts() == {"scored": 3, "dense": 1, "too little evidence": 0, "never fires": 0}
    said = words(polysemantic_panels.ranked_head(Surveyed(poly, 1, 1), "confirmed", 1))
    assert "1 of 4 neurons" in said
    assert "1 dense" in said
    assert "1,000 tokens" in said


def test_a_table_without_confirmed_neurons_looks_at_the_first_that_was_scored():
    rows = Surveyed(survey(unscored("dense"), planted((100,), neuron=5, confirmed=False)), 1, 1).rows
    assert rows.first("confirmed") == (Neuron(0, 5), "+")
    assert "Look among those" in polysemantic_panels.nothing("confirmed")
    assert Surveyed(survey(np.zeros(0, planted().dtype)), 0, 1).rows.first("all") is None


def test_either_side_of_zero_is_a_row_of_its_own():
    poly = survey(planted((60, 40)), planted((40, 30, 30), sign=-1))
    surveyed = Surveyed(poly, 1, 1)
    assert surveyed.rows.first("confirmed") == (Neuron(0, 0), "-")
    assert "2 of 2 sides of 1 neurons" in words(polysemantic_panels.ranked_head(surveyed, "all", 2))
    assert len(Looked(poly, Neuron(0, 0), "-").senses) == 3
    assert len(Looked(poly, Neuron(0, 0), "+").senses) == 2


def test_senses_are_named_by_their_heaviest_tokens_and_a_fourth_by_dots():
    record = planted((40, 30, 20, 10))
    record["positions"][0, 0] = 25  # one context of the first sense on another token
    rows = Surveyed(survey(record, planted((100,), neuron=1), unscored("dense", neuron=2)), 1, 1).rows
    assert rows.columns["words"].tolist() == ["t0 t5 | t1 | t2 …", "t0", ""]


def test_what_travels_is_small_and_can_be_written_as_json(index):
    surveyed = Surveys().of(index)
    data = polysemantic_rows.packed(surveyed.rows, "all", index, surveyed.poly.tokens)
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert len({len(column) for column in data["columns"].values()}) == 1
    assert data["same"]["tokens"] == surveyed.poly.tokens
    assert data["same"]["model"] == "planted"
    count = len(data["columns"]["layer"])
    many = Surveyed(survey(*(planted((60, 40), i % 12, i) for i in range(2000))), 12, 12).rows
    assert len(json.dumps(polysemantic_rows.packed(many, "all", index, 1))) < 2000 * 100
    assert count == len(surveyed.poly.records)


def test_the_verdict_and_the_sign_stand_in_the_table_where_they_differ():
    def seen(columns):
        return {column["field"] for column in columns if not column["hide"]}

    few = seen(polysemantic_rows.columns("confirmed", gated=False))
    assert seen(polysemantic_rows.columns("all", gated=True)) - few == {"verdict", "sign"}
    fields = {column["field"] for column in polysemantic_rows.columns("confirmed", gated=False)}
    assert {"verdict", "sign", "layer", "neuron", "model", "tokens"} <= fields


def test_each_sense_has_a_card_with_its_share_tokens_and_examples(scope, index):
    surveys = Surveys()
    looked = Looked(surveys.neuron(scope, index, TWO), TWO, "+")
    positions = polysemantic_cards.positions_shown(looked, [])
    assert len(positions) == 2 * polysemantic_cards.FIRST
    examples = {one.position: one for one in surveys.contexts(scope, index, TWO, positions)}
    assert surveys.contexts(scope, index, TWO, positions)[0] is examples[positions[0]]
    values = dict(zip(looked.senses[0].positions.tolist(), looked.senses[0].values.tolist(), strict=True))
    assert examples[positions[0]].value == pytest.approx(values[positions[0]], rel=1e-3)
    shown = polysemantic_cards.cards(looked, examples, [], 1.0, "light")
    assert len(shown) == 2
    for card, sense in zip(shown, looked.senses, strict=True):
        said = words(card)
        assert f"{sense.share:.0%}" in said
        assert "separation" in said
        assert sense.tokens[0][0] in said
        assert len(named(card, "example")) == polysemantic_cards.FIRST
        assert all(np.isfinite(one.value) for one in examples.values())
    more = polysemantic_cards.positions_shown(looked, [1])
    assert len(more) == polysemantic_cards.FIRST + min(polysemantic_cards.MORE, len(looked.senses[1].positions))


def test_smaller_ways_to_fire_are_folded_and_open_where_there_is_nothing_else():
    looked = Looked(survey(planted((60, 30, 5, 5))), Neuron(0, 0), "+")
    *_cards, smaller = polysemantic_cards.cards(looked, {}, [], 1.0, "light")
    assert "And 2 smaller ways to fire, together 10%" in words(smaller)
    assert smaller.children.open is False
    many = Looked(survey(planted((5,) * 20)), Neuron(0, 0), "+")
    [smaller] = polysemantic_cards.cards(many, {}, [], 1.0, "light")
    assert smaller.children.open is True
    assert "and 8 smaller still" in words(smaller)


def test_shares_are_drawn_to_scale_and_a_neuron_without_says_why():
    bar = polysemantic_cards.shares(Looked(survey(planted((60, 30, 5, 5))), Neuron(0, 0), "+"), "dark")
    assert [piece.style["width"] for piece in bar.children] == ["60.00%", "30.00%", "10.00%"]
    dense = polysemantic_cards.shares(Looked(survey(unscored("dense")), Neuron(0, 0), "+"), "light")
    assert "more than half" in words(dense)


def test_a_demo_model_begins_by_itself_once_its_index_is_whole(workspace, scope, corpus, index, fresh):
    surveys = Surveys()
    demo = workspace.attach(TRUTH.network, TRUTH.tokenizer, "demo:planted")
    assert begins_itself(demo, fresh, surveys.of(fresh))
    assert not begins_itself(scope, fresh, surveys.of(fresh))
    assert not begins_itself(demo, index, surveys.of(index))


def test_a_second_survey_waits_for_the_first_and_can_be_cancelled_while_it_waits(scope, fresh):
    class Impatient:
        def check(self):
            raise Cancelled

        def report(self, progress):
            pass

    surveys, inside, done = Surveys(), threading.Event(), threading.Event()

    def first():
        with surveys._turn():
            inside.set()
            done.wait(10)

    thread = threading.Thread(target=first)
    thread.start()
    inside.wait(10)
    with running(Impatient()), pytest.raises(Cancelled):
        surveys.take(scope, fresh)
    done.set()
    thread.join(10)
    assert surveys.of(fresh).layers == 0
