"""Asking: which patterns may excite the neurons, how often they occur, and where to measure them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Integer

from neuronscope.analysis.reverse_query.knowing import never_fires
from neuronscope.analysis.reverse_query.results import Evidence, Question
from neuronscope.errors import InputError
from neuronscope.ngrams import LONGEST, Pattern, Recurring, Sample, Windows, every_occurrence, recurring, sample


def ask(
    evidence: Sequence[Evidence],
    ids: Integer[np.ndarray, " tokens"],
    windows: Windows,
    *,
    n: Sequence[int] = (1, 2, 3),
    sign: str = "+",
    skips: bool = True,
    limit: int | None = None,
) -> Question:
    """Find the patterns that may excite a neuron, or a group, and count them in the corpus.

    They are the tokens listed for it and whatever recurs at its strong positions, up to `limit` patterns a neuron
    (64, for a group fewer), those that explain most first. Raises `InputError` for lengths or signs there are not.
    """
    _check(evidence, n, sign)
    members = tuple(_negated(one) if sign == "-" else one for one in evidence)
    group = np.repeat(np.arange(len(members)), [len(one.positions) for one in members])
    positions = np.concatenate([one.positions for one in members]).astype(np.int64)
    values = np.concatenate([one.values for one in members]).astype(np.float64)
    strong = values >= np.array([one.threshold for one in members])[group]
    found = recurring(ids, windows, positions, group, max(n), skips)
    limit = limit or (64 if len(members) == 1 else max(12, 1600 // len(members)))
    chosen = _chosen(found, group, strong, limit)
    chosen |= {(int(token),) for one in members for token in one.tokens[one.token_means > one.mu]}
    patterns = tuple(sorted(chosen, key=_order))
    counts = np.zeros(len(patterns), dtype=np.int64)
    for index, where in every_occurrence(ids, windows, patterns):
        counts[index] = len(where)
    places = {pattern: index for index, pattern in enumerate(patterns)}
    renumbered = np.array([places.get(pattern, -1) for pattern in found.patterns], dtype=np.int64)
    which = renumbered[found.which]
    which, place = which[which >= 0], found.place[which >= 0]
    return Question(members, sign, tuple(n), patterns, counts, windows.counted, which, group[place], values[place])


def plan(
    question: Question, ids: Integer[np.ndarray, " tokens"], windows: Windows, budget: int = 4096, seed: int = 0
) -> Sample:
    """Where to run the model so that `answer` need not rest on strong contexts: at most `budget` positions."""
    settled = _known_by_all(question)
    wanted = [pattern for pattern, known in zip(question.patterns, settled, strict=True) if not known]
    return sample(ids, windows, wanted, budget, seed)


def _check(evidence: Sequence[Evidence], n: Sequence[int], sign: str) -> None:
    if not evidence:
        raise InputError("A reverse query needs a neuron: none is chosen.")
    if sign not in ("+", "-"):
        raise InputError(f"No sign {sign!r}: ask for '+', what excites a neuron, or '-', what drives it below zero.")
    if not n or min(n) < 1 or max(n) > LONGEST:
        raise InputError(f"N-grams have 1 to {LONGEST} tokens; {', '.join(map(str, n)) or 'no length'} was asked for.")


def _negated(one: Evidence) -> Evidence:
    return replace(
        one,
        mean=-one.mean,
        mu=-one.mu,
        quantile=-one.quantile,
        threshold=-one.threshold,
        values=-one.values,
        token_means=-one.token_means,
        # The least activation of a token is not listed; what is known of it comes from the strong positions.
        token_maxima=np.full(len(one.tokens), np.nan),
    )


def _order(pattern: Pattern) -> tuple[int, int, tuple[int, ...]]:
    return len(pattern), pattern.count(None), tuple(-1 if token is None else token for token in pattern)


def _chosen(
    found: Recurring, group: Integer[np.ndarray, " places"], strong: Bool[np.ndarray, " places"], limit: int
) -> set[Pattern]:
    """For each neuron the patterns that most of its strong positions end with, and all their suffixes.

    Of patterns of one length that the very same positions end with, only the one that skips least is kept. A skip
    pattern must recur more than by chance: at a tenth of the strong positions, where it says nothing of the firing
    token at a quarter, and at three at least.
    """
    groups = int(group.max(initial=-1)) + 1
    here = strong[found.place]
    which, place = found.which[here], found.place[here]
    pair = which * groups + group[place]
    pairs, inverse = np.unique(pair, return_inverse=True)
    support = np.bincount(inverse, minlength=len(pairs))
    marks = np.random.default_rng(0).integers(0, 1 << 40, len(group))
    signature = np.bincount(inverse, marks[place], len(pairs))
    total = np.bincount(group[strong], minlength=groups)
    candidates: list[dict[tuple[int, float], tuple[int, Pattern]]] = [{} for _ in range(groups)]
    for index, times, mark in zip(pairs.tolist(), support.tolist(), signature.tolist(), strict=True):
        pattern, owner = found.patterns[index // groups], index % groups
        if times >= _least_support(pattern, int(total[owner])):
            best = candidates[owner].get((len(pattern), mark))
            if best is None or _order(pattern) < _order(best[1]):
                candidates[owner][len(pattern), mark] = (times, pattern)
    made: set[Pattern] = set()
    for one in candidates:
        first = sorted(one.values(), key=lambda each: (-each[0], _order(each[1])))[:limit]
        for _, pattern in first:
            made |= {pattern[start:] for start in range(len(pattern)) if pattern[start] is not None}
    return made


def _least_support(pattern: Pattern, strong: int) -> float:
    if None not in pattern:
        return 1.0 if len(pattern) == 1 else 2.0
    return max(3.0, strong * (0.25 if pattern[-1] is None else 0.1))


def _known_by_all(question: Question) -> list[bool]:
    """Patterns of which nothing is left to measure: each neuron lists the token, and it never fires there."""
    settled = [{int(token) for token in one.tokens[never_fires(one)]} for one in question.members]
    return [len(pattern) == 1 and all(pattern[0] in tokens for tokens in settled) for pattern in question.patterns]
