"""What directions promise: they are those the real norms make, and the neurons most alike are found across layers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from neuronscope.demo import planted
from neuronscope.engine.directions import alike_in, directions, read_directions, written_directions
from neuronscope.errors import InputError, NoSuchLayer, NoSuchNeuron
from neuronscope.models.loading import LoadedModel, attach
from neuronscope.scope import Workspace
from neuronscope.settings import Settings
from neuronscope.vocabulary import Neuron
from tests import models_for_tests as tiny

MADE = {"gpt2": tiny.gpt2, "llama": tiny.llama}


@pytest.fixture
def workspace(tmp_path) -> Iterator[Workspace]:
    made = Workspace(Settings(tmp_path / "cache", tmp_path / "data", offline=True))
    yield made
    made.close()


def model(kind: str) -> LoadedModel:
    return attach(MADE[kind](), tiny.tokenizer(), kind)


def in_float64(kind: str, by: str) -> np.ndarray:
    """The directions of all neurons of all layers, from the weights' own names and by the formula."""
    network, found = MADE[kind]().double(), []
    for layer in range(3):
        if kind == "gpt2":
            block = network.transformer.h[layer]
            gained = block.ln_2.weight[:, None] * block.mlp.c_fc.weight
            rows = (gained - gained.mean(0)).T if by == "read" else block.mlp.c_proj.weight
        else:
            block = network.model.layers[layer]
            gain = block.post_attention_layernorm.weight
            read = {"read": block.mlp.up_proj, "gate": block.mlp.gate_proj}
            rows = read[by].weight * gain if by in read else block.mlp.down_proj.weight.T
        found.append(rows.detach().numpy())
    return np.concatenate(found)


CASES = [("gpt2", "read"), ("gpt2", "write"), ("llama", "read"), ("llama", "gate"), ("llama", "write")]


@pytest.mark.parametrize(("kind", "by"), CASES)
def test_the_directions_of_a_layer_are_those_of_the_formula(kind: str, by: str) -> None:
    expected = in_float64(kind, by)
    count = len(expected) // 3
    for layer in range(3):
        found = directions(model(kind), layer, by)
        assert found.dtype == torch.float32
        np.testing.assert_allclose(found.numpy(), expected[layer * count : (layer + 1) * count], rtol=1e-4, atol=1e-6)


def test_some_neurons_of_a_layer_have_the_directions_they_have_among_all() -> None:
    for kind in MADE:
        one = model(kind)
        torch.testing.assert_close(read_directions(one, 1, "up", slice(4, 6)), read_directions(one, 1)[4:6])
        torch.testing.assert_close(written_directions(one, 1, slice(4, 6)), written_directions(one, 1)[4:6])


def test_a_fused_projection_holds_the_gate_first_and_up_second() -> None:
    fused = attach(tiny.of_type("phi3"), tiny.tokenizer())
    count = fused.card.neurons
    held = fused.in_block(0, fused.family.up).weight.detach() * fused.mlp_norm(0).weight.detach()
    torch.testing.assert_close(read_directions(fused, 0, "gate"), held[:count])
    torch.testing.assert_close(read_directions(fused, 0, "up"), held[count:])


def test_a_norm_behind_the_mlp_scales_what_is_written() -> None:
    normed = attach(tiny.of_type("olmo2"), tiny.tokenizer())
    block = normed.blocks[1]
    expected = block.mlp.down_proj.weight.detach().T * block.post_feedforward_layernorm.weight.detach()
    torch.testing.assert_close(written_directions(normed, 1), expected)


def test_directions_of_quantized_weights_are_near_the_full_ones(tmp_path) -> None:
    from neuronscope.models.loading import load

    network = tiny.of_type("llama", wide=True)
    network.save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    full, held = attach(network, tiny.tokenizer()), load(str(tmp_path), precision="int8", device="cpu")
    for by in ("read", "gate", "write"):
        same = torch.nn.functional.cosine_similarity(directions(full, 0, by), directions(held, 0, by))
        assert same.min() > 0.99


@pytest.mark.parametrize(("kind", "by"), CASES)
def test_the_neurons_alike_are_those_of_every_cosine(workspace: Workspace, kind: str, by: str) -> None:
    scope, neuron = workspace.attach(MADE[kind](), tiny.tokenizer(), kind), Neuron(1, 5)
    rows = in_float64(kind, by)
    own = neuron.layer * scope.card.neurons + neuron.index
    cosines = rows @ rows[own] / np.linalg.norm(rows, axis=1) / np.linalg.norm(rows[own])
    order = [i for i in np.argsort(-np.abs(cosines), kind="stable") if i != own]
    found = scope.alike(neuron, by, 7)
    assert [other for other, _ in found] == [Neuron(*divmod(int(i), scope.card.neurons)) for i in order[:7]]
    np.testing.assert_allclose([cosine for _, cosine in found], cosines[order[:7]], atol=1e-5)
    assert min(cosine for _, cosine in scope.alike(neuron, by, 20)) < 0
    assert len(scope.alike(neuron, by, 10_000)) == len(rows) - 1
    assert scope.alike(neuron, by, 0) == []


def test_the_planted_copy_reads_alike_and_the_planted_opposite_oppositely(workspace: Workspace) -> None:
    built = planted.build()
    scope = workspace.attach(built.network, built.tokenizer, "planted")
    others = [neuron for neuron in built.neurons if neuron.twin == 0]
    found = dict(scope.alike(Neuron(0, 0), "read", 2))
    assert found == {
        Neuron(0, neuron.index): pytest.approx(-1 if neuron.kind is planted.Kind.OPPOSITE else 1, abs=0.01)
        for neuron in others
    }
    copy, opposite = (next(n for n in others if n.kind is kind) for kind in (planted.Kind.COPY, planted.Kind.OPPOSITE))
    nearest = scope.alike(Neuron(0, copy.index), "read", 1)
    assert nearest == [(Neuron(0, opposite.index), pytest.approx(-1, abs=1e-6))]


def test_equals_stand_in_the_order_of_their_numbers(workspace: Workspace) -> None:
    network = tiny.gpt2()
    with torch.no_grad():
        for layer in range(3):
            network.transformer.h[layer].mlp.c_proj.weight[:] = torch.eye(16).repeat(2, 1)
    scope = workspace.attach(network, tiny.tokenizer(), "equals")
    found = scope.alike(Neuron(1, 3), "write", 6)
    assert found[:5] == [(Neuron(0, 3), 1.0), (Neuron(0, 19), 1.0), (Neuron(1, 19), 1.0), (Neuron(2, 3), 1.0),
                         (Neuron(2, 19), 1.0)]  # fmt: skip
    assert found[5][1] == 0


def test_nothing_is_like_a_direction_of_length_0(workspace: Workspace) -> None:
    network = tiny.gpt2()
    with torch.no_grad():
        network.transformer.h[1].mlp.c_proj.weight[3] = 0
    scope = workspace.attach(network, tiny.tokenizer(), "silent")
    assert scope.alike(Neuron(1, 3), "write") == []
    assert len(scope.alike(Neuron(1, 3), "read")) == 10
    assert dict(scope.alike(Neuron(1, 4), "write", 95))[Neuron(1, 3)] == 0


def test_what_is_not_there_is_refused(workspace: Workspace) -> None:
    plain = workspace.attach(tiny.gpt2(), tiny.tokenizer(), "plain")
    with pytest.raises(InputError, match="plain has no gate: its neurons read through the up projection alone"):
        plain.alike(Neuron(0, 0), "gate")
    with pytest.raises(InputError, match="not compared by 'colour': choose 'read', 'write' or"):
        plain.alike(Neuron(0, 0), "colour")
    with pytest.raises(NoSuchNeuron):
        plain.alike(Neuron(0, 999))
    with pytest.raises(NoSuchLayer):
        read_directions(model("gpt2"), 7)
    with pytest.raises(NoSuchLayer):
        alike_in(model("gpt2"), -1, "write", torch.ones(16), 3)
