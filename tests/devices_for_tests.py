"""Devices that are not there: tensors that live on the CPU, say that they are on `fake:0`, and do not mix with others.

torch lets a tensor class stand for a device in Python. As on a GPU, an operation on tensors of two devices is an error,
numbers have to be brought over, and single numbers and indices of the CPU may take part.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cache
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

_MOVES = {"_to_copy", "copy_", "to", "index", "index_put_", "embedding_renorm_"}


@cache
def _register() -> None:
    from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

    _setup_privateuseone_for_python_backend("fake")
    # It cannot be taken back, and a later test's `auto` would take a fake device for the machine's accelerator.
    torch.accelerator.is_available = torch.cuda.is_available
    for name in ("empty_strided", "empty.memory_format"):  # what torch makes for itself, as for an index
        packet, _, overload = name.partition(".")
        made = getattr(getattr(torch.ops.aten, packet), overload or "default")
        torch.library.impl(f"aten::{name}", "PrivateUse1")(lambda *a, made=made, **k: _run(made, a, k))
    torch.library.impl("aten::_copy_from", "PrivateUse1")(
        lambda a, b, *_: _run(torch.ops.aten.copy_.default, (b, a), {})
    )


class Elsewhere(torch.Tensor):
    """A tensor on a fake device."""

    raw: torch.Tensor

    @staticmethod
    def __new__(
        cls, raw: torch.Tensor, device: torch.device | None = None, requires_grad: bool = False
    ) -> torch.Tensor:
        if device is None:  # accelerate makes parameters of the class of those it replaces
            return torch.nn.Parameter(raw, requires_grad)
        made = torch.Tensor._make_wrapper_subclass(
            cls, raw.size(), strides=raw.stride(), storage_offset=raw.storage_offset(), dtype=raw.dtype, device=device
        )
        made.raw = raw
        return made

    def __repr__(self, **_how: Any) -> str:
        return f"{self.raw!r} on {self.device}"

    def data_ptr(self) -> int:
        return self.raw.data_ptr()

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _Fakes(TorchDispatchMode):
    """Catches what would put an ordinary tensor on a fake device."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


@contextlib.contextmanager
def fake_devices() -> Iterator[None]:
    """Within this context `fake:0`, `fake:1` and so on are devices."""
    _register()
    with _Fakes():
        yield


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    tensors = [each for each in tree_flatten((args, kwargs))[0] if isinstance(each, torch.Tensor)]
    name = func.overloadpacket.__name__
    devices = {each.device for each in tensors if each.dim() or isinstance(each, Elsewhere)}
    if len(devices) > 1 and name not in _MOVES:
        raise RuntimeError(f"{name}: tensors on different devices, {sorted(map(str, devices))}")
    named = [*args, kwargs.get("device")]
    asked = next((torch.device(each) for each in named if isinstance(each, torch.device | str)), None)
    home = asked or next((each.device for each in tensors if isinstance(each, Elsewhere)), None)
    if asked is None and tensors and name in _MOVES:
        home = tensors[0].device
    found = func(*tree_map(_raw, args), **tree_map(_raw, kwargs))
    if func._schema.is_mutable and tensors and found is _raw(tensors[0]):
        return tensors[0]
    if home is None or home.type != "fake":
        return found
    # Views of ordinary tensors stay ordinary where others are made for inference.
    is_view = any(each.alias_info for each in func._schema.returns)
    with torch.inference_mode(torch.is_inference_mode_enabled() and not (is_view and not tensors[0].is_inference())):
        return tree_map(lambda each: Elsewhere(each, home) if isinstance(each, torch.Tensor) else each, found)


def _raw(value: Any) -> Any:
    if isinstance(value, torch.device) and value.type == "fake":
        return torch.device("cpu")
    return value.raw if isinstance(value, Elsewhere) else value
