"""Series: the checkpoints of one model over one probe corpus, and what changed from the first to each of the others.

`find` says which checkpoints are meant, `measure` runs them and keeps what it finds in a folder, `Drift` reads it.
"""

from neuronscope.series.drift import Changed, Drift, NoiseFloor
from neuronscope.series.finding import Candidate, find
from neuronscope.series.run import TOKENS, Probing, folder_for, measure
from neuronscope.series.store import Checkpoint

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
