"""The first Qwen, read as the Qwen2 it is: its checkpoints name no class of transformers but bring code of their own.

What that code computes (`modeling_qwen.py`, published with `Qwen/Qwen-1_8B` and its siblings) is what Qwen2 computes,
under other names, so its weights go into transformers' own Qwen2 and none of the code is run:

    transformer.wte, transformer.ln_f, lm_head      model.embed_tokens, model.norm, lm_head (not tied)
    transformer.h.N.ln_1, .ln_2                     input_layernorm, post_attention_layernorm (RMSNorm)
    transformer.h.N.attn.c_attn (with bias)         q_proj, k_proj, v_proj: a third of its outputs each
    transformer.h.N.attn.c_proj (without)           o_proj
    transformer.h.N.mlp.w1, .w2, .c_proj            up_proj, gate_proj, down_proj: c_proj(w1(x) · silu(w2(x)))

`intermediate_size` counts gate and up together: there are half as many neurons. In both, rotary positions turn the two
halves of a head against each other and scores are divided by the root of the head's width.

Two things act on texts longer than `seq_length` alone, the length it was trained on: `use_dynamic_ntk` (a slower
rotation) and `use_logn_attn` (queries times log position / log seq_length). Up to there both factors are exactly 1, so
`seq_length` is given as the context, and longer texts are refused or windowed like any other model's. In half precision
the original turns positions in float32 and Qwen2 does not, which moves the last places of a value.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from neuronscope.errors import UnsupportedModel
from neuronscope.models import folders, pickles, qwen_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

_AROUND = {
    "transformer.wte.weight": "model.embed_tokens.weight",
    "transformer.ln_f.weight": "model.norm.weight",
    "lm_head.weight": "lm_head.weight",
}
_IN_BLOCK = {
    "ln_1.weight": ("input_layernorm.weight",),
    "ln_2.weight": ("post_attention_layernorm.weight",),
    "attn.c_attn.weight": tuple(f"self_attn.{part}_proj.weight" for part in "qkv"),
    "attn.c_attn.bias": tuple(f"self_attn.{part}_proj.bias" for part in "qkv"),
    "attn.c_proj.weight": ("self_attn.o_proj.weight",),
    "mlp.w1.weight": ("mlp.up_proj.weight",),
    "mlp.w2.weight": ("mlp.gate_proj.weight",),
    "mlp.c_proj.weight": ("mlp.down_proj.weight",),
}
_TABLES = (".inv_freq", ".masked_bias", ".logn_tensor")
"""What some checkpoints hold although it follows from the configuration."""
_NEEDED = (
    "vocab_size hidden_size intermediate_size num_hidden_layers num_attention_heads kv_channels seq_length "
    "max_position_embeddings layer_norm_epsilon rotary_emb_base rotary_pct no_bias"
).split()


def is_original(raw: dict[str, Any]) -> bool:
    """Whether a `config.json`, as a dictionary, is that of a first Qwen."""
    return raw.get("model_type") == "qwen"


def native_config(raw: dict[str, Any], name: str) -> Qwen2Config:
    """The configuration of the Qwen2 that is the same network; `name` is what the model is called in an error.

    Its `dtype` is the one the checkpoint states, and bfloat16 where it leaves that to the machine, as Qwen's own do.

    Raises:
        UnsupportedModel: where no Qwen2 is the same network, or the configuration is incomplete.
    """
    from transformers import Qwen2Config

    if reason := _why_not(raw):
        raise UnsupportedModel(f"{name} cannot be read: {reason}")
    return Qwen2Config(
        architectures=["Qwen2ForCausalLM"],
        vocab_size=raw["vocab_size"],
        hidden_size=raw["hidden_size"],
        intermediate_size=raw["intermediate_size"] // 2,
        num_hidden_layers=raw["num_hidden_layers"],
        num_attention_heads=raw["num_attention_heads"],
        num_key_value_heads=raw["num_attention_heads"],
        hidden_act="silu",
        max_position_embeddings=min(raw["seq_length"], raw["max_position_embeddings"]),
        rms_norm_eps=raw["layer_norm_epsilon"],
        rope_parameters={"rope_type": "default", "rope_theta": float(raw["rotary_emb_base"])},
        tie_word_embeddings=raw.get("tie_word_embeddings", False),
        use_sliding_window=False,
        dtype=raw.get("torch_dtype") or _own_type(raw),
    )


def load_network(
    folder: Path, config: Qwen2Config, name: str, **options: Any
) -> tuple[Qwen2ForCausalLM, dict[str, Any]]:
    """Load the weights in `folder` into a Qwen2 of `config`, which is what `native_config` gives.

    The files are mapped into memory and copied one weight after another, so that little more than the network is held.

    Args:
        folder: Where the weight files are, one or the shards of an index.
        config: The network.
        name: What the model is called in an error.
        options: More of `from_pretrained`: the type, or how to quantize and where to.

    Returns:
        The network, and what `from_pretrained(..., output_loading_info=True)` says of it: weights that are missing, too
        many or of another shape, by their names in Qwen2.

    Raises:
        UnsupportedModel: if there is a weight that such a network has no place for.
    """
    from transformers import Qwen2ForCausalLM

    weights = {new: part for file in _files(folder) for new, part in _renamed(file, name)}
    return Qwen2ForCausalLM.from_pretrained(
        None, config=config, state_dict=weights, output_loading_info=True, ignore_mismatched_sizes=True, **options
    )


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """The tokenizer of the checkpoint in `folder`; raises `UnsupportedModel` if its vocabulary cannot be read."""
    return qwen_tokenizer.tokenizer(folder / "qwen.tiktoken")


def _why_not(raw: dict[str, Any]) -> str | None:
    if missing := [field for field in _NEEDED if raw.get(field) is None]:
        return f"its config.json does not state {', '.join(missing)}. Fetch the model's current version."
    if held := [part for part in ("visual", "audio") if part in raw]:
        return f"it reads more than text ({held[0]}). NeuronScope reads Qwen's language models."
    if raw["kv_channels"] * raw["num_attention_heads"] != raw["hidden_size"]:
        return "its heads together are not as wide as the network (kv_channels × num_attention_heads ≠ hidden_size)."
    if raw["rotary_pct"] != 1.0 or not raw["no_bias"] or raw["intermediate_size"] % 2:
        return (
            "this variant of Qwen is not among the networks NeuronScope has been checked on: rotary_pct has to be 1, "
            "no_bias true and intermediate_size even."
        )
    return None


def _own_type(raw: dict[str, Any]) -> str:
    return "float32" if raw.get("fp32") else "float16" if raw.get("fp16") else "bfloat16"


def _files(folder: Path) -> list[Path]:
    held = folders.weights_among(path.name for path in folder.iterdir()) or folders.WEIGHTS
    if not held.endswith(".json"):
        return [folder / held]
    where = json.loads((folder / held).read_text(encoding="utf-8"))["weight_map"]
    return [folder / name for name in sorted(set(where.values()))]


def _renamed(file: Path, name: str) -> Iterator[tuple[str, Tensor]]:
    """The weights of one file under their new names, as views of the mapped file."""
    for old, weight in _tensors(file, name):
        if old.endswith(_TABLES):
            continue
        names = _native_names(old)
        if not names:
            raise UnsupportedModel(
                f"{name} cannot be read: {old} in {file.name} is no weight of a Qwen language model. "
                "Fetch the plain model, neither quantized nor made for more than text."
            )
        yield from zip(names, weight.chunk(len(names)), strict=True)


def _tensors(file: Path, name: str) -> Iterator[tuple[str, Tensor]]:
    from safetensors import safe_open

    if file.suffix != ".safetensors":
        yield from pickles.tensors(file, name).items()
        return
    with safe_open(file, framework="pt") as held:
        for old in held.keys():  # noqa: SIM118 (it has keys and is no mapping)
            yield old, held.get_tensor(old)


def _native_names(old: str) -> tuple[str, ...]:
    if old in _AROUND:
        return (_AROUND[old],)
    layer, _, part = old.removeprefix("transformer.h.").partition(".")
    return tuple(f"model.layers.{layer}.{name}" for name in _IN_BLOCK.get(part, ()))
