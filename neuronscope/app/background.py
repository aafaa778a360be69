"""Background work: Dash's background callbacks on threads of this process, beside the loaded model.

Dash's own managers start another process for each callback, which cannot see a model that is already in memory. This
one keeps Dash's protocol with the page (polling, `progress=`, `running=`, `cancel=`, signed handles) and changes only
where the work runs. Cancellation is cooperative: the work stops at the next `jobs.track` step or `jobs.checkpoint`.

Dash keeps every manager and every background function in lists of the class, under the source text of the function. Two
apps made by one factory would therefore run each other's callbacks and keep each other's models alive: call `seal()`
once an app's callbacks are registered. The base class is only half public; `tests/app/test_background.py` holds what we
rely on.
"""

from __future__ import annotations

import contextlib
import contextvars
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from dash import no_update
from dash._callback_context import context_value
from dash._get_app import app_context, get_app
from dash._utils import AttributeDict
from dash.background_callback._proxy_set_props import ProxySetProps
from dash.background_callback.managers import BaseBackgroundCallbackManager
from dash.exceptions import PreventUpdate

from neuronscope.jobs import Cancelled, Progress, running

WAITING = "Waiting for other work to finish"

POLL = 20
"""Milliseconds that a page waits between asking twice: short, because the asking itself waits for the answer."""
_HELD = 0.15
"""Seconds that an asking waits, so that an answer is with its page as soon as it is there."""


def progress_values(progress: Progress) -> tuple[int | None, int | None, str]:
    """What a progress bar shows: value, maximum and the words beside it; no value where the total is unknown."""
    value = None if progress.total is None else progress.done
    return value, progress.total, progress_text(progress)


def progress_text(progress: Progress) -> str:
    """Progress in words, such as `Reading 3 of 12 · 8/s · 2 s left`; rates are told once a second has passed."""
    counted = f" of {progress.total}" if progress.total is not None else ""
    parts = [f"{progress.label} {progress.done}{counted}" if progress.done or counted else progress.label]
    if progress.rate and progress.elapsed >= 1:
        parts.append(f"{progress.rate:.0f}/s" if progress.rate >= 1 else f"{1 / progress.rate:.0f} s each")
        if progress.remaining:
            parts.append(f"{_duration(progress.remaining)} left")
    return " · ".join(parts)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 90 * 60 else f"{round(seconds / 3600)} h"


class BrowserJob:
    """One background callback that one page asked for, from the click to the collected answer; a `jobs.Job`."""

    def __init__(self, key: str, patience: float) -> None:
        """Begin the job `key`, to be given up when its page has not asked for `patience` seconds."""
        self.key = key
        self.patience = patience
        self.thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._asked_at = time.monotonic()
        self._cancelled = self._collected = False
        self._finished = threading.Event()
        self._progress: Any = None
        self._props: dict[str, dict[str, Any]] = {}
        self._result: Any = None

    def check(self) -> None:
        """Raise `Cancelled` if the page cancelled, asked anew, or went away."""
        if self.cancelled or self.abandoned:
            raise Cancelled

    def report(self, progress: Progress | Sequence[Any]) -> None:
        """Remember how far the work has come, for the page's next poll."""
        with self._lock:
            self._progress = progress

    def set_progress(self, values: Any) -> None:
        """What a callback calls to fill its progress outputs itself; every call is a checkpoint."""
        self.check()
        self.report(values if isinstance(values, (list, tuple)) else [values])

    def set_props(self, component: str, props: dict[str, Any]) -> None:
        """Keep properties set in the middle of the work, for the page's next poll."""
        with self._lock:
            self._props.setdefault(component, {}).update(props)

    def finish(self, result: Any) -> bool:
        """Leave the answer for the page; tells whether anyone still wants it."""
        with self._lock:
            self._result = result
            self._finished.set()
            return not self._cancelled

    def cancel(self) -> None:
        """Stop the work at its next checkpoint."""
        with self._lock:
            self._cancelled = True

    def collect(self, missing: Any) -> Any:
        """The answer, waited for a moment, or `missing`; asking shows that the page is still there."""
        self._asked_at = time.monotonic()
        self._finished.wait(_HELD)
        with self._lock:
            self._collected = self._finished.is_set()
            return self._result if self._collected else missing

    def take_progress(self) -> Any:
        """The last report that has not been taken yet."""
        with self._lock:
            progress, self._progress = self._progress, None
        return progress

    def take_props(self) -> dict[str, dict[str, Any]]:
        """The properties set since the last time."""
        with self._lock:
            props, self._props = self._props, {}
        return props

    @property
    def cancelled(self) -> bool:
        """Whether the work was told to stop."""
        return self._cancelled

    @property
    def abandoned(self) -> bool:
        """Whether the page that asked has not been heard of for `patience` seconds."""
        return time.monotonic() - self._asked_at > self.patience

    @property
    def spent(self) -> bool:
        """Whether the answer was collected, or will never be."""
        return self._finished.is_set() and (self._collected or self._cancelled or self.abandoned)

    @property
    def left(self) -> bool:
        """Whether the answer is there and the page that asked is not; one that is being collected now is not left."""
        return self._finished.is_set() and self.abandoned


class Closable(Protocol):
    """Work that can be ended."""

    def close(self) -> object:
        """End it."""


class ThreadManager(BaseBackgroundCallbackManager):  # type: ignore[misc]
    """Runs an app's background callbacks on threads of this process.

    `workers` callbacks run at once, the others wait and can be cancelled while they do. `on_error` is given the very
    exception a callback raised, inside the callback's context, so that it can `set_props` a notice; give it to
    `Dash(on_error=...)` too. `show_progress` turns what `jobs.track` reports into values for the callback's `progress=`
    outputs. A job whose page has not polled for `abandon_after` seconds ends; hidden tabs poll about once a minute.
    """

    def __init__(
        self,
        *,
        workers: int = 4,
        abandon_after: float = 120.0,
        on_error: Callable[[Exception], Any] | None = None,
        show_progress: Callable[[Progress], Sequence[Any]] = progress_values,
    ) -> None:
        super().__init__(cache_by=None)
        self.func_registry.clear()  # the base class has just filled it with what other apps registered
        self.abandon_after = abandon_after
        self.on_error = on_error
        self.show_progress = show_progress
        self._slots = threading.Semaphore(workers)
        self._lock = threading.Lock()
        self._jobs: dict[str, BrowserJob] = {}
        self._secret: bytes | None = None
        self._closed = False
        self.beside: list[Closable] = []
        """Other work of the app, which `close` ends too."""

    def seal(self) -> None:
        """Take this app's callbacks out of Dash's class-wide lists; call it once they are all registered."""
        registry = BaseBackgroundCallbackManager
        registry.managers[:] = [manager for manager in registry.managers if manager is not self]
        registry.functions[:] = [entry for entry in registry.functions if entry[0] not in self.func_registry]

    def close(self, patience: float = 2.0) -> bool:
        """Cancel every job and wait up to `patience` seconds for them; tells whether all have ended.

        Threads are daemons, so work that does not reach a checkpoint in time does not keep the process alive.
        """
        self.seal()
        for other in self.beside:
            other.close()
        with self._lock:
            self._closed = True
            threads = [job.thread for job in self._jobs.values() if job.thread]
            for job in self._jobs.values():
                job.cancel()
            self._jobs.clear()
        deadline = time.monotonic() + patience
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self.func_registry.clear()
        return not any(thread.is_alive() for thread in threads)

    # What Dash calls, in the order it does.

    def make_job_fn(self, fn: Callable[..., Any], progress: bool, key: str | None = None) -> Any:
        """Keep the function as it is, with whether it takes `set_progress`."""
        return fn, bool(progress)

    def build_cache_key(self, *args: Any, **kwargs: Any) -> str:
        """Name one asking, not one question: two pages asking the same must not take each other's answer."""
        return uuid.uuid4().hex

    def call_job_fn(self, key: str, job_fn: Any, args: Any, context: dict[str, Any]) -> str:
        """Start the work; the job's name is its key."""
        job = BrowserJob(key, self.abandon_after)
        # An empty context, because a copy of this one would keep the request alive as long as the work.
        work = (self._work, get_app(), job, job_fn, args, context)
        job.thread = threading.Thread(
            target=contextvars.Context().run, args=work, name=f"neuronscope-job-{key[:6]}", daemon=True
        )
        with self._lock:
            self._jobs = {name: other for name, other in self._jobs.items() if not other.left}
            if not self._closed:
                self._jobs[key] = job
                job.thread.start()
        return key

    def get_progress(self, key: str) -> list[Any] | None:
        """The progress outputs' new values, None where nothing changed since the last poll."""
        job = self._jobs.get(key)
        progress = job.take_progress() if job else None
        if isinstance(progress, Progress):
            return list(self.show_progress(progress))
        return None if progress is None else list(progress)

    def get_result(self, key: str, job: str) -> Any:
        """The answer, `UNDEFINED` while there is none."""
        found = self._jobs.get(key)
        return found.collect(self.UNDEFINED) if found else self.UNDEFINED

    def job_running(self, job: str) -> bool:
        """Whether an answer is still to be collected.

        Dash asks this after `get_result`; a job that finishes in between is running until its answer is taken, or the
        answer would be lost.
        """
        found = self._jobs.get(job)
        return found is not None and not found.cancelled

    def terminate_job(self, job: str) -> None:
        """Let go of a job: Dash calls this when the page cancels, asks anew, or has collected the answer."""
        if found := self._jobs.get(job):
            found.cancel()

    def get_updated_props(self, key: str) -> dict[str, dict[str, Any]]:
        """Properties set in the middle of the work; the last thing a poll asks, hence where a spent job is dropped."""
        if (job := self._jobs.get(key)) is None:
            return {}
        if job.spent:
            self._forget(job)
        return job.take_props()

    def terminate_unhealthy_job(self, job: str) -> bool:
        """Threads of this process do not die unseen."""
        return False

    def get_or_create_signing_secret(self, generate: Callable[[], bytes]) -> bytes:
        """The key with which Dash signs the handles it gives to pages; one for each manager, never written down."""
        with self._lock:
            if self._secret is None:
                self._secret = generate()
            return self._secret

    # The work itself, on the job's own thread.

    def _work(self, app: Any, job: BrowserJob, job_fn: Any, args: Any, context: dict[str, Any]) -> None:
        function, takes_progress = job_fn
        _enter_context(app, job, context)
        result: Any = no_update
        try:
            with running(job), self._slot(job):
                result = _call(function, [job.set_progress] if takes_progress else [], args)
        except (PreventUpdate, Cancelled):
            result = no_update
        except Exception as error:  # noqa: BLE001  whatever it is, the page must hear of it
            result = self._told(error)
        finally:
            if not job.finish(result):
                self._forget(job)

    @contextlib.contextmanager
    def _slot(self, job: BrowserJob) -> Iterator[None]:
        job.check()
        while not self._slots.acquire(timeout=0.1):
            job.check()
            job.report(Progress(0, None, WAITING, 0.0))
        try:
            yield
        finally:
            self._slots.release()

    def _told(self, error: Exception) -> Any:
        if self.on_error is None:
            return _failure(error)
        try:
            answer = self.on_error(error)
        except Exception as second:  # noqa: BLE001  a broken handler must not leave the page waiting
            return _failure(second)
        return no_update if answer is None else answer

    def _forget(self, job: BrowserJob) -> None:
        with self._lock:
            self._jobs.pop(job.key, None)


def _enter_context(app: Any, job: BrowserJob, context: dict[str, Any]) -> None:
    """Make `dash.get_app`, `dash.ctx` and `dash.set_props` work on this thread as in any callback."""
    app_context.set(app)
    callback = AttributeDict(**context)
    callback.updated_props = ProxySetProps(job.set_props)
    context_value.set(callback)


def _call(function: Callable[..., Any], first: list[Any], args: Any) -> Any:
    if isinstance(args, dict):
        return function(*first, **args)
    return function(*first, *args) if isinstance(args, (list, tuple)) else function(*first, args)


def _failure(error: Exception) -> dict[str, Any]:
    """An exception in the form in which Dash raises it again in the request that polls."""
    return {"background_callback_error": {"msg": str(error), "tb": "".join(traceback.format_exception(error))}}
