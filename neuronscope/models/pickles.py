"""Weights in `pytorch_model.bin`, which older models have alone: pickles, of which nothing but tensors is ever built.

Opened by Python, a pickle may run any code. torch's `weights_only` reads one with a reader of its own that knows
tensors and containers of them, and refuses a file that asks for anything else.
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import torch
from torch import Tensor

from neuronscope.errors import UnsupportedModel


def names(path: Path, name: str) -> set[str]:
    """The names of the tensors in the file at `path` of the model called `name`; their numbers are not read.

    Raises:
        UnsupportedModel: if the file is damaged, or holds anything but tensors by name.
    """
    return set(_opened(path, name, "meta"))


def tensors(path: Path, name: str) -> dict[str, Tensor]:
    """The tensors in the file at `path`, mapped into memory where its format allows it; raises what `names` raises."""
    return _opened(path, name, "cpu")


def _opened(path: Path, name: str, device: str) -> dict[str, Tensor]:
    mapped = device == "cpu" and zipfile.is_zipfile(path)
    try:
        held = torch.load(path, map_location=device, weights_only=True, mmap=mapped)
    except PermissionError as error:
        raise PermissionError(13, "not readable", str(path)) from error
    except Exception as error:
        raise UnsupportedModel(f"{path.name} of {name} {_refusal(path, str(error))}") from error
    if not isinstance(held, dict) or not all(isinstance(tensor, Tensor) for tensor in held.values()):
        raise UnsupportedModel(
            f"{path.name} of {name} holds other things than weights by name. Save the model anew with save_pretrained."
        )
    return held


def _refusal(path: Path, said: str) -> str:
    """What is wrong with a file that torch does not open, after the words `pytorch_model.bin of X`."""
    asked = re.search(r"(?:GLOBAL|Unsupported class|function|global) ([\w.]+\.\w+)", said)
    if "Weights only load failed" in said and asked:
        return (
            f"was not opened: it asks for {asked[1]}, and a file that asks for more than weights can run any code. "
            "Get the model in safetensors, or from somebody you trust."
        )
    with path.open("rb") as file:
        if file.read(40).startswith(b"version https://git-lfs"):
            return "is a Git LFS pointer, not the weights themselves: run git lfs pull."
    return "is damaged or cut short. Copy or download it again."
