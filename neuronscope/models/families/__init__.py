"""Where the neurons are: one file per shape of network, one line here for each family."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuronscope.errors import UnsupportedModel
from neuronscope.models.families import bert, gpt2, llama, neox
from neuronscope.models.families.family import Family

if TYPE_CHECKING:
    from transformers import PretrainedConfig

__all__ = ["FAMILIES", "Family", "auto_class", "family_of"]

FAMILIES: tuple[Family, ...] = (
    gpt2.GPT2,
    gpt2.GPT_NEO,
    gpt2.GPT_J,
    neox.GPT_NEOX,
    neox.BLOOM,
    neox.FALCON,
    neox.MPT,
    neox.OPT,
    llama.LLAMA,
    llama.GEMMA,
    llama.GEMMA2,
    llama.OLMO,
    llama.OLMO2,
    llama.STABLELM,
    llama.COHERE,
    llama.FUSED,
    llama.GLM4,
    llama.UNGATED,
    llama.STARCODER2,
    llama.PHI,
    bert.BERT,
    bert.ROBERTA,
    bert.MPNET,
    bert.DISTILBERT,
    bert.ALBERT,
    bert.MODERNBERT,
    bert.T5,
    bert.T5_GATED,
)

_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
_WITHOUT_MLP = ("mamba", "mamba2", "rwkv", "falcon_mamba", "xlstm", "recurrent_gemma")


def family_of(config: PretrainedConfig, name: str) -> Family:
    """The family of a configuration; `name` is what the model is called in the error.

    Raises:
        UnsupportedModel: for mixtures of experts, networks without an MLP of this kind, and layouts nobody has checked.
    """
    kind = config.model_type
    for family in FAMILIES:
        if kind in family.model_types and family.applies(config):
            return family
    raise UnsupportedModel(f"{name} cannot be read: {_why_not(config, kind)}")


def auto_class(family: Family, config: PretrainedConfig) -> str:
    """The class of transformers that loads this checkpoint with the head it really has: others would be made up."""
    if family.head == "causal":
        return "AutoModelForCausalLM"
    if family.head == "encoder":
        return "AutoModelForTextEncoding"
    # An ELECTRA's pretraining head tells real tokens from replaced ones: it predicts none.
    heads = ("ForMaskedLM",) if config.model_type == "electra" else ("ForMaskedLM", "ForPreTraining")
    has_head = any(name.endswith(heads) for name in config.architectures or ())
    return "AutoModelForMaskedLM" if has_head else "AutoModel"


def _why_not(config: PretrainedConfig, kind: str) -> str:
    if any((getattr(config, field, None) or 0) > 1 for field in _EXPERTS):
        return (
            f"{kind!r} is a mixture of experts, whose neurons are spread over expert networks that differ from token "
            "to token. NeuronScope reads dense networks."
        )
    if kind in _WITHOUT_MLP:
        return f"{kind!r} has no MLP after its attention, and neurons are that MLP's. NeuronScope reads transformers."
    if any(kind in family.model_types for family in FAMILIES):
        return f"this variant of {kind!r} is laid out in a way that NeuronScope has not been checked on."
    known = ", ".join(sorted(known for family in FAMILIES for known in family.model_types))
    return (
        f"{kind!r} is not among the networks NeuronScope has been checked on, which are {known}. A family is added as "
        "a few lines in neuronscope/models/families and its name in the list there."
    )
