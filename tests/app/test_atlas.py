"""The Atlas view: layers, values and tokens of a map, groups that are kept, and how firmly a group holds together."""

import json

import numpy as np
import pytest
from dash import html

from neuronscope.app import atlas_answers, atlas_members, atlas_page, atlas_panels, atlas_tables
from neuronscope.app.groups import Groups
from neuronscope.app.selection import Selection
from neuronscope.errors import FileError, InputError, NoSuchNeuron
from neuronscope.vocabulary import Neuron
from tests.app.test_parts import walk
from tests.models_for_tests import WORDS, gpt2, llama, tokenizer
from tests.texts_for_tests import written


@pytest.fixture(scope="module")
def scope(workspace):
    return workspace.attach(gpt2(), tokenizer(), "small")


@pytest.fixture
def maps(tmp_path):
    return atlas_answers.Maps(Groups(tmp_path))


@pytest.fixture(scope="module")
def index(scope, tmp_path_factory):
    rng = np.random.default_rng(0)
    words = [" ".join(rng.choice(WORDS[1:], 30)) for _ in range(60)]
    return scope.index(written(tmp_path_factory.mktemp("corpus"), words))


def strings(part):
    return [piece for piece in walk(part) if isinstance(piece, str)]


NEURONS = (Neuron(0, 3), Neuron(1, 2))


def test_a_group_comes_back_under_its_name_and_for_its_model_alone(tmp_path):
    groups = Groups(tmp_path)
    assert groups.of("small", "main") == {}
    assert groups.keep("small", "main", "  two  words ", NEURONS) == "two words"
    assert groups.of("small", "main") == {"two words": 2}
    assert groups.neurons("small", "main", "two words") == NEURONS
    assert groups.of("other", "main") == groups.of("small", "other") == {}
    assert Groups(tmp_path).of("small", "main") == {"two words": 2}


def test_a_group_is_renamed_and_deleted(tmp_path):
    groups = Groups(tmp_path)
    groups.keep("small", "main", "a", NEURONS)
    assert groups.rename("small", "main", "a", "b") == "b"
    assert groups.rename("small", "main", "b", "b") == "b"
    assert groups.of("small", "main") == {"b": 2}
    groups.delete("small", "main", "b")
    assert groups.of("small", "main") == {}
    with pytest.raises(InputError, match="No group called 'b'"):
        groups.delete("small", "main", "b")


def test_a_name_that_is_missing_long_or_taken_is_refused_and_nothing_is_lost(tmp_path):
    groups = Groups(tmp_path)
    groups.keep("small", "main", "a", NEURONS)
    groups.keep("small", "main", "b", NEURONS[:1])
    for name, said in (("  ", "has no name"), ("x" * 81, "80 characters"), ("a", "kept already")):
        with pytest.raises(InputError, match=said):
            groups.keep("small", "main", name, NEURONS)
    with pytest.raises(InputError, match="kept already"):
        groups.rename("small", "main", "b", "a")
    with pytest.raises(InputError, match="no neurons"):
        groups.keep("small", "main", "c", [])
    assert groups.of("small", "main") == {"a": 2, "b": 1}


def test_where_nothing_can_be_kept_it_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="Groups cannot be kept"):
        Groups(tmp_path / "file").keep("small", "main", "a", NEURONS)


def test_layers_are_numbers_and_ranges(index):
    assert atlas_answers.layers_of(None, index) is None
    assert atlas_answers.layers_of(" ", index) is None
    assert atlas_answers.layers_of("2, 0-1", index) == (0, 1, 2)
    for wrong, said in (("7", "layers 0 to 2"), ("2-1", "no list of layers"), ("a", "no list of layers")):
        with pytest.raises(InputError, match=said):
            atlas_answers.layers_of(wrong, index)


def test_a_neurons_tokens_are_those_of_its_strongest_contexts(index):
    tokens = atlas_answers.strongest_tokens(index)
    assert len(tokens) == index.manifest.layers * index.manifest.neurons
    for row in (0, 5, 40):
        best = index.examples(index.neuron(row), count=1)
        if best:
            assert tokens[row].split(" ")[0] == best[0].tokens[best[0].peak].replace(" ", "·")
    assert max(len(said.split(" ")) for said in tokens) <= 3


def test_maps_and_clusters_are_held_by_what_was_asked(index, maps):
    selection = Selection(view="atlas")
    assert maps.known_clusters(index, selection) is None
    found = maps.clusters(index, selection)
    assert maps.known_clusters(index, selection) is found
    assert maps.known_clusters(index, Selection(view="atlas", k=2)) is None
    drawn = maps.projection(index, selection)
    assert maps.known_projection(index, Selection(view="atlas", shade="cluster")) is drawn
    assert len(maps.projection(index, Selection(view="atlas", layers="0")).rows) < len(drawn.rows)


def test_values_are_of_every_neuron_and_senses_of_none_before_a_survey(scope, index, maps):
    total = index.manifest.layers * index.manifest.neurons
    assert len(atlas_answers.values_of(maps, scope, index, "density")) == total
    assert len(atlas_answers.values_of(maps, scope, index, "kurtosis")) == total
    assert atlas_answers.values_of(maps, scope, index, "senses") is None
    assert atlas_answers.values_of(maps, scope, index, "alignment") is None
    assert atlas_answers.values_of(maps, scope, index, "drift") is None
    scope.polysemanticity(index)
    assert len(atlas_answers.values_of(maps, scope, index, "senses")) == total


def test_a_map_is_coloured_by_the_drift_to_the_last_checkpoint(scope, index, maps):
    class Measured:
        checkpoints = ("base", "step-1", "step-2")

        def records(self, number):
            return {"drift": np.full(3, number)}

    found = atlas_answers.values_of(maps, scope, index, "drift", Measured())
    assert found.tolist() == [2, 2, 2]


def test_gate_and_up_alignment_is_the_cosine_of_their_weights(workspace, scope):
    gated_network = llama()
    gated = workspace.attach(gated_network, tokenizer(), "gated")
    found = gated.gate_alignment()
    assert found.shape == (gated.card.layers * gated.card.neurons,)
    mlp = gated_network.model.layers[1].mlp
    gain = gated_network.model.layers[1].post_attention_layernorm.weight.detach().numpy()
    gate, up = (part.weight.detach().numpy() * gain for part in (mlp.gate_proj, mlp.up_proj))
    expected = (gate * up).sum(1) / np.linalg.norm(gate, axis=1) / np.linalg.norm(up, axis=1)
    assert found[gated.card.neurons : 2 * gated.card.neurons] == pytest.approx(expected, abs=1e-5)
    with pytest.raises(InputError, match="no gate"):
        scope.gate_alignment()


def test_a_cluster_kept_as_a_group_holds_together_as_before(index):
    clusters = index.clusters(3)
    cluster = atlas_members.of_cluster(clusters, 0, index)
    group = atlas_members.of_group("same", cluster.neurons, index, clusters)
    assert set(group.neurons) == set(cluster.neurons)
    assert group.cohesion == pytest.approx(cluster.cohesion, abs=2e-3)
    assert np.sort(group.loadings) == pytest.approx(np.sort(cluster.loadings), abs=2e-3)
    assert list(group.loadings) == sorted(group.loadings, reverse=True)
    assert group.kin[0][0] == 0
    assert group.kin[0][1] == pytest.approx(1, abs=1e-3)
    assert group.stability is None


def test_a_group_of_one_has_no_cohesion_and_a_stranger_is_refused(index):
    one = atlas_members.of_group("one", [Neuron(0, 3)], index, None)
    assert np.isnan(one.cohesion)
    assert one.kin == ()
    with pytest.raises(NoSuchNeuron):
        atlas_members.of_group("none", [Neuron(9, 3)], index, None)


def test_tables_say_what_their_numbers_are_of(index):
    clusters = index.clusters(3)
    rows = atlas_tables.clusters_rows(clusters, index)
    assert [row["size"] for row in rows] == clusters.table["size"].tolist()
    assert len({row["row"] for row in rows}) == len(rows)
    members = atlas_members.of_cluster(clusters, 0, index)
    listed = atlas_tables.members_rows(members, index, atlas_answers.strongest_tokens(index))
    assert [row["name"] for row in listed] == [str(neuron) for neuron in members.neurons]
    for row in (*rows, *listed):
        assert (row["model"], row["precision"], row["tokens_seen"]) == ("small", "float32", index.manifest.seen)
        assert "NaN" not in json.dumps(row)


def test_a_group_is_asked_what_excites_it_and_where_it_fires_together(scope, index):
    members = atlas_members.of_cluster(index.clusters(3), 0, index)
    said = " ".join(strings(html.Div(atlas_page.page_read(scope, index, members))))
    assert "What excites it" in said
    assert f" of {min(len(members.neurons), atlas_members.ASKED)} members" in said
    assert str(members.neurons[0]) in said


def test_a_page_of_a_group_leads_to_search_with_256_neurons_at_most(index):
    many = atlas_members.of_group("many", [index.neuron(row) for row in range(60)] * 5, index, None)
    link = json.loads(getattr(atlas_page.page_tools(many, kept=False)[0], "data-go"))
    assert link["view"] == "search"
    assert len(link["neurons"].split()) == 256


def test_a_kept_group_leads_to_the_clusters_in_it_and_these_are_of_its_neurons_alone(index, tmp_path):
    groups = Groups(tmp_path)
    maps, m = atlas_answers.Maps(groups), index.manifest
    neurons = [Neuron(1, number) for number in range(20)]
    groups.keep(m.model, m.revision, "some", neurons)
    group = atlas_members.of_group("some", neurons, index, None)
    links = [json.loads(getattr(link, "data-go")) for link in atlas_page.page_tools(group, kept=True)]
    assert {"within": "some", "cluster": None, "group": None} in links
    selection = Selection(view="atlas", group="some", k=5, cluster=2).go(within="some", group=None)
    assert (selection.within, selection.k, selection.cluster) == ("some", None, None)
    found = maps.clusters(index, selection)
    assert set(map(index.neuron, found.rows.tolist())) <= set(neurons)
    assert maps.known_clusters(index, selection) is found
    assert maps.known_clusters(index, Selection(view="atlas")) is None
    groups.delete(m.model, m.revision, "some")
    with pytest.raises(InputError, match="No group called 'some'"):
        maps.clusters(index, selection)


def test_only_gated_models_are_coloured_by_gate_and_up():
    for gated in (True, False):
        options = next(part for part in walk(atlas_panels.shades(Selection(), gated=gated)) if hasattr(part, "options"))
        assert ("alignment" in [option["value"] for option in options.options]) is gated


def test_neurons_drawn_round_are_read_from_what_the_browser_holds():
    assert atlas_page.named([[0, 3], [1, 2]]) == list(NEURONS)
    assert atlas_page.named(None) == []
