"""The terminal's questions about models: what they take, bringing one, how faithful one is."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from neuronscope import cli
from tests import models_for_tests as tiny

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line in this process: (exit status, standard output, standard error)."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["neuronscope", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return ended.value.code, printed.out, printed.err

    return run


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    tiny.llama(hidden_size=64, intermediate_size=192).save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    return tmp_path


def test_an_estimate_of_a_catalogue_model_needs_nothing_but_its_name(run: Run) -> None:
    status, out, err = run("models", "estimate", "gpt2", "--json")
    said = json.loads(out)
    assert (status, err) == (0, "")
    assert said["parameters"] == 124_439_808
    assert said["bytes"]["float32"] == 4 * 124_439_808
    assert list(said["bytes"]) == ["float32", "bfloat16", "float16", "int8", "nf4"]
    assert said["auto"] == "float32"


def test_an_estimate_says_what_fits_and_what_auto_takes(run: Run, wide: Path) -> None:
    status, out, _ = run("models", "estimate", wide)
    assert status == 0
    assert "float32" in out
    assert "yes; auto chooses it" in out


def test_an_estimate_of_an_unknown_model_says_what_to_do(run: Run) -> None:
    status, out, err = run("models", "estimate", "nobody/nothing")
    assert (status, out) == (1, "")
    assert "neither in the catalogue nor on this machine" in err
    assert "neuronscope models download nobody/nothing" in err


def test_a_download_is_not_tried_offline(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEURONSCOPE_OFFLINE", "1")
    status, _, err = run("models", "download", "gpt2")
    assert status == 1
    assert "NeuronScope is offline" in err


def test_fidelity_is_told_for_every_layer_and_the_predictions(run: Run, wide: Path, tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("the cat sat on the mat .\n\nthe king and the queen\n")
    status, out, err = run(
        "models", "fidelity", wide, "--precision", "int8", "--file", tmp_path / "lines.txt", "--json"
    )
    said = json.loads(out)
    assert status == 0
    assert "neuronscope:" not in err
    assert [row["layer"] for row in said["layers"]] == [0, 1, 2]
    assert all(0.9 < row["correlation"] < 1 for row in said["layers"])
    assert 0 < said["divergence"] < 1
    assert said["tokens"] == 6 + 4
    assert (said["full"]["precision"], said["reduced"]["precision"]) == ("float32", "int8")


def test_fidelity_of_a_precision_that_does_not_exist_is_refused(run: Run, wide: Path) -> None:
    status, _, err = run("models", "fidelity", wide, "--precision", "int3")
    assert status == 1
    assert "No precision 'int3': choose one of auto, float32" in err


@pytest.mark.parametrize("written", ["8", "lots", "-1GB", "8TB"])
def test_a_memory_budget_is_a_size(run: Run, written: str) -> None:
    status, _, err = run("serve", "demo:stories", "--memory-budget", written)
    assert status == 2
    assert "is no size: write 8GB or 500MB" in " ".join(err.split())
