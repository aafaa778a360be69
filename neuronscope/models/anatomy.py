"""How one model's blocks are put together: what its neurons read, and what becomes of what they write.

Read off the modules and the configuration of the loaded network, so that the equations a person is shown are this
model's own: where its norms stand, which of them have a gain or a shift, whether attention and MLP stand side by side,
which projections have a bias, and what is done to the logits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from neuronscope.models.estimate import estimate
from neuronscope.models.families import auto_class
from neuronscope.models.families.family import Head
from neuronscope.models.loading import LoadedModel
from neuronscope.models.precision import Precision, inputs

Gain = Literal["none", "weight", "offset"]

_SIDE_BY_SIDE = ("gptj", "codegen", "phi", "cohere", "cohere2")
"""Types whose attention and MLP always read the same stream; others say so in their configuration."""


@dataclass(frozen=True)
class Anatomy:
    """The layout of one model."""

    parallel: bool
    """Whether attention and MLP read the same stream side by side, rather than the MLP what attention has changed."""
    norm_before: bool
    """Whether the MLP reads a norm's output; otherwise it reads the stream as it is."""
    norm_behind: bool
    """Whether the MLP's output passes a norm before it is added."""
    norm_after: bool
    """Whether the sum of stream and MLP output is normed (post-norm encoders)."""
    final_norm: bool
    """Whether a norm stands behind the last block."""
    gain: Gain
    """What its norms multiply with: nothing, their weight, or one plus their weight."""
    shift: bool
    """Whether its norms add a bias."""
    bias_in: bool
    """Whether the projection into the neurons has a bias."""
    bias_out: bool
    """Whether the projection out of them has one."""
    shared: bool
    """Whether one block serves as every layer in turn."""
    head: Head
    """What follows the blocks: next-token logits, masked-token logits or nothing."""
    head_width: int
    """Dimensions of one attention head."""
    key_value_heads: int
    """Heads that keys and values have; fewer than the attention's where several share them."""
    residual_scale: float
    """What a block's output is multiplied with before it is added."""
    logit_scale: float
    """What the logits are multiplied with."""
    soft_cap: float | None
    """The logits are squeezed into ± this, None where they are not."""
    bytes: dict[Precision, int]
    """What its weights would take at each precision that can be had on its device."""


def anatomy(model: LoadedModel) -> Anatomy:
    """The layout of `model`; a few milliseconds, and no weight is copied."""
    family, config = model.family, model.network.config
    before = model.mlp_norm(0)
    behind = model.in_block(0, family.mlp_out_norm) if family.mlp_out_norm else None
    after = family.head == "masked" and before is None
    norm = before if before is not None else behind
    gain: Gain = "offset" if family.gain_offset else "weight"
    return Anatomy(
        parallel=_parallel(config),
        norm_before=before is not None,
        norm_behind=behind is not None,
        norm_after=after,
        final_norm=family.final_norm is not None,
        gain=gain if after or getattr(norm, "weight", None) is not None else "none",
        shift=after or getattr(norm, "bias", None) is not None,
        bias_in=_has_bias(model, family.up),
        bias_out=_has_bias(model, family.down),
        shared=family.shared_block,
        head=family.head if family.head != "masked" or model.network.get_output_embeddings() is not None else "encoder",
        head_width=inputs(model.in_block(0, family.attention_out)) // model.card.heads,
        key_value_heads=_key_value_heads(config, model.card.heads),
        residual_scale=float(getattr(config, "residual_multiplier", 1.0)),
        logit_scale=_logit_scale(config),
        soft_cap=getattr(config, "final_logit_softcapping", None),
        bytes=estimate(config, auto_class(family, config), device=model.device.type).bytes,
    )


def _parallel(config: Any) -> bool:
    if config.model_type == "falcon":
        return bool(config.new_decoder_architecture or config.parallel_attn)
    return config.model_type in _SIDE_BY_SIDE or bool(getattr(config, "use_parallel_residual", False))


def _has_bias(model: LoadedModel, path: str) -> bool:
    return getattr(model.in_block(0, path), "bias", None) is not None


def _key_value_heads(config: Any, heads: int) -> int:
    """Falcon and GPT-BigCode say with a switch that all heads share one; others give the number, if it differs."""
    if getattr(config, "multi_query", False) and not getattr(config, "new_decoder_architecture", False):
        return 1
    return int(getattr(config, "num_kv_heads", None) or getattr(config, "num_key_value_heads", None) or heads)


def _logit_scale(config: Any) -> float:
    return float(getattr(config, "logit_scale", None) or 1.0) / float(getattr(config, "logits_scaling", None) or 1.0)
