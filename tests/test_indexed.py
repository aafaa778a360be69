"""What an index tells of neurons whose meaning is known, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import neuronscope as ns
from neuronscope.errors import InputError, NoSuchNeuron, OtherIndex
from neuronscope.indexed import Index
from neuronscope.scope import Scope, Workspace
from neuronscope.settings import Settings
from tests import models_for_tests as tiny
from tests.index import corpora

if TYPE_CHECKING:
    from transformers import GPT2LMHeadModel

COMMA, PERIOD, QUOTE, SHE = ns.Neuron(0, 124), ns.Neuron(0, 59), ns.Neuron(0, 93), ns.Neuron(1, 127)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    home = tmp_path_factory.mktemp("workspace")
    return Workspace(Settings(home / "cache", home / "data"))


@pytest.fixture(scope="module")
def small(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> tuple[Scope, Index]:
    """A tiny gated model and the index of a random corpus."""
    scope = workspace.attach(tiny.llama(), tiny.tokenizer(), "small")
    return scope, scope.index(corpora.texts(tmp_path_factory.mktemp("texts")), window=20)


@pytest.fixture(scope="module")
def stories(workspace: Workspace, shared_data: Path) -> tuple[Scope, Index]:
    """A real small model and what it does on real stories."""
    scope = workspace.scope(str(shared_data / "stories260k"))
    text = shared_data / "text-tinystories" / "tinystories_first95.txt"
    return scope, scope.index(text, tokens=40_000)


@pytest.mark.parametrize(
    ("neuron", "sign", "expected"),
    [
        (COMMA, "-", {","}),
        (PERIOD, "-", {".", "!", "?"}),
        (QUOTE, "+", {'·"', '"'}),
        (SHE, "+", {"·he", "·she", "·we"}),
    ],
)
def test_known_neurons_are_told_by_the_first_tokens_of_their_query(
    stories: tuple[Scope, Index], neuron: ns.Neuron, sign: str, expected: set[str]
) -> None:
    _, index = stories
    first = index.reverse_query(neuron, n=(1,), sign=sign).table.head(4)
    assert expected & set(first["ngram"].str.strip())
    assert first["ngram"].iloc[0].strip() in expected | {"·W", "e"}


def test_measuring_makes_every_row_exact(stories: tuple[Scope, Index]) -> None:
    scope, index = stories
    table = scope.reverse_query(index, QUOTE).table
    assert set(table["source"]) == {"corpus"}
    first = table.iloc[0]
    where = index.find(' "')
    values = [example.value for example in scope.contexts(index, QUOTE, index.examples(QUOTE, 3))]
    assert first["max"] == pytest.approx(max(values), rel=1e-4)
    assert first["count"] == len(where)


def test_responders_of_a_token_are_the_same_with_and_without_the_model(stories: tuple[Scope, Index]) -> None:
    scope, index = stories
    listed = index.responders(",").table.set_index(["layer", "neuron", "sign"])
    everyone = scope.responders(index, ",", most=10_000).table.set_index(["layer", "neuron", "sign"])
    assert (0, 124, "-") in listed.index
    shared = listed.index.intersection(everyone.index)[:10]
    assert len(shared) >= 5
    assert np.allclose(listed.loc[shared, "mean"], everyone.loc[shared, "mean"], rtol=0.02, atol=0.01)


def test_examples_stand_where_they_say(small: tuple[Scope, Index]) -> None:
    scope, index = small
    neuron = ns.Neuron(1, 5)
    examples = index.examples(neuron, 12)
    assert [one.value for one in examples] == sorted((one.value for one in examples), reverse=True)
    for one, measured in zip(examples, scope.contexts(index, neuron, examples), strict=True):
        assert measured.values[one.peak] == pytest.approx(one.value, rel=1e-4)
        known = ~np.isnan(one.values)
        within = np.abs(measured.values) <= abs(one.value)
        close = np.abs(one.values - measured.values)[known & within] <= abs(one.value) / 127 * 0.51 + 1e-5
        assert close.all()
        assert one.tokens[one.peak] == index.store.corpus.tokens(one.position, one.position + 1).display[0]


def test_every_sign_and_case_has_its_own_examples(small: tuple[Scope, Index]) -> None:
    _, index = small
    neuron = ns.Neuron(2, 3)
    assert index.cases == ("++", "+-", "-+", "--")
    assert all(one.value > 0 for case in ("+", "++", "--") for one in index.examples(neuron, sign=case))
    assert all(one.value < 0 for case in ("-", "+-", "-+") for one in index.examples(neuron, sign=case))
    best = {case: index.examples(neuron, 1, case) for case in ("++", "--")}
    assert index.examples(neuron, 1)[0].value == max(one[0].value for one in best.values() if one)


def test_bands_share_out_the_positive_side(small: tuple[Scope, Index]) -> None:
    _, index = small
    for neuron in (ns.Neuron(0, 0), ns.Neuron(2, 9)):
        bands = index.bands(neuron)
        share = float(
            index.statistics().query("layer == @neuron.layer and neuron == @neuron.index")["frequency"].iloc[0]
        )
        assert sum(band.share for band in bands) == pytest.approx(share, abs=0.15)
        for band in bands:
            assert all(band.low * 0.8 <= one.value <= band.high * 1.2 for one in band.examples)


def test_percentiles_are_those_of_the_corpus(small: tuple[Scope, Index]) -> None:
    _, index = small
    sample = np.sort(np.asarray(index.store.sample, np.float64), axis=1)
    neurons = index.manifest.neurons
    for layer in range(index.manifest.layers):
        own = sample[layer * neurons : (layer + 1) * neurons]
        middle = own[:, own.shape[1] // 2]
        found = index.percentile(layer, middle[None])[0]
        assert np.median(np.abs(found - 0.5)) < 0.05
        assert (index.percentile(layer, np.full((1, neurons), 1e9)) == 1).all()
        assert (index.percentile(layer, np.full((1, neurons), -1e9)) == 0).all()


def test_the_nearest_neuron_of_a_copy_is_the_original(workspace: Workspace, tmp_path: Path) -> None:
    network = tiny.gpt2()
    block = network.transformer.h[1].mlp.c_fc
    block.weight.data[:, 7], block.bias.data[7] = block.weight.data[:, 3], block.bias.data[3]
    index = workspace.attach(network, tiny.tokenizer(), "copied").index(corpora.texts(tmp_path), window=20)
    nearest, r = index.nearest(ns.Neuron(1, 7), 1)[0]
    assert nearest == ns.Neuron(1, 3)
    assert r == pytest.approx(1, abs=1e-3)


def test_the_nearest_of_a_neuron_that_fires_three_times_in_a_corpus_is_found(workspace: Workspace, tmp_path) -> None:
    index = workspace.attach(_with_rare_neurons(), tiny.tokenizer(), "rare").index(_with_green(tmp_path), window=20)
    rare, twice = ns.Neuron(0, 4), ns.Neuron(0, 9)
    assert index.statistics().query("layer == 0 and neuron == 4")["frequency"].iloc[0] * index.manifest.seen == 3
    assert not index.store.sample[index.row(rare)].any()  # no token of the sample makes it fire
    nearest, r = index.nearest(rare, 1)[0]
    assert nearest == twice
    assert r == pytest.approx(1, abs=1e-3)


def test_a_neuron_that_never_varies_is_near_none(workspace: Workspace, tmp_path: Path) -> None:
    network = tiny.gpt2()
    network.transformer.h[1].mlp.c_fc.weight.data[:, 7] = 0
    index = workspace.attach(network, tiny.tokenizer(), "constant").index(corpora.texts(tmp_path), window=20)
    assert index.nearest(ns.Neuron(1, 7)) == []
    assert ns.Neuron(1, 7) not in [neuron for neuron, _ in index.nearest(ns.Neuron(1, 3), 50)]


def test_an_index_is_for_the_model_it_was_made_from(small: tuple[Scope, Index], workspace: Workspace) -> None:
    scope, index = small
    other = workspace.attach(tiny.gpt2(), tiny.tokenizer(), "other")
    with pytest.raises(OtherIndex, match="made from small"):
        other.reverse_query(index, ns.Neuron(0, 0))
    assert workspace.index_of(scope) is not None
    assert workspace.index_of(other) is None


def test_an_index_of_an_earlier_version_is_passed_over(workspace: Workspace, tmp_path: Path) -> None:
    scope = workspace.attach(tiny.gpt2(seed=5), tiny.tokenizer(), "earlier")
    manifest = scope.index(corpora.texts(tmp_path), window=20).store.folder / "manifest.json"
    assert workspace.index_of(scope) is not None
    manifest.write_text(json.dumps({**json.loads(manifest.read_text("utf-8")), "version": 1}), "utf-8")
    assert workspace.index_of(scope) is None


def test_what_cannot_be_answered_is_told(small: tuple[Scope, Index]) -> None:
    _, index = small
    with pytest.raises(NoSuchNeuron, match="layers 0 to 2"):
        index.examples(ns.Neuron(3, 0))
    with pytest.raises(InputError, match="No sign"):
        index.examples(ns.Neuron(0, 0), sign="~")
    with pytest.raises(InputError, match="not one token"):
        index.responders("xylophone")
    with pytest.raises(InputError, match="not a regular expression"):
        index.find("(", regular=True)
    with pytest.raises(InputError, match="empty text"):
        index.find("")
    with pytest.raises(InputError, match="at least one"):
        index.reverse_query([])


def test_an_index_opens_without_a_model(small: tuple[Scope, Index]) -> None:
    _, index = small
    again = ns.open_index(index.store.folder)
    assert again.statistics().equals(index.statistics())
    assert "tokens" in repr(again)


def _with_rare_neurons() -> GPT2LMHeadModel:
    """Neurons 4 and 9 of layer 0 fire at "green" alone, the one twice as strongly as the other."""
    network = tiny.gpt2(activation_function="relu")
    body, block = network.transformer, network.transformer.h[0]
    for silent in (body.wte.weight, body.wpe.weight, block.attn.c_proj.weight):
        silent.data[:, 0] = 0
    block.attn.c_proj.bias.data[0] = 0
    body.wte.weight.data[tiny.WORDS.index("green"), 0] = 30
    block.ln_2.weight.data[0], block.ln_2.bias.data[0] = 1, 0
    for neuron, strength in ((4, 1.0), (9, 2.0)):
        block.mlp.c_fc.weight.data[:, neuron] = 0
        block.mlp.c_fc.weight.data[0, neuron], block.mlp.c_fc.bias.data[neuron] = strength, -2.5 * strength
    return network


def _with_green(folder: Path) -> Path:
    """Random words, "green" in three places only, and never first."""
    lines = corpora.texts(folder, documents=200).read_text("utf-8").replace("green", "blue").splitlines()
    for place in (20, 90, 160):
        lines[place] = json.dumps({"text": "the green tree"})
    (folder / "green.jsonl").write_text("\n".join(lines), "utf-8")
    return folder / "green.jsonl"


ASKED = """
import sys
import neuronscope as ns

index, neurons = ns.open_index(sys.argv[1]), [ns.Neuron(0, 0), ns.Neuron(1, 3)]
index.examples(neurons[0]), index.bands(neurons[0]), index.histogram(neurons[0]), index.nearest(neurons[0])
index.statistics(), index.reverse_query(neurons), index.responders("the"), index.together(neurons)
index.profile(neurons), index.clusters(2), index.projection()
assert "torch" not in sys.modules
"""


def test_an_index_is_asked_without_pytorch(small: tuple[Scope, Index]) -> None:
    _, index = small
    subprocess.run([sys.executable, "-c", ASKED, str(index.store.folder)], check=True)
