"""The two ways to do what costs a scan time: compiled for a CPU, and with PyTorch for whatever else a layer is on."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Float16, Int32, Int64, Integer
from torch import Tensor

from neuronscope.index import on_cpu, on_gpu
from neuronscope.index.compiled import HAS_HALVES
from neuronscope.index.plan import Batch
from neuronscope.index.tops import Peaks, Tops


@runtime_checkable
class Way(Protocol):
    """What `on_cpu` and `on_gpu` both hold; float32 where nothing else is said."""

    def moments(
        self,
        values: Float[Tensor, "windows tokens neurons"],
        gate: Float[Tensor, "windows tokens neurons"] | None,
        batch: Batch,
        centre: Float[Tensor, " neurons"],
        sums: Float[Tensor, "8 neurons"],
        sketch: Float[Tensor, "buckets neurons"],
        found: Peaks,
    ) -> None:
        """Take in the tokens that count: their powers, their sketch and their peaks.

        `sums` are float64: of the first four powers about `centre`, of |a|, and how often a > 0; of a gated MLP also
        how often the gate is open, and how often a > 0 then. To `sketch` each token adds a - centre times its sign.
        """

    def strongest(
        self, values: Float[Tensor, "windows tokens neurons"], batch: Batch, found: Peaks, case: int, top: Tops
    ) -> None:
        """Put a case's peaks among the strongest contexts where they belong there."""

    def add_rows(
        self,
        values: Float[Tensor, "tokens neurons"],
        places: Int64[Tensor, " n"],
        slots: Int64[Tensor, " n"],
        sums: Float[Tensor, "slots neurons"],
        maxima: Float[Tensor, "slots neurons"] | None,
    ) -> None:
        """Add the rows of `values` at `places` to the sums of their slots, and raise the maxima to them."""

    def count_rows(
        self,
        bins: Int64[Tensor, "tokens neurons"],
        keys: Int64[Tensor, " tokens"],
        values: Float16[Tensor, "tokens neurons"],
        counts: Int32[Tensor, "bins neurons"],
        examples: Int64[Tensor, "bins neurons"],
        shown: Float16[Tensor, "bins neurons"],
    ) -> None:
        """Count every number's bin; of each the smallest key stands in `examples`, and its value in `shown`.

        No two tokens have the same key.
        """

    def differences(
        self,
        values: Float[Tensor, "windows tokens neurons"],
        base: Float16[Tensor, "kept neurons"],
        batch: Batch,
        blocks: Integer[np.ndarray, " windows"],
        centres: Float[Tensor, "2 neurons"],
        sums: Float[Tensor, "blocks 5 neurons"],
        found: Peaks,
        *,
        writes: bool,
    ) -> None:
        """Round the tokens that count to float16, add what they do beside the base, and find their peaks.

        To `analysis.drift.QUANTITIES` of the block that each window belongs to, in float64, each model about its own of
        the two `centres`. `base` are the base's activations on these tokens, in the order of the batch's places; or
        where they are to be written to (`writes`), if these are its own.
        """


def way(device: torch.device) -> Way:
    """The way to work on this device; a processor that has no half precision is worked on as a GPU is."""
    return on_cpu if device.type == "cpu" and HAS_HALVES else on_gpu
