"""Writing a corpus: documents and their tokens, batch by batch, into the arrays that `index.reading` describes."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from jaxtyping import Int64, Shaped

from neuronscope.corpus import Document
from neuronscope.index.arrays import GrowingArray
from neuronscope.index.encoding import Encoded
from neuronscope.index.json_files import write_json
from neuronscope.index.read_corpus import DOCUMENTS, SCHEMA, SPANS, WINDOWS, fingerprint


class Writer:
    """A corpus under way; its files are whole once its context is left."""

    def __init__(self, folder: Path, vocabulary: int, sources: Sequence[str], body: int, overlap: int) -> None:
        """Begin in the empty `folder`, with windows of `body` tokens of which `overlap` are context."""
        self._sources = [source.encode("utf-8", "backslashreplace").decode() for source in sources]
        self._number = {source: number for number, source in enumerate(sources)}
        self._body, self._overlap = body, overlap
        self._folder = folder
        types = {"ids": np.dtype("<u2" if vocabulary <= 1 << 16 else "<u4"), "spans": SPANS}
        types |= {"windows": WINDOWS, "documents": DOCUMENTS}
        self._stack = contextlib.ExitStack()
        self._arrays = {
            name: self._stack.enter_context(GrowingArray(folder / f"{name}.npy", types[name])) for name in types
        }
        self._text = self._stack.enter_context((folder / "text.utf8").open("wb"))
        self._bytes = 0
        self._digest = hashlib.sha256()
        self._seen = np.zeros(vocabulary, dtype=bool)
        self.special = 0
        """Special tokens that came of a text and were left out."""
        self.tokenless = 0
        """Documents of which no token came."""

    def __len__(self) -> int:
        return len(self._arrays["ids"])

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._stack:
            self._text.flush()
            os.fsync(self._text.fileno())

    @property
    def occurring(self) -> Int64[np.ndarray, " ids"]:
        """Every id that occurs, ascending."""
        return np.flatnonzero(self._seen)

    def add(self, batch: Sequence[Document], encoded: Encoded, most: int) -> None:
        """Write the documents of one batch, and no more than `most` of their tokens."""
        self.special += encoded.special
        self.tokenless += int(np.count_nonzero(encoded.lengths == 0))
        before = np.cumsum(encoded.lengths) - encoded.lengths
        lengths = np.clip(most - before, 0, encoded.lengths)
        chosen = np.flatnonzero(lengths)
        first = len(self) + before[chosen]
        self._arrays["windows"].append(self._windows(lengths[chosen], first))
        self._arrays["documents"].append(self._documents([batch[i] for i in chosen.tolist()], first))
        self._seen[encoded.ids[:most]] = True
        self._arrays["spans"].append(np.ascontiguousarray(encoded.spans[:most], "<u4").view(SPANS)[:, 0])
        self._arrays["ids"].append(encoded.ids[:most])

    def _windows(self, lengths: Int64[np.ndarray, " documents"], first: Int64[np.ndarray, " documents"]) -> np.ndarray:
        step = self._body - self._overlap
        each = 1 + np.maximum(-(-(lengths - self._body) // step), 0)
        document = np.repeat(np.arange(len(lengths)), each)
        start = (np.arange(len(document)) - np.repeat(np.cumsum(each) - each, each)) * step
        table = np.zeros(len(document), WINDOWS)
        table["first"] = first[document] + start
        table["length"] = np.minimum(lengths[document] - start, self._body)
        table["context"] = np.where(start > 0, self._overlap, 0)
        table["document"] = len(self._arrays["documents"]) + document
        return table

    def _documents(self, batch: Sequence[Document], first: Int64[np.ndarray, " documents"]) -> Shaped[np.ndarray, " d"]:
        raw = [document.text.encode() for document in batch]
        data = b"".join(raw)
        self._text.write(data)
        self._digest.update(data)
        table = np.zeros(len(batch), DOCUMENTS)
        table["source"] = [self._number[document.source] for document in batch]
        table["number"] = [document.number for document in batch]
        table["character"] = [document.character for document in batch]
        table["first"] = first
        table["byte"] = self._bytes + np.cumsum([0, *map(len, raw)])[:-1]
        self._bytes += len(data)
        return table

    def about(
        self, lead: tuple[int, ...], tail: tuple[int, ...], shown: Mapping[int, tuple[str, str]]
    ) -> dict[str, Any]:
        """Write how each id is shown, and say what has been written, with a digest of each file."""
        digests = {f"{name}.npy": array.digest for name, array in self._arrays.items()}
        digests |= {"text.utf8": self._digest.hexdigest()}
        digests |= {"vocabulary.json": write_json(self._folder / "vocabulary.json", shown)}
        return {
            "schema": SCHEMA,
            "fingerprint": fingerprint(digests["ids.npy"], digests["windows.npy"], lead, tail),
            "sources": self._sources,
            "lead": lead,
            "tail": tail,
            "lengths": {name: len(array) for name, array in self._arrays.items()},
            "bytes": self._bytes,
            "digests": digests,
        }
