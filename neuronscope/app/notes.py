"""What the visitor wrote about neurons, kept on disk: a label and a note for each, by model."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from neuronscope.errors import FileError, InputError
from neuronscope.vocabulary import Neuron

LONGEST = 20_000
"""Characters of a note."""
_TABLE = """
create table if not exists notes (
    model text, revision text, layer integer, neuron integer, label text not null, note text not null,
    written text not null default (datetime('now')), primary key (model, revision, layer, neuron)
)"""


@dataclass(frozen=True)
class Note:
    """What was written about one neuron."""

    label: str = ""
    """What it is, in a few words."""
    note: str = ""
    """Anything else."""


class Notes:
    """The notes of one user, in one SQLite file; a connection lasts as long as one question."""

    def __init__(self, folder: Path) -> None:
        """The file is made with the first note."""
        self._path = folder / "notes.sqlite"

    def of(self, model: str, revision: str, neuron: Neuron) -> Note:
        """What was written about a neuron; empty if nothing was."""
        if not self._path.exists():
            return Note()
        with self._opened() as database:
            row = database.execute(
                "select label, note from notes where model = ? and revision = ? and layer = ? and neuron = ?",
                (model, revision, neuron.layer, neuron.index),
            ).fetchone()
        return Note(*row) if row else Note()

    def write(self, model: str, revision: str, neuron: Neuron, note: Note) -> None:
        """Keep a note, or none where it says nothing; raises `InputError` if it is too long, `FileError` if refused."""
        if len(note.label) + len(note.note) > LONGEST:
            raise InputError(f"A note holds {LONGEST:,} characters, and this one is longer: shorten it.")
        key = (model, revision, neuron.layer, neuron.index)
        with self._opened() as database, database:
            if note.label.strip() or note.note.strip():
                database.execute(
                    "insert or replace into notes (model, revision, layer, neuron, label, note) values (?,?,?,?,?,?)",
                    (*key, note.label.strip(), note.note.strip()),
                )
            else:
                database.execute("delete from notes where model = ? and revision = ? and layer = ? and neuron = ?", key)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._path, timeout=5.0)) as database:
                database.execute(_TABLE)
                yield database
        except (OSError, sqlite3.Error) as problem:
            raise FileError(
                f"Notes cannot be kept in {self._path}: {problem}. Make room, or repair the file."
            ) from problem
