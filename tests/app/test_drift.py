"""The Drift view: what is kept, what may be measured, what is said, and what the table and the card hold."""

import json
import threading
import time

import numpy as np
import pytest
import torch

from neuronscope.app import create_app, drift_about, drift_card, drift_measuring, drift_panels, drift_rows
from neuronscope.app.drift_asking import Look
from neuronscope.app.drift_kept import Drifts, Measurer
from neuronscope.app.selection import Selection
from neuronscope.errors import InputError, ModelNotFound, Refused
from neuronscope.jobs import checkpoint
from neuronscope.scope import Workspace
from neuronscope.settings import Settings
from tests import drifts_for_tests as truth
from tests import models_for_tests as tiny
from tests.app.test_parts import walk


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Checkpoints whose truth is known, among them one in which the first layer alone was changed."""
    home = tmp_path_factory.mktemp("home")
    folder = truth.checkpoints(home / "runs")
    first = tiny.gpt2(vocab_size=len(truth.WORDS))
    with torch.no_grad():
        truth.mlp(first, 0).c_fc.weight[:, 0] *= 2
    first.save_pretrained(folder / "first")
    truth.tokenizer().save_pretrained(folder / "first")
    truth.corpus(home / "runs")
    return home


@pytest.fixture(scope="module")
def workspace(home):
    workspace = Workspace(Settings(home / "cache", home / "data", offline=True, model_roots=(home / "runs",)))
    yield workspace
    workspace.close()


@pytest.fixture(scope="module")
def scope(home, workspace):
    return workspace.scope(str(home / "runs" / "base"), device="cpu")


@pytest.fixture(scope="module")
def measured(home, scope):
    """A whole drift with a control, and after it one without that cannot read one of its checkpoints."""
    runs = home / "runs"
    both = scope.drift(runs / "run", runs / "words.txt", control=runs / "even", tokens=1200)
    (runs / "broken").mkdir()
    (runs / "broken" / "config.json").write_text("{}")
    first = scope.drift([runs / "first", runs / "broken"], runs / "words.txt", tokens=1200)
    return both, first


@pytest.fixture
def drifts(workspace):
    return Drifts(workspace.settings.data_folder)


def look(scope, drifts, drift, place, **fields):
    return Look(scope, Selection(view="drift", **fields), drifts.one(drift.folder.name), drift, place)


def words(part):
    return " ".join(piece for one in (part if isinstance(part, list) else [part]) for piece in walk(one)
                    if isinstance(piece, str))  # fmt: skip


def wait(worker, seconds=60.0):
    deadline = time.monotonic() + seconds
    while worker.busy:
        assert time.monotonic() < deadline, "the work did not end in time"
        time.sleep(0.02)


def test_drifts_are_listed_for_their_model_the_last_first(workspace, scope, drifts, measured):
    both, first = measured
    assert [one.name for one in drifts.kept(scope)] == [first.folder.name, both.folder.name]
    assert drifts.shown(scope, None).name == first.folder.name
    assert drifts.shown(scope, both.folder.name).done == 2
    assert drifts.kept(workspace.scope("demo:stories")) == []
    listed = words(drift_about.listed(drifts.kept(scope), drifts.shown(scope, None), works=False))
    assert "step-1 … step-2" in listed
    assert "2 of 2 checkpoints" in listed
    assert "1 of 2 checkpoints" in listed


@pytest.mark.parametrize("name", ["", ".", "..", "../data", "/etc", "none"])
def test_a_name_that_is_no_drift_opens_nothing(drifts, measured, name):
    assert drifts.one(name) is None


def test_what_is_compared_is_said(measured):
    both, first = measured
    said = words(drift_about.compared(both))
    assert "2 checkpoints (step-1, step-2)" in said
    assert f"{both.manifest.tokens:,} tokens of words.txt" in said
    assert "Noise floor" in said
    assert "of unchanged neurons would exceed theirs" in said
    assert "even" in said
    without = words(drift_about.compared(first))
    assert "includes generic drift" in without
    assert "1 checkpoint could not be compared" in without
    assert "broken" in without


def test_the_table_has_every_neuron_and_is_narrowed_by_what_is_asked(scope, drifts, measured):
    both, first = measured
    every = drift_rows.rows_of(look(scope, drifts, both, 2))
    assert len(every) == both.units
    assert (every["drift"].to_numpy()[:-1] >= every["drift"].to_numpy()[1:]).all()
    one = drift_rows.rows_of(look(scope, drifts, both, 2, layers="1"))
    assert set(one["layer"]) == {1}
    assert len(one) == both.manifest.neurons
    above = drift_rows.rows_of(look(scope, drifts, both, 1, beyond="control"))
    assert 0 < len(above) < both.units
    assert (above["above_noise"] & above["above_control"]).all()
    own = drift_rows.rows_of(look(scope, drifts, first, 1, cause="weights"))
    assert [(row.layer, row.neuron) for row in own.itertuples()] == [(0, 0)]
    fed = drift_rows.rows_of(look(scope, drifts, first, 1, cause="input", beyond="noise"))
    assert set(fed["layer"]) == {1, 2}


def test_what_travels_can_be_written_as_json_and_is_small(scope, drifts, measured):
    both, _first = measured
    rows = drift_rows.rows_of(look(scope, drifts, both, 2))
    data = drift_rows.packed(rows, both)
    written = json.dumps(data, allow_nan=False)
    assert json.loads(written) == data
    assert len(written) < 130 * len(rows) + 500
    assert {len(column) for column in data["columns"].values()} == {len(rows)}
    assert data["same"]["checkpoint"] == "step-2"
    assert drift_rows.packed(rows.head(0), both)["columns"]["drift"] == []


def test_the_gate_and_the_control_have_a_column_where_there_are_any():
    def seen(**has):
        return {column["field"] for column in drift_rows.columns(**has) if not column["hide"]}

    plain = seen(gated=False, control=False)
    assert seen(gated=True, control=True) - plain == {"weight_gate", "excess"}
    options = words([str(one.children[1].options) for one in drift_panels.filters(Selection(), 3, control=False)])
    assert "above the control" not in options


def test_the_card_is_of_the_chosen_neuron_or_else_of_the_one_that_drifted_most(scope, drifts, measured):
    both, first = measured
    top = look(scope, drifts, both, 1)
    assert top.neuron == truth.MOVED
    assert f"{truth.MOVED}, before and after" in words(drift_card.head(top))
    a, b = truth.SWAPPED
    swapped = look(scope, drifts, both, 2, layer=a.layer, neuron=a.index)
    assert f"{b} now does what it did" in words(drift_card.facts(swapped, "light"))
    died = look(scope, drifts, both, 2, layer=truth.DIED.layer, neuron=truth.DIED.index)
    assert "It died" in words(drift_card.facts(died, "dark"))
    fed = look(scope, drifts, first, 1, layer=2, neuron=5)
    assert "earlier layers" in words(drift_card.facts(fed, "light"))
    assert "Its own weights changed" in words(
        drift_card.facts(look(scope, drifts, first, 1, layer=0, neuron=0), "light")
    )


def test_gained_and_lost_examples_are_those_of_the_drift(scope, drifts, measured):
    both, _first = measured
    a = truth.SWAPPED[0]
    found = look(scope, drifts, both, 2, layer=a.layer, neuron=a.index)
    changed = both.changed(a, 2)
    assert changed.gained
    said = words(drift_card.examples(found))
    assert f"{len(changed.gained)} context" in said
    shown = [one for part in drift_card.examples(found) for one in walk(part)
             if "example" in str(getattr(one, "className", "")).split()]  # fmt: skip
    assert len(shown) == len(changed.gained) + len(changed.lost) + len(changed.kept)


def test_a_drift_is_measured_on_a_thread_and_stands_first(home, workspace, scope, drifts, measured):
    both, _first = measured
    runs, measurer = home / "runs", Measurer()
    measurer.start(scope, [str(runs / "run")], str(runs / "even"), lambda: runs / "words.txt", 1200)
    with pytest.raises(InputError, match="being measured"):
        measurer.start(scope, [str(runs / "run")], None, lambda: runs / "words.txt", 1200)
    wait(measurer)
    assert measurer.of(scope).problem == ""
    assert drifts.shown(scope, None).name == both.folder.name  # the same question: what was kept is shown again
    measurer.close()


def test_a_drift_that_is_stopped_keeps_what_is_done_and_says_so(home, workspace, scope, drifts, measured):
    runs, measurer, begun = home / "runs", Measurer(), threading.Event()

    def slowly():
        begun.set()
        while True:
            checkpoint()
            time.sleep(0.01)

    measurer.start(scope, [str(runs / "run")], None, slowly, 1200)
    assert begun.wait(20)
    measurer.cancel(scope)
    wait(measurer)
    assert measurer.of(scope).stopped
    assert "ask for the same again" in drift_measuring._says(measurer.of(scope))
    assert len(drifts.kept(scope)) == 2
    measurer.start(scope, [str(runs / "nothing")], None, lambda: runs / "words.txt", 1200)
    wait(measurer)
    assert "nothing" in measurer.of(scope).problem
    measurer.close()


def test_only_what_the_picker_may_load_is_measured(home, workspace, tmp_path):
    runs = home / "runs"
    permitted = lambda *names: drift_measuring.permitted(list(names), workspace, "demo:stories")  # noqa: E731
    permitted("demo:stories/*", "demo:stories/control", "EleutherAI/pythia-70m@step1000", str(runs / "run"))
    truth.checkpoints(tmp_path / "away")
    with pytest.raises(Refused, match="may not load"):
        permitted(str(tmp_path / "away" / "run"))
    (runs / "linked").mkdir(exist_ok=True)
    (runs / "linked" / "step-1").symlink_to(tmp_path / "away" / "base")
    with pytest.raises(Refused, match="may not load"):
        permitted(str(runs / "linked"))
    with pytest.raises(ModelNotFound):
        permitted("not a name")
    with pytest.raises(InputError, match="No checkpoint is named"):
        drift_measuring.names_in(" \n , ")
    assert drift_measuring.names_in("a, b\n\n c") == ["a", "b", "c"]


def test_a_demo_model_brings_its_checkpoints_and_its_control():
    assert drift_measuring.suggested("demo:stories") == ("demo:stories/*", "demo:stories/control")
    assert drift_measuring.suggested("demo:stories/step-0100") == ("", "")
    assert drift_measuring.suggested("gpt2") == ("", "")


def test_the_map_is_sent_for_drifts_that_are_kept_and_for_nothing_else(workspace, measured):
    both, _first = measured
    made = create_app(workspace, prefix="/secret/", index_demos=False)
    client = made.server.test_client()
    sent = client.get(f"/secret/_drift/{both.folder.name}/frames")
    assert sent.status_code == 200
    size = int(np.frombuffer(sent.data, "<u4", 1)[0])
    assert json.loads(sent.data[4 : 4 + size])["checkpoints"] == ["base", "step-1", "step-2"]
    page = client.get(f"/secret/_drift/{both.folder.name}/page")
    assert page.headers["Content-Disposition"].startswith("attachment")
    assert "DriftPlayer" in page.text
    assert client.get("/secret/_drift/none/frames").status_code == 404
    for path in (f"_drift/{both.folder.name}/manifest.json", f"_drift/..%2F{both.folder.name}/frames"):
        with client.get(f"/secret/{path}") as answer:  # the page's own answer to an address that it does not know
            assert both.manifest.revision not in answer.text or answer.status_code == 404
    made.manager.close()
