"""Answering: each pattern's empirical-Bayes mean, what adds to its parts, and the table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from neuronscope.analysis.reverse_query.association import lift, signed_g2
from neuronscope.analysis.reverse_query.knowing import SOURCES, Known, known_of, measure, of
from neuronscope.analysis.reverse_query.results import Question, ReverseQuery
from neuronscope.ngrams import Sample, parts, written
from neuronscope.shrinkage import Effects, posterior

LEAST = 5
"""An n-gram of two or more tokens is listed only if it occurs this often in the corpus."""
PRIOR = 5.0
"""The most that n-grams are shrunk: as if by so many occurrences at the neuron's mean.

The kappa of n-grams is not known, for they are not all tabulated. It is at most that of tokens, since finer keys leave
less within and put more between them; where tokens have no effect at all, as for a neuron that looks at the token
before, theirs is infinite and says nothing about n-grams.
"""
PRIOR_VARIANCE = 4.0
"""Degrees of freedom with which the neuron's variance within tokens enters that of an n-gram's few values."""
CREDIBLE = 1.645
"""Posterior standard deviations on each side of a 90 % interval."""


def answer(
    question: Question,
    display: dict[int, str],
    measured: tuple[Sample, Float[np.ndarray, "positions neurons"]] | None = None,
) -> ReverseQuery:
    """Rank the patterns of a question; `measured` holds a plan and the activations of the neurons at its positions."""
    known = known_of(question)
    if measured is not None:
        plan_, values = measured
        measure(known, question, plan_, -values if question.sign == "-" else values)
    scores = _scores(question, known)
    rows = _accepted(question, known, scores)
    return _result(question, known, scores, rows, display)


@dataclass(frozen=True, eq=False)
class _Scores:
    """Each pattern's standing, averaged over the neurons, and what decides whether it adds to its parts."""

    mean: np.ndarray
    sd: np.ndarray
    z: np.ndarray
    max: np.ndarray
    agree: np.ndarray
    seen: np.ndarray
    """The same as `mean` of the strong positions alone, unshrunk."""
    least: float
    """The smallest gain that counts: a tenth of what one token in a thousand exceeds."""
    nothing: float
    """What a pattern has that says nothing: the mean."""


def _scores(question: Question, known: Known) -> _Scores:
    mean, std = of(question, "mean"), of(question, "std")
    spread = np.where(std > 0, std, np.inf)
    believed, sd = _believed(question, known)
    z = (believed - mean) / spread
    counted = np.nan_to_num(z)
    agree = (counted > 1).mean(1)
    quantile = np.maximum(of(question, "quantile"), 0)
    if len(question.members) == 1:
        return _Scores(
            believed[:, 0], sd[:, 0], z[:, 0], known.max[:, 0], agree, known.seen[:, 0],
            float(quantile[0] / 10), float(of(question, "mu")[0]),
        )  # fmt: skip
    members = len(question.members)
    return _Scores(
        counted.mean(1),
        np.sqrt((np.nan_to_num(sd / spread) ** 2).sum(1)) / members,
        counted.mean(1),
        np.nan_to_num((known.max - mean) / spread).mean(1),
        agree,
        np.nan_to_num((known.seen - mean) / spread).mean(1),
        float((quantile / spread).mean() / 10),
        0.0,
    )


def _believed(
    question: Question, known: Known
) -> tuple[Float[np.ndarray, "patterns neurons"], Float[np.ndarray, "patterns neurons"]]:
    """Posterior mean and standard deviation of every pattern and neuron."""
    mu, within, between = (of(question, name) for name in ("mu", "within", "between"))
    finer = np.maximum(between, within / PRIOR)
    short = np.array([len(pattern) == 1 for pattern in question.patterns], dtype=bool)[:, None]
    tokens, ngrams = (posterior(Effects(mu, within, b), known.n, known.mean) for b in (between, finer))
    own = (PRIOR_VARIANCE * within + np.nan_to_num(known.squares)) / (PRIOR_VARIANCE + known.n - 1)
    # The spread of an n-gram's own values, steadied by the neuron's, in place of one spread for all.
    ratio = np.where(np.isnan(known.squares) | (within <= 0), 1.0, own / np.where(within > 0, within, 1.0))
    mean = np.where(short, tokens.mean, ngrams.mean)
    sd = np.where(short, tokens.sd, ngrams.sd) * np.sqrt(ratio)
    return mean, np.where(known.source < 3, sd, np.nan)


def _accepted(question: Question, known: Known, scores: _Scores) -> list[int]:
    """The patterns to list: every token, and what adds to the best of its parts; best first."""
    places = {pattern: index for index, pattern in enumerate(question.patterns)}
    only_strong = np.asarray((known.source >= 2).all(1))
    rows = []
    for index, pattern in enumerate(question.patterns):
        if len(pattern) not in question.lengths or not scores.z[index] > 1e-9:
            continue
        others = [places[part] for part in parts(pattern) if part in places] if len(pattern) > 1 else []
        if len(pattern) == 1 or (question.counts[index] >= LEAST and _adds(index, others, scores, only_strong)):
            rows.append(index)
    return sorted(rows, key=lambda row: (-scores.mean[row], -question.counts[row], row))


def _adds(index: int, others: list[int], scores: _Scores, only_strong: Bool[np.ndarray, " patterns"]) -> bool:
    """Whether a pattern's mean is above that of each of its parts, by more than chance and by enough to matter.

    Where the mean of a part rests on strong contexts, its other occurrences may be as strong as those: then the strong
    contexts themselves must differ too.
    """
    if scores.mean[index] - scores.nothing <= max(scores.least, 2 * scores.sd[index]):
        return False
    for other in others:
        needed = max(scores.least, 2 * float(np.hypot(scores.sd[index], scores.sd[other])))
        if scores.mean[index] - scores.mean[other] <= needed:
            return False
        if only_strong[other] and scores.seen[index] - scores.seen[other] <= needed:
            return False
    return True


def _result(
    question: Question, known: Known, scores: _Scores, rows: list[int], display: dict[int, str]
) -> ReverseQuery:
    import pandas as pd

    members, patterns = len(question.members), [question.patterns[row] for row in rows]
    counts = question.counts[rows]
    mean, half = scores.mean[rows], CREDIBLE * scores.sd[rows]
    # Of a group, the neurons' tables are added up.
    fired, firings = known.fired[rows].sum(1), known.firings[rows].sum(1)
    source = np.where(known.source[rows] < 3, known.source[rows], -1).max(1, initial=-1)
    n = np.where(known.source[rows] < 3, known.n[rows], np.inf).min(1, initial=np.inf)
    table = pd.DataFrame(
        {
            "ngram": [written(pattern, display) for pattern in patterns],
            "tokens": patterns,
            "n": np.array([len(pattern) for pattern in patterns], dtype=np.int64),
            "mean": mean,
            "low": mean - half,
            "high": mean + half,
            "max": scores.max[rows],
            "count": counts,
            "z": scores.z[rows],
            "lift": lift(fired, members * counts, firings, members * question.tokens),
            "g2": signed_g2(fired, members * counts, firings, members * question.tokens),
            "share": known.strong[rows].mean(1),
            "agree": scores.agree[rows],
            "known": (known.source[rows] < 3).mean(1),
            "source": [SOURCES[kind].format(int(size)) for kind, size in zip(source, n, strict=True)],
        }
    )
    return ReverseQuery(
        table=table,
        neurons=tuple(one.neuron for one in question.members),
        sign=question.sign,
        unit="activation" if members == 1 else "z",
        thresholds=tuple(one.threshold for one in question.members),
        tokens=question.tokens,
        exact=source == 0,
        without_effect=int((of(question, "between") <= 0).sum()),
        considered=len(question.patterns),
    )
