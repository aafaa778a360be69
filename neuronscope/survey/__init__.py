"""Surveys of polysemanticity: the senses of many neurons, for which a model reads part of its corpus again.

A whole layer is read over windows drawn at random; a few neurons are looked at in windows of which the index knows that
they excite them, which takes a second instead of minutes and sees less: of the windows that an index has kept, most are
those with the strongest tokens. The table says which of the two each row comes from.
"""

from __future__ import annotations

from neuronscope.survey.another import of_another
from neuronscope.survey.layers import TOKENS, of_layers, surveyed
from neuronscope.survey.neurons import of_neurons, of_token

__all__ = ["TOKENS", "of_another", "of_layers", "of_neurons", "of_token", "surveyed"]
