"""The terminal's atlas: a map, clusters and senses of an index, as tables, JSON, CSV and figures."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from neuronscope.demo.planted import GROUPS
from tests.test_beside import TRUTH, without_food
from tests.test_cli_index import Run, answer, planted, run

__all__ = ["planted", "run"]


@pytest.fixture(scope="module")
def index(planted: Path) -> Path:
    return planted / "index"


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The planted model, whose second neuron has lost food."""
    folder = tmp_path_factory.mktemp("tuned")
    without_food().save_pretrained(folder)
    TRUTH.tokenizer.save_pretrained(folder)
    return folder


def test_a_map_is_made_and_says_how_far_to_believe_it(run: Run, index: Path, tmp_path: Path) -> None:
    status, out, _ = run("project", index, "--csv", tmp_path / "map.csv", "--figure", tmp_path / "map.html")
    assert status == 0
    assert "of 32 neurons" in out
    assert "of the variance" in out
    table = pd.read_csv(tmp_path / "map.csv")
    assert list(table.columns) == ["layer", "neuron", "x", "y"]
    drawn = (tmp_path / "map.html").read_text()
    assert "Plotly.newPlot" in drawn
    assert 'src="http' not in drawn
    said = answer(run, "project", index)
    assert len(said["rows"]) == said["shown"] == len(table)
    assert said["rows"][0]["x"] == pytest.approx(table["x"][0], abs=1e-5)


def test_clusters_are_listed_with_their_neurons(run: Run, index: Path, tmp_path: Path) -> None:
    said = answer(run, "cluster", index, "--k", "6", "--csv", tmp_path / "clusters.csv")
    assert said["of"] == 32
    assert sum(row["size"] for row in said["rows"]) == said["in_clusters"]
    assigned = pd.read_csv(tmp_path / "clusters.csv")
    assert len(assigned) == said["looked_at"]
    members = answer(run, "cluster", index, "--k", "6", "--cluster", "0")["rows"]
    assert len(members) == said["rows"][0]["size"]
    status, out, _ = run("cluster", index, "--figure", tmp_path / "choice.html")
    assert status == 0
    assert "k = " in out
    assert "Plotly.newPlot" in (tmp_path / "choice.html").read_text()
    status, out, _ = run("cluster", index, "--k", "6", "--cluster", "0")
    assert "L0.N" in out
    some = answer(run, "cluster", index, "--k", "2", "--neurons", "L0.N0,L0.N1,L0.N2,L0.N7,L0.N8")
    assert 0 < some["looked_at"] <= 5


def test_senses_are_ranked_and_those_of_one_neuron_laid_out(run: Run, planted: Path, index: Path) -> None:
    said = answer(run, "polysemantic", index, planted / "model")
    assert said["of"] == 32
    assert said["verdicts"]["never fires"] == 1
    rows = {row["neuron"]: row for row in said["rows"]}
    assert {2, 3} <= set(rows)
    assert [{one["token"] for one in sense["tokens"]} for sense in rows[3]["found"]] != []
    assert rows[3]["senses"] == 3
    status, out, _ = run("polysemantic", index, planted / "model", "L0.N0,L0.N6")
    assert status == 0
    assert "L0.N0, sign +: N_eff 1" in out
    assert "L0.N6, sign +: never fires" in out
    status, out, _ = run("polysemantic", index, planted / "model", "--all", "--count", "3")
    assert "3 of" in out


def test_a_neuron_is_looked_at_on_one_token(run: Run, planted: Path, index: Path) -> None:
    [row] = answer(run, "polysemantic", index, planted / "model", "L0.N2", "--token", "red")["rows"]
    assert (row["senses"], row["source"]) == (1, "occurrences of red")
    status, out, _ = run("polysemantic", index, planted / "model", "L0.N2", "--token", "red")
    assert (status, "contexts of red, about what" in " ".join(out.split())) == (0, True)
    status, _, err = run("polysemantic", index, planted / "model", "--token", "red")
    assert (status, "asked of one neuron" in err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("project", "--method", "isomap"), 1, "pca, tsne, umap"),
        (("project", "--layers", "x"), 2, "0,3-5"),
        (("project", "--layers", "3-1"), 2, "0,3-5"),
        (("project", "--layers", "7"), 1, "it has layers 0 to 0"),
        (("project", "--figure", "map.png"), 1, ".html"),
        (("cluster", "--k", "99"), 1, "ask for 1 to"),
        (("cluster", "--k", "2", "--cluster", "9"), 1, "No cluster 9"),
        (("cluster", "--method", "voronoi"), 1, "kmeans"),
        (("cluster", "--k", "2", "--figure", "/tmp/choice.html"), 1, "leave --k out"),
    ],
)
def test_what_cannot_be_is_said(run: Run, index: Path, arguments: tuple[str, ...], status: int, said: str) -> None:
    command, *options = arguments
    code, _, err = run(command, index, *options)
    assert (code, said in err) == (status, True), err


def test_what_became_of_senses_and_n_grams_in_a_checkpoint_is_told(
    run: Run, planted: Path, index: Path, tuned: Path
) -> None:
    model, against = ("--model", planted / "model"), ("--against", tuned)
    senses = answer(run, "polysemantic", index, planted / "model", "L0.N2", *against)["rows"][0]
    assert sorted(round(kept) for kept in senses["against"]["kept_of_each"][:2]) == [0, 1]
    assert senses["against"]["senses"] == 1
    status, out, _ = run("polysemantic", index, planted / "model", "L0.N2", *against)
    assert status == 0
    assert "There it fires in" in " ".join(out.split())
    rows = answer(run, "reverse", index, "L0.N2", *model, *against, "--n", "1", "--count", "16")["rows"]
    lost = {row["ngram"].strip("·") for row in rows if row["change"] < -1}
    assert lost == set(GROUPS["food"])
    assert "There: the plain mean in" in " ".join(run("reverse", index, "L0.N2", *model, *against)[1].split())
    rows = answer(run, "responders", index, "bread", *model, *against)["rows"]
    assert [(row["layer"], row["neuron"]) for row in rows] == [(0, 2)]
    assert "most changed first" in " ".join(run("responders", index, "bread", *model, *against)[1].split())
    for command in (("reverse", index, "L0.N2"), ("responders", index, "bread")):
        status, _, err = run(*command, *against)
        assert (status, "add --model" in err) == (1, True)
    status, _, err = run("polysemantic", index, planted / "model", *against)
    assert (status, "name them" in err) == (1, True)
