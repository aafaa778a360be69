"""The pages about a model say what its own layout is, for every kind of layout."""

from __future__ import annotations

import pytest

from neuronscope.app import about, portrait
from neuronscope.app.equations import equations
from neuronscope.app.portrait import Portrait
from neuronscope.models.anatomy import anatomy
from neuronscope.models.loading import attach
from tests.app.test_parts import walk
from tests.models_for_tests import FAMILY_TYPES, of_type, tokenizer


def said(part):
    return "".join(str(piece) for piece in walk(part) if isinstance(piece, str))


def painted(kind, **changes):
    model = attach(of_type(kind, **changes), tokenizer(), kind)
    return Portrait(model.card, anatomy(model), attached=True, asked="attached")


def formulas(kind, **changes):
    """The equations of a kind of network, as text."""
    of = painted(kind, **changes)
    return said(equations(of.card, of.anatomy))


@pytest.mark.parametrize("kind", FAMILY_TYPES)
def test_every_page_about_every_kind_of_model_can_be_drawn(kind):
    of = painted(kind)
    pages = {name: said(make(of)) for name, (_, make) in about.TABS.items()}
    assert f"{of.card.layers} × {of.card.neurons}" in pages["overview"]
    assert of.card.norm in pages["architecture"]
    assert "now" in pages["memory"]
    assert ("gate" in pages["equations"]) == of.card.gated
    assert ("effect" in pages["equations"]) == of.card.causal or "not shown" in pages["equations"]


def test_the_equations_have_the_norm_the_gain_and_the_biases_of_the_model():
    assert "γ ⊙ rt − mean(rt)√(var(rt) + ε) + β" in formulas("gpt2")
    assert "γ ⊙ rt√(mean(rt²) + ε)" in formulas("llama")
    assert "(1 + γ) ⊙ rt√(mean(rt²) + ε)" in formulas("gemma")
    assert "xt = rt − mean(rt)√(var(rt) + ε)" in formulas("olmo")
    assert formulas("gpt2").count("+ b") == 2
    assert formulas("mpt").count("+ b") == 0


def test_a_norm_behind_the_mlp_stands_in_the_equations_and_in_the_direct_effect():
    for kind, gain in (("gemma2", "(1 + γ) ⊙ mt"), ("olmo2", "γ ⊙ mt")):
        words = formulas(kind)
        assert "passes a norm of its own" in words
        assert gain in words
        assert "σ''" in words
    assert "without a norm before it" in formulas("olmo2")
    assert "σ''" not in formulas("llama")


@pytest.mark.parametrize("kind", ["gptj", "phi", "falcon", "cohere", "gpt_neox"])
def test_attention_beside_the_mlp_is_added_with_it(kind):
    assert "rt ← rt + ot + " in formulas(kind)
    assert "beside the attention" in said(portrait.architecture(painted(kind)))


def test_an_encoder_is_normed_after_the_sum_and_predicts_no_next_token():
    words = formulas("bert")
    assert "st = rt + mt" in words
    assert "rt ← γ ⊙ st − mean(st)" in words
    assert "predicts no next token" in words
    assert "effect" not in words.replace("Direct effects", "")
    assert "unembedding" not in said(portrait.architecture(painted("t5"))).lower()
    assert "it predicts no token" in formulas("t5")


def test_the_functions_are_those_of_the_model():
    assert "Φ" in formulas("gpt_neox")
    assert "tanh" in formulas("gpt2")
    assert "max(0, z)²" in formulas("nemotron")
    assert "SiLU(z) = z / (1 + e" in formulas("llama")


def test_scales_and_caps_are_said():
    assert "0.25 · " in formulas("cohere", logit_scale=0.25)
    assert "0.5 · mt" in formulas("granite", residual_multiplier=0.5)
    assert "soft cap" in formulas("gemma2")
    assert "±30" in said(portrait.architecture(painted("gemma2")))


def test_heads_are_as_wide_as_they_are_and_say_what_they_share():
    words = said(portrait.architecture(painted("qwen3", head_dim=16)))
    assert "4 heads of 16 dimensions, keys and values of 2 shared among them" in words
    assert "one block used again and again" in said(portrait.overview(painted("albert")))


def test_python_says_how_this_very_model_is_loaded():
    of = painted("bert")
    assert "ns.attach(network, tokenizer)" in said(portrait.loading(of))
    assert "reads_most" in said(portrait.loading(of))
    loaded = Portrait(of.card, of.anatomy, attached=False, asked="int8")
    assert 'ns.load("bert", precision="int8")' in said(portrait.loading(loaded))
