"""Activations written to a file come back from it as they were, and no half-written file is ever left."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from safetensors import safe_open

from neuronscope import __version__, export
from neuronscope.errors import FileError
from neuronscope.vocabulary import Activations, Site, Source, Tokens

TEXT = '<s>Ça "va",\n= 1'
ENDINGS = (".safetensors", ".npz", ".parquet", ".csv")


@pytest.fixture
def activations() -> Activations:
    tokens = Tokens(
        text=TEXT,
        ids=np.array([0, 7, 9, 3]),
        offsets=np.array([[0, 0], [3, 5], [5, 11], [11, 15]]),
        display=("<s>", "Ça", '·"va",', "↵=·1"),
        special=np.array([True, False, False, False]),
    )
    values = np.random.default_rng(0).normal(size=(2, 4, 5)).astype(np.float32)
    values[0, 1, 2] = -0.0
    values[1, 3, 4] = 1e-30
    return Activations(values, tokens, Site.NEURONS, (1, 3), Source("demo:stories", "abc123", "float32"))


def in_words(activations):
    return {
        "model": "demo:stories",
        "revision": "abc123",
        "precision": "float32",
        "site": activations.site,
        "text": TEXT,
        "tokens": json.dumps(list(activations.tokens.display), ensure_ascii=False),
        "version": __version__,
    }


def assert_arrays(arrays, activations):
    assert arrays["values"].dtype == np.float32
    np.testing.assert_array_equal(arrays["values"], activations.values)
    np.testing.assert_array_equal(arrays["ids"], activations.tokens.ids)
    np.testing.assert_array_equal(arrays["offsets"], activations.tokens.offsets)
    np.testing.assert_array_equal(arrays["kept"], [False, True, True, True])
    np.testing.assert_array_equal(arrays["layers"], [1, 3])


def assert_table(table, activations):
    assert list(table) == [
        "layer", "position", "token_id", "token", "start", "stop", "special", "kept", "N0", "N1", "N2", "N3", "N4",
    ]  # fmt: skip
    assert table["layer"].tolist() == [1, 1, 1, 1, 3, 3, 3, 3]
    assert table["position"].tolist() == [0, 1, 2, 3] * 2
    assert table["token_id"].tolist() == [0, 7, 9, 3] * 2
    assert table["token"].tolist() == list(activations.tokens.display) * 2
    assert table["start"].tolist() == [0, 3, 5, 11] * 2
    assert table["stop"].tolist() == [0, 5, 11, 15] * 2
    assert table["special"].tolist() == [True, False, False, False] * 2
    assert table["kept"].tolist() == [False, True, True, True] * 2
    values = table.filter(regex=r"^N\d+$").to_numpy(dtype=np.float32).reshape(2, 4, 5)
    np.testing.assert_array_equal(values, activations.values)


def test_safetensors_gives_back_arrays_and_where_they_come_from(activations, tmp_path):
    path = export.save(activations, tmp_path / "a.safetensors")
    with safe_open(path, framework="numpy") as file:
        assert_arrays({name: file.get_tensor(name) for name in file.keys()}, activations)  # noqa: SIM118
        assert file.metadata() == in_words(activations)


def test_npz_gives_back_arrays_and_where_they_come_from_without_pickles(activations, tmp_path):
    with np.load(export.save(activations, tmp_path / "a.npz"), allow_pickle=False) as file:
        assert_arrays(file, activations)
        assert json.loads(str(file["metadata"])) == in_words(activations)


def test_parquet_gives_back_the_table_and_where_it_comes_from(activations, tmp_path):
    path = export.save(activations, tmp_path / "a.parquet")
    assert_table(pd.read_parquet(path), activations)
    stored = {key.decode(): value.decode() for key, value in pq.read_schema(path).metadata.items()}
    assert in_words(activations).items() <= stored.items()


def test_csv_gives_back_the_table_to_the_last_bit(activations, tmp_path):
    assert_table(pd.read_csv(export.save(activations, tmp_path / "a.csv")), activations)


def test_units_that_are_not_neurons_are_not_called_so(activations, tmp_path):
    residual = replace(activations, site=Site.RESIDUAL)
    heads = replace(activations, site=Site.ATTENTION, heads=5)
    for other, names in ((residual, "D0 D1 D2 D3 D4"), (heads, "H0.0 H1.0 H2.0 H3.0 H4.0")):
        table = pd.read_csv(export.save(other, tmp_path / "a.csv"))
        assert list(table)[8:] == names.split()


def test_a_text_read_in_windows_says_so_in_the_file(activations, tmp_path):
    path = export.save(replace(activations, window=3), tmp_path / "a.safetensors")
    with safe_open(path, framework="numpy") as file:
        assert file.metadata() == {**in_words(activations), "window": "3"}


def test_a_saved_file_may_be_read_by_others_as_any_new_file(activations, tmp_path):
    (tmp_path / "plain").touch()
    for ending in ENDINGS:
        path = export.save(activations, tmp_path / f"a{ending}")
        assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("name", ["a", "a.json", "a.npy", "a.csv.gz", "safetensors"])
def test_an_ending_we_do_not_write_is_refused_with_those_we_do(activations, tmp_path, name):
    with pytest.raises(FileError, match=r"\.safetensors, \.npz, \.parquet, \.csv"):
        export.save(activations, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_or_a_folder_in_the_files_place_is_told(activations, tmp_path):
    (tmp_path / "full.csv").mkdir()
    with pytest.raises(FileError, match="there is no folder"):
        export.save(activations, tmp_path / "nowhere" / "a.csv")
    with pytest.raises(FileError, match="is a folder"):
        export.save(activations, tmp_path / "full.csv")


def fail_half_way(path, failure):
    with export.written_aside(path) as aside:
        aside.write_text("half")
        raise failure


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_what_stood_there_stays_when_writing_fails_and_nothing_half_written_is_left(tmp_path, failure):
    path = tmp_path / "a.csv"
    path.write_text("before")
    with pytest.raises(failure):
        fail_half_way(path, failure)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_appears_only_when_it_is_whole(tmp_path):
    path = tmp_path / "a.csv"
    with export.written_aside(path) as aside:
        aside.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [path]


def test_what_the_system_refuses_is_told_in_its_words(tmp_path):
    with pytest.raises(FileError, match=r"Cannot write .*a\.csv: No space left on device"):
        fail_half_way(tmp_path / "a.csv", OSError(28, "No space left on device"))
