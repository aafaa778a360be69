"""What the manager promises: one model, one user at a time, and a budget that holds."""

from __future__ import annotations

import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from neuronscope import jobs
from neuronscope.engine.capture import capture
from neuronscope.errors import ModelDoesNotFit, ModelNotFound
from neuronscope.models.manager import Key, Manager
from neuronscope.vocabulary import Site
from tests import models_for_tests as tiny

ROUNDS = int(os.environ.get("NEURONSCOPE_STRESS_ROUNDS", "10"))
"""How often each of eight threads asks in the stress test; more on a free evening."""


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


@pytest.fixture
def size(keys: list[Key]) -> int:
    return Manager().load(keys[0]).bytes


def test_a_full_manager_evicts_the_least_recently_used(keys: list[Key], size: int) -> None:
    manager = Manager(budget=2 * size)
    for key in (keys[0], keys[1], keys[0], keys[2]):
        manager.load(key)
    assert list(manager.cards()) == [keys[0], keys[2]]
    assert manager.bytes == 2 * size


def test_what_an_eviction_would_remove_is_known_beforehand(keys: list[Key], size: int) -> None:
    manager = Manager(budget=2 * size)
    manager.load(keys[0])
    assert manager.would_evict(size) == ()
    manager.load(keys[1])
    assert manager.would_evict(size) == (keys[0],)
    assert manager.would_evict(2 * size) == (keys[0], keys[1])
    assert manager.would_evict(3 * size) is None


def test_a_model_larger_than_the_budget_is_refused(keys: list[Key], size: int) -> None:
    with pytest.raises(ModelDoesNotFit, match="No precision fits: choose a smaller model"):
        Manager(budget=size // 20).load(keys[0])


def test_auto_keeps_within_the_budget(keys: list[Key], size: int) -> None:
    assert Manager(budget=int(size * 0.6)).load(keys[0]).precision == "bfloat16"


def test_a_lent_model_is_not_evicted(keys: list[Key], size: int) -> None:
    manager = Manager(budget=size)
    with manager.lend(keys[0]):
        with pytest.raises(ModelDoesNotFit, match="beside the models that are in use"):
            manager.load(keys[1])
        assert not manager.evict(keys[0])
    assert manager.evict(keys[0])
    assert not manager.evict(keys[0])


def test_a_model_waits_until_a_lent_one_can_go(keys: list[Key], size: int) -> None:
    manager, held, release = Manager(budget=size), threading.Event(), threading.Event()

    def hold() -> None:
        with manager.lend(keys[0]):
            held.set()
            release.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(10)
    threading.Timer(0.2, release.set).start()
    manager.load(keys[1])
    assert release.is_set()
    assert list(manager.cards()) == [keys[1]]
    holder.join()


def test_the_precision_that_auto_came_to_is_the_same_model(keys: list[Key]) -> None:
    manager = Manager()
    manager.load(keys[0])
    manager.load(replace(keys[0], precision="float32"))
    assert len(manager.cards()) == 1
    manager.load(replace(keys[0], precision="bfloat16"))
    assert len(manager.cards()) == 2


def test_a_load_that_fails_leaves_the_warm_models_answering(keys: list[Key]) -> None:
    manager = Manager()
    manager.load(keys[0])
    with pytest.raises(ModelNotFound):
        manager.load(Key("/nowhere/at/all"))
    with manager.lend(keys[0]) as model:
        assert model.tokens("the cat").ids.tolist() == [1, 3]


def test_a_load_can_be_cancelled_between_two_weights(keys: list[Key]) -> None:
    class Impatient:
        seen = 0

        def check(self) -> None:
            if self.seen > 3:
                raise jobs.Cancelled

        def report(self, progress: jobs.Progress) -> None:
            assert progress.label == "Loading weights"
            self.seen += 1

    manager, job = Manager(), Impatient()
    with jobs.running(job), pytest.raises(jobs.Cancelled):
        manager.load(keys[0])
    assert job.seen == 4
    assert not manager.cards()
    manager.load(keys[0])


def test_an_evicted_model_s_memory_goes_back_to_the_machine(tmp_path: Path) -> None:
    tiny.gpt2(n_embd=512, n_layer=12, n_inner=2048, n_head=8).save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    manager, key = Manager(), Key(str(tmp_path), device="cpu")
    manager.load(key)  # what a first load takes for good is not the model's
    manager.evict(key)
    process = psutil.Process()
    before = process.memory_info().rss
    size = manager.load(key).bytes
    held = process.memory_info().rss - before
    assert manager.evict(key)
    kept = process.memory_info().rss - before
    assert size > 100e6
    assert kept < 0.25 * size, f"{kept / 1e6:.0f} MB of {held / 1e6:.0f} MB stayed"


def test_many_threads_and_few_places_never_cross_an_answer(keys: list[Key], size: int) -> None:
    """Eight threads ask three models under a budget of two, again and again."""
    text = "the king and the queen"
    expected = {}
    for key in keys:
        with Manager().lend(key) as model:
            expected[key] = capture(model, [model.tokens(text)])[0][Site.NEURONS].values
    manager, wrong = Manager(budget=2 * size), []

    def ask(seed: int) -> int:
        order = random.Random(seed)
        for _ in range(ROUNDS):
            key = order.choice(keys)
            with manager.lend(key) as model:
                found = capture(model, [model.tokens(text)])[0][Site.NEURONS].values
            if not np.allclose(found, expected[key], atol=1e-6):
                wrong.append(key)
            if manager.bytes > 2 * size:
                wrong.append("over budget")
        return seed

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == list(range(8))
    assert not wrong
    assert all(not warm.users for warm in manager._warm.values())


def test_an_attached_model_stays_until_it_is_let_go() -> None:
    manager = Manager(budget=10**9)
    first = manager.adopt(tiny.gpt2(), tiny.tokenizer(), "mine")
    second = manager.adopt(tiny.gpt2(1), tiny.tokenizer(), "mine")
    assert [card.name for card in manager.cards().values()] == ["mine", "mine"]
    assert first.name == "mine"
    assert second.name == "mine (2)"
    manager.evict(first)
    with pytest.raises(ModelNotFound, match="attach it again"):
        manager.load(first)


def test_a_network_under_two_names_is_still_lent_to_one_thread_at_a_time() -> None:
    manager, network, inside, most = Manager(), tiny.gpt2(), 0, 0
    names = [manager.adopt(network, tiny.tokenizer(), "one"), manager.adopt(network, tiny.tokenizer(), "two")]

    def use(key: Key) -> None:
        nonlocal inside, most
        for _ in range(5):
            with manager.lend(key):
                inside += 1
                most = max(most, inside)
                time.sleep(0.001)
                inside -= 1

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(use, names * 2)) == [None] * 4
    assert most == 1


def test_a_network_is_not_taken_in_while_it_is_lent() -> None:
    """The proof of a network that is taken in would run through the hooks of who has it."""
    manager, network, held, release = Manager(), tiny.gpt2(), threading.Event(), threading.Event()
    key = manager.adopt(network, tiny.tokenizer(), "mine")

    def hold() -> int:
        passes = 0

        def count(*_: object) -> None:
            nonlocal passes
            passes += 1

        with manager.lend(key):
            handle = network.transformer.register_forward_hook(count)
            held.set()
            release.wait(0.5)
            handle.remove()
        return passes

    with ThreadPoolExecutor(1) as pool:
        holder = pool.submit(hold)
        held.wait(10)
        manager.adopt(network, tiny.tokenizer(), "again")
        assert holder.result() == 0
    assert len(manager.cards()) == 2


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
