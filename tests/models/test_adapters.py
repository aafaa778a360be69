"""Adapters: merged into their base they give what PEFT gives; what cannot be merged is refused by name."""

import json
import shutil

import pytest
import torch

from neuronscope.errors import ModelNotFound, UnsupportedModel
from neuronscope.models.loading import load
from tests.models_for_tests import gpt2, llama
from tests.series.drifts import saved


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("base") / "base", llama())


@pytest.fixture(scope="module")
def adapter(base, tmp_path_factory):
    """A LoRA of the MLPs' output projections with weights far from nothing."""
    from peft import LoraConfig, get_peft_model

    folder = tmp_path_factory.mktemp("adapter") / "lora"
    torch.manual_seed(5)
    wrapped = get_peft_model(
        llama(), LoraConfig(r=2, lora_alpha=8, target_modules=["down_proj"], task_type="CAUSAL_LM")
    )
    with torch.no_grad():
        for name, parameter in wrapped.named_parameters():
            if "lora_" in name:
                parameter.copy_(torch.randn_like(parameter))
    wrapped.peft_config["default"].base_model_name_or_path = str(base)
    wrapped.save_pretrained(folder)
    return folder, wrapped.eval()


def test_an_adapter_is_read_as_its_base_with_the_adapter_merged(base, adapter):
    folder, wrapped = adapter
    model, plain = load(str(folder)), load(str(base))
    ids = torch.tensor([[1, 2, 3, 4, 5]])
    with torch.inference_mode():
        expected, own = wrapped(ids).logits, model.network(ids).logits
        assert not torch.allclose(own, plain.network(ids).logits, atol=1e-2)
    torch.testing.assert_close(own, expected, atol=1e-4, rtol=1e-4)
    assert model.card.name == str(folder)
    assert model.card.revision != plain.card.revision
    assert (model.card.layers, model.card.neurons) == (plain.card.layers, plain.card.neurons)
    assert not any("lora" in name for name, _ in model.network.named_parameters())


def test_only_what_an_adapter_changes_drifts_in_its_weights(base, adapter, tmp_path):
    from neuronscope.scope import Workspace
    from neuronscope.settings import Settings
    from tests.series.drifts import texts

    workspace = Workspace(Settings(tmp_path / "cache", tmp_path / "data", offline=True))
    found = workspace.scope(str(base)).drift(adapter[0], texts(tmp_path), folder=tmp_path / "drift", window=32)
    rows = found.rows("lora")
    assert (rows["weight_out"] > 0).all()
    assert not rows[["weight_in", "weight_gate"]].any(axis=None)
    assert not rows[rows["layer"] == 0]["drift"].any()
    assert (rows[rows["layer"] == 1]["drift"] > 0).mean() > 0.9
    workspace.close()


def test_a_base_beside_the_adapter_may_be_named_from_there(base, adapter, tmp_path):
    shutil.copytree(base, tmp_path / "model")
    moved = shutil.copytree(adapter[0], tmp_path / "lora")
    raw = json.loads((moved / "adapter_config.json").read_text())
    (moved / "adapter_config.json").write_text(json.dumps(raw | {"base_model_name_or_path": "../model"}))
    assert load(str(moved)).card.revision == load(str(adapter[0])).card.revision


def test_an_adapter_whose_base_is_gone_damaged_or_without_weights_is_refused(adapter, tmp_path):
    moved = shutil.copytree(adapter[0], tmp_path / "lora")
    raw = json.loads((moved / "adapter_config.json").read_text())
    (moved / "adapter_config.json").write_text(json.dumps(raw | {"base_model_name_or_path": "/nowhere/at/all"}))
    with pytest.raises(ModelNotFound, match="is an adapter of /nowhere/at/all, which cannot be had"):
        load(str(moved))
    (moved / "adapter_config.json").write_text("{}")
    with pytest.raises(UnsupportedModel, match="names no model"):
        load(str(moved))
    shutil.copy(adapter[0] / "adapter_config.json", moved)
    (moved / "adapter_model.safetensors").unlink()
    with pytest.raises(UnsupportedModel, match=r"and has no adapter_model\.safetensors"):
        load(str(moved))


def test_an_adapter_of_another_model_is_refused(adapter, tmp_path):
    other = saved(tmp_path / "gpt2", gpt2())
    moved = shutil.copytree(adapter[0], tmp_path / "lora")
    raw = json.loads((moved / "adapter_config.json").read_text())
    (moved / "adapter_config.json").write_text(json.dumps(raw | {"base_model_name_or_path": str(other)}))
    with pytest.raises(UnsupportedModel, match="The adapter of"):
        load(str(moved))


def test_an_adapter_that_changes_no_weights_is_refused(base, tmp_path):
    from peft import PromptTuningConfig, get_peft_model

    wrapped = get_peft_model(llama(), PromptTuningConfig(num_virtual_tokens=3, task_type="CAUSAL_LM"))
    wrapped.peft_config["default"].base_model_name_or_path = str(base)
    wrapped.save_pretrained(tmp_path / "prompt")
    with pytest.raises(UnsupportedModel, match="changes no weights of its model"):
        load(str(tmp_path / "prompt"))
