"""The first Qwen, written down anew: a tiny checkpoint in its own layout, its formulas in plain torch, its tiktoken."""

from __future__ import annotations

import base64
import json
import math
import random
import unicodedata
from collections import Counter
from itertools import pairwise
from pathlib import Path

import regex
import torch
from safetensors.torch import save_file
from torch import Tensor

WIDTH, LAYERS, HEADS, NEURONS, LENGTH = 32, 3, 4, 64, 40
SAMPLE = (
    "the king and the queen sang under the tree while it rained and rained again; I've said we'll see, didn't they? "
    "1234 trees, 56 dogs.  def f(x):\n    return x + 1\n\n"
    "中文的文字在这里，中文。 日本語の文字 한국어 문자 🙂🙂 café naïve über"
)
PATTERN = regex.compile(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPECIAL = regex.compile(r"<\|(?:endoftext|im_start|im_end|extra_(?:[0-9]|[1-9][0-9]|1[0-9][0-9]|20[0-4]))\|>")


def ranks(joins: int = 100) -> dict[bytes, int]:
    """A vocabulary learnt from the sample: every byte in a shuffled order, then what is joined most often."""
    order = random.Random(0).sample(range(256), 256)
    held = {bytes([byte]): rank for rank, byte in enumerate(order)}
    words = [[bytes([byte]) for byte in piece.encode()] for piece in PATTERN.findall(SAMPLE)]
    for _ in range(joins):
        left, right = Counter(pair for word in words for pair in pairwise(word)).most_common(1)[0][0]
        held[left + right] = len(held)
        words = [joined(word, {left + right: 0}) for word in words]
    return held


def joined(parts: list[bytes], held: dict[bytes, int]) -> list[bytes]:
    """Join the leftmost two parts of lowest rank until no two together have one: what tiktoken does."""
    parts = list(parts)
    while True:
        possible = [(held[a + b], i) for i, (a, b) in enumerate(pairwise(parts)) if a + b in held]
        if not possible:
            return parts
        at = min(possible)[1]
        parts[at : at + 2] = [parts[at] + parts[at + 1]]


def encode(text: str, held: dict[bytes, int]) -> list[int]:
    """The ids of a text: special tokens as they stand, pieces that are tokens, joined bytes of the others."""
    text = unicodedata.normalize("NFC", text)
    names = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *(f"<|extra_{i}|>" for i in range(205))]
    ids: list[int] = []
    at = 0
    for special in [*SPECIAL.finditer(text), None]:
        for piece in PATTERN.findall(text[at : special.start() if special else None]):
            whole = piece.encode()
            parts = [whole] if whole in held else joined([whole[i : i + 1] for i in range(len(whole))], held)
            ids += [held[part] for part in parts]
        if special:
            ids.append(len(held) + names.index(special.group()))
            at = special.end()
    return ids


def config(**changes: object) -> dict[str, object]:
    """A `config.json` with the fields of the published one."""
    return {
        "architectures": ["QWenLMHeadModel"],
        "auto_map": {
            "AutoConfig": "configuration_qwen.QWenConfig",
            "AutoModelForCausalLM": "modeling_qwen.QWenLMHeadModel",
        },
        "attn_dropout_prob": 0.0,
        "bf16": False,
        "emb_dropout_prob": 0.0,
        "fp16": False,
        "fp32": False,
        "hidden_size": WIDTH,
        "intermediate_size": 2 * NEURONS,
        "initializer_range": 0.02,
        "kv_channels": WIDTH // HEADS,
        "layer_norm_epsilon": 1e-3,
        "max_position_embeddings": 2 * LENGTH,
        "model_type": "qwen",
        "no_bias": True,
        "num_attention_heads": HEADS,
        "num_hidden_layers": LAYERS,
        "onnx_safe": None,
        "rotary_emb_base": 100.0,
        "rotary_pct": 1.0,
        "scale_attn_weights": True,
        "seq_length": LENGTH,
        "tie_word_embeddings": False,
        "tokenizer_class": "QWenTokenizer",
        "use_cache": True,
        "use_dynamic_ntk": True,
        "use_flash_attn": "auto",
        "use_logn_attn": True,
        "vocab_size": 640,
        **changes,
    }


def weights(raw: dict[str, object], dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """Random weights under their original names, large enough that every part matters."""
    random_numbers = torch.Generator().manual_seed(0)

    def drawn(*shape: int, scale: float = 0.3, around: float = 0.0) -> Tensor:
        return (torch.randn(*shape, generator=random_numbers) * scale + around).to(dtype)

    width, neurons, words = raw["hidden_size"], raw["intermediate_size"] // 2, raw["vocab_size"]
    held = {"transformer.wte.weight": drawn(words, width, scale=1.0), "lm_head.weight": drawn(words, width)}
    for layer in range(raw["num_hidden_layers"]):
        block = f"transformer.h.{layer}"
        held[f"{block}.ln_1.weight"] = drawn(width, around=1.0)
        held[f"{block}.attn.c_attn.weight"] = drawn(3 * width, width)
        held[f"{block}.attn.c_attn.bias"] = drawn(3 * width)
        held[f"{block}.attn.c_proj.weight"] = drawn(width, width)
        held[f"{block}.ln_2.weight"] = drawn(width, around=1.0)
        held[f"{block}.mlp.w1.weight"] = drawn(neurons, width)
        held[f"{block}.mlp.w2.weight"] = drawn(neurons, width)
        held[f"{block}.mlp.c_proj.weight"] = drawn(width, neurons)
    return held | {"transformer.ln_f.weight": drawn(width, around=1.0)}


def save(folder: Path, raw: dict[str, object], held: dict[str, Tensor], *, shards: int = 1) -> Path:
    """Write the checkpoint as it is published: configuration, vocabulary, safetensors in so many files."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(raw))
    lines = (f"{base64.b64encode(token).decode()} {rank}\n" for token, rank in ranks().items())
    (folder / "qwen.tiktoken").write_text("".join(lines))
    if shards == 1:
        save_file(held, folder / "model.safetensors", metadata={"format": "pt"})
        return folder
    where = {name: f"model-{i % shards + 1:05}-of-{shards:05}.safetensors" for i, name in enumerate(held)}
    for file in set(where.values()):
        save_file({name: held[name] for name in held if where[name] == file}, folder / file, metadata={"format": "pt"})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))
    return folder


def forward(ids: list[int], raw: dict[str, object], held: dict[str, Tensor]) -> dict[str, Tensor]:
    """What the original computes for one text: gate, up, neurons and residual [layers, tokens, …], and the logits."""
    stream = held["transformer.wte.weight"][ids]
    seen: dict[str, list[Tensor]] = {"gate": [], "up": [], "neurons": [], "residual": []}
    for layer in range(raw["num_hidden_layers"]):
        block = {name.split(".", 3)[3]: held[name] for name in held if name.startswith(f"transformer.h.{layer}.")}
        stream = stream + _attention(_norm(stream, block["ln_1.weight"], raw), block, raw)
        read = _norm(stream, block["ln_2.weight"], raw)
        up, gate = read @ block["mlp.w1.weight"].T, read @ block["mlp.w2.weight"].T
        neurons = up * (gate * torch.sigmoid(gate))
        stream = stream + neurons @ block["mlp.c_proj.weight"].T
        for site, values in (("gate", gate), ("up", up), ("neurons", neurons), ("residual", stream)):
            seen[site].append(values)
    logits = _norm(stream, held["transformer.ln_f.weight"], raw) @ held["lm_head.weight"].T
    return {site: torch.stack(values) for site, values in seen.items()} | {"logits": logits}


def _norm(x: Tensor, weight: Tensor, raw: dict[str, object]) -> Tensor:
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + raw["layer_norm_epsilon"]) * weight


def _attention(x: Tensor, block: dict[str, Tensor], raw: dict[str, object]) -> Tensor:
    tokens, heads, length = len(x), raw["num_attention_heads"], raw["seq_length"]
    query, key, value = (
        part.reshape(tokens, heads, -1)
        for part in (x @ block["attn.c_attn.weight"].T + block["attn.c_attn.bias"]).split(raw["hidden_size"], dim=-1)
    )
    alpha = max(2 ** math.ceil(math.log2(tokens / length) + 1) - 1, 1) if raw["use_dynamic_ntk"] else 1
    query, key = _turned(query, raw, alpha), _turned(key, raw, alpha)
    if raw["use_logn_attn"]:
        factors = [math.log(i, length) if i > length else 1.0 for i in range(1, tokens + 1)]
        query = query * torch.tensor(factors)[:, None, None]
    scores = torch.einsum("qhd,khd->hqk", query, key) / math.sqrt(query.shape[-1])
    scores = scores.masked_fill(~torch.ones(tokens, tokens, dtype=torch.bool).tril(), float("-inf"))
    mixed = torch.einsum("hqk,khd->qhd", scores.softmax(-1), value).reshape(tokens, -1)
    return mixed @ block["attn.c_proj.weight"].T


def _turned(x: Tensor, raw: dict[str, object], alpha: float) -> Tensor:
    """Rotary positions: the first half of a head against its second half."""
    size = x.shape[-1]
    base = raw["rotary_emb_base"] * alpha ** (size / (size - 2))
    angles = torch.outer(torch.arange(len(x)).float(), 1 / base ** (torch.arange(0, size, 2).float() / size))
    cosine, sine = angles.cos()[:, None], angles.sin()[:, None]
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], dim=-1)
