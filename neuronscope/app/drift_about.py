"""What is compared, in sentences: which checkpoints, on what, what counts as change, and what could not be compared."""

from __future__ import annotations

import time
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
from dash import html

from neuronscope.app.parts import go, heading, icon, short
from neuronscope.figures.drift_words import decimal

if TYPE_CHECKING:
    from neuronscope.app.drift_kept import Kept
    from neuronscope.series import Drift

_ITSELF = "in every layer of every checkpoint at least 90 % of the neurons that vary are most like themselves"
_UNFINISHED = "not finished: ask for the same again to go on"


def compared(drift: Drift) -> list[Any]:
    """Heading and sentences over a drift."""
    m = drift.manifest
    names = [one.label for one in drift.checkpoints[1:]]
    named = ", ".join(names) if len(names) <= 4 else f"{names[0]} to {names[-1]}"
    corpus = ", ".join(PurePath(source).name or source for source in m.sources[:2])
    count = f"{len(names)} checkpoint{'' if len(names) == 1 else 's'}"
    what = f"{count} ({named}) against {short(m.model)} on {m.tokens:,} tokens of {corpus}, in {m.precision}"
    terms = (("Noise floor", _floor(drift)), ("Control", _control(drift)), ("Number by number", _valid(drift)))
    lines = [html.Div([html.Dt(term), html.Dd(said)]) for term, said in terms]
    return [*heading("What changed", html.Bdi(what)), html.Dl(lines, className="drift-terms"), *_problems(drift)]


def _floor(drift: Drift) -> str:
    floor = drift.noise_floor
    if floor.against is None:
        return "not known: any change counts as change."
    rate = f"; {100 * floor.rate:.2g} % of unchanged neurons would exceed theirs" if np.isfinite(floor.rate) else ""
    again = f"; run twice, no neuron differs by more than {decimal(floor.recomputed)}" if floor.recomputed > 0 else ""
    said = f"median D {decimal(floor.median)}: the base against itself with {floor.against}"
    return f"{said}, over {floor.tokens:,} tokens{rate}{again}."


def _control(drift: Drift) -> list[Any] | str:
    if drift.control is None:
        return "none: what is shown includes generic drift, which any training causes."
    said = "; the excess of D over its own is what such training alone does not explain."
    return [html.Bdi(short(drift.control.name)), said]


def _valid(drift: Drift) -> Any:
    if drift.index_wise:
        return f"valid: {_ITSELF}."
    worst = float(drift.layers["itself"].min())
    said = (
        f"not valid everywhere: in one layer only {worst:.0%} of the neurons that vary are most like themselves. "
        "Neurons that were swapped or taken over are marked in the table."
    )
    return html.Span(said, className="changed")


def _problems(drift: Drift) -> list[Any]:
    if not drift.problems:
        return []
    rows = [html.Li([html.B(html.Bdi(one.label)), " ", html.Bdi(one.problem)]) for one in drift.problems]
    count = f"{len(rows)} checkpoint{'' if len(rows) == 1 else 's'} could not be compared"
    return [html.Div([html.Strong([icon("exclamation-triangle"), count]), html.Ul(rows)], className="drift-problems")]


def listed(kept: list[Kept], shown: Kept | None, *, works: bool) -> Any:
    """The drifts of the model that are kept, each a way to look at it; the first may be under way (`works`)."""
    if not kept:
        return None
    rows = [_row(one, current=one == shown, works=works and one is kept[0]) for one in kept]
    return html.Div([html.H3("Kept on this machine"), html.Ul(rows, className="drift-list")])


def _row(one: Kept, *, current: bool, works: bool) -> Any:
    m, compared = one.manifest, one.compared
    labels = [checkpoint.label for checkpoint in compared]
    named = labels[0] if len(labels) == 1 else f"{labels[0]} … {labels[-1]}" if labels else "no checkpoint"
    when = time.strftime("%d %b %Y, %H:%M", time.localtime(one.changed)).lstrip("0")
    done = f"{one.done} of {len(compared)} checkpoints"
    state = "" if m.complete else "being measured" if works else _UNFINISHED
    facts = [done, f"{m.tokens:,} tokens", m.precision, when, state]
    said = html.Span(" · ".join(filter(None, facts)), className="caption")
    name = go(html.Bdi(named), kind="quiet current" if current else "quiet", drift=one.name) if one.opens else named
    return html.Li([name, said])
