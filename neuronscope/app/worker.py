"""Long work of the pages: one piece at a time, on a thread of its own, whichever pages are open.

What takes minutes or hours belongs to the process and not to the page that asked for it: pages come, look how far it
is, and go. Models are borrowed a batch at a time, so that they stay usable.
"""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from neuronscope.errors import InputError, NeuronScopeError
from neuronscope.jobs import Cancelled, Progress, running

if TYPE_CHECKING:
    from neuronscope.models.manager import Key
    from neuronscope.scope import Scope

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Work:
    """How far a piece of work has come that was asked for here."""

    progress: Progress
    """The last that was heard of it."""
    running: bool = True
    """Whether it still goes on."""
    stopped: bool = False
    """Whether it was cancelled; what was reached is kept."""
    problem: str = ""
    """What ended it, empty if nothing did."""


class Worker:
    """Does what the pages of one app ask for, each piece for a model."""

    def __init__(self, name: str, busy: str) -> None:
        """`name` is what its threads are called, `busy` what to say to who asks while it works."""
        self._name, self._says_busy = name, busy
        self._known: dict[Key, Work] = {}
        self._lock = threading.Lock()
        self._cancel = threading.Event()
        self._thread: threading.Thread | None = None
        self._closed = False

    def begin(self, scope: Scope, label: str, work: Callable[[], object]) -> None:
        """Begin a piece of work for a model; raises `InputError` while another one goes on."""
        with self._lock:
            if self._closed:
                return
            if self.busy:
                raise InputError(self._says_busy)
            self._known[scope.key] = Work(Progress(0, None, label, 0.0))
            self._cancel = threading.Event()
            # A context of its own: the request that asked must not be kept alive for as long as the work takes.
            done = (self._done, _Listener(self, scope.key, self._cancel), scope.key, work)
            self._thread = threading.Thread(
                target=contextvars.Context().run, args=done, name=f"neuronscope-{self._name}", daemon=True
            )
            self._thread.start()

    def of(self, scope: Scope) -> Work | None:
        """The last work that was asked for of a model; None if none was."""
        return self._known.get(scope.key)

    @property
    def busy(self) -> bool:
        """Whether it works."""
        return self._thread is not None and self._thread.is_alive()

    def cancel(self, scope: Scope) -> None:
        """Stop the work for a model at the next batch; what was reached is written first."""
        found = self.of(scope)
        if found is not None and found.running:
            self._cancel.set()

    def close(self, patience: float = 2.0) -> None:
        """Stop, begin nothing more, and wait up to `patience` seconds."""
        with self._lock:
            self._closed = True
            self._cancel.set()
            thread = self._thread
        if thread is not None:
            thread.join(patience)

    def heard(self, key: Key, progress: Progress) -> None:
        """Note how far the work has come."""
        self._known[key] = Work(progress)

    def _done(self, listener: _Listener, key: Key, work: Callable[[], object]) -> None:
        try:
            with running(listener):
                work()
            self._end(key, "")
        except Cancelled:
            self._end(key, "", stopped=True)
        except NeuronScopeError as error:
            self._end(key, str(error))
        except Exception as error:
            log.exception("Work in the background failed: %s", self._name)
            self._end(key, f"A fault of NeuronScope, {type(error).__name__}: {error}. The terminal shows where.")

    def _end(self, key: Key, problem: str, *, stopped: bool = False) -> None:
        self._known[key] = replace(self._known[key], running=False, stopped=stopped, problem=problem)


class _Listener:
    """Whom the work tells how far it is; a `jobs.Job`."""

    def __init__(self, worker: Worker, key: Key, cancelled: threading.Event) -> None:
        self._worker, self._key, self._cancelled = worker, key, cancelled

    def check(self) -> None:
        if self._cancelled.is_set():
            raise Cancelled

    def report(self, progress: Progress) -> None:
        self._worker.heard(self._key, progress)
