"""Every example runs as it stands, on the models that come along."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import nbclient
import nbformat
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def printed(name, *arguments):
    """What a script prints, run as its first lines say."""
    command = [sys.executable, f"examples/{name}", *arguments]
    return subprocess.run(command, cwd=EXAMPLES.parent, capture_output=True, text=True, check=True).stdout.splitlines()


def test_every_example_is_run_here():
    assert {path.name for path in EXAMPLES.iterdir() if path.suffix in {".py", ".ipynb"}} == {
        "corpus_index.py",
        "first_look.ipynb",
        "gated_neurons.py",
        "neuron_senses.py",
        "strongest_neurons.py",
        "watch_finetuning.py",
    }


def test_the_strongest_neuron_of_each_word_is_named():
    head, *lines = printed("strongest_neurons.py")
    assert head.startswith("Scope(demo:stories: ")
    assert len(lines) >= 5
    assert all(re.match(r" *\S+ +L\d+\.N\d+ +[+-]\d+\.\d\d  promotes  \S", line) for line in lines)


def test_the_senses_of_neurons_are_laid_out():
    head, *lines = printed("neuron_senses.py")
    assert re.match(r"\d+ of 512 neurons of layer 2 have two senses in both halves", head)
    assert sum(bool(re.match(r"L2\.N\d+: N_eff \d+\.\d", line)) for line in lines) == 3
    assert sum(bool(re.match(r" +\d+%  \S", line)) for line in lines) >= 6
    assert re.match(r"L2\.N\d+ is (in cluster \d+: |like no other)", lines[-1])


def test_the_four_cases_of_gated_neurons_make_up_everything():
    head, _, _, *lines = printed("gated_neurons.py")
    assert head.startswith("Scope(demo:stories-llama: ")
    for line in lines:
        shares = [float(share) for share in re.findall(r"([\d.]+)%", line)]
        assert len(shares) == 4
        assert sum(shares) == pytest.approx(100, abs=0.3)


def test_the_neuron_that_answers_to_a_token_is_excited_by_it():
    head, answers, *lines = printed("corpus_index.py")
    assert re.match(r"Index\(demo:stories: 4 layers × 512 neurons, [\d,]+ tokens\)", head)
    assert re.match(r"L\d+\.N\d+ answers to ' rain' with \d+\.\d standard deviations", answers)
    assert any(re.match(r" *\+\d+\.\d\d \[.*×  ·rain$", line) for line in lines)


def test_a_model_is_watched_while_it_is_fine_tuned(tmp_path):
    lines = printed("watch_finetuning.py", "20", str(tmp_path))
    steps = [re.match(r" +(\S+)  loss \d\.\d+  mean drift (\d\.\d+)$", line) for line in lines[:4]]
    assert [step[1] for step in steps] == ["base", "step-0001", "step-0004", "step-0020"]
    drifted = [float(step[2]) for step in steps]
    assert drifted == sorted(set(drifted))
    assert drifted[0] == 0
    assert len(lines) == 4 + 9 + 2 + 1
    assert re.match(r"L\d\.N\d+ after: \S", lines[-2])
    assert "Plotly.newPlot" in (tmp_path / "map.html").read_text()
    assert (tmp_path / "map.gif").read_bytes().startswith(b"GIF89a")


@pytest.mark.notebook
def test_the_notebook_runs_from_top_to_bottom():
    book = nbformat.read(EXAMPLES / "first_look.ipynb", as_version=4)
    nbclient.NotebookClient(book, timeout=120, kernel_name="python3").execute()
    shown = [out["data"] for cell in book.cells if cell.cell_type == "code" for out in cell.outputs if "data" in out]
    assert sum("application/vnd.plotly.v1+json" in data for data in shown) == 4
    assert sum("<iframe" in data.get("text/html", "") for data in shown) == 1
