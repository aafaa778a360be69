"""What a scan knows after some shards: plain arrays that merge exactly, and the finished numbers that follow from them.

Merging is a sum (sums, counts, histograms), an extreme (largest, smallest, examples of bins), a merge of sorted lists
(contexts), Pébay's formulas for moments (Sandia report 2008-6212), or a sum about the mean of both (sketches). Shards
are merged in the order of their numbers, whoever scanned them, so that even rounding is the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Integer

from neuronscope.index.excerpts import NO_VALUE
from neuronscope.index.half import LARGEST_HALF
from neuronscope.index.layout import BINS
from neuronscope.index.plan import BUCKETS, CONTEXT, KEPT_CONTEXTS, K
from neuronscope.index.tops import NOTHING, unpack
from neuronscope.shrinkage import posterior, random_effects

HIGHEST, LOWEST = 60, 30
"""How many tokens a neuron keeps of those with the highest and with the lowest mean."""
NO_TOKEN = 0xFFFFFFFF

_SUMMED = (
    "absolute", "positive", "case_counts", "histogram", "sums", "slot_counts", "sample", "inputs", "apart_sum",
    "apart_square", "signs",
)  # fmt: skip
_LARGEST = ("largest", "maxima", "apart_largest")
_SMALLEST = ("smallest", "apart_smallest")


@dataclass(eq=False)
class State:
    """Everything accumulated over some shards; neurons of all layers stand one after the other."""

    count: int
    """Tokens that counted."""
    apart: int
    """Special and first tokens, kept apart."""
    arrays: dict[str, np.ndarray]
    """The accumulators by name."""

    def merge(self, other: State) -> None:
        """Take in the next shard."""
        a, b = self.arrays, other.arrays
        before = a["mean"]
        _merge_moments(a, b, self.count, other.count)
        _merge_sketches(a, b, before)
        _merge_contexts(a, b)
        _merge_examples(a, b)
        for name in _SUMMED:
            np.add(a[name], b[name], out=a[name])
        for name in _LARGEST:
            np.maximum(a[name], b[name], out=a[name])
        for name in _SMALLEST:
            np.minimum(a[name], b[name], out=a[name])
        self.count += other.count
        self.apart += other.apart

    @property
    def floors(self) -> Float[np.ndarray, "cases neurons"]:
        """The k-th best so far of every case, as a signed value: nothing below it can enter a list."""
        values, _ = unpack(self.arrays["keys"][:, :, K - 1])
        return np.where(np.isnan(values), -np.inf, values).astype(np.float32).T


def _merge_moments(a: dict[str, np.ndarray], b: dict[str, np.ndarray], na: int, nb: int) -> None:
    n = na + nb
    if not nb:
        return
    d = b["mean"] - a["mean"]
    a2, a3, b2, b3 = a["m2"], a["m3"], b["m2"], b["m3"]
    fourth = a["m4"] + b["m4"] + d**4 * (na * nb * (na * na - na * nb + nb * nb) / n**3)
    fourth += 6 * d**2 * (na * na * b2 + nb * nb * a2) / n**2 + 4 * d * (na * b3 - nb * a3) / n
    third = a3 + b3 + d**3 * (na * nb * (na - nb) / n**2) + 3 * d * (na * b2 - nb * a2) / n
    a["m2"] = a2 + b2 + d**2 * (na * nb / n)
    a["m3"], a["m4"] = third, fourth
    a["mean"] = a["mean"] + d * (nb / n)


def _merge_sketches(a: dict[str, np.ndarray], b: dict[str, np.ndarray], before: Float[np.ndarray, " neurons"]) -> None:
    """Bring both from about their own mean to about the mean of both, and add them; `before` was the mean of `a`."""
    moved_a, moved_b = before - a["mean"], b["mean"] - a["mean"]
    for bucket in range(BUCKETS):  # one at a time: together they are as large as everything else
        moved = moved_a * a["signs"][bucket] + moved_b * b["signs"][bucket]
        a["sketch"][bucket] += b["sketch"][bucket] + moved


def _merge_contexts(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> None:
    keys = torch.from_numpy(np.concatenate([a["keys"], b["keys"]], axis=2))
    best, order = keys.topk(K, dim=2)
    first = order[:, :, :KEPT_CONTEXTS]
    # A context that stands among the first of the merged list stood among the first of its own.
    first = torch.where(first < K, first, first - K + KEPT_CONTEXTS)
    empty = best[:, :, :KEPT_CONTEXTS] == NOTHING
    contexts = torch.from_numpy(np.concatenate([a["contexts"], b["contexts"]], axis=2))
    first = torch.where(empty, 0, first)[..., None].expand(-1, -1, -1, CONTEXT)
    a["contexts"] = contexts.gather(2, first).masked_fill_(empty[..., None], NO_VALUE).numpy()
    a["keys"] = best.numpy()


def _merge_examples(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> None:
    won = b["examples"] < a["examples"]
    a["example_values"][won] = b["example_values"][won]
    np.minimum(a["examples"], b["examples"], out=a["examples"])


def statistics_type() -> np.dtype[np.void]:
    """One neuron's row of `statistics.npy`."""
    wide = "mean variance skewness kurtosis mean_abs mean_square positive".split()
    narrow = "min max token_mean token_within token_between apart_mean apart_rms apart_min apart_max".split()
    fields = [*((name, "<f8") for name in wide), *((name, "<f4") for name in narrow), ("cases", "<f4", (4,))]
    return np.dtype(fields)


def card_type(cases: int) -> np.dtype[np.void]:
    """One neuron's record of `cards.npy`."""
    return np.dtype(
        [
            ("values", "<f4", (cases, K)),
            ("positions", "<u4", (cases, K)),
            ("contexts", "i1", (cases, KEPT_CONTEXTS, CONTEXT)),
            ("histogram", "<u4", (BINS,)),
            ("example_positions", "<u4", (BINS,)),
            ("example_values", "<f2", (BINS,)),
        ]
    )


def token_type() -> np.dtype[np.void]:
    """One entry of a neuron's row of `tokens.npy`."""
    return np.dtype([("id", "<u4"), ("mean", "<f4"), ("max", "<f2")])


def statistics(state: State, effects: dict[str, np.ndarray]) -> np.ndarray:
    """The finished numbers of every neuron; see `statistics_type`. Skewness and kurtosis of a constant are NaN."""
    a, n = state.arrays, max(state.count, 1)
    table = np.zeros(len(a["mean"]), statistics_type())
    variance, constant = a["m2"] / n, _constant(state)
    with np.errstate(divide="ignore", invalid="ignore"):
        table["skewness"] = np.where(constant, np.nan, (a["m3"] / n) / variance**1.5)
        table["kurtosis"] = np.where(constant, np.nan, (a["m4"] / n) / variance**2 - 3)
    table["mean"], table["variance"] = a["mean"], variance
    table["mean_abs"] = a["absolute"] / n
    table["mean_square"] = variance + a["mean"] ** 2
    table["positive"] = a["positive"] / n
    table["min"], table["max"] = a["smallest"], a["largest"]
    for name, values in effects.items():
        table[name] = values
    apart = max(state.apart, 1)
    table["apart_mean"] = a["apart_sum"] / apart
    table["apart_rms"] = np.sqrt(a["apart_square"] / apart)
    table["apart_min"], table["apart_max"] = a["apart_smallest"], a["apart_largest"]
    table["cases"] = a["case_counts"] / n
    return table


def _constant(state: State) -> Bool[np.ndarray, " neurons"]:
    """Neurons that never vary, but for the rounding of their mean."""
    variance = state.arrays["m2"] / max(state.count, 1)
    return variance <= (1e-9 * np.maximum(np.abs(state.arrays["mean"]), 1e-30)) ** 2


def sketches(state: State, *, neurons: int) -> Float[np.ndarray, "units buckets"]:
    """Each neuron's sketch of its standardised activations, with length 1: the dot product of two estimates Pearson r.

    The standard error is at most √((1 + r²) / 512), and less near r = ±1 because the lengths are 1. The standard
    deviation that standardises a neuron is a factor of its row, and goes with the length. A row of zeros stands for a
    neuron that never varies. Worked out `neurons` neurons at a time (one layer).
    """
    whole, constant = state.arrays["sketch"], _constant(state)
    table = np.zeros((len(constant), BUCKETS), np.float16)
    for first in range(0, len(table), neurons):
        layer = slice(first, first + neurons)
        rows = whole[:, layer].T.astype(np.float64)
        length = np.linalg.norm(rows, axis=1)
        varies = ~constant[layer] & (length > 0)
        table[layer][varies] = rows[varies] / length[varies, None]
    return table


def cards(state: State) -> np.ndarray:
    """Contexts, histogram and examples of every neuron; see `card_type`."""
    a = state.arrays
    cases = a["keys"].shape[1]
    table = np.zeros(len(a["keys"]), card_type(cases))
    table["values"], table["positions"] = unpack(a["keys"])
    table["contexts"] = a["contexts"]
    table["histogram"] = a["histogram"]
    seen = a["histogram"] > 0
    table["example_positions"] = np.where(seen, a["examples"] & 0xFFFFFFFF, NO_TOKEN)
    table["example_values"] = np.where(seen, a["example_values"], np.float16(np.nan))
    return table


def tokens_of(
    state: State, ids: Integer[np.ndarray, " slots"], *, neurons: int
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Each neuron's tokens of highest and of lowest empirical-Bayes mean, and the parameters they were ranked with.

    Worked out `neurons` neurons at a time (one layer), so that the table of all tokens is never held twice.
    """
    a = state.arrays
    units = a["sums"].shape[1]
    counts = a["slot_counts"]
    present = np.flatnonzero(counts)
    table = np.zeros((units, HIGHEST + LOWEST), token_type())
    table["id"] = NO_TOKEN
    found = {name: np.zeros(units, np.float32) for name in ("token_mean", "token_within", "token_between")}
    if not len(present):
        return table, found
    n = counts[present]
    for first in range(0, units, neurons):
        layer = slice(first, first + neurons)
        means = a["sums"][present, layer].astype(np.float64) / n[:, None]
        effects = random_effects(n, means, a["mean"][layer], a["m2"][layer] / state.count, state.count)
        ranked = posterior(effects, n[:, None], means).mean
        found["token_mean"][layer], found["token_within"][layer] = effects.mu, effects.within
        found["token_between"][layer] = effects.between
        for places, chosen in _ends(ranked):
            table["id"][layer, places] = ids[present[chosen]].T
            table["mean"][layer, places] = np.take_along_axis(means, chosen, 0).T
            largest = np.take_along_axis(a["maxima"][present, layer], chosen, 0).T
            table["max"][layer, places] = np.clip(largest, -LARGEST_HALF, LARGEST_HALF)
    return table, found


def _ends(
    ranked: Float[np.ndarray, "keys neurons"],
) -> list[tuple[slice, Integer[np.ndarray, "chosen neurons"]]]:
    """Places in the table and the keys that go there: the highest down, and the lowest up where not the same."""
    order = np.argsort(-ranked, axis=0, kind="stable")
    keys = len(order)
    highest, lowest = min(HIGHEST, keys), max(min(LOWEST, keys - HIGHEST), 0)
    ends = [(slice(0, highest), order[:highest])]
    if lowest:
        ends.append((slice(HIGHEST, HIGHEST + lowest), order[::-1][:lowest]))
    return ends
