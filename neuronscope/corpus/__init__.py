"""Texts from files, tables and data sets, as a stream of documents that know where they came from.

A source is a file, a folder (every file in it that we read, at any depth, hidden ones left out), a pattern such as
`texts/*.txt`, `-` for standard input, or a Hugging Face data set as `hf:owner/name[:configuration][:split]`. A file
that is named twice is read once. What a document is:

| ending | a document |
|---|---|
| `.txt` (and `-`) | the whole file; where it has parting lines, what stands between them |
| `.jsonl` | one field of the object on each line |
| `.csv`, `.parquet`, a data set | one column of each row |

All but `.parquet` may also be packed as `.gz`. Nothing is ever whole in memory but a single row or JSON line. The rest:

- Text is UTF-8. A byte that is not, or half a surrogate pair in JSON, is read as U+FFFD and counted; UTF-16 is refused.
- A document of nothing but white space is left out and counted; a field or cell that is null is such a document.
- A document longer than 100,000 characters is cut into stretches after a line's end, else before a space, else there,
  and counted. Each stretch is read as a document of its own that knows where it starts; no step takes long.
- A parting line is exactly `<|endoftext|>`. Line ends stay as they are, but the one before a parting line goes with it.
- A line that is no JSON object, or a file that cannot be read, stops the reading with one sentence.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from neuronscope.corpus.formats import BLOCK, texts, told
from neuronscope.errors import FileError
from neuronscope.jobs import checkpoint

ENDINGS = (".txt", ".txt.gz", ".jsonl", ".jsonl.gz", ".csv", ".csv.gz", ".parquet")
"""The files we read, by the ends of their names."""
LONGEST = 100_000
"""Characters of the longest document that is read in one stretch."""
_HALF_PAIR = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Document:
    """One text of a corpus, or one stretch of a text too long to be read at once."""

    source: str
    """The file or data set it comes from."""
    number: int
    """Which text of that source, from 0: a row, a line, or a part of a text file."""
    text: str
    """The text."""
    character: int
    """Where this stretch starts in the whole text, in characters; 0 for all but later stretches."""


@dataclass
class Counts:
    """What was met on the way, tallied while documents are read."""

    documents: int = 0
    """Documents read, empty ones included."""
    empty: int = 0
    """Documents of nothing but white space, left out."""
    cut: int = 0
    """Documents longer than `LONGEST`, read in stretches."""
    undecodable: int = 0
    """Bytes that are no UTF-8 and halves of surrogate pairs, each read as U+FFFD."""


def documents(
    sources: Sequence[str], *, field: str = "text", counts: Counts, offline: bool = False
) -> Iterator[Document]:
    """Read `sources` one after the other; `field` names the JSON field or the column that holds the text.

    Args:
        sources: Files, folders, patterns, `-` or `hf:` names.
        field: What holds the text where a source has more than one field.
        counts: Where to tally what was met.
        offline: Refuse data sets, which come from the network.

    Raises:
        FileError: at once, for a source that is not there or of a kind we do not read; while reading, for one that
            is damaged or lacks the field.
    """
    return _stretches(find(sources), field, counts, offline)


def find(sources: Sequence[str]) -> list[str]:
    """The files and data sets that `sources` name, folders and patterns opened, each once, in order.

    Raises:
        FileError: if one is not there, is of a kind we do not read, or holds no file that we read.
    """
    found = [one for source in sources for one in _found(str(source))]
    if not found:
        raise FileError(
            "No text was named: give a file, a folder, a pattern such as texts/*.txt, or - for standard input."
        )
    return list(dict.fromkeys(found))


def _found(source: str) -> list[str]:
    if source == "-" or source.startswith("hf:"):
        return [source]
    path = Path(source).expanduser()
    if path.is_dir():
        return _in_folder(path)
    if not path.exists() and (names := sorted(glob.glob(str(path), recursive=True))):  # noqa: PTH207  wants ** and ~
        below = [each for name in names for each in (_in_folder(Path(name)) if Path(name).is_dir() else [name])]
        return [_readable(name) for name in below]
    if not path.exists():
        raise FileError(f"No file or folder {source}. Give one that is there, or a pattern that fits some.")
    return [_readable(str(path))]


def _in_folder(folder: Path) -> list[str]:
    files = [path for path in sorted(folder.rglob("*")) if path.name.lower().endswith(ENDINGS) and path.is_file()]
    shown = [path for path in files if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    if not shown:
        raise FileError(f"The folder {folder} holds no text that can be read: no file ends in {', '.join(ENDINGS)}.")
    return [str(path) for path in shown]


def _readable(name: str) -> str:
    if not name.lower().endswith(ENDINGS):
        raise FileError(f"Cannot tell what kind of text {name} is: names of files to read end in {', '.join(ENDINGS)}.")
    return name


def _stretches(sources: list[str], field: str, counts: Counts, offline: bool) -> Iterator[Document]:
    for source in sources:
        with told(source):
            for number, pieces in enumerate(texts(source, field, offline=offline)):
                checkpoint()
                yield from _document(source, number, pieces, counts)


def _document(source: str, number: int, pieces: Iterable[str], counts: Counts) -> Iterator[Document]:
    """The stretches of one document that hold more than white space."""
    counts.documents += 1
    character = stretches = written = 0
    for text in _cut(pieces):
        if text.strip():
            yield Document(source, number, _mended(text, counts), character)
            written += 1
        stretches += 1
        character += len(text)
    counts.cut += stretches > 1
    counts.empty += not written


def _mended(text: str, counts: Counts) -> str:
    """The text with U+FFFD for each half of a surrogate pair: what a byte that is no UTF-8 was decoded to."""
    if text.isascii():
        return text
    text, wrong = _HALF_PAIR.subn("\ufffd", text)
    counts.undecodable += wrong
    return text


def _cut(pieces: Iterable[str]) -> Iterator[str]:
    """Join `pieces` to stretches of at most `LONGEST` characters."""
    held: list[str] = []
    size = 0
    for piece in pieces:
        for start in range(0, len(piece), BLOCK):
            held.append(piece[start : start + BLOCK])
            size += len(held[-1])
            if size > LONGEST:
                text = "".join(held)
                end = _end(text)
                yield text[:end]
                held, size = [text[end:]], len(text) - end
    yield "".join(held)


def _end(text: str) -> int:
    """Where to cut: after the last line's end in the second half of the first `LONGEST` characters, or at a space."""
    half = LONGEST // 2
    line = text.rfind("\n", half, LONGEST) + 1
    space = text.rfind(" ", half, LONGEST)
    return line or (space if space > 0 else LONGEST)
