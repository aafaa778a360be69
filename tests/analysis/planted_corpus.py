"""A corpus of made-up tokens with neurons whose cause is known, and what an index would keep of them."""

from __future__ import annotations

import numpy as np

from neuronscope.analysis.reverse_query import Evidence
from neuronscope.ngrams import Windows
from neuronscope.shrinkage import posterior, random_effects
from neuronscope.vocabulary import Neuron

VOCABULARY = 60
LENGTH = 24


def corpus(tokens: int = 100_000, vocabulary: int = VOCABULARY, seed: int = 0) -> tuple[np.ndarray, Windows]:
    """Token ids under Zipf's law, in windows whose first token does not count."""
    random = np.random.default_rng(seed)
    chances = 1 / (np.arange(vocabulary) + 12)
    ids = random.choice(vocabulary, tokens, p=chances / chances.sum()).astype(np.uint16)
    first = np.arange(0, tokens, LENGTH)
    return ids, Windows(first, first + 1, np.minimum(first + LENGTH, tokens))


def noisy(ids: np.ndarray, fires: np.ndarray, seed: int = 0, strength: float = 3.0) -> np.ndarray:
    """Activations that are `strength` and some noise where `fires`, and noise near zero elsewhere."""
    random = np.random.default_rng(seed)
    return np.where(fires, strength, 0) + random.normal(0, 0.2, len(ids)) * np.where(fires, 2, 1)


def before(ids: np.ndarray, back: int) -> np.ndarray:
    """The token so many places back in its window, -1 where there is none."""
    made = np.concatenate([np.full(back, -1), ids[: len(ids) - back].astype(int)])
    return np.where(np.arange(len(ids)) % LENGTH >= back, made, -1)


def evidence(ids: np.ndarray, windows: Windows, values: np.ndarray, index: int = 0, sign: int = 1) -> Evidence:
    """What an index keeps of a neuron with these activations, for queries of one sign."""
    counted = np.flatnonzero(windows.reach(np.arange(len(ids))) >= 0)
    size = int(ids.max()) + 1
    kept = values[counted]
    counts = np.bincount(ids[counted], minlength=size)
    means = np.bincount(ids[counted], kept, size) / np.maximum(counts, 1)
    effects = random_effects(counts, means[:, None], kept.mean()[None], kept.var()[None], len(counted))
    order = np.argsort(-posterior(effects, counts[:, None], means[:, None]).mean[:, 0], kind="stable")
    listed = np.concatenate([order[:20], order[-10:]])
    largest = np.full(size, -np.inf)
    np.maximum.at(largest, ids[counted], kept)
    strong = counted[np.argsort(-sign * kept, kind="stable")]
    _, one_each = np.unique(windows.of(strong), return_index=True)
    top = strong[np.sort(one_each)[:50]]
    spaced = strong[:: max(len(strong) // 60, 1)]
    positions = np.unique(np.concatenate([top, spaced]))
    threshold = sign * 0.25 * float((sign * kept).max())
    return Evidence(
        neuron=Neuron(0, index),
        mean=float(kept.mean()),
        std=float(kept.std()),
        mu=float(effects.mu[0]),
        within=float(effects.within[0]),
        between=float(effects.between[0]),
        quantile=float(np.quantile(kept, 0.999 if sign > 0 else 0.001)),
        threshold=threshold,
        firings=int((sign * kept >= sign * threshold).sum()),
        positions=positions,
        values=values[positions].astype(np.float32),
        tokens=listed,
        token_means=means[listed].astype(np.float32),
        token_maxima=largest[listed].astype(np.float16),
    )
