"""Another checkpoint beside an index: what was taken from a planted neuron is missing there, all else is the same."""

import copy

import numpy as np
import pytest
import torch
from tokenizers.normalizers import Lowercase

from neuronscope.analysis.paired import paired
from neuronscope.demo import planted
from neuronscope.errors import InputError, NoSuchNeuron, OtherIndex
from neuronscope.vocabulary import Neuron
from tests.models_for_tests import gpt2, tokenizer
from tests.texts_for_tests import written

TRUTH = planted.build()
COLOURS_AND_FOOD, NEVER = Neuron(0, 2), Neuron(0, 6)
COLOURS, FOOD = set(planted.GROUPS["colours"]), set(planted.GROUPS["food"])


@pytest.fixture(scope="module")
def scope(workspace):
    return workspace.attach(TRUTH.network, TRUTH.tokenizer, "planted")


@pytest.fixture(scope="module")
def index(scope, tmp_path_factory):
    folder = tmp_path_factory.mktemp("planted")
    return scope.index(written(folder, planted.corpus()), folder / "index")


def without_food():
    """The planted network, whose second neuron has lost food."""
    network = copy.deepcopy(TRUTH.network)
    block, food, neuron = network.transformer.h[0], planted._group("food"), COLOURS_AND_FOOD.index
    with torch.no_grad():
        for direction in (food, planted.HALF + food):
            block.mlp.c_fc.bias[neuron] += block.ln_2.bias[direction] * block.mlp.c_fc.weight[direction, neuron]
            block.mlp.c_fc.weight[direction, neuron] = 0
    return network


@pytest.fixture(scope="module")
def tuned(workspace):
    return workspace.attach(without_food(), TRUTH.tokenizer, "tuned")


@pytest.fixture(scope="module")
def both(scope, index, tuned):
    return scope.beside(index, tuned)


def test_paired_means_are_those_of_the_same_tokens():
    random = np.random.default_rng(0)
    a = random.normal(size=(400, 3)).astype(np.float32)
    b = a + random.normal((0, 1, 0), (0, 0.1, 2), (400, 3)).astype(np.float32)
    found = paired(a, b)
    assert found.count == 400
    assert found.change == pytest.approx((b - a).mean(0), abs=1e-6)
    assert found.margin == pytest.approx(1.96 * (b - a).std(0, ddof=1) / 20, rel=1e-4, abs=1e-12)
    assert found.here + found.change == pytest.approx(found.there)
    one, none = paired(a[:1], b[:1]), paired(a[:0], b[:0])
    assert one.change == pytest.approx((b - a)[0])
    assert np.isnan(one.margin).all()
    assert np.isnan(none.change).all()


def test_n_grams_that_lost_the_neuron_are_told_from_those_that_kept_it(both, scope, index):
    query = scope.reverse_query(index, COLOURS_AND_FOOD, n=(1,))
    table = both.ngrams(query)
    assert list(table["ngram"]) == list(query.table["ngram"])
    words = table["ngram"].str.strip("·")
    lost, kept = table[words.isin(FOOD)], table[words.isin(COLOURS)]
    assert len(lost) == len(kept) == 8
    assert (lost["here"] > 3).all()
    assert (lost["there"] < 0.1).all()
    assert (kept["change"].abs() < 1e-4).all()
    assert (lost["change"] == lost["there"] - lost["here"]).all()
    assert (lost["margin"] < 0.1).all()
    assert (table["measured"] > 100).all()


def test_a_group_is_compared_in_its_own_unit(both, scope, index):
    query = scope.reverse_query(index, [COLOURS_AND_FOOD, NEVER], n=(1,))
    table = both.ngrams(query, most=16)
    row = table[table["ngram"].str.strip("·").isin(FOOD)].iloc[0]
    here = query.table[query.table["ngram"] == row["ngram"]].iloc[0]["mean"]
    assert row["here"] == pytest.approx(here, rel=0.05)
    assert row["change"] < -1


def test_what_drives_a_neuron_below_zero_is_compared_with_its_sign_turned(both, scope, index):
    query = scope.reverse_query(index, COLOURS_AND_FOOD, n=(1,), sign="-")
    table = both.ngrams(query, most=5)
    values = scope.beside(index, scope).ngrams(query, most=5)
    assert (values["change"] == 0).all()
    assert table["here"].tolist() == values["here"].tolist()
    assert (table["here"] > 0).all()


def test_few_tokens_are_run_if_few_are_allowed(both, scope, index):
    table = both.ngrams(scope.reverse_query(index, COLOURS_AND_FOOD, n=(1,)), most=16, budget=32)
    assert table["measured"].tolist() == [2] * 16


@pytest.mark.parametrize(("text", "regular"), [("bread", False), ("apple|bread|cheese", True)])
def test_the_neuron_that_changed_leads_those_that_respond_otherwise(both, text, regular):
    table = both.responders(text, regular=regular)
    assert table[["layer", "neuron"]].to_numpy().tolist() == [[0, COLOURS_AND_FOOD.index]]
    assert table["z"].iloc[0] < -1
    assert table["change"].iloc[0] < -3


def test_a_text_that_lost_nothing_has_no_neuron(both):
    assert (both.responders("red")["change"].abs() < 1e-4).all()
    with pytest.raises(InputError, match="does not occur"):
        both.responders("cat cat cat cat cat cat")


@pytest.mark.parametrize("whole", [True, False])
def test_of_two_senses_one_is_left(both, scope, index, whole):
    poly = scope.polysemanticity(index) if whole else scope.polysemanticity(index, [COLOURS_AND_FOOD])
    senses, found = poly.senses(COLOURS_AND_FOOD), both.senses(poly, COLOURS_AND_FOOD)
    for number, sense in enumerate(senses[:2]):
        left = 1 if {token for token, _ in sense.tokens} <= COLOURS else 0
        assert found.kept(number) == pytest.approx(left, abs=0.01)
    assert (int(poly.of(COLOURS_AND_FOOD)["modes"]), found.found.modes) == (2, 1)
    assert found.found.effective == pytest.approx(1, abs=0.1)
    assert found.fires < len(found.here)


def test_the_same_model_has_kept_everything(scope, index):
    poly = scope.polysemanticity(index)
    found = scope.beside(index, scope).senses(poly, COLOURS_AND_FOOD)
    assert found.kept() == pytest.approx(1, abs=2e-3)
    assert found.found.modes == 2
    assert found.found.effective == pytest.approx(float(poly.of(COLOURS_AND_FOOD)["effective"]), rel=1e-4)


def test_uses_of_a_word_are_compared_about_the_word(both, scope, index):
    red, bread = (scope.uses(index, COLOURS_AND_FOOD, word) for word in ("red", "bread"))
    assert both.senses(red, COLOURS_AND_FOOD).kept() == pytest.approx(1, abs=0.01)
    assert both.senses(bread, COLOURS_AND_FOOD).kept() == pytest.approx(0, abs=0.01)
    same = scope.beside(index, scope).senses(red, COLOURS_AND_FOOD)
    assert same.found.modes == 1
    assert same.found.effective == pytest.approx(float(red.of(COLOURS_AND_FOOD)["effective"]), rel=1e-4)


def test_a_neuron_that_fires_nowhere_there_has_no_senses_there(workspace, scope, index):
    network = copy.deepcopy(TRUTH.network)
    with torch.no_grad():
        network.transformer.h[0].mlp.c_fc.weight[:, COLOURS_AND_FOOD.index] = 0
        network.transformer.h[0].mlp.c_fc.bias[COLOURS_AND_FOOD.index] = -9
    silent = workspace.attach(network, TRUTH.tokenizer, "silent")
    found = scope.beside(index, silent).senses(scope.polysemanticity(index), COLOURS_AND_FOOD)
    assert (found.fires, found.found, found.kept()) == (0, None, 0)


def test_what_cannot_be_compared_is_refused(workspace, scope, index, both):
    other = workspace.attach(gpt2(), tokenizer(), "other")
    with pytest.raises(InputError, match=r"other has .* layers"):
        scope.beside(index, other)
    with pytest.raises(OtherIndex):
        other.beside(index, scope)
    words = copy.deepcopy(TRUTH.tokenizer)
    words.backend_tokenizer.normalizer = Lowercase()
    lower = workspace.attach(copy.deepcopy(TRUTH.network), words, "lower")
    with pytest.raises(InputError, match="other tokens"):
        scope.beside(index, lower)
    with pytest.raises(InputError, match="never fires"):
        both.senses(scope.polysemanticity(index), NEVER)
    with pytest.raises(NoSuchNeuron):
        both.senses(scope.polysemanticity(index, []), COLOURS_AND_FOOD)
