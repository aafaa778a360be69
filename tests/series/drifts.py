"""Tiny models on disk, as a base and its checkpoints, and texts to compare them on."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import torch

from tests.models_for_tests import WORDS, gpt2, tokenizer
from tests.texts_for_tests import written


def texts(folder: Path, documents: int = 60, seed: int = 0) -> Path:
    """Random words of the tiny vocabulary, and documents of one word, which fill batches in which nothing counts."""
    rng = np.random.default_rng(seed)
    lines = [" ".join(rng.choice(WORDS[1:], rng.integers(5, 40))) for _ in range(documents)]
    lines += ["the"] * 1100
    return written(folder, lines)


def saved(folder: Path, network: torch.nn.Module) -> Path:
    """A model as a training run saves it."""
    network.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def series(folder: Path) -> Path:
    """`base`, and `runs` with checkpoint-5 (the same), checkpoint-20 (one neuron's weights), checkpoint-100 (all)."""
    network = gpt2()
    saved(folder / "base", network)
    saved(folder / "runs" / "checkpoint-5", network)
    one = copy.deepcopy(network)
    with torch.no_grad():
        one.transformer.h[1].mlp.c_fc.weight[:, 7] *= -1
    saved(folder / "runs" / "checkpoint-20", one)
    every = copy.deepcopy(network)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in every.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    saved(folder / "runs" / "checkpoint-100", every)
    return folder
