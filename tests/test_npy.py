"""Arrays come back whole from many threads at once, and a damaged file raises what it did."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pytest

from neuronscope import npy

NUMBERS = np.arange(12.0).reshape(3, 4)


@pytest.fixture
def busy() -> Iterator[None]:
    """Threads that give way in the middle of what they do: the collector runs often, and in Python."""
    threshold, interval = gc.get_threshold(), sys.getswitchinterval()

    def slow(*_: object) -> None:
        sum(range(300))

    gc.callbacks.append(slow)
    gc.set_threshold(20)
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)
    gc.set_threshold(*threshold)
    gc.callbacks.remove(slow)


@pytest.mark.usefixtures("busy")
def test_many_threads_read_at_once(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", NUMBERS)
    np.savez(tmp_path / "all.npz", one=NUMBERS)

    def reading(_: int) -> bool:
        found = (
            npy.read(tmp_path / "one.npy"),
            npy.mapped(tmp_path / "one.npy"),
            npy.read_all(tmp_path / "all.npz")["one"],
        )
        return all(np.array_equal(one, NUMBERS) for one in found)

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(reading, range(800)))


def test_what_is_mapped_is_not_written_to(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", NUMBERS)
    with pytest.raises(ValueError, match="read-only"):
        npy.mapped(tmp_path / "one.npy")[0, 0] = 1


def test_a_damaged_file_says_so(tmp_path: Path) -> None:
    damaged = tmp_path / "one.npz"
    damaged.write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(BadZipFile):
        npy.read_all(damaged)
    with pytest.raises(FileNotFoundError):
        npy.read(tmp_path / "none.npy")
    np.save(tmp_path / "pickle.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        npy.read(tmp_path / "pickle.npy")


def test_reading_ahead_changes_nothing_and_minds_no_missing_file(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", NUMBERS)
    npy.read_ahead([tmp_path / "none.npy", tmp_path / "one.npy"])
    for thread in threading.enumerate():
        if thread.name == "read-ahead":
            thread.join()
    assert np.array_equal(npy.read(tmp_path / "one.npy"), NUMBERS)
