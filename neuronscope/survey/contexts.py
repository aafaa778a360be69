"""What every survey shares: which contexts are one, what arbitrary tokens bring, and the record of a neuron."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Float16, Integer

from neuronscope.analysis.polysemanticity import SEPARATIONS, VERDICTS, Contexts, Senses, senses
from neuronscope.errors import InputError
from neuronscope.index.plan import hashes

if TYPE_CHECKING:
    from neuronscope.engine.contributions import Reading
    from neuronscope.index.read_corpus import ReadCorpus
    from neuronscope.indexed import Index


_ALIKE = 8
"""Contexts whose tokens up to the peak agree this far back are one."""
_LEAST_SAMPLED = 64
"""Sampled tokens by which contexts can be compared while an index grows."""
_OCCURRENCES = 600
"""Occurrences of a token that are read."""
_ROUNDING = 0.02
"""What is left of the push on a token is its own rounding below this share of it."""
_STRETCH = 16
"""Windows that follow each other and go into the same half of the corpus."""


@dataclass(frozen=True, eq=False)
class Around:
    """What arbitrary tokens bring to a layer's MLP, which says how alike they are to a neuron."""

    inputs: Float[np.ndarray, "sample width"]
    """Of the index' sampled tokens."""
    centre: Float[np.ndarray, " width"]
    """Their mean."""

    @classmethod
    def of(cls, sample: Float16[np.ndarray, "sample width"]) -> Around:
        """The sampled tokens, and their mean."""
        return cls(np.asarray(sample, np.float32), mean_input(sample))

    def pushes(self, reading: Reading, neuron: int) -> Float[np.ndarray, "sample width"]:
        """Their contributions to one neuron."""
        return reading.contributions(self.inputs, self.centre, neuron)


def fill(
    record: np.ndarray,
    chosen: Contexts,
    positions: Integer[np.ndarray, " contexts"],
    values: Float[np.ndarray, " contexts"],
    contributions: Float[np.ndarray, "contexts width"],
    background: Float[np.ndarray, "background width"],
    halves: Bool[np.ndarray, " contexts"],
) -> None:
    """Write down what was found of one neuron."""
    n = len(positions)
    record["verdict"], record["strong"] = VERDICTS.index(chosen.verdict), chosen.strong
    record["contexts"] = n if chosen.verdict == "scored" else 0
    record["half_a"] = record["half_b"] = record["separations"] = np.nan
    if chosen.verdict != "scored":
        return
    found = senses(contributions, np.abs(values), background, halves)
    record["effective"], record["modes"] = found.effective, found.modes
    record["half_a"], record["half_b"], record["confirmed"] = found.half_a, found.half_b, found.confirmed
    record["cut"] = found.cut
    record["separations"][0] = _separations(found)
    record["positions"][0, :n], record["values"][0, :n] = positions, values
    record["labels"][0, :n] = np.minimum(found.labels, 255)
    record["points"][0, :n] = found.flat()


def _separations(found: Senses) -> Float[np.ndarray, " senses"]:
    number = min(len(found.shares), SEPARATIONS)
    known = [found.separation(k) for k in range(number)]
    return np.array(known + [np.nan] * (SEPARATIONS - number), np.float32)


def without(
    reading: Reading,
    x: Float[np.ndarray, "contexts width"],
    centre: Float[np.ndarray, " width"],
    word: Float[np.ndarray, " width"],
    neuron: int,
) -> Float[np.ndarray, "contexts width"]:
    """What pushes a neuron about a token's mean input; about that of arbitrary tokens where next to nothing is left."""
    whole, left = (reading.contributions(x, about, neuron) for about in (centre, word))
    return left if np.linalg.norm(left) >= _ROUNDING * np.linalg.norm(whole) else whole


def occurrences(corpus: ReadCorpus, token: int) -> Integer[np.ndarray, " drawn"]:
    """Where a token stands and counts: at most `_OCCURRENCES`, one of a window, drawn at random (seed 0)."""
    shuffled = np.random.default_rng(0).permutation(np.flatnonzero((np.asarray(corpus.ids) == token) & corpus.counted))
    _windows, first = np.unique(corpus.window_of(shuffled), return_index=True)
    return np.sort(shuffled[np.sort(first)[:_OCCURRENCES]])


def far_enough(index: Index) -> None:
    """Raise `InputError` if a growing index has not seen enough tokens to say how alike arbitrary ones are."""
    m, sampled = index.manifest, len(index.store.sampled)
    if not m.complete and sampled < _LEAST_SAMPLED:
        raise InputError(
            f"This index has seen {m.seen:,} of {m.tokens:,} tokens and {sampled} of those it samples; how alike "
            f"arbitrary tokens are to a neuron takes {_LEAST_SAMPLED}. Wait until it has seen more."
        )


def mean_input(inputs: Float[np.ndarray, "tokens width"]) -> Float[np.ndarray, " width"]:
    """What an MLP reads on average."""
    return np.asarray(inputs.mean(0, dtype=np.float64), np.float32)


def halves_of(corpus: ReadCorpus, positions: Integer[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """Which half of the corpus each position is in: stretches of windows are dealt to the halves by hash."""
    return (hashes(corpus.window_of(positions) // _STRETCH) & 1).astype(bool)


def context_keys(corpus: ReadCorpus, positions: Integer[np.ndarray, " n"]) -> Integer[np.ndarray, " n"]:
    """A number for the eight tokens up to each position: the same for contexts that say the same."""
    keys = np.zeros(len(positions), np.uint64)
    ids = corpus.ids
    with np.errstate(over="ignore"):
        for back in range(_ALIKE):
            before = np.asarray(ids[np.maximum(positions - back, 0)]).astype(np.uint64)
            keys = keys * np.uint64(0x100000001B3) + before + np.uint64(1)
    return keys.astype(np.int64)
