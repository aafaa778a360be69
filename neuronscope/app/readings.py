"""What has been read of texts for the views to draw, so that one reading serves every plot.

A scope remembers what its own models did. A model that a program handed us may change between two calls, so its scope
remembers nothing of it; the page then keeps the last reading until the visitor runs the text again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from neuronscope.vocabulary import Activations

if TYPE_CHECKING:
    from neuronscope.scope import Scope

MOST_BYTES = 256 << 20
"""The most bytes of activations that are kept of attached models."""


class Readings:
    """The readings of one app."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        """Keep up to `most` bytes, the least recently used dropped first."""
        self._most = most
        self._held: OrderedDict[tuple[str, ...], Activations] = OrderedDict()
        self._lock = threading.Lock()

    def read(
        self, scope: Scope, texts: Sequence[str], site: str, long: Literal["refuse", "window"]
    ) -> list[Activations]:
        """The activations of each text, all layers; raises what `Scope.activations` raises."""
        if not scope.key.attached:
            return scope.activations(list(texts), site=site, long=long)
        return [self._one(scope, text, site, long) for text in texts]

    def forget(self, scope: Scope) -> None:
        """Read this model anew the next time: it is being run again."""
        with self._lock:
            for key in [key for key in self._held if key[0] == scope.key.name]:
                del self._held[key]

    def _one(self, scope: Scope, text: str, site: str, long: Literal["refuse", "window"]) -> Activations:
        key = (scope.key.name, text, site, long)
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        found = scope.activations(text, site=site, long=long)
        with self._lock:
            self._held[key] = found
            while len(self._held) > 1 and sum(held.values.nbytes for held in self._held.values()) > self._most:
                self._held.popitem(last=False)
        return found
