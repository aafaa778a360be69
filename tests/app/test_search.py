"""The Search view: from the address to a query, and from an answer to what is shown of it."""

import json

import numpy as np
import pytest

from neuronscope.app import search_contexts, search_panels, search_tables, searching
from neuronscope.app.search_responders import answered, everywhere
from neuronscope.app.searching import Answers, Asked
from neuronscope.app.selection import Selection
from neuronscope.errors import InputError, NoSuchNeuron
from neuronscope.ngrams import occurrences
from neuronscope.vocabulary import Neuron
from tests.app.test_parts import boxes, props, walk
from tests.models_for_tests import WORDS, gpt2, tokenizer
from tests.texts_for_tests import written


@pytest.fixture(scope="module")
def scope(workspace):
    return workspace.attach(gpt2(), tokenizer(), "small")


@pytest.fixture(scope="module")
def index(scope, tmp_path_factory):
    rng = np.random.default_rng(0)
    words = [" ".join(rng.choice(WORDS[1:], 30)) for _ in range(60)]
    return scope.index(written(tmp_path_factory.mktemp("corpus"), words))


def strings(part):
    return [piece for piece in walk(part) if isinstance(piece, str)]


def test_names_of_a_group_are_separated_by_anything_and_count_once():
    assert searching.named(" L0.N3, l1.n2;L0.N3\nL2.N0") == (Neuron(0, 3), Neuron(1, 2), Neuron(2, 0))
    assert searching.named("") == ()
    with pytest.raises(NoSuchNeuron, match="cat"):
        searching.named("L0.N3 cat")
    with pytest.raises(InputError, match="256 at most"):
        searching.named(" ".join(f"L0.N{i}" for i in range(257)))


def test_the_query_is_of_the_group_else_of_the_chosen_neuron_else_of_the_most_peaked(index):
    assert searching.query_of(Selection(neurons="L0.N3 L1.N2", layer=2, neuron=1), index).neurons == (
        Neuron(0, 3),
        Neuron(1, 2),
    )
    assert searching.query_of(Selection(layer=2, neuron=1, sign="-", longest=2, skips="no"), index) == Asked(
        (Neuron(2, 1),), "-", 2, False
    )
    statistics = index.statistics()
    most = statistics.loc[statistics["kurtosis"].idxmax()]
    assert searching.query_of(Selection(), index).neurons == (Neuron(int(most["layer"]), int(most["neuron"])),)


def test_a_neuron_that_the_model_has_not_is_refused_by_name(index):
    with pytest.raises(NoSuchNeuron, match=r"L7\.N1"):
        searching.query_of(Selection(neurons="L7.N1"), index)
    with pytest.raises(InputError, match="1 to 5 tokens, and 6"):
        searching.query_of(Selection(longest=6), index)


def test_an_n_gram_survives_the_address(index):
    ids = sorted(index.shown)[:2]
    for pattern in ((ids[0],), (ids[0], None, ids[1]), (ids[1], None)):
        assert searching.pattern_of(searching.spelled(pattern), index) == pattern
    for wrong in ("", "cat", "*.3", "1.2.3.4.5.6"):
        with pytest.raises(InputError, match="ngram"):
            searching.pattern_of(wrong, index)
    with pytest.raises(InputError, match="does not hold"):
        searching.pattern_of("99999", index)


def test_what_was_measured_takes_the_place_of_what_the_index_knows(scope, index):
    answers, query = Answers(), Asked((Neuron(1, 4),), "+", 2, True)
    known = answers.query(index, query)
    assert answers.query(index, query) is known
    assert not answers.is_measured(index, query)
    measured = answers.measure(scope, index, query)
    assert answers.query(index, query) is measured
    assert answers.is_measured(index, query)
    assert measured.exact.sum() >= known.exact.sum()
    assert not answers.is_measured(index, Asked((Neuron(1, 4),), "-", 2, True))


def test_seldom_rows_are_left_out_with_what_is_known_of_them(index):
    result = index.reverse_query(Neuron(1, 4))
    least = int(result.table["count"].median()) + 1
    shown = searching.arranged(result, least)
    assert 0 < len(shown.table) < len(result.table)
    assert (shown.table["count"] >= least).all()
    assert len(shown.exact) == len(shown.table)
    assert searching.arranged(result).table.equals(result.table)


def test_rows_are_ordered_by_the_share_of_firings_they_explain(index):
    result = index.reverse_query(Neuron(1, 4))
    shown = searching.arranged(result, 1, "share")
    assert list(shown.table["share"]) == sorted(result.table["share"], reverse=True)
    assert list(shown.table["share"]) != list(result.table["share"])
    whole = dict(zip(result.table["tokens"], result.exact, strict=True))
    assert [whole[pattern] for pattern in shown.table["tokens"]] == list(shown.exact)


def test_what_was_run_alone_stands_beside_its_n_grams(scope, index):
    answers, query = Answers(), Asked((Neuron(1, 4),), "+", 2, True)
    assert answers.checked(index, query) is None
    alone = answers.check(scope, index, query)
    assert answers.checked(index, query) is alone
    result = searching.arranged(answers.query(index, query), 2, "share")
    columns, rows = search_tables.ngrams(result, index, alone)
    titles = [column.get("headerName") for column in columns]
    assert {"Alone", "Kept"} <= set(titles)
    did = dict(zip(alone.patterns, zip(alone.activation, alone.fires, strict=True), strict=True))
    assert [(row["alone"], row["fires"]) for row in rows] == [did[pattern] for pattern in result.table["tokens"]]
    assert {row["alone_after"] for row in rows} == {"<|endoftext|>"}
    head = search_panels.query_head(result, measured=False, alone=alone)
    fire = sum(row["fires"] for row in rows)
    assert f"{fire} of {len(rows)} fire alone" in " ".join(text for part in head for text in strings(part))
    said = " ".join(strings(search_panels.legend(result, alone, "share")))
    assert "after <|endoftext|>" in said
    assert "explains; the order of the table" in said
    answers.measure(scope, index, query)
    assert answers.checked(index, query) is None


@pytest.mark.parametrize(("least", "place"), [(0, 0), (1, 0), (2, 1), (4, 1), (5, 2), (100, 6), (5000, 6)])
def test_a_least_count_stands_at_the_mark_that_is_not_above_it(least, place):
    assert search_panels.place_of(least) == place


def test_a_table_says_what_its_numbers_are_of_and_only_a_group_agrees(index):
    one = index.reverse_query(Neuron(1, 4))
    columns, rows = search_tables.ngrams(one, index)
    assert [row["ids"] for row in rows] == [searching.spelled(pattern) for pattern in one.table["tokens"]]
    assert {row["model"] for row in rows} == {"small"}
    assert {row["tokens_seen"] for row in rows} == {index.manifest.seen}
    assert {row["precision"] for row in rows} == {"float32"}
    assert all(json.dumps(row) for row in rows)
    shown = [column["headerName"] for column in columns if not column.get("hide")]
    assert "Agree" not in shown
    group, _ = search_tables.ngrams(index.reverse_query([Neuron(1, 4), Neuron(2, 3)]), index)
    assert "Agree" in [column.get("headerName") for column in group]


def test_the_head_opens_its_neurons_and_says_whether_the_model_was_run(index):
    result = index.reverse_query([Neuron(1, 4), Neuron(2, 3)], sign="-")
    head = search_panels.query_head(result, measured=False)
    opened = [json.loads(props(box)["data-go"]) for part in head for box in boxes(part)]
    assert opened == [{"view": "neuron", "layer": 1, "neuron": 4}, {"view": "neuron", "layer": 2, "neuron": 3}]
    words = " ".join(text for part in head for text in strings(part))
    assert "without running the model" in words
    assert "minus the activation" in words
    again = search_panels.query_head(result, measured=True)
    assert "measured by running the model" in " ".join(text for part in again for text in strings(part))


def test_contexts_end_with_the_n_gram_and_are_measured_strongest_first(scope, index):
    token = index.token("cat")
    found = search_contexts.contexts_of(scope, index, Neuron(1, 4), (token,), "+", 1.0)
    assert found.total == len(occurrences(index.store.corpus.ids, index.windows, (token,)))
    assert len(found.rows) == min(found.total, search_contexts.MOST)
    assert {row.tokens[row.peak] for row in found.rows} == {index.shown[token]}
    known = {one.position: one.value for one in index.examples(Neuron(1, 4), 50)}
    both = [(row.value, known[row.position]) for row in found.rows if row.position in known]
    np.testing.assert_allclose(*zip(*both, strict=True), rtol=1e-4)
    values = [row.value for row in found.rows]
    assert values == sorted(values, reverse=True)
    below = search_contexts.contexts_of(scope, index, Neuron(1, 4), (token,), "-", 1.0)
    assert [row.value for row in below.rows] == values[::-1]


def test_what_firing_does_not_take_is_dimmed_and_said(scope, index):
    neuron = Neuron(1, 4)
    query = index.reverse_query(neuron, n=(1, 2))
    pattern, [threshold] = query.table["tokens"].iloc[0], query.thresholds
    found = search_contexts.contexts_of(scope, index, neuron, pattern, "+", threshold)
    assert [row.value >= threshold for row in found.rows] == list(found.firing)
    assert [one is not None for one in found.needed] == list(found.firing)
    assert 0 < sum(found.firing) < len(found.rows)
    listed = search_contexts.contexts_list(found, 1.0)
    boxes = [part for part in walk(listed) if "token" in str(getattr(part, "className", "")).split()]
    assert any("unneeded" in box.className for box in boxes)
    assert not any("unneeded" in box.className for box in boxes if "peak" in box.className)
    peaks = [box for box in boxes if "peak" in box.className]
    assert len(peaks) == len(found.rows)
    assert sum("outlined" in box.className for box in boxes) == len(pattern) * len(found.rows)
    said = strings(listed)
    assert said.count("It does not fire here.") == len(found.rows) - sum(found.firing)
    lengths = [one.length for one in found.needed if one is not None and one.length]
    assert sum("run alone, that keeps" in words for words in said) == len(lengths)
    _, summary = search_contexts.heading_of(found, index)
    assert f"it fires in {sum(found.firing)} of {len(found.rows)}" in summary
    assert f" in {lengths.count(min(lengths))}" in summary


def test_a_token_is_answered_from_the_index_and_of_all_neurons_by_running(scope, index):
    answers, selection = Answers(), Selection(ask="text", find="cat")
    head, tables, done = answered(answers, scope, index, selection)
    assert not done
    assert "without running the model" in " ".join(text for part in head for text in strings(part))
    head, tables, done = everywhere(answers, scope, index, selection)
    assert done
    assert "all 96 neurons" in " ".join(text for part in head for text in strings(part))
    assert answered(answers, scope, index, selection)[2]
    assert len(tables) == 2


def test_an_n_gram_is_run_and_an_expression_that_is_none_is_refused(scope, index):
    _, _, done = answered(Answers(), scope, index, Selection(ask="text", find="cat sat"))
    assert done
    with pytest.raises(InputError, match="not a regular expression"):
        answered(Answers(), scope, index, Selection(ask="text", find="[a", regular="yes"))
    with pytest.raises(InputError, match="does not occur"):
        answered(Answers(), scope, index, Selection(ask="text", find="zebra"))


def test_without_a_text_the_page_says_what_to_type(scope, index):
    _, said, done = answered(Answers(), scope, index, Selection(ask="text"))
    assert done
    assert any("Type a token" in text for text in strings(said))


def test_a_token_is_found_where_it_stands_and_not_inside_longer_words(index):
    ids = index.store.corpus.ids
    found = index.find("a", limit=10**6)
    assert set(ids[found].tolist()) == {index.token("a")}
    inside = index.find("a", regular=True, limit=10**6)
    assert len(inside) > len(found)
