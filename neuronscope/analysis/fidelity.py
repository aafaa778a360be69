"""How faithful a quantized model is: its neurons and predictions beside those of the same model in full precision.

Texts come one after another and only what grows with the number of neurons is kept: co-moments for the correlations
(merged as Chan et al. 1983 do, in float64) and each neuron's strongest tokens in either model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from neuronscope.errors import InputError
from neuronscope.vocabulary import Activations, Source

if TYPE_CHECKING:
    import pandas as pd

TOP = 10
"""How many of a neuron's strongest tokens are compared."""


@dataclass(frozen=True, eq=False)
class Fidelity:
    """One model in two precisions, on the same tokens."""

    table: pd.DataFrame
    """One row for each layer; columns `layer correlation median_neuron low_neuron overlap`.

    `correlation` is Pearson's r over all neurons and kept tokens of the layer; `median_neuron` and `low_neuron` are the
    median and the 5th percentile of the neurons' own r over the kept tokens (constant neurons are left out);
    `overlap` is the mean share of a neuron's ten strongest tokens that are the same in both.
    """
    divergence: float | None
    """Mean Kullback-Leibler divergence from the full model's next-token distribution, in nats; None for encoders."""
    agreement: float | None
    """Share of tokens where both find the same next token most probable; None for encoders.

    bfloat16 rounds logits to eight bits (steps of 0.125 at a logit of 20), so that likely tokens that lie close
    together tie or change places: there it can be lower than int8's, whose logits stay in float32, at a smaller
    divergence.
    """
    tokens: int
    """Kept tokens that were compared."""
    full: Source
    """The model it is held against."""
    reduced: Source
    """The model that is judged."""


class Comparing:
    """Takes the same texts' activations from both models, one text at a time."""

    def __init__(self) -> None:
        """Nothing has been compared yet."""
        self._n = 0
        self._moments: _Moments | None = None
        self._top: tuple[_Top, _Top] | None = None
        self._divergence: list[Float[np.ndarray, " tokens"]] = []
        self._agrees: list[np.ndarray] = []
        self._sources: tuple[Source, Source] | None = None
        self._layers: tuple[int, ...] = ()

    def add(
        self,
        full: Activations,
        reduced: Activations,
        logits: tuple[Float[np.ndarray, "tokens vocabulary"], Float[np.ndarray, "tokens vocabulary"]] | None = None,
    ) -> None:
        """Compare one text; `logits` are those of the full and of the reduced model, None for encoders.

        Raises:
            InputError: if the two did not read the same tokens.
        """
        if not np.array_equal(full.tokens.ids, reduced.tokens.ids):
            raise InputError(
                "Two precisions are compared on the same tokens; these two models cut the text differently."
            )
        kept = full.tokens.kept
        a, b = full.values[:, kept], reduced.values[:, kept]
        if not a.shape[1]:
            return
        self._sources, self._layers = (full.source, reduced.source), full.layers
        self._moments = _Moments.of(a, b) if self._moments is None else self._moments.merged(_Moments.of(a, b))
        tops = _Top.of(a, self._n), _Top.of(b, self._n)
        self._top = tops if self._top is None else (self._top[0].merged(tops[0]), self._top[1].merged(tops[1]))
        self._n += a.shape[1]
        if logits is not None:
            p, q = (_log_softmax(each[kept]) for each in logits)
            self._divergence.append((np.exp(p) * (p - q)).sum(1))
            self._agrees.append(p.argmax(1) == q.argmax(1))

    def result(self) -> Fidelity:
        """What has been found so far; raises `InputError` if no token was compared."""
        import pandas as pd

        if self._moments is None or self._top is None or self._sources is None:
            raise InputError("There is no token to compare: the first token of a text and special ones do not count.")
        overlap = self._top[0].shared_with(self._top[1])
        rows = [
            {"layer": layer, **self._moments.row(i), "overlap": float(overlap[i].mean())}
            for i, layer in enumerate(self._layers)
        ]
        return Fidelity(
            pd.DataFrame(rows),
            float(np.concatenate(self._divergence).mean()) if self._divergence else None,
            float(np.concatenate(self._agrees).mean()) if self._agrees else None,
            self._n,
            *self._sources,
        )


@dataclass(frozen=True, eq=False)
class _Moments:
    """Count, means and central second moments of two models' activations, for each neuron."""

    n: int
    mean_a: Float[np.ndarray, "layers neurons"]
    mean_b: Float[np.ndarray, "layers neurons"]
    aa: Float[np.ndarray, "layers neurons"]
    bb: Float[np.ndarray, "layers neurons"]
    ab: Float[np.ndarray, "layers neurons"]

    @classmethod
    def of(
        cls, a: Float[np.ndarray, "layers tokens neurons"], b: Float[np.ndarray, "layers tokens neurons"]
    ) -> _Moments:
        mean_a, mean_b = a.mean(1, dtype=np.float64), b.mean(1, dtype=np.float64)
        da, db = a - mean_a[:, None], b - mean_b[:, None]
        return cls(a.shape[1], mean_a, mean_b, (da * da).sum(1), (db * db).sum(1), (da * db).sum(1))

    def merged(self, other: _Moments) -> _Moments:
        n = self.n + other.n
        share, weight = other.n / n, self.n * other.n / n
        da, db = other.mean_a - self.mean_a, other.mean_b - self.mean_b
        return _Moments(
            n,
            self.mean_a + da * share,
            self.mean_b + db * share,
            self.aa + other.aa + da * da * weight,
            self.bb + other.bb + db * db * weight,
            self.ab + other.ab + da * db * weight,
        )

    def row(self, layer: int) -> dict[str, float]:
        """The correlations of one layer."""
        aa, bb, ab = self.aa[layer], self.bb[layer], self.ab[layer]
        varies = (aa > 0) & (bb > 0)
        each = ab[varies] / np.sqrt(aa[varies] * bb[varies])
        return {
            "correlation": self._pooled(layer),
            "median_neuron": float(np.median(each)) if len(each) else np.nan,
            "low_neuron": float(np.quantile(each, 0.05)) if len(each) else np.nan,
        }

    def _pooled(self, layer: int) -> float:
        """Pearson's r over neurons and tokens together: the neurons' means count as spread too."""
        ma, mb = self.mean_a[layer], self.mean_b[layer]
        ca, cb = ma - ma.mean(), mb - mb.mean()
        ab = self.ab[layer].sum() + self.n * (ca * cb).sum()
        aa = self.aa[layer].sum() + self.n * (ca * ca).sum()
        bb = self.bb[layer].sum() + self.n * (cb * cb).sum()
        return float(ab / np.sqrt(aa * bb)) if aa > 0 and bb > 0 else np.nan


@dataclass(frozen=True, eq=False)
class _Top:
    """The strongest tokens of each neuron, by activation."""

    values: Float[np.ndarray, "layers top neurons"]
    places: Int[np.ndarray, "layers top neurons"]

    @classmethod
    def of(cls, values: Float[np.ndarray, "layers tokens neurons"], offset: int) -> _Top:
        places = np.broadcast_to(np.arange(values.shape[1])[:, None] + offset, values.shape)
        return cls(values, np.ascontiguousarray(places))._cut()

    def merged(self, other: _Top) -> _Top:
        return _Top(
            np.concatenate([self.values, other.values], 1), np.concatenate([self.places, other.places], 1)
        )._cut()

    def shared_with(self, other: _Top) -> Float[np.ndarray, "layers neurons"]:
        """The share of each neuron's strongest tokens that are among the other's."""
        both = (self.places[:, :, None] == other.places[:, None]).any(2)
        return both.mean(1)

    def _cut(self) -> _Top:
        if self.values.shape[1] <= TOP:
            return self
        order = np.argsort(-self.values, axis=1, kind="stable")[:, :TOP]
        return _Top(np.take_along_axis(self.values, order, 1), np.take_along_axis(self.places, order, 1))


def _log_softmax(logits: Float[np.ndarray, "tokens vocabulary"]) -> Float[np.ndarray, "tokens vocabulary"]:
    shifted = logits.astype(np.float64) - logits.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
