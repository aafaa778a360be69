"""Contexts of an n-gram under each other: what the neuron does in them, and with how little of each it still fires."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from dash import html

from neuronscope.app.examples import Mark, example_list
from neuronscope.app.searching import shown
from neuronscope.app.tokens import scale_legend
from neuronscope.ngrams import Pattern, occurrences
from neuronscope.vocabulary import Example, Neuron

if TYPE_CHECKING:
    from neuronscope.analysis.minimal_context import MinimalContext
    from neuronscope.indexed import Index
    from neuronscope.scope import Scope

MOST = 24
"""So many contexts are shown, drawn at random where there are more."""


@dataclass(frozen=True, eq=False)
class Contexts:
    """Contexts of an n-gram, and what one neuron needs of them."""

    pattern: Pattern
    """The n-gram."""
    neuron: Neuron
    """The neuron."""
    sign: str
    """`+` or `-`: on which side of zero it is looked at."""
    rows: tuple[Example, ...]
    """Occurrences with the activation on every token, strongest of that sign first."""
    total: int
    """How often the n-gram occurs."""
    firing: tuple[bool, ...]
    """For each row, whether the neuron fires there."""
    needed: tuple[MinimalContext | None, ...]
    """For each row, the least that it fires with; None where it does not fire, or the model reads both ways."""


def contexts_of(scope: Scope, index: Index, neuron: Neuron, pattern: Pattern, sign: str, threshold: float) -> Contexts:
    """Run occurrences of a pattern again, and with less and less before them where the neuron reaches `threshold`."""
    positions = occurrences(index.store.corpus.ids, index.windows, pattern)
    total = len(positions)
    if total > MOST:
        positions = np.sort(np.random.default_rng(0).choice(positions, MOST, replace=False))
    measured = scope.contexts(index, neuron, index.contexts(positions))
    turned = -1 if sign == "-" else 1
    valued = [replace(one, value=float(one.values[one.peak])) for one in measured]
    rows = tuple(sorted(valued, key=lambda one: -one.value * turned))
    firing = tuple(one.value * turned >= threshold for one in rows)
    strong = [one for one, fires in zip(rows, firing, strict=True) if fires]
    found = iter(scope.minimal_context(index, neuron, strong) if scope.card.causal else ())
    needed = tuple(next(found, None) if fires else None for fires in firing)
    return Contexts(pattern, neuron, sign, rows, total, firing, needed)


def heading_of(contexts: Contexts, index: Index) -> tuple[Any, str]:
    """What the contexts are of, what was chosen from how many, and what firing takes in them."""
    name = html.Bdi(shown(contexts.pattern, index), className="token-name")
    rows, total = len(contexts.rows), contexts.total
    which = f"{rows} of {total:,} occurrences, drawn at random" if total > rows else f"all {total:,} occurrences"
    title = html.Span([name, f" as {contexts.neuron} sees it"])
    return title, f"{which}, measured now · {_summary(contexts)}"


def contexts_list(contexts: Contexts, limit: float) -> Any:
    """The contexts, the n-gram outlined and what firing does not take dimmed."""
    length = len(contexts.pattern)
    marks = {
        one.position: Mark(length, None if needed is None else needed.length, _sentence(fires, needed))
        for one, fires, needed in zip(contexts.rows, contexts.firing, contexts.needed, strict=True)
    }
    return example_list(contexts.rows, limit, marks)


def limit_of(index: Index, neuron: Neuron, sign: str) -> float:
    """Where the colours of a neuron end: at the largest activation of that sign in the corpus."""
    numbers = index.store.statistics[index.row(neuron)]
    extremes = abs(float(numbers["max"])), abs(float(numbers["min"]))
    return extremes[sign == "-"] or max(extremes)


def legend_of(neuron: Neuron, limit: float) -> Any:
    """The colour scale of the contexts."""
    return scale_legend(limit, f"activation of {neuron}")


def _summary(contexts: Contexts) -> str:
    fires, rows = sum(contexts.firing), len(contexts.rows)
    if not fires:
        return "it fires in none of them"
    told = [one for one in contexts.needed if one is not None]
    lengths = Counter(one.length for one in told if one.length is not None)
    parts = [f"{_last(length)} in {count}" for length, count in sorted(lengths.items())[:3]]
    others = len(told) - sum(count for _, count in sorted(lengths.items())[:3])
    parts += [f"from further back in {others}"] if others else []
    said = f"it fires in {fires} of {rows}"
    return f"{said}, {', '.join(parts)}; what that does not take is dimmed" if parts else said


def _last(length: int) -> str:
    return "from the last token alone" if length == 1 else f"from the last {length} tokens on"


def _sentence(fires: bool, needed: MinimalContext | None) -> str:
    if not fires:
        return "It does not fire here."
    if needed is None:
        return ""
    if needed.length is None:
        return "None of the shorter contexts that were run keeps half of its activation."
    return f"It fires {_last(needed.length)}: run alone, that keeps {needed.kept:.0%} of its activation."
