"""Where a model goes: on one device where one holds it, or over several, in the precision that fits there.

`auto` is a GPU where there is one. What no single GPU holds is spread over all GPUs and the memory by accelerate, which
balances the GPUs and lets what is left wait in memory. `spread` goes further: what the memory does not hold either
is read from the checkpoint's files at every pass, which takes as long as reading them does.

bitsandbytes' weights compute where they are held, so quantized models are spread over GPUs alone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch

from neuronscope.errors import InputError, ModelDoesNotFit
from neuronscope.models.precision import CHOICES, Choice, Precision, choose, loading_options

if TYPE_CHECKING:
    from transformers import PretrainedConfig

SPREAD = "spread"
"""The device to ask for where a model may be spread as far as its files."""
_CPU = torch.device("cpu")


@runtime_checkable
class Room(Protocol):
    """Whoever knows what room there is for a model, and can make some."""

    def most(self, *devices: torch.device) -> int:
        """Bytes of weights that could be had on these devices together, if need be by letting other models go."""

    def make(self, shares: dict[torch.device, int]) -> None:
        """Let models go until each device has room for its share of bytes."""


class Free:
    """Room as it is: nobody makes any."""

    def most(self, *devices: torch.device) -> int:
        """Bytes that are free on these devices."""
        return sum(map(free, devices))

    def make(self, shares: dict[torch.device, int]) -> None:
        """Make none: what was free when it was asked is all there is."""


@dataclass(frozen=True)
class Placement:
    """What to load and where to."""

    choice: Choice
    """How the weights are held, and why."""
    shares: dict[torch.device, int]
    """Bytes of weights to make room for on each device, that of the inputs first."""
    limits: dict[int | str, int] | None = None
    """Of a model that is spread, the most bytes each device may get, by the names that accelerate has for them."""

    @property
    def options(self) -> dict[str, Any]:
        """What `from_pretrained` needs to load it so."""
        options = loading_options(self.choice.precision, next(iter(self.shares)))
        return {**options, "device_map": "balanced", "max_memory": self.limits} if self.limits else options


def place(device: str, precision: str, config: PretrainedConfig, sizes: dict[Precision, int], room: Room) -> Placement:
    """Choose device and precision; `sizes` are the bytes of the weights at each precision that can be had.

    Raises:
        InputError: for a device or precision that does not exist, or that cannot be had on this machine.
        ModelDoesNotFit: if the weights would not fit, with the numbers and what would.
    """
    where = device_named(device)
    if device != SPREAD:
        try:
            choice = choose(precision, config, where, sizes, room.most(where))
            return Placement(choice, {where: sizes[choice.precision]})
        except ModelDoesNotFit:
            if device != "auto" or where.type != "cuda":
                raise
    return _spread(precision, config, sizes, room, on_disk=device == SPREAD)


def device_named(name: str) -> torch.device:
    """The device that a person's word means, the first one for `spread`; raises `InputError` where there is none."""
    if name in {"auto", SPREAD}:
        accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        return accelerator or _CPU
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(f"No device {name!r} on this machine: try auto or cpu.") from error
    return device


def free(device: torch.device) -> int:
    """Bytes that could still be taken on `device`."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    import psutil

    return int(psutil.virtual_memory().available)


def _spread(
    precision: str, config: PretrainedConfig, sizes: dict[Precision, int], room: Room, *, on_disk: bool
) -> Placement:
    refused: Exception = InputError(
        f"{precision} weights are spread over GPUs alone, and there are none. Ask for another precision or device."
    )
    for devices, able in _ways(precision, sizes):
        endless = on_disk and _CPU in devices
        try:
            choice = choose(precision, config, devices[0], able, sys.maxsize if endless else room.most(*devices))
        except ModelDoesNotFit as error:
            refused = error
            continue
        # Beside the weights a tenth is left free, as everywhere.
        most = {device: int(room.most(device) / 1.1) for device in devices}
        shares, left = {}, sizes[choice.precision]
        for device in devices:
            # Balancing them, accelerate may want any part of any GPU; the memory gets what they do not hold.
            shares[device] = most[device] if device.type == "cuda" else min(most[device], max(left, 0))
            left -= shares[device]
        limits = {device.index if device.type == "cuda" else device.type: size for device, size in most.items()}
        return Placement(choice, shares, limits)
    raise refused


def _ways(precision: str, sizes: dict[Precision, int]) -> Iterator[tuple[list[torch.device], dict[Precision, int]]]:
    """Devices to spread over and the precisions that can be held there, the fastest first."""
    gpus = [torch.device("cuda", index) for index in range(torch.cuda.device_count())]
    if gpus:
        yield gpus, sizes
    if precision not in CHOICES or precision == "auto" or not Precision(precision).quantized:
        yield [*gpus, _CPU], {each: size for each, size in sizes.items() if not each.quantized}
