"""Polysemanticity: how many unrelated things a neuron answers to (`senses`), what is kept of it (`records`), and what
became of them in another checkpoint (`elsewhere`).
"""

from neuronscope.analysis.polysemanticity.elsewhere import Elsewhere, elsewhere
from neuronscope.analysis.polysemanticity.records import RECORD, SEPARATIONS, VERDICTS, Polysemanticity, Sense
from neuronscope.analysis.polysemanticity.senses import FIRING, Contexts, Senses, senses, strong_contexts

__all__ = [
    "FIRING",
    "RECORD",
    "SEPARATIONS",
    "VERDICTS",
    "Contexts",
    "Elsewhere",
    "Polysemanticity",
    "Sense",
    "Senses",
    "elsewhere",
    "senses",
    "strong_contexts",
]
