"""The same numbers worked out without NeuronScope: transformers runs the network, numpy does the sums in float64."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from neuronscope.scope import Scope

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def load(folder: Path) -> PreTrainedModel:
    """Load the network in a folder as transformers does, in float32 and without its progress bars."""
    import torch
    import transformers
    from transformers.utils import logging

    before = logging.set_tqdm_hook(lambda make, args, options: make(*args, **{**options, "disable": True}))
    try:
        network: PreTrainedModel = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    finally:
        logging.set_tqdm_hook(before)
    return network.eval()


def module_outputs(
    network: Any, ids: Sequence[int], module: str, *, inputs: bool = False
) -> Float[np.ndarray, "layers tokens units"]:
    """What leaves (or enters) `module` in every block, as transformers runs it."""
    import torch

    seen = []
    blocks = getattr(network.base_model, "h", None) or network.base_model.layers
    handles = [
        block.get_submodule(module).register_forward_hook(
            lambda _, entering, leaving: seen.append((entering[0] if inputs else leaving)[0].numpy(force=True).copy())
        )
        for block in blocks
    ]
    try:
        with torch.no_grad():
            network(input_ids=torch.tensor([ids]))
    finally:
        for handle in handles:
            handle.remove()
    return np.stack(seen)


def logits(network: PreTrainedModel, ids: Sequence[int]) -> Float[np.ndarray, "tokens vocabulary"]:
    """What the network itself says comes next, at every token."""
    import torch

    with torch.no_grad():
        logits: Float[np.ndarray, "tokens vocabulary"] = network(input_ids=torch.tensor([ids])).logits[0].numpy()
    return logits


def logit_without_neurons(scope: Scope, network: Any, text: str, position: int, target: int) -> float:
    """The logit of `target` once every neuron's write is taken out of the residual stream, the norm's scale kept."""
    residual = scope.activations(text, site="residual").values[-1, position].astype(np.float64)
    rest = residual - _written_by_neurons(scope, network, text, position)
    norm = getattr(network.base_model, "ln_f", None) or network.base_model.norm
    gain, unembedding = (weight.detach().double().numpy() for weight in (norm.weight, network.lm_head.weight))
    shift = norm.bias.detach().double().numpy() if getattr(norm, "bias", None) is not None else 0.0
    if scope.card.norm == "LayerNorm":
        residual, rest = residual - residual.mean(), rest - rest.mean()
    scale = np.sqrt(np.square(residual).mean() + getattr(norm, "eps", getattr(norm, "variance_epsilon", None)))
    return float(unembedding[target] @ (gain * rest / scale + shift))


def _written_by_neurons(scope: Scope, network: Any, text: str, position: int) -> Float[np.ndarray, " width"]:
    """The sum of activation times output weights over all neurons of all layers, in float64."""
    total = np.zeros(scope.card.width)
    for layer, values in enumerate(scope.activations(text).values[:, position].astype(np.float64)):
        if hasattr(network.base_model, "h"):
            weight = network.base_model.h[layer].mlp.c_proj.weight
        else:
            weight = network.base_model.layers[layer].mlp.down_proj.weight.T
        total += values @ weight.detach().double().numpy()
    return total
