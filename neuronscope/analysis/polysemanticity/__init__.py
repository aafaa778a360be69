"""Polysemanticity: how many unrelated things a neuron answers to (`senses`), and what is kept of it (`records`)."""

from neuronscope.analysis.polysemanticity.records import RECORD, SEPARATIONS, VERDICTS, Polysemanticity, Sense
from neuronscope.analysis.polysemanticity.senses import BACKGROUND, FIRING, Contexts, Senses, senses, strong_contexts

__all__ = [
    "BACKGROUND",
    "FIRING",
    "RECORD",
    "SEPARATIONS",
    "VERDICTS",
    "Contexts",
    "Polysemanticity",
    "Sense",
    "Senses",
    "senses",
    "strong_contexts",
]
