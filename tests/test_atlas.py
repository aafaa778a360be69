"""Maps and clusters of an index: which neurons are on them, what they are called, and that they are kept."""

import itertools

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from neuronscope import atlas
from neuronscope.demo import planted
from neuronscope.errors import InputError, NoSuchNeuron
from neuronscope.index import derived
from neuronscope.vocabulary import Neuron
from tests.models_for_tests import WORDS, gpt2, tokenizer
from tests.texts_for_tests import written


@pytest.fixture(scope="module")
def index(workspace, tmp_path_factory):
    truth, folder = planted.build(), tmp_path_factory.mktemp("planted")
    scope = workspace.attach(truth.network, truth.tokenizer, "planted")
    return scope.index(written(folder, planted.corpus()), folder / "index")


@pytest.fixture(scope="module")
def grouped(workspace, tmp_path_factory):
    """A model of three layers in which sixteen neurons of each read one of four directions: groups by design."""
    import torch

    network, folder = gpt2(), tmp_path_factory.mktemp("grouped")
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for block in network.transformer.h:
            weights = block.mlp.c_fc.weight
            causes = torch.randn(weights.shape[0], 4, generator=generator)
            weights[:, :16] = causes[:, torch.arange(16) % 4] + 0.02 * torch.randn(
                weights.shape[0], 16, generator=generator
            )
            block.mlp.c_fc.bias[:16] = 1
    scope = workspace.attach(network, tokenizer(), "grouped")
    random = np.random.default_rng(0)
    return scope.index(written(folder, [" ".join(random.choice(WORDS[1:], 20)) for _ in range(300)]), folder / "index")


def test_neurons_that_never_fire_are_neither_on_the_map_nor_in_clusters(index):
    clusters, made = index.clusters(4), index.projection()
    dead = index.row(Neuron(0, 6))
    assert clusters.labels[dead] == -2
    assert dead not in made.rows
    assert index.row(Neuron(0, 8)) not in made.rows  # its activation is the same everywhere
    assert index.row(Neuron(0, 9)) in made.rows  # active nearly always, which is not dead
    assert np.array_equal(made.rows, clusters.rows)
    assert f"{len(made.rows)} of 32 neurons" in made.shown


def test_a_copy_is_with_its_twin_and_its_name_is_their_word(index):
    for clusters in (index.clusters(8), index.clusters(method="agglomerative")):
        assert clusters.labels[0] == clusters.labels[7] >= 0
        number = int(clusters.labels[0])
        assert set(clusters.members(number)[:2]) <= {0, 7} | set(clusters.members(number))
    twins = index.clusters(1, neurons=[Neuron(0, n) for n in (0, 7, 2, 3)], method="agglomerative")
    assert "cat" in twins.tokens[0]


def test_groups_by_design_are_found(grouped):
    neurons = [Neuron(0, n) for n in range(16)]
    clusters = grouped.clusters(4, neurons=neurons)
    assert adjusted_rand_score(np.arange(16) % 4, clusters.grouping.labels) == 1
    assert clusters.grouping.cohesion.min() > 0.9


def test_layers_and_neurons_narrow_what_is_looked_at(grouped):
    m = grouped.manifest
    assert set(grouped.projection(layers=[1]).table["layer"]) == {1}
    assert set(grouped.clusters(3, layers=[0, 2]).assigned["layer"]) == {0, 2}
    some = [Neuron(2, n) for n in range(9)]
    assert grouped.projection(neurons=some).rows.tolist() == [2 * m.neurons + n for n in range(9)]
    with pytest.raises(InputError, match="it has layers 0 to"):
        grouped.projection(layers=[9])
    with pytest.raises(NoSuchNeuron):
        grouped.clusters(neurons=[Neuron(9, 0)])
    with pytest.raises(InputError, match="it takes three"):
        grouped.projection(neurons=some[:1])
    with pytest.raises(InputError, match="it takes four"):
        grouped.clusters(neurons=[])


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_a_map_is_kept_and_is_the_same_again(grouped, method, monkeypatch):
    made = grouped.projection(method)
    monkeypatch.setattr(atlas, "project", None)
    again = grouped.projection(method)
    assert np.array_equal(made.points, again.points)
    assert (again.trustworthiness, again.anchors, again.settings) == (
        made.trustworthiness,
        made.anchors,
        made.settings,
    )


def test_clusters_are_kept_with_the_curve_behind_their_number(grouped, monkeypatch):
    found = grouped.clusters()
    monkeypatch.setattr(atlas, "cluster", None)
    again = grouped.clusters()
    assert again.table.equals(found.table)
    assert repr(again.grouping.curve) == repr(found.grouping.curve)
    assert again.grouping.curve.why == found.grouping.curve.why


def test_a_folder_that_cannot_be_written_costs_the_keeping_alone(grouped, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(derived.np, "savez", full)
    made = grouped.projection("tsne", layers=[2], seed=5)
    assert len(made.points)
    assert not list((grouped.store.folder / "derived").glob(".*"))


def test_a_profile_is_the_mean_of_standardised_activations_on_the_sampled_tokens(grouped):
    neurons = [Neuron(0, 0), Neuron(1, 7)]
    held = [grouped.examples(neuron, count=512, kind="random") for neuron in neurons]
    z = []
    for neuron, examples in zip(neurons, held, strict=True):
        numbers = grouped.store.statistics[grouped.row(neuron)]
        z.append((np.array([one.value for one in examples]) - numbers["mean"]) / np.sqrt(numbers["variance"]))
    found = grouped.profile(neurons)
    assert found.members == 2
    assert found.together == pytest.approx(np.mean(z, axis=0))


def test_a_profile_of_neurons_that_do_the_same_is_wider_than_if_each_were_active_for_itself(grouped):
    alike = grouped.profile([Neuron(0, number) for number in range(0, 16, 4)])
    assert alike.together.std() > 1.8 * alike.apart.std()
    assert alike.apart.std() == pytest.approx(0.5, abs=0.1)
    others = grouped.profile([Neuron(layer, number) for layer in range(3) for number in range(4)])
    assert others.together.std() < 0.8 * alike.together.std()


def test_a_profile_of_neurons_that_never_vary_is_of_none(index):
    dead = [index.neuron(row) for row in np.flatnonzero(np.asarray(index.store.statistics["variance"]) == 0).tolist()]
    assert dead
    assert index.profile(dead).members == index.profile([]).members == 0
    assert index.profile([*dead, Neuron(0, 0)]).members == 1


def test_where_a_group_fires_together_most_members_have_a_strong_context(index):
    found = index.together([Neuron(0, 0), Neuron(0, 7)], count=5)
    assert len(found) == 5
    for example, members in found:
        assert members == 2
        assert example.tokens[example.peak] == "cat"
    assert index.together([Neuron(0, 6)]) == []
    counts = [members for _, members in index.together([Neuron(0, n) for n in range(5)], count=10)]
    assert counts == sorted(counts, reverse=True)


def test_what_is_kept_of_another_state_of_an_index_is_not_found(index):
    index.projection(seed=3)
    other = index.manifest.__class__(**{**vars(index.manifest), "arrays": {"sketch.npy": "other"}})
    asked = {"method": "pca", "seed": 3}
    assert derived.known(index.store.folder, other, "projection", asked) is None
    derived.keep(index.store.folder, other, "unrelated", asked, {"x": np.zeros(1)})
    assert derived.known(index.store.folder, other, "unrelated", asked)["x"].tolist() == [0]
    derived.keep(index.store.folder, index.manifest, "unrelated", asked, {"x": np.ones(1)})
    assert derived.known(index.store.folder, other, "unrelated", asked) is None


def test_members_correlate_with_each_other_more_than_with_others(grouped):
    clusters = grouped.clusters(4, neurons=[Neuron(0, n) for n in range(16)])
    r = np.corrcoef(np.asarray(grouped.store.sketch[:16], np.float32))
    for number in range(4):
        members = clusters.members(number)
        others = np.setdiff1d(np.arange(16), members)
        inside = min(r[a, b] for a, b in itertools.combinations(members, 2))
        assert inside > r[np.ix_(members, others)].max()


@pytest.mark.parametrize("texts", [["cat"], ["cat cat cat cat"] * 3], ids=["one token", "one word"])
def test_a_corpus_in_which_nothing_varies_is_answered_with_a_sentence(workspace, tmp_path, texts):
    truth = planted.build()
    scope = workspace.attach(truth.network, truth.tokenizer, f"planted {len(texts)}")
    index = scope.index(written(tmp_path, texts), tmp_path / "index")
    for ask in (index.projection, index.clusters):
        with pytest.raises(InputError, match="that vary"):
            ask(neurons=[Neuron(0, 0)])
    if len(texts) == 1:
        with pytest.raises(InputError, match="that vary"):
            index.clusters()
    table = scope.polysemanticity(index).table
    assert len(table) == 32
    assert not table["confirmed"].any()
    assert set(table["verdict"]) <= {"never fires", "dense", "too little evidence"}
    assert scope.polysemanticity(index, [Neuron(0, 0)]).table["verdict"].iloc[0] in set(table["verdict"])
    assert index.together([Neuron(0, 0)], count=3) is not None
