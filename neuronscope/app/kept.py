"""What the visitor keeps on disk, in SQLite files of the data folder: opened for as long as one question takes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from neuronscope.errors import FileError


@contextmanager
def opened(path: Path, table: str, what: str) -> Iterator[sqlite3.Connection]:
    """A file with its table, both made if they are not there; `what` it keeps begins the error.

    Raises:
        FileError: if the file cannot be made, read or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=5.0)) as database:
            database.execute(table)
            yield database
    except (OSError, sqlite3.Error) as problem:
        raise FileError(f"{what} cannot be kept in {path}: {problem}. Make room, or repair the file.") from problem
