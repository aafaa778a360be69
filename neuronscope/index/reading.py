"""Reading a corpus: documents → token ids and text in a folder, which is quick, for no network is run.

`read` writes the folder `corpus` of an index, which `ReadCorpus` opens. It holds plain arrays that numpy opens
memory-mapped, numbers little-endian:

| file | shape and type | what |
|---|---|---|
| `text.utf8` | bytes | every document's text, one after the other |
| `ids.npy` | [tokens] uint16 or uint32 | vocabulary ids, special tokens not among them |
| `spans.npy` | [tokens] `start length` | where the token stands in its document's text, in bytes |
| `windows.npy` | [windows] `first length context document` | see `ReadCorpus.windows` |
| `documents.npy` | [documents] `source number character first byte` | see `ReadCorpus.documents` |
| `vocabulary.json` | {id: [piece, display]} | how each id that occurs is shown |
| `corpus.json` | | sources, counts, settings, digests, and the fingerprint of it all |

A document's tokens are cut into windows of so many tokens that,
with the special tokens the tokenizer puts around a text, a window is as long as was asked for. Windows never cross
documents. The folder is written under another name and then renamed: there is never half a corpus.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from neuronscope.corpus import Counts, Document, documents, find
from neuronscope.errors import FileError, InputError, TextTooLong
from neuronscope.index.encoding import Encoder
from neuronscope.index.json_files import write_json
from neuronscope.index.read_corpus import NAME, ReadCorpus
from neuronscope.index.writing import Writer
from neuronscope.jobs import report
from neuronscope.models.tokenization import display

if TYPE_CHECKING:
    from neuronscope.models.loading import LoadedModel

__all__ = ["MOST_TOKENS", "ReadCorpus", "read"]

MOST_TOKENS = (1 << 32) - 1
"""The most tokens of one corpus: positions are kept in 32 bits."""
_TOGETHER = 200_000
"""Characters of the texts that are given to the tokenizer at once, if one alone has not more."""
_LABEL = "Reading the corpus"


def read(
    model: LoadedModel,
    sources: Sequence[str],
    folder: Path | str,
    *,
    window: int = 128,
    overlap: int = 0,
    tokens: int | None = None,
    field: str = "text",
    offline: bool = False,
) -> ReadCorpus:
    """Read `sources` into `folder/corpus`, in place of what is there, with the tokenizer of `model`; and open it.

    Args:
        model: Whose tokenizer cuts the text.
        sources: What to read, as `neuronscope.corpus` says.
        folder: The folder of an index; made if it is not there.
        window: Tokens that the model will see at a time, special tokens at its ends included.
        overlap: How many tokens of a window are context only, counted by the window before it.
        tokens: Stop after so many; all by default.
        field: The JSON field or column that holds the text.
        offline: Refuse data sets that come from the network.

    Raises:
        FileError: for a source that cannot be read, texts without a token, or a folder that cannot be written.
        InputError: for a window, overlap or number of tokens that makes no sense.
        TextTooLong: for a window longer than the model's context.
    """
    encoder = Encoder(model.tokenizer)
    body = _body(model, window, overlap, len(encoder.lead) + len(encoder.tail))
    if tokens is not None and not 0 < tokens <= MOST_TOKENS:
        raise InputError(f"Cannot read {tokens:,} tokens: ask for 1 to {MOST_TOKENS:,}.")
    found, counts = find(sources), Counts()
    folder = Path(folder).expanduser()
    with _aside(folder) as aside:
        with Writer(aside, encoder.size, found, body, overlap) as writer:
            _fill(writer, encoder, documents(found, field=field, counts=counts, offline=offline), tokens)
        if not len(writer):
            raise FileError(f"Nothing in {_some(found)} makes a token: there is no text. Give other files.")
        shown = {int(i): (encoder.pieces[i], display(model.tokenizer, int(i))) for i in writer.occurring}
        said = writer.about(encoder.lead, encoder.tail, shown)
        tally = asdict(counts) | {"tokenless": writer.tokenless, "special": writer.special}
        asked = {"window": window, "overlap": overlap, "field": field}
        model_side = {"tokenizer": encoder.fingerprint, "special": encoder.standing}
        write_json(aside / "corpus.json", said | asked | model_side | {"counts": tally})
    return ReadCorpus.open(folder)


def _body(model: LoadedModel, window: int, overlap: int, special: int) -> int:
    """How many tokens of text a window holds."""
    if window > model.card.context:
        raise TextTooLong(f"A window of {window:,} tokens: {model.card.label} reads at most {model.card.context:,}.")
    if window - special < 2:
        raise InputError(f"A window of {window:,} tokens: {special + 2} are the least that hold two tokens of text.")
    if not 0 <= overlap < window - special:
        raise InputError(f"An overlap of {overlap:,} tokens: in this window it can be 0 to {window - special - 1:,}.")
    return window - special


def _fill(writer: Writer, encoder: Encoder, stream: Iterator[Document], tokens: int | None) -> None:
    started = time.monotonic()
    report(0, tokens, _LABEL, started)
    for batch in _batches(stream):
        encoded = encoder.encode([document.text for document in batch])
        left = (tokens or MOST_TOKENS) - len(writer)
        if tokens is None and len(encoded.ids) > left:
            raise InputError(f"This corpus has more than {MOST_TOKENS:,} tokens. Say how many of them to read.")
        writer.add(batch, encoded, left)
        report(len(writer), tokens, _LABEL, started)
        if len(encoded.ids) >= left:
            break


def _batches(stream: Iterator[Document]) -> Iterator[list[Document]]:
    held: list[Document] = []
    size = 0
    for document in stream:
        held.append(document)
        size += len(document.text)
        if size >= _TOGETHER:
            yield held
            held, size = [], 0
    if held:
        yield held


@contextlib.contextmanager
def _aside(folder: Path) -> Iterator[Path]:
    """Lend a folder in `folder` to write to; it becomes the corpus if the work succeeds and vanishes if not."""
    aside = folder / f".{NAME}.{os.getpid()}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        aside.mkdir()
        yield aside
        if (folder / NAME).exists():
            shutil.rmtree(folder / NAME)
        aside.rename(folder / NAME)
    except OSError as error:
        raise FileError(f"Cannot write the corpus into {folder}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what processes that were killed left half-written."""
    import psutil

    for left in folder.glob(f".{NAME}.*.part"):
        number = left.name.split(".")[-2]
        if number == str(os.getpid()) or not (number.isdigit() and psutil.pid_exists(int(number))):
            shutil.rmtree(left, ignore_errors=True)


def _some(sources: Sequence[str]) -> str:
    return ", ".join(sources[:3]) + (f" and {len(sources) - 3} more" if len(sources) > 3 else "")
