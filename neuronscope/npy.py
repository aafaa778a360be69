"""Arrays read from `.npy` and `.npz` files, one thread at a time.

numpy parses a file's header with `ast`, whose C code counts its depth in one place for all threads: in Python 3.11 two
that parse at once can fail with "AST constructor recursion depth mismatch" (python/cpython#106905).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

_PARSING = threading.Lock()


def read(path: Path) -> np.ndarray:
    """One array, in memory; raises `OSError`, `EOFError` or `ValueError` as `numpy.load` does, for a pickle too."""
    with _PARSING:
        array: np.ndarray = np.load(path, allow_pickle=False)  # noqa: TID251
    return array


def mapped(path: Path) -> np.ndarray:
    """One array, memory-mapped and not to be written to; raises as `read` does."""
    with _PARSING:
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)  # noqa: TID251
    return array


def read_ahead(paths: Sequence[Path]) -> None:
    """Have files read from disk meanwhile, where the system can: looking here and there in them soon costs little."""

    def read() -> None:
        for path in paths:
            with suppress(OSError), path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)

    if hasattr(os, "posix_fadvise"):
        threading.Thread(target=read, name="read-ahead", daemon=True).start()


def read_all(path: Path) -> dict[str, np.ndarray]:
    """Every array of an `.npz` file by its name; raises as `read` does, or `zipfile.BadZipFile`."""
    with _PARSING, path.open("rb") as file:  # numpy leaves a damaged one open that it opened itself
        return dict(np.load(file, allow_pickle=False))  # noqa: TID251
