"""Adapters of PEFT (LoRA and its kin): a base model with what a fine-tuning learnt merged into its weights.

An adapter names its base. Merged, the network has the base's own shape, so that its neurons are where they were and
can be compared with them. What changes no weights (prompt and prefix tuning) cannot be merged, and is refused.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from neuronscope.errors import ModelError, ModelNotFound, UnsupportedModel
from neuronscope.models.folders import ADAPTER, CONFIG
from neuronscope.models.precision import Precision
from neuronscope.models.refusals import refusing

if TYPE_CHECKING:
    from neuronscope.models.loading import LoadedModel

_WEIGHTS = "adapter_model.safetensors"


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter and no model."""
    return (folder / ADAPTER).is_file() and not (folder / CONFIG).is_file()


def merged(folder: Path, name: str, load_base: Callable[[str], LoadedModel]) -> LoadedModel:
    """The base of the adapter in `folder`, with the adapter merged into its weights.

    Raises:
        ModelNotFound: if its base cannot be had.
        UnsupportedModel: if it is of a kind that changes no weights, damaged, without safetensors, or its base is held
            in 8 or 4 bits; or where PEFT is not installed.
    """
    asked = base_of(folder, name)
    try:
        base = load_base(asked)
    except ModelError as problem:
        raise ModelNotFound(f"{name} is an adapter of {asked}, which cannot be had: {problem}") from problem
    if Precision(base.card.precision).quantized:
        raise UnsupportedModel(
            f"{name} cannot be merged into weights of {base.card.precision}: they would be rounded again. "
            "Ask for bfloat16 or float32."
        )
    try:
        from peft import PeftModel
    except ImportError:
        raise UnsupportedModel(
            f"{name} is an adapter, and reading those needs PEFT: pip install 'neuronscope[adapters]'."
        ) from None
    with refusing(name, "The adapter"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wrapped = PeftModel.from_pretrained(base.network, folder, is_trainable=False)
        if not hasattr(wrapped, "merge_and_unload") or not hasattr(wrapped.base_model, "merge_and_unload"):
            kind = wrapped.peft_config["default"].peft_type
            raise UnsupportedModel(f"{name} is an adapter of the kind {kind}, which changes no weights of its model.")
        network = wrapped.merge_and_unload(safe_merge=True)
    return replace(base, network=network)


def base_of(folder: Path, name: str) -> str:
    """The name or folder of the model that an adapter was trained on; a relative one is from the adapter's own folder.

    Raises:
        UnsupportedModel: if it names none, or has no weights in safetensors.
    """
    try:
        base = json.loads((folder / ADAPTER).read_text("utf-8"))["base_model_name_or_path"]
    except (OSError, ValueError, KeyError, TypeError):
        base = None
    if not isinstance(base, str) or not base:
        raise UnsupportedModel(f"{name} is an adapter whose {ADAPTER} names no model that it belongs to.")
    if not (folder / _WEIGHTS).is_file():
        raise UnsupportedModel(f"{name} is an adapter and has no {_WEIGHTS}: save it with safetensors.")
    beside = folder / base
    return str(beside.resolve()) if base.startswith(".") and beside.is_dir() else base
