"""A token's planted neurons come first, of either sign, from lists and from activations alike."""

from __future__ import annotations

import numpy as np
import pytest

from neuronscope.analysis.responders import Background, responders_at, responders_by_token
from neuronscope.errors import InputError
from neuronscope.shrinkage import random_effects

TOKENS, UNITS = 20_000, 12
IDS = np.random.default_rng(0).integers(0, 40, TOKENS)
VALUES = np.random.default_rng(1).normal(0, 1, (TOKENS, UNITS)).astype(np.float32) * np.arange(1, UNITS + 1)
VALUES[IDS == 7, 3] += 40  # ten of its own standard deviations
VALUES[IDS == 7, 11] -= 60  # five, downwards
VALUES[:, 5] = 2.0
COUNTS = np.bincount(IDS, minlength=40)
MEANS = np.stack([np.bincount(IDS, column, 40) for column in VALUES.T], axis=1) / COUNTS[:, None]
MOMENTS = VALUES.mean(0, dtype=np.float64), VALUES.var(0, dtype=np.float64)
BACKGROUND = Background(MOMENTS[0], np.sqrt(MOMENTS[1]), random_effects(COUNTS, MEANS, *MOMENTS, TOKENS), neurons=4)
LISTED = np.argsort(-MEANS.T, axis=1)[:, [0, 1, 2, 37, 38, 39]]


def lists() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = np.arange(UNITS)[:, None]
    maxima = np.array([[VALUES[token == IDS, unit].max() for token in LISTED[unit]] for unit in range(UNITS)])
    return LISTED, MEANS[LISTED, rows].astype(np.float32), maxima.astype(np.float16)


def test_the_planted_neurons_come_first_from_the_lists_alone():
    made = responders_by_token(BACKGROUND, *lists(), token=7, count=int(COUNTS[7]))
    assert made.table[["layer", "neuron", "sign"]].values.tolist()[:2] == [[0, 3, "+"], [2, 3, "-"]]
    assert made.table["count"].unique().tolist() == [COUNTS[7]]
    assert made.known == (LISTED == 7).sum() < made.neurons == UNITS


def test_activations_know_every_neuron_and_agree_with_the_lists():
    made = responders_at(BACKGROUND, VALUES[IDS == 7])
    listed = responders_by_token(BACKGROUND, *lists(), token=7, count=int(COUNTS[7]))
    assert made.known == UNITS
    assert made.table.iloc[0]["mean"] == pytest.approx(listed.table.iloc[0]["mean"], rel=1e-5)
    assert made.table.iloc[0]["max"] == VALUES[IDS == 7, 3].max()
    assert made.table.iloc[1]["max"] == VALUES[IDS == 7, 11].min()
    assert made.table["z"].abs().is_monotonic_decreasing


def test_z_is_counted_in_the_neurons_own_standard_deviations():
    made = responders_at(BACKGROUND, VALUES[IDS == 7]).table.iloc[0]
    expected = (VALUES[IDS == 7, 3].mean() - VALUES[:, 3].mean()) / VALUES[:, 3].std()
    assert made["z"] == pytest.approx(expected, rel=0.01)


def test_a_neuron_that_never_varies_does_not_respond():
    table = responders_at(BACKGROUND, VALUES[IDS == 7]).table
    assert not ((table["layer"] == 1) & (table["neuron"] == 1)).any()


def test_each_sign_has_its_own_limit():
    table = responders_at(BACKGROUND, VALUES[IDS == 7], limit=1).table
    assert table["sign"].tolist() == ["+", "-"]


def test_a_token_nobody_lists_is_an_empty_table_and_no_occurrence_is_refused():
    assert responders_by_token(BACKGROUND, *lists(), token=999, count=3).table.empty
    with pytest.raises(InputError, match="does not occur"):
        responders_at(BACKGROUND, VALUES[:0])
