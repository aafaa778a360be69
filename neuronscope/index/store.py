"""The folder on disk: a manifest and plain arrays that numpy opens memory-mapped, so that a stranger can read them.

    index/
      manifest.json           what it is, how far it has come, the arrays with their checksums
      corpus/                 the text itself, its tokens and windows (see `reading`)
      arrays-000016/          what is known after 16 shards
        statistics.npy        one record a neuron: moments, extremes, shares
        cards.npy             one record a neuron: strongest contexts, histogram with an example for each bin
        tokens.npy            for each neuron the 60 tokens of highest and the 30 of lowest mean
        tabulated.npy         the tokens that were tabulated and how often each was seen
        sample.npy            float16 [neurons, 512]: activations on the positions in sampled.npy
        sampled.npy           positions of the sample, while an index grows those that have been seen
        inputs.npy            float16 [layers, 512, width]: what enters each layer's MLP there, behind its norm
        sketch.npy            float16 [neurons, 512]: all tokens that count; the dot product of two rows estimates r
      resume-000016/          what a scan needs to go on; gone when the index is whole
      shards/                 shards that a cluster's workers scanned and nobody has merged yet
      .lock                   held while someone builds

Neurons of all layers stand one after the other: neuron n of layer l is row `l * neurons + n`. A position is a place in
`corpus/ids.npy`, over all documents. The fields of the records are their dtype (`index.state`): read them with
`numpy.load(path, mmap_mode="r")["mean"]`. Contexts hold 17 tokens before a peak, the peak and 6 after, as shares of the
peak in 1/127 (-128: no token); values beyond the peak's size are cut to it. A row of the sketch has length 1, or is
zero for a neuron that never varies; dot products have a standard error of √((1 + r²) / 512) at most. Its numbers hold
disjoint tokens, drawn by hash, so that some of them, set to length 1 again, are the sketch of a part of the corpus.

Every folder is written under another name and renamed, and the manifest last: whatever happens in between, the manifest
names folders that are whole. A newer state of an index that is still growing takes the place of the older one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neuronscope import npy
from neuronscope.errors import BusyIndex, DamagedIndex, FileError, NoIndex, OtherIndex
from neuronscope.index.json_files import put_json
from neuronscope.index.read_corpus import ReadCorpus

if TYPE_CHECKING:
    from neuronscope.index.state import State

SCHEMA = 4
MANIFEST = "manifest.json"
_ARRAYS = ("statistics", "cards", "tokens", "tabulated", "sample", "sampled", "inputs", "sketch")


@dataclass(frozen=True)
class Manifest:
    """What an index is and how far it has come."""

    model: str
    """The model's name."""
    revision: str
    """Its revision on the hub, or the first digits of its weights' fingerprint."""
    architecture: str
    """Its class in transformers."""
    precision: str
    """The precision its weights were held in."""
    device: str
    """The kind of device it ran on."""
    layers: int
    """Number of layers."""
    neurons: int
    """Neurons in each layer."""
    gated: bool
    """Whether contexts are told apart by the signs of gate and up."""
    tokenizer: str
    """The tokenizer's fingerprint."""
    corpus: str
    """The corpus' fingerprint."""
    sources: tuple[str, ...]
    """What the corpus was read from, as it was asked for."""
    most: int | None
    """The most tokens that were asked for."""
    window: int
    """Tokens of a window, special ones included."""
    overlap: int
    """Tokens that each window repeats from the one before, as context that does not count again."""
    tokens: int
    """Tokens of the corpus that count."""
    shards: int
    """Pieces the corpus is scanned in."""
    shard_tokens: int
    """Tokens of each."""
    scales: tuple[float, ...]
    """For each layer the unit of its histogram."""
    threads: int
    """Threads that torch works in: part of the identity, since rounding may depend on it."""
    merged: int = 0
    """Shards seen."""
    seen: int = 0
    """Tokens seen that count."""
    apart: int = 0
    """Special and first tokens seen, which are kept apart."""
    arrays: Mapping[str, str] = field(default_factory=dict)
    """The published arrays: file, and checksum (sha256)."""
    resume: Mapping[str, str] = field(default_factory=dict)
    """The arrays that a scan goes on from; empty when the index is whole."""
    version: int = SCHEMA
    """Version of this layout."""

    @property
    def complete(self) -> bool:
        """Whether the whole corpus has been seen."""
        return self.merged == self.shards

    def fits(self, other: Manifest) -> None:
        """Raise `OtherIndex` if going on with `other` would mix two different things."""
        for name, what in _IDENTITY.items():
            mine, asked = getattr(self, name), getattr(other, name)
            if mine != asked:
                raise OtherIndex(
                    f"This index was made with {what} {_shown(mine)}, and {_shown(asked)} was asked for. "
                    "Choose another folder, or ask for what it was made with."
                )


_IDENTITY = {
    "architecture": "architecture",
    "revision": "model revision",
    "precision": "precision",
    "device": "device",
    "tokenizer": "tokenizer",
    "window": "a window of",
    "overlap": "an overlap of",
    "corpus": "corpus",
}


class Store:
    """One index on disk, opened memory-mapped."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        """Use `Store.open`."""
        self.folder = folder
        self.manifest = manifest
        self.corpus = ReadCorpus.open(folder)
        opened = {Path(file).stem: _mapped(folder / file) for file in manifest.arrays}
        missing = set(_ARRAYS) - opened.keys()
        if missing:
            raise DamagedIndex(f"{folder} lacks {', '.join(sorted(missing))}. {_AGAIN}")
        self.statistics, self.cards, self.tokens = opened["statistics"], opened["cards"], opened["tokens"]
        self.tabulated, self.sample, self.sampled = opened["tabulated"], opened["sample"], opened["sampled"]
        self.inputs, self.sketch = opened["inputs"], opened["sketch"]
        units = manifest.layers * manifest.neurons
        for array in (self.statistics, self.cards, self.tokens, self.sample, self.sketch):
            if len(array) != units:
                raise DamagedIndex(f"An array of {folder} has {len(array):,} rows for {units:,} neurons. {_AGAIN}")
        sampled = (self.sample.shape[1], *self.inputs.shape[:2])
        if sampled != (len(self.sampled), manifest.layers, len(self.sampled)):
            raise DamagedIndex(f"The sample of {folder} does not have its {len(self.sampled):,} positions. {_AGAIN}")

    @classmethod
    def open(cls, folder: Path | str) -> Store:
        """Open what is there, whole or still growing.

        Raises:
            NoIndex: if the folder holds no index, or one of which nothing has been published yet.
            OtherIndex: if another version of the program wrote it.
            DamagedIndex: if its files are not what its manifest says.
        """
        folder = Path(folder).expanduser()
        manifest = read_manifest(folder)
        if manifest is None:
            raise NoIndex(f"There is no index in {folder}. Make one: neuronscope index MODEL TEXTS --out {folder}")
        if not manifest.arrays:
            raise NoIndex(f"The index in {folder} has only been begun: wait until its first shard is read.")
        try:
            return cls(folder, manifest)
        except FileNotFoundError:
            # A builder published the next state, and removed this one, between our two looks.
            newer = read_manifest(folder)
            if newer is None or newer == manifest:
                raise DamagedIndex(f"Files that the manifest of {folder} names are missing. {_AGAIN}") from None
            return cls(folder, newer)

    @property
    def bytes(self) -> int:
        """How much the index takes on disk, its corpus included."""
        return sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file())

    def verify(self) -> None:
        """Read every array once and compare it with its checksum; raises `DamagedIndex` naming the first to differ."""
        verify(self.folder, self.manifest.arrays)
        self.corpus.verify()


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder, None if there is none.

    Raises:
        OtherIndex: if another version of the program wrote it.
        DamagedIndex: if it cannot be understood.
    """
    path = folder / MANIFEST
    try:
        raw = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as problem:
        raise DamagedIndex(f"{path} cannot be read: {problem}. {_AGAIN}") from problem
    version = raw.get("version") if isinstance(raw, dict) else None
    if isinstance(version, int) and version < SCHEMA:
        raise OtherIndex(
            f"The index in {folder} was made by an earlier version of NeuronScope, which kept other things. "
            "Index the corpus again in another folder, or remove this one first."
        )
    if version != SCHEMA:
        raise OtherIndex(f"{path} has layout {version}, and this program reads layout {SCHEMA}. {_AGAIN}")
    try:
        lists = {name: tuple(raw[name]) for name in ("sources", "scales")}
        return Manifest(**{**raw, **lists})
    except (KeyError, TypeError) as problem:
        raise DamagedIndex(f"{path} is not a manifest of an index: {problem}. {_AGAIN}") from problem


@contextmanager
def building(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, so that only one process builds in it; raises `BusyIndex` if another one does."""
    from filelock import FileLock, Timeout

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout:
        raise BusyIndex(
            f"Another process is building the index in {folder}. Wait for it, or choose another folder."
        ) from None


def publish(folder: Path, manifest: Manifest, arrays: Mapping[str, np.ndarray], state: State | None) -> Manifest:
    """Write what is known after `manifest.merged` shards, and what is needed to go on; then name both in the manifest.

    Raises:
        FileError: if the disk is full or refuses; what was published before still stands.
    """
    number = f"{manifest.merged:06d}"
    needed = sum(array.nbytes for array in arrays.values())
    try:
        published = _write(folder, f"arrays-{number}", arrays)
        resume: dict[str, str] = {}
        if state is not None:
            needed += sum(array.nbytes for array in state.arrays.values())
            resume = _write(folder, f"resume-{number}", state.arrays)
        after = replace(manifest, arrays=published, resume=resume)
        write_manifest(folder, after)
    except OSError as problem:
        free = shutil.disk_usage(folder).free if folder.exists() else 0
        raise FileError(
            f"Cannot write the index in {folder}: {problem.strerror or problem}. "
            f"A step needs about {needed / 1e6:,.0f} MB, and {free / 1e6:,.0f} MB are free. "
            "Make room and ask again: it goes on from the last step written."
        ) from problem
    _remove_all_but(folder, after)
    return after


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Put the manifest in place, whole or not at all."""
    put_json(folder / MANIFEST, asdict(manifest))


def resume(folder: Path, manifest: Manifest) -> State:
    """The state to go on from; raises `DamagedIndex` if it is not what was written."""
    from neuronscope.index.state import State

    verify(folder, manifest.resume)
    arrays = {Path(file).stem: npy.read(folder / file) for file in manifest.resume}
    return State(manifest.seen, manifest.apart, arrays)


def write_shard(folder: Path, shard: int, state: State) -> None:
    """Write a shard that was scanned elsewhere, to be merged in its turn; whole or not at all."""
    about = {"about": np.array([state.count, state.apart], dtype=np.int64)}
    _write(folder, f"{_SHARDS}/{shard:06d}", {**state.arrays, **about})


def has_shard(folder: Path, shard: int) -> bool:
    """Whether a shard was written and not merged yet."""
    return (folder / _SHARDS / f"{shard:06d}").is_dir()


def read_shard(folder: Path, shard: int) -> State:
    """A shard that `write_shard` wrote; raises `DamagedIndex` if it cannot be read."""
    from neuronscope.index.state import State

    place = folder / _SHARDS / f"{shard:06d}"
    try:
        arrays = {path.stem: npy.read(path) for path in place.glob("*.npy")}
        count, apart = arrays.pop("about").tolist()
    except (OSError, ValueError, KeyError) as problem:
        raise DamagedIndex(
            f"{place} is not a shard that was written whole: {problem}. Remove it, and ask again."
        ) from None
    return State(count, apart, arrays)


def drop_shard(folder: Path, shard: int) -> None:
    """Remove a shard that has been merged."""
    shutil.rmtree(folder / _SHARDS / f"{shard:06d}", ignore_errors=True)
    with suppress(OSError):  # others are still in it
        (folder / _SHARDS).rmdir()


def verify(folder: Path, checksums: Mapping[str, str]) -> None:
    """Compare files with their checksums; raises `DamagedIndex` naming the first that differs."""
    for file, expected in checksums.items():
        path = folder / file
        if not path.is_file() or _checksum(path) != expected:
            raise DamagedIndex(f"{path} is not what was written: its checksum differs. {_AGAIN}")


_SHARDS = "shards"
_AGAIN = "Build the index again in another folder, or remove this one first."


def _shown(value: object) -> str:
    return f"{value[:12]}…" if isinstance(value, str) and len(value) > 40 else f"{value}"


def _mapped(path: Path) -> np.ndarray:
    try:
        return npy.mapped(path)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, EOFError) as problem:
        raise DamagedIndex(f"{path} is not the array it should be: {problem}. {_AGAIN}") from problem


def _write(folder: Path, name: str, arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Write arrays into a new folder of that name; return each file's checksum."""
    aside = folder / f"{name}.new"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    checksums = {}
    try:
        for stem, array in arrays.items():
            with (aside / f"{stem}.npy").open("wb") as file:
                np.save(file, array, allow_pickle=False)
                file.flush()
                os.fsync(file.fileno())
            checksums[f"{name}/{stem}.npy"] = _checksum(aside / f"{stem}.npy")
        shutil.rmtree(folder / name, ignore_errors=True)
        aside.replace(folder / name)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    return checksums


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remove_all_but(folder: Path, manifest: Manifest) -> None:
    named = {Path(file).parts[0] for file in (*manifest.arrays, *manifest.resume)}
    for path in folder.iterdir():
        if path.is_dir() and path.name.startswith(("arrays-", "resume-")) and path.name not in named:
            shutil.rmtree(path, ignore_errors=True)  # where a reader keeps it open, the next step removes it
