"""A model's folder, looked over before any of it is loaded: what is missing, damaged or not for us, in one sentence.

Only names, `config.json` and the headers of weight files are read, so this takes milliseconds for a model of any size.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from neuronscope.errors import ModelNotFound, UnsupportedModel

CONFIG = "config.json"
ADAPTER = "adapter_config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
OLDER_WEIGHTS = "pytorch_model.bin"
OLDER_INDEX = "pytorch_model.bin.index.json"
_VOCABULARIES = ("tokenizer.json", "vocab.json", "vocab.txt")
_VOCABULARY_ENDINGS = (".model", ".tiktoken")
_WEIGHT_ENDINGS = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".pkl", ".msgpack", ".h5")
_FETCH_AGAIN = "Copy or download it again."
_READ_AS_ANOTHER = ("qwen",)
"""Kinds of network that transformers lacks and that are read as one it has."""
_NUMBERS = ("float32", "bfloat16", "float16", "float64", "auto")
_SAVE_AGAIN = "Give the folder that save_pretrained wrote."


def examine(folder: Path, name: str, *, trust_remote_code: bool = False) -> None:
    """Raise the one sentence that says why the model in `folder` could not be loaded, if that can be seen beforehand.

    Args:
        folder: Where its files are.
        name: What it is called in the sentence.
        trust_remote_code: Whether code that comes with it may run.

    Raises:
        ModelNotFound: if there is no folder, or no model in it.
        UnsupportedModel: if its configuration, weights or tokenizer are missing, damaged or of a kind we do not read.
    """
    _is_a_folder(folder, name)
    try:
        _configuration(folder, name, trust_remote_code=trust_remote_code)
        _weights(folder, name)
        if not has_tokenizer(path.name for path in folder.iterdir()):
            raise UnsupportedModel(
                f"{name} has no tokenizer: its folder holds none of {', '.join(_VOCABULARIES)}. "
                "Save the model's tokenizer there with tokenizer.save_pretrained."
            )
    except PermissionError as error:
        at = Path(error.filename or folder).name
        raise UnsupportedModel(
            f"{name} cannot be read: this user may not open {at}. Change its permissions."
        ) from error


def is_whole(folder: Path) -> bool:
    """Whether `folder` holds a configuration, every weight file that it speaks of and a tokenizer."""
    names = {path.name for path in folder.iterdir() if path.exists()}
    if CONFIG not in names or not has_tokenizer(names):
        return False
    held = weights_among(names)
    if held is None or not held.endswith(".json"):
        return held is not None
    try:
        shards = set(json.loads((folder / held).read_text(encoding="utf-8"))["weight_map"].values())
    except (ValueError, KeyError, AttributeError, TypeError):
        return False
    return shards <= names


def has_tokenizer(names: Iterable[str]) -> bool:
    """Whether a vocabulary is among these file names."""
    return any(name in _VOCABULARIES or name.endswith(_VOCABULARY_ENDINGS) for name in names)


def weights_among(names: Iterable[str]) -> str | None:
    """The file, among these names, to read weights from: one or an index of several, safetensors before pickles."""
    names = set(names)
    return next((name for name in (WEIGHTS, INDEX, OLDER_WEIGHTS, OLDER_INDEX) if name in names), None)


def _is_a_folder(folder: Path, name: str) -> None:
    if not folder.is_dir():
        if folder.is_file():
            raise ModelNotFound(f"No model in {name}: that is a file. Give the folder in which it lies.")
        found = "that link leads nowhere" if os.path.lexists(folder) else "there is no such folder"
        raise ModelNotFound(f"No model in {name}: {found}. {_SAVE_AGAIN}")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise ModelNotFound(f"No model in {name}: this user may not look into that folder. Change its permissions.")
    if not (folder / CONFIG).exists():
        raise ModelNotFound(f"No model in {name}: {_instead_of_a_model(folder)}")


def _instead_of_a_model(folder: Path) -> str:
    inside = sorted(folder.iterdir())
    if not inside:
        return f"that folder is empty. {_SAVE_AGAIN}"
    without = f"that folder has no {CONFIG}"
    if any(path.suffix == ".gguf" for path in inside):
        return f"{without}, only GGUF weights, which are not read. Give the model they were made from."
    models = [path.name for path in inside if (path / CONFIG).is_file()]
    if models:
        return f"{without}, but folders that have: {', '.join(models[:6])}. Give one of these."
    return f"{without}. {_SAVE_AGAIN}"


def _configuration(folder: Path, name: str, *, trust_remote_code: bool) -> None:
    config = _json(folder / CONFIG, name)
    kind = config.get("model_type")
    if not isinstance(kind, str):
        raise UnsupportedModel(
            f"{name} cannot be read: its {CONFIG} does not say what kind of network it is, as model_type. {_SAVE_AGAIN}"
        )
    numbers = config.get("dtype", config.get("torch_dtype"))
    if numbers is not None and str(numbers).removeprefix("torch.") not in _NUMBERS:
        raise UnsupportedModel(
            f"{name} cannot be read: its {CONFIG} says that its weights are {numbers!r}, which is no type of numbers. "
            f"Correct dtype there, to one of {', '.join(_NUMBERS[:4])}."
        )
    if config.get("quantization_config"):
        method = config["quantization_config"]
        method = method.get("quant_method", "quantized") if isinstance(method, dict) else "quantized"
        raise UnsupportedModel(
            f"The weights of {name} are quantized already ({method}). "
            "Give the full-precision model and ask for int8 or nf4, which are made as it is loaded."
        )
    if not _is_known(kind) and not trust_remote_code:
        raise UnsupportedModel(f"{name} cannot be read: {_unknown(kind, own_code='auto_map' in config)}")


def _is_known(kind: str) -> bool:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    from neuronscope.models.families import FAMILIES

    known = any(kind in family.model_types for family in FAMILIES)
    return known or kind in CONFIG_MAPPING_NAMES or kind in _READ_AS_ANOTHER


def _unknown(kind: str, *, own_code: bool) -> str:
    import transformers

    if own_code:
        return (
            f"{kind!r} is a network that comes with code of its own, and no code from a checkpoint is run unasked. "
            "If you have read that code and trust it, load with trust_remote_code=True in Python."
        )
    return (
        f"{kind!r} is a kind of network that transformers {transformers.__version__} does not know. "
        "A newer version may; if it is a misspelling, correct model_type in config.json."
    )


def _weights(folder: Path, name: str) -> None:
    names = [path.name for path in folder.iterdir() if path.exists()]
    held = weights_among(names)
    if held is None:
        raise UnsupportedModel(without_weights(name, names))
    if held.endswith(".json"):
        _shards(folder, name, held)
    else:
        _tensors(folder / held, name)


def without_weights(name: str, names: Iterable[str]) -> str:
    """The sentence about a model whose files, of these names, hold no weights that we read."""
    others = [each for each in sorted(names) if each.endswith(_WEIGHT_ENDINGS) and not each.startswith("training_args")]
    if others:
        return (
            f"{name} has no {WEIGHTS}, no {OLDER_WEIGHTS} and no index of shards of these, only {others[0]}. "
            "Save the model anew with save_pretrained."
        )
    return f"{name} has no weights: there is no {WEIGHTS}. Copy it there, or save the model anew with save_pretrained."


def _shards(folder: Path, name: str, index: str) -> None:
    where = _json(folder / index, name).get("weight_map")
    if not isinstance(where, dict) or not all(isinstance(shard, str) for shard in where.values()):
        raise UnsupportedModel(f"{name} cannot be read: {index} does not say where each tensor is. {_FETCH_AGAIN}")
    for shard in sorted(set(where.values())):
        if Path(shard).name != shard:
            raise UnsupportedModel(f"{name} cannot be read: {index} points outside its folder, at {shard}.")
        if not (folder / shard).exists():
            raise UnsupportedModel(f"The weights of {name} are not complete: {shard} is missing. {_FETCH_AGAIN}")
        held = _tensors(folder / shard, name)
        absent = sorted(tensor for tensor, at in where.items() if at == shard and tensor not in held)
        if absent:
            raise UnsupportedModel(
                f"The weights of {name} are not complete: {index} says that {absent[0]} is in {shard}, "
                f"where it is not. {_FETCH_AGAIN}"
            )


def _tensors(path: Path, name: str) -> set[str]:
    """The names of the tensors in a file of weights, whose header and length are checked."""
    from safetensors import SafetensorError, safe_open

    if path.suffix != ".safetensors":
        from neuronscope.models import pickles

        return pickles.names(path, name)
    try:
        with safe_open(path, framework="np") as file:
            return set(file.keys())
    except (SafetensorError, OSError) as error:
        if isinstance(error, PermissionError) or not os.access(path, os.R_OK):
            raise PermissionError(13, "not readable", str(path)) from error
        raise UnsupportedModel(f"{path.name} of {name} {_damage(path)}") from error


def _damage(path: Path) -> str:
    """What is wrong with a file that safetensors does not open, after the words `model.safetensors of X`."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(64)
        length = int.from_bytes(start[:8], "little")
        if start.startswith(b"version https://git-lfs"):
            return "is a Git LFS pointer, not the weights themselves: run git lfs pull."
        if 8 + length > size or size < 8:
            looks_like_one = size < 8 or start[8:9] == b"{"
            what = "is cut short: not even its header is whole" if looks_like_one else "is no safetensors file"
            return f"{what}. {_FETCH_AGAIN}"
        file.seek(8)
        stated = _stated_end(file.read(length))
    if stated is None:
        return f"is damaged: its header cannot be read. {_FETCH_AGAIN}"
    held = size - 8 - length
    if stated > held:
        return f"is cut short: it holds {held:,} bytes of weights, and its header speaks of {stated:,}. {_FETCH_AGAIN}"
    return f"is damaged: its header does not fit the weights in it. {_FETCH_AGAIN}"


def _stated_end(header: bytes) -> int | None:
    try:
        entries = [entry for key, entry in json.loads(header).items() if key != "__metadata__"]
        return max((int(entry["data_offsets"][1]) for entry in entries), default=0)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return None


def _json(path: Path, name: str) -> dict[str, Any]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except IsADirectoryError as error:
        raise UnsupportedModel(f"{name} cannot be read: its {path.name} is a folder.") from error
    except ValueError as error:
        where = f"line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else "not text"
        raise UnsupportedModel(
            f"{name} cannot be read: its {path.name} is not valid JSON ({where}). {_FETCH_AGAIN}"
        ) from error
    if not isinstance(read, dict):
        raise UnsupportedModel(f"{name} cannot be read: its {path.name} holds no JSON object. {_FETCH_AGAIN}")
    return read
