"""Results kept on disk: bytes under a name, the least recently used thrown away first.

Built on diskcache, which by itself unpickles whatever it finds in its folder, so that whoever can write there can run
code here (CVE-2025-69872). `PlainDisk` takes and returns bytes only, and refuses a pickle it meets.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from pathlib import Path
from typing import Any

import diskcache
from diskcache.core import MODE_BINARY, MODE_RAW, UNKNOWN

from neuronscope.errors import FileError

log = logging.getLogger(__name__)


class ArrayCache:
    """A folder of results, shared by the threads of this process and by other processes."""

    def __init__(self, folder: Path, limit: int) -> None:
        """Open the cache in `folder`, made private to this user, which holds at most `limit` bytes.

        Raises `FileError` if the folder cannot be used.
        """
        self.folder = folder
        self.limit = limit
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
            self._cache = diskcache.Cache(
                folder, disk=PlainDisk, size_limit=limit, eviction_policy="least-recently-used", cull_limit=0
            )
        except (OSError, sqlite3.Error, diskcache.Timeout) as error:
            raise FileError(
                f"Cannot keep results in {folder}: {error}. Delete the folder, or set NEURONSCOPE_HOME."
            ) from error

    def get(self, key: str) -> bytes | None:
        """The bytes kept under `key`, None if there are none; raises `FileError` for an entry we did not write."""
        try:
            value = self._cache.get(key)
        except (Foreign, sqlite3.Error) as error:
            raise FileError(f"The cache in {self.folder} is damaged: {error}. Delete the folder.") from error
        return value if isinstance(value, bytes) else None

    def set(self, key: str, value: bytes) -> None:
        """Keep `value` under `key` and throw away the least recently used beyond the limit.

        Values larger than the whole limit are not kept. A disk that is full costs the entry, not the answer: it is
        logged, and the result in hand stays good.
        """
        if len(value) > self.limit:
            return
        try:
            self._cache.set(key, value)
            self._make_room()
        except (OSError, sqlite3.Error, diskcache.Timeout) as error:
            log.warning("Could not keep a result of %d bytes in %s: %s", len(value), self.folder, error)

    def _make_room(self) -> None:
        # One entry at a time: diskcache's own `cull` throws away ten, which for large values is nearly everything.
        for _ in range(len(self._cache)):
            if self._cache.volume() <= self.limit:
                return
            with self._cache._transact() as (sql, cleanup):
                self._cache._cull(time.time(), sql, cleanup, limit=1)

    def close(self) -> None:
        """Close this thread's connection; the files stay."""
        self._cache.close()


class Foreign(ValueError):
    """An entry in the folder that this cache did not write."""


class PlainDisk(diskcache.Disk):  # type: ignore[misc]
    """diskcache's storage without pickle: text names, bytes in and out."""

    def put(self, key: Any) -> tuple[Any, bool]:
        """Turn a name into a database key."""
        if type(key) is not str:
            raise TypeError(f"Names in the cache are text, not {type(key).__name__}.")
        plain: tuple[Any, bool] = super().put(key)
        return plain

    def get(self, key: Any, raw: bool) -> Any:
        """Turn a database key into a name."""
        if not raw:
            raise Foreign("it holds a pickled name, which is never opened")
        return super().get(key, raw)

    def store(self, value: Any, read: bool, key: Any = UNKNOWN) -> Any:
        """Write a value."""
        if read or type(value) is not bytes:
            raise TypeError(f"The cache keeps bytes, not {type(value).__name__}.")
        return super().store(value, read, key=key)

    def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> Any:
        """Read a value back."""
        if mode not in (MODE_RAW, MODE_BINARY):
            raise Foreign("it holds a pickled value, which is never opened")
        if filename and not self._inside(filename):
            raise Foreign("it points outside its folder")
        return super().fetch(mode, filename, value, read)

    def remove(self, file_path: str) -> None:
        """Delete a value's file, never one outside the folder."""
        if self._inside(file_path):
            super().remove(file_path)

    def _inside(self, filename: str) -> bool:
        folder = Path(self._directory).resolve()
        return (folder / filename).resolve().is_relative_to(folder)
