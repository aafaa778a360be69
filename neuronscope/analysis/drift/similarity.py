"""Whole layers of two checkpoints against each other: unbiased CKA, and which neuron has become which.

Centred kernel alignment (Kornblith et al. 2019) compares what two layers tell apart, whatever their neurons are called.
With few tokens and many neurons the plain estimate is far too high (.44 for unrelated layers of 400 neurons on 500
tokens), so the unbiased HSIC of Song et al. (2012) is used throughout.

A neuron is compared with the neuron of the same number. That is right while each is still most like itself; checkpoints
of another seed, or with their neurons permuted, are matched first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer

VALID = 0.9
"""Comparing by number is right where at least this share of the neurons that vary is most like itself."""


def kernel(values: Float[np.ndarray, "tokens units"]) -> Float[np.ndarray, "tokens tokens"]:
    """What `alignment` compares: the inner products of tokens, those of a token with itself left out.

    About the mean token, which changes nothing but the rounding. Of values that are held in half precision the products
    are taken in single precision.
    """
    exact = np.float32 if values.dtype == np.float16 else np.float64
    centred = values.astype(exact) - values.mean(0, dtype=np.float64).astype(exact)
    products: Float[np.ndarray, "tokens tokens"] = (centred @ centred.T).astype(np.float64)
    np.fill_diagonal(products, 0)
    return products


def alignment(k: Float[np.ndarray, "tokens tokens"], l: Float[np.ndarray, "tokens tokens"]) -> float:  # noqa: E741
    """Unbiased CKA of two kernels: 1 the same up to rotation and scale, about 0 unrelated; NaN where one is flat."""
    own = _hsic(k, k) * _hsic(l, l)
    return float(_hsic(k, l) / np.sqrt(own)) if own > 0 else float("nan")


def _hsic(k: Float[np.ndarray, "tokens tokens"], l: Float[np.ndarray, "tokens tokens"]) -> float:  # noqa: E741
    """The unbiased estimate of Song et al. (2012), theorem 2, of kernels whose diagonal is 0."""
    n = len(k)
    whole = np.vdot(k, l) + k.sum() * l.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * (k.sum(0) @ l.sum(0))
    return float(whole / (n * (n - 3)))


@dataclass(frozen=True, eq=False)
class Matching:
    """Which neuron of a layer is which in another checkpoint."""

    partner: Integer[np.ndarray, " units"]
    """For each neuron of the first the one it matches in the second; -1 where it never varies, or none is left."""
    own: Float[np.ndarray, " units"]
    """Its correlation with the neuron of the same number; NaN where one of them never varies."""
    matched: Float[np.ndarray, " units"]
    """Its correlation with its partner; NaN without one."""

    @property
    def itself(self) -> float:
        """Of the neurons that have a partner, the share that are their own; NaN where none has."""
        found = self.partner >= 0
        return float((self.partner[found] == np.flatnonzero(found)).mean()) if found.any() else float("nan")


def match(a: Float[np.ndarray, "units tokens"], b: Float[np.ndarray, "units tokens"]) -> Matching:
    """Match the neurons of two checkpoints of one layer by the correlation of their activations on the same tokens.

    Neurons that are each other's nearest are partners; the others are assigned so that their correlations have the
    largest sum (Kuhn 1955), among themselves. Neurons that never vary take no part.
    """
    from scipy.optimize import linear_sum_assignment

    x, y = _standardised(a), _standardised(b)
    alive_a, alive_b = np.flatnonzero(x.any(1)), np.flatnonzero(y.any(1))
    r = x[alive_a] @ y[alive_b].T
    partner, matched = np.full(len(a), -1), np.full(len(a), np.nan, np.float32)
    if r.size:
        nearest = r.argmax(1)
        mutual = r[np.arange(len(r)), nearest] == r.max(0)[nearest]
        columns = np.where(mutual, nearest, -1)
        _, first = np.unique(columns, return_index=True)  # of several that are as near as each other
        mutual &= np.isin(np.arange(len(r)), first)
        columns = np.where(mutual, nearest, -1)
        rest, free = np.flatnonzero(~mutual), np.setdiff1d(np.arange(len(alive_b)), nearest[mutual])
        rows, chosen = linear_sum_assignment(r[np.ix_(rest, free)], maximize=True)
        columns[rest[rows]] = free[chosen]
        found = columns >= 0
        partner[alive_a[found]] = alive_b[columns[found]]
        matched[alive_a[found]] = r[found, columns[found]]
    both = x.any(1) & y.any(1)
    own = np.where(both, np.einsum("ut,ut->u", x, y), np.nan).astype(np.float32)
    return Matching(partner, own, matched)


def _standardised(values: Float[np.ndarray, "units tokens"]) -> Float[np.ndarray, "units tokens"]:
    """Each neuron about its mean with length 1; zeros where it never varies."""
    values = values.astype(np.float32)  # arithmetic of float16 is slow
    centred = values - values.mean(1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    scale = np.maximum(np.abs(values).max(1, keepdims=True, initial=0), 1e-30)
    return np.where(length > 1e-6 * scale * np.sqrt(values.shape[1]), centred / np.maximum(length, 1e-30), 0)
