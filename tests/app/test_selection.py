"""The selection: what the visitor is looking at, and the address that says so."""

import dataclasses
import json

import pytest

from neuronscope.app.selection import CHOICES, LONGEST_TEXT, Selection, schema
from neuronscope.errors import InputError, NoSuchLayer, NoSuchNeuron
from neuronscope.vocabulary import ModelCard, Neuron, Site

CARD = ModelCard(
    name="m", family="gpt2", architecture="GPT2LMHeadModel", revision="abc", layers=4, neurons=16, width=8, heads=2,
    context=32, vocabulary=100, parameters=1000, bytes=4000, precision="float32", device="cpu", gated=False,
    activation="gelu", norm="LayerNorm", tied=True, sites=(Site.NEURONS, Site.UP, Site.RESIDUAL, Site.ATTENTION),
)  # fmt: skip


def test_what_is_at_its_default_is_not_in_the_address():
    assert Selection().search == ""
    assert Selection(layer=0, position=0).search == "?layer=0&position=0"


@pytest.mark.parametrize(
    "selection",
    [
        Selection(view="neuron", model="demo:stories", layer=3, neuron=0, position=2),
        Selection(text="a & b=c?#\n <b>مرحبا</b> + %20 \x07\u200b", compare=""),
        Selection(text="", site="residual", count=0, page=3, rule="variance", long="window", scale="layer"),
        Selection(model="/a folder/with spaces", precision="bfloat16", tab="statistics", side="b", colour="neuron"),
    ],
)
def test_a_selection_survives_the_address(selection):
    assert Selection.parse(selection.search) == selection


def test_an_address_may_hold_parameters_of_others():
    assert Selection.parse("?utm_source=x&layer=1") == Selection(layer=1)


@pytest.mark.parametrize(
    "search", ["?layer=two", "?layer=-1", "?position=1.5", "?site=hidden", "?precision=fp3", "?tab="]
)
def test_an_address_that_cannot_be_read_is_refused_by_name(search):
    name = search[1:].partition("=")[0]
    with pytest.raises(InputError, match=name):
        Selection.parse(search)


def test_every_choice_is_a_field_and_its_default_is_among_the_choices():
    defaults = {field.name: field.default for field in dataclasses.fields(Selection)}
    assert all(defaults[name] in choices for name, choices in CHOICES.items())


def test_another_model_lets_go_of_layer_token_and_neuron_but_keeps_the_text():
    before = Selection(text="hello", layer=3, position=4, neuron=5, page=2, site="gate", rule="variance")
    assert before.go(model="gpt2") == Selection(model="gpt2", text="hello", rule="variance")


def test_another_text_lets_go_of_the_token_unless_it_comes_with_one():
    before = Selection(text="hello", position=4, layer=1)
    assert before.go(text="world") == Selection(text="world", layer=1)
    assert before.go(text="world", position=0) == Selection(text="world", position=0, layer=1)


def test_a_token_belongs_to_the_text_that_is_looked_at():
    before = Selection(text="hello", compare="hello you", position=4)
    assert before.go(side="a").position == 4
    assert before.go(side="b").position is None
    assert before.go(side="b", position=7).position == 7
    assert before.go(side="b", position=7).go(compare=None) == Selection(text="hello")


def test_another_order_goes_back_to_the_first_page():
    assert Selection(count=0, page=3).go(rule="index") == Selection(count=0, rule="index")
    assert Selection(count=0, page=3).go(page=4).page == 4


def test_saying_the_same_again_changes_nothing():
    before = Selection(text="hello", position=4, layer=1, page=2, count=0)
    assert before.go(text="hello", layer=1, count=0) == before


def test_only_what_needs_the_model_changes_the_question():
    base = Selection(text="hello")
    light = (base.go(layer=2), base.go(position=1), base.go(rule="index"), base.go(count=0), base.go(view="neuron"))
    heavy = (
        base.go(text="x"),
        base.go(compare="x"),
        base.go(against="x"),
        base.go(model="gpt2"),
        base.go(site="up"),
        base.go(long="window"),
    )
    assert {s.question for s in light} == {base.question}
    assert len({s.question for s in heavy} | {base.question}) == len(heavy) + 1


def test_a_selection_is_checked_against_the_model():
    assert Selection(layer=3, neuron=15).check(CARD).chosen == Neuron(3, 15)
    with pytest.raises(NoSuchLayer, match="layers 0 to 3"):
        Selection(layer=4).check(CARD)
    with pytest.raises(NoSuchNeuron, match="0 to 15"):
        Selection(layer=0, neuron=16).check(CARD)
    with pytest.raises(InputError, match="neurons, up, residual, attention"):
        Selection(site="gate").check(CARD)


def test_without_a_layer_the_middle_one_is_shown():
    assert Selection().layer_of(CARD) == 2
    assert Selection(layer=0).layer_of(CARD) == 0


def test_a_text_that_no_address_holds_is_refused_and_says_what_to_do():
    with pytest.raises(InputError, match="neuronscope activations"):
        Selection().go(text="x" * (LONGEST_TEXT + 1))


def test_the_browser_is_told_all_it_needs_to_read_and_change_an_address():
    told = schema()
    assert list(told["defaults"]) == [field.name for field in dataclasses.fields(Selection)]
    assert json.loads(json.dumps(told)) == told
    assert json.loads(Selection(text="né ✓", site="up").question) == [None, "auto", "né ✓", None, "", "up", "refuse"]
