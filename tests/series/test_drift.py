"""A drift measured on real files: exact where it can be known, refused where it cannot be, kept when it is stopped."""

import copy
import json
import shutil

import numpy as np
import pytest
import torch

from neuronscope import open_drift
from neuronscope.analysis.drift import parts
from neuronscope.demo.world import KINDS, NEW_KINDS, documents
from neuronscope.errors import DriftProblem, FileError, NoSuchNeuron, NotOfSeries
from neuronscope.index import ways
from neuronscope.index.read_corpus import ReadCorpus
from neuronscope.jobs import Cancelled, running
from neuronscope.series import store
from neuronscope.vocabulary import Neuron
from tests.models_for_tests import gpt2, llama
from tests.series.drifts import saved, series, texts
from tests.texts_for_tests import written


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("series")
    texts(folder)
    return series(folder)


@pytest.fixture(scope="module")
def scope(workspace, folder):
    return workspace.scope(str(folder / "base"))


@pytest.fixture(scope="module")
def drift(scope, folder):
    return scope.drift(folder / "runs", folder / "texts.jsonl", folder=folder / "drift", window=32)


def read_alone(workspace, folder, name):
    """Every neuron's activations on every token of the corpus that counts, window by window."""
    corpus = ReadCorpus.open(folder / "drift")
    network = workspace.scope(str(name))
    found = []
    with network._lent() as model:
        for number, window in enumerate(corpus.windows):
            first, length = int(window["first"]), int(window["length"])
            ids = [*corpus.lead, *corpus.ids[first : first + length].tolist()]
            held = []
            hooks = [
                block.mlp.c_proj.register_forward_pre_hook(lambda _m, args, held=held: held.append(args[0][0]))
                for block in model.network.transformer.h
            ]
            with torch.inference_mode():
                model.network(torch.tensor([ids]))
            for hook in hooks:
                hook.remove()
            kept = corpus.kept(number)
            found.append(torch.cat(held, 1)[len(corpus.lead) :][torch.from_numpy(kept)].numpy())
    return np.concatenate(found).astype(np.float64)


def test_every_number_is_that_of_keeping_everything(workspace, folder, drift):
    a = read_alone(workspace, folder, folder / "base")
    b = read_alone(workspace, folder, folder / "runs" / "checkpoint-100")
    sums = np.stack([x.sum(0) for x in (a, a**2, b, b**2, (b - a) ** 2)])
    expected = parts(np.array([float(len(a))]), sums)
    found = drift.records("checkpoint-100")
    assert drift.manifest.tokens == len(a)
    for name in ("drift", "location", "scale", "selectivity"):
        np.testing.assert_allclose(found[name], getattr(expected, name), atol=1e-4)
    np.testing.assert_allclose(found["mean"], b.mean(0), atol=1e-4)
    np.testing.assert_allclose(found["moved"], b.mean(0) - a.mean(0), atol=1e-4)


def test_the_same_checkpoint_has_not_drifted_at_all(drift):
    same = drift.rows("checkpoint-5")
    for column in ("drift", "low", "high", "location", "scale", "selectivity", "divergence", "transport", "bias"):
        assert not same[column].any()
    assert not same[["weight_in", "weight_out"]].any(axis=None)
    assert (same[["jaccard", "overlap", "jaccard_low", "overlap_low", "cosine_in", "cosine_out"]] == 1).all(axis=None)
    assert not same["above_noise"].any()
    assert (same["event"] == "").all()
    assert drift.layers[drift.layers["checkpoint"] == "checkpoint-5"]["cka"].tolist() == pytest.approx([1, 1, 1])
    assert drift.noise_floor.recomputed == 0
    assert drift.noise_floor.rate < 0.1


def test_it_is_the_same_measured_as_on_a_gpu(scope, folder, drift, monkeypatch):
    monkeypatch.setattr(ways, "HAS_HALVES", False)
    other = scope.drift(folder / "runs", folder / "texts.jsonl", folder=folder / "other", window=32)
    for label in ("checkpoint-5", "checkpoint-20", "checkpoint-100"):
        a, b = drift.records(label), other.records(label)
        for name in ("drift", "low", "high", "location", "scale", "selectivity", "mean", "sd", "moved"):
            np.testing.assert_allclose(a[name], b[name], atol=1e-6)
        for name in ("divergence", "transport", "weights", "partner", "own", "alive"):
            np.testing.assert_array_equal(a[name], b[name])
    for place in ("base", "03"):
        for name in ("sample", "context_values", "context_positions", "contexts"):
            one, same = (store.read(found.folder / place, name) for found in (drift, other))
            np.testing.assert_array_equal(one, same)


def test_neurons_that_were_pruned_have_died_wherever_they_stood_before(workspace, folder, tmp_path):
    network = llama()
    with torch.no_grad():  # what is silent in the base cannot die
        network.model.layers[1].mlp.up_proj.weight[9] = 0
    saved(tmp_path / "base", network)
    pruned = copy.deepcopy(network)
    with torch.no_grad():
        pruned.model.layers[1].mlp.up_proj.weight[:] = 0
    saved(tmp_path / "pruned", pruned)
    scope = workspace.scope(str(tmp_path / "base"))
    found = scope.drift(tmp_path / "pruned", folder / "texts.jsonl", folder=tmp_path / "drift", window=32)
    rows = found.rows("pruned")
    died = rows[rows["event"] == "died"]
    assert sorted(died[["layer", "neuron"]].values.tolist()) == [[1, number] for number in range(24) if number != 9]
    assert died[["mean", "sd"]].abs().values.max() < 1e-7
    assert (died["drift"] > 0).all()


def test_one_neuron_whose_weights_changed_leads_and_what_follows_drifts_without_them(drift):
    rows = drift.rows("checkpoint-20")
    own = rows[(rows["weight_in"] > 0) | (rows["weight_out"] > 0) | (rows["bias"] != 0)]
    assert own[["layer", "neuron"]].values.tolist() == [[1, 7]]
    assert own["cosine_in"].item() == pytest.approx(-1)
    layer = rows[rows["layer"] == 1]
    assert layer["neuron"].iloc[0] == 7
    assert not layer["drift"].iloc[1:].any()
    assert not rows[rows["layer"] == 0]["drift"].any()
    assert (rows[rows["layer"] == 2]["drift"] > 0).all()


def test_the_loss_is_that_of_the_model(workspace, folder, drift):
    sampled = np.load(folder / "drift" / "sampled.npy")
    corpus, loss = drift.corpus, store.read(folder / "drift" / "03", "loss")
    scope = workspace.scope(str(folder / "runs" / "checkpoint-100"))
    for place in range(20):
        position = int(sampled[place])
        window = corpus.windows[int(corpus.window_of(np.array([position]))[0])]
        first, last = int(window["first"]), int(window["first"]) + int(window["length"])
        if position + 1 == last:
            assert np.isnan(loss[place])
            continue
        logits = scope._logits(" ".join(corpus.tokens(first, position + 1).text.split()))
        wanted = torch.log_softmax(torch.from_numpy(logits[-1]), 0)[int(corpus.ids[position + 1])]
        assert loss[place] == pytest.approx(-wanted.item(), abs=1e-4)
    assert drift.checkpoints[3].loss == pytest.approx(float(np.nanmean(loss)), abs=1e-5)


def test_the_table_has_its_columns_and_every_neuron_of_every_checkpoint(drift):
    assert {"checkpoint", "layer", "neuron", "drift", "location", "scale", "selectivity"} < set(drift.table.columns)
    assert {"weight_in", "weight_gate", "weight_out", "above_noise"} < set(drift.table.columns)
    assert len(drift.table) == 3 * drift.units
    assert drift.table["weight_gate"].isna().all()
    assert drift.layers["checkpoint"].tolist()[::3] == ["base", "checkpoint-5", "checkpoint-20", "checkpoint-100"]


def test_examples_and_tokens_say_what_was_gained_and_lost(drift):
    neuron = Neuron(1, 7)
    still = drift.changed(neuron, "checkpoint-5")
    assert still.kept
    assert (still.gained, still.lost) == ((), ())
    turned = drift.changed(neuron, "checkpoint-20")
    assert turned.gained
    assert turned.lost
    top = drift.examples(neuron, "checkpoint-20")
    assert [one.value for one in top] == sorted((one.value for one in top), reverse=True)
    assert top[0].values[top[0].peak] == pytest.approx(top[0].value)
    assert drift.tokens(neuron, 0) != drift.tokens(neuron, "checkpoint-20")
    assert drift.values(neuron).shape == (4, min(2048, drift.manifest.tokens))
    with pytest.raises(NoSuchNeuron, match="layers 0 to 2"):
        drift.values(Neuron(3, 0))


def test_a_control_is_taken_off(scope, folder):
    found = scope.drift(
        [folder / "runs" / "checkpoint-100"], folder / "texts.jsonl", control=folder / "runs" / "checkpoint-20",
        folder=folder / "controlled", window=32,
    )  # fmt: skip
    control, rows = found.records("control"), found.records(1)
    np.testing.assert_allclose(rows["control"], control["drift"])
    np.testing.assert_allclose(rows["excess"], rows["drift"] - control["drift"], atol=1e-6)
    assert found.control is not None
    assert len(found.checkpoints) == 2
    assert not (rows["excess_low"] > rows["excess"] + 1e-6).any()


def test_a_checkpoint_that_is_damaged_missing_or_of_another_kind_loses_only_itself(scope, folder, tmp_path):
    damaged = shutil.copytree(folder / "runs" / "checkpoint-20", tmp_path / "damaged")
    (damaged / "model.safetensors").write_bytes(b"not weights")
    wider = saved(tmp_path / "wider", gpt2(n_inner=48))
    other = saved(tmp_path / "other", llama())
    missing = tmp_path / "missing"
    asked = [damaged, wider, other, missing, folder / "runs" / "checkpoint-20"]
    found = scope.drift(asked, folder / "texts.jsonl", folder=tmp_path / "drift", window=32)
    assert [one.label for one in found.checkpoints] == ["base", "checkpoint-20"]
    said = {one.label: one.problem for one in found.problems}
    assert "it has 48 neurons a layer and the base 32" in said["wider"]
    assert "it is a LlamaForCausalLM and the base a GPT2LMHeadModel" in said["other"]
    assert "No model in" in said["missing"]
    assert "damaged" in said


def test_what_could_not_run_is_looked_at_again_without_the_base_until_it_can(scope, folder, tmp_path):
    asked, where = [tmp_path / "late", folder / "runs" / "checkpoint-5"], tmp_path / "drift"

    def ask():
        return scope.drift(asked, folder / "texts.jsonl", folder=where, window=32)

    assert [one.label for one in ask().problems] == ["late"]
    with running(StopAfter("Running base")):
        assert [one.label for one in ask().problems] == ["late"]
    shutil.copytree(folder / "runs" / "checkpoint-20", tmp_path / "late")
    found = ask()
    assert not found.problems
    assert [one.label for one in found.checkpoints] == ["base", "late", "checkpoint-5"]


def test_a_neuron_whose_bias_alone_fell_has_changed_itself(scope, folder, tmp_path):
    network = gpt2()
    with torch.no_grad():
        network.transformer.h[2].mlp.c_fc.bias[5] -= 1
    found = scope.drift(
        saved(tmp_path / "fallen", network), folder / "texts.jsonl", folder=tmp_path / "drift", window=32
    )
    assert np.flatnonzero(found.reweighted(1)).tolist() == [2 * 32 + 5]
    row = found.rows(1).query("reweighted")
    assert row["bias"].item() == pytest.approx(-1)
    assert row["drift"].item() > 0


def test_a_checkpoint_of_another_precision_is_never_compared(workspace, folder, tmp_path):
    base = workspace.scope(str(folder / "base"), precision="bfloat16")
    found = base.drift(folder / "runs" / "checkpoint-5", folder / "texts.jsonl", folder=tmp_path / "drift", window=32)
    assert not found.rows(1)["drift"].any()
    assert found.noise_floor.against == "float32 arithmetic"
    assert found.noise_floor.median > 0


def test_a_map_that_was_half_written_is_made_again(drift, tmp_path):
    copied = shutil.copytree(drift.folder, tmp_path / "drift")
    made = open_drift(copied).trajectories()
    (copied / "trajectories.npz").write_bytes((copied / "trajectories.npz").read_bytes()[:400])
    np.testing.assert_array_equal(open_drift(copied).trajectories().points, made.points)


def test_a_drift_that_died_while_it_first_wrote_its_manifest_goes_on(scope, folder, drift, tmp_path, monkeypatch):
    class Died(BaseException):
        pass

    def die(_self, to):
        assert to.name == store.MANIFEST
        raise Died

    asked = folder / "runs" / "checkpoint-20", folder / "texts.jsonl"
    with monkeypatch.context() as patch:
        patch.setattr(type(tmp_path), "replace", die)
        with pytest.raises(Died):
            scope.drift(*asked, folder=tmp_path / "drift", window=32)
    found = scope.drift(*asked, folder=tmp_path / "drift", window=32)
    np.testing.assert_array_equal(found.records(1)["drift"], drift.records(2)["drift"])


def test_another_tokenizer_is_refused_and_one_that_cuts_alike_is_not(scope, folder, tmp_path):
    other = shutil.copytree(folder / "runs" / "checkpoint-20", tmp_path / "renamed")
    raw = json.loads((other / "tokenizer.json").read_text())
    words = raw["model"]["vocab"]
    words["cat"], words["dog"] = words["dog"], words["cat"]
    (other / "tokenizer.json").write_text(json.dumps(raw))
    with pytest.raises(NotOfSeries, match="tokenizer cuts the probe corpus into other tokens"):
        scope.drift([other], folder / "texts.jsonl", folder=tmp_path / "refused", window=32)
    padded = shutil.copytree(folder / "runs" / "checkpoint-20", tmp_path / "padded")
    raw = json.loads((padded / "tokenizer.json").read_text())
    raw["padding"] = {"strategy": "BatchLongest", "direction": "Right", "pad_to_multiple_of": 8, "pad_id": 0,
                      "pad_type_id": 0, "pad_token": "<|endoftext|>"}  # fmt: skip
    (padded / "tokenizer.json").write_text(json.dumps(raw))
    assert len(scope.drift([padded], folder / "texts.jsonl", folder=tmp_path / "taken", window=32).checkpoints) == 2


def test_permuted_neurons_are_matched_back_and_comparing_by_number_is_called_wrong(scope, folder, tmp_path):
    network = gpt2()
    order = np.random.default_rng(0).permutation(32)
    with torch.no_grad():
        for block in network.transformer.h:
            block.mlp.c_fc.weight.copy_(block.mlp.c_fc.weight[:, order])
            block.mlp.c_fc.bias.copy_(block.mlp.c_fc.bias[order])
            block.mlp.c_proj.weight.copy_(block.mlp.c_proj.weight[order])
    found = scope.drift(
        [saved(tmp_path / "permuted", network)], folder / "texts.jsonl", folder=tmp_path / "drift", window=32
    )
    rows = found.records(1)
    assert (rows["partner"].reshape(3, 32) == np.argsort(order)).all()
    assert (rows["matched"] > 0.999).all()
    assert not found.index_wise
    assert found.layers["cka"].min() == pytest.approx(1, abs=1e-3)
    assert (found.events(1)[rows["drift"] > 0.5] != "").mean() > 0.8


def test_a_neuron_that_died_is_said_to_have(scope, folder, tmp_path):
    network = gpt2()
    with torch.no_grad():
        network.transformer.h[0].mlp.c_fc.weight[:, 3] = 0
        network.transformer.h[0].mlp.c_fc.bias[3] = -20
    dead = saved(tmp_path / "dead", network)
    found = scope.drift([dead], folder / "texts.jsonl", folder=tmp_path / "drift", window=32)
    assert np.flatnonzero(found.events(1) == "died").tolist() == [3]


class StopAfter:
    """Cancels the work once a label has been heard of."""

    def __init__(self, label):
        self.label, self.seen = label, False

    def check(self):
        if self.seen:
            raise Cancelled

    def report(self, progress):
        self.seen = self.seen or self.label in progress.label


def test_a_drift_that_is_stopped_goes_on_where_it_was(scope, folder, drift, tmp_path):
    where = tmp_path / "drift"
    with pytest.raises(Cancelled), running(StopAfter("checkpoint-20")):
        scope.drift(folder / "runs", folder / "texts.jsonl", folder=where, window=32)
    assert [one.label for one in open_drift(where).checkpoints] == ["base", "checkpoint-5"]
    at = (where / "01" / "table.npy").stat().st_mtime_ns
    found = scope.drift(folder / "runs", folder / "texts.jsonl", folder=where, window=32)
    assert (where / "01" / "table.npy").stat().st_mtime_ns == at
    for label in ("checkpoint-20", "checkpoint-100"):
        assert found.records(label).tobytes() == drift.records(label).tobytes()
    assert not (where / ".work").exists()


def test_a_whole_drift_is_opened_without_running_anything(scope, folder, drift):
    with running(StopAfter("")):
        again = scope.drift(folder / "runs", folder / "texts.jsonl", folder=folder / "drift", window=32)
    assert again.manifest == drift.manifest


def test_what_does_not_fit_a_folder_is_refused(workspace, scope, folder, drift, tmp_path):
    with pytest.raises(DriftProblem, match="of other checkpoints"):
        scope.drift(folder / "runs" / "checkpoint-5", folder / "texts.jsonl", folder=folder / "drift")
    other = workspace.scope(str(folder / "runs" / "checkpoint-100"))
    with pytest.raises(DriftProblem, match="not of checkpoint-100"):
        other.drift(folder / "runs", folder / "texts.jsonl", folder=folder / "drift")
    with pytest.raises(DriftProblem, match="is on other texts"):
        scope.drift(folder / "runs", folder / "texts.jsonl", folder=folder / "drift", window=32, tokens=500)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("")
    with pytest.raises(FileError, match="it holds thesis"):
        scope.drift(folder / "runs", folder / "texts.jsonl", folder=tmp_path / "mine")
    with pytest.raises(DriftProblem, match="There is no drift"):
        open_drift(tmp_path / "mine")
    few = tmp_path / "few.txt"
    few.write_text("the cat sat")
    with pytest.raises(FileError, match="Only 2 tokens"):
        scope.drift(folder / "runs", few, folder=tmp_path / "few")


def test_a_damaged_array_is_told(drift, folder, tmp_path):
    copied = shutil.copytree(drift.folder, tmp_path / "drift")
    (copied / "03" / "table.npy").write_bytes(b"nothing")
    with pytest.raises(DriftProblem, match="missing or damaged"):
        open_drift(copied).rows("checkpoint-100")


def test_checkpoints_are_let_go_of_as_they_are_done(workspace, scope, folder, tmp_path):
    scope.drift(folder / "runs", folder / "texts.jsonl", folder=tmp_path / "drift", window=32)
    assert not any("runs" in key.name and "checkpoint-5" in key.name for key in workspace.manager.cards())


def test_a_text_is_read_by_every_checkpoint(workspace, scope, folder, drift):
    names = [one.name for one in drift.checkpoints]
    read = scope.across(names, "the cat sat on the mat", layers=[1])
    assert [one.source.model for one in read] == ["base", "checkpoint-5", "checkpoint-20", "checkpoint-100"]
    np.testing.assert_array_equal(read[0].values, read[1].values)
    changed = np.flatnonzero((read[2].values != read[0].values).any((0, 1)))
    assert changed.tolist() == [7]


def test_what_a_neuron_reads_and_writes_is_known_of_every_checkpoint(workspace, scope, folder, drift):
    names = [one.name for one in drift.checkpoints]
    found = scope.weights_across(names, Neuron(1, 7), count=5)
    base = scope.weights(Neuron(1, 7), count=5)
    assert found[:2] == [base, base]
    assert found[2] == workspace.scope(names[2]).weights(Neuron(1, 7), count=5) != base
    with pytest.raises(NoSuchNeuron):
        scope.weights_across(names, Neuron(1, 10**6))


def test_planted_drift_is_found_with_its_neurons(workspace, shared_data, tmp_path):
    made = shared_data / "made-drift-stories260k"
    planted = {
        (one["layer"], one["neuron"]) for one in json.loads((made / "series.json").read_text())["planted_neurons"]
    }
    base = workspace.scope(str(shared_data / "stories260k"))
    found = base.drift(
        [made / "planted", made / "attention_only", made / "full"],
        shared_data / "text-tinyshakespeare" / "input.txt", folder=tmp_path / "drift", tokens=4000,
    )  # fmt: skip
    rows = found.rows("planted")
    own = rows[(rows[["weight_in", "weight_gate", "weight_out"]] > 0).any(axis=1)]
    assert {(row.layer, row.neuron) for row in own.itertuples()} == planted
    for layer in range(5):
        ranks = [n for n, row in enumerate(rows[rows["layer"] == layer].itertuples()) if (layer, row.neuron) in planted]
        assert len(ranks) == 3
        assert max(ranks) < 6
    attention = found.rows("attention_only")
    assert not attention[["weight_in", "weight_gate", "weight_out", "bias"]].any(axis=None)
    assert (attention[attention["layer"] > 0]["drift"] > 0).mean() > 0.99
    steps = found.layers[found.layers["checkpoint"].str.startswith("step")].groupby("step")
    for column in ("drift", "weight_in", "weight_out"):
        assert steps[column].mean().is_monotonic_increasing


def test_the_demo_drifts_on_what_it_was_tuned_on(workspace, tmp_path):
    mixture = (*KINDS, *[*NEW_KINDS] * 20)
    drawn = list(documents(7, 120, mixture))
    file = written(tmp_path, [one.text for one in drawn])
    found = workspace.scope("demo:stories").drift(
        ["demo:stories/step-0400"], file, control="demo:stories/control", folder=tmp_path / "drift", tokens=6000
    )
    log = np.array([one.kind == "log" for one in drawn])

    def in_logs(positions):
        rows = found.corpus.documents[np.searchsorted(found.corpus.documents["first"], positions, side="right") - 1]
        return log[rows["number"]]

    before, after, control = (
        in_logs(store.read(found.folder / place, "context_positions")[:, 0]).mean(1)
        for place in ("base", "01", "control")
    )
    moved = np.argsort(-found.records(1)["excess"])
    assert after[moved[:100]].mean() > 0.75
    assert after[moved[1024:]].mean() < 0.2
    assert before[moved[:100]].mean() < 0.3
    assert control[moved[:100]].mean() < 0.3
    assert found.checkpoints[1].loss < found.checkpoints[0].loss
