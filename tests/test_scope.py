"""What a Scope promises: one way to ask, remembered answers that are true, attached models never remembered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import neuronscope as ns
from neuronscope.engine import capture
from neuronscope.errors import InputError, ModelNotFound, NoSuchSite, TextTooLong
from neuronscope.models.manager import Key
from neuronscope.scope import Workspace
from neuronscope.settings import Settings
from tests import models_for_tests as tiny

TEXT = "the cat sat on the mat ."


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    made = Workspace(Settings(tmp_path / "cache", tmp_path / "data"))
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path: Path) -> str:
    tiny.llama().save_pretrained(tmp_path / "tiny")
    tiny.tokenizer().save_pretrained(tmp_path / "tiny")
    return str(tmp_path / "tiny")


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many texts each call of the engine ran."""
    counted: list[int] = []
    real = capture.capture

    def counting(model: object, texts: list[object], **how: object) -> object:
        counted.append(len(texts))
        return real(model, texts, **how)

    monkeypatch.setattr(capture, "capture", counting)
    return counted


def test_one_text_gives_one_result_and_several_a_list(workspace: Workspace, folder: str) -> None:
    scope = workspace.scope(folder, device="cpu")
    one = scope.activations(TEXT)
    assert one.values.shape == (3, 7, 24)
    assert one.values.dtype == np.float32
    several = scope.activations([TEXT, "a dog"], layers=[1], site="residual")
    assert [each.values.shape for each in several] == [(1, 7, 16), (1, 2, 16)]
    assert several[0].layers == (1,)


def test_an_answer_is_remembered_in_memory_and_on_disk(tmp_path: Path, folder: str, runs: list[int]) -> None:
    settings = Settings(tmp_path / "cache", tmp_path / "data")
    first = Workspace(settings)
    a = first.scope(folder, device="cpu").activations(TEXT)
    b = first.scope(folder, device="cpu").activations(TEXT)
    first.close()
    second = Workspace(settings)
    c = second.scope(folder, device="cpu").activations([TEXT, "a dog"])[0]
    second.close()
    assert runs == [1, 0, 1]
    assert np.array_equal(a.values, b.values)
    assert np.array_equal(a.values, c.values)
    assert c.source == a.source


def test_other_weights_under_the_same_name_are_not_mistaken(tmp_path: Path, folder: str) -> None:
    settings = Settings(tmp_path / "cache", tmp_path / "data")
    first = Workspace(settings)
    before = first.scope(folder, device="cpu").activations(TEXT)
    first.close()
    tiny.llama(seed=5).save_pretrained(folder)
    second = Workspace(settings)
    after = second.scope(folder, device="cpu").activations(TEXT)
    second.close()
    assert before.source.revision != after.source.revision
    assert not np.allclose(before.values, after.values)


def test_layers_sites_and_windows_are_remembered_apart(workspace: Workspace, folder: str, runs: list[int]) -> None:
    scope = workspace.scope(folder, device="cpu")
    scope.activations(TEXT, site="gate")
    scope.activations(TEXT, site="up")
    scope.activations(TEXT, site="up", layers=[0])
    scope.activations(TEXT, site="up", layers=[0], long="window")
    assert runs == [1, 1, 1, 1]


def test_a_text_beyond_the_context_says_how_it_was_read(workspace: Workspace, folder: str) -> None:
    scope = workspace.scope(folder)
    long = " ".join(["cat"] * (scope.card.context + 8))
    found = [scope.activations(text, long="window") for text in (TEXT, long, long)]
    assert [one.window for one in found] == [None, scope.card.context, scope.card.context]


def test_an_attached_model_that_is_changed_gives_its_new_activations(workspace: Workspace) -> None:
    network = tiny.gpt2()
    scope = workspace.attach(network, tiny.tokenizer(), "mine")
    before = scope.activations(TEXT).values
    network.transformer.h[0].mlp.c_fc.weight.data.mul_(2)
    assert not np.allclose(scope.activations(TEXT).values, before)


def test_remembered_arrays_cannot_be_written_to(workspace: Workspace, folder: str) -> None:
    values = workspace.scope(folder, device="cpu").activations(TEXT).values
    with pytest.raises(ValueError, match="read-only"):
        values[0] = 0


def test_an_attached_model_is_found_again_by_its_name(workspace: Workspace) -> None:
    scope = workspace.attach(tiny.gpt2(), tiny.tokenizer(), "mine")
    assert workspace.scope("mine").key == scope.key
    assert [each.name for each in workspace.scopes()] == ["mine"]


def test_a_named_target_is_what_direct_effects_are_for(workspace: Workspace, folder: str) -> None:
    scope = workspace.scope(folder, device="cpu")
    assert scope.direct_effects(TEXT, 2, target="queen").target.display == "queen"
    with pytest.raises(InputError, match="The target is empty"):
        scope.direct_effects(TEXT, 2, target="")


def test_a_site_that_does_not_exist_is_refused(workspace: Workspace, folder: str) -> None:
    with pytest.raises(NoSuchSite, match="No site 'mlp'"):
        workspace.scope(folder, device="cpu").activations(TEXT, site="mlp")


def test_the_front_door_loads_and_attaches() -> None:
    scope = ns.attach(tiny.gpt2(), tiny.tokenizer(), "mine")
    assert repr(scope) == "Scope(mine: 3 layers × 32 neurons, float32, cpu)"
    assert torch.equal(
        torch.from_numpy(scope.activations(TEXT).values), torch.from_numpy(scope.activations(TEXT).values)
    )


def test_fidelity_holds_a_quantized_model_against_itself_in_full(workspace: Workspace, tmp_path: Path) -> None:
    wide = {"hidden_size": 64, "intermediate_size": 192}
    tiny.llama(**wide).save_pretrained(tmp_path / "wide")
    tiny.tokenizer().save_pretrained(tmp_path / "wide")
    found = {
        precision: workspace.scope(str(tmp_path / "wide"), precision=precision, device="cpu").fidelity(
            [TEXT, "the king and the queen sat under a green tree"]
        )
        for precision in ("float32", "bfloat16", "int8", "nf4")
    }
    assert found["float32"].divergence == 0
    assert (found["float32"].table["correlation"] > 1 - 1e-9).all()
    worst = {precision: result.table["correlation"].min() for precision, result in found.items()}
    assert worst["float32"] > worst["bfloat16"] > worst["nf4"] > 0.5
    assert found["nf4"].divergence > found["int8"].divergence > 0
    assert found["nf4"].reduced.precision == "nf4"
    assert found["nf4"].full.precision == "float32"


def test_a_page_that_asks_by_name_gets_the_warm_model_whatever_its_device(workspace: Workspace, folder: str) -> None:
    scope = workspace.scope(folder, device="cpu")
    assert workspace.scope(folder).key == Key(folder)
    assert len(workspace.manager.cards()) == 1
    assert scope.card is workspace.scope(folder).card


def test_a_revision_is_part_of_the_name(workspace: Workspace) -> None:
    with pytest.raises(ModelNotFound, match="nobody/nothing"):
        workspace.scope("nobody/nothing", revision="v2")


def test_direct_effects_reach_as_far_as_the_context_in_a_longer_text(workspace: Workspace, folder: str) -> None:
    scope = workspace.scope(folder, device="cpu")
    words = [tiny.WORDS[1 + i % 20] for i in range(50)]
    long, short = " ".join(words), " ".join(words[:10])
    assert np.allclose(scope.direct_effects(long, 9).values, scope.direct_effects(short, 9).values, atol=1e-6)
    with pytest.raises(TextTooLong, match="33 tokens"):
        scope.direct_effects(long, 32)
