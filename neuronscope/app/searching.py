"""What the Search view asks of an index, read from the address, and the answers it keeps.

An answer from the index comes at once; one that was measured by running the model is kept too, and shown in its place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from neuronscope.app.held import Held, state
from neuronscope.errors import InputError
from neuronscope.ngrams import LONGEST, Pattern, written
from neuronscope.vocabulary import Neuron

if TYPE_CHECKING:
    import pandas as pd

    from neuronscope.analysis.responders import Responders
    from neuronscope.analysis.reverse_query import Alone, ReverseQuery
    from neuronscope.app.selection import Selection
    from neuronscope.beside import Beside
    from neuronscope.indexed import Index
    from neuronscope.scope import Scope

MOST = 256
"""The most neurons of a group."""
MATCHES = 1024
"""At most so many occurrences of a text are run."""
CHECKED = 200
"""At most so many n-grams are run alone."""
_KEPT = 32


@dataclass(frozen=True)
class Asked:
    """A reverse query as the address asks it."""

    neurons: tuple[Neuron, ...]
    """The neuron, or the group."""
    sign: str
    """`+` or `-`."""
    longest: int
    """The longest n-gram."""
    skips: bool
    """Whether tokens may be left out."""

    @property
    def lengths(self) -> tuple[int, ...]:
        """The lengths of n-gram that are listed."""
        return tuple(range(1, self.longest + 1))


class Answers:
    """The last answers of one app, by what was asked of which state of which index."""

    def __init__(self) -> None:
        """None yet."""
        self._held = Held(_KEPT)

    def query(self, index: Index, asked: Asked) -> ReverseQuery:
        """What excites the neurons: as measured, if it was, else what the index knows."""
        measured = self._held.find(("measured", *state(index), asked))
        if measured is not None:
            return measured

        def ask() -> ReverseQuery:
            return index.reverse_query(asked.neurons, asked.lengths, asked.sign, skips=asked.skips)

        return self._held.of(("query", *state(index), asked), ask)

    def is_measured(self, index: Index, asked: Asked) -> bool:
        """Whether the model was run for it."""
        return self._held.find(("measured", *state(index), asked)) is not None

    def measure(self, scope: Scope, index: Index, asked: Asked) -> ReverseQuery:
        """Run the model where the n-grams occur, and keep the answer; raises what `Scope.reverse_query` raises."""

        def run() -> ReverseQuery:
            return scope.reverse_query(index, asked.neurons, asked.lengths, asked.sign, skips=asked.skips)

        return self._held.of(("measured", *state(index), asked), run)

    def checked(self, index: Index, asked: Asked) -> Alone | None:
        """What the n-grams that are shown now did alone, if they were run so."""
        return self._held.find(("alone", *state(index), asked, self.is_measured(index, asked)))

    def check(self, scope: Scope, index: Index, asked: Asked) -> Alone:
        """Run the n-grams that are shown now alone, and keep the answer; raises what `Scope.check` raises."""

        def run() -> Alone:
            return scope.check(index, self.query(index, asked), CHECKED)

        return self._held.of(("alone", *state(index), asked, self.is_measured(index, asked)), run)

    def compared(self, index: Index, asked: Asked, against: str) -> pd.DataFrame | None:
        """What the n-grams that are shown now became in another model, if both were run; see `Beside.ngrams`."""
        return self._held.find(("beside", *state(index), asked, self.is_measured(index, asked), against))

    def compare(self, beside: Beside, asked: Asked, against: str) -> pd.DataFrame:
        """Run both models where the n-grams occur that are shown now, and keep the answer."""
        index = beside.index
        key = ("beside", *state(index), asked, self.is_measured(index, asked), against)
        return self._held.of(key, lambda: beside.ngrams(self.query(index, asked), CHECKED))

    def changed(self, beside: Beside, text: str, against: str, *, regular: bool) -> pd.DataFrame:
        """The neurons that respond to a text otherwise in another model; raises what `Beside.responders` raises."""

        def run() -> pd.DataFrame:
            return beside.responders(text, regular=regular, most=MATCHES)

        return self._held.of(("changed", *state(beside.index), text, regular, against), run)

    def responders(self, index: Index, text: str) -> Responders:
        """The neurons that list the token `text` among their best or worst."""
        return self._held.of(("token", *state(index), text), lambda: index.responders(text))

    def found(self, index: Index, text: str, *, regular: bool) -> Responders | None:
        """The neurons that respond where a text occurs, if that was measured."""
        return self._held.find(("found", *state(index), text, regular))

    def find(self, scope: Scope, index: Index, text: str, *, regular: bool) -> Responders:
        """Run the model where a text occurs, and keep the answer; raises what `Scope.responders` raises."""

        def run() -> Responders:
            return scope.responders(index, text, regular=regular, most=MATCHES)

        return self._held.of(("found", *state(index), text, regular), run)


def query_of(selection: Selection, index: Index) -> Asked:
    """The query that the address asks; where it names no neuron, that of the index whose distribution is most peaked.

    Raises:
        NoSuchNeuron: if a name is none, or the index has no such neuron.
        InputError: if there are too many, or n-grams too long.
    """
    neurons = named(selection.neurons) if selection.neurons else ()
    if not neurons:
        neurons = (selection.chosen or suggested(index, 1)[0],)
    for neuron in neurons:
        index.row(neuron)
    if not 1 <= selection.longest <= LONGEST:
        raise InputError(f"N-grams have 1 to {LONGEST} tokens, and {selection.longest} were asked for.")
    return Asked(neurons, selection.sign, selection.longest, selection.skips == "yes")


def named(text: str) -> tuple[Neuron, ...]:
    """The neurons that a text names, separated by commas or spaces, each once.

    Raises:
        NoSuchNeuron: if a name is none.
        InputError: if there are more than `MOST`.
    """
    names = [name for name in re.split(r"[,;\s]+", text) if name]
    neurons = tuple(dict.fromkeys(Neuron.parse(name) for name in names))
    if len(neurons) > MOST:
        raise InputError(f"{len(neurons):,} neurons are named, and a group has {MOST} at most: name fewer.")
    return neurons


def suggested(index: Index, count: int = 6) -> list[Neuron]:
    """The neurons whose activations are most peaked (largest kurtosis): seldom far from their mean, and then far."""
    kurtosis = np.nan_to_num(np.asarray(index.store.statistics["kurtosis"], np.float64), nan=-np.inf)
    return [index.neuron(row) for row in np.argsort(-kurtosis, kind="stable")[:count].tolist()]


def arranged(result: ReverseQuery, least: int = 1, order: str = "mean") -> ReverseQuery:
    """The rows of n-grams that occur at least so often, in order of their mean or of the share of firings."""
    chosen = np.flatnonzero(result.table["count"].to_numpy() >= least)
    if order == "share":
        share = result.table["share"].to_numpy()[chosen]
        chosen = chosen[np.argsort(-share, kind="stable")]
    return replace(result, table=result.table.iloc[chosen].reset_index(drop=True), exact=result.exact[chosen])


def spelled(pattern: Sequence[int | None]) -> str:
    """A pattern as it stands in the address: ids, and `*` for a token left out."""
    return ".".join("*" if token is None else str(token) for token in pattern)


def pattern_of(ngram: str, index: Index) -> Pattern:
    """The pattern that the address names; raises `InputError` if it is none, or none of this corpus."""
    parts = ngram.split(".")
    if not all(part == "*" or part.isdecimal() for part in parts) or parts[0] == "*" or len(parts) > LONGEST:
        raise InputError(f"The address says ngram={ngram!r}: it is 1 to {LONGEST} token ids with full stops between.")
    pattern = tuple(None if part == "*" else int(part) for part in parts)
    if any(token is not None and token not in index.shown for token in pattern):
        raise InputError("The address names a token that this corpus does not hold: choose an n-gram of the table.")
    return pattern


def shown(pattern: Pattern, index: Index) -> str:
    """A pattern as it is read."""
    return written(pattern, index.shown)
