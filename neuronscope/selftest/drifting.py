"""Claims about drift: nothing drifts where nothing changed, what was changed does, and by as much as is reported."""

from __future__ import annotations

import numpy as np

from neuronscope.selftest.bench import Bench, Check, close, equal
from neuronscope.selftest.changing import CHANGED


def only_changed_neurons_drift(bench: Bench) -> Check:
    """Compare the hand-built GPT-2 with itself, and with a copy in which a few neurons' weights were changed."""
    drift, expected = bench.drift, sorted(CHANGED)
    same, changed = drift.records(1), drift.records(2)
    still = [int(row) for row in np.flatnonzero(same["drift"] != 0)]
    moved = [int(row) for row in np.flatnonzero(changed["drift"] != 0)]
    weights = drift.reweighted(2)
    said = f"same: {_named(still)}; changed: {_named(moved)}, their weights: {_named(np.flatnonzero(weights).tolist())}"
    truth = f"same: {_named([])}; changed: {_named(expected)}, their weights: {_named(expected)}"
    return equal("Neurons drift where something was changed, and nowhere else", truth, said)


def drift_is_one_minus_concordance(bench: Bench) -> Check:
    """Work D of every neuron out again from all activations of both models, and its three parts."""
    a, b = (
        np.concatenate([one.values[0, 1:] for one in scope.activations(bench.texts)]).astype(np.float64)
        for scope in bench.series
    )
    found = bench.drift.records(2)
    location, scale = (b.mean(0) - a.mean(0)) ** 2, (b.std(0) - a.std(0)) ** 2
    covariance = ((a - a.mean(0)) * (b - b.mean(0))).mean(0)
    whole = a.var(0) + b.var(0) + location
    parts = np.stack([location, scale, 2 * (a.std(0) * b.std(0) - covariance)]) / np.where(whole > 0, whole, np.inf)
    off = [np.abs(found[name] - part).max() for name, part in zip(_PARTS, parts, strict=True)]
    off.append(np.abs(found["drift"] - parts.sum(0)).max())
    return close("Drift is 1 - CCC, split into location, scale and selectivity", float(max(off)), 1e-3)


_PARTS = ("location", "scale", "selectivity")


def _named(rows: list[int]) -> str:
    return ", ".join(f"L0.N{row}" for row in rows) or "none"
