"""Indexes under construction: one at a time, whichever pages are open."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from neuronscope.app.worker import Worker

if TYPE_CHECKING:
    from neuronscope.scope import Scope

Sources = Callable[[], Path]
"""Writes or finds the corpus, on the thread of the work, and says where it is."""
_BUSY = "An index is being built: wait until it is done, or cancel it, and build this one then."


class Builder(Worker):
    """Builds the indexes that the pages of one app ask for."""

    def __init__(self) -> None:
        """Nothing is being built."""
        super().__init__("index", _BUSY)

    def start(self, scope: Scope, sources: Sources, tokens: int | None, *, anew: bool = False) -> None:
        """Begin the index of a model, or go on with the one that was begun from the same corpus.

        `anew` removes the index that the model has first.

        Raises:
            InputError: if another one is being built.
        """

        def build() -> None:
            corpus = sources()
            if anew:
                _remove(scope.index_folder)
            scope.index(corpus, tokens=tokens)

        self.begin(scope, "Reading the corpus", build)


def _remove(folder: Path) -> None:
    """Take an index out of the way at once, for readers still have its files open, and then off the disk."""
    from neuronscope.index.store import building

    if not folder.is_dir():
        return
    with building(folder):  # not under another process' hands
        pass
    aside = folder.with_name(f"{folder.name}.old")
    shutil.rmtree(aside, ignore_errors=True)
    folder.replace(aside)
    shutil.rmtree(aside, ignore_errors=True)
