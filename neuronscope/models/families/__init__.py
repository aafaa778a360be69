"""Where the neurons are: one file per shape of network, one line here for each."""

from __future__ import annotations

from neuronscope.errors import UnsupportedModel
from neuronscope.models.families.family import Family
from neuronscope.models.families.gpt2 import GPT2
from neuronscope.models.families.llama import LLAMA

__all__ = ["FAMILIES", "Family", "family_of"]

FAMILIES: tuple[Family, ...] = (GPT2, LLAMA)


def family_of(model_type: str, name: str) -> Family:
    """The family of a configuration's `model_type`; raises `UnsupportedModel`, naming the families there are.

    `name` is what the model is called in the error.
    """
    for family in FAMILIES:
        if model_type in family.model_types:
            return family
    known = ", ".join(kind for family in FAMILIES for kind in family.model_types)
    raise UnsupportedModel(
        f"{name} is a {model_type!r} network, and NeuronScope reads {known}. "
        "A family is added as one file in neuronscope/models/families and one line in its __init__.py."
    )
