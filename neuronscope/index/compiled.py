"""Compiling a function for the CPU, and the two instructions for half precision that Numba does not know."""

from __future__ import annotations

import platform
from collections.abc import Callable
from inspect import unwrap
from typing import Any

import numba
from llvmlite import binding, ir
from numba import types
from numba.extending import intrinsic

HAS_HALVES = platform.machine().lower() not in ("x86_64", "amd64") or (
    numba.config.CPU_NAME is None and bool(binding.get_host_cpu_features().get("f16c"))
)
"""Whether this processor turns float32 into float16 and back: without that, functions that do so cannot run."""


def compiled(function: Callable[..., Any]) -> Any:
    """Compile when it is first called, and keep that for other processes; without what else checks its arguments."""
    how, bare = {"nogil": True, "error_model": "numpy"}, unwrap(function)
    try:
        return numba.njit(cache=True, **how)(bare)
    except RuntimeError:  # neither beside this file nor in a cache of the user may anything be written
        return numba.njit(**how)(bare)


@intrinsic
def to_half(_typing: Any, _value: Any) -> Any:
    """The bits of the float16 that is nearest, of two that are as near the even one."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(builder.fptrunc(arguments[0], ir.HalfType()), ir.IntType(16))

    return types.int16(types.float32), generate


@intrinsic
def from_half(_typing: Any, _bits: Any) -> Any:
    """The float16 that has these bits, as float32."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.fpext(builder.bitcast(arguments[0], ir.HalfType()), ir.FloatType())

    return types.float32(types.int16), generate
