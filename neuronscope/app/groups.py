"""Groups of neurons that the visitor named, kept on disk by model."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from neuronscope.app.kept import opened
from neuronscope.errors import InputError
from neuronscope.vocabulary import Neuron

LONGEST = 80
"""Characters of a name."""
MOST = 10_000
"""Neurons of a group."""
_TABLE = """
create table if not exists groups (
    model text, revision text, name text, neurons text not null,
    written text not null default (datetime('now')), primary key (model, revision, name)
)"""


class Groups:
    """The groups of one user, in one SQLite file; a connection lasts as long as one question."""

    def __init__(self, folder: Path) -> None:
        """The file is made with the first group."""
        self._path = folder / "groups.sqlite"

    def of(self, model: str, revision: str) -> dict[str, int]:
        """The names of a model's groups in the order of the alphabet, and how many neurons each has."""
        if not self._path.exists():
            return {}
        with self._opened() as database:
            rows = database.execute(
                "select name, neurons from groups where model = ? and revision = ? order by lower(name), name",
                (model, revision),
            ).fetchall()
        return {name: len(neurons.split()) for name, neurons in rows}

    def neurons(self, model: str, revision: str, name: str) -> tuple[Neuron, ...]:
        """The neurons of a group; raises `InputError` if there is none of that name."""
        found = self._found(model, revision, name) if self._path.exists() else None
        if found is None:
            raise InputError(f"No group called {name!r} is kept for this model: choose one of the list.")
        return tuple(Neuron.parse(one) for one in found.split())

    def keep(self, model: str, revision: str, name: str, neurons: Sequence[Neuron]) -> str:
        """Keep a group under a name that is free, and return the name as it is kept.

        Raises:
            InputError: for no name, one too long or taken, no neurons or too many.
            FileError: if the file cannot be written.
        """
        called = _checked(name)
        if not neurons:
            raise InputError("A group of no neurons cannot be kept: choose some on the map, or open a cluster.")
        if len(neurons) > MOST:
            raise InputError(f"A group has {MOST:,} neurons at most, and these are {len(neurons):,}: choose fewer.")
        with self._opened() as database, database:
            self._free(database, model, revision, called)
            database.execute(
                "insert into groups (model, revision, name, neurons) values (?,?,?,?)",
                (model, revision, called, " ".join(map(str, dict.fromkeys(neurons)))),
            )
        return called

    def rename(self, model: str, revision: str, name: str, after: str) -> str:
        """Call a group something else, and return that; raises as `keep` does, and if there is no such group."""
        called = _checked(after)
        self.neurons(model, revision, name)
        with self._opened() as database, database:
            if called != name:
                self._free(database, model, revision, called)
            database.execute(
                "update groups set name = ? where model = ? and revision = ? and name = ?",
                (called, model, revision, name),
            )
        return called

    def delete(self, model: str, revision: str, name: str) -> None:
        """Forget a group; its neurons are not touched. Raises `InputError` if there is none of that name."""
        self.neurons(model, revision, name)
        with self._opened() as database, database:
            database.execute(
                "delete from groups where model = ? and revision = ? and name = ?", (model, revision, name)
            )

    def _found(self, model: str, revision: str, name: str) -> str | None:
        with self._opened() as database:
            row = database.execute(
                "select neurons from groups where model = ? and revision = ? and name = ?", (model, revision, name)
            ).fetchone()
        return str(row[0]) if row else None

    def _free(self, database: sqlite3.Connection, model: str, revision: str, name: str) -> None:
        taken = database.execute(
            "select 1 from groups where model = ? and revision = ? and name = ?", (model, revision, name)
        ).fetchone()
        if taken:
            raise InputError(f"A group called {name!r} is kept already: choose another name, or delete that group.")

    def _opened(self) -> AbstractContextManager[sqlite3.Connection]:
        return opened(self._path, _TABLE, "Groups")


def _checked(name: str) -> str:
    called = " ".join(name.split())
    if not called:
        raise InputError("The group has no name: write what its neurons have in common.")
    if len(called) > LONGEST:
        raise InputError(f"A group's name has {LONGEST} characters at most, and this one {len(called)}: shorten it.")
    return called
