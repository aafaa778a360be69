"""The reverse query: which tokens, n-grams and skip patterns excite a neuron, or a group of neurons.

It costs no run of the model. `ask` finds what recurs at a neuron's strongest tokens and counts it in the whole corpus;
`answer` ranks it by empirical-Bayes mean. What the index cannot know exactly is said in the column `source`, and can be
measured: `ask`, then `plan`, then run the model at `plan`'s positions, then `answer` again with the values.
Whether what it lists excites a neuron by itself is checked by running it alone: `checkable`, then `held_out`.
A negative query (`sign="-"`) asks all of this of minus the activation, and its numbers are of minus the activation.
"""

from __future__ import annotations

from neuronscope.analysis.reverse_query.alone import Alone, beside, checkable, held_out
from neuronscope.analysis.reverse_query.answering import answer
from neuronscope.analysis.reverse_query.asking import ask, plan
from neuronscope.analysis.reverse_query.association import lift, signed_g2
from neuronscope.analysis.reverse_query.results import Evidence, Question, ReverseQuery

__all__ = [
    "Alone",
    "Evidence",
    "Question",
    "ReverseQuery",
    "answer",
    "ask",
    "beside",
    "checkable",
    "held_out",
    "lift",
    "plan",
    "signed_g2",
]
