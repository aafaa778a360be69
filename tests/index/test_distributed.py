"""A cluster comes to the same index bit by bit, also when a worker is killed on the way."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from neuronscope.errors import InputError
from neuronscope.index import plan
from neuronscope.index.build import build
from neuronscope.index.distributed import Cluster
from neuronscope.index.store import Store
from neuronscope.models.loading import load
from tests import models_for_tests as tiny
from tests.index import corpora
from tests.index.test_build import same

pytest.importorskip("distributed", reason="Dask is not installed")


@pytest.fixture
def model(tmp_path: Path):
    tiny.gpt2().save_pretrained(tmp_path / "model")
    tiny.tokenizer().save_pretrained(tmp_path / "model")
    return load(str(tmp_path / "model"), device="cpu")


@pytest.mark.filterwarnings("default")  # of Dask's own, and of sockets of workers that were killed
def test_two_workers_of_which_one_is_killed_give_the_identical_index(
    model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "SHARD_TOKENS", 200)
    texts, lend = corpora.texts(tmp_path), corpora.lending(model)
    build(lend, model.card, [str(texts)], tmp_path / "here", window=16)
    killed = threading.Event()

    def kill_one() -> None:
        import psutil

        while not (tmp_path / "there" / "shards").exists():
            time.sleep(0.01)
        children = psutil.Process().children(recursive=True)
        workers = [child for child in children if any("spawn_main" in part for part in child.cmdline())]
        with contextlib.suppress(ProcessLookupError):
            os.kill(workers[-1].pid, signal.SIGKILL)
            killed.set()

    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    cluster = Cluster(workers=2, options={"device": "cpu"})
    there = build(lend, model.card, [str(texts)], tmp_path / "there", window=16, cluster=cluster)
    killer.join(10)
    assert killed.is_set()
    assert there.manifest.complete
    assert there.manifest.shards > 4
    assert same(tmp_path / "here", tmp_path / "there")
    assert not (tmp_path / "there" / "shards").exists()


def test_no_workers_and_no_scheduler_are_told(model, tmp_path: Path) -> None:
    texts, lend = corpora.texts(tmp_path, documents=5), corpora.lending(model)
    with pytest.raises(InputError, match="0 workers"):
        build(lend, model.card, [str(texts)], tmp_path / "index", window=16, cluster=Cluster(workers=0))
    assert not Store.open(build(lend, model.card, [str(texts)], tmp_path / "index", window=16).folder).manifest.resume
