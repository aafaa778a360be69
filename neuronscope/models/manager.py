"""Keeps a few models warm within a memory budget, and lends one at a time.

A hook sits on a module, so a second thread's pass through the same network would run through the first one's hooks:
`with manager.lend(key) as model:` is the only way to a network. It waits its turn and pins the model while it is lent.
"""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from neuronscope.errors import ModelNotFound
from neuronscope.jobs import checkpoint
from neuronscope.vocabulary import ModelCard

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from neuronscope.models.loading import LoadedModel


@dataclass(frozen=True)
class Key:
    """What distinguishes one warm model from another."""

    name: str
    """The name it was asked for by."""
    precision: str = "auto"
    """The precision asked for."""
    device: str = "auto"
    """The device asked for."""
    revision: str | None = None
    """The hub revision asked for."""
    trust_remote_code: bool = False
    """Whether its own code may run."""


@dataclass(eq=False)
class _Warm:
    model: LoadedModel
    attached: bool
    lock: threading.RLock = field(default_factory=threading.RLock)
    waiting: int = 0


class Manager:
    """Warm models, the least recently used let go when they outgrow the budget."""

    def __init__(self, *, budget: int | None = None, offline: bool = False) -> None:
        """`budget` is the most bytes of weights to keep warm; by default 60 % of the machine's memory."""
        self.offline = offline
        self._budget = budget if budget is not None else _most_of_memory()
        self._warm: OrderedDict[Key, _Warm] = OrderedDict()
        self._table = threading.RLock()
        self._loading = threading.Lock()

    def load(self, key: Key) -> ModelCard:
        """Make the model of `key` warm and return its card; raises what `models.loading.load` raises."""
        return self._find(key).model.card

    def adopt(self, network: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, name: str | None = None) -> Key:
        """Take in a model that the caller holds; it is lent like the others but never let go on its own."""
        from neuronscope.models.loading import attach

        model = attach(network, tokenizer, name)
        with self._table:
            key = Key(self._free_name(model.card.name), "attached", str(model.device))
            self._warm[key] = _Warm(model, attached=True)
        return key

    @contextlib.contextmanager
    def lend(self, key: Key) -> Iterator[LoadedModel]:
        """Lend the model of `key` to this thread alone; waiting for it is a checkpoint."""
        warm = self._find(key, claim=True)
        try:
            while not warm.lock.acquire(timeout=0.1):
                checkpoint()
            try:
                yield warm.model
            finally:
                warm.lock.release()
        finally:
            with self._table:
                warm.waiting -= 1

    def cards(self) -> dict[Key, ModelCard]:
        """The warm models, least recently used first."""
        with self._table:
            return {key: warm.model.card for key, warm in self._warm.items()}

    @property
    def bytes(self) -> int:
        """Memory that the warm models' weights take."""
        return sum(card.bytes for card in self.cards().values())

    def evict(self, key: Key) -> bool:
        """Let the model go if it is warm and not lent; says whether it went."""
        with self._table:
            warm = self._warm.get(key)
            if warm is None or warm.waiting:
                return False
            del self._warm[key]
            return True

    def close(self) -> None:
        """Let every model go."""
        with self._table:
            self._warm.clear()

    def _find(self, key: Key, *, claim: bool = False) -> _Warm:
        found = self._warm_one(key, claim=claim)
        if found is not None:
            return found
        if key.precision == "attached":
            raise ModelNotFound(f"{key.name} was attached by a program and has been let go: attach it again.")
        while not self._loading.acquire(timeout=0.1):
            checkpoint()
        try:
            return self._warm_one(key, claim=claim) or self._load(key, claim=claim)
        finally:
            self._loading.release()

    def _warm_one(self, key: Key, *, claim: bool) -> _Warm | None:
        with self._table:
            warm = self._warm.get(key)
            if warm is not None:
                self._warm.move_to_end(key)
                warm.waiting += claim
            return warm

    def _load(self, key: Key, *, claim: bool) -> _Warm:
        from neuronscope.models.loading import load

        model = load(
            key.name,
            precision=key.precision,
            device=key.device,
            revision=key.revision,
            trust_remote_code=key.trust_remote_code,
            offline=self.offline,
        )
        with self._table:
            warm = self._warm[key] = _Warm(model, attached=False, waiting=int(claim))
            self._make_room(keep=key)
        return warm

    def _make_room(self, keep: Key) -> None:
        for key in list(self._warm):
            if self.bytes <= self._budget:
                return
            if key != keep and not self._warm[key].attached:
                self.evict(key)

    def _free_name(self, name: str) -> str:
        taken = {key.name for key in self._warm}
        names = [name, *(f"{name} ({n})" for n in range(2, len(taken) + 3))]
        return next(free for free in names if free not in taken)


def _most_of_memory() -> int:
    import psutil

    return int(psutil.virtual_memory().total * 0.6)
