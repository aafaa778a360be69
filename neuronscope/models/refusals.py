"""Why a model is refused while it is loaded, in one sentence: what a library raised, and what it only warned of.

transformers fills a tensor that a checkpoint lacks with random numbers and says so in its log; here that is an error.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch

from neuronscope.errors import ModelDoesNotFit, NeuronScopeError, UnsupportedModel
from neuronscope.jobs import Cancelled
from neuronscope.models.offloaded import parameters

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

_UNREAD = ("pooler.",)
"""Parts of a network that no answer of ours depends on: a checkpoint may lack them."""


@contextlib.contextmanager
def refusing(name: str, part: str) -> Iterator[None]:
    """Turn whatever a library raises while it reads `part` of the model called `name` into one sentence.

    Raises:
        ModelDoesNotFit: if memory ran out.
        UnsupportedModel: for everything else; the library's own error is its cause.
    """
    try:
        yield
    except (NeuronScopeError, Cancelled):
        raise
    except Exception as error:
        if _is_out_of_memory(error):
            raise ModelDoesNotFit(
                f"Memory ran out while {name} was loaded. Ask for bfloat16, int8 or nf4, or choose a smaller model."
            ) from error
        raise UnsupportedModel(f"{part} of {name} cannot be read: {_said(error)} {_what_then()}") from error


@contextlib.contextmanager
def unreported() -> Iterator[None]:
    """Keep two things out of the log: the table of missing tensors, for `check_weights` says it, and which parts of a
    network wait away from their device, for its card does."""
    logs = [logging.getLogger(name) for name in ("transformers.modeling_utils", "accelerate.big_modeling")]

    def keep(record: logging.LogRecord) -> bool:
        return not any(part in record.getMessage() for part in ("LOAD REPORT", "are on the meta device"))

    for log in logs:
        log.addFilter(keep)
    try:
        yield
    finally:
        for log in logs:
            log.removeFilter(keep)


def check_configuration(name: str, config: PretrainedConfig) -> None:
    """Raise `UnsupportedModel` for a network that has no layer."""
    layers = getattr(config, "num_hidden_layers", 1)
    if not isinstance(layers, int) or layers < 1:
        raise UnsupportedModel(
            f"{name} has no layer to look at: its config.json says num_hidden_layers is {layers}. Correct that number."
        )


def check_weights(name: str, network: PreTrainedModel, info: dict[str, Any]) -> None:
    """Raise `UnsupportedModel` unless every weight of `network` came from its checkpoint and is a finite number.

    `info` is what `from_pretrained(..., output_loading_info=True)` returns beside the network.
    """
    if info["error_msgs"]:
        raise UnsupportedModel(f"The weights of {name} cannot be read: {info['error_msgs'][0].splitlines()[0]}")
    if wrong := sorted(info["mismatched_keys"]):
        tensor, held, wanted = wrong[0]
        raise UnsupportedModel(
            f"The weights of {name} do not fit its config.json: {tensor}{_and_others(wrong)} is {_shape(held)} "
            f"where {_shape(wanted)} is expected. The two are of different models: fetch both anew."
        )
    if missing := sorted(key for key in info["missing_keys"] if not any(part in key for part in _UNREAD)):
        raise UnsupportedModel(
            f"The weights of {name} are not complete: without {missing[0]}{_and_others(missing)} it would be filled up "
            "with random numbers. Save or fetch the model anew, with its head."
        )
    modules, prefix = dict(network.named_modules()), network.base_model_prefix
    if extra := sorted(key for key in info["unexpected_keys"] if _changes_the_network(modules, prefix, key)):
        raise UnsupportedModel(
            f"The weights of {name} hold more than its config.json describes: {extra[0]}{_and_others(extra)} would be "
            "left out, and the network would be another one. Fetch the config.json that belongs to these weights."
        )
    if broken := _not_finite(network):
        raise UnsupportedModel(
            f"The weights of {name} hold numbers that are not finite, as in {broken}. The file is damaged, its "
            "training failed, or float16 is too small for it: try float32 or another checkpoint."
        )


def check_tokenizer(name: str, tokenizer: PreTrainedTokenizerFast, network: PreTrainedModel) -> None:
    """Raise `UnsupportedModel` for a tokenizer that cannot say what a token stands for, or knows more than the network.

    Special tokens beyond the embedding are let pass: published models have some that no text makes.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise UnsupportedModel(
            f"The tokenizer of {name} ({type(tokenizer).__name__}) cannot say which characters a token stands for. "
            "Put a fast one beside the model: a tokenizer.json."
        )
    held = network.get_input_embeddings().weight.shape[0]
    added = tokenizer.added_tokens_decoder
    beyond = sorted((id_, token) for token, id_ in tokenizer.get_vocab().items() if id_ >= held and id_ not in added)
    if beyond:
        largest, token = beyond[-1]
        raise UnsupportedModel(
            f"The tokenizer of {name} is not this model's: it gives {token!r} the id {largest}, and the network knows "
            f"{held} tokens. Put the tokenizer that the model was trained with beside it."
        )


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error)


def _said(error: Exception) -> str:
    """What a library's error tells, as one sentence."""
    if isinstance(error, KeyError):
        return f"transformers finds no {error}."
    if isinstance(error, json.JSONDecodeError):
        return f"it is not valid JSON (line {error.lineno}, column {error.colno})."
    if isinstance(error, ZeroDivisionError):
        return "a size that must not be zero is."
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    # Validation errors put what is wrong on their last line, other errors on their first.
    telling = lines[-1] if "validation error" in lines[0].lower() else lines[0]
    return re.sub(r"^\w+(Error|Exception): ", "", telling).rstrip(" :.") + "."


def _what_then() -> str:
    import transformers

    return f"It may be damaged, or written for another transformers than {transformers.__version__}: fetch it again."


def _and_others(tensors: list[Any]) -> str:
    return f" (and {len(tensors) - 1} more)" if len(tensors) > 1 else ""


def _shape(shape: Any) -> str:
    return " × ".join(str(size) for size in shape) or "one number"


def _changes_the_network(modules: dict[str, torch.nn.Module], prefix: str, key: str) -> bool:
    """Whether a tensor that was left out is one of a further layer, or of a module that stands there without it.

    `modules` are the network's by their paths, and `prefix` is what the base model is called in it: a checkpoint of the
    whole network may be read into the base model, or the other way round.
    """
    for name in (key, key.removeprefix(f"{prefix}."), f"{prefix}.{key}"):
        path, _, kind = name.rpartition(".")
        module = modules.get(path)
        if hasattr(module, "weight") and getattr(module, kind, None) is None:
            return True
        layer = re.match(r"(.*?)\.(\d+)\.", name)
        layers = modules.get(layer[1]) if layer else None
        if layer and isinstance(layers, torch.nn.ModuleList) and int(layer[2]) >= len(layers):
            return True
    return False


def _not_finite(network: PreTrainedModel) -> str | None:
    """The name of a parameter that holds a NaN or an infinity, found in its extremes at the speed of memory."""
    for held in parameters(network):
        values = held.read()
        if values.is_floating_point() and values.numel():
            least, most = values.aminmax()
            if not (torch.isfinite(least) and torch.isfinite(most)):
                return held.name
    return None
