"""What the manager promises: one model, one user at a time, and a budget that holds."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from neuronscope import jobs
from neuronscope.errors import ModelNotFound
from neuronscope.models.manager import Key, Manager
from tests import models_for_tests as tiny


@pytest.fixture
def keys(tmp_path: Path) -> list[Key]:
    for seed in range(3):
        tiny.gpt2(seed).save_pretrained(tmp_path / str(seed))
        tiny.tokenizer().save_pretrained(tmp_path / str(seed))
    return [Key(str(tmp_path / str(seed)), device="cpu") for seed in range(3)]


def test_a_warm_model_is_the_same_object(keys: list[Key]) -> None:
    manager = Manager()
    with manager.lend(keys[0]) as first, manager.lend(keys[0]) as again:
        assert first is again


def test_a_full_manager_evicts_the_least_recently_used(keys: list[Key]) -> None:
    size = Manager().load(keys[0]).bytes
    manager = Manager(budget=2 * size)
    for key in (keys[0], keys[1], keys[0], keys[2]):
        manager.load(key)
    assert list(manager.cards()) == [keys[0], keys[2]]
    assert manager.bytes == 2 * size


def test_a_lent_model_is_not_evicted(keys: list[Key]) -> None:
    manager = Manager(budget=0)
    with manager.lend(keys[0]):
        manager.load(keys[1])
        assert keys[0] in manager.cards()
        assert not manager.evict(keys[0])
    assert manager.evict(keys[0])
    assert not manager.evict(keys[0])


def test_an_attached_model_stays_until_it_is_let_go() -> None:
    manager = Manager(budget=0)
    first = manager.adopt(tiny.gpt2(), tiny.tokenizer(), "mine")
    second = manager.adopt(tiny.gpt2(1), tiny.tokenizer(), "mine")
    assert [card.name for card in manager.cards().values()] == ["mine", "mine"]
    assert first.name == "mine"
    assert second.name == "mine (2)"
    manager.evict(first)
    with pytest.raises(ModelNotFound, match="attach it again"):
        manager.load(first)


def test_only_one_thread_has_a_model_at_a_time(keys: list[Key]) -> None:
    manager, inside, most = Manager(), 0, 0

    def use() -> None:
        nonlocal inside, most
        for _ in range(5):
            with manager.lend(keys[0]):
                inside += 1
                most = max(most, inside)
                time.sleep(0.001)
                inside -= 1

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_two_threads_that_ask_for_a_cold_model_load_it_once(keys: list[Key], monkeypatch: pytest.MonkeyPatch) -> None:
    from neuronscope.models import loading

    loads = []
    real = loading.load
    monkeypatch.setattr(loading, "load", lambda *a, **k: loads.append(a) or real(*a, **k))
    manager = Manager()
    threads = [threading.Thread(target=manager.load, args=(keys[0],)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1


def test_waiting_for_a_model_can_be_cancelled(keys: list[Key]) -> None:
    manager, held, release = Manager(), threading.Event(), threading.Event()

    def hold() -> None:
        with manager.lend(keys[0]):
            held.set()
            release.wait(10)

    class Impatient:
        def check(self) -> None:
            raise jobs.Cancelled

        def report(self, progress: jobs.Progress) -> None:
            pass

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(10)
    with jobs.running(Impatient()), pytest.raises(jobs.Cancelled), manager.lend(keys[0]):
        raise AssertionError("lent to two")
    release.set()
    holder.join()
    assert manager.evict(keys[0]), "a cancelled wait still pins the model"
