"""Drift: what changed between two checkpoints of one model, neuron by neuron and layer by layer.

Arrays of activations in, numbers out: `decomposition` says how far each neuron moved and in which way, `distances` how
its distribution and its tokens changed, `similarity` how much of a layer is left and which neuron has become which,
`token_changes` what its weights came to read and write, `trajectories` where all of them go.
"""

from neuronscope.analysis.drift.decomposition import (
    QUANTITIES,
    TIMES,
    Floor,
    Parts,
    drawn,
    floor,
    interval,
    parts,
    whole,
)
from neuronscope.analysis.drift.distances import NOTHING, distances, jaccard, rank_biased_overlap
from neuronscope.analysis.drift.similarity import VALID, Matching, alignment, kernel, match
from neuronscope.analysis.drift.token_changes import TokenChange, token_changes
from neuronscope.analysis.drift.trajectories import Trajectories, trajectories

__all__ = [
    "NOTHING",
    "QUANTITIES",
    "TIMES",
    "VALID",
    "Floor",
    "Matching",
    "Parts",
    "TokenChange",
    "Trajectories",
    "alignment",
    "distances",
    "drawn",
    "floor",
    "interval",
    "jaccard",
    "kernel",
    "match",
    "parts",
    "rank_biased_overlap",
    "token_changes",
    "trajectories",
    "whole",
]
