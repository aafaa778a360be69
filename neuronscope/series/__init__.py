"""Series: the checkpoints of one model over one probe corpus, and what changed from the first to each of the others.

`find` says which checkpoints are meant, `measure` runs them and keeps what it finds in a folder, `Drift` reads it.
Reading needs no torch; what measures is imported when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from neuronscope.series.drift import Changed, Drift, NoiseFloor
from neuronscope.series.store import Checkpoint

if TYPE_CHECKING:
    from neuronscope.series.beginning import TOKENS, Probing, folder_for
    from neuronscope.series.finding import Candidate, find
    from neuronscope.series.run import measure

__all__ = [
    "TOKENS",
    "Candidate",
    "Changed",
    "Checkpoint",
    "Drift",
    "NoiseFloor",
    "Probing",
    "find",
    "folder_for",
    "measure",
]

_HOMES = {
    "beginning": ("TOKENS", "Probing", "folder_for"),
    "finding": ("Candidate", "find"),
    "run": ("measure",),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
