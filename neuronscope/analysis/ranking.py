"""Which neurons to show first: of one layer over a text, and of all layers at one token.

Every list says by which rule its neurons were chosen and in which order they stand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from neuronscope.errors import InputError
from neuronscope.vocabulary import Activations, Neuron

Order = Literal["token", "rule"]

RULES: dict[str, str] = {
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
    rule: str
    """How they were chosen."""
    order: Order
    """How they are ordered: by the token they fire on, or by the rule itself."""
    total: int
    """How many neurons they were chosen from."""


@dataclass(frozen=True, eq=False)
class Standing:
    """Where the activations at one token stand, each within its own neuron's distribution over a corpus."""

    percentile: Float[np.ndarray, "layers neurons"]
    """The share of the corpus' tokens on which the neuron is lower, 0 to 1."""
    z: Float[np.ndarray, "layers neurons"]
    """Standard deviations from the neuron's mean over the corpus."""
    tokens: int
    """How many tokens the shares are of: finer than one in so many they are not known."""

    @property
    def finest(self) -> float:
        """The largest share that can be told from all of the tokens."""
        return 1 - 1 / max(self.tokens, 1)


@dataclass(frozen=True)
class TopNeuron:
    """One neuron of a list, with all of its numbers."""

    neuron: Neuron
    """Which."""
    value: float
    """Its activation at the token."""
    z: float
    """The same in standard deviations from its mean over this text's kept tokens."""
    effect: float | None
    """What it adds directly to the logit of the predicted token; None where that was not computed."""
    percentile: float | None
    """The share of a corpus' tokens on which it is lower, 0 to 1; None where no corpus is known."""


@dataclass(frozen=True)
class TopNeurons:
    """Several ways to ask which neurons matter at one token."""

    position: int
    """The token."""
    by_value: tuple[TopNeuron, ...]
    """Largest |activation| first."""
    by_z: tuple[TopNeuron, ...]
    """Furthest from their own mean first."""
    by_effect: tuple[TopNeuron, ...]
    """Largest |direct effect| first; empty where none was computed."""
    by_percentile: tuple[TopNeuron, ...]
    """Highest within their own distribution over a corpus first; empty where none is known."""
    tokens: int
    """How many tokens the means and spreads were taken over."""


def rank(
    values: Float[np.ndarray, "tokens neurons"],
    kept: Bool[np.ndarray, " tokens"],
    *,
    rule: str = "peak",
    count: int | None = 64,
    order: Order = "token",
) -> Ranking:
    """Choose `count` neurons (all of them for None) by `rule`, over the kept tokens.

    Where no token is kept, all of them count. Ties go to the lower neuron number. `selectivity` is the z-score of the
    peak, `max |a - mean| / sd` over the kept tokens; constant neurons score 0.

    Raises:
        InputError: for a rule that does not exist.
    """
    if rule not in RULES:
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


def top_neurons(
    activations: Activations,
    position: int,
    effects: Float[np.ndarray, "layers neurons"] | None = None,
    standing: Standing | None = None,
    *,
    count: int = 10,
) -> TopNeurons:
    """The `count` neurons that stand out at token `position`, each way; `effects` as `DirectEffects.values`.

    Means and spreads are taken over the kept tokens of this text (all tokens if none is kept), in float64. With fewer
    than three tokens a z-score says nothing, and the list by z is empty. `effects` covers all layers of the model, and
    needs activations of all of them. `standing` covers the layers of the activations; percentiles that cannot be told
    apart are ordered by its z.

    Raises:
        NoSuchToken: if the text has no such position.
    """
    activations.tokens.check(position)
    kept = activations.tokens.kept
    counted = activations.values[:, kept] if kept.any() else activations.values
    here = activations.values[:, position]
    z = _z_scores(here[:, None], counted)[:, 0]

    def listed(order: Int[np.ndarray, " units"]) -> tuple[TopNeuron, ...]:
        rows, columns = np.unravel_index(order[:count], here.shape)
        return tuple(
            TopNeuron(
                Neuron(activations.layers[row], int(column)),
                float(here[row, column]),
                float(z[row, column]),
                None if effects is None else float(effects[activations.layers[row], column]),
                None if standing is None else float(standing.percentile[row, column]),
            )
            for row, column in zip(rows, columns, strict=True)
        )

    return TopNeurons(
        position=position,
        by_value=listed(_strongest_first(here)),
        by_z=listed(_strongest_first(z)) if counted.shape[1] >= 3 else (),
        by_effect=listed(_strongest_first(effects[list(activations.layers)])) if effects is not None else (),
        by_percentile=listed(_highest_first(standing)) if standing is not None else (),
        tokens=counted.shape[1],
    )


def _strongest_first(score: Float[np.ndarray, "layers neurons"]) -> Int[np.ndarray, " units"]:
    return np.argsort(-np.abs(score), axis=None, kind="stable")


def _highest_first(standing: Standing) -> Int[np.ndarray, " units"]:
    known = np.minimum(standing.percentile, standing.finest)
    return np.lexsort((-standing.z.ravel(), -known.ravel()))


def _score(counted: Float[np.ndarray, "kept neurons"], rule: str) -> Float[np.ndarray, " neurons"]:
    if rule == "variance":
        return counted.var(0, dtype=np.float64)
    if rule == "selectivity":
        return np.abs(_z_scores(counted, counted)).max(0)
    return np.abs(counted).max(0).astype(np.float64)


def _z_scores(
    values: Float[np.ndarray, "... tokens neurons"], counted: Float[np.ndarray, "... kept neurons"]
) -> Float[np.ndarray, "... tokens neurons"]:
    """Activations in standard deviations from their neuron's mean over the counted tokens; 0 for constant neurons."""
    mean = counted.mean(-2, dtype=np.float64, keepdims=True)
    spread = counted.std(-2, dtype=np.float64, keepdims=True)
    # A spread within float32's rounding of the values themselves is no spread.
    constant = spread <= 1e-6 * np.abs(counted).max(-2, keepdims=True)
    return np.where(constant, 0.0, (values - mean) / np.where(constant, 1.0, spread))
