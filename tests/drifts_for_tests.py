"""A series of tiny checkpoints whose truth is known, and its drift: made in about a second."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import PreTrainedTokenizerFast

from neuronscope.scope import Workspace
from neuronscope.series import Drift
from neuronscope.settings import Settings
from neuronscope.vocabulary import Neuron
from tests import models_for_tests as tiny
from tests.figures.texts import HOSTILE

MOVED, DIED, SWAPPED = Neuron(1, 5), Neuron(0, 3), (Neuron(2, 6), Neuron(2, 14))
"""What `step-2` did to the base; the first had moved in `step-1`, too, the others not."""
WORDS = [*tiny.WORDS, *(text for text in HOSTILE if text.split() == [text] and text not in tiny.WORDS)]
WORDS += [f"w{i}" for i in range(60 - len(WORDS))]
"""The vocabulary: more tokens than a neuron's list has, some of which a careless figure would run or swallow."""


def checkpoints(folder: Path) -> Path:
    """Write `base`, `run/step-1`, `run/step-2` and `even`, the control, into a folder; returns it."""
    base = tiny.gpt2(vocab_size=len(WORDS))
    with torch.no_grad():
        first = shaken(base, 0.01)
        mlp(first, MOVED.layer).c_fc.bias[MOVED.index] += 1
        last = shaken(first, 0.01)
        mlp(last, MOVED.layer).c_fc.bias[MOVED.index] += 2
        mlp(last, DIED.layer).c_fc.weight[:, DIED.index] = 0
        mlp(last, DIED.layer).c_fc.bias[DIED.index] = -20
        own, (a, b) = mlp(last, SWAPPED[0].layer), (one.index for one in SWAPPED)
        own.c_fc.weight[:, [a, b]] = own.c_fc.weight[:, [b, a]]
        own.c_fc.bias[[a, b]] = own.c_fc.bias[[b, a]]
        own.c_proj.weight[[a, b]] = own.c_proj.weight[[b, a]]
    for name, network in {"base": base, "run/step-1": first, "run/step-2": last, "even": shaken(base, 0.01)}.items():
        network.save_pretrained(folder / name)
        tokenizer().save_pretrained(folder / name)
    return folder


def tokenizer() -> PreTrainedTokenizerFast:
    """One id for each word of WORDS, split at spaces."""
    words = Tokenizer(WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token=WORDS[0]))
    words.pre_tokenizer = WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=words, eos_token=WORDS[0], bos_token=WORDS[0])


def corpus(folder: Path, tokens: int = 720) -> Path:
    """Write a file of random words, 24 to a document."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randint(1, len(WORDS), (tokens // 24, 24), generator=generator).tolist()
    path = folder / "words.txt"
    path.write_text("\n".join(" ".join(WORDS[i] for i in line) for line in drawn))
    return path


def drift(folder: Path) -> Drift:
    """The drift of these checkpoints, with their control."""
    checkpoints(folder)
    workspace = Workspace(Settings(folder / "cache", folder / "data"))
    try:
        scope = workspace.scope(str(folder / "base"), device="cpu")
        return scope.drift(folder / "run", corpus(folder), control=folder / "even", folder=folder / "drift")
    finally:
        workspace.close()


def shaken(network: torch.nn.Module, size: float) -> torch.nn.Module:
    """A copy with noise on every weight."""
    torch.manual_seed(1)
    moved = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in moved.parameters():
            parameter.add_(torch.randn_like(parameter) * size)
    return moved


def mlp(network: torch.nn.Module, layer: int) -> torch.nn.Module:
    """The MLP of a layer of a GPT-2."""
    return network.transformer.h[layer].mlp
