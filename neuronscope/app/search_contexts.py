"""Contexts of an n-gram under each other, the firing token of each in one column."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
from dash import html

from neuronscope.app.searching import shown
from neuronscope.app.tokens import scale_legend
from neuronscope.ngrams import Pattern, occurrences
from neuronscope.vocabulary import Example, Neuron

if TYPE_CHECKING:
    from neuronscope.indexed import Index
    from neuronscope.scope import Scope

MOST = 24
"""So many contexts are shown, drawn at random where there are more."""


def contexts_of(scope: Scope, index: Index, neuron: Neuron, pattern: Pattern) -> tuple[list[Example], int]:
    """Occurrences of a pattern with what a neuron does on every token, strongest first, and how many there are."""
    positions = occurrences(index.store.corpus.ids, index.windows, pattern)
    total = len(positions)
    if total > MOST:
        positions = np.sort(np.random.default_rng(0).choice(positions, MOST, replace=False))
    measured = scope.contexts(index, neuron, index.contexts(positions))
    valued = [replace(one, value=float(one.values[one.peak])) for one in measured]
    return valued, total


def heading_of(pattern: Pattern, index: Index, neuron: Neuron, rows: list[Example], total: int) -> tuple[Any, str]:
    """What the contexts are of, and what was chosen from how many."""
    title = html.Span([html.Bdi(shown(pattern, index), className="token-name"), f" as {neuron} sees it"])
    which = (
        f"{len(rows)} of {total:,} occurrences, drawn at random" if total > len(rows) else f"all {total:,} occurrences"
    )
    return title, f"{which}, measured now · the firing token stands in one column"


def contexts_list(rows: list[Example], length: int, sign: str, limit: float) -> Any:
    """The contexts, in the order of the sign; `length` is that of the n-gram, which is outlined."""
    turned = -1 if sign == "-" else 1
    ordered = sorted(rows, key=lambda one: -one.value * turned)
    return html.Ol([html.Li(_row(one, length, limit), className="context") for one in ordered])


def limit_of(index: Index, neuron: Neuron, sign: str) -> float:
    """Where the colours of a neuron end: at the largest activation of that sign in the corpus."""
    numbers = index.store.statistics[index.row(neuron)]
    extremes = abs(float(numbers["max"])), abs(float(numbers["min"]))
    return extremes[sign == "-"] or max(extremes)


def legend_of(neuron: Neuron, limit: float) -> Any:
    """The colour scale of the contexts."""
    return scale_legend(limit, f"activation of {neuron}")


def _row(one: Example, length: int, limit: float) -> list[Any]:
    first = max(one.peak - length + 1, 0)
    before, after = range(one.peak), range(one.peak, len(one.tokens))
    said = f"{one.value:.3g}".replace("-", "−")
    source, _, rest = one.document.rpartition(", ")
    place = f"{PurePath(source).name}, {rest}" if source else one.document
    return [
        html.Span(said, className="number"),
        html.Span([_token(one, i, first, limit) for i in before], className="before"),
        html.Span([_token(one, i, first, limit) for i in after], className="after"),
        html.Span(place, className="place", title=f"{one.document}, character {one.offset:,}"),
    ]


def _token(one: Example, i: int, first: int, limit: float) -> Any:
    value = float(one.values[i])
    known = np.isfinite(value)
    share = abs(value) / limit if known and limit else 0.0
    names = ["token", "positive" if value > 0 else "negative"]
    names += ["clipped"] if share > 1.001 else []
    names += ["of-ngram"] if first <= i <= one.peak else []
    names += ["peak"] if i == one.peak else []
    said = f"{value:.4g}".replace("-", "−") if known else "not known"
    return html.Span(
        html.Bdi(one.tokens[i]),
        className=" ".join(names),
        style={"--strength": round(min(share, 1.0), 3)},
        title=f"{one.tokens[i]}\nvalue {said}",
    )
