"""The weights of a network wherever they are, also where accelerate has spread it over more than one device.

A part for which there was no room on a GPU waits in memory or in a file, and a hook of accelerate's brings it in for
its turn at every pass. Meanwhile its module holds a weight of the right shape on torch's `meta` device, without
numbers: they are read from where the hook keeps them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

DISK = "disk"
"""The place of a weight that is read from a file at every pass."""


@dataclass(frozen=True)
class Held:
    """One parameter of a network."""

    name: str
    """Its name in the network."""
    module: nn.Module
    """The module it is of."""
    leaf: str
    """Its name there."""

    @property
    def parameter(self) -> nn.Parameter:
        """The parameter that the module holds, with numbers or without."""
        return getattr(self.module, self.leaf)

    @property
    def place(self) -> str:
        """The device that holds its numbers, or `disk`."""
        if not _is_away(self.parameter):
            return str(self.parameter.device)
        kept = _keeper(self.module, self.leaf)
        prefix, kept = getattr(kept, "prefix", ""), getattr(kept, "dataset", kept)
        in_memory = getattr(kept, "state_dict", kept)
        return "cpu" if f"{prefix}{self.leaf}" in in_memory else DISK

    def read(self) -> Tensor:
        """Its numbers."""
        found = weight(self.module, self.leaf)
        assert found is not None, "a parameter is never None"
        return found


def weight(module: Any, name: str = "weight") -> Tensor | None:
    """A weight of `module` with its numbers, on the device or in the file where they are; None where it has none."""
    held = getattr(module, name, None)
    if held is None or not _is_away(held):
        return None if held is None else held.detach()
    return _keeper(module, name)[name].detach().to(held.dtype)


def computes_on(module: Any) -> torch.device:
    """The device on which `module` does its part of a pass."""
    held = module.weight
    if not _is_away(held):
        return held.device
    place = next(hook.execution_device for hook in _hooks(module) if hook.execution_device is not None)
    return torch.device(place)


def is_spread(network: nn.Module) -> bool:
    """Whether parts of `network` are on different devices, or away from the one they compute on."""
    return len({held.place for held in parameters(network)}) > 1 or any(map(_is_away, network.parameters()))


def parameters(network: nn.Module) -> Iterator[Held]:
    """Every parameter once, also those of which two modules hold the same."""
    # A hook that sends a shared weight away leaves an empty one of its own in each module.
    shared = getattr(network, "all_tied_weights_keys", None) or {}
    for name, parameter in network.named_parameters():
        if name in shared and _is_away(parameter):
            continue
        path, _, leaf = name.rpartition(".")
        yield Held(name, network.get_submodule(path), leaf)


def _is_away(held: Tensor) -> bool:
    return held.device.type == "meta"


def _keeper(module: nn.Module, name: str) -> Any:
    """The map in which a hook of `module` keeps the weight called `name`."""
    return next(hook.weights_map for hook in _hooks(module) if hook.offload and name in hook.weights_map)


def _hooks(module: nn.Module) -> list[Any]:
    from accelerate.hooks import AlignDevicesHook

    first = getattr(module, "_hf_hook", None)
    return [hook for hook in getattr(first, "hooks", (first,)) if isinstance(hook, AlignDevicesHook)]
