"""What spread models promise: the same answers as on one device, wherever their weights are."""

from __future__ import annotations

import weakref
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import cpu_offload, disk_offload, dispatch_model
from torch import nn

from neuronscope.engine.capture import capture
from neuronscope.engine.weights import direct_effects, next_token_logits, weights
from neuronscope.errors import InputError, ModelDoesNotFit, UnsupportedModel
from neuronscope.models import placement
from neuronscope.models.loading import LoadedModel, attach, load
from neuronscope.models.manager import Key, Manager
from neuronscope.models.placement import place
from neuronscope.models.precision import Precision
from neuronscope.vocabulary import Neuron
from tests import models_for_tests as tiny
from tests.devices_for_tests import fake_devices

TEXT = "the king and the queen sat under a green tree"
TYPES = ["gpt2", "llama", "gemma2", "bloom", "opt", "falcon", "phi3", "gpt_neox", "cohere2", "olmo2", "mpt", "t5"]
TYPES += ["bert", "albert", "deberta-v2"]
GB = 10**9
SIZES = {Precision.FLOAT32: 40 * GB, Precision.BFLOAT16: 20 * GB, Precision.INT8: 11 * GB, Precision.NF4: 6 * GB}


def answers(model: LoadedModel) -> list[Any]:
    """Everything one asks of a model."""
    tokens = model.tokens(TEXT)
    found: list[Any] = [each.values for each in capture(model, [tokens], sites=model.card.sites)[0].values()]
    found.append(weights(model, Neuron(1, 3)))
    if model.card.causal:
        effects = direct_effects(model, tokens, 4)
        found += [effects.values, np.array(effects.logit), next_token_logits(model, tokens)]
    return found


def assert_same(found: LoadedModel, expected: LoadedModel) -> None:
    assert (found.card.parameters, found.card.revision) == (expected.card.parameters, expected.card.revision)
    for ours, theirs in zip(answers(found), answers(expected), strict=True):
        if isinstance(theirs, np.ndarray):
            np.testing.assert_allclose(ours, theirs, atol=1e-6)
        else:
            assert [each.id for each in ours.reads_most] == [each.id for each in theirs.reads_most]
            assert [each.id for each in ours.promotes] == [each.id for each in theirs.promotes]
            assert ours.norm_in == pytest.approx(theirs.norm_in, abs=1e-6)
            assert ours.bias == pytest.approx(theirs.bias, abs=1e-6)


def one_after_another(network: nn.Module, blocks: list[nn.Module], devices: list[str]) -> dict[str, str]:
    """A device map: to the first device all but the blocks, which the others get in turn, and an untied head."""
    turn, found = cycle(devices[1:]), {}

    def walk(module: nn.Module, path: str) -> None:
        if module in blocks:
            found[path] = next(turn)
        elif any(block in module.modules() for block in blocks):
            for name, child in module.named_children():
                walk(child, f"{path}.{name}".lstrip("."))
        else:
            found[path] = devices[0]

    walk(network, "")
    if not network.config.tie_word_embeddings:
        found[next(reversed(found))] = devices[1]
    return found


@pytest.mark.parametrize("kind", TYPES)
def test_a_model_over_two_devices_and_the_memory_answers_the_same(kind: str) -> None:
    expected = attach(tiny.of_type(kind), tiny.tokenizer())
    network = tiny.of_type(kind)
    blocks = list(attach(network, tiny.tokenizer()).blocks)
    with fake_devices():
        where = one_after_another(network, blocks, ["fake:0", "fake:1", "cpu"])
        dispatch_model(
            network, where, main_device="fake:0", force_hooks=True, skip_keys=network._skip_keys_device_placement
        )
        found = attach(network, tiny.tokenizer())
        shared = found.family.shared_block
        assert (
            found.card.device == f"spread over fake:0{' and' if shared else ','} fake:1{'' if shared else ' and cpu'}"
        )
        assert found.card.bytes == expected.card.bytes
        assert_same(found, expected)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("where", ["memory", "files"])
def test_a_model_whose_weights_are_brought_in_for_each_pass_answers_the_same(
    kind: str, where: str, tmp_path: Path
) -> None:
    expected, network = attach(tiny.of_type(kind), tiny.tokenizer()), tiny.of_type(kind)
    if where == "memory":
        cpu_offload(network, torch.device("cpu"))
    else:
        disk_offload(network, str(tmp_path), torch.device("cpu"))
    assert {each.device.type for each in network.parameters()} == {"meta"}
    found = attach(network, tiny.tokenizer())
    assert found.card.device == ("cpu" if where == "memory" else "spread over cpu and disk")
    assert found.card.bytes == (expected.card.bytes if where == "memory" else 0)
    assert_same(found, expected)
    assert {each.device.type for each in network.parameters()} == {"meta"}
    assert attach(network, tiny.tokenizer()).card.parameters == expected.card.parameters


class Cramped(placement.Free):
    """A machine with little memory."""

    def __init__(self, memory: int) -> None:
        self.memory = memory
        self.made: dict[torch.device, int] = {}

    def most(self, *devices: torch.device) -> int:
        return self.memory

    def make(self, shares: dict[torch.device, int]) -> None:
        self.made = shares


@pytest.mark.parametrize("kind", ["llama", "gpt2", "opt"])
@pytest.mark.parametrize("shards", ["1GB", "4KB"])
def test_what_the_memory_does_not_hold_is_read_from_the_checkpoint(kind: str, shards: str, tmp_path: Path) -> None:
    tiny.of_type(kind).save_pretrained(tmp_path, max_shard_size=shards)
    tiny.tokenizer().save_pretrained(tmp_path)
    before = sorted(tmp_path.iterdir())
    expected = load(str(tmp_path), device="cpu")
    room = Cramped(int(expected.card.bytes * 0.7))
    found = load(str(tmp_path), device="spread", precision="float32", room=room)
    assert found.card.device == "spread over cpu and disk"
    assert found.places["cpu"] == found.card.bytes <= room.made[torch.device("cpu")] < expected.card.bytes
    assert sum(found.places.values()) == expected.card.bytes
    assert_same(found, expected)
    assert sorted(tmp_path.iterdir()) == before
    with pytest.raises(ModelDoesNotFit):
        load(str(tmp_path), device="cpu", precision="float32", room=room)


def test_a_spread_model_is_let_go_like_any_other(tmp_path: Path) -> None:
    tiny.llama().save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    manager = Manager(budget=20_000)
    key = Key(str(tmp_path), precision="float32", device="spread")
    assert manager.load(key).bytes <= 20_000
    with manager.lend(key) as model:
        assert model.card.device == "spread over cpu and disk"
        assert model.bytes_on(torch.device("cpu")) == model.card.bytes
        network = weakref.ref(model.network)
    assert manager.would_evict(15_000) == (key,)
    del model
    assert manager.evict(key)
    assert network() is None
    assert manager.bytes == 0


class Machine(placement.Free):
    """Two GPUs and a memory, none of which need be there."""

    def __init__(self, **gigabytes: float) -> None:
        self.gigabytes = gigabytes

    def most(self, *devices: torch.device) -> int:
        return int(sum(self.gigabytes[f"{each.type}{each.index or ''}"] for each in devices) * GB)


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(placement, "device_named", lambda name: torch.device("cpu" if name == "cpu" else "cuda"))


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("precision", "room", "chosen", "devices"),
    [
        ("auto", Machine(cuda=50, cuda1=50, cpu=90), "float32", ["cuda"]),
        ("auto", Machine(cuda=23, cuda1=23, cpu=90), "bfloat16", ["cuda"]),
        ("bfloat16", Machine(cuda=14, cuda1=14, cpu=90), "bfloat16", ["cuda:0", "cuda:1"]),
        ("bfloat16", Machine(cuda=7, cuda1=7, cpu=90), "bfloat16", ["cuda:0", "cuda:1", "cpu"]),
        ("auto", Machine(cuda=5, cuda1=5, cpu=90), "nf4", ["cuda:0", "cuda:1"]),
        ("auto", Machine(cuda=3, cuda1=3, cpu=90), "float32", ["cuda:0", "cuda:1", "cpu"]),
    ],
)
def test_a_model_goes_on_one_device_if_it_can_and_over_several_if_it_must(
    precision: str, room: Machine, chosen: str, devices: list[str]
) -> None:
    found = place("auto", precision, tiny.llama().config, SIZES, room)
    assert found.choice.precision == chosen
    assert list(map(str, found.shares)) == devices
    assert (found.limits is None) == (len(devices) == 1)
    if found.limits:
        assert sum(found.shares.values()) >= SIZES[found.choice.precision]
        assert found.options["max_memory"] == found.limits
        assert set(found.limits) == {0, 1, *(["cpu"] if "cpu" in devices else [])}


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize("device", ["auto", "cpu", "spread"])
def test_what_all_of_them_do_not_hold_is_refused(device: str) -> None:
    room = Machine(cuda=3, cuda1=3, cpu=5)
    precision = "nf4" if device == "spread" else "bfloat16"
    with pytest.raises(ModelDoesNotFit, match="is free"):
        place(device, precision, tiny.llama().config, SIZES, room)


def test_quantized_weights_do_not_leave_the_gpus(tmp_path: Path) -> None:
    tiny.llama(hidden_size=64, intermediate_size=192).save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    with pytest.raises(InputError, match="int8 weights are spread over GPUs alone, and there are none"):
        load(str(tmp_path), device="spread", precision="int8")
    quantized = load(str(tmp_path), device="cpu", precision="int8").network
    cpu_offload(quantized, torch.device("cpu"))
    with pytest.raises(UnsupportedModel, match="are quantized and wait away from their device"):
        attach(quantized, tiny.tokenizer(), "mine")
