"""The drifts that are kept on this machine, and the one that is measured now."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from neuronscope import series
from neuronscope.app.building import Sources
from neuronscope.app.held import Held
from neuronscope.app.worker import Worker
from neuronscope.errors import DriftProblem
from neuronscope.figures import animation
from neuronscope.series import store
from neuronscope.series.store import BASE, CONTROL, Manifest

if TYPE_CHECKING:
    from neuronscope.scope import Scope
    from neuronscope.series import Drift

_HELD = 4
_BUSY = "A drift is being measured: wait until that is done, or cancel it, and measure this one then."


@dataclass(frozen=True)
class Kept:
    """A drift as its folder tells it."""

    name: str
    """The name of its folder."""
    manifest: Manifest
    """What it is of, and how far it has come."""
    changed: float
    """When it last grew, in seconds since 1970."""

    @property
    def done(self) -> int:
        """How many of its checkpoints have run; the base and the control are not counted."""
        return sum(one.done for one in self.compared)

    @property
    def compared(self) -> list[store.Checkpoint]:
        """The checkpoints that were asked for."""
        return [one for one in self.manifest.checkpoints if one.place not in (BASE, CONTROL)]

    @property
    def opens(self) -> bool:
        """Whether there is something to look at: the base and one checkpoint have run."""
        return self.manifest.checkpoints[0].done and self.done > 0

    @property
    def state(self) -> str:
        """A word that changes when it grows."""
        return f"{self.name}:{self.done}:{len(self.manifest.floor)}:{self.changed:.3f}"


class Drifts:
    """The drifts below one data folder."""

    def __init__(self, data_folder: Path) -> None:
        """None has been opened."""
        self._folder = data_folder / "drift"
        self._open = Held(_HELD)
        self._packed = Held(1)
        self._lock = threading.Lock()

    def kept(self, scope: Scope) -> list[Kept]:
        """Those of a model, in any precision, the one that grew or was asked for last first."""
        own = scope.card.name, scope.card.revision
        found = [self.one(path.name) for path in self._folder.glob("*") if path.is_dir()]
        mine = [one for one in found if one and (one.manifest.model, one.manifest.revision) == own]
        return sorted(mine, key=lambda one: -one.changed)

    def one(self, name: str) -> Kept | None:
        """One by the name of its folder; None if there is none, or none that can be read."""
        if not name or name.startswith(".") or Path(name).name != name:
            return None
        with suppress(DriftProblem, OSError):
            manifest = store.read_manifest(self._folder / name)
            if manifest is not None and manifest.checkpoints:
                return Kept(name, manifest, (self._folder / name / store.MANIFEST).stat().st_mtime)
        return None

    def shown(self, scope: Scope, name: str | None) -> Kept | None:
        """The one with that name, or the first, if it is of the model and there is something to look at."""
        return next((one for one in self.kept(scope) if one.opens and name in (None, one.name)), None)

    def open(self, kept: Kept) -> Drift:
        """What was measured, as far as it has come."""
        return self._open.of(kept.state, lambda: series.Drift.open(self._folder / kept.name))

    def packed(self, kept: Kept) -> bytes:
        """What the moving map draws from; only one is made at a time, for the projection is written into its folder."""
        with self._lock:
            return self._packed.of(kept.state, lambda: animation.payload(self.open(kept)))

    def page(self, kept: Kept) -> str:
        """The moving map as a file of its own."""
        with self._lock:
            return animation.page(self.open(kept))


class Measurer(Worker):
    """Measures the drifts that the pages of one app ask for."""

    def __init__(self) -> None:
        """Nothing is being measured."""
        super().__init__("drift", _BUSY)

    def start(
        self, scope: Scope, checkpoints: Sequence[str], control: str | None, corpus: Sources, tokens: int
    ) -> None:
        """Begin to measure, or go on with what was begun; raises `InputError` while another one is being measured."""

        def measure() -> None:
            drift = scope.drift(checkpoints, corpus(), control=control, tokens=tokens)
            os.utime(drift.folder / store.MANIFEST)  # what was asked for last is shown, though it was there already

        self.begin(scope, "Reading the corpus", measure)
