"""The precisions a model can be held in: how to choose one, how to load it, how to read its weights back.

float16 on a CPU costs several times a float32 forward: it is never chosen there, only taken when asked for. int8 and
nf4 are bitsandbytes' 8-bit and 4-bit weights (NF4 with double quantization). Activations stay in the compute type,
except that int8 products go through float16.

Weights are quantized one after another as they are read. On a CPU bitsandbytes makes float32 and int32 copies of the
one at hand, some 20 bytes for each of its numbers: loading takes the result and these of the largest projection (1.14
times the result where a model of 1.1 billion weights is made nf4, 1.10 times where int8), and the first pass some 70 MB
more, whatever the model, because bitsandbytes has its 4-bit arithmetic compiled then.
"""

from __future__ import annotations

import importlib.util
import logging
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from neuronscope.errors import InputError, ModelDoesNotFit
from neuronscope.models.offloaded import computes_on, parameters, weight

if TYPE_CHECKING:
    from transformers import PretrainedConfig


class Precision(StrEnum):
    """How weights are held in memory."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"
    INT8 = "int8"
    """8-bit integers, one scale for each output (bitsandbytes)."""
    NF4 = "nf4"
    """4-bit normal floats, one scale for each 64 weights, the scales quantized too (bitsandbytes)."""
    FLOAT64 = "float64"
    """Only where a program attaches such a model."""

    @property
    def quantized(self) -> bool:
        """Whether weights have to be worked out again before they can be read."""
        return self in {Precision.INT8, Precision.NF4}

    @classmethod
    def of(cls, network: Any) -> Precision:
        """The precision that a network in memory is held in."""
        if getattr(network, "is_loaded_in_4bit", False):
            return cls.NF4
        if getattr(network, "is_loaded_in_8bit", False):
            return cls.INT8
        return cls(str(network.dtype).removeprefix("torch."))


CHOICES: tuple[str, ...] = ("auto", *(each for each in Precision if each is not Precision.FLOAT64))
"""What a person may ask for."""


@dataclass(frozen=True)
class Choice:
    """A precision and the reason for it."""

    precision: Precision
    """What to load in."""
    reason: str
    """Why, in words."""


def choose(
    asked: str, config: PretrainedConfig, device: torch.device, sizes: dict[Precision, int], free: int
) -> Choice:
    """The precision to load in: what was asked, or for `auto` the best that fits; and why.

    `auto` means float32 on a CPU and the checkpoint's own type on a GPU, or the next smaller one that fits: bfloat16,
    int8, nf4. `sizes` are the bytes of the weights at each precision that can be had; a tenth more is asked for what
    runs beside them.

    Raises:
        InputError: for a precision that does not exist, or that cannot be had on this machine.
        ModelDoesNotFit: if the weights would not fit in `free` bytes.
    """
    if asked not in CHOICES:
        raise InputError(f"No precision {asked!r}: choose one of {', '.join(CHOICES)}.")
    if asked != "auto":
        chosen = Precision(asked)
        _can_be_had(chosen, sizes)
        if not _fits(sizes[chosen], free):
            raise ModelDoesNotFit(_does_not_fit(chosen, sizes, free))
        return Choice(chosen, "as asked")
    wanted = [each for each in _from_best(config, device) if each in sizes]
    for chosen in wanted:
        if _fits(sizes[chosen], free):
            best = f"the best that fits: {_gigabytes(sizes[chosen])} of {_gigabytes(free)} free"
            why = best if chosen is not wanted[0] else _why_best(chosen, device)
            return Choice(chosen, f"{why}{_slow(chosen, device)}")
    raise ModelDoesNotFit(_does_not_fit(wanted[-1], sizes, free))


def loading_options(precision: Precision, device: torch.device) -> dict[str, Any]:
    """What `from_pretrained` needs to load in this precision."""
    place = {} if device.type == "cpu" else {"device_map": {"": device}}
    if not precision.quantized:
        return {"dtype": getattr(torch, precision), **place}
    from transformers import BitsAndBytesConfig

    # It would say at every projection of every pass that 8-bit products go through float16: known, and stated above.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    compute = torch.bfloat16 if device.type == "cuda" else torch.float32
    if precision is Precision.INT8:
        config = BitsAndBytesConfig(load_in_8bit=True)
    else:
        config = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=compute,
        )
    return {"dtype": compute, "quantization_config": config, "device_map": {"": device}}


def settle(network: Any) -> None:
    """Make a network that was just loaded keep its weights as they are.

    On some CPUs bitsandbytes lays 4-bit weights out anew at the first forward pass, which not every width allows and
    which drops the double quantization: weights read back afterwards would be other ones.
    """
    for module in network.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def matrix(projection: Any) -> Float[Tensor, "inputs outputs"]:
    """A projection's weights as float32 [inputs, outputs], whichever way round, however and wherever they are held."""
    held = projection.weight
    if _is_quantized(held):
        from transformers.integrations.bitsandbytes import dequantize_bnb_weight

        return dequantize_bnb_weight(held, state=getattr(projection, "state", None)).detach().T.float()
    numbers = weight(projection)
    assert numbers is not None, "a projection has weights"
    return (numbers.T if isinstance(projection, nn.Linear) else numbers).float()


def inputs(projection: Any) -> int:
    """How many inputs a projection has, read off its shape alone."""
    return int(projection.in_features if isinstance(projection, nn.Linear) else projection.weight.shape[0])


def bias(projection: Any) -> Float[Tensor, " outputs"]:
    """A projection's bias as float32, zeros where it has none."""
    held = weight(projection, "bias")
    if held is not None:
        return held.float()
    return torch.zeros(outputs(projection), device=computes_on(projection))


def outputs(projection: Any) -> int:
    """How many outputs a projection has, read off its shape alone."""
    return int(projection.out_features if isinstance(projection, nn.Linear) else projection.weight.shape[1])


def bytes_by_place(network: nn.Module) -> dict[str, int]:
    """Bytes of a network's weights by where they are: shared ones once, with the scales of quantized ones."""
    found: Counter[str] = Counter()
    for held in parameters(network):
        parameter = held.parameter
        found[held.place] += parameter.numel() * parameter.element_size() + _scale_bytes(parameter)
    return dict(found)


def _is_quantized(weight: Any) -> bool:
    return type(weight).__name__ in {"Params4bit", "Int8Params"}


def _scale_bytes(weight: Any) -> int:
    if not _is_quantized(weight):
        return 0
    state = getattr(weight, "quant_state", None)
    nested = getattr(state, "state2", None)
    held = [getattr(weight, "SCB", None), getattr(state, "absmax", None), getattr(nested, "absmax", None)]
    return sum(scale.numel() * scale.element_size() for scale in held if scale is not None)


def _can_be_had(precision: Precision, sizes: dict[Precision, int]) -> None:
    if precision.quantized and importlib.util.find_spec("bitsandbytes") is None:
        raise InputError(
            f"{precision} needs bitsandbytes, which is not installed here. "
            "Install it where it has a build for this machine, or choose bfloat16."
        )
    if precision not in sizes:
        raise InputError(
            f"{precision} cannot be had for this model here: bitsandbytes does not quantize its kind of projection, or "
            "(4-bit on a CPU) would read it back wrongly, as it has not a multiple of 64 inputs. "
            f"Choose one of {', '.join(sizes)}."
        )


def _from_best(config: PretrainedConfig, device: torch.device) -> list[Precision]:
    own = getattr(config, "dtype", None)
    half = Precision.FLOAT16 if own is torch.float16 and device.type == "cuda" else Precision.BFLOAT16
    smaller = [Precision.INT8, Precision.NF4] if importlib.util.find_spec("bitsandbytes") else []
    full = [] if device.type == "cuda" and own in {torch.float16, torch.bfloat16} else [Precision.FLOAT32]
    return [*full, half, *smaller]


def _why_best(chosen: Precision, device: torch.device) -> str:
    return "full precision fits" if chosen is Precision.FLOAT32 else f"the checkpoint's own, on {device.type}"


def _slow(chosen: Precision, device: torch.device) -> str:
    """What to know of a choice that this machine is slow in, nothing of any other."""
    if chosen is not Precision.BFLOAT16 or device.type != "cpu" or computes_bfloat16():
        return ""
    return "; slow here, as this processor has no bfloat16 arithmetic; nf4, less exact, computes in float32"


def computes_bfloat16() -> bool:
    """Whether this machine's processor is fast at products in bfloat16; others take dozens of times as long as float32.

    Those are the ones that oneDNN has no such products for; PyTorch asks it the same.
    """
    has_onednn: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return has_onednn and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _fits(size: int, free: int) -> bool:
    return size * 1.1 <= free


def _does_not_fit(precision: Precision, sizes: dict[Precision, int], free: int) -> str:
    fitting = [f"{each} ({_gigabytes(size)})" for each, size in sizes.items() if _fits(size, free)]
    advice = f"What would fit: {', '.join(fitting)}." if fitting else "No precision fits: choose a smaller model."
    return f"It needs {_gigabytes(sizes[precision])} in {precision} and {_gigabytes(free)} is free. {advice}"


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"
