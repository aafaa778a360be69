"""What loading promises: the right network in the right precision, or one sentence that says why not."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import torch

from neuronscope.errors import InputError, ModelNotFound, UnsupportedModel
from neuronscope.models.loading import attach, fingerprint, load
from tests import models_for_tests as tiny


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny.llama().save_pretrained(tmp_path / "tiny")
    tiny.tokenizer().save_pretrained(tmp_path / "tiny")
    return tmp_path / "tiny"


def test_a_card_says_what_the_model_is(folder: Path) -> None:
    card = load(str(folder), device="cpu").card
    network = tiny.llama()
    assert (card.family, card.layers, card.neurons, card.width, card.heads) == ("llama", 3, 24, 16, 4)
    assert (card.context, card.vocabulary, card.gated, card.norm) == (32, len(tiny.WORDS), True, "RMSNorm")
    assert card.activation == "silu"
    assert card.parameters == network.num_parameters()
    assert card.bytes == 4 * card.parameters
    assert (card.precision, card.device) == ("float32", "cpu")


def test_tied_weights_are_counted_once() -> None:
    card = attach(tiny.gpt2(), tiny.tokenizer()).card
    assert card.tied
    assert card.parameters == tiny.gpt2().num_parameters()


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_weights_are_held_in_the_precision_asked_for(folder: Path, precision: str) -> None:
    model = load(str(folder), precision=precision, device="cpu")
    assert model.network.dtype is getattr(torch, precision)
    assert model.card.precision == precision
    assert model.card.bytes == model.card.parameters * (4 if precision == "float32" else 2)


def test_auto_never_chooses_half_precision_on_a_cpu(tmp_path: Path) -> None:
    tiny.gpt2().half().save_pretrained(tmp_path / "half")
    tiny.tokenizer().save_pretrained(tmp_path / "half")
    assert load(str(tmp_path / "half"), device="cpu").card.precision == "float32"


def test_the_fingerprint_changes_with_any_weight() -> None:
    network = tiny.gpt2()
    before = fingerprint(network)
    assert fingerprint(tiny.gpt2()) == before
    with torch.no_grad():
        network.transformer.h[1].mlp.c_fc.bias[7] += 1e-3
    assert fingerprint(network) != before
    assert fingerprint(tiny.gpt2().to(torch.bfloat16)) != before


def test_an_attached_model_is_read_where_it_stands() -> None:
    network = tiny.gpt2()
    model = attach(network, tiny.tokenizer(), "mine")
    assert model.network is network
    assert model.card.name == "mine"
    assert not model.own


def test_the_check_at_load_refuses_a_network_built_differently() -> None:
    network = tiny.llama()

    class Doubling(torch.nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 2 * super().forward(x)

    down = network.model.layers[1].mlp.down_proj
    changed = Doubling(down.in_features, down.out_features, bias=False)
    changed.weight = down.weight
    network.model.layers[1].mlp.down_proj = changed
    with pytest.raises(UnsupportedModel, match="layer 1 is built differently"):
        attach(network, tiny.tokenizer())
    assert all(not module._forward_hooks for module in network.modules())


def test_what_is_not_there_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="there is no such folder"):
        load(str(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelNotFound, match="that folder is empty"):
        load(str(tmp_path / "empty"))
    with pytest.raises(ModelNotFound, match="No demo model 'demo:nothing': there are demo:stories"):
        load("demo:nothing")
    with pytest.raises(ModelNotFound, match="is not on this machine, and NeuronScope is offline"):
        load("nobody/nothing-of-this-name", offline=True)


def test_bad_precisions_and_devices_are_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="No precision 'float8': choose one of auto, float32"):
        load(str(folder), precision="float8", device="cpu")
    with pytest.raises(InputError, match="No device 'toaster'"):
        load(str(folder), device="toaster")


@pytest.mark.parametrize("special", [True, False])
def test_a_token_that_was_added_to_the_tokenizer_alone_is_told(special: bool) -> None:
    tokenizer = copy.deepcopy(tiny.tokenizer())
    tokenizer.add_tokens(["<tool>"], special_tokens=special)
    model = attach(tiny.llama(), tokenizer, "mine")
    assert len(model.tokens("the king")) == 2
    known = len(tiny.WORDS)
    sentence = rf"'<tool>' \(id {known}\), which mine has no embedding for.* {known + 1} tokens and the network {known}"
    with pytest.raises(InputError, match=sentence):
        model.tokens("the king <tool> sat")


def test_code_of_a_checkpoint_is_not_run(folder: Path, tmp_path: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "strange", "auto_map": {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(UnsupportedModel):
        load(str(folder), device="cpu")
    assert not (tmp_path / "ran").exists()
