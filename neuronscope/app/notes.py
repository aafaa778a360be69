"""What the visitor wrote about neurons, kept on disk: a label and a note for each, by model."""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from neuronscope.app.kept import opened
from neuronscope.errors import InputError
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

    def _opened(self) -> AbstractContextManager[sqlite3.Connection]:
        return opened(self._path, _TABLE, "Notes")
