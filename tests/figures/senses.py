"""Records of neurons whose senses are known, for what draws them or lists them."""

from __future__ import annotations

import numpy as np

from neuronscope.analysis.polysemanticity import RECORD, VERDICTS, Polysemanticity

TOKENS = 1000
"""Tokens of the corpus; the id of the token at each position is its place modulo 10."""


def planted(
    clusters: tuple[int, ...] = (60, 30, 10), layer: int = 0, neuron: int = 0, *, sign: int = 1, confirmed: bool = True
) -> np.ndarray:
    """One record with so many contexts in each cluster, all equally strong; context i of cluster k is on token k."""
    record = np.zeros(1, RECORD)
    n = sum(clusters)
    share = np.array(clusters) / n
    record["layer"], record["neuron"], record["sign"], record["verdict"] = layer, neuron, sign, 0
    record["effective"] = np.exp(-(share * np.log(share)).sum())
    record["modes"], record["confirmed"] = (share >= 0.1).sum(), confirmed
    record["half_a"] = record["half_b"] = record["effective"]
    record["contexts"], record["strong"], record["cut"] = n, 3 * n, 0.25
    labels = np.repeat(np.arange(len(clusters)), clusters)
    record["labels"][0, :n] = labels
    record["positions"][0, :n] = 20 + 10 * np.arange(n) % 900 + labels % 10
    record["values"][0, :n] = sign
    record["points"][0, :n, 0], record["points"][0, :n, 1] = labels, np.arange(n) / n
    record["separations"] = np.nan
    record["separations"][0, : len(clusters)] = 0.5
    return record


def unscored(verdict: str, layer: int = 0, neuron: int = 0, strong: int = 3) -> np.ndarray:
    """One record of a neuron that could not be scored."""
    record = np.zeros(1, RECORD)
    record["layer"], record["neuron"], record["sign"], record["strong"] = layer, neuron, 1, strong
    record["verdict"] = VERDICTS.index(verdict)
    record["half_a"] = record["half_b"] = np.nan
    return record


def survey(*records: np.ndarray, shown: dict[int, str] | None = None) -> Polysemanticity:
    """A survey of these records over a corpus of ten tokens, called `t0` to `t9` unless they are named."""
    names = shown or {token: f"t{token}" for token in range(10)}
    return Polysemanticity(np.concatenate(records), TOKENS, names, np.arange(TOKENS) % 10)
