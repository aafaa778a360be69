"""Formats of other tools: what is written has their fields and our numbers; labels are read as they were published."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from neuronscope.errors import FileError
from neuronscope.indexed import Index
from neuronscope.interchange import Format, Label, activations, labels, neuron_record, pieces, save
from neuronscope.scope import Scope, Workspace
from neuronscope.settings import Settings
from neuronscope.vocabulary import Neuron

STORY = "The cat sat on the mat. Ana's cat “naps”, and 7 dogs ran to Madrid… 日本 🙂 naïve.\n"
NEURON = Neuron(1, 7)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scope, Index]:
    """The demo model, and its index of texts with characters that take several tokens."""
    folder = tmp_path_factory.mktemp("demo")
    rows = (json.dumps({"text": f"{STORY} {i} " * 3}) for i in range(24))
    (folder / "texts.jsonl").write_text("\n".join(rows), "utf-8")
    scope = Workspace(Settings(folder / "cache", folder / "data", offline=True)).scope("demo:stories")
    return scope, scope.index(folder / "texts.jsonl", folder / "idx", window=64)


def test_a_neuron_record_has_the_fields_and_the_numbers(opened: tuple[Scope, Index]) -> None:
    scope, index = opened
    examples = scope.contexts(index, NEURON, index.examples(NEURON, 8))
    sample = scope.contexts(index, NEURON, index.examples(NEURON, 5, kind="random"))
    record = neuron_record(index, NEURON, examples, sample)
    assert set(record) == {
        "dataclass_name", "neuron_id", "random_sample", "random_sample_by_quantile", "quantile_boundaries", "mean",
        "variance", "skewness", "kurtosis", "most_positive_activation_records",
    }  # fmt: skip
    assert record["neuron_id"] == {"dataclass_name": "NeuronId", "layer_index": 1, "neuron_index": 7}
    row = index.statistics().iloc[index.row(NEURON)]
    assert record["mean"] == row["mean"]
    assert record["variance"] == pytest.approx(row["std"] ** 2)
    assert (record["skewness"], record["kurtosis"]) == (row["skewness"], row["kurtosis"])
    top = record["most_positive_activation_records"]
    assert (len(top), len(record["random_sample"])) == (8, 5)
    assert max(max(one["activations"]) for one in top) == pytest.approx(row["max"], rel=1e-5)
    for one, example in zip(top, examples, strict=True):
        assert set(one) == {"dataclass_name", "tokens", "activations"}
        assert one["activations"] == example.values.tolist()
        assert len(one["tokens"]) == len(one["activations"])


def test_tokens_of_a_context_joined_are_its_text(opened: tuple[Scope, Index]) -> None:
    _, index = opened
    examples = index.examples(NEURON, 20) + index.examples(NEURON, 40, kind="random")
    assert any("日" in one.text for one in examples)
    for example in examples:
        assert len(pieces(index, example)) == len(example.tokens)
        assert "".join(pieces(index, example)) == example.text


def test_activation_records_say_where_they_are_largest(opened: tuple[Scope, Index]) -> None:
    _, index = opened
    for one in activations(index, NEURON, index.examples(NEURON, 3)):
        assert set(one) == {
            "modelId", "layer", "index", "tokens", "values", "maxValue", "maxValueTokenIndex", "minValue",
        }  # fmt: skip
        assert (one["modelId"], one["layer"], one["index"]) == ("demo:stories", "1", "7")
        assert one["values"][one["maxValueTokenIndex"]] == one["maxValue"] == max(one["values"])
        assert one["minValue"] == min(one["values"])


def test_only_contexts_that_are_known_are_written_and_the_file_is_whole(
    opened: tuple[Scope, Index], tmp_path: Path
) -> None:
    _, index = opened
    examples = index.examples(NEURON, 50)
    known = [one for one in examples if not np.isnan(one.values).any()]
    assert 0 < len(known) < len(examples)
    assert save(index, NEURON, examples, tmp_path / "n.jsonl", form=Format.NEURONPEDIA) == len(known)
    lines = [json.loads(line) for line in (tmp_path / "n.jsonl").read_text("utf-8").splitlines()]
    assert lines == list(activations(index, NEURON, known))
    assert save(index, NEURON, examples, tmp_path / "n.json", form=Format.OPENAI) == len(known)
    assert json.loads((tmp_path / "n.json").read_text("utf-8")) == neuron_record(index, NEURON, known)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["n.json", "n.jsonl"]


def test_what_is_not_defined_is_null(opened: tuple[Scope, Index], tmp_path: Path) -> None:
    _, index = opened
    with pytest.raises(FileError, match="it never fires so"):
        save(index, NEURON, [], tmp_path / "n.json", form=Format.OPENAI)
    assert list(tmp_path.iterdir()) == []


def test_labels_are_read_from_tables_and_lines(tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text('layer,neuron,label\n5,131,"cats, mostly"\n0,7,dogs\n', "utf-8")
    assert labels(table) == [Label(Neuron(5, 131), "cats, mostly"), Label(Neuron(0, 7), "dogs")]
    table.write_text("neuron,description\nL5.N131,cats\n", "utf-8-sig")
    assert labels(table) == [Label(Neuron(5, 131), "cats")]
    lines = tmp_path / "mine.jsonl"
    record = {"modelId": "gpt2-small", "layer": "5", "index": "131", "description": " mentions of cats "}
    lines.write_text(json.dumps(record) + "\n\n", "utf-8")
    assert labels(lines) == [Label(Neuron(5, 131), "mentions of cats", "gpt2-small")]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.txt", "", "has to be a .csv or .jsonl"),
        ("a.csv", "layer,neuron,label\n", "no row"),
        ("a.csv", "layer,label\n1,cats\n", "Row 1 of"),
        ("a.csv", "layer,neuron,label\n1,2,cats\n1,-2,cats\n", "Row 2 of"),
        ("a.csv", "layer,neuron,label\n1,2,\n", "empty label for L1.N2"),
        ("a.jsonl", "{", "Cannot read"),
        ("a.jsonl", "[1]\n", "names no neuron"),
        ("a.jsonl", '{"layer": "x", "index": 1, "label": "cats"}\n', "names no neuron"),
    ],
)
def test_what_is_not_labels_is_refused_with_the_row_at_fault(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(FileError, match=said):
        labels(tmp_path / name)
    with pytest.raises(FileError, match="No such file"):
        labels(tmp_path / "none.csv")


def test_published_tables_of_neurons_are_read_as_lists(shared_data: Path) -> None:
    folder = shared_data / "neurons-universal"
    if not folder.is_dir():
        pytest.skip(f"needs the published tables of {folder}")
    import pandas as pd

    tables = sorted(folder.rglob("*.csv"))
    assert len(tables) >= 6
    for table in tables:
        truth = pd.read_csv(table)
        found = labels(table)
        assert [(one.neuron.layer, one.neuron.index) for one in found] == list(
            zip(truth["layer"], truth["neuron"], strict=True)
        )
        assert {one.text for one in found} == {table.stem.replace("_", " ")}
