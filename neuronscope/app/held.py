"""Answers that a view holds in memory, so that a question that is asked again is answered at once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neuronscope.indexed import Index


class Held:
    """The last answers by their question; of more than `most`, the one that was longest not asked for goes."""

    def __init__(self, most: int) -> None:
        """None yet."""
        self._most = most
        self._held: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, key: Hashable) -> Any:
        """The answer to a question, or None if it is not held."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
            return self._held.get(key)

    def of(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """The answer to a question, made if it is not held; nothing waits while it is made."""
        found = self.find(key)
        if found is None:
            found = make()
            with self._lock:
                self._held[key] = found
                while len(self._held) > self._most:
                    self._held.popitem(last=False)
        return found


def state(index: Index) -> tuple[Hashable, ...]:
    """Which index it is, and how far it has come: the part of a key that makes an answer that of this index."""
    return str(index.store.folder), index.manifest.corpus, index.manifest.merged
