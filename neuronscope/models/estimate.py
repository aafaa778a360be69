"""How much memory a model's weights take at each precision, worked out from its configuration without loading any.

The network is built on torch's `meta` device, where weights have shapes and no memory, and its parameters are counted.
bitsandbytes quantizes the linear projections of the blocks, unless they are of a class of the network's own.
Embeddings, norms, biases and the unembedding stay in the compute type: float32 on a CPU, bfloat16 on a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from neuronscope.errors import ModelNotFound
from neuronscope.models.precision import Precision, inputs, outputs

if TYPE_CHECKING:
    from transformers import PretrainedConfig

_BLOCK = 64
"""Weights that share one 4-bit scale. On a CPU they are read back wrongly where a row of weights ends inside one."""


@dataclass(frozen=True)
class Estimate:
    """What a model would take."""

    parameters: int
    """Number of weights, shared ones counted once."""
    bytes: dict[Precision, int]
    """Bytes of the weights at each precision that can be had."""


def estimate(config: PretrainedConfig, auto_class: str = "AutoModelForCausalLM", *, device: str = "cpu") -> Estimate:
    """Count the weights of the network that `config` describes, and their bytes at each precision."""
    import transformers
    from transformers.pytorch_utils import Conv1D

    with torch.device("meta"):
        network = getattr(transformers, auto_class).from_config(config)
    head = network.get_output_embeddings()
    projections = [
        module for module in network.modules() if type(module) in {torch.nn.Linear, Conv1D} and module is not head
    ]
    total = sum(p.numel() for p in network.parameters())
    quantized = sum(module.weight.numel() for module in projections)
    scales = sum(map(outputs, projections))
    rest = (total - quantized) * (2 if device == "cuda" else 4)
    sizes = {
        Precision.FLOAT32: 4 * total,
        Precision.BFLOAT16: 2 * total,
        Precision.FLOAT16: 2 * total,
        # One float32 scale for each output.
        Precision.INT8: rest + quantized + 4 * scales,
        # Half a byte, an 8-bit scale for each 64 weights, and a float32 scale for each 256 of those.
        Precision.NF4: rest + quantized // 2 + quantized // _BLOCK + quantized // (_BLOCK * 256) * 4,
    }
    if not projections:
        del sizes[Precision.INT8], sizes[Precision.NF4]
    elif device == "cpu" and any(inputs(module) % _BLOCK for module in projections):
        del sizes[Precision.NF4]
    return Estimate(total, sizes)


def estimate_model(name: str, *, device: str = "cpu") -> Estimate:
    """What the model called `name` would take: from the catalogue, or from the configuration in its folder.

    Raises:
        ModelNotFound: if it is neither in the catalogue nor on this machine.
        UnsupportedModel: if its configuration cannot be read.
    """
    from neuronscope.models import hub
    from neuronscope.models.adapters import base_of, is_adapter
    from neuronscope.models.catalogue import CATALOGUE, DEMO_PREFIX, demo_folder
    from neuronscope.models.checkpoint import checkpoint
    from neuronscope.models.families import auto_class, family_of
    from neuronscope.models.folders import examine
    from neuronscope.models.refusals import refusing

    known = next((entry for entry in CATALOGUE if entry.name == name and not entry.demo), None)
    if known is not None:
        config = known.config()
    else:
        folder = demo_folder(name) if name.startswith(DEMO_PREFIX) else Path(name).expanduser()
        if not folder.exists() and (snapshot := hub.find(*name.split("@", 1))):
            folder = snapshot.folder
        if not folder.exists():
            raise ModelNotFound(
                f"{name} is neither in the catalogue nor on this machine, so its configuration is not known. "
                f"Bring it with `neuronscope models download {name}`."
            )
        if is_adapter(folder):
            return estimate_model(base_of(folder, name), device=device)
        examine(folder, name)
        with refusing(name, "config.json"):
            config = checkpoint(folder, name).config()
    return estimate(config, auto_class(family_of(config, name), config), device=device)
