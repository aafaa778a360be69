"""Every architecture NeuronScope says it reads: right neurons, the same in any batch, and directions that hold."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoConfig

from neuronscope.engine.capture import capture, forward
from neuronscope.engine.weights import direct_effects, unembedding, weights
from neuronscope.errors import InputError, UnsupportedModel
from neuronscope.models.families import FAMILIES, family_of
from neuronscope.models.loading import LoadedModel, attach, load
from neuronscope.models.precision import bias, matrix
from neuronscope.vocabulary import Neuron, Site
from tests import models_for_tests as tiny

TEXTS = ["the cat sat on the mat .", "a dog", "red blue green red blue king and queen", "bird"]
CAUSAL = [kind for kind in tiny.FAMILY_TYPES if tiny._head(kind) == "AutoModelForCausalLM"]
VARIANTS = {
    "falcon, two norms": ("falcon", {"new_decoder_architecture": True, "num_kv_heads": 2}),
    "falcon, one after the other": ("falcon", {"parallel_attn": False, "alibi": True}),
    "stablelm, side by side": ("stablelm", {"use_parallel_residual": True}),
    "neox, one after the other": ("gpt_neox", {"use_parallel_residual": False}),
    "llama with biases": ("llama", {"mlp_bias": True, "attention_bias": True}),
    "t5 gated": ("t5", {"feed_forward_proj": "gated-gelu"}),
    "albert, narrow embedding": ("albert", {"embedding_size": 16}),
    "electra, narrow embedding": ("electra", {"embedding_size": 16}),
    "granite, scaled": ("granite", {"residual_multiplier": 0.3, "logits_scaling": 4.0, "embedding_multiplier": 3.0}),
    "gemma2, capped": ("gemma2", {"final_logit_softcapping": 3.0}),
    "cohere, scaled": ("cohere", {"logit_scale": 0.25}),
}
EVERY = {**{kind: (kind, {}) for kind in tiny.FAMILY_TYPES}, **VARIANTS}
EVERY_CAUSAL = [name for name, (kind, _) in EVERY.items() if kind in CAUSAL]


@cache
def made(name: str) -> LoadedModel:
    kind, changes = EVERY[name]
    return attach(tiny.of_type(kind, **changes), tiny.tokenizer(), name)


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def values(model: LoadedModel, texts: list[str], site: Site = Site.NEURONS, **how: object) -> list[np.ndarray]:
    return [one[site].values for one in capture(model, [model.tokens(text) for text in texts], sites=[site], **how)]


def test_every_type_of_every_family_is_tested() -> None:
    assert {kind for family in FAMILIES for kind in family.model_types} == set(tiny.FAMILY_TYPES)


@pytest.mark.parametrize("name", EVERY)
def test_neurons_are_what_the_output_projection_is_given(name: str) -> None:
    """Attaching runs the check at load; here the same holds for what capture returns, against hooks of its own."""
    model = made(name)
    outputs: list[torch.Tensor] = []
    handles = [
        model.part(block, model.family.down).register_forward_hook(lambda _m, _i, out: outputs.append(out.clone()))
        for block in dict.fromkeys(model.blocks)
    ]
    ids = torch.from_numpy(model.tokens(TEXTS[0]).ids)[None]
    forward(model, ids, torch.ones_like(ids, dtype=torch.bool))
    for handle in handles:
        handle.remove()
    found = values(model, TEXTS[:1])[0]
    assert found.shape == (2, 7, 48 if name != "bloom" and model.family.name not in WIDE else found.shape[2])
    for layer, output in enumerate(outputs):
        down = model.in_block(layer, model.family.down)
        ours = torch.from_numpy(found[layer]) @ matrix(down) + bias(down)
        assert relative(ours.detach().numpy(), output.reshape(7, -1).numpy()) < 1e-5


WIDE = {"bloom", "falcon", "mpt", "gptj", "gpt_neox"}
"""Families whose inner width follows from the outer one in these tiny networks."""


@pytest.mark.parametrize("name", [name for name in EVERY if made(name).card.gated])
def test_gated_neurons_are_the_activated_gate_times_up(name: str) -> None:
    model = made(name)
    one = capture(model, [model.tokens(TEXTS[0])], sites=[Site.NEURONS, Site.GATE, Site.UP])[0]
    for layer in range(2):
        act = model.in_block(layer, model.family.activation)
        ours = act(torch.from_numpy(one[Site.GATE].layer(layer))).detach().numpy() * one[Site.UP].layer(layer)
        assert relative(ours, one[Site.NEURONS].layer(layer)) < 1e-5


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("padding", ["right", "left"])
def test_a_text_is_the_same_alone_and_in_any_batch(name: str, padding: str) -> None:
    model = made(name)
    for site in (Site.NEURONS, Site.RESIDUAL):
        together = values(model, TEXTS, site, padding=padding)
        for text, found in zip(TEXTS, together, strict=True):
            assert relative(found, values(model, [text], site)[0]) < 2e-5


@pytest.mark.parametrize("name", EVERY_CAUSAL)
def test_the_last_residual_through_final_norm_and_unembedding_is_the_logits(name: str) -> None:
    model = made(name)
    tokens = model.tokens(TEXTS[0])
    last = torch.from_numpy(values(model, TEXTS[:1], Site.RESIDUAL)[0][-1])
    with torch.no_grad():
        normed = model.part(model.base, model.family.final_norm)(last)
        logits = model.network(input_ids=torch.from_numpy(tokens.ids)[None]).logits[0]
    from neuronscope.engine.weights import _capped, _logit_scale

    ours = torch.stack([_capped(model, row) for row in model.unembedding(normed).detach() * _logit_scale(model)])
    assert relative(ours.numpy(), logits.numpy()) < 1e-5


@pytest.mark.parametrize("name", EVERY_CAUSAL)
def test_silencing_all_neurons_changes_the_logits(name: str) -> None:
    model = made(name)
    ids = torch.from_numpy(model.tokens(TEXTS[0]).ids)[None]
    with torch.no_grad():
        before = model.network(input_ids=ids).logits
        handles = [
            model.in_block(layer, model.family.down).register_forward_pre_hook(lambda _m, args: (args[0] * 0,))
            for layer in range(2)
        ]
        after = model.network(input_ids=ids).logits
    for handle in handles:
        handle.remove()
    assert relative(after.numpy(), before.numpy()) > 1e-2


@pytest.mark.parametrize("name", EVERY_CAUSAL)
def test_direct_effects_are_the_last_mlp_s_share_of_the_logit(name: str) -> None:
    """The last MLP's output, taken from its hook, moves the logit by the sum of its neurons' effects and its bias."""
    model = made(name)
    tokens, position = model.tokens(TEXTS[0]), 4
    effects = direct_effects(model, tokens, position)
    down = model.in_block(1, model.family.down)
    with torch.no_grad():
        logits = model.network(input_ids=torch.from_numpy(tokens.ids)[None]).logits[0, position]
    assert effects.target.id == logits.argmax().item()
    assert effects.target.score == pytest.approx(logits.double().softmax(0).max().item(), rel=1e-4)
    joined, sigma = _joined_by_the_last_mlp(model, tokens.ids, position)
    share = (joined @ (unembedding(model)[effects.target.id] / sigma)).item()
    of_bias = _bias_share(model, down, effects.target.id, sigma, tokens.ids, position)
    assert effects.values[1].sum() + of_bias == pytest.approx(share, abs=2e-4 * max(1, abs(share)))


def _joined_by_the_last_mlp(model: LoadedModel, ids: np.ndarray, position: int) -> tuple[torch.Tensor, torch.Tensor]:
    """What the last MLP adds to the residual stream at a position, and the final norm's sigma there, by formula."""
    seen: dict[str, torch.Tensor] = {}
    out = model.in_block(1, model.family.mlp_out_norm or model.family.down)
    final = model.part(model.base, model.family.final_norm)
    handles = [
        out.register_forward_hook(lambda _m, _i, o: seen.__setitem__("out", o.reshape(len(ids), -1)[position].clone())),
        final.register_forward_pre_hook(lambda _m, args: seen.__setitem__("stream", args[0][0, position])),
    ]
    with torch.no_grad():
        model.network(input_ids=torch.from_numpy(ids)[None])
    for handle in handles:
        handle.remove()
    stream = seen["stream"]
    centred = stream - stream.mean() if model.family.norm == "LayerNorm" else stream
    epsilon = getattr(final, "eps", None) or getattr(final, "variance_epsilon", 1e-5)
    sigma = (centred.square().mean() + epsilon).sqrt()
    return seen["out"] * getattr(model.network.config, "residual_multiplier", 1.0), sigma


def _bias_share(
    model: LoadedModel, down: torch.nn.Module, target: int, sigma: torch.Tensor, ids: np.ndarray, position: int
) -> float:
    if model.family.mlp_out_norm:
        assert getattr(down, "bias", None) is None
        return 0.0
    scale = getattr(model.network.config, "residual_multiplier", 1.0)
    return (bias(down) * scale @ (unembedding(model)[target] / sigma)).item()


@pytest.mark.parametrize("name", EVERY)
def test_reading_and_writing_can_be_told_for_every_family(name: str) -> None:
    model = made(name)
    found = weights(model, Neuron(1, 3), count=5)
    assert len(found.reads_most) == 5
    assert len(found.promotes) == (5 if model.card.causal else 0)
    assert np.isfinite([one.score for one in (*found.reads_most, *found.promotes)]).all()


@pytest.mark.parametrize("name", [name for name in EVERY if made(name).mlp_norm(0) is not None])
def test_reading_directions_fold_the_norm_that_the_mlp_really_reads(name: str) -> None:
    """The pre-activation a bare stream gives through the real norm is the folded direction's, up to sigma and bias."""
    from neuronscope.engine.directions import read_directions
    from neuronscope.engine.weights import _sigma, read_biases

    model, neuron = made(name), Neuron(1, 3)
    stream = torch.randn(model.card.width, generator=torch.Generator().manual_seed(1))
    norm = model.mlp_norm(1)
    with torch.no_grad():
        normed = norm(stream)
        up = model.in_block(1, model.family.up)(normed[None])[0]
        column = neuron.index + (model.card.neurons if model.family.fused else 0)
    direction = read_directions(model, 1)[neuron.index]
    ours = stream @ direction / _sigma(model, norm, stream, normed) + float(
        read_biases(model, neuron.layer)[neuron.index]
    )
    assert ours.item() == pytest.approx(up[column].item(), abs=1e-4)


@pytest.mark.parametrize("name", ["bert", "t5", "roberta"])
def test_an_encoder_predicts_no_next_token(name: str) -> None:
    model = made(name)
    with pytest.raises(UnsupportedModel, match="in both directions and predicts no next token"):
        direct_effects(model, model.tokens(TEXTS[0]), 2)


@pytest.mark.parametrize("kind", tiny.FAMILY_TYPES)
def test_a_saved_checkpoint_of_every_family_loads_back(kind: str, tmp_path: Path) -> None:
    tiny.of_type(kind).save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    loaded, original = load(str(tmp_path), device="cpu"), attach(tiny.of_type(kind), tiny.tokenizer())
    # One cut for both: some types' own tokenizer classes read this test's word list in their own way.
    text = [original.tokens(TEXTS[0])]
    ours, theirs = capture(loaded, text)[0][Site.NEURONS], capture(original, text)[0][Site.NEURONS]
    assert np.array_equal(ours.values, theirs.values)


@pytest.mark.parametrize("kind", tiny.FAMILY_TYPES)
def test_every_family_can_be_held_in_every_precision(kind: str, tmp_path: Path) -> None:
    network = tiny.of_type(kind, wide=True)
    network.save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    full = attach(network, tiny.tokenizer())
    text = [full.tokens(TEXTS[0])]
    expected = capture(full, text)[0][Site.NEURONS].values
    for precision, closeness in (("bfloat16", 0.99), ("float16", 0.999), ("int8", 0.95), ("nf4", 0.5)):
        if kind == "falcon" and precision in {"int8", "nf4"}:  # its projections are of a class of its own
            with pytest.raises(InputError, match="does not quantize its kind of projection"):
                load(str(tmp_path), precision=precision, device="cpu")
            continue
        model = load(str(tmp_path), precision=precision, device="cpu")
        assert model.card.precision == precision
        assert model.card.bytes < full.card.bytes
        found = capture(model, text)[0][Site.NEURONS].values
        assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > closeness, precision


@pytest.mark.parametrize("kind", ["mixtral", "qwen2_moe", "qwen3_moe", "olmoe", "gpt_oss", "deepseek_v3", "granitemoe"])
def test_mixtures_of_experts_are_refused_by_name(kind: str) -> None:
    with pytest.raises(UnsupportedModel, match=rf"mine cannot be read: '{kind}' is a mixture of experts"):
        family_of(AutoConfig.for_model(kind), "mine")


@pytest.mark.parametrize(("kind", "said"), [("mamba", "has no MLP after its attention"), ("vit", "is not among")])
def test_other_architectures_are_refused_by_name(kind: str, said: str) -> None:
    with pytest.raises(UnsupportedModel, match=said):
        family_of(AutoConfig.for_model(kind), "mine")


def test_a_variant_nobody_has_checked_is_refused() -> None:
    with pytest.raises(UnsupportedModel, match="this variant of 'opt'"):
        family_of(AutoConfig.for_model("opt", do_layer_norm_before=False), "mine")
