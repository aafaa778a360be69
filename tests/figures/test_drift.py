"""Drift as drawn: what the figures show is what was done to the checkpoints, beside the noise floor and the control."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuronscope import figures
from neuronscope.errors import InputError, NoSuchNeuron
from neuronscope.figures import (
    DARK,
    DRIFT_MEASURES,
    LIGHT,
    drift_course,
    drift_course_table,
    drift_events,
    drift_events_table,
    drift_layers,
    drift_losses,
    drift_losses_table,
    drift_map,
    drift_map_table,
    drift_neuron,
    drift_neuron_table,
    drift_pairs,
    drift_pairs_table,
    drift_parts,
    drift_tokens,
    drift_tokens_table,
)
from neuronscope.series import Drift
from neuronscope.vocabulary import Neuron
from tests.drifts_for_tests import DIED, MOVED, SWAPPED
from tests.figures.texts import drawn

ALL = [name for name in figures.ALL if name.startswith("drift_") and name != "drift_text"]
MORE = {
    "drift_course": ([MOVED, DIED],),
    "drift_map": ("step-2",),
    "drift_neuron": (MOVED, "step-2"),
    "drift_pairs": (MOVED, "step-2"),
    "drift_parts": ("step-2",),
    "drift_tokens": (MOVED, "step-2"),
}


def draw(name: str, drift: Drift, mode: str = "light"):
    return getattr(figures, name)(drift, *MORE.get(name, ()), mode=mode)


def without_control(drift: Drift) -> Drift:
    kept = tuple(one for one in drift.manifest.checkpoints if one.place != "control")
    return Drift(drift.folder, replace(drift.manifest, checkpoints=kept))


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("name", ALL)
def test_every_figure_says_what_it_is_of_and_what_drift_must_be_told_from(drift, name, mode):
    figure = draw(name, drift, mode)
    meta = figure.layout.meta
    assert meta["kind"] == name
    assert (meta["model"], meta["precision"]) == (drift.source.model, "float32")
    assert meta["checkpoints"] == ["base", "step-1", "step-2"]
    assert meta["noise_floor"]["against"] == drift.noise_floor.against
    said = " ".join(meta["notes"])
    assert "noise floor D 0.0" in said
    assert "control: even" in said
    assert f"{drift.manifest.tokens:,} tokens" in meta["subtitle"]
    own, other = (LIGHT, DARK) if mode == "light" else (DARK, LIGHT)
    text = figure.to_json()
    assert own.muted in text
    assert other.muted not in text
    bare = draw(name, without_control(drift))
    assert "no control: includes generic drift" in bare.layout.meta["notes"]
    assert "control: even" not in bare.to_json()


def test_layers_are_drawn_with_the_base_first_and_what_drifted_most_the_darkest(drift):
    figure = drift_layers(drift, checkpoint="step-2")
    cells = np.asarray(figure.data[0].z)
    table = drift.layers.pivot(index="layer", columns="checkpoint", values="drift")[["base", "step-1", "step-2"]]
    assert cells == pytest.approx(table.to_numpy(), rel=1e-5)
    assert (cells[:, 0] == 0).all()
    assert np.unravel_index(cells.argmax(), cells.shape) == (SWAPPED[0].layer, 2)
    assert figure.layout.shapes[0].x0 == 1.5
    assert list(figure.layout.xaxis51.ticktext) == ["base", "step-1", "step-2"]


@pytest.mark.parametrize("measure", DRIFT_MEASURES)
def test_every_measure_of_layers_is_drawn_as_it_is_in_the_table(drift, measure):
    figure = drift_layers(drift, measure)
    shown = np.asarray(figure.data[0].customdata)
    assert shown.T.ravel() == pytest.approx(drift.layers[measure].to_numpy(), rel=1e-5)
    assert figure.layout.title.text == DRIFT_MEASURES[measure].title


def test_a_scale_of_similarity_is_paper_at_one_and_says_what_one_means(drift):
    trace = drift_layers(drift, "cka").data[0]
    assert np.asarray(trace.z)[:, 0] == pytest.approx(0)
    assert (trace.colorbar.ticktext[0], trace.colorscale[0][1]) == ("1", LIGHT.paper)
    assert "1: the same up to rotation and scale" in " ".join(drift_layers(drift, "cka").layout.meta["notes"])
    least = drift.layers["cka"].min()
    assert trace.colorbar.ticktext[-1] == f"{least:.3g}"


def test_an_unknown_measure_is_told_and_an_excess_needs_a_control(drift):
    with pytest.raises(InputError, match="choose one of drift, median, above"):
        drift_layers(drift, "size")
    assert "There is no control" in drift_layers(without_control(drift), "excess").layout.annotations[0].text


def test_losses_stand_with_two_errors_of_their_difference_and_the_control_beside_them(drift):
    table = drift_losses_table(drift)
    assert table["checkpoint"].tolist() == ["base", "step-1", "step-2", "even"]
    assert table["difference"].iloc[2] == pytest.approx(drift.checkpoints[2].loss - drift.checkpoints[0].loss)
    series, control = drift_losses(drift).data[:2]
    assert list(series.x) == [0, 1, 2]
    assert list(control.x) == [3]
    assert control.y[0] == pytest.approx(drift.control.loss)
    assert series.error_y.array[2] == pytest.approx(2 * drift.checkpoints[2].loss_error)


def test_a_model_that_predicts_nothing_has_no_losses_to_draw(drift):
    silent = tuple(replace(one, loss=None, loss_error=None) for one in drift.manifest.checkpoints)
    figure = drift_losses(Drift(drift.folder, replace(drift.manifest, checkpoints=silent)))
    assert "predicts no next token" in figure.layout.annotations[0].text


def test_a_course_begins_at_nothing_and_grows_with_what_was_done(drift):
    table = drift_course_table(drift, [MOVED])
    assert table["checkpoint"].tolist() == ["base", "step-1", "step-2", "even"]
    d = table["drift"].tolist()
    assert d[0] == 0 < d[3] < d[1] < d[2]
    figure = drift_course(drift, [MOVED, DIED], checkpoint=2)
    lines = [trace for trace in figure.data if trace.mode == "lines+markers"]
    assert [trace.name for trace in lines] == [str(MOVED), str(DIED)]
    assert lines[0].y == pytest.approx(np.float32(d[:3]))
    assert lines[0].error_y.array == pytest.approx(np.float32(table["high"] - table["drift"])[:3], abs=1e-6)
    floor = max(float(drift.records(2)["floor"][drift.row(one)]) for one in (MOVED, DIED))
    assert [shape.y0 for shape in figure.layout.shapes if shape.y0 == shape.y1] == [pytest.approx(floor)]


def test_too_many_courses_none_at_all_and_strange_neurons_are_told(drift):
    with pytest.raises(InputError, match="name at most 12"):
        drift_course(drift, [Neuron(0, i) for i in range(13)])
    with pytest.raises(NoSuchNeuron):
        drift_course(drift, Neuron(9, 0))
    assert "No neuron was named" in drift_course(drift, []).layout.annotations[0].text


def test_both_histograms_share_their_bins_and_hold_every_sampled_token(drift):
    table = drift_neuron_table(drift, MOVED, "step-2")
    before, after = drift.paired(MOVED, "step-2")
    assert table["before"].sum() == table["after"].sum() == len(before)
    centre = (table["low"] + table["high"]) / 2
    width = (table["high"] - table["low"]).max()
    for counts, values in ((table["before"], before), (table["after"], after)):
        assert (centre * counts).sum() / counts.sum() == pytest.approx(values.mean(), abs=width)
    bars, steps = drift_neuron(drift, MOVED, "step-2").data[:2]
    assert list(bars.y) == table["before"].tolist()
    assert list(steps.y[:-1]) == [max(count, 0.5) for count in table["after"]]


def test_pairs_show_each_sampled_token_and_a_swapped_neuron_leaves_the_line(drift):
    figure = drift_pairs(drift, MOVED, "step-2")
    line, points = figure.data[:2]
    assert list(line.x) == list(line.y)
    before, after = drift.paired(MOVED, "step-2")
    assert np.array_equal(points.x, before)
    assert np.array_equal(points.y, after)
    assert f"{len(before):,} of {drift.manifest.tokens:,} tokens" in figure.layout.meta["subtitle"]
    table = drift_pairs_table(drift, MOVED, "step-2")
    assert np.array_equal(drift.corpus.ids[table["position"]], [drift.corpus.ids[i] for i in table["position"]])
    assert (table["after"] > table["before"]).mean() > 0.99
    assert drift_pairs(drift, MOVED, "step-2", webgl=False).data[1].type == "scatter"


def test_hostile_tokens_are_text_wherever_they_are_named(drift):
    for figure in (drift_tokens(drift, SWAPPED[0], "step-2"), drift_pairs(drift, MOVED, "step-2")):
        sent = figure.to_json().replace("\\u003c", "<").replace("\\u003e", ">")
        assert "<script>alert" not in sent
        assert "$x^2$" not in sent
    said = "".join(drift_pairs(drift, MOVED, 2).data[1].customdata)
    assert "&lt;script&gt;alert(1)" in said
    assert "&amp;amp;" in said


def test_tokens_that_are_in_one_list_alone_are_gained_or_lost(drift):
    table = drift_tokens_table(drift, SWAPPED[0], "step-2")
    had, has = (list(drift.token_means(SWAPPED[0], one)) for one in (0, 2))
    assert table["before"].notna().sum() == len(had) == 20
    assert (table["fate"] == "gained").sum() == len(set(has) - set(had)) > 0
    assert (table["fate"] == "lost").sum() == len(set(had) - set(has)) > 0
    other = list(drift.token_means(SWAPPED[1], 0))
    assert len(set(has) & set(other)) > len(set(has) & set(had)), "it has the tokens of the neuron it was swapped with"
    figure = drift_tokens(drift, SWAPPED[0], "step-2")
    lost = next(trace for trace in figure.data if trace.name == "lost")
    there = np.isfinite(lost.y)
    assert set(lost.x[there]) == {0}
    assert there.sum() == len(set(had) - set(has))
    same = drift_tokens_table(drift, SWAPPED[0], 0)
    assert (same["before"] == same["after"]).all()


def test_the_other_side_of_zero_has_tokens_of_its_own(drift):
    figure = drift_tokens(drift, MOVED, "step-2", "-")
    assert figure.layout.meta["sign"] == "-"
    assert "below zero" in figure.layout.title.text
    assert (
        drift_tokens_table(drift, MOVED, 2, "-")["token"].tolist()
        != drift_tokens_table(drift, MOVED, 2)["token"].tolist()
    )


def test_parts_stand_nearest_the_corner_of_what_was_done(drift):
    figure = drift_parts(drift, "step-2", count=10)
    rows = {}
    for trace in figure.data:
        for a, b, c, row in zip(trace.a, trace.b, trace.c, trace.customdata, strict=True):
            assert a + b + c == pytest.approx(1, abs=1e-5)
            rows[Neuron(int(row[0]), int(row[1]))] = trace.name
    assert len(rows) == 10
    assert rows[MOVED] == "mostly location"
    assert [rows[one] for one in SWAPPED] == ["mostly selectivity"] * 2
    assert "No neuron is above the noise floor" in drift_parts(drift, "base").layout.annotations[0].text


def test_who_died_and_who_was_swapped_is_counted_where_it_happened(drift):
    table = drift_events_table(drift).set_index("checkpoint")
    assert table.loc["base", ["born", "died", "swapped", "taken over"]].sum() == 0
    assert (table["alive"] + table["dead"] == drift.units).all()
    assert table.loc["step-1", "swapped"] == 0
    assert table.loc["step-2", "swapped"] == 2
    assert table.loc["step-2", "died"] >= 1
    bars = {trace.name: list(trace.y) for trace in drift_events(drift).data if trace.type == "bar"}
    assert bars["swapped"] == [0, 0, 2]


def test_the_map_stands_still_and_its_trails_lead_from_the_base_to_the_neurons_that_drifted_most(drift):
    points, table = drift.trajectories().points, drift_map_table(drift, "step-2")
    assert len(table) == drift.units
    assert table[["x", "y"]].to_numpy() == pytest.approx(points[2], nan_ok=True)
    figures = [drift_map(drift, number, movers=4) for number in range(3)]
    assert len({(figure.layout.xaxis.range, figure.layout.yaxis.range) for figure in figures}) == 1
    names = [one["text"] for one in drawn(figures[2])["layout"]["annotations"] if one["text"].startswith("L")]
    assert names[:4] == [f"L{row.layer}.N{row.neuron}" for row in drift.rows(2).head(4).itertuples()]
    trail = next(trace for trace in figures[2].data if trace.name == "trails")
    row = drift.row(Neuron(*(int(n) for n in drift.rows(2)[["layer", "neuron"]].iloc[0])))
    assert np.stack([trail.x, trail.y], 1)[:3] == pytest.approx(points[:, row])
    assert not any(trace.name == "trails" and len(trace.x) for trace in figures[0].data)


def test_the_chosen_neuron_is_named_on_the_map_and_the_control_is_not_a_place_on_it(drift):
    quiet = Neuron(0, 0)
    named = [one.text for one in drift_map(drift, 2, movers=2, chosen=quiet, webgl=False).layout.annotations]
    assert str(quiet) in named
    with pytest.raises(InputError, match="beside the series"):
        drift_map(drift, "even")
