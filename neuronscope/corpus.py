"""Texts from files, tables and data sets, as a stream of documents that know where they came from.

A source is a file, a folder (every file in it that we read, at any depth, hidden ones left out), a pattern such as
`texts/*.txt`, `-` for standard input, or a Hugging Face data set as `hf:owner/name[:configuration][:split]`. A file
that is named twice is read once. What a document is:

| ending | a document |
|---|---|
| `.txt` (and `-`) | the whole file; where lines are exactly `<\\|endoftext\\|>`, what stands between them |
| `.jsonl` | one field of the object on each line |
| `.csv`, `.parquet`, a data set | one column of each row |

All but `.parquet` may also be packed as `.gz`. Nothing is ever whole in memory but a single row or JSON line. The rest:

- Text is UTF-8. A byte that is not, or half a surrogate pair in JSON, is read as U+FFFD and counted; UTF-16 is refused.
- A document of nothing but white space is left out and counted; a field or cell that is null is such a document.
- A document longer than a million characters is cut into stretches after a line's end, else before a space, else where
  the million ends, and counted. Each stretch is read as a document of its own that knows where it starts.
- Line ends stay as they are, except that the one before a parting line goes with that line.
- A line that is no JSON object, or a file that cannot be read, stops the reading with one sentence.
"""

from __future__ import annotations

import contextlib
import glob
import gzip
import io
import itertools
import json
import re
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from neuronscope.errors import FileError, NeuronScopeError
from neuronscope.jobs import Cancelled, checkpoint

if TYPE_CHECKING:
    import pyarrow as pa

ENDINGS = (".txt", ".txt.gz", ".jsonl", ".jsonl.gz", ".csv", ".csv.gz", ".parquet")
"""The files we read, by the ends of their names."""
LONGEST = 1_000_000
"""Characters of the longest document that is read in one stretch."""
PARTING = "<|endoftext|>"
"""The line that parts documents in a text file."""
_BLOCK = 1 << 16
_ROW = 1 << 26
_CSV_BLOCK = 1 << 24
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
        for number, pieces in enumerate(_texts(source, field, offline)):
            checkpoint()
            counts.documents += 1
            stretch = character = written = 0
            for stretch, text in enumerate(_cut(pieces)):  # noqa: B007  how many there were is asked below
                mended = _mended(text, counts)
                if text.strip():
                    written += 1
                    yield Document(source, number, mended, character)
                character += len(text)
            counts.cut += stretch > 0
            counts.empty += written == 0


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
        for start in range(0, len(piece), _BLOCK):
            held.append(piece[start : start + _BLOCK])
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


def _texts(source: str, field: str, offline: bool) -> Iterator[Iterable[str]]:
    """Every document of one source, each as pieces that are to be joined; bytes that are no UTF-8 as half pairs."""
    with _told(source):
        if source.startswith("hf:"):
            yield from _data_set(source, field, offline)
            return
        kind = Path(source.lower().removesuffix(".gz")).suffix
        with _opened(source) as file:
            if kind == ".jsonl":
                yield from _lines(source, file, field)
            elif kind == ".csv":
                yield from _csv(source, file, field)
            elif kind == ".parquet":
                yield from _parquet(source, file, field)
            else:
                yield from _parts(file)


@contextlib.contextmanager
def _told(source: str) -> Iterator[None]:
    """Turn what the disk, gzip or a table reader raises into one sentence."""
    import pyarrow as pa

    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise FileError(f"Cannot read {source}: the gzip file is damaged or cut off. Get it again.") from error
    except pa.ArrowException as error:
        said = str(error).strip().splitlines()[0].rstrip(".")
        raise FileError(f"Cannot read {source} as its name says it should be read: {said}.") from error
    except OSError as error:
        raise FileError(f"Cannot read {source}: {error.strerror or error}.") from error


@contextlib.contextmanager
def _opened(source: str) -> Iterator[IO[bytes]]:
    """The bytes of a file or of standard input, unpacked."""
    with contextlib.ExitStack() as stack:
        if source == "-":
            file: Any = sys.stdin.buffer
        elif source.lower().endswith(".gz"):
            file = stack.enter_context(gzip.open(source))
        else:
            file = stack.enter_context(Path(source).open("rb"))
        if file.peek(2)[:2] in {b"\xff\xfe", b"\xfe\xff"}:
            raise FileError(f"{source} is written in UTF-16. Save it as UTF-8.")
        yield file


@contextlib.contextmanager
def _decoded(file: IO[bytes], newline: str) -> Iterator[io.TextIOWrapper]:
    text = io.TextIOWrapper(cast("Any", file), encoding="utf-8-sig", errors="surrogateescape", newline=newline)
    try:
        yield text
    finally:
        text.detach()  # standard input stays open


def _parts(file: IO[bytes]) -> Iterator[Iterable[str]]:
    """The documents of a text file; an empty file is one empty document."""
    with _decoded(file, newline="") as text:
        pieces = _pieces(text)
        for first in itertools.chain([next(pieces, "")], pieces):
            part = itertools.takewhile(lambda piece: piece is not None, itertools.chain([first], pieces))
            yield cast("Iterable[str]", part)


def _pieces(text: io.TextIOWrapper) -> Iterator[str | None]:
    """The lines of a text, long ones in blocks; None for each parting line and the line end before it."""
    line_end, fresh = "", True
    while line := text.readline(_BLOCK):
        body = line.rstrip("\r\n")
        if fresh and body == PARTING:
            yield None
            line_end = ""
        else:
            yield line_end + body
            line_end = line[len(body) :]
        fresh = len(body) < len(line)
    if line_end:
        yield line_end


def _lines(source: str, file: IO[bytes], field: str) -> Iterator[Iterable[str]]:
    """The documents of a JSON-lines file."""
    with _decoded(file, newline="\n") as text:
        for number, line in enumerate(iter(lambda: text.readline(_ROW), ""), start=1):
            yield (_value(line, field, f"{source}, line {number}") if line.strip() else "",)


def _value(line: str, field: str, where: str) -> str:
    if len(line) >= _ROW:
        raise FileError(f"{where} is longer than {_ROW:,} characters. Give texts as long as that as .txt files.")
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise FileError(f"{where} is not JSON: {error}. Correct or remove it.") from error
    if not isinstance(row, dict):
        raise FileError(f"{where} is no JSON object with a field {field!r}, but {line.strip()[:40]!r}.")
    return _text_of(row, field, where)


def _text_of(row: dict[str, Any], field: str, where: str) -> str:
    if field not in row:
        raise _no_field(field, where, list(row))
    if row[field] is not None and not isinstance(row[field], str):
        raise FileError(f"The field {field!r} of {where} holds no text but {str(row[field])[:40]}. {_name(list(row))}")
    return row[field] or ""


def _no_field(field: str, where: str, there: list[str]) -> FileError:
    return FileError(f"No field {field!r} in {where}. {_name(there)}")


def _name(there: list[str]) -> str:
    shown = ", ".join(map(str, there[:20])) + (f" and {len(there) - 20} more" if len(there) > 20 else "")
    return f"Name the one that holds the text: there are {shown}." if there else "There is none at all."


def _csv(source: str, file: IO[bytes], field: str) -> Iterator[Iterable[str]]:
    """The documents of a CSV file, which names its columns in its first row."""
    import pyarrow as pa
    from pyarrow import csv

    try:
        rows = csv.open_csv(
            file,
            read_options=csv.ReadOptions(use_threads=False, block_size=_CSV_BLOCK),
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(include_columns=[field], column_types={field: pa.binary()}),
        )
    except pa.ArrowKeyError as error:
        file.seek(0)
        raise _no_field(field, source, csv.open_csv(file).schema.names) from error
    for batch in rows:
        yield from _column(batch.column(0))


def _parquet(source: str, file: IO[bytes], field: str) -> Iterator[Iterable[str]]:
    """The documents of a Parquet file."""
    from pyarrow import parquet, types

    table = parquet.ParquetFile(file, buffer_size=1 << 20)
    if field not in table.schema_arrow.names:
        raise _no_field(field, source, table.schema_arrow.names)
    kind = table.schema_arrow.field(field).type
    plain = kind.value_type if types.is_dictionary(kind) else kind
    if not any(is_text(plain) for is_text in (types.is_string, types.is_large_string, types.is_string_view)):
        names = [each.name for each in table.schema_arrow]
        raise FileError(f"The column {field!r} of {source} holds no text but {kind}. {_name(names)}")
    for batch in table.iter_batches(batch_size=256, columns=[field]):
        column = batch.column(0)
        yield from _column(column.dictionary_decode() if types.is_dictionary(kind) else column)


def _column(column: pa.Array) -> Iterator[Iterable[str]]:
    """The texts of one column, decoded here: the library would stop at a byte that is no UTF-8."""
    import pyarrow as pa

    for text in column.cast(pa.large_binary()).to_pylist():
        yield ((text or b"").decode("utf-8", "surrogateescape"),)


def _data_set(source: str, field: str, offline: bool) -> Iterator[Iterable[str]]:
    """The documents of a Hugging Face data set, streamed."""
    name, configuration, split = (*source.removeprefix("hf:").split(":"), "", "")[:3]
    if offline:
        raise FileError(f"{source} comes from the network, and NeuronScope is offline. Give files instead.")
    try:
        import datasets
    except ImportError as error:
        raise FileError(f"Reading {source} needs one more package: pip install datasets. Or give files.") from error
    try:
        rows = datasets.load_dataset(name, configuration or None, split=split or "train", streaming=True)
        for number, row in enumerate(rows):
            yield (_text_of(row, field, f"{source}, row {number}"),)
    except (NeuronScopeError, Cancelled):
        raise
    except Exception as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise FileError(f"The data set {source} cannot be read: {said}. Or give files.") from error
