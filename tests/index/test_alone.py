"""On the model of known truth what is planted fires alone, what needs more does not, and no more is needed."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from neuronscope.demo.planted import build, corpus
from neuronscope.errors import InputError
from neuronscope.index.alone import DRAWN, DRAWS, Opening, opening, patterns_alone
from neuronscope.indexed import Index
from neuronscope.ngrams import occurrences
from neuronscope.scope import Scope, Workspace
from neuronscope.vocabulary import Neuron
from tests import models_for_tests as tiny
from tests.index import corpora
from tests.texts_for_tests import written

WORD, NUMBERS, PAIR, LATE, OPPOSITE, PREVIOUS = (Neuron(0, place) for place in (0, 1, 4, 5, 9, 10))


@pytest.fixture(scope="module")
def planted(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> tuple[Scope, Index]:
    """The hand-built model, which begins every text with `<start>`, and an index of its texts."""
    made = build()
    scope = workspace.attach(made.network, made.tokenizer, "planted")
    return scope, scope.index(written(tmp_path_factory.mktemp("texts"), corpus(texts=160)))


@pytest.fixture(scope="module")
def small(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> tuple[Scope, Index]:
    """A tiny random model without a token that begins a text."""
    tokenizer = copy.deepcopy(tiny.tokenizer())
    tokenizer.bos_token = None
    scope = workspace.attach(tiny.gpt2(), tokenizer, "small")
    return scope, scope.index(corpora.texts(tmp_path_factory.mktemp("texts")), window=20)


def ids_of(index: Index, words: str) -> tuple[int | None, ...]:
    return tuple(None if word == "*" else index.token(word) for word in words.split())


def alone(planted: tuple[Scope, Index], words: str, neuron: Neuron) -> float:
    scope, index = planted
    read = index.store.corpus
    [value] = patterns_alone(scope._lent, read, opening(scope._lent, read), [ids_of(index, words)], neuron)
    return float(value)


def test_a_word_neurons_word_fires_alone(planted: tuple[Scope, Index]) -> None:
    scope, index = planted
    found = scope.check(index, scope.reverse_query(index, WORD))
    assert found.after == "<start>"
    assert found.patterns == (ids_of(index, "cat"),)
    assert found.fires.tolist() == [True]
    assert found.kept[0] == pytest.approx(1, abs=0.05)
    assert found.threshold == pytest.approx(0.25 * 4, abs=0.1)


def test_a_pair_neurons_pair_fires_alone_and_its_last_word_does_not(planted: tuple[Scope, Index]) -> None:
    scope, index = planted
    found = scope.check(index, scope.reverse_query(index, PAIR))
    fires = dict(zip(found.patterns, found.fires.tolist(), strict=True))
    assert fires[ids_of(index, "in Rome")]
    assert found.kept[found.patterns.index(ids_of(index, "in Rome"))] == pytest.approx(1, abs=0.1)
    assert alone(planted, "Rome", PAIR) < found.threshold < alone(planted, "in Rome", PAIR)
    assert not any(does for pattern, does in fires.items() if pattern[-2:] != ids_of(index, "in Rome"))


def test_every_number_fires_alone_and_most_is_how_many_are_checked(planted: tuple[Scope, Index]) -> None:
    scope, index = planted
    query = scope.reverse_query(index, NUMBERS, n=(1,))
    assert scope.check(index, query).fires.tolist() == [True] * 8
    assert scope.check(index, query, most=3).patterns == tuple(query.table["tokens"][:3])


def test_a_gap_is_filled_and_the_neuron_that_looks_at_the_word_before_fires(planted: tuple[Scope, Index]) -> None:
    scope, index = planted
    query = scope.reverse_query(index, PREVIOUS)
    found = scope.check(index, query)
    row = found.patterns.index(ids_of(index, "with *"))
    assert found.fires[row]
    assert found.kept[row] == pytest.approx(1, abs=0.1)


def test_what_only_its_place_made_strong_does_not_fire_alone(planted: tuple[Scope, Index]) -> None:
    scope, index = planted
    query = scope.reverse_query(index, LATE)
    assert all(alone(planted, word, LATE) <= 0.01 for word in ("cat", "red", "Rome"))
    assert not scope.check(index, query).fires.any()


def test_below_zero_firing_is_of_minus_the_activation(planted: tuple[Scope, Index]) -> None:
    scope, index = planted
    query = scope.reverse_query(index, OPPOSITE, sign="-")
    found = scope.check(index, query, most=1)
    assert found.patterns == (ids_of(index, "cat"),)
    assert found.activation[0] == pytest.approx(-alone(planted, "cat", OPPOSITE))
    assert found.activation[0] > 0


def test_a_group_is_refused(planted: tuple[Scope, Index]) -> None:
    scope, index = planted
    with pytest.raises(InputError, match="2 neurons"):
        scope.check(index, scope.reverse_query(index, [WORD, PAIR]))


@pytest.mark.parametrize(
    ("neuron", "words", "length"), [(WORD, "cat", 1), (PAIR, "in Rome", 2), (PREVIOUS, "with *", 2)]
)
def test_no_more_context_is_needed_than_was_planted(
    planted: tuple[Scope, Index], neuron: Neuron, words: str, length: int
) -> None:
    scope, index = planted
    positions = occurrences(index.store.corpus.ids, index.windows, ids_of(index, words))
    assert len(positions) >= 50
    found = scope.minimal_context(index, neuron, scope.contexts(index, neuron, index.contexts(positions)))
    assert np.mean([one.length == length for one in found]) >= 0.95
    assert all(one.kept >= 0.5 for one in found if one.length)


def test_a_whole_window_run_alone_is_the_window_as_it_was_read(planted: tuple[Scope, Index]) -> None:
    """Position and opening are the same then, so the neuron that knows how late it is says the same."""
    scope, index = planted
    [one] = scope.contexts(index, LATE, index.contexts([22]))
    [found] = scope.minimal_context(index, LATE, [one])
    assert found.activation == one.values[one.peak] > 1
    assert found.length is None or found.length > 16


def plain_run(scope: Scope, ids: tuple[int, ...], neuron: Neuron) -> float:
    """The activation on the last token, as transformers computes it."""
    with scope._lent() as model:
        network = model.network.eval()
    seen: list[float] = []
    entering = network.transformer.h[neuron.layer].mlp.c_proj
    hook = entering.register_forward_pre_hook(lambda _m, args: seen.append(float(args[0][0, -1, neuron.index])))
    with hook, torch.no_grad():
        network(torch.tensor([ids]))
    return seen[0]


def test_without_a_token_that_begins_a_text_openings_are_drawn_and_averaged(small: tuple[Scope, Index]) -> None:
    scope, index = small
    read = index.store.corpus
    opened = opening(scope._lent, read)
    assert read.lead == ()
    assert [len(way) for way in opened.ways] == [DRAWN] * DRAWS
    assert "drawn from the corpus" in opened.after
    token = int(read.ids[5])
    [mean] = patterns_alone(scope._lent, read, opened, [(token,)], Neuron(1, 3))
    assert mean == pytest.approx(np.mean([plain_run(scope, (*way, token), Neuron(1, 3)) for way in opened.ways]))


def test_a_tokenizers_own_beginning_is_taken_where_windows_begin_with_nothing(
    workspace: Workspace, small: tuple[Scope, Index]
) -> None:
    scope = workspace.attach(tiny.gpt2(seed=1), tiny.tokenizer(), "begins")
    assert opening(scope._lent, small[1].store.corpus) == Opening(((0,),), "<|endoftext|>")


def test_a_minimal_context_keeps_what_a_plain_run_of_it_keeps(small: tuple[Scope, Index]) -> None:
    scope, index = small
    neuron, read = Neuron(2, 7), index.store.corpus
    examples = scope.contexts(index, neuron, index.examples(neuron, 10))
    found = scope.minimal_context(index, neuron, examples)
    told = [(example, one) for example, one in zip(examples, found, strict=True) if one.length]
    assert len(told) >= 3
    for example, one in told:
        ids = tuple(read.ids[example.position + 1 - one.length : example.position + 1].tolist())
        values = [plain_run(scope, (*way, *ids), neuron) for way in opening(scope._lent, read).ways]
        assert one.kept == pytest.approx(np.mean(values) / one.activation, rel=1e-4)
        assert one.kept >= 0.5


def test_a_model_that_reads_in_both_directions_has_no_minimal_context(
    workspace: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> None:
    scope = workspace.attach(tiny.of_type("bert"), tiny.tokenizer(), "encoder")
    index = scope.index(corpora.texts(tmp_path_factory.mktemp("texts")), window=20)
    with pytest.raises(InputError, match="both directions"):
        scope.minimal_context(index, Neuron(0, 1), index.examples(Neuron(0, 1), 2))
    assert np.isfinite(scope.check(index, scope.reverse_query(index, Neuron(0, 1))).activation).all()
