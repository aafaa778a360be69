"""An index is the same however it came to be, and says what is wrong where it cannot be."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neuronscope import jobs
from neuronscope.errors import BusyIndex, DamagedIndex, FileError, InputError, NoIndex, OtherIndex
from neuronscope.index import build as building
from neuronscope.index import plan, store
from neuronscope.index.build import build
from neuronscope.index.store import Store
from tests.index import corpora

WINDOW = 16


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "SHARD_TOKENS", 200)
    monkeypatch.setattr(plan, "SAMPLE", 32)
    monkeypatch.setattr(building, "_WRITING", 1e9)  # publish after every shard


@pytest.fixture(scope="module")
def model():
    return corpora.model("gated")


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return corpora.texts(tmp_path_factory.mktemp("texts"), documents=40)


@pytest.fixture(scope="module")
def whole(model, texts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index that was built in one go."""
    folder = tmp_path_factory.mktemp("whole") / "index"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "SHARD_TOKENS", 200)
        patch.setattr(plan, "SAMPLE", 32)
        build(corpora.lending(model), model.card, [str(texts)], folder, window=WINDOW)
    return folder


class Impatient:
    """Wants no more after so many batches."""

    def __init__(self, patience: int) -> None:
        self.left = patience

    def check(self) -> None:
        if self.left < 0:
            raise jobs.Cancelled

    def report(self, progress: jobs.Progress) -> None:
        self.left -= progress.label == "Indexing tokens"


def same(a: Path, b: Path) -> bool:
    """Whether two indexes hold the same numbers, bit by bit."""
    one, other = Store.open(a), Store.open(b)
    names = ("statistics", "cards", "tokens", "tabulated", "sample", "sampled", "inputs", "sketch")
    return all(getattr(one, name).tobytes() == getattr(other, name).tobytes() for name in names)


def go_on(model, texts: Path, folder: Path) -> Store:
    return build(corpora.lending(model), model.card, [str(texts)], folder, window=WINDOW)


def test_an_index_that_was_stopped_anywhere_and_resumed_is_identical(model, texts: Path, whole: Path, tmp_path) -> None:
    folder = tmp_path / "index"
    for patience in (0, 3, 1, 5, 2):
        with jobs.running(Impatient(patience)), contextlib.suppress(jobs.Cancelled):
            go_on(model, texts, folder)
    manifest = go_on(model, texts, folder).manifest
    assert manifest.complete
    assert manifest.shards > 4
    assert same(folder, whole)
    assert not list(folder.glob("resume-*"))
    assert not [*folder.glob("*.new"), *folder.glob(".*.new")]


def test_a_growing_index_can_be_read_and_says_how_far_it_is(model, texts: Path, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    with jobs.running(Impatient(4)), contextlib.suppress(jobs.Cancelled):
        go_on(model, texts, folder)
    partial = Store.open(folder)
    assert 0 < partial.manifest.seen < partial.manifest.tokens
    assert np.isfinite(partial.statistics["mean"]).all()
    assert 0 < len(partial.sampled) < min(partial.manifest.tokens, 512)
    assert np.abs(partial.sample).max(0).min() > 0, "of the sample it shows what it has seen"
    partial.verify()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_build_that_was_killed_at_random_points_resumes_to_the_identical_index(
    model, texts: Path, whole: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "index"
    command = [sys.executable, "-m", "tests.index.killed", str(texts), str(folder)]
    ended = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=240)
    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout) > 3
    assert go_on(model, texts, folder).manifest.complete
    assert same(folder, whole)


def test_a_build_that_died_while_it_first_wrote_its_manifest_goes_on(
    model, texts, whole, tmp_path, monkeypatch
) -> None:
    class Died(BaseException):
        pass

    def die(_self: Path, to: Path) -> None:
        assert to.name == "manifest.json"
        raise Died

    folder = tmp_path / "index"
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", die)
        with pytest.raises(Died):
            go_on(model, texts, folder)
    assert list(folder.glob(".manifest*"))
    assert go_on(model, texts, folder).manifest.complete
    assert same(folder, whole)
    assert not list(folder.glob(".manifest*"))


def test_an_index_opens_in_milliseconds_and_one_card_is_one_record(whole: Path) -> None:
    opened = Store.open(whole)
    assert isinstance(opened.cards, np.memmap)
    assert opened.cards[3].nbytes == opened.cards.dtype.itemsize
    opened.verify()


def test_another_model_precision_window_or_corpus_is_refused_by_name(model, texts: Path, whole: Path, tmp_path) -> None:
    folder = shutil.copytree(whole, tmp_path / "index")
    lend, other = corpora.lending(model), corpora.texts(tmp_path, seed=1)
    with pytest.raises(OtherIndex, match="precision float32, and bfloat16"):
        build(lend, replace(model.card, precision="bfloat16"), [str(texts)], folder, window=WINDOW)
    with pytest.raises(OtherIndex, match="model revision"):
        build(lend, replace(model.card, revision="another"), [str(texts)], folder, window=WINDOW)
    with pytest.raises(OtherIndex, match="a window of 16, and 12"):
        build(lend, model.card, [str(texts)], folder, window=12)
    with pytest.raises(OtherIndex, match="was made from"):
        build(lend, model.card, [str(other)], folder, window=WINDOW)
    with pytest.raises(OtherIndex, match="at most 50 tokens"):
        build(lend, model.card, [str(texts)], folder, window=WINDOW, tokens=50)


def test_a_damaged_array_is_detected(whole: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(whole, tmp_path / "index")
    path = next(folder.glob("arrays-*/cards.npy"))
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    with pytest.raises(DamagedIndex, match=r"cards\.npy is not what was written"):
        Store.open(folder).verify()
    path.write_bytes(raw[: len(raw) // 2])
    with pytest.raises(DamagedIndex, match=r"cards\.npy"):
        Store.open(folder)
    path.unlink()
    with pytest.raises(DamagedIndex, match="missing"):
        Store.open(folder)


def test_a_damaged_state_is_not_gone_on_from(model, texts: Path, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    with jobs.running(Impatient(4)), contextlib.suppress(jobs.Cancelled):
        go_on(model, texts, folder)
    path = next(folder.glob("resume-*/sums.npy"))
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(DamagedIndex, match="checksum"):
        go_on(model, texts, folder)


def test_two_builders_do_not_share_a_folder(model, texts: Path, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    with store.building(folder), pytest.raises(BusyIndex, match="Another process is building"):
        go_on(model, texts, folder)


def test_a_full_disk_is_told_and_what_was_published_stands(
    model, texts: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, real, calls = tmp_path / "index", np.save, []

    def save(*arguments: object, **options: object) -> None:
        calls.append(arguments)
        if len(calls) > 60:
            raise OSError(28, "No space left on device")
        real(*arguments, **options)

    monkeypatch.setattr(store.np, "save", save)
    with pytest.raises(FileError, match="No space left on device"):
        go_on(model, texts, folder)
    monkeypatch.setattr(store.np, "save", real)
    partial = Store.open(folder)
    partial.verify()
    assert 0 < partial.manifest.merged < partial.manifest.shards
    go_on(model, texts, folder)
    assert same(folder, whole)


def test_a_folder_that_holds_something_else_is_left_alone(model, texts: Path, tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(FileError, match="holiday"):
        go_on(model, texts, tmp_path / "index")
    assert (tmp_path / "index" / "holiday.jpg").read_bytes() == b"x"


def test_no_index_and_manifests_of_another_kind_are_told(tmp_path: Path) -> None:
    with pytest.raises(NoIndex, match="There is no index"):
        Store.open(tmp_path)
    (tmp_path / "manifest.json").write_text("[]")
    with pytest.raises(OtherIndex, match="layout None"):
        Store.open(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(DamagedIndex):
        Store.open(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps({"version": store.SCHEMA, "sources": [], "scales": []}))
    with pytest.raises(DamagedIndex, match="not a manifest"):
        Store.open(tmp_path)


def test_an_index_of_an_earlier_version_is_refused_and_is_not_called_damaged(
    model, texts: Path, whole: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(whole, tmp_path / "index")
    manifest = json.loads((folder / "manifest.json").read_text())
    earlier = {**manifest, "version": 1, "arrays": {k: v for k, v in manifest["arrays"].items() if "sketch" not in k}}
    (folder / "manifest.json").write_text(json.dumps(earlier))
    for ask in (lambda: Store.open(folder), lambda: go_on(model, texts, folder)):
        with pytest.raises(OtherIndex, match=r"made by an earlier version .* Index the corpus again in another folder"):
            ask()
    (folder / "manifest.json").write_text(json.dumps({**manifest, "version": 99}))
    with pytest.raises(OtherIndex, match=f"layout 99, and this program reads layout {store.SCHEMA}"):
        Store.open(folder)


@pytest.mark.parametrize(("options", "said"), [({"window": 1}, "window of 1"), ({"overlap": 9}, "overlap of 9")])
def test_a_window_that_makes_no_sense_is_refused(options, said: str, model, texts: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        build(corpora.lending(model), model.card, [str(texts)], tmp_path, **{"window": WINDOW, **options})
