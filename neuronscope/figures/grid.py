"""A layer as a grid of colours: which units are its columns, how they are pooled, and where colours stop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from neuronscope.analysis.ranking import RULES, Ranking
from neuronscope.errors import NoSuchNeuron
from neuronscope.figures.captions import count, figure_of, unit
from neuronscope.vocabulary import Activations

COLUMNS = 1024
"""The most columns that are drawn: a screen shows no more."""
QUANTILE = 0.999
"""The share of magnitudes that colours tell apart; what is above is clipped, and counted."""


Choice = Ranking | Sequence[int] | np.ndarray | Literal["all"]
"""Which units to draw: a ranking, numbers, or every one in index order."""


@dataclass(frozen=True, eq=False)
class Columns:
    """The units that a heatmap shows, left to right."""

    units: Int[np.ndarray, " shown"]
    """Their true numbers."""
    whole: Int[np.ndarray, " chosen"]
    """The same of all pages, where this is one of several."""
    total: int
    """How many the layer has."""
    reason: str
    """Why these are shown, in words."""
    pool: int
    """How many neighbours share a column; 1 if each has its own."""

    @property
    def wide(self) -> int:
        """How many columns there are."""
        return -(-len(self.units) // self.pool)

    @property
    def consecutive(self) -> bool:
        """Whether they are neighbours in the layer, so that their number is a place on a line."""
        return bool(np.all(np.diff(self.units) == 1))

    def title(self, word: str) -> str:
        """What is shown out of how many, and why."""
        shown, total = len(self.units), self.total
        page = "" if shown == len(self.whole) else f" (a page of {len(self.whole):,})"
        if self.pool > 1:
            part = f"{shown:,}" if shown == total else f"{shown:,} of {total:,}"
            return f"{part} {word}s in {self.wide:,} columns, each showing its strongest{page}"
        if shown == total:
            return f"All {count(total, word)}"
        if self.consecutive and shown > 1 and not self.reason:
            return f"{word.capitalize()}s {self.units[0]:,} to {self.units[-1]:,} of {total:,}"
        return f"{shown:,} of {count(total, word)}{page}{self.reason}"


def columns(activations: Activations, choice: Choice, start: int = 0, stop: int | None = None) -> Columns:
    """The columns for `choice`, from place `start` up to `stop` in its order; raises `NoSuchNeuron`."""
    total = int(activations.values.shape[-1])
    if isinstance(choice, str):
        units, reason = np.arange(total), ""
    elif isinstance(choice, Ranking):
        units, reason = choice.neurons, "" if len(choice.neurons) == total else f": {RULES[choice.rule]}"
    else:
        units, reason = np.asarray(choice, dtype=int), ""
    wrong = units[(units < 0) | (units >= total)]
    if wrong.size:
        word = unit(activations.site)
        raise NoSuchNeuron(f"No {word} {wrong[0]} at the {activations.site} site: it has {word}s 0 to {total - 1}.")
    whole = units.astype(np.int32)
    page = whole[start:stop]
    return Columns(page, whole, total, reason, max(1, -(-len(page) // COLUMNS)))


@dataclass(frozen=True, eq=False)
class Pooled:
    """A grid in which neighbouring units share a column."""

    values: Float[np.ndarray, "tokens columns"]
    """In each cell the value of the unit with the largest magnitude, sign kept, float32."""
    whose: Int[np.ndarray, "tokens columns"]
    """Which unit that is."""


def pooled(layer: Float[np.ndarray, "tokens neurons"], chosen: Columns) -> Pooled:
    """The grid of `chosen` units of one layer, each column showing its strongest."""
    values = layer[:, chosen.units].astype(np.float32, copy=False)
    tokens, shown = values.shape
    whose = np.broadcast_to(chosen.units, values.shape)
    if chosen.pool > 1:
        wide = chosen.wide
        padded = np.zeros((tokens, wide * chosen.pool), dtype=np.float32)
        padded[:, :shown] = values
        strength = np.nan_to_num(np.abs(padded), nan=0.0).reshape(tokens, wide, chosen.pool)
        place = strength.argmax(axis=-1) + np.arange(wide) * chosen.pool
        values = np.take_along_axis(padded, place, axis=1)
        whose = chosen.units[place]
    return Pooled(values, whose.astype(smallest(chosen.total)))


def smallest(total: int) -> type[np.int16] | type[np.int32]:
    """The type that holds numbers below `total` in the fewest bytes that travel as bytes."""
    return np.int16 if total <= np.iinfo(np.int16).max else np.int32


@dataclass(frozen=True)
class Limit:
    """Where the colours of a scale stop."""

    value: float
    """The largest magnitude that has a colour of its own; the scale is symmetric about zero."""
    clipped: int
    """How many drawn cells are beyond it."""
    counted: int
    """How many tokens set it."""
    tokens: int
    """How many tokens are drawn."""
    unreadable: int
    """How many drawn cells hold no finite number."""
    given: bool
    """Whether the reader set it."""

    @property
    def notes(self) -> list[str]:
        """What the reader must know about the colours."""
        notes = []
        if self.clipped:
            notes.append(f"clipped at ±{figure_of(self.value)}: {count(self.clipped, 'cell')}")
        if self.unreadable:
            notes.append(f"{count(self.unreadable, 'cell')} without a finite number, left blank")
        if self.given:
            notes.append(f"colour limit ±{figure_of(self.value)} as given")
        elif self.counted < self.tokens:
            notes.append(
                f"colours set by {self.counted:,} of {count(self.tokens, 'token')}: not the first, nor special ones"
            )
        return notes


def colour_limit(
    drawn: Float[np.ndarray, "tokens ..."],
    kept: Bool[np.ndarray, " tokens"],
    given: float | None = None,
    basis: Float[np.ndarray, "tokens ..."] | None = None,
) -> Limit:
    """The limit of a symmetric scale: the 99.9th percentile of magnitudes at the tokens that count, or `given`.

    `drawn` is whatever is shown, with tokens along its first axis; `basis` what sets the limit where that is more than
    what is drawn, such as a whole layer of which one page shows. Where no token counts, all do.
    """
    counted = kept if kept.any() else np.ones_like(kept)
    finite = np.isfinite(drawn)
    if given is None:
        sizes = np.abs((drawn if basis is None else basis)[counted])
        sizes = sizes[np.isfinite(sizes)]
        value = float(np.quantile(sizes, QUANTILE, method="higher")) if sizes.size else 0.0
    else:
        value = abs(given)
    value = value or 1.0
    return Limit(
        value=value,
        clipped=int((np.abs(drawn[finite]) > value).sum()),
        counted=int(counted.sum()),
        tokens=len(kept),
        unreadable=int((~finite).sum()),
        given=given is not None,
    )
