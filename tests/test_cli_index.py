"""The terminal's questions about an index: building it, going on, asking it, and every way in which that can fail."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import neuronscope as ns
from neuronscope import cli
from neuronscope.demo.planted import WORDS, build, corpus
from neuronscope.index import build as building
from neuronscope.vocabulary import Neuron

Run = Callable[..., tuple[int, str, str]]
ONE_SECOND = 2.0
"""Seconds within which a process is gone, one of them for a machine that is busy with other tests."""


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


def answer(run: Run, *arguments: object) -> dict:
    """What a command says with --json, in which every number is one."""

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is no JSON")

    status, out, err = run(*arguments, "--json")
    assert (status, err) == (0, "")
    said = json.loads(out, parse_constant=refuse)
    assert next(iter(said)) == "schema_version"
    assert said["command"] == arguments[0]
    return said


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the planted model, its texts, and an index of them made by the command."""
    folder = tmp_path_factory.mktemp("planted")
    made = build()
    made.network.save_pretrained(folder / "model")
    made.tokenizer.save_pretrained(folder / "model")
    lines = (json.dumps({"text": text}) for text in corpus(texts=160))
    (folder / "texts.jsonl").write_text("\n".join(lines), "utf-8")
    named = [str(folder / name) for name in ("model", "texts.jsonl", "index")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["neuronscope", "index", *named[:2], "--out", named[2]])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    assert ended.value.code == 0
    return folder


@pytest.fixture
def asked(planted: Path) -> Path:
    return planted / "index"


def test_an_index_is_built_once_and_then_opened(run: Run, planted: Path) -> None:
    command = ("index", planted / "model", planted / "texts.jsonl", "--out", planted / "index")
    before = {path: path.stat().st_mtime_ns for path in planted.rglob("*.npy")}
    said = answer(run, *command)
    assert {path: path.stat().st_mtime_ns for path in planted.rglob("*.npy")} == before
    assert (said["tokens"], said["seen"], said["complete"]) == (160 * 23, 160 * 23, True)
    assert said["counts"]["documents"] == 160
    assert said["precision"] == "float32"
    status, out, _ = run(*command)
    assert status == 0
    assert "3,680 tokens" in out
    assert str(planted / "index") in out


def test_without_out_the_index_is_in_the_models_own_folder(run: Run, planted: Path, own_home: Path) -> None:
    said = answer(run, "index", planted / "model", planted / "texts.jsonl", "--tokens", 500, "--window", 16)
    assert said["folder"].startswith(str(own_home))
    assert (said["window"], said["layers"], said["neurons"]) == (16, 1, 32)
    assert said["tokens"] <= 500


def test_several_processes_make_the_same_index(run: Run, planted: Path, asked: Path, tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    said = answer(run, "index", planted / "model", planted / "texts.jsonl", "--out", tmp_path / "idx", "--workers", 1)
    assert said["complete"]
    [mine], [theirs] = ([*folder.glob("arrays-*/statistics.npy")] for folder in (tmp_path / "idx", asked))
    assert mine.read_bytes() == theirs.read_bytes()


def test_oddities_of_a_corpus_are_told(run: Run, planted: Path, tmp_path: Path) -> None:
    (tmp_path / "odd.jsonl").write_bytes(b'{"story": "the cat sees Paris"}\n{"story": ""}\n{"story": "a dog \xff"}\n')
    command = ("index", planted / "model", tmp_path / "odd.jsonl", "--out", tmp_path / "idx", "--field", "story")
    status, out, err = run(*command)
    assert (status, err) == (0, "")
    assert "Of 3 documents: 1 empty, left out; with 1 bytes that are no UTF-8" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("index", "{model}", "{folder}/none.txt", "--out", "{folder}/new"), "No file or folder"),
        (("index", "{model}", "--out", "{folder}/new"), "No text was named"),
        (("index", "{model}", "{texts}", "--out", "{folder}"), "is not an index and not empty"),
        (("index", "{model}", "{texts}", "--out", "{index}", "--tokens", "9"), "was made from"),
        (("index", "{model}", "{texts}", "--out", "{index}", "--window", "9"), "a window of 32, and 9 was asked for"),
        (("index", "{model}", "{texts}", "--out", "{folder}/new", "--window", "33"), "reads 2 to 32"),
        (("index", "{model}", "{texts}", "--out", "{folder}/new", "--overlap", "30"), "0 to half a window"),
        (("index", "{model}", "{texts}", "--out", "{folder}/new", "--field", "story"), "story"),
        (("stats", "{folder}/none"), "no index in"),
        (("stats", "{index}", "--layer", "1"), "it has layers 0 to 0"),
        (("stats", "{index}", "--sort", "beauty"), "there are layer, neuron, count"),
        (("stats", "{index}", "--csv", "{folder}/none/a.csv"), "name a file in a folder that is there"),
        (("neuron", "{index}", "L0.N32"), "No neuron L0.N32"),
        (("neuron", "{index}", "thirty"), "write layer and neuron as L5.N131"),
        (("neuron", "{index}", "L0.N0", "--sign", "++"), "No sign '++'"),
        (("neuron", "{index}", "L0.N6", "--export", "openai", "--out", "{folder}/a.json"), "it never fires"),
        (("neuron", "{index}", "L0.N0", "--export", "openai", "--out", "{folder}/none/a.json"), "there is no folder"),
        (("reverse", "{index}", "L0.N0,"), "write layer and neuron"),
        (("reverse", "{index}", "L0.N0", "--n", "6"), "N-grams have 1 to 5 tokens"),
        (("reverse", "{index}", "L0.N0", "--sign", "x"), "No sign 'x'"),
        (("responders", "{index}", "in Rome"), "With --model MODEL"),
        (("responders", "{index}", "in R.me", "--regex"), "add --model"),
        (("responders", "{index}", "(", "--regex", "--model", "{model}"), "not a regular expression"),
        (("responders", "{index}", "nowhere", "--model", "{model}"), "no such token"),
        (("reverse", "{index}", "L0.N0", "--model", "demo:stories"), "This index was made from"),
        (("serve", "--index", "{folder}", "--no-open"), "no index in"),
        (("serve", "demo:stories", "--index", "{index}", "--no-open"), "This index was made from"),
    ],
)
def test_a_stated_error_is_one_line_and_ends_with_1(
    run: Run, planted: Path, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    (tmp_path / "mine.doc").write_text("something else")
    named = {"model": planted / "model", "texts": planted / "texts.jsonl", "index": planted / "index"}
    status, out, err = run(*(part.format(folder=tmp_path, **named) for part in arguments))
    assert (status, out) == (1, "")
    assert err.startswith("neuronscope: ")
    assert err.count("\n") == 1
    assert said in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("index",),
        ("index", "MODEL", "TEXTS", "--tokens", "0"),
        ("index", "MODEL", "TEXTS", "--workers", "0"),
        ("stats",),
        ("stats", "INDEX", "--count", "0"),
        ("neuron", "INDEX"),
        ("neuron", "INDEX", "L0.N0", "--export", "openai"),
        ("neuron", "INDEX", "L0.N0", "--out", "a.json"),
        ("neuron", "INDEX", "L0.N0", "--export", "word", "--out", "a.json"),
        ("neuron", "INDEX", "L0.N0", "--export", "openai", "--out", "a.json", "--sign", "-"),
        ("reverse", "INDEX", "L0.N0", "--n", "two"),
        ("responders", "INDEX"),
    ],
)
def test_wrong_usage_ends_with_2_and_points_to_help(run: Run, arguments: tuple[str, ...]) -> None:
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert "Error" in err
    assert "--help" in err


def test_statistics_are_those_of_the_library_with_null_for_what_is_not_defined(run: Run, asked: Path) -> None:
    truth = ns.open_index(asked).statistics()
    said = answer(run, "stats", asked, "--sort", "max", "--count", 50)
    assert (said["of"], len(said["rows"]), said["seen"]) == (32, 32, 160 * 23)
    found = pd.DataFrame(said["rows"]).astype(float).sort_values("neuron").reset_index(drop=True)
    pd.testing.assert_frame_equal(found, truth.astype(float))
    assert [row["max"] for row in said["rows"]] == sorted(truth["max"], reverse=True)
    assert found["kurtosis"].isna().sum() >= 2  # the dead neuron and the one that never varies


def test_statistics_are_sorted_cut_and_saved_whole(run: Run, asked: Path, tmp_path: Path) -> None:
    status, out, err = run("stats", asked, "--sort", "min", "--ascending", "--count", 3, "--csv", tmp_path / "a.csv")
    assert (status, err) == (0, "")
    words = " ".join(out.split())
    assert "3 of 32 neurons, smallest min first" in words
    assert f"All 32 are in {tmp_path / 'a.csv'}" in words
    saved = pd.read_csv(tmp_path / "a.csv")
    assert list(saved["min"]) == sorted(saved["min"])
    assert out.count("L0.N") == 3
    assert answer(run, "stats", asked, "--layer", 0, "--count", 1)["of"] == 32


@pytest.mark.parametrize("wide", [40, 60, 80, 120, 200])
def test_numbers_are_never_cut_at_any_width(run: Run, asked: Path, monkeypatch: pytest.MonkeyPatch, wide: int) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    commands = (("stats", asked, "--count", 5), ("reverse", asked, "L0.N1"), ("responders", asked, "cat"))
    whole = [set(run(*command)[1].split()) for command in commands]
    monkeypatch.setenv("COLUMNS", str(wide))
    for command, known in zip(commands, whole, strict=True):
        out = run(*command)[1]
        numbers = [word for word in out.split() if any(letter.isdigit() for letter in word) and "/" not in word]
        assert max(map(len, out.splitlines())) <= wide
        assert {number for number in numbers if number not in known and not number.strip(".,)").isalnum()} == set()


def test_checksums_are_compared_when_asked(run: Run, asked: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(asked, copy)
    assert "Every file is as it was written" in " ".join(run("stats", copy, "--verify")[1].split())
    [cards] = copy.glob("arrays-*/cards.npy")
    raw = bytearray(cards.read_bytes())
    raw[-5] ^= 1
    cards.write_bytes(raw)
    assert run("stats", copy)[0] == 0
    status, out, err = run("stats", copy, "--verify")
    assert (status, out) == (1, "")
    assert "cards.npy" in err


def test_a_neuron_shows_its_numbers_its_contexts_and_its_neighbours(run: Run, asked: Path) -> None:
    status, out, err = run("neuron", asked, "L0.N4", "--count", 3)
    assert (status, err) == (0, "")
    assert out.count("⟦Rome⟧") == 3
    assert "in ⟦Rome⟧" in out
    assert "Nearest over" in out
    said = answer(run, "neuron", asked, "L0.N0", "--count", 7)
    assert said["statistics"]["max"] == pytest.approx(4, abs=1e-3)
    assert [one["tokens"][one["peak"]] for one in said["examples"]] == ["cat"] * 7
    assert {said["nearest"][0]["neuron"], said["nearest"][1]["neuron"]} == {"L0.N7", "L0.N9"}
    assert abs(said["nearest"][0]["r"]) == pytest.approx(1, abs=1e-2)
    assert sum(said["histogram"]["counts"]) == said["histogram"]["tokens"]


def test_a_neuron_that_never_varies_is_told_so(run: Run, asked: Path) -> None:
    for name, level in (("L0.N6", "0"), ("L0.N8", "2.996")):
        out = run("neuron", asked, name)[1]
        assert f"{name} never varies: it is {level} on every token that counts" in out
        assert "⟦" not in out


def test_contexts_measured_by_the_model_are_those_of_the_index(run: Run, planted: Path, asked: Path) -> None:
    known = answer(run, "neuron", asked, "L0.N9", "--count", 20)["examples"]
    exact = answer(run, "neuron", asked, "L0.N9", "--count", 20, "--model", planted / "model")["examples"]
    assert [one["position"] for one in known] == [one["position"] for one in exact]
    for one, other in zip(known, exact, strict=True):
        np.testing.assert_allclose(one["values"], other["values"], atol=0.005 * one["value"])


def test_a_reverse_query_finds_what_was_planted(run: Run, planted: Path, asked: Path) -> None:
    assert [row["ngram"] for row in answer(run, "reverse", asked, "L0.N0")["rows"]] == ["cat"]
    said = answer(run, "reverse", asked, "L0.N4", "--model", planted / "model")
    assert said["rows"][0]["ngram"] == "in Rome"
    assert said["rows"][0]["source"] == "corpus"
    assert said["unit"] == "activation"
    numbers = {WORDS[token] for row in answer(run, "reverse", asked, "L0.N1")["rows"] for token in row["tokens"]}
    assert numbers == {"one", "two", "three", "four", "five", "six", "seven", "eight"}
    assert all(len(row["tokens"]) == 2 for row in answer(run, "reverse", asked, "L0.N4", "--n", "2")["rows"])
    below = answer(run, "reverse", asked, "L0.N9", "--sign", "-")
    assert (below["sign"], below["rows"][0]["ngram"]) == ("-", "cat")


def test_a_group_is_asked_about_in_standard_deviations(run: Run, asked: Path, tmp_path: Path) -> None:
    said = answer(run, "reverse", asked, "L0.N0,L0.N7", "--csv", tmp_path / "a.csv")
    assert (said["neurons"], said["unit"], said["rows"][0]["ngram"]) == (["L0.N0", "L0.N7"], "z", "cat")
    assert list(pd.read_csv(tmp_path / "a.csv")["ngram"]) == [row["ngram"] for row in said["rows"]]
    assert "2 neurons, in standard deviations" in " ".join(run("reverse", asked, "L0.N0,L0.N7")[1].split())


def test_a_neuron_that_nothing_excites_is_an_empty_table_and_a_sentence(run: Run, asked: Path) -> None:
    status, out, err = run("reverse", asked, "L0.N6")
    assert (status, err) == (0, "")
    assert "Nothing in the corpus excites it above its mean" in " ".join(out.split())
    assert answer(run, "reverse", asked, "L0.N6")["rows"] == []


def test_those_who_answer_to_a_token_are_found(run: Run, planted: Path, asked: Path) -> None:
    rows = answer(run, "responders", asked, "cat", "--count", 3)["rows"]
    first = {(row["neuron"], row["sign"]) for row in rows[:3]}
    assert first == {(0, "+"), (7, "+"), (9, "-")}
    model = ("--model", planted / "model")
    assert answer(run, "responders", asked, "in Rome", *model, "--count", 1)["rows"][0]["neuron"] == 4
    assert answer(run, "responders", asked, "(in|of) Rome", "--regex", *model)["rows"][0]["neuron"] == 4
    assert "32 of 32 neurons" in " ".join(run("responders", asked, "cat")[1].split())


def test_contexts_are_exported_for_other_tools(run: Run, planted: Path, asked: Path, tmp_path: Path) -> None:
    export = ("--export", "openai", "--out", tmp_path / "n.json")
    status, out, _ = run("neuron", asked, "L0.N4", *export, "--model", planted / "model")
    assert (status, out) == (0, f"Saved 100 contexts of L0.N4 to {tmp_path / 'n.json'}\n")
    record = json.loads((tmp_path / "n.json").read_text("utf-8"))
    assert len(record["most_positive_activation_records"]) == len(record["random_sample"]) == 50
    said = answer(run, "neuron", asked, "L0.N4", "--export", "neuronpedia", "--out", tmp_path / "n.jsonl")
    assert said["out"] == str(tmp_path / "n.jsonl")
    assert len((tmp_path / "n.jsonl").read_text("utf-8").splitlines()) == 20


def test_labels_of_a_file_become_notes_and_replace_none_unasked(
    run: Run, asked: Path, own_home: Path, tmp_path: Path
) -> None:
    from neuronscope.app.notes import Note, Notes

    (tmp_path / "a.csv").write_text("neuron,label\nL0.N0,cats\nL0.N4,Rome\n")
    source = ns.open_index(asked).source
    notes = Notes(own_home / "data")
    notes.write(source.model, source.revision, Neuron(0, 4), Note("in Rome", "seen twice"))
    status, out, _ = run("labels", asked, tmp_path / "a.csv")
    assert (status, out.split(".")[0]) == (0, "1 labels are in the notes on model")
    assert "--replace" in out
    assert notes.of(source.model, source.revision, Neuron(0, 0)) == Note("cats")
    assert notes.of(source.model, source.revision, Neuron(0, 4)) == Note("in Rome", "seen twice")
    assert answer(run, "labels", asked, tmp_path / "a.csv", "--replace")["taken"] == 2
    assert notes.of(source.model, source.revision, Neuron(0, 4)) == Note("Rome", "seen twice")
    (tmp_path / "a.csv").write_text("neuron,label\nL0.N1,numbers\nL0.N99,none\n")
    assert "No neuron L0.N99" in run("labels", asked, tmp_path / "a.csv")[2]
    assert notes.of(source.model, source.revision, Neuron(0, 1)) == Note()


INTERRUPTED = """
import sys, time
from neuronscope import cli
from neuronscope.index import build
real = build.scan_shard
def slow(lend, card, plan, shard, *rest):
    if shard == 1:
        print("scanning", flush=True)
        {work}
    return real(lend, card, plan, shard, *rest)
build.scan_shard = slow
from neuronscope.index import plan
plan.SHARD_TOKENS = 1024
sys.argv = ["neuronscope", "index", {model!r}, {texts!r}, "--out", {out!r}]
cli.main()
"""
BETWEEN_STEPS = "any(time.sleep(0.01) for _ in range(6000))"
IN_ONE_STEP = "__import__('hashlib').pbkdf2_hmac('sha256', b'', b'', 10**9)"


@pytest.mark.skipif(os.name == "nt", reason="signals are sent as POSIX has them")
@pytest.mark.parametrize("work", [BETWEEN_STEPS, IN_ONE_STEP])
def test_ctrl_c_says_how_far_it_is_and_the_same_command_goes_on(
    run: Run, planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    out = tmp_path / "idx"
    names = {"model": str(planted / "model"), "texts": str(planted / "texts.jsonl"), "out": str(out)}
    command = [sys.executable, "-c", INTERRUPTED.format(work=work, **names)]
    root = Path(cli.__file__).parents[1]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "scanning\n"
        time.sleep(0.2)
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        assert time.monotonic() - started < ONE_SECOND
    assert process.returncode == 130
    seen = json.loads((out / "manifest.json").read_text())["seen"]
    assert 0 < seen < 160 * 23
    assert (
        said
        == f"neuronscope: interrupted. {seen:,} of 3,680 tokens are in {out}; the same command goes on from there.\n"
    )
    assert answer(run, "stats", out)["seen"] == seen
    assert "of 3,680 tokens seen" in " ".join(run("stats", out)[1].split())
    from neuronscope.index import plan

    monkeypatch.setattr(plan, "SHARD_TOKENS", 1024)
    scanned = []
    real = building.scan_shard
    monkeypatch.setattr(building, "scan_shard", lambda *asked: scanned.append(asked[3]) or real(*asked))
    said = answer(run, "index", names["model"], names["texts"], "--out", out)
    assert (said["seen"], said["complete"]) == (3680, True)
    assert scanned == list(range(1, len(scanned) + 1))


def test_n_grams_are_run_alone(run: Run, planted: Path, asked: Path) -> None:
    rows = answer(run, "reverse", asked, "L0.N0", "--check", "--model", planted / "model", "--count", "3")
    assert rows["threshold"] > 0
    first = rows["rows"][0]
    assert (first["ngram"], first["fires"]) == ("cat", True)
    assert first["kept"] == pytest.approx(1, abs=0.2)
    status, out, _ = run("reverse", asked, "L0.N0", "--check", "--model", planted / "model")
    assert status == 0
    assert "fires alone" in out
    status, _, err = run("reverse", asked, "L0.N0", "--check")
    assert (status, "add --model" in err) == (1, True)
    status, _, err = run("reverse", asked, "L0.N0,L0.N1", "--check", "--model", planted / "model")
    assert (status, "ask about one" in err) == (1, True)
