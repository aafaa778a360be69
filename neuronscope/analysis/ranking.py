"""Which neurons to show first: a stated rule to choose them by, and a stated order to show them in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Int

from neuronscope.errors import InputError

Rule = Literal["peak", "variance", "selectivity", "index"]
Order = Literal["token", "rule"]

RULES: dict[Rule, str] = {
    "peak": "largest |activation| on any token",
    "variance": "largest variance over the tokens",
    "selectivity": "strongest where it is strongest, compared with its own mean and spread over the tokens",
    "index": "number in the layer",
}
"""What each rule means, as a person would say it."""


@dataclass(frozen=True, eq=False)
class Ranking:
    """Neurons chosen by a rule and put in an order."""

    neurons: Int[np.ndarray, " shown"]
    """True numbers of the neurons, in the order to show them."""
    peaks_at: Int[np.ndarray, " shown"]
    """The token position where each is strongest, by |activation| among the tokens that count."""
    score: Float[np.ndarray, " shown"]
    """What the rule gives each; for `index` the peak."""
    rule: Rule
    """How they were chosen."""
    order: Order
    """How they are ordered: by the token they fire on, or by the rule itself."""
    total: int
    """How many neurons they were chosen from."""


def rank(
    values: Float[np.ndarray, "tokens neurons"],
    kept: Bool[np.ndarray, " tokens"],
    *,
    rule: Rule = "peak",
    count: int | None = 64,
    order: Order = "token",
) -> Ranking:
    """Choose `count` neurons (all of them for None) by `rule`, over the kept tokens.

    Where no token is kept, all of them count. Ties go to the lower neuron number. `selectivity` is the z-score of the
    peak, `max |a - mean| / sd` over the kept tokens; constant neurons score 0.

    Raises:
        InputError: for a rule that does not exist.
    """
    if rule not in get_args(Rule):
        raise InputError(f"No rule {rule!r}: choose one of {', '.join(RULES)}.")
    positions = np.flatnonzero(kept) if kept.any() else np.arange(len(values))
    counted = values[positions]
    peaks_at = positions[np.abs(counted).argmax(0)]
    score = _score(counted, rule)
    chosen = np.arange(len(score)) if rule == "index" else np.argsort(-score, kind="stable")
    chosen = chosen[:count]
    if order == "token":
        strength = -np.abs(values[peaks_at[chosen], chosen])
        chosen = chosen[np.lexsort((strength, peaks_at[chosen]))]
    return Ranking(chosen, peaks_at[chosen], score[chosen], rule, order, values.shape[1])


def _score(counted: Float[np.ndarray, "kept neurons"], rule: Rule) -> Float[np.ndarray, " neurons"]:
    if rule == "variance":
        return counted.var(0, dtype=np.float64)
    if rule == "selectivity":
        return np.abs(z_scores(counted)).max(0)
    return np.abs(counted).max(0).astype(np.float64)


def z_scores(counted: Float[np.ndarray, "kept neurons"]) -> Float[np.ndarray, "kept neurons"]:
    """Each activation in standard deviations from its neuron's mean over these tokens; 0 for constant neurons."""
    mean = counted.mean(0, dtype=np.float64)
    spread = counted.std(0, dtype=np.float64)
    # A spread within float32's rounding of the values themselves is no spread.
    constant = spread <= 1e-6 * np.abs(counted).max(0)
    return np.where(constant, 0.0, (counted - mean) / np.where(constant, 1.0, spread))
