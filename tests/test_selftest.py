"""The selftest holds on a right engine and cannot hold on a wrong one: each tampering here makes it fail."""

from __future__ import annotations

import dataclasses
import functools
import importlib

import jaxtyping
import numpy as np
import pytest
import torch

from neuronscope import selftest
from neuronscope.analysis import drift as drifting_measures
from neuronscope.analysis import projection, statistics
from neuronscope.analysis.reverse_query import asking
from neuronscope.engine import capture as capturing
from neuronscope.engine import directions
from neuronscope.engine import weights as weighing
from neuronscope.engine.contributions import Reading
from neuronscope.index import build as building
from neuronscope.index import measure as measuring
from neuronscope.index import on_cpu
from neuronscope.index import scan as scanning
from neuronscope.models.catalogue import demo_folder
from neuronscope.selftest import CHECKS, drifting, explaining, grouping, indexing, reading
from neuronscope.selftest.bench import bench, close, distance, equal
from neuronscope.series import weights as series_weights
from neuronscope.vocabulary import Site, Tokens

QUICK = tuple(check for check in CHECKS if check is not reading.demo_models_are_read_as_transformers_runs_them)
REAL = capturing.capture


def failed(*names):
    """The names of the checks that do not hold, among those named or all quick ones.

    Shapes are not checked meanwhile, which halves the time; they are where every claim is put to the test.
    """
    checks = [check for check in QUICK if check.__name__ in names or not names]
    assert len(checks) == (len(names) or len(QUICK))
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        report = selftest.run(checks)
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)
    return {check.__name__ for check, done in zip(checks, report.checks, strict=True) if not done.passed}


def test_every_claim_holds_on_the_models_of_known_truth():
    report = selftest.run(QUICK)
    assert [check for check in report.checks if not check.passed] == []
    assert report.passed
    assert len(report.checks) == len(QUICK) >= 17
    assert len({check.claim for check in report.checks}) == len(QUICK)


@pytest.mark.skipif(not demo_folder("demo:stories").is_dir(), reason="needs the demo models' weights")
def test_demo_models_are_read_as_transformers_runs_them():
    assert selftest.run([reading.demo_models_are_read_as_transformers_runs_them]).passed


def test_one_claim_that_does_not_hold_fails_the_report():
    good, bad = equal("one", "1", "1"), equal("two", "2", "3")
    assert selftest.run([lambda _: good]).passed
    assert not selftest.run([lambda _: good, lambda _: bad]).passed


def test_nothing_is_close_to_not_a_number():
    assert close("exact", 0.0, 1e-5).passed
    assert not close("off", 2e-5, 1e-5).passed
    assert not close("not a number", float("nan"), 1e-5).passed
    assert np.isnan(distance([np.nan, 1.0], [1.0, 1.0]))
    assert distance([1.0], [1.0, 1.0]) == float("inf")


def test_every_check_is_listed_once():
    written = {
        value
        for module in (reading, explaining, indexing, grouping, drifting)
        for name, value in vars(module).items()
        if name[0] != "_" and callable(value) and getattr(value, "__module__", "") == module.__name__
    }
    assert written == set(CHECKS)
    assert len(CHECKS) == len(written)


def test_the_selftest_leaves_nothing_behind(own_home):
    with bench() as models:
        folder = models.workspace.settings.cache_folder
        assert folder.exists()
    assert not folder.exists()
    assert list(own_home.iterdir()) == []


def tampered(change):
    """A capture whose results go through `change(site, values, of)`; `of` reads another site of the same text."""

    def capture(model, texts, sites=(Site.NEURONS,), **options):
        texts, sites = list(texts), [Site.of(site) for site in sites]

        @functools.cache
        def read(site):
            if site not in model.card.sites:
                raise KeyError(site)
            return [one[site] for one in REAL(model, texts, sites=[site], **options)]

        def changed(site, i):
            values = change(site, read(site)[i].values, lambda other: read(other)[i].values)
            return dataclasses.replace(read(site)[i], values=values)

        return [{site: changed(site, i) for site in sites} for i in range(len(texts))]

    return capture


def without_up(site, values, of):
    try:
        gate = of(Site.GATE)
    except KeyError:
        return values
    return gate / (1 + np.exp(-gate)) if site is Site.NEURONS else values


def swapped(site, values, of):
    try:
        return {Site.GATE: of(Site.UP), Site.UP: of(Site.GATE)}.get(site, values)
    except KeyError:
        return values


def one_token_late(site, values, of):
    return np.roll(values, 1, axis=1)


def neighbouring_neuron(site, values, of):
    return np.roll(values, 1, axis=2)


def before_the_activation(site, values, of):
    return of(Site.UP) if site is Site.NEURONS else values


def rounded_to_half(site, values, of):
    return values.astype(np.float16).astype(np.float32)


@pytest.mark.parametrize(
    ("change", "caught_by"),
    [
        (without_up, "gated_neurons_are_gate_times_up"),
        (swapped, "gate_and_up_are_what_the_projections_give"),
        (one_token_late, "planted_neurons_fire_by_their_rules"),
        (one_token_late, "attention_reads_the_word_before"),
        (neighbouring_neuron, "planted_neurons_fire_by_their_rules"),
        (before_the_activation, "gated_neurons_are_gate_times_up"),
        (rounded_to_half, "gate_and_up_are_what_the_projections_give"),
    ],
)
def test_a_wrong_capture_is_caught(monkeypatch, change, caught_by):
    monkeypatch.setattr(capturing, "capture", tampered(change))
    assert failed(caught_by) == {caught_by}


def test_a_harmless_capture_is_not_accused(monkeypatch):
    monkeypatch.setattr(capturing, "capture", tampered(lambda site, values, of: values))
    assert failed() == set()


def test_counting_the_first_token_is_caught(monkeypatch):
    caught_by = {"first_token_and_special_ones_do_not_count", "statistics_are_those_of_the_kept_tokens"}
    monkeypatch.setattr(Tokens, "kept", property(lambda tokens: np.ones(len(tokens), dtype=bool)))
    assert failed(*caught_by) == caught_by


def test_statistics_of_something_else_are_caught(monkeypatch):
    def of_absolute_values(activations):
        return statistics.layer_statistics(dataclasses.replace(activations, values=np.abs(activations.values)))

    monkeypatch.setattr(reading, "layer_statistics", of_absolute_values)
    assert failed("statistics_are_those_of_the_kept_tokens")


def test_forgetting_the_norms_gain_is_caught(monkeypatch):
    caught_by = {
        "weights_tell_what_neurons_read",
        "weights_tell_what_neurons_write",
        "direct_effects_and_the_rest_make_the_logit",
    }
    monkeypatch.setattr(directions, "folded", lambda model, rows, norm: rows - rows.mean(-1, keepdim=True))
    assert failed(*caught_by) == caught_by


def test_forgetting_the_norms_centring_is_caught(monkeypatch):
    monkeypatch.setattr(directions, "folded", lambda model, rows, norm: rows * norm.weight.detach())
    assert failed("direct_effects_and_the_rest_make_the_logit")


def test_forgetting_the_norms_own_bias_is_caught(monkeypatch):
    def unfolded(model, layer):
        return model.in_block(layer, "mlp.c_fc").bias.detach().numpy()

    monkeypatch.setattr(weighing, "read_biases", unfolded)
    assert failed("biases_hold_the_norms_share")


def test_effects_of_another_size_or_another_neuron_are_caught(monkeypatch):
    real = weighing.direct_effects
    for change, caught_by in (
        (lambda values: values * 1.01, "direct_effects_and_the_rest_make_the_logit"),
        (lambda values: values[:, ::-1], "the_promoting_neuron_decides_the_prediction"),
    ):

        def changed(*asked, change=change, **how):
            effects = real(*asked, **how)
            return dataclasses.replace(effects, values=change(effects.values))

        monkeypatch.setattr(weighing, "direct_effects", changed)
        assert failed(caught_by)


def test_positions_that_count_padding_are_caught(monkeypatch):
    def without_positions(model, ids, mask):
        with torch.inference_mode():
            return model.base(input_ids=ids, attention_mask=mask.long(), use_cache=False)

    monkeypatch.setattr(capturing, "capture", functools.partial(REAL, padding="left"))
    assert not failed("texts_are_the_same_alone_and_together")
    monkeypatch.setattr(capturing, "forward", without_positions)
    assert failed("texts_are_the_same_alone_and_together")


MOMENTS = "moments_of_an_index_are_those_of_every_activation"
CONTEXTS = "strongest_contexts_are_the_strongest_of_all"
PLANTED = "reverse_queries_find_what_was_planted"
DEAD = "a_dead_neuron_is_said_to_be_dead"


@pytest.mark.parametrize(
    ("change", "caught_by"),
    [
        (lambda values: torch.roll(values, 1, 1), {MOMENTS, CONTEXTS, PLANTED}),
        (lambda values: torch.roll(values, 1, 2), {MOMENTS, CONTEXTS, PLANTED, DEAD}),
        (lambda values: values.half().float(), {MOMENTS, CONTEXTS}),
        (lambda values: values, set()),
    ],
    ids=["one token late", "neighbouring neuron", "rounded to half", "nothing"],
)
def test_a_wrong_scan_is_caught(monkeypatch, change, caught_by):
    real = scanning.run

    def run(model, ids, real_places, sites, layers, see):
        def changed(site, place):
            keep = see(site, place)
            return lambda values: keep(change(values))

        return real(model, ids, real_places, sites, layers, changed)

    monkeypatch.setattr(scanning, "run", run)
    assert failed(MOMENTS, CONTEXTS, PLANTED, DEAD) == caught_by


def test_moments_of_another_kind_are_caught(monkeypatch):
    real = building.statistics

    def of_a_sample(state, effects):
        table = real(state, effects)
        table["variance"] *= state.count / (state.count - 1)
        return table

    monkeypatch.setattr(building, "statistics", of_a_sample)
    assert failed(MOMENTS, CONTEXTS, DEAD) == {MOMENTS}


def test_weaker_contexts_than_there_are_are_caught(monkeypatch):
    real = building.cards

    def without_the_strongest(state):
        table = real(state)
        for name in ("values", "positions"):
            table[name][..., :-1] = table[name][..., 1:].copy()
        return table

    monkeypatch.setattr(building, "cards", without_the_strongest)
    assert failed(MOMENTS, CONTEXTS) == {CONTEXTS}


def test_a_sign_that_is_forgotten_is_caught(monkeypatch):
    monkeypatch.setattr(asking, "_negated", lambda evidence: evidence)
    assert failed(PLANTED) == {PLANTED}


def test_measurements_of_other_places_are_caught(monkeypatch):
    real = measuring.measure
    monkeypatch.setattr(measuring, "measure", lambda *asked: np.roll(real(*asked), 1, axis=0))
    assert failed(PLANTED) == {PLANTED}


SENSES, SILENT = "senses_are_as_many_as_were_planted", "silent_and_steady_neurons_are_not_scored"
TWINS, ALIKE = "copies_are_alike_and_stand_together", "correlations_are_those_of_all_activations"
AXES = "principal_components_are_exact"


@pytest.mark.parametrize(
    ("name", "change", "caught_by"),
    [
        ("SENSE_SHARE", 0.6, {SENSES}),
        ("DENSE", 1.0, {SILENT}),
        ("CUT_QUANTILE", 0.9, set()),
    ],
    ids=["small senses do not count", "what is always on is scored", "nothing"],
)
def test_senses_that_are_counted_wrong_are_caught(monkeypatch, name, change, caught_by):
    home = importlib.import_module("neuronscope.analysis.polysemanticity.senses")  # `senses` in it has its name
    monkeypatch.setattr(home, name, change)
    assert failed(SENSES, SILENT) == caught_by


def test_contributions_of_another_neuron_are_caught(monkeypatch):
    real = Reading.contributions
    monkeypatch.setattr(Reading, "contributions", lambda self, x, centre, neuron: real(self, x, centre, neuron ^ 1))
    assert failed(SENSES, SILENT) == {SENSES}


def test_sketches_of_other_neurons_are_caught(monkeypatch):
    real = building.sketches

    def one_row_late(state, *, neurons):
        return np.roll(real(state, neurons=neurons), 1, axis=0)

    monkeypatch.setattr(building, "sketches", one_row_late)
    assert failed(ALIKE, TWINS, AXES) >= {ALIKE}


def test_axes_that_are_no_principal_components_are_caught(monkeypatch):
    real = projection.principal_components

    def turned(vectors, count):
        scores, explained = real(vectors, count)
        scores[:, 0] += scores[:, 1]
        return scores, explained

    monkeypatch.setattr(projection, "principal_components", turned)
    assert failed(ALIKE, TWINS, AXES) == {AXES}


def test_a_map_of_shuffled_neurons_is_caught(monkeypatch):
    real = projection.principal_components
    monkeypatch.setattr(
        projection, "principal_components", lambda *asked: (real(*asked)[0][::-1].copy(), real(*asked)[1])
    )
    assert failed(TWINS, AXES) == {TWINS, AXES}


ALONE, CONCORDANCE = "only_changed_neurons_drift", "drift_is_one_minus_concordance"


def test_a_base_that_is_one_token_late_is_caught(monkeypatch):
    real = on_cpu.differences

    def late(values, base, *rest, writes):
        real(values, base if writes else base.roll(1, 0), *rest, writes=writes)

    monkeypatch.setattr(on_cpu, "differences", late)
    assert failed(ALONE, CONCORDANCE) == {ALONE, CONCORDANCE}


def test_a_drift_that_sees_no_shifts_is_caught(monkeypatch):
    real = drifting_measures.whole

    def blind(counts, sums):
        found = real(counts, sums)
        return dataclasses.replace(found, drift=found.drift - found.location, location=np.zeros_like(found.location))

    monkeypatch.setattr(drifting_measures, "whole", blind)
    assert failed(ALONE, CONCORDANCE) == {CONCORDANCE}


def test_weights_of_the_neighbour_are_caught(monkeypatch):
    real = series_weights.moved

    def neighbours(*asked):
        found = real(*asked)
        return dataclasses.replace(found, weights=np.roll(found.weights, 1, 0))

    monkeypatch.setattr(series_weights, "moved", neighbours)
    assert failed(ALONE, CONCORDANCE) == {ALONE}
