"""Long work: progress that wraps an iterable, and a way to stop.

Code that may take long says so by `for batch in track(batches, label="Reading")` and by `checkpoint()` at safe points.
Whoever started it (a page, a terminal, a test) listens with `with running(job):`. Outside a job both cost nothing.
"""

from __future__ import annotations

import contextlib
import contextvars
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import dataclass
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Cancelled(Exception):
    """Raised at the next checkpoint after whoever asked for the work no longer wants it."""


@dataclass(frozen=True)
class Progress:
    """How far a piece of work has come."""

    done: int
    """Steps finished."""
    total: int | None
    """Steps in all, None if unknown."""
    label: str
    """What is being done, as a person would say it."""
    elapsed: float
    """Seconds since it began."""

    @property
    def rate(self) -> float | None:
        """Steps a second, None before the first is done."""
        return self.done / self.elapsed if self.done and self.elapsed > 0 else None

    @property
    def remaining(self) -> float | None:
        """Seconds left at this rate, None where that cannot be told."""
        return (self.total - self.done) / self.rate if self.total is not None and self.rate else None


class Job(Protocol):
    """Whoever wants the work done."""

    def check(self) -> None:
        """Raise `Cancelled` if the answer is no longer wanted."""

    def report(self, progress: Progress) -> None:
        """Take note of how far the work has come."""


_current: contextvars.ContextVar[Job | None] = contextvars.ContextVar("job", default=None)


@contextlib.contextmanager
def running(job: Job) -> Iterator[None]:
    """Make `job` the one that progress is reported to and that may stop the work, within this context."""
    before = _current.set(job)
    try:
        yield
    finally:
        _current.reset(before)


def checkpoint() -> None:
    """A safe point to stop: raises `Cancelled` if the job this code runs in was cancelled."""
    if job := _current.get():
        job.check()


def report(done: int, total: int | None, label: str, started: float) -> None:
    """Say how far work has come that is not one iterable; a checkpoint. `started` is a `time.monotonic()`."""
    if job := _current.get():
        job.check()
        job.report(Progress(done, total, label, time.monotonic() - started))


def counter(total: int, label: str, reached: int = 0) -> Callable[[int], None]:
    """A function to be told how many more steps are done, each time a checkpoint; it reports them all together."""
    started = time.monotonic()

    def more(count: int) -> None:
        nonlocal reached
        reached += count
        report(reached, max(total, reached), label, started)

    return more


def track(items: Iterable[Item], *, label: str, total: int | None = None) -> Iterator[Item]:
    """Yield `items`, reporting each one done; every step is a checkpoint."""
    job = _current.get()
    if total is None and isinstance(items, Sized):
        total = len(items)
    started = time.monotonic()
    if total == 0:
        return
    for done, item in enumerate(items):
        if job:
            job.check()
            job.report(Progress(done, total, label, time.monotonic() - started))
        yield item
    if job and total is not None:
        job.report(Progress(total, total, label, time.monotonic() - started))
