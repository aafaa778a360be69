"""What weights and direct effects promise: planted tokens come first, and shares add up to the logit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neuronscope.engine.capture import capture
from neuronscope.engine.weights import direct_effects, unembedding, weights
from neuronscope.errors import InputError, NoSuchLayer, NoSuchNeuron, NoSuchToken, UnsupportedModel
from neuronscope.models.loading import LoadedModel, attach
from neuronscope.models.precision import bias, matrix
from neuronscope.vocabulary import Neuron, Site
from tests import models_for_tests as tiny

TEXT = "the king and the queen sat under a green tree"


@pytest.fixture(params=["gpt2", "llama"])
def model(request: pytest.FixtureRequest) -> LoadedModel:
    return attach(getattr(tiny, request.param)().double(), tiny.tokenizer(), request.param)


def test_reading_scores_are_the_neuron_s_response_to_a_bare_embedding(model: LoadedModel) -> None:
    """Through the real norm, divided by its real scale and without its shift: the fold must give the same ranking."""
    neuron = Neuron(1, 5)
    embedding = model.part(model.base, model.family.embedding).weight.detach().double()
    norm = model.mlp_norm(1)
    normed = norm(embedding) - (norm.bias if getattr(norm, "bias", None) is not None else 0)
    centred = embedding - embedding.mean(1, keepdim=True) if model.family.norm == "LayerNorm" else embedding
    sigma = (centred.square().mean(1) + 1e-5).sqrt() if model.family.norm == "LayerNorm" else None
    sigma = sigma if sigma is not None else (centred.square().mean(1) + norm.variance_epsilon).sqrt()
    expected = (normed @ matrix(model.in_block(1, model.family.up)).double()[:, 5]) * sigma
    found = weights(model, neuron, count=len(embedding))
    scores = {one.id: one.score for one in found.reads_most}
    assert [one.score for one in found.reads_most] == sorted(scores.values(), reverse=True)
    assert np.allclose([scores[i] for i in range(len(embedding))], expected.detach().numpy(), atol=1e-4)


def test_a_planted_output_token_is_promoted_first_and_its_opposite_suppressed(model: LoadedModel) -> None:
    with torch.no_grad():
        row = unembedding(model)[tiny.WORDS.index("queen")].to(model.network.dtype) * 10
        down = model.in_block(2, model.family.down)
        (down.weight if model.family.name == "gpt2" else down.weight.T)[3] = row
        (down.weight if model.family.name == "gpt2" else down.weight.T)[4] = -row
    assert weights(model, Neuron(2, 3)).promotes[0].display == "queen"
    assert weights(model, Neuron(2, 3)).promotes[0].cosine == pytest.approx(1, abs=1e-5)
    assert weights(model, Neuron(2, 4)).suppresses[0].display == "queen"


def test_direct_effects_and_the_other_shares_add_up_to_the_logit(model: LoadedModel) -> None:
    """Embedding + attention + neurons + biases, each through the folded unembedding, are the logit itself."""
    tokens = model.tokens(TEXT)
    position = 6
    effects = direct_effects(model, tokens, position)
    target = effects.target.id
    one = capture(model, [tokens], sites=[Site.NEURONS, Site.ATTENTION, Site.RESIDUAL])[0]
    last = torch.from_numpy(one[Site.RESIDUAL].layer(2)[position])
    centred = last - last.mean() if model.family.norm == "LayerNorm" else last
    norm = model.part(model.base, model.family.final_norm)
    sigma = (centred.square().mean() + (getattr(norm, "eps", None) or norm.variance_epsilon)).sqrt()
    direction = unembedding(model)[target] / sigma
    attention = [
        torch.from_numpy(one[Site.ATTENTION].layer(layer)[position]) @ matrix(model.in_block(layer, path))
        + bias(model.in_block(layer, path))
        for path in [model.family.attention_out]
        for layer in range(3)
    ]
    mlp_bias = sum(bias(model.in_block(layer, model.family.down)) for layer in range(3))
    written = sum(attention) + mlp_bias
    for layer in range(3):
        down = matrix(model.in_block(layer, model.family.down))
        written = written + torch.from_numpy(one[Site.NEURONS].layer(layer)[position]) @ down
    embedding = last - written
    shift = getattr(norm, "bias", None)
    constant = 0.0 if shift is None else (shift.float() @ matrix(model.unembedding)[:, target]).item()
    rest = (embedding + sum(attention) + mlp_bias) @ direction
    assert effects.values.sum() + rest.item() + constant == pytest.approx(effects.logit, abs=1e-4)
    expected = model.network(input_ids=torch.from_numpy(tokens.ids)[None]).logits[0, position]
    assert effects.logit == pytest.approx(expected[target].item(), abs=1e-4)
    assert target == expected.argmax().item()
    assert effects.target.score == pytest.approx(expected.softmax(0).max().item(), abs=1e-5)


def test_the_direct_effect_of_a_neuron_is_what_its_removal_takes_from_a_frozen_logit(model: LoadedModel) -> None:
    tokens = model.tokens(TEXT)
    effects = direct_effects(model, tokens, 4)
    seen = []
    norm = model.part(model.base, model.family.final_norm)
    handle = norm.register_forward_pre_hook(lambda _m, args: seen.append(args[0][0, 4].detach()))
    model.base(input_ids=torch.from_numpy(tokens.ids)[None])
    handle.remove()
    residual = seen[0]
    neuron = Neuron(2, 7)
    activation = capture(model, [tokens])[0][Site.NEURONS].neuron(neuron)[4]
    removed = residual - activation * matrix(model.in_block(2, model.family.down))[7].double()
    head = model.network.get_output_embeddings()
    frozen = _norm_with_scale_of(model, residual)
    before, after = head(frozen(residual)), head(frozen(removed))
    lost = (before - after)[effects.target.id].item()
    assert effects.values[2, 7] == pytest.approx(lost, abs=1e-5)


def _norm_with_scale_of(model: LoadedModel, residual: torch.Tensor):
    norm = model.part(model.base, model.family.final_norm)
    layer = model.family.norm == "LayerNorm"
    centred = residual - residual.mean() if layer else residual
    sigma = (centred.square().mean() + (getattr(norm, "eps", None) or norm.variance_epsilon)).sqrt()

    def frozen(x: torch.Tensor) -> torch.Tensor:
        scaled = (x - x.mean() if layer else x) / sigma * norm.weight
        return scaled + norm.bias if layer else scaled

    return frozen


def test_what_follows_a_token_does_not_change_its_direct_effects(model: LoadedModel) -> None:
    tokens = model.tokens(TEXT)
    short = model.tokens(" ".join(TEXT.split()[:5]))
    assert np.allclose(direct_effects(model, tokens, 4).values, direct_effects(model, short, 4).values, atol=1e-6)


def test_what_is_not_there_is_refused(model: LoadedModel) -> None:
    with pytest.raises(NoSuchLayer):
        weights(model, Neuron(3, 0))
    with pytest.raises(NoSuchNeuron, match="each layer has neurons 0 to"):
        weights(model, Neuron(0, 999))
    with pytest.raises(NoSuchToken, match="No token 99"):
        direct_effects(model, model.tokens(TEXT), 99)
    with pytest.raises(InputError, match="No token id 4000"):
        direct_effects(model, model.tokens(TEXT), 2, target=4000)


def test_a_model_without_a_head_is_read_but_predicts_nothing() -> None:
    headless = attach(tiny.gpt2().transformer, tiny.tokenizer(), "headless")
    whole = attach(tiny.gpt2(), tiny.tokenizer())
    tokens = headless.tokens(TEXT)
    assert np.array_equal(
        capture(headless, [tokens])[0][Site.NEURONS].values, capture(whole, [tokens])[0][Site.NEURONS].values
    )
    with pytest.raises(UnsupportedModel, match="without its language-model head"):
        weights(headless, Neuron(0, 0))
