"""Statistics are what scipy and plain float64 formulas say, over the tokens that count."""

from __future__ import annotations

import numpy as np
import pytest

from neuronscope.analysis.statistics import layer_statistics, neuron_statistics
from tests.analysis.test_ranking import activations


def test_layer_statistics_are_the_plain_formulas_without_the_first_token() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(2, 40, 6)).astype(np.float32)
    values[0, :, 2] = -0.1
    values[:, 0] = 3000
    table = layer_statistics(activations(values)).table.set_index("layer")
    counted = values[0, 1:].astype(np.float64)
    row = table.loc[0]
    assert row["mean"] == pytest.approx(counted.mean(), rel=1e-12)
    assert row["std"] == pytest.approx(counted.std(), rel=1e-12)
    assert row["mean_abs"] == pytest.approx(np.abs(counted).mean(), rel=1e-12)
    assert (row["min"], row["max"]) == (counted.min(), counted.max())
    assert row["active"] == pytest.approx((counted > 0).mean())
    treves_rolls = (np.abs(counted).mean(0) ** 2 / (counted**2).mean(0)).mean()
    assert row["sparsity"] == pytest.approx(treves_rolls, rel=1e-12)
    assert (row["silent"], row["constant"], row["tokens"], row["neurons"]) == (1, 1, 39, 6)


def test_sums_run_in_float64() -> None:
    values = np.full((1, 3001, 1), 300, np.float32)
    values[0, ::2] += 1e-3
    counted = values[0, 1:, 0].astype(np.float64)
    assert layer_statistics(activations(values)).table["std"][0] == pytest.approx(counted.std(), rel=1e-9)


def test_a_neuron_s_peak_is_its_true_position() -> None:
    values = np.array([99, 1, -7, 2, 0], np.float32)
    found = neuron_statistics(values, np.array([False, True, True, True, True]))
    assert (found.peak, found.min, found.max, found.tokens) == (2, -7, 2, 4)
    assert found.active == 0.5
    assert found.mean == -1
