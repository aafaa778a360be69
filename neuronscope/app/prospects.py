"""What picking a model would mean: whether it is here, what it takes, what would have to go for it, whether it fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from neuronscope.app.memory_bar import readable
from neuronscope.app.sizes import Size, Sizes

if TYPE_CHECKING:
    from neuronscope.models.catalogue import Entry
    from neuronscope.models.manager import Key
    from neuronscope.scope import Workspace

_FROM_BEST = ("float32", "bfloat16", "int8", "nf4")
"""What `auto` tries on a CPU."""
_FROM_BEST_ON_A_GPU = ("bfloat16", "int8", "nf4")


@dataclass(frozen=True)
class Prospect:
    """What loading one model in one precision would mean, now."""

    precision: str
    """The precision it would be held in; of `auto`, the one that this comes to."""
    bytes: int | None
    """What its weights would take; None where the precision cannot be had for it."""
    rough: bool
    """Whether that has been guessed from the number of weights alone."""
    free: int
    """Bytes that are free for models where it would go: of the machine's memory and of the budget, what is less."""
    goes: tuple[Key, ...] | None
    """The models that would have to make room; None if that would not be enough."""
    warm: bool
    """Whether it is in memory already."""

    @property
    def fits(self) -> bool:
        """Whether it could be loaded."""
        return self.warm or (self.bytes is not None and self.goes is not None)

    @property
    def words(self) -> str:
        """The need in a sentence, nothing where it fits: `needs 3.1 GB, 2.2 GB free for models: will evict gpt2`."""
        if self.warm:
            return ""
        if self.bytes is None:
            return f"cannot be had in {self.precision} on this machine"
        need = f"needs {'about ' if self.rough else ''}{readable(self.bytes)}, {readable(self.free)} free for models"
        if self.goes is None:
            return f"{need}: does not fit"
        return f"{need}: will evict {', '.join(_short(key) for key in self.goes)}" if self.goes else ""


class Prospects:
    """The same for many models at one moment: memory and warm models are looked at once."""

    def __init__(self, workspace: Workspace, sizes: Sizes) -> None:
        """Look at the machine now."""
        self._workspace = workspace
        self._sizes = sizes
        memory = workspace.memory()
        self.device = "cuda" if memory.gpus else "cpu"
        own = sum(scope.card.bytes for scope in workspace.scopes() if not scope.key.attached)
        available = memory.gpus[0].free if memory.gpus else memory.available
        self.free = max(0, min(available, workspace.manager.budget - own))
        self.warm: dict[str, set[str]] = {}
        """The precisions in which models are in memory, by name; those a program gave us are left out."""
        for scope in workspace.scopes():
            if not scope.key.attached:
                self.warm.setdefault(scope.key.name, set()).update({scope.key.precision, scope.card.precision})

    def size(self, entry: Entry) -> Size:
        """What the model takes at each precision."""
        return self._sizes.of(entry)

    def of(self, entry: Entry, precision: str) -> Prospect:
        """What loading `entry` in `precision` would mean."""
        size = self.size(entry)
        warm = precision in self.warm.get(entry.name, set())
        tried = self._from_best() if precision == "auto" else (precision,)
        for each in tried:
            needed = size.bytes.get(each)
            goes = None if needed is None else self._workspace.manager.would_evict(needed, self.device)
            if goes is not None or each == tried[-1]:
                break
        return Prospect(each, needed, size.rough, self.free, goes, warm)

    def here(self, entry: Entry) -> bool:
        """Whether its files are on this machine."""
        from neuronscope.models import hub

        return entry.demo or hub.find(entry.name) is not None

    def _from_best(self) -> tuple[str, ...]:
        return _FROM_BEST_ON_A_GPU if self.device == "cuda" else _FROM_BEST


def _short(key: Key) -> str:
    from neuronscope.app.parts import short

    return short(key.name)
