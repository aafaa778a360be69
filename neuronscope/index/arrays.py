"""Arrays that grow on disk while they are written, and are plain `.npy` files once they are closed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from types import TracebackType

import numpy as np
from jaxtyping import Shaped
from numpy.lib import format as npy


class GrowingArray:
    """A one-dimensional array written piece by piece; whole, and safe on disk, when its context is left."""

    def __init__(self, path: Path, dtype: np.dtype) -> None:
        """Begin the file `path`, which holds numbers of `dtype`."""
        self._dtype = dtype
        self._file = path.open("wb")
        self._digest = hashlib.sha256()
        self._length = 0
        self._write_header()

    def __len__(self) -> int:
        return self._length

    def __enter__(self) -> GrowingArray:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._file:
            self._file.seek(0)
            self._write_header()
            self._file.flush()
            os.fsync(self._file.fileno())

    @property
    def digest(self) -> str:
        """SHA-256 of the numbers written so far, which does not depend on the pieces they came in."""
        return self._digest.hexdigest()

    def append(self, values: Shaped[np.ndarray, " more"]) -> None:
        """Write `values` after those written before."""
        data = np.ascontiguousarray(values, dtype=self._dtype).tobytes()
        self._file.write(data)
        self._digest.update(data)
        self._length += len(values)

    def _write_header(self) -> None:
        """numpy leaves room in a header for its first axis to grow, so that it can be written again in place."""
        fields = {"descr": npy.dtype_to_descr(self._dtype), "fortran_order": False, "shape": (self._length,)}
        npy.write_array_header_1_0(self._file, fields)
