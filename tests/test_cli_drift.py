"""The terminal's drift: measured once, then opened without a model, as tables, JSON, figures and moving pictures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from neuronscope import cli
from neuronscope.figures import moving
from neuronscope.scope import Scope, Workspace
from neuronscope.series import Drift
from neuronscope.settings import Settings
from tests import drifts_for_tests
from tests.drifts_for_tests import DIED, MOVED, SWAPPED
from tests.test_cli_index import Run, answer, run

__all__ = ["run"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints, a corpus, and a drift of them that the command measured."""
    folder = drifts_for_tests.checkpoints(tmp_path_factory.mktemp("drift"))
    drifts_for_tests.corpus(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["neuronscope", *asking(folder)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    assert ended.value.code == 0
    return folder


def asking(folder: Path) -> list[str]:
    """The words of the command that measures."""
    options = {"--corpus": "words.txt", "--control": "even", "--out": "drift"}
    named = [word for option, name in options.items() for word in (option, str(folder / name))]
    return ["drift", str(folder / "base"), str(folder / "run"), *named]


def test_the_command_finds_what_was_done_and_says_what_it_must_be_told_from(run: Run, folder: Path) -> None:
    said = answer(run, *asking(folder))
    assert [one["checkpoint"] for one in said["checkpoints"]] == ["base", "step-1", "step-2", "even"]
    assert said["checkpoint"] == "step-2"
    assert "bfloat16" in said["noise_floor"]["against"]
    assert (said["control"], said["problems"], said["index_wise"]) == ("even", [], True)
    first = {(row["layer"], row["neuron"]) for row in said["rows"][:4]}
    assert first == {(one.layer, one.index) for one in (MOVED, DIED, *SWAPPED)}
    assert (len(said["rows"]), said["of"]) == (20, 96)
    assert said["checkpoints"][0]["loss_error"] is None


def test_a_drift_that_is_whole_is_opened_without_a_model(run: Run, folder: Path, monkeypatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a model was asked for")

    monkeypatch.setattr(Workspace, "scope", refuse)
    again, alone = answer(run, *asking(folder)), answer(run, "drift", "--out", folder / "drift")
    assert again == alone
    assert Path(alone["folder"]) == folder / "drift"
    code = "import sys, neuronscope as ns; ns.open_drift(sys.argv[1]).table; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code, folder / "drift"], check=True)


def test_layers_are_listed_one_by_one(run: Run, folder: Path, monkeypatch) -> None:
    rows = answer(run, "drift", "--out", folder / "drift", "--layers", "--checkpoint", "step-1")["rows"]
    assert [row["layer"] for row in rows] == [0, 1, 2]
    assert {row["checkpoint"] for row in rows} == {"step-1"}
    monkeypatch.setenv("COLUMNS", "200")
    status, out, _ = run("drift", "--out", folder / "drift", "--layers")
    assert status == 0
    assert "cka residual" in out
    assert "Control: even." in " ".join(out.split())


def test_one_neuron_has_a_course_and_tokens_and_contexts_that_it_gained_and_lost(run: Run, folder: Path) -> None:
    said = answer(run, "drift", "--out", folder / "drift", "--neuron", str(SWAPPED[0]))
    assert [row["checkpoint"] for row in said["rows"]] == ["step-1", "step-2"]
    assert said["rows"][1]["event"] == "swapped"
    assert said["rows"][0]["drift"] < said["rows"][1]["drift"]
    tokens = said["tokens"]
    assert len(tokens["lost"]) == len(tokens["gained"]) == 20 - len(tokens["kept"]) > 0
    assert len(said["contexts"]["gained"]) + len(said["contexts"]["kept"]) == 10
    status, out, _ = run("drift", "--out", folder / "drift", "--neuron", str(SWAPPED[0]), "--sign", "-")
    assert status == 0
    assert "Tokens gained in step-2: " in out
    assert "of its strongest contexts are new" in " ".join(out.split())


def test_the_most_drifted_neurons_are_listed_first(run: Run, folder: Path, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    status, out, _ = run("drift", "--out", folder / "drift", "--count", "4")
    assert status == 0
    assert all(str(one) in out for one in (MOVED, DIED, *SWAPPED))
    assert "swapped" in out
    assert "Noise floor: median D " in " ".join(out.split())
    assert f"The drift is in {folder / 'drift'}." in out


def test_tables_figures_and_moving_maps_are_written(run: Run, folder: Path, tmp_path: Path, monkeypatch) -> None:
    from PIL import Image

    monkeypatch.setattr(moving, "MOVING", 0)
    monkeypatch.setattr(moving, "_FEWEST", 1)
    where = ("drift", "--out", folder / "drift")
    said = answer(
        run, *where, "--csv", tmp_path / "a.csv", "--figure", tmp_path / "a.html", "--animation", tmp_path / "a.gif"
    )
    assert [Path(said[name]).name for name in ("out", "figure", "animation")] == ["a.csv", "a.html", "a.gif"]
    table = pd.read_csv(tmp_path / "a.csv")
    assert len(table) == 2 * 96
    drawn = (tmp_path / "a.html").read_text()
    assert drawn.count("Plotly.newPlot(") == 5 == drawn.count('class="plotly-graph-div"')
    assert 'src="http' not in drawn
    with Image.open(tmp_path / "a.gif") as picture:
        assert picture.n_frames == 5
    answer(run, *where, "--neuron", str(MOVED), "--figure", tmp_path / "b.html", "--dark", "--csv", tmp_path / "b.csv")
    assert (tmp_path / "b.html").read_text().count("Plotly.newPlot(") == 4
    answer(run, *where, "--layers", "--csv", tmp_path / "c.csv", "--animation", tmp_path / "c.html")
    assert len(pd.read_csv(tmp_path / "c.csv")) == 3 * 3
    assert "DriftPlayer" in (tmp_path / "c.html").read_text()
    answer(run, *where, "--animation", tmp_path / "d.webp")
    with Image.open(tmp_path / "d.webp") as picture:
        assert picture.n_frames == 5


def test_a_demo_model_needs_to_be_told_nothing(run: Run, folder: Path, monkeypatch) -> None:
    asked: list[tuple] = []

    def drift(scope: Scope, checkpoints, corpus, **how) -> Drift:
        asked.append((scope.card.name, checkpoints, corpus, how))
        return Drift.open(folder / "drift")

    monkeypatch.setattr(Scope, "drift", drift)
    answer(run, "drift", "demo:stories", "--tokens", "2000")
    [(model, checkpoints, [corpus], how)] = asked
    assert model == "demo:stories"
    assert checkpoints == [f"demo:stories/step-{step:04d}" for step in (10, 30, 100, 200, 400)]
    assert (how["control"], how["tokens"]) == ("demo:stories/control", 2000)
    assert Path(corpus).is_relative_to(Settings.from_environment().data_folder)
    assert "Wind " in Path(corpus).read_text()


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ((), 2, "--out with a drift that is there"),
        (("{0}/base",), 2, "Name the checkpoints"),
        (("{0}/base", "{0}/run"), 2, "Name the texts"),
        (("{0}/base", "{0}/drift", "--corpus", "{0}/words.txt"), 1, "No checkpoint in "),
        (("--out", "{0}/run"), 1, "There is no drift in "),
        (("{0}/base", "{0}/even", "--corpus", "{0}/words.txt", "--out", "{0}/drift"), 1, "is of other checkpoints"),
        (("--out", "{0}/drift", "--checkpoint", "step-9"), 1, "there are base, step-1, step-2"),
        (("--out", "{0}/drift", "--neuron", "L7.N1"), 1, "layers 0 to 2"),
        (("--out", "{0}/drift", "--neuron", "seven"), 1, "seven"),
        (("--out", "{0}/drift", "--figure", "drift.png"), 1, "name an .html file"),
        (("--out", "{0}/drift", "--animation", "drift.mp4"), 1, "name a .gif, .webp or .html file"),
    ],
)
def test_what_cannot_be_is_said(run: Run, folder: Path, arguments: tuple[str, ...], status: int, said: str) -> None:
    code, _, err = run("drift", *(word.format(folder) for word in arguments))
    assert (code, said in " ".join(err.split())) == (status, True), err
