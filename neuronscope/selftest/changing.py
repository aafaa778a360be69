"""The hand-built GPT-2 with a few of its neurons changed, in a different way each."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_model

if TYPE_CHECKING:
    from transformers import GPT2LMHeadModel

    from neuronscope.demo.planted import Planted


def _opposed(network: GPT2LMHeadModel, neuron: int) -> None:
    network.transformer.h[0].mlp.c_fc.weight[:, neuron] *= -1


def _shifted(network: GPT2LMHeadModel, neuron: int) -> None:
    network.transformer.h[0].mlp.c_fc.bias[neuron] += 2


def _scaled(network: GPT2LMHeadModel, neuron: int) -> None:
    network.transformer.h[0].mlp.c_fc.weight[:, neuron] *= 2


CHANGED: dict[int, Callable[[GPT2LMHeadModel, int], None]] = {0: _opposed, 1: _shifted, 2: _scaled}
"""Which neurons are changed, and how."""


def saved(planted: Planted, folder: Path) -> tuple[Path, Path, Path]:
    """The model as it is, once more as it is, and changed, in folders as a training run leaves them."""
    changed = copy.deepcopy(planted.network)
    with torch.no_grad():
        for neuron, change in CHANGED.items():
            change(changed, neuron)
    networks = {"base": planted.network, "step-1": planted.network, "step-2": changed}
    for name, network in networks.items():
        network.config.save_pretrained(folder / name)
        save_model(network, str(folder / name / "model.safetensors"), metadata={"format": "pt"})
        planted.tokenizer.save_pretrained(folder / name)
    base, same, other = (folder / name for name in networks)
    return base, same, other
