"""The folder of a drift: a manifest and, for each checkpoint, plain arrays that numpy opens memory-mapped.

    drift/
      manifest.json           the base, the checkpoints and how far each has come, the corpus, the noise floor
      corpus/                 the probe corpus (see `index.reading`)
      base/  00/  01/ …       one folder a checkpoint, `control/` for the control:
        table.npy             one record a neuron (`RECORD`)
        layers.npy            one record a layer (`LAYER`)
        sample.npy            float16 [neurons, 2048]: activations on the positions in sampled.npy of the drift
        context_values.npy    [neurons, 2, 10]: the strongest contexts of either side of zero
        context_positions.npy their positions in the corpus
        contexts.npy          the values around each, as shares of the peak in 1/127 (-128: no token)
        token_ids.npy         [neurons, 2, 20]: the tokens of highest and of lowest empirical-Bayes mean
        token_means.npy       their plain means
        loss.npy              -log p of the token that follows each, in nats; NaN where none does
      sampled.npy             positions whose activations are kept and whose next token is predicted
      .work/                  the base's activations and directions while checkpoints are left to run

Neurons of all layers stand one after the other. Each folder is written under another name and renamed, and then named
in the manifest: what the manifest calls done is whole.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from neuronscope import npy
from neuronscope.errors import DriftProblem, FileError
from neuronscope.index.json_files import put_json

SCHEMA = 1
MANIFEST = "manifest.json"
WORK = ".work"
BASE, CONTROL = "base", "control"
_AGAIN = "Remove the folder and ask again, or choose another."

RECORD = np.dtype(
    [
        ("drift", "<f4"), ("low", "<f4"), ("high", "<f4"),
        ("location", "<f4"), ("scale", "<f4"), ("selectivity", "<f4"),
        ("correlation", "<f4"), ("mean", "<f4"), ("sd", "<f4"), ("moved", "<f4"),
        ("divergence", "<f4"), ("transport", "<f4"),
        ("jaccard", "<f4", (2,)), ("overlap", "<f4", (2,)),
        ("weights", "<f4", (3,)), ("cosines", "<f4", (3,)), ("bias", "<f4"),
        ("floor", "<f4"), ("above", "?"),
        ("control", "<f4"), ("excess", "<f4"), ("excess_low", "<f4"),
        ("partner", "<i4"), ("own", "<f4"), ("matched", "<f4"), ("alive", "?"),
    ]
)  # fmt: skip
"""What is known of one neuron in one checkpoint; `weights` and `cosines` are of read, gate and write directions."""
LAYER = np.dtype([("cka", "<f8"), ("cka_residual", "<f8"), ("itself", "<f8")])
"""What is known of one layer in one checkpoint."""


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint of a series."""

    name: str
    """What it is loaded by."""
    label: str
    """What it is called."""
    step: int | None
    """The number in its name."""
    place: str
    """The folder of its results: `base`, `control`, or its number."""
    done: bool = False
    """Whether its results are there."""
    problem: str = ""
    """Why there are none and will be none, empty if nothing is wrong."""
    revision: str = ""
    """Its revision on the hub, or the first digits of its weights' fingerprint."""
    loss: float | None = None
    """Mean loss in nats a token; None where no next token is predicted, or it has not run."""
    loss_error: float | None = None
    """The standard error of its difference from the base's, over windows; of the base, None."""


@dataclass(frozen=True)
class Manifest:
    """What a drift is of, and how far it has come."""

    model: str
    """The base's name."""
    revision: str
    """Its revision."""
    architecture: str
    """Its class in transformers."""
    precision: str
    """The precision all checkpoints were held in."""
    layers: int
    """Number of layers."""
    neurons: int
    """Neurons in each."""
    gated: bool
    """Whether its MLPs have a gate."""
    corpus: str
    """The probe corpus' fingerprint."""
    sources: tuple[str, ...]
    """The files and data sets it was read from."""
    asked: Mapping[str, Any]
    """What was asked to be read: sources, tokens, window and field."""
    tokens: int
    """Its tokens that count."""
    threads: int
    """Threads that torch works in."""
    checkpoints: tuple[Checkpoint, ...]
    """Base, control if there is one, and the checkpoints in their order."""
    floor: Mapping[str, Any] = field(default_factory=dict)
    """The noise floor: `against` (what the base was compared with itself with, in words), `tokens`, `rate` (the share
    of unchanged neurons that would be called changed), `recomputed` (the largest difference of the base run twice)."""
    version: int = SCHEMA
    """Version of this layout."""

    @property
    def complete(self) -> bool:
        """Whether every checkpoint has run or cannot."""
        return all(one.done or one.problem for one in self.checkpoints)

    def with_(self, changed: Checkpoint) -> Manifest:
        """The same with one checkpoint changed."""
        kept = tuple(changed if one.place == changed.place else one for one in self.checkpoints)
        return replace(self, checkpoints=kept)


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder, None if there is none; raises `DriftProblem` for one that is not ours to read."""
    path = folder / MANIFEST
    try:
        raw = json.loads(path.read_text("utf-8"))
        if raw.get("version") != SCHEMA or "checkpoints" not in raw:
            raise DriftProblem(f"{path} is no drift that this version of NeuronScope reads. {_AGAIN}")
        checkpoints = tuple(Checkpoint(**one) for one in raw["checkpoints"])
        return Manifest(**{**raw, "checkpoints": checkpoints, "sources": tuple(raw["sources"])})
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, AttributeError) as problem:
        raise DriftProblem(f"{path} cannot be read: {problem}. {_AGAIN}") from problem


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Put the manifest in place, whole or not at all; raises `FileError`."""
    with _written(folder):
        put_json(folder / MANIFEST, asdict(manifest))


def write(folder: Path, place: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Write the arrays of one checkpoint, whole or not at all; raises `FileError`."""
    aside = folder / f"{place}.new"
    with _written(folder):
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        for name, array in arrays.items():
            np.save(aside / f"{name}.npy", array, allow_pickle=False)
        shutil.rmtree(folder / place, ignore_errors=True)
        aside.replace(folder / place)


def read(folder: Path, name: str) -> np.ndarray:
    """One array, memory-mapped; raises `DriftProblem` if it is not there or damaged."""
    path = folder / f"{name}.npy"
    try:
        return npy.mapped(path)
    except (OSError, ValueError, EOFError) as problem:
        raise DriftProblem(f"{path} is missing or damaged: {problem}. {_AGAIN}") from problem


def kept(folder: Path, name: str, labels: Sequence[str]) -> dict[str, np.ndarray] | None:
    """What was worked out of these checkpoints before; None if it is not there, or of others, or damaged."""
    try:
        found = npy.read_all(folder / f"{name}.npz")
        return found if found.pop("labels").tolist() == list(labels) else None
    except (OSError, ValueError, EOFError, KeyError, BadZipFile):
        return None


def keep(folder: Path, name: str, labels: Sequence[str], arrays: Mapping[str, np.ndarray]) -> None:
    """Keep what was worked out of these checkpoints; a folder that cannot be written to costs the keeping alone."""
    aside = folder / f".{name}.{os.getpid()}.part"
    with suppress(OSError):
        with aside.open("wb") as file:
            np.savez(file, allow_pickle=False, labels=np.array(labels), **dict(arrays))
        aside.replace(folder / f"{name}.npz")
    aside.unlink(missing_ok=True)


@contextmanager
def working(folder: Path) -> Iterator[Path]:
    """Hold the folder's lock, so that one process works in it; raises `DriftProblem` if another one does."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / ".lock", timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise DriftProblem(f"Another process works in {folder}. Wait for it, or choose another folder.") from None
    except OSError as problem:
        raise FileError(f"Cannot write into {folder}: {problem.strerror or problem}.") from problem
    try:
        yield folder / WORK
    finally:
        lock.release()


@contextmanager
def _written(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise FileError(
            f"Cannot write the drift in {folder}: {problem.strerror or problem}. Make room and ask again: checkpoints "
            "that are done are kept."
        ) from problem
