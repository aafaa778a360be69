"""What this process, its models and the machine hold, now."""

from __future__ import annotations

import contextlib
import ctypes
from dataclasses import dataclass


@dataclass(frozen=True)
class Gpu:
    """One GPU's memory, in bytes."""

    name: str
    """What it is called."""
    used: int
    """Held by anyone."""
    free: int
    """Free now."""
    total: int
    """All of it."""


@dataclass(frozen=True)
class Memory:
    """The machine's memory, in bytes."""

    process: int
    """Held by this process, models included."""
    models: int
    """Held by the weights of its models, on any device."""
    available: int
    """What could still be taken without swapping."""
    total: int
    """All of it."""
    gpus: tuple[Gpu, ...]
    """Every GPU that torch sees."""


def trim() -> None:
    """Return to the machine what the C library keeps of freed memory, which can be many times what is in use."""
    with contextlib.suppress(OSError, AttributeError):  # only the GNU C library has malloc_trim
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def memory(models: int) -> Memory:
    """Measure now; `models` is the number of bytes the caller's models hold."""
    import psutil

    machine = psutil.virtual_memory()
    return Memory(psutil.Process().memory_info().rss, models, machine.available, machine.total, tuple(_gpus()))


def _gpus() -> list[Gpu]:
    import torch

    found = []
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        found.append(Gpu(torch.cuda.get_device_name(index), total - free, free, total))
    return found
