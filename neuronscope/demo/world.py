"""The demo world: any amount of varied text by seed, with the truth about every word of it.

Twelve kinds of documents are drawn: stories, facts, arithmetic, lists, diaries, dialogue, asides in brackets, Python,
French, German, words with two senses, and recipes; a thirteenth, ships' logs, only when asked for. Each document is a
function of its seed and its number alone, so document 17 of seed 3 is the same in every process and however many are
asked for. Numbers, names and facts are consistent.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from neuronscope.demo import composing
from neuronscope.demo.countries import COUNTRIES, FACTS, Country, Fact
from neuronscope.demo.markup import Span, label, label_program, unmark

__all__ = [
    "COUNTRIES",
    "FACTS",
    "KINDS",
    "NEW_KINDS",
    "Country",
    "Document",
    "Fact",
    "Span",
    "documents",
    "texts",
    "token_labels",
]

# How often each kind is drawn; recipes are rare on purpose.
KINDS: dict[str, float] = {
    "story": 18,
    "facts": 16,
    "arithmetic": 7,
    "list": 6,
    "diary": 8,
    "dialogue": 8,
    "brackets": 5,
    "python": 12,
    "french": 8,
    "german": 8,
    "senses": 13,
    "recipe": 0.5,
}

# What fine-tuning teaches: the base models have seen none of it.
NEW_KINDS: dict[str, float] = {"log": 1}

_LANGUAGES = {"french": "french", "german": "german"}


@dataclass(frozen=True)
class Document:
    """One text and the labels of its words."""

    text: str
    """What a model reads."""
    kind: str
    """One of `KINDS` or `NEW_KINDS`."""
    spans: tuple[Span, ...]
    """The words, numbers and marks in order; only white space lies between them."""


def documents(seed: int, count: int | None = None, kinds: Sequence[str] = tuple(KINDS)) -> Iterator[Document]:
    """Yield labelled documents; without a count, for ever. Kinds keep their relative frequencies."""
    for kind, marked in _drawn(seed, count, kinds):
        if kind == "python":
            yield Document(marked, kind, tuple(label_program(marked)))
        else:
            text, spans = label(marked, _LANGUAGES.get(kind, "english"))
            yield Document(text, kind, tuple(spans))


def texts(seed: int, count: int | None = None, kinds: Sequence[str] = tuple(KINDS)) -> Iterator[str]:
    """Yield the texts of the same documents without their labels, some ten times faster."""
    for _, marked in _drawn(seed, count, kinds):
        yield unmark(marked)


def token_labels(document: Document, offsets: Sequence[tuple[int, int]]) -> list[Span | None]:
    """Give each token, by its character offsets, the span it shares most characters with; None where it shares none.

    Offsets must not decrease. White space between words has no label.
    """
    labels: list[Span | None] = []
    first = 0
    for start, end in offsets:
        while first < len(document.spans) and document.spans[first].end <= start:
            first += 1
        labels.append(_best(document.spans, first, start, end))
    return labels


def _drawn(seed: int, count: int | None, kinds: Sequence[str]) -> Iterator[tuple[str, str]]:
    frequencies = KINDS | NEW_KINDS
    weights = [frequencies[kind] for kind in kinds]
    numbers = itertools.count() if count is None else range(count)
    for number in numbers:
        # Seeding by text goes through SHA-512, which no process or version of Python salts.
        rng = random.Random(f"{seed}:{number}")
        kind = rng.choices(kinds, weights)[0]
        yield kind, composing.COMPOSERS[kind](rng)


def _best(spans: Sequence[Span], first: int, start: int, end: int) -> Span | None:
    best, most = None, 0
    for span in itertools.takewhile(lambda span: span.start < end, spans[first:]):
        shared = min(end, span.end) - max(start, span.start)
        if shared > most:
            best, most = span, shared
    return best
