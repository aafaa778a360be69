"""Keeps a few models warm within a memory budget, and lends one at a time.

A hook sits on a module, so a second thread's pass through the same network would run through the first one's hooks:
`with manager.lend(key) as model:` is the only way to a network. It waits its turn and pins the model while it is lent.
A model that does not fit beside the warm ones takes the place of those used least recently; if they are lent, it waits.
"""

from __future__ import annotations

import contextlib
import gc
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from neuronscope.errors import ModelDoesNotFit, ModelNotFound
from neuronscope.jobs import checkpoint
from neuronscope.models.memory import trim
from neuronscope.vocabulary import ModelCard

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from neuronscope.models.loading import LoadedModel

ATTACHED = "attached"
"""The precision in the key of a model that a program handed us."""
_PATIENCE = 0.1
"""Seconds between two looks at whether a wait is over or no longer wanted."""


@dataclass(frozen=True)
class Key:
    """What distinguishes one warm model from another."""

    name: str
    """The name it was asked for by; `gpt2@main` names a revision on the hub."""
    precision: str = "auto"
    """The precision asked for."""
    device: str = "auto"
    """The device asked for."""
    trust_remote_code: bool = False
    """Whether its own code may run."""

    @property
    def attached(self) -> bool:
        """Whether a program handed it to us; it cannot be loaded again."""
        return self.precision == ATTACHED


@dataclass(eq=False)
class _Warm:
    model: LoadedModel
    lock: threading.RLock = field(default_factory=threading.RLock)
    users: Counter[int] = field(default_factory=Counter)
    """Threads that have it or wait for it."""


class Manager:
    """Warm models, the least recently used let go when another needs their room."""

    def __init__(self, *, budget: int | None = None, offline: bool = False) -> None:
        """`budget` is the most bytes of weights to keep; by default 60 % of the machine's memory."""
        self.offline = offline
        self.budget = budget if budget is not None else _most_of_memory()
        self._warm: OrderedDict[Key, _Warm] = OrderedDict()
        self._table = threading.RLock()
        self._loading = threading.RLock()

    def load(self, key: Key) -> ModelCard:
        """Make the model of `key` warm and return its card; raises what `models.loading.load` raises."""
        return self._find(key).model.card

    def adopt(self, network: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, name: str | None = None) -> Key:
        """Take in a model that the caller holds; it is lent like the others but never let go on its own.

        A network that is here already, or shares modules with one, is lent to one thread at a time under both names.
        """
        while True:
            with self._loading_alone():
                lock = self._lock_of(network)
                if lock.acquire(blocking=False):
                    try:
                        return self._adopt(network, tokenizer, name, lock)
                    finally:
                        lock.release()
            checkpoint()
            time.sleep(_PATIENCE / 10)

    @contextlib.contextmanager
    def lend(self, key: Key) -> Iterator[LoadedModel]:
        """Lend the model of `key` to this thread alone; waiting for it is a checkpoint."""
        warm = self._find(key, claim=True)
        try:
            while not warm.lock.acquire(timeout=_PATIENCE):
                checkpoint()
            try:
                yield warm.model
            finally:
                warm.lock.release()
        finally:
            with self._table:
                warm.users -= Counter([threading.get_ident()])

    def cards(self) -> dict[Key, ModelCard]:
        """The warm models, least recently used first."""
        with self._table:
            return {key: warm.model.card for key, warm in self._warm.items()}

    @property
    def bytes(self) -> int:
        """Memory that the warm models' weights take, those of attached models included."""
        return sum(card.bytes for card in self.cards().values())

    def would_evict(self, size: int, device: str = "cpu") -> tuple[Key, ...] | None:
        """The models that would have to go for `size` bytes more on `device`; None if that would not be enough."""
        import torch

        return self._victims({torch.device(device): size}, spare_lent=False)

    def evict(self, key: Key) -> bool:
        """Let the model go if it is warm and not lent; says whether it went."""
        with self._table:
            warm = self._warm.get(key)
            if warm is None or warm.users:
                return False
            del self._warm[key]
        del warm
        _give_back_memory()
        return True

    def close(self) -> None:
        """Let every model go."""
        with self._table:
            self._warm.clear()
        _give_back_memory()

    def _find(self, key: Key, *, claim: bool = False) -> _Warm:
        found = self._warm_one(key, claim=claim)
        if found is not None:
            return found
        if key.attached:
            raise ModelNotFound(f"{key.name} was attached by a program and has been let go: attach it again.")
        with self._loading_alone():
            return self._warm_one(key, claim=claim) or self._load(key, claim=claim)

    @contextlib.contextmanager
    def _loading_alone(self) -> Iterator[None]:
        while not self._loading.acquire(timeout=_PATIENCE):
            checkpoint()
        try:
            yield
        finally:
            self._loading.release()

    def _warm_one(self, key: Key, *, claim: bool) -> _Warm | None:
        with self._table:
            found = next((known for known, warm in self._warm.items() if _serves(known, warm.model.card, key)), None)
            if found is None:
                return None
            self._warm.move_to_end(found)
            warm = self._warm[found]
            if claim:
                warm.users[threading.get_ident()] += 1
            return warm

    def _load(self, key: Key, *, claim: bool) -> _Warm:
        from neuronscope.models.loading import load

        try:
            model = load(
                key.name,
                precision=key.precision,
                device=key.device,
                trust_remote_code=key.trust_remote_code,
                offline=self.offline,
                room=_Room(self),
            )
        finally:
            _give_back_memory()  # of what loading took beside the weights, or of what had been loaded when it stopped
        with self._table:
            warm = self._warm[key] = _Warm(model)
            if claim:
                warm.users[threading.get_ident()] += 1
        return warm

    def _adopt(
        self, network: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, name: str | None, lock: threading.RLock
    ) -> Key:
        from neuronscope.models.loading import attach

        model = attach(network, tokenizer, name)
        with self._table:
            key = Key(self._free_name(model.card.name), ATTACHED, str(model.device))
            self._warm[key] = _Warm(model, lock)
        return key

    def _lock_of(self, network: PreTrainedModel) -> threading.RLock:
        """The lock of the warm model that has modules of `network`, a new one where none has."""
        modules = set(network.modules())
        with self._table:
            sharing = (
                warm.lock for warm in self._warm.values() if not modules.isdisjoint(warm.model.network.modules())
            )
            return next(sharing, threading.RLock())

    def _victims(self, shares: dict[torch.device, int], *, spare_lent: bool) -> tuple[Key, ...] | None:
        """The least recently used models whose going leaves room for each device's share, None if all are too few."""
        from neuronscope.models.placement import free

        with self._table:
            kept = sum(warm.model.card.bytes for key, warm in self._warm.items() if not key.attached)
            over_budget = kept + sum(shares.values()) - self.budget
            short = {device: int(size * 1.1) - free(device) for device, size in shares.items() if size}
            chosen: list[Key] = []
            for key, warm in self._warm.items():
                if over_budget <= 0 and max(short.values(), default=0) <= 0:
                    break
                if key.attached or (spare_lent and warm.users):
                    continue
                chosen.append(key)
                over_budget -= warm.model.card.bytes
                short = {device: size - warm.model.bytes_on(device) for device, size in short.items()}
            return tuple(chosen) if over_budget <= 0 and max(short.values(), default=0) <= 0 else None

    def _mine_alone(self) -> bool:
        """Whether every model that is lent is lent to this thread: waiting for it would never end."""
        with self._table:
            me = threading.get_ident()
            return all(set(warm.users) <= {me} for warm in self._warm.values())

    def _free_name(self, name: str) -> str:
        taken = {key.name for key in self._warm}
        names = [name, *(f"{name} ({n})" for n in range(2, len(taken) + 3))]
        return next(free for free in names if free not in taken)


class _Room:
    """Room for one load: `models.placement.Room`."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    def most(self, *devices: torch.device) -> int:
        """The budget, or what is free and could be freed on `devices` if that is less."""
        from neuronscope.models.placement import free

        manager = self._manager
        with manager._table:
            own = [warm.model for key, warm in manager._warm.items() if not key.attached]
        could_be_had = sum(free(device) + sum(model.bytes_on(device) for model in own) for device in devices)
        # The budget is of weights; choosing a precision asks for a tenth more than those.
        return min(int(manager.budget * 1.1) + 1, could_be_had)

    def make(self, shares: dict[torch.device, int]) -> None:
        """Evict what has to go, waiting for models that are lent."""
        while not self._made(shares):
            checkpoint()
            time.sleep(_PATIENCE / 10)

    def _made(self, shares: dict[torch.device, int]) -> bool:
        """Whether there is room now; one look at the table, so that a model handed back meanwhile is not missed."""
        manager = self._manager
        with manager._table:
            victims = manager._victims(shares, spare_lent=True)
            if victims is not None:
                return all(manager.evict(key) for key in victims)
            if manager._mine_alone() or manager._victims(shares, spare_lent=False) is None:
                raise ModelDoesNotFit(
                    f"It needs {sum(shares.values()) / 1e6:,.0f} MB beside the models that are in use, and the budget "
                    f"for models is {manager.budget / 1e6:,.0f} MB. Finish what runs on them, or raise the budget."
                )
            return False


def _serves(known: Key, card: ModelCard, asked: Key) -> bool:
    """Whether a warm model is what is asked for: the same key, or one that `auto` may mean or came to."""
    if known == asked:
        return True
    same = all(getattr(known, part) == getattr(asked, part) for part in ("name", "trust_remote_code"))
    return (
        same
        and not known.attached
        and asked.precision in {known.precision, card.precision}
        and asked.device in {"auto", known.device, card.device}
    )


def _give_back_memory() -> None:
    """Return what is no longer used to the machine: Python's garbage, the GPU's cache, the C library's free blocks."""
    gc.collect()
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    trim()


def _most_of_memory() -> int:
    import psutil

    return int(psutil.virtual_memory().total * 0.6)
