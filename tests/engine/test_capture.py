"""What capture promises: the right values, the same in any batch, and a model left as it was."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from neuronscope import jobs
from neuronscope.engine.capture import capture
from neuronscope.errors import EmptyText, InputError, NoSuchLayer, NoSuchSite, TextTooLong
from neuronscope.models.loading import LoadedModel, attach, load
from neuronscope.vocabulary import Site
from tests import models_for_tests as tiny

TEXTS = [
    "the cat sat on the mat .",
    "a dog",
    "the king and the queen ran under a green tree , and the bird sang .",
    "red blue green red blue green red",
    "bird",
]


@pytest.fixture(params=["gpt2", "llama"])
def model(request: pytest.FixtureRequest) -> LoadedModel:
    return attach(getattr(tiny, request.param)(), tiny.tokenizer(), request.param)


def values(model: LoadedModel, texts: list[str], site: Site = Site.NEURONS, **how: object) -> list[np.ndarray]:
    return [one[site].values for one in capture(model, [model.tokens(text) for text in texts], sites=[site], **how)]


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def test_neurons_times_output_weights_give_the_mlp_output(model: LoadedModel) -> None:
    from neuronscope.models.precision import bias, matrix

    seen = {}
    handles = [
        model.in_block(layer, model.family.down).register_forward_hook(
            lambda _m, _i, out, layer=layer: seen.__setitem__(layer, out[0])
        )
        for layer in range(3)
    ]
    found = values(model, TEXTS[:1])[0]
    with torch.no_grad():
        model.base(input_ids=torch.from_numpy(model.tokens(TEXTS[0]).ids)[None])
    for handle in handles:
        handle.remove()
    for layer in range(3):
        down = model.in_block(layer, model.family.down)
        output = torch.from_numpy(found[layer]) @ matrix(down) + bias(down)
        assert relative(output.detach().numpy(), seen[layer].detach().numpy()) < 1e-5


def test_gated_neurons_are_the_activated_gate_times_up() -> None:
    model = attach(tiny.llama(), tiny.tokenizer())
    sites = capture(model, [model.tokens(TEXTS[0])], sites=[Site.NEURONS, Site.GATE, Site.UP])[0]
    gate = torch.from_numpy(sites[Site.GATE].values)
    expected = torch.nn.functional.silu(gate).numpy() * sites[Site.UP].values
    assert relative(sites[Site.NEURONS].values, expected) < 1e-6


def test_the_residual_site_is_the_stream_after_each_block(model: LoadedModel) -> None:
    found = values(model, TEXTS[:1], Site.RESIDUAL)[0]
    with torch.no_grad():
        hidden = model.base(
            input_ids=torch.from_numpy(model.tokens(TEXTS[0]).ids)[None], output_hidden_states=True
        ).hidden_states
    # transformers puts the final norm into the last of its hidden states; the stream itself ends before it.
    for layer in range(2):
        assert relative(found[layer], hidden[layer + 1][0].numpy()) < 1e-6
    normed = model.part(model.base, model.family.final_norm)(torch.from_numpy(found[2]))
    assert relative(normed.detach().numpy(), hidden[3][0].numpy()) < 1e-5


def test_the_attention_site_times_output_weights_gives_the_attention_output(model: LoadedModel) -> None:
    from neuronscope.models.precision import bias, matrix

    one = capture(model, [model.tokens(TEXTS[0])], sites=[Site.ATTENTION, Site.RESIDUAL, Site.NEURONS])[0]
    out = model.in_block(1, model.family.attention_out)
    down = model.in_block(1, model.family.down)
    step = torch.from_numpy(one[Site.ATTENTION].layer(1)) @ matrix(out) + bias(out)
    step = step + torch.from_numpy(one[Site.NEURONS].layer(1)) @ matrix(down) + bias(down)
    moved = one[Site.RESIDUAL].layer(1) - one[Site.RESIDUAL].layer(0)
    assert relative(step.detach().numpy(), moved) < 1e-4
    assert one[Site.ATTENTION].head_norms().shape == (3, 7, model.card.heads)


@pytest.mark.parametrize("padding", ["right", "left"])
@pytest.mark.parametrize("site", list(Site))
def test_a_text_is_the_same_alone_and_in_any_batch(model: LoadedModel, padding: str, site: Site) -> None:
    if site not in model.card.sites:
        pytest.skip("this network has no gate")
    together = values(model, TEXTS, site, padding=padding)
    for text, found in zip(TEXTS, together, strict=True):
        alone = values(model, [text], site)[0]
        assert found.shape == alone.shape
        assert relative(found, alone) < 1e-5


def test_left_padding_without_positions_would_change_activations(model: LoadedModel) -> None:
    """The trap that capture avoids: if this stops failing to agree, the test above proves nothing."""
    if model.family.name == "llama":
        pytest.skip("rotary positions are relative: only absolute ones can go wrong")
    ids = torch.from_numpy(model.tokens(TEXTS[0]).ids)[None]
    padded = torch.cat([torch.zeros(1, 4, dtype=torch.long), ids], 1)
    mask = torch.cat([torch.zeros(1, 4, dtype=torch.long), torch.ones_like(ids)], 1)
    with torch.no_grad():
        alone = model.base(input_ids=ids).last_hidden_state[0]
        shifted = model.base(
            input_ids=padded, attention_mask=mask, position_ids=torch.arange(padded.shape[1])[None]
        ).last_hidden_state[0, 4:]
    assert relative(shifted.numpy(), alone.numpy()) > 1e-2


def test_batches_of_any_size_agree(model: LoadedModel) -> None:
    whole, single = values(model, TEXTS, batch_tokens=10_000), values(model, TEXTS, batch_tokens=1)
    assert all(relative(a, b) < 1e-5 for a, b in zip(whole, single, strict=True))


def test_chosen_layers_come_back_in_order_with_their_true_numbers(model: LoadedModel) -> None:
    everything = values(model, TEXTS[:1])[0]
    some = capture(model, [model.tokens(TEXTS[0])], layers=[2, 0])[0][Site.NEURONS]
    assert some.layers == (0, 2)
    assert np.array_equal(some.values, everything[[0, 2]])
    assert np.array_equal(some.layer(2), everything[2])


def test_nothing_runs_after_the_last_layer_asked_for(model: LoadedModel) -> None:
    ran = []
    handles = [block.register_forward_pre_hook(lambda *_a, i=i: ran.append(i)) for i, block in enumerate(model.blocks)]
    values(model, TEXTS[:1], layers=[1])
    for handle in handles:
        handle.remove()
    assert ran == [0, 1]


def test_captured_values_are_copies(model: LoadedModel) -> None:
    first = values(model, TEXTS[:1])[0]
    before = first.copy()
    values(model, TEXTS[2:3])
    assert np.array_equal(first, before)


def test_half_precision_is_returned_as_float32() -> None:
    model = attach(tiny.llama().to(torch.bfloat16), tiny.tokenizer())
    found = values(model, TEXTS[:1])[0]
    assert found.dtype == np.float32
    assert relative(found, values(attach(tiny.llama(), tiny.tokenizer()), TEXTS[:1])[0]) < 0.1


def test_a_training_model_is_read_without_dropout_and_stays_in_training() -> None:
    network = tiny.gpt2(resid_pdrop=0.5, embd_pdrop=0.5).train()
    model = attach(network, tiny.tokenizer())
    assert np.array_equal(values(model, TEXTS[:1])[0], values(model, TEXTS[:1])[0])
    assert network.training
    assert network.transformer.drop.training


class StopAfter:
    """A job that is cancelled at its n-th checkpoint."""

    def __init__(self, checks: int) -> None:
        self.left = checks

    def check(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise jobs.Cancelled

    def report(self, progress: jobs.Progress) -> None:
        pass


def hooks(model: LoadedModel) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.network.modules())


@pytest.mark.parametrize("checks", [0, 1, 2, 3, 5])
def test_a_cancelled_capture_leaves_no_hook_and_a_usable_model(model: LoadedModel, checks: int) -> None:
    expected = values(model, TEXTS[:1])[0]
    with jobs.running(StopAfter(checks)), pytest.raises(jobs.Cancelled):
        values(model, TEXTS, batch_tokens=1)
    assert hooks(model) == 0
    assert np.array_equal(values(model, TEXTS[:1])[0], expected)


def test_cancelling_works_inside_a_forward_pass(model: LoadedModel) -> None:
    ran = []
    handle = model.in_block(2, model.family.up).register_forward_pre_hook(lambda *_a: ran.append(2))
    with jobs.running(StopAfter(3)), pytest.raises(jobs.Cancelled):
        values(model, TEXTS[:1])
    handle.remove()
    assert not ran, "the third block still ran"


def test_an_error_inside_the_network_leaves_no_hook(model: LoadedModel) -> None:
    handle = model.blocks[1].register_forward_pre_hook(lambda *_a: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        values(model, TEXTS[:1])
    handle.remove()
    assert hooks(model) == 0


def test_progress_is_reported_for_each_batch(model: LoadedModel) -> None:
    seen = []

    class Listener:
        def check(self) -> None:
            pass

        def report(self, progress: jobs.Progress) -> None:
            seen.append((progress.done, progress.total))

    with jobs.running(Listener()):
        values(model, TEXTS, batch_tokens=1)
    assert seen == [(n, 5) for n in range(6)]


def long_text(model: LoadedModel, tokens: int) -> str:
    return " ".join(tiny.WORDS[1 + (i * i + i // 7) % (len(tiny.WORDS) - 1)] for i in range(tokens))


def test_a_text_beyond_the_context_is_refused_by_default(model: LoadedModel) -> None:
    with pytest.raises(TextTooLong, match=r"33 tokens .* reads 32"):
        values(model, [long_text(model, 33)])


@pytest.mark.parametrize("length", [33, 48, 49, 100])
def test_a_windowed_text_reads_every_token_behind_at_least_half_a_context(model: LoadedModel, length: int) -> None:
    text = long_text(model, length)
    words = text.split()
    found = values(model, [text], long="window")[0]
    assert found.shape[1] == length
    assert relative(found[:, :32], values(model, [" ".join(words[:32])])[0]) < 1e-5
    stop = min(48, length)
    last_window = values(model, [" ".join(words[stop - 32 : stop])])[0]
    assert relative(found[:, 32:stop], last_window[:, 32 - (stop - 32) :]) < 1e-5


def test_what_cannot_be_asked_is_refused_by_name(model: LoadedModel) -> None:
    text = model.tokens(TEXTS[0])
    with pytest.raises(NoSuchLayer, match=r"No layer 7 in .*: it has layers 0 to 2\."):
        capture(model, [text], layers=[7])
    with pytest.raises(NoSuchLayer, match="No layer -1"):
        capture(model, [text], layers=[-1])
    with pytest.raises(InputError, match="No layer was asked for"):
        capture(model, [text], layers=[])
    with pytest.raises(EmptyText, match="no text"):
        model.tokens("  \n ")
    if not model.card.gated:
        with pytest.raises(NoSuchSite, match="no gate site"):
            capture(model, [text], sites=[Site.GATE])


@pytest.mark.parametrize("name", ["stories260k", "babyllama-tok105"])
def test_real_llamas_equal_a_separate_implementation(shared_data: Path, name: str) -> None:
    model = load(str(shared_data / name))
    golden = load_file(shared_data / name / "golden.safetensors")
    prompts = json.loads((shared_data / name / "golden.json").read_text())["prompts"]
    found = capture(model, [model.tokens(text) for text in prompts], sites=model.card.sites)
    names = {Site.NEURONS: "neurons", Site.GATE: "gate_pre", Site.UP: "up", Site.RESIDUAL: "resid_post"}
    for i, one in enumerate(found):
        assert np.array_equal(one[Site.NEURONS].tokens.ids, golden[f"p{i}.ids"])
        for layer in range(model.card.layers):
            for site, key in names.items():
                expected = golden[f"p{i}.L{layer}.{key}"]
                assert np.abs(one[site].layer(layer) - expected).max() < 1e-5, (site, layer)


def test_a_real_gpt2_equals_its_authors_published_activations(shared_data: Path) -> None:
    model = load(str(shared_data / "gpt-nano-sort"))
    published = load_file(shared_data / "gpt-nano-sort" / "reference_activations.safetensors")
    for row, ids in enumerate(published["idx"]):
        text = model.tokens("".join("ABC"[int(i)] for i in ids))
        assert text.ids.tolist() == ids.tolist()
        one = capture(model, [text], sites=model.card.sites)[0]
        assert np.abs(one[Site.NEURONS].layer(0) - published["gelu"][row]).max() < 1e-5
        assert np.abs(one[Site.UP].layer(0) - published["fc"][row]).max() < 1e-5
        for layer in range(3):
            assert np.abs(one[Site.RESIDUAL].layer(layer) - published[f"block{layer}"][row]).max() < 1e-5
