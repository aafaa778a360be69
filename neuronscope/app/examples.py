"""Example rows: contexts of a corpus under each other, their peaks in one column, on one colour scale.

A row opens on its whole context and where it stands. Contexts that say the same again are folded behind the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np
from dash import html

from neuronscope.vocabulary import Example

ALIKE = 8
"""Contexts whose tokens up to the peak agree this far back say the same."""
_BEFORE, _AFTER = 12, 6


@dataclass(frozen=True)
class Mark:
    """What is marked in one context, and what is said of it where it opens."""

    outlined: int = 0
    """The last so many tokens up to the peak are outlined."""
    needed: int | None = None
    """What stands before the last so many tokens up to the peak is dimmed; None dims nothing."""
    says: str = ""
    """A sentence about the context."""


def example_list(examples: Sequence[Example], limit: float, marks: Mapping[int, Mark] | None = None) -> Any:
    """The rows, those alike folded; `limit` is where the colours of the neuron end, on either side of zero.

    `marks` holds, by the position of an example in the corpus, what is marked in it.
    """
    marked = [[(one, (marks or {}).get(one.position, _UNMARKED)) for one in alike] for alike in folded(examples)]
    rows = [html.Li([_row(*first, limit), *_more(others, limit)]) for first, *others in marked]
    return html.Ol(rows, className="examples")


_UNMARKED = Mark()


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


def _more(others: list[tuple[Example, Mark]], limit: float) -> list[Any]:
    if not others:
        return []
    said = "1 that says the same" if len(others) == 1 else f"{len(others)} that say the same"
    rows = html.Ol([html.Li(_row(*one, limit)) for one in others], className="examples")
    return [html.Details([html.Summary(said, className="caption"), rows], className="duplicates")]


def _row(one: Example, mark: Mark, limit: float) -> Any:
    first, last = max(one.peak - _BEFORE, 0), min(one.peak + _AFTER + 1, len(one.tokens))
    chip = html.Span(
        [html.Bdi(one.tokens[one.peak]), html.Span(number(one.value), className="value")],
        className=f"chip {'positive' if one.value > 0 else 'negative'}",
        style={"--strength": _strength(one.value, limit)},
    )
    before = html.Span(_tokens(one, mark, range(first, one.peak), limit), className="before")
    after = html.Span(_tokens(one, mark, range(one.peak, last), limit), className="after")
    says = [html.P(mark.says, className="caption")] if mark.says else []
    whole = html.P(html.Bdi("".join(one.tokens)), className="whole")
    place = html.P(place_of(one), className="caption", title=one.document)
    return html.Details([html.Summary([chip, before, after]), whole, *says, place], className="example")


def _tokens(one: Example, mark: Mark, places: range, limit: float) -> list[Any]:
    """Tokens whose value is known in a box each; a page of hundreds of rows stays quick where the others share one."""
    found: list[Any] = []
    unknown: list[str] = []
    for i in places:
        if np.isfinite(one.values[i]):
            found += [_unknown(unknown), _token(one, mark, i, limit)] if unknown else [_token(one, mark, i, limit)]
            unknown = []
        else:
            unknown.append(one.tokens[i])
    return [*found, _unknown(unknown)] if unknown else found


def _unknown(tokens: list[str]) -> Any:
    return html.Span("".join(tokens), className="token", title="values not kept")


def _token(one: Example, mark: Mark, i: int, limit: float) -> Any:
    value = float(one.values[i])
    names = ["token", "positive" if value > 0 else "negative"]
    names += ["peak"] if i == one.peak else []
    names += ["outlined"] if one.peak - mark.outlined < i <= one.peak else []
    names += ["unneeded"] if mark.needed is not None and i <= one.peak - mark.needed else []
    names += ["clipped"] if limit and abs(value) / limit > 1.001 else []
    return html.Span(
        one.tokens[i],
        className=" ".join(names),
        style={"--strength": _strength(value, limit)},
        title=f"{one.tokens[i]}\nvalue {number(value, 4)}",
    )


def _strength(value: float, limit: float) -> float:
    return round(min(abs(value) / limit, 1.0), 3) if limit else 0.0


def number(value: float, digits: int = 3) -> str:
    """A number as the page writes it: with a true minus."""
    return f"{value:.{digits}g}".replace("-", "−")
