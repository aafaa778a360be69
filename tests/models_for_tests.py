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
