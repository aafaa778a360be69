"""What the Polysemantic view knows of an index: the survey that was kept, and neurons looked at by themselves.

A survey of a large model is a hundred megabytes, so the last one read is held, and read anew when the folder of what is
kept beside its index has changed.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from neuronscope import survey
from neuronscope.analysis.polysemanticity import Polysemanticity
from neuronscope.app.held import Held, state
from neuronscope.app.polysemantic_rows import Rows, rows_of
from neuronscope.index import derived
from neuronscope.jobs import checkpoint

if TYPE_CHECKING:
    from neuronscope.analysis.polysemanticity import Elsewhere
    from neuronscope.app.comparable import Other
    from neuronscope.app.polysemantic_cards import Looked
    from neuronscope.indexed import Index
    from neuronscope.scope import Scope
    from neuronscope.vocabulary import Example, Neuron

_KEPT = 64


@dataclass(frozen=True, eq=False)
class Surveyed:
    """The layers of one index that were surveyed."""

    poly: Polysemanticity
    """What was found."""
    layers: int
    """How many layers that is."""
    of: int
    """How many layers the model has."""

    @property
    def whole(self) -> bool:
        """Whether every layer was surveyed."""
        return self.layers == self.of

    @cached_property
    def rows(self) -> Rows:
        """The ranked table."""
        return rows_of(self.poly)

    def has(self, neuron: Neuron) -> bool:
        """Whether the neuron is among them."""
        return bool((self.poly.records["layer"] == neuron.layer).any())


class Surveys:
    """The surveys and the neurons that the pages of one app look at."""

    def __init__(self) -> None:
        """None yet."""
        self._survey: tuple[Any, Surveyed] | None = None
        self._held = Held(_KEPT)
        self._reading, self._working = threading.Lock(), threading.Lock()

    def of(self, index: Index) -> Surveyed:
        """What was surveyed of an index so far, from disk."""
        key = _state(index)
        with self._reading:
            if self._survey is None or self._survey[0] != key:
                poly = survey.surveyed(index)
                layers = len(np.unique(poly.records["layer"]))
                self._survey = key, Surveyed(poly, layers, index.manifest.layers)
            return self._survey[1]

    def take(self, scope: Scope, index: Index) -> None:
        """Survey the layers that are missing; raises what `Scope.polysemanticity` raises.

        One survey at a time: of two pages that ask for the same, the second finds it done.
        """
        with self._turn():
            scope.polysemanticity(index)

    def neuron(self, scope: Scope, index: Index, neuron: Neuron) -> Polysemanticity:
        """One neuron: of the survey, or at once in windows that the index has kept of it."""
        surveyed = self.of(index)
        if surveyed.has(neuron):
            return surveyed.poly
        return self._held.of(("neuron", *state(index), neuron), lambda: scope.polysemanticity(index, neurons=[neuron]))

    def uses(self, scope: Scope, index: Index, looked: Looked, token: int) -> Polysemanticity:
        """One neuron on one token alone; raises what `survey.of_token` raises."""

        def run() -> Polysemanticity:
            return scope.uses(index, looked.neuron, token, looked.sign)

        return self._held.of(("token", *state(index), looked.neuron, looked.sign, token), run)

    def elsewhere(self, index: Index, looked: Looked, other: Other) -> Elsewhere:
        """What another model does in the contexts of a neuron; raises what `Beside.senses` raises."""
        of = looked.poly.tokens, looked.poly.token
        key = ("elsewhere", *state(index), looked.neuron, looked.sign, *of, other.name)
        return self._held.of(key, lambda: other.beside.senses(looked.poly, looked.neuron, looked.sign))

    def contexts(self, scope: Scope, index: Index, neuron: Neuron, positions: tuple[int, ...]) -> list[Example]:
        """The contexts of some positions, with what the neuron does on every token."""

        def run() -> list[Example]:
            measured = scope.contexts(index, neuron, index.contexts(positions))
            return [replace(one, value=float(one.values[one.peak])) for one in measured]

        return self._held.of(("contexts", *state(index), neuron, positions), run)

    def geometry(self, scope: Scope, layer: int) -> Any:
        """How the directions of a layer overlap; see `Scope.geometry`."""
        return self._held.of(("geometry", scope.key, layer), lambda: scope.geometry([layer]))

    @contextmanager
    def _turn(self) -> Iterator[None]:
        while not self._working.acquire(timeout=0.2):
            checkpoint()
        try:
            yield
        finally:
            self._working.release()


def begins_itself(scope: Scope, index: Index, surveyed: Surveyed) -> bool:
    """Whether the survey begins without being asked for: a demo model's does, once its index is whole."""
    return not surveyed.whole and index.manifest.complete and scope.key.name.startswith("demo:")


def _state(index: Index) -> tuple[Any, ...]:
    """What changes when the index does, or what is kept beside it."""
    kept = index.store.folder / derived.FOLDER
    return *state(index), kept.stat().st_mtime_ns if kept.is_dir() else 0
