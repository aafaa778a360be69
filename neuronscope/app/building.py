"""Indexes under construction: one at a time, on a thread of its own, whichever pages are open.

A corpus takes minutes or hours, so what reads it belongs to the process and not to the page that asked for it: pages
come, look how far it is, and go. The model is borrowed a batch at a time, so that they stay usable.
"""

from __future__ import annotations

import contextvars
import logging
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from neuronscope.errors import InputError, NeuronScopeError
from neuronscope.jobs import Cancelled, Progress, running

if TYPE_CHECKING:
    from neuronscope.models.manager import Key
    from neuronscope.scope import Scope

log = logging.getLogger(__name__)

Sources = Callable[[], Path]
"""Writes or finds the corpus, on the thread of the work, and says where it is."""


@dataclass(frozen=True)
class Building:
    """How far an index has come that was asked for here."""

    progress: Progress
    """The last that was heard of it."""
    running: bool = True
    """Whether it is still being built."""
    stopped: bool = False
    """Whether it was cancelled; what was reached is kept."""
    problem: str = ""
    """What ended it, empty if nothing did."""


class Builder:
    """Builds the indexes that the pages of one app ask for."""

    def __init__(self) -> None:
        """Nothing is being built."""
        self._known: dict[Key, Building] = {}
        self._lock = threading.Lock()
        self._cancel = threading.Event()
        self._thread: threading.Thread | None = None
        self._closed = False

    def start(self, scope: Scope, sources: Sources, tokens: int | None, *, anew: bool = False) -> None:
        """Begin the index of a model, or go on with the one that was begun from the same corpus.

        `anew` removes the index that the model has first.

        Raises:
            InputError: if another one is being built.
        """
        with self._lock:
            if self._closed:
                return
            if self.busy:
                raise InputError(
                    "An index is being built: wait until it is done, or cancel it, and build this one then."
                )
            self._known[scope.key] = Building(Progress(0, None, "Reading the corpus", 0.0))
            self._cancel = threading.Event()
            # A context of its own: the request that asked must not be kept alive for as long as the work takes.
            work = (self._work, _Listener(self, scope.key, self._cancel), scope, sources, tokens, anew)
            self._thread = threading.Thread(
                target=contextvars.Context().run, args=work, name="neuronscope-index", daemon=True
            )
            self._thread.start()

    def of(self, scope: Scope) -> Building | None:
        """The index of a model that is being built or was asked for; None if none was."""
        return self._known.get(scope.key)

    @property
    def busy(self) -> bool:
        """Whether an index is being built."""
        return self._thread is not None and self._thread.is_alive()

    def cancel(self, scope: Scope) -> None:
        """Stop building the index of a model at the next batch; what was reached is written first."""
        found = self.of(scope)
        if found is not None and found.running:
            self._cancel.set()

    def close(self, patience: float = 2.0) -> None:
        """Stop, build nothing more, and wait up to `patience` seconds."""
        with self._lock:
            self._closed = True
            self._cancel.set()
            thread = self._thread
        if thread is not None:
            thread.join(patience)

    def heard(self, key: Key, progress: Progress) -> None:
        """Note how far an index has come."""
        self._known[key] = Building(progress)

    def _work(self, listener: _Listener, scope: Scope, sources: Sources, tokens: int | None, anew: bool) -> None:
        try:
            with running(listener):
                corpus = sources()
                if anew:
                    _remove(scope.index_folder)
                scope.index(corpus, tokens=tokens)
            self._end(scope.key, "")
        except Cancelled:
            self._end(scope.key, "", stopped=True)
        except NeuronScopeError as error:
            self._end(scope.key, str(error))
        except Exception as error:
            log.exception("Building an index failed")
            self._end(scope.key, f"A fault of NeuronScope, {type(error).__name__}: {error}. The terminal shows where.")

    def _end(self, key: Key, problem: str, *, stopped: bool = False) -> None:
        self._known[key] = replace(self._known[key], running=False, stopped=stopped, problem=problem)


class _Listener:
    """Whom the work tells how far it is; a `jobs.Job`."""

    def __init__(self, builder: Builder, key: Key, cancelled: threading.Event) -> None:
        self._builder, self._key, self._cancelled = builder, key, cancelled

    def check(self) -> None:
        if self._cancelled.is_set():
            raise Cancelled

    def report(self, progress: Progress) -> None:
        self._builder.heard(self._key, progress)


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
