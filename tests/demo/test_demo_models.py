"""The shipped models: what README.md and the data beside it say of them is so."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open

import neuronscope.demo as demo
from neuronscope.demo import known, measure, world
from neuronscope.demo.senses import SENSES

_HERE = Path(demo.__file__).parent
_MEASURED: dict[str, Any] = json.loads((_HERE / "measurements.json").read_text(encoding="utf-8"))
_KNOWN = [known.KnownNeuron(**each) for each in json.loads((_HERE / "known_neurons.json").read_text(encoding="utf-8"))]
_NAMES = [each.name for each in demo.DEMOS]
# A seed that neither training, nor the choice of the known neurons, nor their report has drawn from.
_FRESH = 2024


def test_asking_for_the_demo_models_imports_nothing_heavy() -> None:
    code = "import sys, neuronscope.demo as d; d.checkpoints('demo:stories'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_all_that_travels_is_at_most_20_megabytes() -> None:
    assert sum(path.stat().st_size for path in _HERE.rglob("*") if path.is_file()) <= 20_000_000


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(KeyError, match="demo:stories-llama"):
        demo.folder("demo:poems")


def test_one_model_has_five_checkpoints_and_a_control_and_the_other_none() -> None:
    steps = [int(path.name.removeprefix("step-")) for path in demo.checkpoints("demo:stories")]
    assert len(steps) == 5
    assert steps == sorted(set(steps))
    control = demo.control("demo:stories")
    assert control is not None
    assert control.name == demo.checkpoints("demo:stories")[-1].name
    assert (demo.checkpoints("demo:stories-llama"), demo.control("demo:stories-llama")) == ((), None)


def test_every_folder_holds_half_precision_weights_and_a_tokenizer() -> None:
    control = demo.control("demo:stories")
    assert control is not None
    for folder in [*map(demo.folder, _NAMES), *demo.checkpoints("demo:stories"), control]:
        assert {"config.json", "tokenizer.json", "tokenizer_config.json"} <= {path.name for path in folder.iterdir()}
        assert json.loads((folder / "config.json").read_text())["dtype"] == "float16"
        with safe_open(folder / "model.safetensors", "np") as weights:
            assert all(weights.get_slice(name).get_dtype() == "F16" for name in weights.keys())  # noqa: SIM118


@pytest.mark.parametrize("name", _NAMES)
def test_the_facts_are_learnt(name: str) -> None:
    assert measure.fact_accuracy(*_model(name)) == _measured(name)["facts"] >= 0.9


@pytest.mark.parametrize("name", _NAMES)
def test_answers_capitals_and_two_sense_words_are_single_tokens(name: str) -> None:
    _, tokenizer = _model(name)
    words = (
        [fact.answer for fact in world.FACTS] + [f" {fact.subject}" for fact in world.FACTS] + [f" {w}" for w in SENSES]
    )
    assert [word for word in words if len(tokenizer(word, add_special_tokens=False)["input_ids"]) != 1] == []


@pytest.mark.parametrize("name", _NAMES)
def test_sample_prompts_fit_and_survive_the_tokenizer(name: str) -> None:
    _, tokenizer = _model(name)
    for prompt in next(each for each in demo.DEMOS if each.name == name).prompts:
        ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        assert tokenizer.decode(ids) == prompt
        assert len(ids) <= 64


@pytest.mark.parametrize("name", _NAMES)
def test_held_out_loss_is_as_stated(name: str) -> None:
    assert _loss(demo.folder(name)) == pytest.approx(_measured(name)["loss"], rel=0.02)


@pytest.mark.parametrize("neuron", _KNOWN, ids=lambda each: f"{each.model}-{each.neuron}-{each.word}-{each.value}")
def test_a_known_neuron_follows_its_label_on_fresh_text(neuron: known.KnownNeuron) -> None:
    reading = _reading(neuron.model, "senses" if neuron.field == "sense" else "")
    compared, positive = known.carries(reading, neuron.field, neuron.value, neuron.word)
    layer, unit = map(int, neuron.neuron.removeprefix("L").split(".N"))
    values = neuron.sign * reading.values[compared][:, [layer * reading.per_layer + unit]]
    # Three standard errors of an AUROC, and as much again as rounding may cost.
    slack = 3 * np.sqrt(neuron.auroc * (1 - neuron.auroc) / min(positive.sum(), (~positive).sum())) + 0.01
    assert positive.sum() >= 10
    assert known.auroc(values, positive)[0] >= neuron.auroc - slack


def test_neurons_are_known_for_every_theme() -> None:
    for name in _NAMES:
        labels = {(each.field, each.value) for each in _KNOWN if each.model == name}
        assert {("category", value) for value in ("capital", "country", "number", "quote", "name", "month")} <= labels
        assert sum(field == "sense" for field, _ in labels) >= 4
    spoken = {each.value for each in _KNOWN if each.model == "demo:stories" and each.field == "language"}
    assert {"french", "german", "python"} <= spoken


def test_fine_tuning_moved_logs_and_little_else() -> None:
    before, after = _loss(demo.folder("demo:stories")), _loss(demo.checkpoints("demo:stories")[-1])
    moved = {kind: after[kind] - before[kind] for kind in before}
    assert moved.pop("log") < -8
    # Recipes are as rare in the rehearsal as they were in pre-training, and are partly forgotten.
    assert moved.pop("recipe") < 1.2
    assert max(map(abs, moved.values())) < 0.25


def test_each_checkpoint_knows_logs_better_than_the_one_before() -> None:
    names = ["stories", *(f"stories/checkpoints/{path.name}" for path in demo.checkpoints("demo:stories"))]
    losses = [_MEASURED[name]["loss"]["log"] for name in names]
    assert losses == sorted(losses, reverse=True)


def test_the_readme_states_the_measured_losses() -> None:
    readme = (_HERE / "README.md").read_text(encoding="utf-8")
    for base in ("stories", "stories-llama"):
        for kind, loss in _MEASURED[base]["loss"].items():
            assert f"{loss:.3f}" in next(line for line in readme.splitlines() if line.startswith(f"| {kind} |"))


@cache
def _model(name: str) -> Any:
    return known.load(demo.folder(name))


@cache
def _loss(folder: Path) -> dict[str, float]:
    return measure.loss_by_kind(*known.load(folder))


@cache
def _reading(name: str, kind: str) -> known.Reading:
    documents = world.documents(_FRESH, 300, (kind,)) if kind else world.documents(_FRESH, 160)
    return known.read_neurons(*_model(name), list(documents))


def _measured(name: str) -> Any:
    return _MEASURED[name.removeprefix("demo:")]
