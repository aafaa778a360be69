"""Which tokens of the vocabulary a neuron came to read and to write by its weights, and which no longer."""

from __future__ import annotations

from dataclasses import dataclass

from neuronscope.vocabulary import NeuronWeights, TokenScore

_LISTS = {
    "reads": ("reads_most", "reads_least"),
    "gate": ("gate_reads_most", "gate_reads_least"),
    "writes": ("promotes", "suppresses"),
}


@dataclass(frozen=True)
class TokenChange:
    """What changed in one list of tokens."""

    what: str
    """`reads` (through the up projection), `gate` (what the gate reads) or `writes`."""
    most: bool
    """Whether of the tokens of highest score; else of lowest."""
    gained: tuple[TokenScore, ...]
    """Tokens that are in the list after and were not before, with their scores after; in the list's order."""
    lost: tuple[TokenScore, ...]
    """Tokens that were in the list before and are not after, with their scores before."""
    kept: tuple[TokenScore, ...]
    """Tokens of both lists, with their scores after."""


def token_changes(before: NeuronWeights, after: NeuronWeights) -> tuple[TokenChange, ...]:
    """Compare the lists of two checkpoints of one neuron, token by token; lists that are empty in both are left out."""
    found = []
    for what, names in _LISTS.items():
        for name in names:
            was, now = getattr(before, name), getattr(after, name)
            old, new = {one.id for one in was}, {one.id for one in now}
            if old or new:
                found.append(
                    TokenChange(
                        what,
                        name == names[0],
                        gained=tuple(one for one in now if one.id not in old),
                        lost=tuple(one for one in was if one.id not in new),
                        kept=tuple(one for one in now if one.id in old),
                    )
                )
    return tuple(found)
