"""What is said of a model's layout is what its network does."""

from __future__ import annotations

import pytest
import torch

from neuronscope.models.anatomy import anatomy
from neuronscope.models.loading import attach
from tests.models_for_tests import FAMILY_TYPES, of_type, tokenizer


def neurons_of_first_block(model, network_change=None):
    """What enters the first block's output projection on one text, with a change made to the attention's output."""
    seen = []
    attention = model.in_block(0, model.family.attention_out)
    hooks = [model.in_block(0, model.family.down).register_forward_pre_hook(lambda _m, args: seen.append(args[0]))]
    if network_change:
        hooks.append(attention.register_forward_hook(lambda _m, _a, output: network_change(output)))
    ids = torch.arange(1, 6)[None]
    with torch.inference_mode():
        model.base(input_ids=ids)
    for hook in hooks:
        hook.remove()
    return seen[0]


@pytest.mark.parametrize("kind", FAMILY_TYPES)
def test_attention_and_mlp_stand_side_by_side_where_it_is_said(kind):
    model = attach(of_type(kind), tokenizer())
    before = neurons_of_first_block(model)
    generator = torch.Generator().manual_seed(0)
    after = neurons_of_first_block(model, lambda out: out + torch.randn(out.shape, generator=generator))
    assert anatomy(model).parallel == torch.equal(before, after)


@pytest.mark.parametrize("kind", FAMILY_TYPES)
def test_norms_gains_and_biases_are_those_of_the_modules(kind):
    model = attach(of_type(kind), tokenizer())
    found = anatomy(model)
    names = {name for name, _ in model.blocks[0].named_parameters()}
    assert found.bias_in == (f"{model.family.up}.bias" in names)
    assert found.bias_out == (f"{model.family.down}.bias" in names)
    norms = [name for name in names if "norm" in name.lower() or ".ln_" in f".{name}"]
    # A norm of queries and keys is none of the block's own.
    own = [name for name in norms if not any(part in name for part in ("q_norm", "k_norm", "q_layernorm", "k_layern"))]
    assert (found.gain == "none") == (not own)
    assert found.shift == any(name.endswith("bias") for name in own)
    assert (
        found.head_width * model.card.heads
        == model.in_block(0, model.family.attention_out).weight.shape[
            0 if type(model.in_block(0, model.family.attention_out)).__name__ == "Conv1D" else 1
        ]
    )


@pytest.mark.parametrize(
    ("kind", "before", "behind", "after"),
    [
        ("gpt2", True, False, False),
        ("llama", True, False, False),
        ("gemma2", True, True, False),
        ("olmo2", False, True, False),
        ("bert", False, False, True),
        ("albert", False, False, True),
        ("modernbert", True, False, False),
        ("t5", True, False, False),
    ],
)
def test_norms_stand_before_behind_or_after_the_mlp(kind, before, behind, after):
    found = anatomy(attach(of_type(kind), tokenizer()))
    assert (found.norm_before, found.norm_behind, found.norm_after) == (before, behind, after)


@pytest.mark.parametrize("kind", FAMILY_TYPES)
def test_a_norm_gives_what_its_kind_gain_and_shift_say(kind):
    model = attach(of_type(kind), tokenizer())
    found = anatomy(model)
    behind = model.family.mlp_out_norm
    after = {"distilbert": "output_layer_norm", "albert": "full_layer_layer_norm"}.get(kind, "output.LayerNorm")
    norm = model.mlp_norm(0) or model.in_block(0, behind or after)
    seen = []
    hook = norm.register_forward_hook(lambda _m, args, output: seen.append((args[0], output)))
    with torch.inference_mode():
        model.base(input_ids=torch.arange(1, 6)[None])
    hook.remove()
    entered, left = seen[0]
    centred = entered - entered.mean(-1, keepdim=True) if model.card.norm == "LayerNorm" else entered
    epsilon = getattr(norm, "eps", getattr(norm, "variance_epsilon", 1e-5))
    wanted = centred / (centred.square().mean(-1, keepdim=True) + epsilon).sqrt()
    if found.gain != "none":
        wanted = wanted * (norm.weight + (found.gain == "offset"))
    if found.shift:
        wanted = wanted + norm.bias
    assert torch.allclose(left, wanted, atol=1e-4)


def test_key_value_heads_are_those_that_several_heads_share():
    assert anatomy(attach(of_type("llama"), tokenizer())).key_value_heads == 2
    assert anatomy(attach(of_type("gpt2"), tokenizer())).key_value_heads == 4
    assert anatomy(attach(of_type("gpt_bigcode"), tokenizer())).key_value_heads == 1


def test_one_block_for_all_layers_is_said_of_albert_alone():
    assert anatomy(attach(of_type("albert"), tokenizer())).shared
    assert not anatomy(attach(of_type("bert"), tokenizer())).shared


def test_what_is_done_to_the_logits_is_said():
    assert anatomy(attach(of_type("gemma2"), tokenizer())).soft_cap == 30.0
    assert anatomy(attach(of_type("gpt2"), tokenizer())).soft_cap is None
    assert anatomy(attach(of_type("cohere", logit_scale=0.25), tokenizer())).logit_scale == 0.25


def test_bytes_at_the_precision_it_is_held_in_are_those_it_takes():
    model = attach(of_type("gpt2"), tokenizer())
    assert anatomy(model).bytes["float32"] == model.card.bytes
