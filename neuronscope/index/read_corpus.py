"""A corpus that was read: its tokens, windows and texts, memory-mapped, so that opening it costs milliseconds.

Which file of the folder holds what is said in `index.reading`, which writes it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from jaxtyping import Bool, Int64, Integer, Shaped, UInt8

from neuronscope import npy
from neuronscope.errors import DamagedIndex, NoIndex, NoSuchToken, OtherIndex
from neuronscope.models.tokenization import displays
from neuronscope.vocabulary import Tokens

NAME = "corpus"
"""The folder of a corpus in the folder of an index."""
SCHEMA = 1
"""The version of the layout."""
SPANS = np.dtype([("start", "<u4"), ("length", "<u4")])
WINDOWS = np.dtype([("first", "<u8"), ("length", "<u4"), ("context", "<u4"), ("document", "<u4")])
DOCUMENTS = np.dtype([("source", "<u4"), ("number", "<u4"), ("character", "<u8"), ("first", "<u8"), ("byte", "<u8")])
_KEPT = 512
"""Contexts kept in memory, some kilobytes each."""
_SMALL_BYTES = 256 << 20
"""A corpus of so many bytes is read from disk when it is opened, in the background."""
_AGAIN = "Delete the folder and read the corpus again."


@dataclass(frozen=True)
class Place:
    """Where a token stands in what was read."""

    source: str
    """The file or data set."""
    document: int
    """Which document of that source, from 0."""
    character: int
    """Where the token starts in that document, in characters."""


@dataclass(frozen=True, eq=False)
class ReadCorpus:
    """The tokens of a corpus and what they stand for. A token's position is its index in `ids`."""

    folder: Path
    """The folder that holds it."""
    about: dict[str, Any]
    """What `corpus.json` says: `sources`, `counts`, `field`, `overlap`, `tokenizer` (its SHA-256), digests."""
    ids: Integer[np.ndarray, " tokens"]
    """Vocabulary ids, special tokens not among them."""
    spans: Shaped[np.ndarray, " tokens"]
    """`start`, where the token starts in its document's text, and its `length`, both in bytes of UTF-8."""
    windows: Shaped[np.ndarray, " windows"]
    """`first` position; `length` in tokens; `context`, how many of them an earlier window counts; `document`."""
    documents: Shaped[np.ndarray, " documents"]
    """`source`, an index into `sources`; `number` in that source; `character` at which a stretch starts in it;
    `first` position; `byte`, where its text starts in `text`."""
    text: UInt8[np.ndarray, " bytes"]
    """Every document's text in UTF-8, one after the other."""

    @classmethod
    def open(cls, folder: Path | str) -> ReadCorpus:
        """Open the corpus of the index in `folder`.

        Raises:
            NoIndex: if there is none.
            OtherIndex: if a program with another layout wrote it.
            DamagedIndex: if its files are not as they were written; what is in the arrays is checked by `verify`.
        """
        place = Path(folder).expanduser() / NAME
        if not (place / "corpus.json").is_file():
            raise NoIndex(f"No corpus was read into {folder}. Read one, or give the folder of an index.")
        try:
            about = json.loads((place / "corpus.json").read_text("utf-8"))
            if about["schema"] != SCHEMA:
                raise OtherIndex(
                    f"{place} has layout {about['schema']}, and this program reads layout {SCHEMA}. {_AGAIN}"
                )
            if not _ends(place / "vocabulary.json", b"}"):
                raise ValueError("vocabulary.json was cut short")
            arrays = {name: _mapped(place / f"{name}.npy", length) for name, length in about["lengths"].items()}
            text = np.memmap(place / "text.utf8", np.uint8, mode="r").view(np.ndarray)
            if len(text) != about["bytes"]:
                raise ValueError(f"text.utf8 has {len(text):,} bytes, not {about['bytes']:,}")
            _read_ahead(place)
            return cls(place, about, text=text, **arrays)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise _damaged(place, error) from error

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def shown(self) -> dict[int, tuple[str, str]]:
        """For each id that occurs, the tokenizer's own piece and how it is shown alone."""
        return {int(i): (piece, display) for i, (piece, display) in self._vocabulary.items()}

    @cached_property
    def _vocabulary(self) -> dict[str, list[str]]:
        """`shown` as it stands in its file: parsed when it is asked for, which a context in its text does not."""
        try:
            found: dict[str, list[str]] = orjson.loads((self.folder / "vocabulary.json").read_bytes())
        except (OSError, ValueError) as error:
            raise _damaged(self.folder, error) from error
        return found

    @property
    def window(self) -> int:
        """The longest window in tokens, with the special tokens around it."""
        return int(self.about["window"])

    @property
    def lead(self) -> tuple[int, ...]:
        """Ids of the special tokens before each window."""
        return tuple(self.about["lead"])

    @property
    def tail(self) -> tuple[int, ...]:
        """Ids of the special tokens after each window."""
        return tuple(self.about["tail"])

    @property
    def fingerprint(self) -> str:
        """SHA-256 over ids, windows and the special tokens around them: all that a model sees of it."""
        return str(self.about["fingerprint"])

    @property
    def sources(self) -> tuple[str, ...]:
        """The files and data sets it was read from."""
        return tuple(self.about["sources"])

    @cached_property
    def counted(self) -> Bool[np.ndarray, " tokens"]:
        """The tokens that count in maxima and statistics, each in one window; see `kept`."""
        counted = ~np.isin(self.ids, self.about["special"])
        if not self.lead:
            windows = self.windows
            counted[windows["first"][windows["context"] == 0]] = False
        return counted

    def kept(self, window: int) -> Bool[np.ndarray, " length"]:
        """Which tokens of one window count in it.

        Not those that an earlier window counts, not the token for unknown text where it is a special one, and not the
        first that the model reads: where no special token stands before a window, that is its first token.
        """
        first, length, context = (int(self.windows[window][name]) for name in ("first", "length", "context"))
        kept = self.counted[first : first + length].copy()
        kept[: max(context, 0 if self.lead else 1)] = False
        return kept

    def window_of(self, positions: Integer[np.ndarray, " positions"]) -> Int64[np.ndarray, " positions"]:
        """The window in which each position is not context: the one that counts it."""
        return np.searchsorted(self._begins, np.asarray(positions, dtype=np.int64), side="right") - 1

    @cached_property
    def _special(self) -> frozenset[int]:
        return frozenset(self.about["special"])

    @cached_property
    def _begins(self) -> Int64[np.ndarray, " windows"]:
        return self.windows["first"].astype(np.int64) + self.windows["context"]

    def display(self, token: int) -> str:
        """How one id is shown when it stands alone."""
        known = self._vocabulary.get(str(token))
        return f"⟨{token}⟩" if known is None else known[1]

    def tokens(self, first: int, last: int) -> Tokens:
        """The positions `first` to `last`, the latter not included, as `Tokens`.

        Its text starts with the first of them, and ends with the last: of a character whose bytes are spread over
        tokens of which only some are asked for, it holds the whole.

        Raises:
            NoSuchToken: if the corpus has no such positions, or they are not all of one document.
        """
        return self._tokens(first, last)

    @cached_property
    def _tokens(self) -> Callable[[int, int], Tokens]:
        """What has been asked for of late is kept: a page asks for the contexts of one neuron again and again."""
        return lru_cache(_KEPT)(self._read)

    def _read(self, first: int, last: int) -> Tokens:
        document = self._document(first)
        if not first < last <= self._end(document):
            stands = f"that of {first:,} has {self._firsts[document]:,} to {self._end(document) - 1:,}"
            raise NoSuchToken(f"No tokens {first:,} to {last - 1:,} in one document: {stands}.")
        begin, end = self._reach(first, last, document)
        start = self.spans["start"][begin:end].astype(np.int64)
        stop = start + self.spans["length"][begin:end]
        low, high = int(start.min()), int(stop.max())
        byte = int(self.documents["byte"][document])
        raw = self.text[byte + low : byte + high].tobytes()
        offsets = np.stack([start, stop], axis=1) - low
        if not raw.isascii():
            begins = (np.frombuffer(raw, np.uint8) & 0xC0) != 0x80
            offsets = np.concatenate([[0], np.cumsum(begins)])[offsets]
        ids = self.ids[begin:end].astype(np.int64)
        special = np.array([i in self._special for i in ids.tolist()], dtype=bool)
        pieces = [""] * len(ids)
        for i in np.flatnonzero(start == stop).tolist():  # a token that stands for no text is shown by its own piece
            pieces[i] = self._vocabulary[str(ids[i])][0]
        tokens = Tokens(raw.decode("utf-8"), ids, offsets, tuple(pieces), special)
        shown, asked = displays(tokens), slice(first - begin, last - begin)
        return _from_its_start(tokens.text, ids[asked], offsets[asked], shown[asked], special[asked])

    def place(self, position: int) -> Place:
        """Where the token at `position` stands in what was read; raises `NoSuchToken`."""
        document = self._document(position)
        row = self.documents[document]
        before = self.text[int(row["byte"]) : int(row["byte"]) + int(self.spans["start"][position])]
        characters = int(np.count_nonzero((before & 0xC0) != 0x80))
        return Place(self.sources[row["source"]], int(row["number"]), int(row["character"]) + characters)

    def verify(self) -> None:
        """Read everything once and compare it with its digests; raises `DamagedIndex` naming the first that differs."""
        arrays = {"ids.npy": self.ids, "spans.npy": self.spans, "windows.npy": self.windows}
        arrays |= {"documents.npy": self.documents, "text.utf8": self.text}
        found = {name: hashlib.sha256(array.view(np.uint8).data).hexdigest() for name, array in arrays.items()}
        found["vocabulary.json"] = hashlib.sha256((self.folder / "vocabulary.json").read_bytes()).hexdigest()
        for name, digest in found.items():
            if digest != self.about["digests"][name]:
                raise DamagedIndex(f"{self.folder / name} is not what was written there. {_AGAIN}")

    def _document(self, position: int) -> int:
        if not 0 <= position < len(self):
            raise NoSuchToken(f"No token {position:,}: this corpus has tokens 0 to {len(self) - 1:,}.")
        return int(np.searchsorted(self._firsts, position, side="right")) - 1

    def _end(self, document: int) -> int:
        return int(self._firsts[document + 1]) if document + 1 < len(self._firsts) else len(self)

    @cached_property
    def _firsts(self) -> Int64[np.ndarray, " documents"]:
        return self.documents["first"].astype(np.int64)

    def _reach(self, first: int, last: int, document: int) -> tuple[int, int]:
        """The stretch widened until no token outside it shares a character with one inside."""
        while first > int(self._firsts[document]) and self._shared(first):
            first -= 1
        while last < self._end(document) and self._shared(last):
            last += 1
        return first, last

    def _shared(self, position: int) -> bool:
        """Whether a token holds part of a character that the token before it holds part of."""
        before, here = self.spans[position - 1], self.spans[position]
        return int(here["start"]) < int(before["start"]) + int(before["length"])


def fingerprint(ids: str, windows: str, lead: tuple[int, ...], tail: tuple[int, ...]) -> str:
    """The fingerprint of a corpus from the digests of its two arrays."""
    return hashlib.sha256(json.dumps([ids, windows, lead, tail]).encode()).hexdigest()


def _read_ahead(folder: Path) -> None:
    """Have a corpus of moderate size read from disk: the contexts of a neuron are scattered all over it."""
    files = [path for path in folder.iterdir() if path.suffix in (".npy", ".utf8")]
    if sum(path.stat().st_size for path in files) <= _SMALL_BYTES:
        npy.read_ahead(files)


def _ends(path: Path, last: bytes) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == last


def _damaged(place: Path, error: Exception) -> DamagedIndex:
    return DamagedIndex(f"The corpus in {place} is damaged: {error}. {_AGAIN}")


def _mapped(path: Path, length: int) -> Shaped[np.ndarray, " length"]:
    array = npy.mapped(path)
    if len(array) != length:
        raise ValueError(f"{path.name} has {len(array):,} entries, not {length:,}")
    return array.view(np.ndarray)  # what a memmap adds to an array costs more than most of what is asked of it


def _from_its_start(
    text: str,
    ids: Int64[np.ndarray, " tokens"],
    offsets: Int64[np.ndarray, "tokens 2"],
    display: tuple[str, ...],
    special: Bool[np.ndarray, " tokens"],
) -> Tokens:
    """The tokens with no more text than they stand for."""
    low, high = int(offsets[:, 0].min()), int(offsets[:, 1].max())
    return Tokens(text[low:high], ids, offsets - low, display, special)
