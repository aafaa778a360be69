"""Example rows: contexts of a corpus under each other, their peaks in one column, on one colour scale.

A row opens on its whole context and where it stands. Contexts that say the same again are folded behind the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
from dash import html

from neuronscope.vocabulary import Example

ALIKE = 8
"""Contexts whose tokens up to the peak agree this far back say the same."""
_BEFORE, _AFTER = 12, 6


def example_list(examples: Sequence[Example], limit: float) -> Any:
    """The rows, those alike folded; `limit` is where the colours of the neuron end, on either side of zero."""
    rows = [html.Li([_row(first, limit), *_more(others, limit)]) for first, *others in folded(examples)]
    return html.Ol(rows, className="examples")


def folded(examples: Iterable[Example]) -> list[list[Example]]:
    """Contexts in their order, each with those that repeat it: the same tokens up to the peak."""
    found: dict[tuple[str, ...], list[Example]] = {}
    for one in examples:
        found.setdefault(one.tokens[max(one.peak - ALIKE, 0) : one.peak + 1], []).append(one)
    return list(found.values())


def place_of(one: Example) -> str:
    """Where a context stands: the file's name, the document, the character."""
    source, _, document = one.document.rpartition(", ")
    return f"{PurePath(source).name}, {document}, character {one.offset:,}"


def _more(others: list[Example], limit: float) -> list[Any]:
    if not others:
        return []
    said = "1 that says the same" if len(others) == 1 else f"{len(others)} that say the same"
    rows = html.Ol([html.Li(_row(one, limit)) for one in others], className="examples")
    return [html.Details([html.Summary(said, className="caption"), rows], className="duplicates")]


def _row(one: Example, limit: float) -> Any:
    first, last = max(one.peak - _BEFORE, 0), min(one.peak + _AFTER + 1, len(one.tokens))
    chip = html.Span(
        [html.Bdi(one.tokens[one.peak]), html.Span(number(one.value), className="value")],
        className=f"chip {'positive' if one.value > 0 else 'negative'}",
        style={"--strength": _strength(one.value, limit)},
    )
    before = html.Span([_token(one, i, limit) for i in range(first, one.peak)], className="before")
    after = html.Span([_token(one, i, limit) for i in range(one.peak, last)], className="after")
    whole = html.Div([_token(one, i, limit) for i in range(len(one.tokens))], className="whole")
    place = html.P(place_of(one), className="caption", title=one.document)
    return html.Details([html.Summary([chip, before, after]), whole, place], className="example")


def _token(one: Example, i: int, limit: float) -> Any:
    value = float(one.values[i])
    known = bool(np.isfinite(value))
    names = ["token", "positive" if value > 0 else "negative"]
    names += ["peak"] if i == one.peak else []
    names += ["clipped"] if known and limit and abs(value) / limit > 1.001 else []
    return html.Span(
        html.Bdi(one.tokens[i]),
        className=" ".join(names),
        style={"--strength": _strength(value, limit) if known else 0.0},
        title=f"{one.tokens[i]}\n{f'value {number(value, 4)}' if known else 'value not kept'}",
    )


def _strength(value: float, limit: float) -> float:
    return round(min(abs(value) / limit, 1.0), 3) if limit else 0.0


def number(value: float, digits: int = 3) -> str:
    """A number as the page writes it: with a true minus."""
    return f"{value:.{digits}g}".replace("-", "−")
