"""The manners of a terminal program: a bar while it works, a quick end on Ctrl-C, plain words, readable tables."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from neuronscope.errors import NeuronScopeError
from neuronscope.jobs import Progress, running

if TYPE_CHECKING:
    from rich.progress import Progress as Display
    from rich.table import Column, Table

SCHEMA_VERSION = 1
"""Counts up when a field of a `--json` object changes its name or meaning."""
WIDE = 160
"""Characters in a line where no terminal says how many there are."""
INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells count it: 128 and the signal's number."""
PATIENCE = 0.6
"""Seconds that work may take to end by itself after Ctrl-C."""


@contextmanager
def stated_errors() -> Iterator[None]:
    """Turn what a person may be told into one line on standard error and exit status 1; bugs keep their traceback."""
    try:
        yield
    except NeuronScopeError as error:
        print(f"neuronscope: {error}", file=sys.stderr)
        sys.exit(1)


@contextmanager
def interruptible(patience: float = PATIENCE, last_words: Callable[[], str] | None = None) -> Iterator[None]:
    """Make Ctrl-C end the process within `patience` seconds, whatever it is doing and however it takes it.

    Python notices the signal only between its own steps, which a long matrix product delays. So the signal also wakes a
    thread that gives the work within time to end and clean up by itself, and then ends the process for it. What
    `last_words` says then is printed on standard error.
    """
    listening, signalled = socket.socketpair()
    signalled.setblocking(False)
    before = signal.set_wakeup_fd(signalled.fileno(), warn_on_full_buffer=False)
    insisting = (listening, patience, last_words)
    threading.Thread(target=_insist, args=insisting, name="interrupt", daemon=True).start()
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as end:
        if isinstance(end, SystemExit) and end.code != INTERRUPTED:
            raise
        # Everything of ours has been closed on the way here. Python's own end, which unloads torch, takes too long.
        _end(last_words)
    finally:
        signal.set_wakeup_fd(before)
        signalled.close()


def _insist(listening: socket.socket, patience: float, last_words: Callable[[], str] | None) -> None:
    with listening:
        while signals := listening.recv(16):
            if signal.SIGINT in signals:
                time.sleep(patience)
                if last_words is not None:
                    _end(last_words)
                os._exit(INTERRUPTED)


def _end(last_words: Callable[[], str] | None) -> NoReturn:
    try:
        if last_words is not None:
            # A bar may stand on the line: begin at its start and clear it.
            clear = "\r\x1b[K" if sys.stderr.isatty() else ""
            print(f"{clear}{last_words()}", file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(INTERRUPTED)


@contextmanager
def progress(label: str) -> Iterator[None]:
    """Draw what the work within reports on standard error; `label` stands there until it does.

    Nothing is drawn where standard error is not a terminal, and nothing stays once the work is done.
    """
    from rich import progress as rich
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    columns = (
        rich.TextColumn("{task.description}", markup=False),
        rich.BarColumn(),
        rich.MofNCompleteColumn(),
        rich.TextColumn("{task.fields[rate]}"),
        rich.TimeElapsedColumn(),
        rich.TimeRemainingColumn(),
    )
    with rich.Progress(*columns, console=console, transient=True) as display, running(_Bar(display, label)):
        yield


class _Bar:
    """A job that draws its progress; Ctrl-C stops it, so there is nothing to check."""

    def __init__(self, display: Display, label: str) -> None:
        self._display = display
        self._label = label
        self._task = display.add_task(label, total=None, rate="")

    def check(self) -> None:
        """Never ask the work to stop."""

    def report(self, progress: Progress) -> None:
        """Move the bar; other work has a rate of its own, and going on from a middle does not flatter it."""
        if progress.label != self._label:
            self._label = progress.label
            self._display.reset(self._task, completed=progress.done, total=progress.total)
        speed = self._display.tasks[0].speed
        self._display.update(
            self._task,
            description=progress.label,
            completed=progress.done,
            total=progress.total,
            rate=f"{speed:,.0f}/s" if speed and speed >= 10 else "",
            refresh=True,
        )


def table(*columns: str, folded: tuple[str, ...] = ()) -> Table:
    """Make an empty table; a column whose name begins with > is of numbers, and `folded` ones are of sentences."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD)
    for column in columns:
        name = column.removeprefix(">")
        made.add_column(
            name,
            justify="left" if name == column else "right",
            overflow="fold",
            min_width=_SENTENCE if name in folded else None,
        )
    return made


_SENTENCE, _NAME = 12, 14
"""The fewest characters to which a column of sentences, and one of names, is folded."""


def show(table: Table, caption: str | None = None) -> None:
    """Print a table and the sentence that belongs to it, as wide as the terminal is; numbers are never cut."""
    from rich.console import Console

    wide = shutil.get_terminal_size((WIDE, 24)).columns
    console = Console(markup=False, highlight=False, emoji=False, width=wide)
    left_out = _fit(table, wide)
    console.print(table)
    if left_out:
        console.print(
            f"Left out for want of room: {', '.join(left_out)}. A wider terminal shows them, and so does --json."
        )
    if caption is not None:
        console.print(caption)


def _fit(table: Table, wide: int) -> list[str]:
    """Fold text, then leave out columns from the right, until `table` is `wide`; returns what is left out."""
    left_out: list[str] = []
    while len(table.columns) > 1 and _frame(table) + sum(map(_least, table.columns)) > wide:
        left_out.insert(0, str(table.columns.pop().header))
    for column in table.columns:
        if column.justify == "right":
            column.min_width = _least(column)
    if _frame(table) + sum(map(_full, table.columns)) > wide:
        for column in table.columns:
            column.width = column.min_width if column.justify == "right" else None
    return left_out


def _frame(table: Table) -> int:
    """Characters of a line that are not in a column: a blank on each side of each, one between two, one at each end."""
    return 3 * len(table.columns) + 1


def _full(column: Column) -> int:
    from rich.cells import cell_len

    return max(cell_len(str(text)) for text in (column.header, *column.cells))


def _least(column: Column) -> int:
    """The fewest characters a column may have: of numbers, those of the longest one."""
    from rich.cells import cell_len

    if column.justify == "right":
        return max(cell_len(text) for text in (*str(column.header).split(), *map(str, column.cells)))
    return min(_full(column), column.min_width or _NAME)


def print_json(command: str, **fields: Any) -> None:
    """Print the one object that `--json` asks for; numbers that are none (NaN, infinity) become null."""
    answer = {"schema_version": SCHEMA_VERSION, "command": command, **fields}
    print(json.dumps(_plain(answer), ensure_ascii=False, allow_nan=False))


def _plain(value: Any) -> Any:
    """`value` in nothing but what JSON knows; numpy's numbers and arrays become Python's."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, os.PathLike) else value


def short(count: int) -> str:
    """A large number to three digits, such as 124 M."""
    for size, letter in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if count >= size:
            return f"{count / size:.3g} {letter}"
    return str(count)
