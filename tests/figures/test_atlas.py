"""The atlas as drawn: every neuron a point with its name and value, clusters by colour, hostile tokens as text."""

from __future__ import annotations

import numpy as np
import pytest

from neuronscope.analysis.clustering import Clusters, Curve, cluster, profile
from neuronscope.analysis.projection import Projection, project
from neuronscope.errors import InputError
from neuronscope.figures import DARK, LIGHT, cluster_choice, cluster_layers, cluster_profile, neuron_map
from neuronscope.figures.atlas import window
from neuronscope.figures.shades import SHADES, coloured
from neuronscope.figures.theme import visible
from neuronscope.vocabulary import Neuron, Source
from tests.figures.texts import HOSTILE, array, drawn

LAYERS, NEURONS = 4, 30
UNITS = LAYERS * NEURONS
SOURCE = Source("tiny", "abc", "float32")


def vectors() -> np.ndarray:
    """Three groups of neurons, each about its own direction."""
    rng = np.random.default_rng(0)
    centres = np.linalg.qr(rng.normal(size=(16, 3)))[0].T
    found = centres[np.arange(UNITS) % 3] + 0.1 * rng.normal(size=(UNITS, 16))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def projection() -> Projection:
    rows = np.delete(np.arange(UNITS), 7)
    made = project(vectors()[rows])
    return Projection(
        "pca", rows, made.points, made.explained, made.trustworthiness, made.anchors, made.settings, UNITS, NEURONS
    )


@pytest.fixture(scope="module")
def clusters() -> Clusters:
    grouping = cluster(vectors(), 3)
    tokens = tuple((text, "b", "c") for text in HOSTILE[:3])
    names = tuple("·".join(HOSTILE[i : i + 1]) for i in range(3))
    return Clusters("kmeans", grouping.labels, grouping, np.arange(UNITS), names, tokens, ("+", "+", "+"), NEURONS)


def points(figure) -> list[dict]:
    return [trace for trace in drawn(figure)["data"] if trace.get("name") != "selected"]


def test_every_neuron_of_the_map_is_a_point_that_carries_its_layer_and_index(projection):
    figure = neuron_map(projection, source=SOURCE)
    (trace,) = points(figure)
    assert trace["type"] == "scattergl"
    assert array(trace["x"]) == pytest.approx(projection.points[:, 0], abs=1e-6)
    carried = np.asarray(figure.data[0].customdata)
    assert carried.dtype.kind == "f" or carried.dtype.itemsize == 2
    assert (carried[:, 0] * NEURONS + carried[:, 1] == projection.rows).all()
    assert figure.layout.meta["points"] == UNITS - 1
    assert "119 of 120 neurons" in figure.layout.title.subtitle.text
    assert "trustworthiness" in figure.layout.title.subtitle.text
    assert figure.layout.xaxis.title.text.startswith("PC1, ")
    assert figure.layout.xaxis.title.text.endswith(" % of the variance")


def test_without_a_graphics_card_the_same_points_are_drawn(projection):
    plain = neuron_map(projection, webgl=False)
    assert {trace.type for trace in plain.data} == {"scatter"}
    for a, b in zip(plain.data, neuron_map(projection).data, strict=True):
        assert np.array_equal(a.x, b.x)
        assert np.array_equal(a.marker.color, b.marker.color)


def test_another_colour_keeps_the_zoom_and_another_map_does_not(projection, clusters):
    kept = {
        neuron_map(projection, np.linspace(0, 1, UNITS), shade="density", mode="dark").layout.uirevision,
        neuron_map(projection, shade="cluster", clusters=clusters).layout.uirevision,
        neuron_map(projection).layout.uirevision,
    }
    assert len(kept) == 1
    fewer = Projection(
        "pca", projection.rows[:50], projection.points[:50], projection.explained, 0.5, 50, "x", UNITS, NEURONS
    )
    assert neuron_map(fewer).layout.uirevision not in kept


def test_neurons_without_a_value_are_grey_and_counted(projection):
    values = np.linspace(1, 3, UNITS)
    values[:20] = np.nan
    figure = neuron_map(projection, values, shade="senses")
    grey, coloured = figure.data[0], figure.data[1]
    assert len(grey.x) == 19
    assert grey.marker.color == LIGHT.hairline
    assert coloured.marker.coloraxis == "coloraxis"
    assert "19 neurons without a value, in grey" in figure.layout.meta["notes"]
    nothing = neuron_map(projection, np.full(UNITS, np.nan), shade="senses")
    assert len(nothing.data[0].x) == UNITS - 1


def test_signed_values_have_symmetric_colours_and_an_outlier_blanks_nothing(projection):
    values = np.random.default_rng(0).uniform(-0.3, 0.1, UNITS)
    axis = neuron_map(projection, values, shade="alignment").layout.coloraxis
    assert axis.cmin == -axis.cmax
    peaked = np.full(UNITS, 3.0) + np.random.default_rng(0).uniform(0, 1, UNITS)
    peaked[50] = 1e6
    scaled = neuron_map(projection, peaked, shade="kurtosis").layout.coloraxis
    assert scaled.cmax < np.log10(1e6)
    same = neuron_map(projection, np.full(UNITS, 0.5), shade="density").layout.coloraxis
    assert same.cmin < same.cmax


def test_each_cluster_has_its_colour_and_its_size(projection, clusters):
    figure = neuron_map(projection, shade="cluster", clusters=clusters)
    named = [trace for trace in figure.data if trace.showlegend]
    assert len({trace.marker.color for trace in named}) == len(named)
    assert sum(len(trace.x) for trace in named) == UNITS - 1
    for trace in named:
        assert f"({len(trace.x)})" in trace.name or trace.name == "in no cluster"


def test_tokens_that_look_like_markup_stay_text(projection, clusters):
    tokens = [visible(HOSTILE[row % len(HOSTILE)]) for row in range(UNITS)]
    figure = neuron_map(projection, shade="cluster", clusters=clusters, tokens=tokens)
    shown = [text for trace in figure.data for text in (trace.text if trace.text is not None else ())]
    shown += [trace.name for trace in figure.data] + [trace.hovertemplate or "" for trace in figure.data]
    assert len(shown) > UNITS
    for text in shown:
        bare = text.replace("<br>", "").replace("<b>", "").replace("</b>", "").replace("<extra></extra>", "")
        assert "<" not in bare
        assert ">" not in bare


def test_the_selected_are_ringed_and_the_chosen_is_named(projection):
    figure = neuron_map(projection, selected=[3, 7, 40], chosen=Neuron(2, 5))
    rings = figure.data[-1]
    at = {row: place for place, row in enumerate(projection.rows.tolist())}
    assert list(rings.x) == pytest.approx([projection.points[at[row], 0] for row in (3, 40, 65)])
    assert [note.text for note in figure.layout.annotations][:1] == ["<b>L2.N5</b>"]
    absent = neuron_map(projection, chosen=Neuron(0, 7))
    assert len(absent.data[-1].x) == 0
    assert window(projection, Neuron(0, 7)) is None
    (left, right), _ = window(projection, Neuron(2, 5))
    assert left < projection.points[at[65], 0] < right


def test_a_shade_that_is_none_or_lacks_its_values_is_refused(projection):
    with pytest.raises(InputError, match="No map by 'taste'"):
        neuron_map(projection, shade="taste")
    with pytest.raises(InputError, match="takes `values`"):
        neuron_map(projection, shade="density")
    with pytest.raises(InputError, match=r"index\.clusters"):
        neuron_map(projection, shade="cluster")


CURVE = Curve((2, 3, 4, 8), (0.5, 0.9, 0.7, 0.4), (0.1, 0.2, 0.15, 0.1), 3)


@pytest.mark.parametrize(("mode", "colours"), [("light", LIGHT), ("dark", DARK)])
def test_the_chosen_number_is_marked_on_both_curves(mode, colours):
    figure = cluster_choice(CURVE, mode=mode, source=SOURCE)
    assert [array(trace["y"]).tolist() for trace in drawn(figure)["data"]] == [
        pytest.approx(list(CURVE.stability)),
        pytest.approx(list(CURVE.silhouette)),
    ]
    assert figure.layout.xaxis.type == "log"
    assert figure.layout.shapes[0].x0 == 3
    assert figure.layout.shapes[0].line.color == colours.accent
    assert CURVE.why in figure.layout.title.subtitle.text


def test_a_number_given_by_hand_has_no_curve():
    assert "was given" in cluster_choice(None).layout.annotations[0].text


def test_layers_of_a_group_count_its_neurons():
    figure = cluster_layers([Neuron(0, 1), Neuron(2, 1), Neuron(2, 5)], 4)
    assert array(drawn(figure)["data"][0]["y"]).tolist() == [1, 0, 2, 0]
    assert figure.layout.title.subtitle.text == "3 neurons in 2 layers"
    assert cluster_layers([], 4).layout.meta["kind"] == "empty"


def test_a_profile_shows_the_group_as_it_is_beside_each_neuron_for_itself():
    z = np.tile(np.random.default_rng(0).normal(size=400), (9, 1))
    figure = cluster_profile(profile(z), name="same")
    bars, _rug, line = drawn(figure)["data"]
    assert array(bars["y"]).sum() == 400
    assert np.ptp(array(bars["x"])) > 4
    line_at, heights = array(line["x"]), array(line["y"])
    inside = line_at[heights > 0.5]
    assert -1.3 < inside.min() < inside.max() < 1.3
    assert heights.max() < 10 ** figure.layout.yaxis.range[1]
    assert figure.layout.xaxis.title.text == "mean activation, in standard deviations"
    assert figure.layout.meta["title"] == "Mean activations of same"


def test_a_profile_of_opposites_keeps_all_that_each_would_do_for_itself():
    one = np.random.default_rng(0).normal(size=400)
    line = drawn(cluster_profile(profile(np.stack([one, -0.9 * one]))))["data"][2]
    assert np.ptp(array(line["x"])) > 20 * 0.1 * one.std()
    heights = array(line["y"]).astype(int)  # half a token stands for none
    assert heights[1:-1:2].sum() == 400


def test_a_profile_of_nothing_says_so():
    for nothing in (np.zeros((0, 5)), np.zeros((5, 0))):
        assert cluster_profile(profile(nothing)).layout.meta["kind"] == "empty"


@pytest.mark.parametrize("layers", [1, 2, 4, 12, 32, 80])
def test_layers_on_the_colour_scale_are_told_in_even_steps(layers):
    shown = np.arange(layers, dtype=np.float32)
    _, found, _ = coloured(shown, np.ones(layers, bool), SHADES["layer"], "light")
    ticks = np.array(found["colorbar"]["tickvals"])
    assert ticks[0] == 0
    assert np.isin(ticks[ticks < layers], shown).all()
    assert len(set(np.diff(ticks).tolist())) <= 1
    assert len(ticks) <= 12
