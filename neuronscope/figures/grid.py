"""A layer as a grid: which units are its columns, and how neighbours share one where there are too many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from neuronscope.analysis.ranking import Ranking
from neuronscope.errors import InputError, NoSuchNeuron
from neuronscope.figures.captions import count, unit
from neuronscope.vocabulary import Activations

COLUMNS = 1024
"""The most columns that are drawn: a screen shows no more."""

CHOSEN: dict[str, str] = {
    "peak": "largest magnitude",
    "variance": "largest variance",
    "selectivity": "most selective",
}
"""Why units are shown, in the few words that a title has room for."""

Choice = Ranking | Sequence[int] | np.ndarray | str
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
    start: int
    """The place of the first in the order of all pages, from 0."""
    by_token: bool
    """Whether they stand in the order of the token they are strongest at."""

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
        shown, all_of_them = len(self.units), len(self.whole) == self.total
        reason = f": {self.reason}" if self.reason else ""
        first = f"{reason} first" if reason and not self.by_token else ""
        if self.pool > 1:
            part = f"{shown:,}" if shown == self.total else f"{shown:,} of {self.total:,}"
            return f"{part} {word}s in {self.wide:,} columns, each showing its strongest"
        if shown < len(self.whole):
            span = f"{self.start + 1:,} to {self.start + shown:,} of {len(self.whole):,}"
            if self.consecutive and all_of_them:
                return f"{word.capitalize()}s {self.units[0]:,} to {self.units[-1]:,} of {self.total:,}"
            return f"{word.capitalize()}s at places {span}{first or reason}"
        if all_of_them:
            return f"All {count(self.total, word)}{first}"
        return f"{shown:,} of {count(self.total, word)}{reason}"


def columns(activations: Activations, choice: Choice, start: int = 0, stop: int | None = None) -> Columns:
    """The columns for `choice`, from place `start` up to `stop` in its order; raises `NoSuchNeuron` or `InputError`."""
    total = int(activations.values.shape[-1])
    if isinstance(choice, str):
        if choice != "all":
            raise InputError(f"No choice {choice!r}: give a ranking, numbers, or all.")
        units, reason = np.arange(total), ""
    elif isinstance(choice, Ranking):
        units = choice.neurons
        reason = "" if choice.rule == "index" else CHOSEN[choice.rule]
    else:
        units, reason = np.asarray(choice, dtype=int), ""
    wrong = units[(units < 0) | (units >= total)]
    if wrong.size:
        word = unit(activations.site)
        raise NoSuchNeuron(f"No {word} {wrong[0]} at the {activations.site} site: it has {word}s 0 to {total - 1}.")
    whole = units.astype(np.int32)
    page = whole[start:stop]
    by_token = isinstance(choice, Ranking) and choice.order == "token"
    return Columns(page, whole, total, reason, max(1, -(-len(page) // COLUMNS)), start, by_token)


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
    return Pooled(np.asarray(values, dtype=np.float32), whose.astype(smallest(chosen.total)))


def smallest(total: int) -> type[np.int16] | type[np.int32]:
    """The type that holds numbers below `total` in the fewest bytes that travel as bytes."""
    return np.int16 if total <= np.iinfo(np.int16).max else np.int32
