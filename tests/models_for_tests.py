"""Tiny random networks and a tokenizer for them: small enough to build in every test, real in every part."""

from __future__ import annotations

from functools import cache

import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

WORDS = [
    "<|endoftext|>",
    *"the a cat dog bird sat ran sang on under mat tree and . , king queen red blue green".split(),
]


@cache
def tokenizer() -> PreTrainedTokenizerFast:
    """One id for each word of WORDS, split at spaces."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<|endoftext|>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<|endoftext|>", bos_token="<|endoftext|>")


def gpt2(seed: int = 0, **changes: object) -> GPT2LMHeadModel:
    """A GPT-2 of 3 layers × 32 neurons, weights large enough that every part of it matters."""
    torch.manual_seed(seed)
    sizes = {"vocab_size": len(WORDS), "n_positions": 32, "n_embd": 16, "n_layer": 3, "n_head": 2, "n_inner": 32}
    network = GPT2LMHeadModel(GPT2Config(**{**sizes, "bos_token_id": 0, "eos_token_id": 0, **changes}))
    return _shaken(network).eval()


def llama(seed: int = 0, **changes: object) -> LlamaForCausalLM:
    """A Llama of 3 layers × 24 neurons with grouped-query attention."""
    torch.manual_seed(seed)
    sizes = {
        "vocab_size": len(WORDS),
        "max_position_embeddings": 32,
        "hidden_size": 16,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 24,
    }
    network = LlamaForCausalLM(LlamaConfig(**{**sizes, "bos_token_id": 0, "eos_token_id": 0, **changes}))
    return _shaken(network).eval()


def _shaken(network: torch.nn.Module) -> torch.nn.Module:
    """Move every parameter away from its initial value: norms of one and biases of zero would hide mistakes."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return network


FAMILY_TYPES = (
    "gpt2 gpt_bigcode gpt_neo gptj codegen gpt_neox bloom falcon mpt opt phi phi3 glm glm4 starcoder2 nemotron llama "
    "mistral ministral qwen2 qwen3 gemma gemma2 gemma3_text olmo olmo2 olmo3 exaone4 stablelm cohere cohere2 granite "
    "smollm3 bert roberta xlm-roberta camembert electra deberta-v2 mpnet distilbert albert modernbert t5 mt5"
).split()
"""Every `model_type` that NeuronScope says it reads."""

_SIZES = {
    "vocab_size": len(WORDS),
    "hidden_size": 32,
    "n_embd": 32,
    "d_model": 32,
    "dim": 32,
    "embedding_size": 32,
    "word_embed_proj_dim": 32,
    "num_hidden_layers": 2,
    "n_layer": 2,
    "n_layers": 2,
    "num_layers": 2,
    "num_attention_heads": 4,
    "n_head": 4,
    "n_heads": 4,
    "num_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "d_kv": 8,
    "intermediate_size": 48,
    "ffn_dim": 48,
    "n_inner": 48,
    "d_ff": 48,
    "hidden_dim": 48,
    "max_position_embeddings": 64,
    "n_positions": 64,
    "n_ctx": 64,
    "max_seq_len": 64,
    "rotary_dim": 4,
    "expansion_ratio": 2,
    "attention_types": [[["global", "local"], 1]],
    "sliding_window": 16,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 0,
}


def of_type(model_type: str, seed: int = 0, *, wide: bool = False, **changes: object) -> torch.nn.Module:
    """A tiny random network of any type in FAMILY_TYPES, with the head that belongs to it.

    With `wide` every width is a whole number of the 64 weights that share a 4-bit scale.
    """
    import transformers

    known = transformers.AutoConfig.for_model(model_type)
    fields = {**known.to_dict(), **getattr(known, "attribute_map", {})}
    wider = {32: 64, 48: 128, 8: 16} if wide else {}
    sizes = {
        name: wider.get(value, value) if isinstance(value, int) else value
        for name, value in _SIZES.items()
        if name in fields
    }
    if model_type == "distilbert":
        sizes.pop("hidden_size")
    config = transformers.AutoConfig.for_model(model_type, **{**sizes, **changes})
    torch.manual_seed(seed)
    network = getattr(transformers, _head(model_type)).from_config(config)
    network.config.architectures = [type(network).__name__]
    return _shaken(network).eval()


def _head(model_type: str) -> str:
    from neuronscope.models.families import FAMILIES

    head = next(family.head for family in FAMILIES if model_type in family.model_types)
    return {
        "causal": "AutoModelForCausalLM",
        "masked": "AutoModelForMaskedLM",
        "encoder": "AutoModelForTextEncoding",
    }[head]
