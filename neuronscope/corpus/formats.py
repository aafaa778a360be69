"""How the texts of one source are got at: text files, JSON lines, tables, data sets; packed or not.

What counts as a document in each is said in `neuronscope.corpus`.
"""

from __future__ import annotations

import contextlib
import csv as plain_csv
import gzip
import io
import itertools
import json
import sys
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from neuronscope.errors import FileError, NeuronScopeError
from neuronscope.jobs import Cancelled

if TYPE_CHECKING:
    import pyarrow as pa

PARTING = "<|endoftext|>"
"""The line that parts documents in a text file."""
BLOCK = 1 << 16
"""Characters that are taken from a text file at a time."""
_ROW = 1 << 26
_CSV_BLOCK = 1 << 24


def texts(source: str, field: str, *, offline: bool = False) -> Iterator[Iterable[str]]:
    """Read every document of one source, each as pieces that are to be joined to its text.

    A byte that is no UTF-8 comes as half of a surrogate pair, one for each.

    Raises:
        FileError: if the source is not what its name says, or lacks the field; for other errors see `told`.
    """
    if source.startswith("hf:"):
        yield from _data_set(source, field, offline)
        return
    kind = Path(source.lower().removesuffix(".gz")).suffix
    with _opened(source) as file:
        if kind == ".jsonl":
            yield from _lines(source, file, field)
        elif kind in _TABLES:
            yield from _table(source, file, field, kind)
        else:
            yield from _parts(file)


@contextlib.contextmanager
def told(source: str) -> Iterator[None]:
    """Turn what the disk or gzip raises while `texts` and their pieces are read into one sentence.

    Raises:
        FileError: in place of it.
    """
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise FileError(f"Cannot read {source}: the gzip file is damaged or cut off. Get it again.") from error
    except OSError as error:
        raise FileError(f"Cannot read {source}: {_said(error)}.") from error


def _said(error: Exception) -> str:
    """What an error says, in one line."""
    said = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
    return str(said).splitlines()[0].rstrip(".")


@contextlib.contextmanager
def _opened(source: str) -> Iterator[io.BufferedIOBase]:
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
def _decoded(file: io.BufferedIOBase, newline: str) -> Iterator[io.TextIOWrapper]:
    text = io.TextIOWrapper(cast("Any", file), encoding="utf-8-sig", errors="surrogateescape", newline=newline)
    try:
        yield text
    finally:
        text.detach()  # standard input stays open


def _parts(file: io.BufferedIOBase) -> Iterator[Iterable[str]]:
    """The documents of a text file; an empty file is one empty document."""
    with _decoded(file, newline="") as text:
        pieces = _pieces(text)
        for first in itertools.chain([next(pieces, "")], pieces):
            part = itertools.takewhile(lambda piece: piece is not None, itertools.chain([first], pieces))
            yield cast("Iterable[str]", part)


def _pieces(text: io.TextIOWrapper) -> Iterator[str | None]:
    """The lines of a text, long ones in blocks; None for each parting line and the line end before it."""
    line_end, fresh = "", True
    while line := text.readline(BLOCK):
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


def _lines(source: str, file: io.BufferedIOBase, field: str) -> Iterator[Iterable[str]]:
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


def _table(source: str, file: io.BufferedIOBase, field: str, kind: str) -> Iterator[Iterable[str]]:
    """The documents of a table, decoded here: the library would stop at a byte that is no UTF-8."""
    import pyarrow as pa

    try:
        for column in _TABLES[kind](source, file, field):
            for text in column.cast(pa.large_binary()).to_pylist():
                yield ((text or b"").decode("utf-8", "surrogateescape"),)
    except pa.ArrowException as error:
        raise FileError(f"Cannot read {source} as the {kind} file that its name says it is: {_said(error)}.") from error


def _csv(source: str, file: io.BufferedIOBase, field: str) -> Iterator[pa.Array]:
    """The column `field` of a CSV file, which names its columns in its first row, batch by batch."""
    import pyarrow as pa
    from pyarrow import csv

    start = file.read(BLOCK)
    file.seek(0)
    try:
        rows = csv.open_csv(
            file,
            read_options=csv.ReadOptions(use_threads=False, block_size=_CSV_BLOCK),
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(include_columns=[field], column_types={field: pa.binary()}),
        )
    except pa.ArrowKeyError as error:
        # Not from `file` again: the reader that failed may still be reading ahead in it.
        names = next(plain_csv.reader(io.StringIO(start.decode("utf-8", "replace"))), [])
        raise _no_field(field, source, names) from error
    for batch in rows:
        yield batch.column(0)


def _parquet(source: str, file: io.BufferedIOBase, field: str) -> Iterator[pa.Array]:
    """The column `field` of a Parquet file, batch by batch."""
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
        yield column.dictionary_decode() if types.is_dictionary(kind) else column


_TABLES = {".csv": _csv, ".parquet": _parquet}


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
        raise FileError(
            f"The data set {source} cannot be read: {_said(error)}. Check its name, or give files."
        ) from error
