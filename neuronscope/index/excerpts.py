"""One context of a corpus as a person reads it: tokens around a position, and what was kept of the values there."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int8

from neuronscope.index.read_corpus import ReadCorpus
from neuronscope.vocabulary import Example

BEFORE, AFTER = 17, 6
"""Tokens kept before and after a peak."""
NO_VALUE = -128
"""Stands in a context where there is no token."""


def excerpt(
    corpus: ReadCorpus, position: int, value: float, context: Int8[np.ndarray, " around"] | None = None
) -> Example:
    """The context of a position: 17 tokens before, 6 after, within its window.

    `value` is the activation there; `context` the values around it as shares of it in 1/127, as an index keeps them.
    """
    window = corpus.windows[int(corpus.window_of(np.array([position]))[0])]
    first = max(position - BEFORE, int(window["first"]))
    last = min(position + AFTER + 1, int(window["first"]) + int(window["length"]))
    tokens = corpus.tokens(first, last)
    values = np.full(last - first, np.nan)
    if context is not None:
        part = context[first - position + BEFORE : last - position + BEFORE].astype(np.float64)
        values = np.where(part == NO_VALUE, np.nan, part / 127 * abs(value))
    values[position - first] = value
    place = corpus.place(position)
    document = f"{place.source}, document {place.document}"
    return Example(tokens.text, tokens.display, values, position - first, value, position, document, place.character)
