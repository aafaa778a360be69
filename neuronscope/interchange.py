"""Formats of other tools: what an index knows of a neuron, written so that they read it; labels, read from their files.

`openai` is one JSON object, the `NeuronRecord` of OpenAI's automated-interpretability (Bills et al. 2023): the neuron,
its moments, and contexts as lists of tokens and activations. Kurtosis is excess kurtosis, quantiles are left out.

`neuronpedia` is JSON lines as in Neuronpedia's exports of activations, one line for each context: `modelId layer index
tokens values maxValue maxValueTokenIndex minValue`. A layer of MLP neurons is its number there, as a string, and so is
the index.

In both, tokens are text: joined, those of a context are the text of the context. Contexts are known token by token for
the 20 strongest, to within 1/127 of the peak; values beyond the peak's size are cut to it. With activations measured
anew (`Scope.contexts`) all of them are exact. What is not known is not written: such contexts are left out.

Labels come as CSV or JSON lines. A row names its neuron by `layer` and `neuron` (or `index`), or by `neuron` alone as
`L5.N131`; its label is in `label`, `description` or `explanation`. A table with none of these is a list of neurons, and
its file's name is their label.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from neuronscope.errors import FileError
from neuronscope.export import written_aside
from neuronscope.indexed import Index
from neuronscope.vocabulary import Example, Neuron


class Format(StrEnum):
    """A format that another tool reads."""

    OPENAI = "openai"
    """One `NeuronRecord` as JSON."""
    NEURONPEDIA = "neuronpedia"
    """One activation record on each line."""


@dataclass(frozen=True)
class Label:
    """What somebody says a neuron is about."""

    neuron: Neuron
    """Which neuron."""
    text: str
    """What is said of it."""
    model: str | None = None
    """The model it belongs to, where the file says so."""


def save(
    index: Index,
    neuron: Neuron,
    examples: Sequence[Example],
    path: Path | str,
    *,
    form: Format,
    random: Sequence[Example] = (),
) -> int:
    """Write contexts of one neuron to `path` and return how many; those that are not known token by token are left out.

    Args:
        index: The index they come from.
        neuron: The neuron.
        examples: Its strongest contexts, best first.
        path: The file; it appears whole or not at all.
        form: The format.
        random: Contexts of random tokens, for `openai`'s `random_sample`; they need measured activations.

    Raises:
        FileError: if there is no such folder, or nothing to write.
    """
    path = Path(path).expanduser()
    known, sample = _known(examples), _known(random)
    if not path.parent.is_dir():
        raise FileError(f"Cannot write {path}: there is no folder {path.parent}. Make it first.")
    if not known:
        raise FileError(f"Nothing to write: no context of {neuron} is known token by token, for it never fires so.")
    if form is Format.OPENAI:
        text = json.dumps(neuron_record(index, neuron, known, sample), ensure_ascii=False, allow_nan=False)
    else:
        lines = (json.dumps(one, ensure_ascii=False, allow_nan=False) for one in activations(index, neuron, known))
        text = "\n".join(lines)
    with written_aside(path) as aside:
        aside.write_text(text + "\n", encoding="utf-8")
    return len(known) + (len(sample) if form is Format.OPENAI else 0)


def neuron_record(
    index: Index, neuron: Neuron, examples: Sequence[Example], random: Sequence[Example] = ()
) -> dict[str, Any]:
    """A `NeuronRecord`: a neuron's moments over the corpus and its contexts."""
    row = index.store.statistics[index.row(neuron)]
    return {
        "dataclass_name": "NeuronRecord",
        "neuron_id": {"dataclass_name": "NeuronId", "layer_index": neuron.layer, "neuron_index": neuron.index},
        "random_sample": [_record(index, one) for one in random],
        "random_sample_by_quantile": None,
        "quantile_boundaries": None,
        **{name: _number(row[name]) for name in ("mean", "variance", "skewness", "kurtosis")},
        "most_positive_activation_records": [_record(index, one) for one in examples],
    }


def activations(index: Index, neuron: Neuron, examples: Sequence[Example]) -> Iterator[dict[str, Any]]:
    """One activation record as Neuronpedia keeps them for each context."""
    for example in examples:
        values = [float(value) for value in example.values]
        highest = int(np.argmax(example.values))
        yield {
            "modelId": index.source.model,
            "layer": str(neuron.layer),
            "index": str(neuron.index),
            "tokens": pieces(index, example),
            "values": values,
            "maxValue": values[highest],
            "maxValueTokenIndex": highest,
            "minValue": min(values),
        }


def pieces(index: Index, example: Example) -> list[str]:
    """The text of each token of a context; joined they are its text, white space before a token being the token's.

    Where several tokens hold parts of one character, the first has the character and the others nothing.
    """
    first = example.position - example.peak
    tokens = index.store.corpus.tokens(first, first + len(example.tokens))
    found, reached = [], 0
    for _, stop in tokens.offsets.tolist():
        found.append(tokens.text[reached : max(stop, reached)])
        reached = max(stop, reached)
    return found


def labels(path: Path | str) -> list[Label]:
    """Read labels of neurons from a `.csv` or `.jsonl` file.

    Raises:
        FileError: for a file that cannot be read, is of another kind, or names no neurons; with the row at fault.
    """
    path = Path(path).expanduser()
    found = [_label(row, number, path) for number, row in enumerate(_rows(path), 1)]
    if not found:
        raise FileError(f"{path} holds no row: nothing to read.")
    return found


def _known(examples: Sequence[Example]) -> list[Example]:
    return [one for one in examples if not np.isnan(one.values).any()]


def _record(index: Index, example: Example) -> dict[str, Any]:
    values = [float(value) for value in example.values]
    return {"dataclass_name": "ActivationRecord", "tokens": pieces(index, example), "activations": values}


def _number(value: Any) -> float | None:
    """The number, None for one that is not defined (the skewness of a neuron that never varies)."""
    return float(value) if np.isfinite(value) else None


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    """The rows of a table or the objects of JSON lines."""
    import csv

    if path.suffix.lower() not in {".csv", ".jsonl"}:
        raise FileError(f"Cannot read labels from {path}: it has to be a .csv or .jsonl file.")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix.lower() == ".csv":
                yield from csv.DictReader(file)
            else:
                yield from (json.loads(line) for line in file if line.strip())
    except OSError as error:
        raise FileError(f"Cannot read {path}: {error.strerror}.") from error
    except (ValueError, csv.Error) as error:
        raise FileError(f"Cannot read {path}: {error}.") from error


_TEXTS = ("label", "description", "explanation")


def _label(row: Any, number: int, path: Path) -> Label:
    try:
        neuron = _neuron(row)
    except (KeyError, ValueError, TypeError, AttributeError):
        raise FileError(
            f"Row {number} of {path} names no neuron: give `layer` and `neuron`, or `neuron` as L5.N131."
        ) from None
    named = [name for name in _TEXTS if row.get(name) is not None]
    text = str(row[named[0]]).strip() if named else path.stem.replace("_", " ")
    if not text:
        raise FileError(f"Row {number} of {path} has an empty label for {neuron}. Say something, or leave the row out.")
    model = row.get("modelId") or row.get("model")
    return Label(neuron, text, str(model) if model else None)


def _neuron(row: Mapping[str, Any]) -> Neuron:
    name = row["neuron"] if row.get("neuron") is not None else row["index"]
    if match := re.fullmatch(r"[Ll](\d+)\.[Nn](\d+)", str(name).strip()):
        return Neuron(int(match[1]), int(match[2]))
    neuron = Neuron(int(row["layer"]), int(name))
    if min(neuron.layer, neuron.index) < 0:
        raise ValueError("counted from 0")
    return neuron
