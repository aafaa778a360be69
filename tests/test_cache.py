import os
import pickle
import stat
import subprocess
import sys
import threading
from pathlib import Path

import diskcache
import pytest

from neuronscope.cache import ArrayCache
from neuronscope.errors import FileError

MEGABYTE = 1 << 20


class Planted:
    """Something that runs code when it is unpickled."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.fixture
def cache(tmp_path):
    cache = ArrayCache(tmp_path / "cache", limit=4 * MEGABYTE)
    yield cache
    cache.close()


def test_what_was_kept_is_given_back_byte_for_byte(cache):
    small, large = b"\x00\xffsmall", os.urandom(MEGABYTE)
    cache.set("small", small)
    cache.set("large", large)
    assert (cache.get("small"), cache.get("large"), cache.get("none")) == (small, large, None)


def test_the_folder_is_private_even_if_it_was_open_before(tmp_path):
    folder = tmp_path / "open"
    folder.mkdir(mode=0o755)
    ArrayCache(folder, limit=MEGABYTE).close()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("size", [10, 100_000], ids=["in the table", "in a file"])
def test_a_planted_pickle_is_refused_and_runs_no_code(tmp_path, size):
    mark = tmp_path / "it ran"
    planter = diskcache.Cache(tmp_path / "cache")
    planter["question"] = [Planted(mark), "x" * size]
    planter.close()

    cache = ArrayCache(tmp_path / "cache", limit=MEGABYTE)
    with pytest.raises(FileError, match=r"pickled value.*Delete the folder"):
        cache.get("question")
    assert not mark.exists()
    cache.close()

    control = diskcache.Cache(tmp_path / "cache")
    control.get("question")
    control.close()
    assert mark.exists()  # the plant was live: an ordinary diskcache does run it


def test_an_entry_that_points_outside_the_folder_is_neither_read_nor_deleted(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"mine")
    planter = diskcache.Cache(tmp_path / "cache")
    planter["question"] = b"x" * 100_000
    planter._sql("UPDATE Cache SET filename = '../secret'")
    planter.close()

    cache = ArrayCache(tmp_path / "cache", limit=MEGABYTE)
    with pytest.raises(FileError, match="outside"):
        cache.get("question")
    cache.set("question", b"new")
    assert secret.read_bytes() == b"mine"
    cache.close()


@pytest.mark.parametrize("value", ["text", 1, {"a": 1}, None, pickle])
def test_only_bytes_are_kept(cache, value):
    with pytest.raises(TypeError):
        cache.set("question", value)


def test_the_size_limit_holds_and_the_least_recently_used_goes_first(cache):
    for i in range(3):
        cache.set(f"answer {i}", os.urandom(MEGABYTE))
    cache.get("answer 0")
    for i in range(3, 5):
        cache.set(f"answer {i}", os.urandom(MEGABYTE))
    held = [i for i in range(5) if cache.get(f"answer {i}")]
    assert held == [0, 3, 4]
    assert bytes_in(cache.folder) <= cache.limit


def test_one_large_value_makes_room_among_many_small_ones(cache):
    for i in range(60):
        cache.set(f"small {i}", os.urandom(60_000))
    cache.set("large", os.urandom(3 * MEGABYTE))
    assert cache.get("large") is not None
    assert bytes_in(cache.folder) <= cache.limit


def test_a_value_beyond_the_limit_is_not_kept_and_throws_nothing_away(cache):
    cache.set("small", b"small")
    cache.set("huge", bytes(cache.limit + 1))
    assert (cache.get("small"), cache.get("huge")) == (b"small", None)


def test_a_value_that_cannot_be_written_is_logged_and_costs_only_itself(cache, caplog, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache._cache.disk, "_write", full)
    cache.set("question", bytes(100_000))
    assert cache.get("question") is None
    assert "No space left" in caplog.text


def test_a_folder_that_is_no_cache_is_told_to_be_deleted(tmp_path):
    (tmp_path / "cache.db").write_bytes(b"this is no database " * 100)
    with pytest.raises(FileError, match="Delete the folder"):
        ArrayCache(tmp_path, limit=MEGABYTE)


def test_threads_share_it(cache):
    def ask(i):
        for k in range(20):
            cache.set(f"{i} {k}", f"{i} {k}".encode())

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(cache.get(f"{i} {k}") == f"{i} {k}".encode() for i in range(4) for k in range(20))


def test_two_processes_share_it(cache):
    writer = (
        "import sys, pathlib; from neuronscope.cache import ArrayCache\n"
        "cache = ArrayCache(pathlib.Path(sys.argv[1]), limit=int(sys.argv[2]))\n"
        "[cache.set(f'theirs {i}', bytes([i]) * 50_000) for i in range(20)]\n"
        "assert cache.get('ours') == b'ours'; cache.close()"
    )
    cache.set("ours", b"ours")
    other = subprocess.Popen([sys.executable, "-c", writer, cache.folder, str(cache.limit)])
    for i in range(20):
        cache.set(f"ours {i}", bytes([i]) * 50_000)
    assert other.wait(60) == 0
    assert all(cache.get(f"{whose} {i}") == bytes([i]) * 50_000 for whose in ("ours", "theirs") for i in range(20))


def bytes_in(folder: Path) -> int:
    return sum(
        file.stat().st_size for file in folder.rglob("*") if file.is_file() and not file.name.endswith(("-wal", "-shm"))
    )
