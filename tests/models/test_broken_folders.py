"""Model folders that are not what they should be: each is refused in one sentence that says what is wrong with it."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from neuronscope.errors import ModelDoesNotFit, ModelError, ModelNotFound, UnsupportedModel
from neuronscope.models.loading import load
from neuronscope.models.refusals import refusing
from tests import models_for_tests as tiny

Break = Callable[[Path], object]
UP = "model.layers.1.mlp.up_proj.weight"
SHARD = "model-00001-of-00009.safetensors"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound model in one file, and the same in nine."""
    folder = tmp_path_factory.mktemp("whole")
    for name, size in (("one", "1GB"), ("shards", "4KB")):
        tiny.llama().save_pretrained(folder / name, max_shard_size=size)
        tiny.tokenizer().save_pretrained(folder / name)
    return folder


def written(file: str, content: str | bytes) -> Break:
    content = content.encode() if isinstance(content, str) else content
    return lambda folder: (folder / file).write_bytes(content)


def without(*files: str) -> Break:
    return lambda folder: [(folder / file).unlink() for file in files]


def config(**changes: Any) -> Break:
    """Change fields of config.json; None takes one out."""

    def change(held: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in {**held, **changes}.items() if value is not None}

    return in_json("config.json", change)


def in_json(file: str, change: Callable[[Any], Any]) -> Break:
    def edit(folder: Path) -> None:
        (folder / file).write_text(json.dumps(change(json.loads((folder / file).read_text()))))

    return edit


def index(**changes: str) -> Break:
    return in_json("model.safetensors.index.json", lambda held: {**held, "weight_map": held["weight_map"] | changes})


def weights(change: Callable[[dict[str, torch.Tensor]], object]) -> Break:
    def edit(folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})

    return edit


def raw_weights(change: Callable[[bytes], bytes]) -> Break:
    def edit(folder: Path) -> None:
        content = (folder / "model.safetensors").read_bytes()
        (folder / "model.safetensors").write_bytes(change(content))

    return edit


def pointing_beyond(content: bytes) -> bytes:
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header[UP]["data_offsets"][1] += 1_000_000
    written_again = json.dumps(header).encode()
    return len(written_again).to_bytes(8, "little") + written_again + content[8 + length :]


def not_a_number(row: int) -> Break:
    return weights(lambda tensors: tensors["model.embed_tokens.weight"][row].fill_(float("nan")))


def a_slow_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "CTRLTokenizer"}')
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(tiny.WORDS)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")


def a_word_too_many(held: dict[str, Any]) -> dict[str, Any]:
    held["model"]["vocab"]["zebra"] = len(tiny.WORDS) + 5
    return held


def emptied(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def a_file_instead(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_bytes(b"weights")


def a_link_to_itself(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.symlink_to(folder)


def only_checkpoints(folder: Path) -> None:
    (folder / "config.json").unlink()
    for step in ("checkpoint-100", "checkpoint-200"):
        (folder / step).mkdir()
        (folder / step / "config.json").write_text("{}")


def a_folder_for_a_file(folder: Path) -> None:
    (folder / "config.json").unlink()
    (folder / "config.json").mkdir()


IN_ONE_FILE: dict[str, tuple[Break, str]] = {
    "empty": (emptied, "that folder is empty"),
    "a file instead of a folder": (a_file_instead, "that is a file. Give the folder in which it lies"),
    "a link to itself": (a_link_to_itself, "that link leads nowhere"),
    "no configuration": (without("config.json"), "that folder has no config.json"),
    "only checkpoints": (only_checkpoints, "folders that have: checkpoint-100, checkpoint-200. Give one of these"),
    "only an adapter": (
        lambda folder: (folder / "config.json").rename(folder / "adapter_config.json"),
        "is an adapter whose adapter_config.json names no model",
    ),
    "configuration is a folder": (a_folder_for_a_file, "its config.json is a folder"),
    "configuration is not JSON": (
        written("config.json", "{nope"),
        "its config.json is not valid JSON (line 1, column 2)",
    ),
    "configuration is not text": (written("config.json", b"\xff\xfe\x00"), "config.json is not valid JSON (not text)"),
    "configuration is a list": (written("config.json", "[1]"), "its config.json holds no JSON object"),
    "no model_type": (config(model_type=None), "does not say what kind of network it is"),
    "unknown model_type": (config(model_type="strange"), "'strange' is a kind of network that transformers"),
    "no family of ours": (config(model_type="vit"), "'vit' is not among the networks NeuronScope has been checked on"),
    "experts": (config(model_type="mixtral", num_local_experts=8), "'mixtral' is a mixture of experts"),
    "no MLP": (config(model_type="mamba"), "'mamba' has no MLP after its attention"),
    "code of its own": (
        config(model_type="strange", auto_map={"AutoConfig": "own.Config"}),
        "comes with code of its own, and no code from a checkpoint is run unasked",
    ),
    "quantized already": (config(quantization_config={"quant_method": "gptq"}), "are quantized already (gptq)"),
    "nonsense dtype": (config(dtype="float17"), "says that its weights are 'float17', which is no type of numbers"),
    "no layers": (config(num_hidden_layers=0), "has no layer to look at: its config.json says num_hidden_layers is 0"),
    "layers in words": (config(num_hidden_layers="three"), "Field 'num_hidden_layers' expected int, got str"),
    "heads that do not divide": (config(num_attention_heads=3), "not a multiple of the number of attention heads (3)"),
    "no heads": (config(num_attention_heads=0), "a size that must not be zero is"),
    "unknown activation": (config(hidden_act="nonsense"), "transformers finds no 'nonsense'"),
    "fewer layers than weights": (
        config(num_hidden_layers=2),
        "hold more than its config.json describes: model.layers.2.",
    ),
    "more layers than weights": (config(num_hidden_layers=4), "are not complete: without model.layers.3."),
    "another width": (
        config(hidden_size=32),
        "do not fit its config.json: lm_head.weight (and 29 more) is 21 × 16 where",
    ),
    "no weights": (without("model.safetensors"), "has no weights: there is no model.safetensors"),
    "weights of another name": (
        lambda folder: (folder / "model.safetensors").rename(folder / "llama.safetensors"),
        "has no model.safetensors, no pytorch_model.bin and no index of shards of these, only llama.safetensors",
    ),
    "empty weights": (written("model.safetensors", b""), "is cut short: not even its header is whole"),
    "header cut short": (raw_weights(lambda held: held[:50]), "is cut short: not even its header is whole"),
    "weights cut short": (
        raw_weights(lambda held: held[:-100]),
        "is cut short: it holds 26,076 bytes of weights, and its header speaks of 26,176",
    ),
    "garbage": (written("model.safetensors", bytes(range(7, 207))), "model.safetensors of X is no safetensors file"),
    "garbage for a header": (
        raw_weights(lambda held: held[:9] + b"\xff" * 20 + held[29:]),
        "is damaged: its header cannot be read",
    ),
    "header beyond the file": (raw_weights(pointing_beyond), "and its header speaks of 1,0"),
    "more than its header says": (
        raw_weights(lambda held: held + b"more"),
        "is damaged: its header does not fit the weights in it",
    ),
    "pointer instead of weights": (
        written("model.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"),
        "is a Git LFS pointer, not the weights themselves: run git lfs pull",
    ),
    "a tensor missing": (weights(lambda held: held.pop(UP)), f"are not complete: without {UP} it would be filled up"),
    "no unembedding": (weights(lambda held: held.pop("lm_head.weight")), "are not complete: without lm_head.weight"),
    "a tensor of another shape": (
        weights(lambda held: held.update({UP: torch.zeros(20, 16)})),
        f"do not fit its config.json: {UP} is 20 × 16 where 24 × 16 is expected",
    ),
    "a bias nobody expects": (
        weights(lambda held: held.update({UP.replace("weight", "bias"): torch.zeros(24)})),
        f"hold more than its config.json describes: {UP.replace('weight', 'bias')} would be left out",
    ),
    "numbers that are none": (not_a_number(20), "not finite, as in model.embed_tokens.weight"),
    "no tokenizer": (without("tokenizer.json", "tokenizer_config.json"), "X has no tokenizer"),
    "tokenizer cut short": (
        lambda folder: os.truncate(folder / "tokenizer.json", 100),
        "The tokenizer of X cannot be read: it is not valid JSON (line 7, column",
    ),
    "tokenizer of nothing": (written("tokenizer.json", '{"a": 1}'), "The tokenizer of X cannot be read"),
    "tokenizer settings cut short": (written("tokenizer_config.json", "{"), "The tokenizer of X cannot be read"),
    "tokenizer with more words": (
        in_json("tokenizer.json", a_word_too_many),
        "is not this model's: it gives 'zebra' the id 26, and the network knows 21 tokens",
    ),
    "slow tokenizer": (a_slow_tokenizer, "(CTRLTokenizer) cannot say which characters a token stands for"),
}

IN_SHARDS: dict[str, tuple[Break, str]] = {
    "a shard missing": (without(SHARD), f"are not complete: {SHARD} is missing"),
    "a shard cut short": (lambda folder: os.truncate(folder / SHARD, 900), f"{SHARD} of X is cut short"),
    "index is not JSON": (
        written("model.safetensors.index.json", "{"),
        "index.json is not valid JSON (line 1, column 2)",
    ),
    "index without a map": (written("model.safetensors.index.json", "{}"), "does not say where each tensor is"),
    "index of a tensor nowhere": (
        index(**{"model.nope": SHARD}),
        f"says that model.nope is in {SHARD}, where it is not",
    ),
    "index leads outside": (
        index(**{"lm_head.weight": "../x.safetensors"}),
        "points outside its folder, at ../x.safet",
    ),
    "index lacks a shard": (
        in_json(
            "model.safetensors.index.json",
            lambda held: {
                **held,
                "weight_map": {k: at for k, at in held["weight_map"].items() if k != "lm_head.weight"},
            },
        ),
        "are not complete: without lm_head.weight",
    ),
}

CASES = [
    pytest.param(source, *case, id=name)
    for source, cases in (("one", IN_ONE_FILE), ("shards", IN_SHARDS))
    for name, case in cases.items()
]


@pytest.mark.parametrize(("source", "breaking", "sentence"), CASES)
def test_a_broken_folder_is_refused_in_one_sentence(
    whole: Path, tmp_path: Path, source: str, breaking: Break, sentence: str
) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(whole / source, folder)
    breaking(folder)
    with pytest.raises((ModelNotFound, UnsupportedModel)) as refused:
        load(str(folder), device="cpu")
    said = str(refused.value).replace(str(folder), "X")
    assert sentence in said
    assert re.fullmatch(r"[^\n]{20,900}\.", said)
    assert str(tmp_path) not in said


def test_there_are_twenty_kinds_and_more() -> None:
    assert len(CASES) >= 20


@pytest.mark.parametrize("source", ["one", "shards"])
def test_the_same_folders_unbroken_load(whole: Path, source: str) -> None:
    assert load(str(whole / source), device="cpu").card.layers == 3


@pytest.mark.parametrize("locked", ["", "config.json", "model.safetensors"])
def test_what_this_user_may_not_read_is_told(whole: Path, tmp_path: Path, locked: str) -> None:
    folder = tmp_path / "locked"
    shutil.copytree(whole / "one", folder)
    mode = (folder / locked).stat().st_mode
    (folder / locked).chmod(0)
    try:
        if os.access(folder / locked, os.R_OK):
            pytest.skip("this user may read everything")
        with pytest.raises(ModelError, match="this user may not"):
            load(str(folder), device="cpu")
    finally:
        (folder / locked).chmod(mode)


def test_what_no_answer_depends_on_may_be_missing(tmp_path: Path) -> None:
    network = tiny.of_type("bert").bert
    network.save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    tensors = {name: tensor for name, tensor in tensors.items() if "pooler" not in name}
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert load(str(tmp_path), device="cpu").card.family == "bert"


def test_a_tied_unembedding_need_not_be_in_the_file(tmp_path: Path) -> None:
    tiny.gpt2().save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    assert "lm_head.weight" not in load_file(tmp_path / "model.safetensors")
    assert load(str(tmp_path), device="cpu").card.tied


@pytest.mark.parametrize(
    ("kind", "extra"),
    [
        (
            "gpt2",
            {"transformer.h.0.attn.bias": torch.ones(1, 1, 64, 64), "transformer.h.0.attn.masked_bias": torch.ones(1)},
        ),
        ("llama", {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4)}),
        ("bert", {"cls.seq_relationship.weight": torch.ones(2, 32), "bert.pooler.dense.weight": torch.ones(32, 32)}),
        (
            "roberta",
            {"lm_head.decoder.weight": torch.ones(21, 32), "roberta.embeddings.position_ids": torch.ones(1, 64)},
        ),
    ],
)
def test_what_older_checkpoints_hold_besides_is_let_pass(
    tmp_path: Path, kind: str, extra: dict[str, torch.Tensor]
) -> None:
    tiny.of_type(kind).save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    weights(lambda held: held.update(extra))(tmp_path)
    assert load(str(tmp_path), device="cpu").card.layers == 2


def test_an_electra_that_predicts_no_tokens_is_read_without_a_head(tmp_path: Path) -> None:
    import transformers

    transformers.ElectraForPreTraining(tiny.of_type("electra").config).save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    assert load(str(tmp_path), device="cpu").card.architecture == "ElectraModel"


def test_special_tokens_beyond_the_embedding_are_let_pass(tmp_path: Path) -> None:
    import copy

    tokenizer = copy.deepcopy(tiny.tokenizer())
    tokenizer.add_special_tokens({"pad_token": "<pad>"})
    tiny.llama().save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    assert len(tokenizer) > load(str(tmp_path), device="cpu").card.vocabulary


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("[enforce fail] can't allocate memory: you tried")])
def test_memory_that_runs_out_while_loading_is_told(error: Exception) -> None:
    with pytest.raises(ModelDoesNotFit, match="Memory ran out while gpt2 was loaded"), refusing("gpt2", "The weights"):
        raise error
