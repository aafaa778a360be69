"""Empirical-Bayes means: what a neuron does on a token, shrunk towards its mean as far as the counts are small.

Where counts follow Zipf's law, the tokens with the highest plain mean are tokens seen once that were lucky. A one-way
random-effects model puts that right: token k has a true mean drawn around `mu` with variance `between`, and its
occurrences scatter around that mean with variance `within`. Both variances are estimated by the method of moments
(analysis of variance; Searle, Casella and McCulloch 1992, chapter 3), and each token's mean is replaced by its
posterior mean. Keys may be tokens or n-grams. Time and memory are linear in keys × neurons.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer, Num

BLOCK = 1024
"""How many keys are squared at once: temporaries stay at this many rows, whatever the vocabulary."""


@dataclass(frozen=True, eq=False)
class Effects:
    """How strongly each neuron's activation depends on the key, float64."""

    mu: Float[np.ndarray, " neurons"]
    """The mean that keys are shrunk towards: that of all tokens that fall under a key."""
    within: Float[np.ndarray, " neurons"]
    """Variance of the activations of one key around its own mean."""
    between: Float[np.ndarray, " neurons"]
    """Variance of the keys' true means; 0 where no effect of the key can be told from chance."""

    @property
    def kappa(self) -> Float[np.ndarray, " neurons"]:
        """`within / between`: the count at which a key's own mean and `mu` weigh the same; infinite without effect."""
        safe = np.where(self.between > 0, self.between, 1.0)
        return np.where(self.between > 0, self.within / safe, np.inf)


@dataclass(frozen=True, eq=False)
class Posterior:
    """What is believed of each key's true mean once it has been seen, float64."""

    mean: Float[np.ndarray, "keys neurons"]
    """Posterior mean, in units of activation."""
    sd: Float[np.ndarray, "keys neurons"]
    """Posterior standard deviation: the mean ± 1.645 of them holds the true mean with a probability of 90 %."""


def random_effects(
    counts: Integer[np.ndarray, " keys"],
    means: Float[np.ndarray, "keys neurons"],
    mean: Float[np.ndarray, " neurons"],
    variance: Float[np.ndarray, " neurons"],
    tokens: int,
) -> Effects:
    """Estimate the two variances from each key's count and mean, and the moments of all `tokens` tokens.

    `variance` divides by `tokens`. With T tokens, G keys of n_k tokens and sums of squares SSB between keys and SSW
    within them: `within = SSW / (T - G)`, `between = max((SSB / (G - 1) - within) / n0, 0)` and
    `n0 = (T - sum n² / T) / (G - 1)`. Keys of no tokens are left out. Where no token is left to measure `within` with,
    because every key occurs once, chance and effect cannot be told apart, and `between` is 0.

    Tokens that fall under no key (rare ones that were not tabulated) are no keys: SSB, G, n0 and `mu` are those of the
    keys alone. Such tokens are taken together as one more group, so that how they differ from each other counts as
    `within`: that makes `within` too large rather than too small, and shrinks more.
    """
    seen = counts > 0
    n = counts[seen].astype(np.float64)
    kept = means if seen.all() else means[seen]
    tabulated, keys = float(n.sum()), len(n)
    if not keys:
        nothing = np.zeros(len(mean))
        return Effects(mean.astype(np.float64), variance.astype(np.float64), nothing)
    mu = mean + _weighted(n, kept, mean, power=1) / tabulated
    ssb = _weighted(n, kept, mu, power=2)
    rest = tokens - tabulated
    # All tokens' squares around `mu`, less those of the keys' means and of the mean of what is under no key.
    about = tokens * (variance + (mean - mu) ** 2)
    apart = (tokens * (mean - mu)) ** 2 / rest if rest > 0 else 0.0
    freedom = tokens - keys - (rest > 0)
    if freedom <= 0 or keys < 2:
        return Effects(mu, about / tokens, np.zeros_like(mu))
    within = np.maximum(about - ssb - apart, 0.0) / freedom
    n0 = (tabulated - (n**2).sum() / tabulated) / (keys - 1)
    return Effects(mu, within, np.maximum((ssb / (keys - 1) - within) / n0, 0.0))


def posterior(
    effects: Effects,
    counts: Num[np.ndarray, "keys 1"] | Num[np.ndarray, "keys neurons"],
    means: Float[np.ndarray, "keys neurons"],
) -> Posterior:
    """The posterior of each key's mean: `(n x + kappa mu) / (n + kappa)`, with variance `within / (n + kappa)`.

    Where there is no effect everything is `mu`, without doubt. A key that never occurred has mean `mu` and the spread
    of the keys. `counts` may differ from neuron to neuron, or be one column for all.
    """
    weight = _weight(effects, counts)
    # within / (n + kappa) written so that neither an infinite nor a vanishing kappa is divided by.
    return Posterior(effects.mu + weight * (means - effects.mu), np.sqrt(effects.between * (1.0 - weight)))


def posterior_mean(
    effects: Effects, counts: Integer[np.ndarray, "keys 1"], means: Float[np.ndarray, "keys neurons"]
) -> Float[np.ndarray, "keys neurons"]:
    """The mean of `posterior` alone, for rankings of many keys."""
    shrunken = means - effects.mu
    shrunken *= _weight(effects, counts)
    shrunken += effects.mu
    return shrunken


def _weight(effects: Effects, counts: Num[np.ndarray, "keys n"]) -> Float[np.ndarray, "keys neurons"]:
    """How much each key's own mean weighs against `mu`; nothing where the key never occurred."""
    n = counts.astype(np.float64)
    return n / np.maximum(n + effects.kappa, np.finfo(np.float64).tiny)


def _weighted(
    n: Float[np.ndarray, " keys"],
    means: Float[np.ndarray, "keys neurons"],
    about: Float[np.ndarray, " neurons"],
    power: int,
) -> Float[np.ndarray, " neurons"]:
    """The sum over keys of `n · (means - about) ** power`, a block of keys at a time."""
    total = np.zeros(means.shape[1])
    for start in range(0, len(n), BLOCK):
        rows = slice(start, start + BLOCK)
        total += n[rows] @ (means[rows] - about) ** power
    return total
