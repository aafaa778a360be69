"""What is promised of pickled checkpoints: their weights are read like any others, and nothing in them is run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neuronscope.engine.capture import capture
from neuronscope.errors import UnsupportedModel
from neuronscope.models.folders import is_whole
from neuronscope.models.loading import load
from neuronscope.vocabulary import Site
from tests import models_for_tests as tiny
from tests.models import original_qwen as original

Held = dict[str, Any]


class Code:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.folder),)


def pickled(folder: Path, held: Held, *, shards: int = 0, zipped: bool = True) -> None:
    """Write weights as older versions of save_pretrained did, in one file or in several."""
    names = [f"pytorch_model-{i + 1:05}-of-{shards:05}.bin" for i in range(shards)] or ["pytorch_model.bin"]
    where = {name: names[i % len(names)] for i, name in enumerate(held)}
    for file in names:
        part = {name: held[name] for name, at in where.items() if at == file}
        torch.save(part, folder / file, _use_new_zipfile_serialization=zipped)
    if shards:
        (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model without its weights."""
    tiny.llama().config.save_pretrained(tmp_path / "older")
    tiny.tokenizer().save_pretrained(tmp_path / "older")
    return tmp_path / "older"


@pytest.mark.parametrize(("shards", "zipped"), [(0, True), (3, True), (0, False)])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_pickled_checkpoint_loads_like_one_in_safetensors(
    folder: Path, tmp_path: Path, shards: int, zipped: bool, precision: str
) -> None:
    tiny.llama().save_pretrained(tmp_path / "today")
    tiny.tokenizer().save_pretrained(tmp_path / "today")
    assert not is_whole(folder)
    pickled(folder, tiny.llama().state_dict(), shards=shards, zipped=zipped)
    assert is_whole(folder)
    ours, theirs = (load(str(each), device="cpu", precision=precision) for each in (folder, tmp_path / "today"))
    assert ours.card.revision == theirs.card.revision
    text = ours.tokens("the king and the queen")
    a, b = (capture(each, [text])[0][Site.NEURONS].values for each in (ours, theirs))
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("shards", [0, 3])
def test_code_in_a_pickle_is_refused_and_not_run(folder: Path, shards: int) -> None:
    pickled(folder, tiny.llama().state_dict() | {"extra": Code(folder / "ran")}, shards=shards)
    with pytest.raises(UnsupportedModel, match=r"was not opened: it asks for posix\.mkdir, and a file that asks for"):
        load(str(folder), device="cpu")
    assert not (folder / "ran").exists()


def test_safetensors_are_read_where_there_are_both(folder: Path) -> None:
    tiny.llama().save_pretrained(folder)
    pickled(folder, {"extra": Code(folder / "ran")})
    assert load(str(folder), device="cpu").card.layers == 3
    assert not (folder / "ran").exists()


def cut_short(folder: Path) -> None:
    pickled(folder, tiny.llama().state_dict())
    os.truncate(folder / "pytorch_model.bin", 9_000)


def without_a_shard(folder: Path) -> None:
    pickled(folder, tiny.llama().state_dict(), shards=3)
    (folder / "pytorch_model-00002-of-00003.bin").unlink()


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (cut_short, "is damaged or cut short"),
        (without_a_shard, "not complete: pytorch_model-00002-of-00003.bin is missing"),
        (lambda folder: (folder / "pytorch_model.bin").write_bytes(b"garbage" * 50), "is damaged or cut short"),
        (
            lambda folder: (folder / "pytorch_model.bin").write_text("version https://git-lfs.github.com/spec/v1\n"),
            "is a Git LFS pointer",
        ),
        (lambda folder: torch.save([torch.ones(2)], folder / "pytorch_model.bin"), "holds other things than weights"),
        (lambda folder: pickled(folder, {"lm_head.weight": torch.ones(21, 16)}), "are not complete: without"),
        (lambda folder: torch.save({}, folder / "weights.pt"), "only weights.pt. Save the model anew"),
    ],
)
def test_a_broken_pickle_is_refused_in_one_sentence(folder: Path, broken: Callable[[Path], object], said: str) -> None:
    broken(folder)
    with pytest.raises(UnsupportedModel, match=said):
        load(str(folder), device="cpu")


@pytest.mark.parametrize("shards", [0, 2])
def test_a_pickled_first_qwen_is_read_as_well(tmp_path: Path, shards: int) -> None:
    raw = original.config()
    held = original.weights(raw)
    folder = original.save(tmp_path / "first", raw, held)
    expected = load(str(folder), device="cpu", precision="float32")
    (folder / "model.safetensors").unlink()
    pickled(folder, held, shards=shards)
    assert load(str(folder), device="cpu", precision="float32").card.revision == expected.card.revision
