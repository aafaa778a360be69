"""A first Qwen read as a Qwen2: the original formulas' values and the original tokenizer's ids, without its code."""

from __future__ import annotations

import base64
import importlib.util
import json
import random
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from neuronscope.engine.capture import capture, forward
from neuronscope.errors import UnsupportedModel
from neuronscope.models import qwen, qwen_tokenizer
from neuronscope.models.estimate import estimate
from neuronscope.models.loading import LoadedModel, attach, load
from neuronscope.models.precision import Precision, bytes_by_place, loading_options, matrix, settle
from neuronscope.models.tokenization import tokenize
from neuronscope.vocabulary import Site
from tests.models import original_qwen as original

TEXT = "The queen's 12 dogs sang: 中文 🙂"
TEXTS = [
    TEXT,
    "I've, we'LL, they'd; 'tis don't I'M",
    "3.14159 and 2024-01-02, ²³ Ⅷ ٣",
    "  two  spaces\t\tand tabs \n\n\n new lines\r\nof all kinds   ",
    "中文的文字在这里，中文。日本語の文字とカナ 한국어 문자",
    "🙂🙂👩\u200d👧 emoji 🇫🇷 and \ufe0f",
    "cafe\u0301 nai\u0308ve u\u0308ber \u1112\u1161\u11ab \u212b \u0344",
    "<|im_start|>user\nHi<|im_end|> <|extra_0|><|extra_204|><|extra_205|> <|endoftext|>\u0338 <|endoftext|>",
    "def f(x):\n    return x + 1  # ===== !!!\n\n\nשלום العربية \x07\x00\u200b\u202e",
    " ",
]


def loaded(folder: Path, **options: object) -> LoadedModel:
    config = qwen.native_config(json.loads((folder / "config.json").read_text()), "tiny")
    network, info = qwen.load_network(folder, config, "tiny", **(options or {"dtype": torch.float32}))
    assert not any(info[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs"))
    settle(network.eval())
    return attach(network, qwen.load_tokenizer(folder), "tiny")


@pytest.fixture(params=[1, 3], ids=["one file", "three shards"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    raw = original.config()
    return original.save(tmp_path / "qwen", raw, original.weights(raw), shards=request.param)


@cache
def vocabulary() -> dict[bytes, int]:
    return original.ranks()


def fast(held: dict[bytes, int], folder: Path) -> PreTrainedTokenizerFast:
    file = folder / "qwen.tiktoken"
    file.write_text("".join(f"{base64.b64encode(token).decode()} {rank}\n" for token, rank in held.items()))
    return qwen_tokenizer.tokenizer(file)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> PreTrainedTokenizerFast:
    return fast(vocabulary(), tmp_path_factory.mktemp("vocabulary"))


def relative(found: np.ndarray, expected: torch.Tensor) -> float:
    assert found.shape == expected.shape
    return float(np.abs(found - expected.numpy()).max() / expected.abs().max())


def test_every_value_is_that_of_the_original_formulas(folder: Path) -> None:
    raw = original.config()
    model = loaded(folder)
    ids = random.Random(1).choices(range(raw["vocab_size"]), k=original.LENGTH)
    expected = original.forward(ids, raw, original.weights(raw))
    tokens = tokenize(model.tokenizer, TEXT)
    of_text = original.forward(tokens.ids.tolist(), raw, original.weights(raw))
    sites = [Site.GATE, Site.UP, Site.NEURONS, Site.RESIDUAL]
    for site, captured in capture(model, [tokens], sites=sites)[0].items():
        assert relative(captured.values, of_text[site]) < 1e-5
    with torch.inference_mode():
        assert relative(model.network(torch.tensor([ids])).logits[0].numpy(), expected["logits"]) < 1e-5


def test_the_context_is_as_far_as_the_original_changes_nothing(folder: Path) -> None:
    """At `seq_length` its two long-text factors are still 1; one token further they are not."""
    raw = original.config()
    model = loaded(folder)
    assert model.card.context == original.LENGTH
    plain = raw | {"use_dynamic_ntk": False, "use_logn_attn": False}
    held = original.weights(raw)
    ids = random.Random(2).choices(range(raw["vocab_size"]), k=original.LENGTH + 1)
    for length, same in ((original.LENGTH, True), (original.LENGTH + 1, False)):
        long, short = (original.forward(ids[:length], each, held)["logits"] for each in (raw, plain))
        assert torch.equal(long, short) is same
    ids = ids[: original.LENGTH]
    states = forward(model, torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.bool)).last_hidden_state
    with torch.inference_mode():
        logits = model.unembedding(states)[0].numpy()
    assert relative(logits, original.forward(ids, raw, held)["logits"]) < 1e-5


def test_the_card_says_what_it_is(folder: Path) -> None:
    card = loaded(folder).card
    assert (card.family, card.architecture, card.activation, card.norm) == (
        "llama",
        "Qwen2ForCausalLM",
        "silu",
        "RMSNorm",
    )
    assert (card.layers, card.neurons, card.width, card.heads) == (3, original.NEURONS, original.WIDTH, original.HEADS)
    assert card.gated
    assert not card.tied
    assert card.parameters == sum(weight.numel() for weight in original.weights(original.config()).values())


def test_the_published_size_has_the_published_number_of_weights() -> None:
    raw = original.config(hidden_size=2048, intermediate_size=11008, kv_channels=128, num_attention_heads=16)
    raw |= {"num_hidden_layers": 24, "vocab_size": 151936, "seq_length": 8192, "max_position_embeddings": 8192}
    config = qwen.native_config(raw, "Qwen/Qwen-1_8B")
    assert config.max_position_embeddings == 8192
    assert estimate(config).parameters == 1_836_828_672


@pytest.mark.parametrize("held", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("asked", [torch.float32, torch.bfloat16, torch.float16])
def test_weights_are_held_in_the_type_asked_for(tmp_path: Path, held: torch.dtype, asked: torch.dtype) -> None:
    raw = original.config()
    weights = original.weights(raw, held)
    network = loaded(original.save(tmp_path / "qwen", raw, weights, shards=2), dtype=asked).network
    assert {weight.dtype for weight in network.parameters()} == {asked}
    key = weights["transformer.h.1.attn.c_attn.weight"][original.WIDTH : 2 * original.WIDTH]
    assert torch.equal(network.model.layers[1].self_attn.k_proj.weight, key.to(asked))


@pytest.mark.skipif(importlib.util.find_spec("bitsandbytes") is None, reason="needs bitsandbytes")
@pytest.mark.parametrize(("precision", "step"), [(Precision.INT8, 1 / 127), (Precision.NF4, 0.31)])
def test_it_is_quantized_as_it_is_loaded(tmp_path: Path, precision: Precision, step: float) -> None:
    """Every weight within half a step of the original's: of 127 for a row, of NF4's widest for a block of 64."""
    raw = original.config(hidden_size=64, kv_channels=16, intermediate_size=256)
    held = original.weights(raw)
    folder = original.save(tmp_path / "qwen", raw, held, shards=2)
    model = loaded(folder, **loading_options(precision, torch.device("cpu")))
    assert model.card.precision == precision
    assert bytes_by_place(model.network)["cpu"] < bytes_by_place(loaded(folder).network)["cpu"]
    value = held["transformer.h.1.attn.c_attn.weight"][128:]
    for path, whole in (
        ("self_attn.v_proj", value),
        ("mlp.gate_proj", held["transformer.h.1.mlp.w2.weight"]),
        ("mlp.down_proj", held["transformer.h.1.mlp.c_proj.weight"]),
    ):
        error = (matrix(model.in_block(1, path)).T - whole).abs()
        assert 0 < (error / whole.abs().amax(1, keepdim=True)).max() < 0.55 * step
    tokens = tokenize(model.tokenizer, TEXT)
    found = capture(model, [tokens])[0][Site.NEURONS].values[0]
    expected = original.forward(tokens.ids.tolist(), raw, held)["neurons"][0]
    assert np.corrcoef(found.ravel(), expected.numpy().ravel())[0, 1] > 0.9


@pytest.mark.parametrize(
    ("changes", "own"),
    [
        ({}, torch.bfloat16),
        ({"fp16": True}, torch.float16),
        ({"fp32": True}, torch.float32),
        ({"torch_dtype": "float16"}, torch.float16),
    ],
)
def test_its_own_type_is_the_one_it_states(changes: dict[str, object], own: torch.dtype) -> None:
    assert qwen.native_config(original.config(**changes), "tiny").dtype is own


def test_only_a_first_qwen_is_taken_for_one() -> None:
    assert qwen.is_original(original.config())
    assert not qwen.is_original({"model_type": "qwen2"})
    assert not qwen.is_original({})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seq_length": None, "kv_channels": None}, "does not state kv_channels, seq_length"),
        ({"visual": {"width": 8}}, r"more than text \(visual\)"),
        ({"kv_channels": 4}, "heads together are not as wide"),
        ({"rotary_pct": 0.5}, "rotary_pct has to be 1"),
        ({"no_bias": False}, "no_bias true"),
        ({"intermediate_size": 127}, "intermediate_size even"),
    ],
)
def test_what_no_qwen2_can_be_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(UnsupportedModel, match=f"tiny cannot be read: .*{said}"):
        qwen.native_config(original.config(**changes), "tiny")


def test_a_weight_without_a_place_is_refused_and_a_missing_one_is_named(tmp_path: Path) -> None:
    raw = original.config()
    held = original.weights(raw)
    strange = original.save(tmp_path / "strange", raw, held | {"transformer.h.0.attn.c_proj.bias": torch.zeros(32)})
    config = qwen.native_config(raw, "tiny")
    with pytest.raises(UnsupportedModel, match=r"tiny .*: transformer\.h\.0\.attn\.c_proj\.bias in model\."):
        qwen.load_network(strange, config, "tiny", dtype=torch.float32)
    held.pop("transformer.h.2.mlp.w2.weight")
    _, info = qwen.load_network(original.save(tmp_path / "short", raw, held), config, "tiny", dtype=torch.float32)
    assert info["missing_keys"] == {"model.layers.2.mlp.gate_proj.weight"}


def test_tables_that_follow_from_the_configuration_are_passed_over(tmp_path: Path) -> None:
    raw = original.config()
    tables = {"transformer.rotary_emb.inv_freq": torch.ones(4), "transformer.h.0.attn.masked_bias": torch.ones(1)}
    assert loaded(original.save(tmp_path / "qwen", raw, original.weights(raw) | tables))


@pytest.mark.parametrize("text", TEXTS)
def test_the_ids_are_tiktokens(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    assert tokenizer(text)["input_ids"] == original.encode(text, vocabulary())


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(st.sampled_from([*original.SAMPLE.split(" "), *TEXTS]), st.text(max_size=5)), max_size=6))
def test_the_ids_of_any_text_are_tiktokens(tokenizer: PreTrainedTokenizerFast, parts: list[str]) -> None:
    for text in ("".join(parts), " ".join(parts)):
        assert tokenizer(text)["input_ids"] == original.encode(text, vocabulary())


@pytest.mark.parametrize("seed", range(20))
def test_even_a_vocabulary_that_nobody_learnt_is_read_as_tiktoken_reads_it(seed: int, tmp_path: Path) -> None:
    """Tokens of any rank, some of which no joining comes to and some that arise in several ways."""
    drawn = random.Random(seed)
    bytes_ = [bytes([byte]) for byte in range(256)]
    longer = {"".join(drawn.choices("ab ", k=drawn.randrange(2, 7))).encode() for _ in range(40)}
    tokens = drawn.sample(bytes_ + sorted(longer), 256 + len(longer))
    held = {token: rank for rank, token in enumerate(tokens)}
    made = fast(held, tmp_path)
    for _ in range(50):
        text = "".join(drawn.choices("abAB  ", k=drawn.randrange(1, 40))).lower()
        assert made(text)["input_ids"] == original.encode(text, held)


def test_the_parts_of_a_learnt_vocabulary_are_those_it_was_learnt_with(shared_data: Path) -> None:
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    byte_of = {character: byte for byte, character in bytes_to_unicode().items()}
    model = json.loads((shared_data / "tokenizers-gpt2" / "tokenizer.json").read_text(encoding="utf-8"))["model"]

    def spelt(piece: str) -> bytes:
        return bytes(byte_of[character] for character in piece)

    held = {spelt(piece): id_ for piece, id_ in model["vocab"].items() if set(piece) <= byte_of.keys() and id_ < 50256}
    parts = [each if isinstance(each, list) else each.split(" ") for each in model["merges"]]
    assert qwen_tokenizer.merges(held) == [(spelt(left), spelt(right)) for left, right in parts]


@pytest.mark.parametrize("text", TEXTS)
def test_the_tokens_cover_the_text(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    tokens = tokenize(tokenizer, text + ".")
    assert tokens.offsets[0, 0] == 0
    assert tokens.offsets[-1, 1] == len(text) + 1
    assert all(start <= before[1] for before, (start, _) in pairwise(tokens.offsets.tolist()))


def test_special_tokens_follow_the_ranks_and_stand_for_no_text(tokenizer: PreTrainedTokenizerFast) -> None:
    first = len(vocabulary())
    assert len(tokenizer) == first + 208
    names = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|extra_0|>", "<|extra_204|>"]
    assert tokenizer.convert_tokens_to_ids(names) == [first, first + 1, first + 2, first + 3, first + 207]
    tokens = tokenize(tokenizer, "<|im_start|>user<|extra_204|>")
    assert tokens.special.tolist() == [True, *[False] * (len(tokens) - 2), True]
    assert tokenizer.decode(tokenizer("héllo 中 🙂")["input_ids"]) == "héllo 中 🙂"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (None, "cannot be read: .*No such file"),
        (["not base64! 0"], "is not a vocabulary"),
        (["AA== zero"], "is not a vocabulary"),
        (["AA=="], "is not a vocabulary"),
        (["AA== 0", "AQ== 1"], "is not whole"),
        ([], "is not whole"),
        (["version https://git-lfs.github.com/spec/v1"], "is not a vocabulary"),
    ],
)
def test_a_broken_vocabulary_is_refused(tmp_path: Path, lines: list[str] | None, said: str) -> None:
    if lines is not None:
        (tmp_path / "qwen.tiktoken").write_text("\n".join(lines))
    with pytest.raises(UnsupportedModel, match=said):
        qwen.load_tokenizer(tmp_path)


def test_a_vocabulary_with_a_gap_is_refused(tmp_path: Path) -> None:
    held = {bytes([byte]): byte for byte in range(256)} | {b"ab": 257}
    with pytest.raises(UnsupportedModel, match="is not whole"):
        fast(held, tmp_path)


@pytest.mark.parametrize("precision", ["auto", "float32", "bfloat16", "float16", "int8", "nf4"])
def test_an_original_checkpoint_loads_like_any_other(tmp_path: Path, precision: str) -> None:
    raw = original.config(hidden_size=64, kv_channels=16, intermediate_size=256)
    held = original.weights(raw)
    folder = original.save(tmp_path / "first", raw, held, shards=2)
    (folder / "modeling_qwen.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    model = load(str(folder), precision=precision, device="cpu")
    tokens = model.tokens("The queen's 12 dogs sang")
    found = capture(model, [tokens])[0][Site.NEURONS].values
    expected = original.forward(tokens.ids.tolist(), raw, held)["neurons"].numpy()
    error = np.abs(found - expected).max() / np.abs(expected).max()
    tolerance = {"bfloat16": 0.1, "float16": 0.02, "int8": 0.1, "nf4": 1.0}.get(precision, 1e-5)
    assert error < tolerance
    assert model.card.precision == ("float32" if precision == "auto" else precision)
    assert not (tmp_path / "ran").exists(), "code of the checkpoint was run"


@pytest.mark.parametrize(
    ("change", "drop", "add"),
    [
        ({}, "2.mlp.w2", {}),
        ({"num_hidden_layers": 2}, None, {}),
        ({"num_hidden_layers": 4}, None, {}),
        ({"intermediate_size": 60}, None, {}),
        ({"vocab_size": 100}, None, {}),
        ({"hidden_size": "a"}, None, {}),
        ({"quantization_config": {"quant_method": "gptq"}}, None, {}),
        ({}, None, {"transformer.visual.x": torch.zeros(2, 32)}),
    ],
)
def test_a_broken_original_checkpoint_is_refused(
    tmp_path: Path, change: dict[str, object], drop: str | None, add: dict[str, torch.Tensor]
) -> None:
    raw = original.config()
    held = {name: weight for name, weight in original.weights(raw).items() if not drop or drop not in name}
    folder = original.save(tmp_path / "first", raw | change, held | add)
    with pytest.raises(UnsupportedModel):
        load(str(folder), device="cpu")
