"""What was worked out from an index, kept beside it: maps, clusters and surveys that took long to make.

    index/derived/<kind>-<key>.npz      plain arrays, no pickles

The key is a digest of the index' published arrays and of what was asked for, so that nothing stale is ever found. A
folder that cannot be written to costs the keeping, not the answer.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from neuronscope import npy
from neuronscope.index.store import Manifest

FOLDER = "derived"
VERSION = 5
"""Of the arithmetic behind what is kept: another one makes it all stale."""


def known(folder: Path, manifest: Manifest, kind: str, asked: Mapping[str, Any]) -> dict[str, np.ndarray] | None:
    """The arrays that were kept for this question, or None."""
    path = _path(folder, manifest, kind, asked)
    try:
        return npy.read_all(path)
    except (OSError, ValueError, EOFError, BadZipFile):
        return None


def keep(
    folder: Path, manifest: Manifest, kind: str, asked: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> None:
    """Keep the answer to a question; what was kept for earlier states of the index goes."""
    path = _path(folder, manifest, kind, asked)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    with contextlib.suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        for old in path.parent.glob(f"{kind}-*.npz"):
            if not old.name.startswith(f"{kind}-{_state(manifest)}-"):
                old.unlink(missing_ok=True)
        with aside.open("wb") as file:
            np.savez(file, allow_pickle=False, **dict(arrays))
        aside.rename(path)
    aside.unlink(missing_ok=True)


def _path(folder: Path, manifest: Manifest, kind: str, asked: Mapping[str, Any]) -> Path:
    question = hashlib.sha256(json.dumps([VERSION, dict(asked)], sort_keys=True).encode()).hexdigest()[:16]
    return folder / FOLDER / f"{kind}-{_state(manifest)}-{question}.npz"


def _state(manifest: Manifest) -> str:
    return hashlib.sha256(json.dumps(dict(manifest.arrays), sort_keys=True).encode()).hexdigest()[:16]
