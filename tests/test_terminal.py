"""A terminal program's manners: bars on a terminal only, tables that show text as it is."""

from __future__ import annotations

import io
import json
import re
import signal
import socket
import sys
import time

import pytest

from neuronscope import terminal
from neuronscope.errors import EmptyText
from neuronscope.jobs import report, track


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_progress_is_drawn_on_a_terminal_and_only_there(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    for stream, drawn in ((Screen(), True), (io.StringIO(), False)):
        monkeypatch.setattr(sys, "stderr", stream)
        with terminal.progress("Reading"):
            assert [step for step in track("abc", label="Counting [letters]")] == ["a", "b", "c"]  # noqa: C416
        assert ("Counting [letters]" in stream.getvalue()) == drawn
        assert ("2/3" in stream.getvalue()) == drawn


def test_work_that_goes_on_from_a_middle_has_its_own_rate(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys, "stderr", screen := Screen())
    with terminal.progress("Loading"):
        started = time.monotonic()
        report(3, 1_000_000, "Loading", started)
        for done in (900_000, 900_020, 900_040, 900_060):
            report(done, 1_000_000, "Indexing tokens", started)
            time.sleep(0.05)
    rates = [float(rate.replace(",", "")) for rate in re.findall(r"([\d,]+)/s", screen.getvalue())]
    assert rates
    assert max(rates) < 2000  # twenty in a twentieth of a second: 400


def test_a_stated_error_is_one_line_and_status_1(capsys):
    with pytest.raises(SystemExit) as ended, terminal.stated_errors():
        raise EmptyText("There is no text.")
    assert ended.value.code == 1
    assert capsys.readouterr() == ("", "neuronscope: There is no text.\n")


def test_a_bug_is_not_a_stated_error():
    with pytest.raises(KeyError), terminal.stated_errors():
        raise KeyError("bug")


def test_signals_are_given_back_as_they_were():
    before = signal.getsignal(signal.SIGINT)
    with socket.socket() as other:
        other.setblocking(False)
        signal.set_wakeup_fd(other.fileno())
        with terminal.interruptible():
            pass
        assert signal.set_wakeup_fd(-1) == other.fileno()
    assert signal.getsignal(signal.SIGINT) is before


def test_tables_show_text_as_it_is(capsys):
    table = terminal.table("token", ">value")
    for token in ("[red]", ":cat:", "[/]", "<b>"):
        table.add_row(token, "1")
    terminal.show(table, "said of [it]")
    out = capsys.readouterr().out
    assert all(text in out for text in ("[red]", ":cat:", "[/]", "<b>", "said of [it]"))


@pytest.mark.parametrize("wide", [120, 60, 44, 30, 16])
def test_numbers_are_whole_at_any_width_or_their_column_is_named_as_left_out(capsys, monkeypatch, wide):
    monkeypatch.setenv("COLUMNS", str(wide))
    table = terminal.table("name", ">weights", ">longest text", "use", folded=("use",))
    table.add_row("sentence-transformers/all-MiniLM", "22.7 M", "131,072", "For sentences of any kind and length")
    terminal.show(table)
    out = capsys.readouterr().out
    drawn, _, left_out = out.partition("Left out")
    for heading, number in (("weights", "22.7 M"), ("text", "131,072")):
        assert (number in drawn) != (heading in left_out)
    assert (wide < 44) == ("131,072" not in drawn)
    assert all(len(line) <= wide for line in drawn.splitlines())


@pytest.mark.parametrize(
    ("count", "text"), [(7, "7"), (1_080, "1.08 k"), (124_439_808, "124 M"), (6_738_415_616, "6.74 B")]
)
def test_large_numbers_are_short(count, text):
    assert terminal.short(count) == text


def test_json_keeps_its_letters(capsys):
    terminal.print_json("ask", word="Ça")
    out = capsys.readouterr().out
    assert json.loads(out) == {"schema_version": 1, "command": "ask", "word": "Ça"}
    assert "Ça" in out
