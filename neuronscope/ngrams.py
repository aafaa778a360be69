"""N-grams of token ids: where they end in a corpus, and which of them recur at a few chosen places.

A pattern is read from left to right and ends at the token that fires: `(5, 8)` is token 8 right after token 5,
`(5, None, 8)` leaves out one token between them, and `(5, None)` is whatever follows token 5. It starts with a token. A
pattern never reaches across the start of a window, for the model that read the window saw nothing before it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Bool, Integer

Pattern = tuple[int | None, ...]
"""Token ids, None for any one token; the last place is that of the token that fires."""

LONGEST = 5
"""The longest pattern, skipped tokens included."""


@dataclass(frozen=True, eq=False)
class Windows:
    """Where a corpus was cut into windows: positions count its token ids from 0, and windows are in order."""

    first: Integer[np.ndarray, " windows"]
    """The first token that the model saw in each window, counted or not."""
    start: Integer[np.ndarray, " windows"]
    """The first token that counts: after what an earlier window counted, and after a first token that never does."""
    stop: Integer[np.ndarray, " windows"]
    """One past the last token."""

    def of(self, positions: Integer[np.ndarray, " positions"]) -> Integer[np.ndarray, " positions"]:
        """The window in which each position counts, if it does."""
        return np.asarray(np.searchsorted(self.start, positions, side="right") - 1)

    def reach(self, positions: Integer[np.ndarray, " positions"]) -> Integer[np.ndarray, " positions"]:
        """How many tokens stand before each position in its window; -1 where the token does not count."""
        if not len(self.start):
            return np.full(len(positions), -1)
        window = self.of(positions)
        counted = (window >= 0) & (positions < self.stop[window])
        return np.where(counted, positions - self.first[window].astype(np.int64), -1)

    @property
    def counted(self) -> int:
        """How many tokens count."""
        return int((self.stop.astype(np.int64) - self.start.astype(np.int64)).sum())


@dataclass(frozen=True, eq=False)
class Sample:
    """Occurrences of some patterns at which the model is to be run: all of a pattern's, or some at random."""

    patterns: tuple[Pattern, ...]
    """The patterns."""
    positions: Integer[np.ndarray, " positions"]
    """Every position to measure, once, ascending."""
    members: tuple[np.ndarray, ...]
    """For each pattern, the indices into `positions` of its own occurrences."""
    counts: Integer[np.ndarray, " patterns"]
    """How often each pattern occurs in the whole corpus."""


@dataclass(frozen=True, eq=False)
class Recurring:
    """The patterns that some places in a corpus end with."""

    patterns: tuple[Pattern, ...]
    """The patterns, each once."""
    which: Integer[np.ndarray, " incidences"]
    """Index into `patterns`."""
    place: Integer[np.ndarray, " incidences"]
    """Index of a place that ends with it."""


def occurrences(
    ids: Integer[np.ndarray, " tokens"], windows: Windows, pattern: Pattern
) -> Integer[np.ndarray, " positions"]:
    """The positions, ascending, of the counted tokens at which `pattern` ends."""
    [(_, positions)] = every_occurrence(ids, windows, [pattern])
    return positions


def every_occurrence(
    ids: Integer[np.ndarray, " tokens"], windows: Windows, patterns: Sequence[Pattern]
) -> Iterator[tuple[int, Integer[np.ndarray, " positions"]]]:
    """The index of each pattern, in no particular order, and the positions at which it ends.

    Patterns share work: the corpus is looked through once, and `(5, 7, 8)` is looked for where `(7, 8)` was found.
    """
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, pattern in enumerate(patterns):
        groups[_anchor(pattern)].append(index)
    places = _places(ids, {token for token, _ in groups})
    for (token, after), members in groups.items():
        ends = places[token] + after
        ends = ends[ends < len(ids)]
        reach = windows.reach(ends)
        found: dict[Pattern, np.ndarray] = {}
        for index in members:
            yield index, ends[_found(patterns[index], ids, ends, reach, found)]


def sample(
    ids: Integer[np.ndarray, " tokens"], windows: Windows, patterns: Sequence[Pattern], budget: int, seed: int = 0
) -> Sample:
    """Choose at most `budget` positions at which to measure `patterns`, the same number for each that occurs often.

    Every occurrence of a pattern is as likely to be chosen as any other. Windows are drawn in one random order for all
    patterns, so that their occurrences fall into the same windows and few windows need to be run.
    """
    found = dict(every_occurrence(ids, windows, patterns))
    counts = np.array([len(found[index]) for index in range(len(patterns))], dtype=np.int64)
    each = _even_share(counts, budget)
    rank = np.random.default_rng(seed).permutation(len(windows.start))
    chosen = [_first_by_rank(found[index], rank, windows, each) for index in range(len(patterns))]
    nothing = [np.zeros(0, dtype=np.int64)]
    positions = np.unique(np.concatenate(chosen or nothing))
    return Sample(tuple(patterns), positions, tuple(np.searchsorted(positions, one) for one in chosen), counts)


def recurring(
    ids: Integer[np.ndarray, " tokens"],
    windows: Windows,
    places: Integer[np.ndarray, " places"],
    groups: Integer[np.ndarray, " places"],
    longest: int = LONGEST,
    skips: bool = True,
) -> Recurring:
    """Patterns that end at two or more `places` of one group (those of one neuron), and every place's own token.

    Exact: no pattern of up to `longest` tokens with any tokens left out is missed. `skips=False` leaves out none.
    """
    reach = windows.reach(places)
    context = np.stack([_before(ids, places, reach, back) for back in range(longest)], axis=1)
    found: list[Pattern] = []
    which: list[np.ndarray] = []
    where: list[np.ndarray] = []
    for used in _shapes(longest, skips):
        for pattern, members in _alike(context, groups, used):
            which.append(np.full(len(members), len(found)))
            where.append(members)
            found.append(pattern)
    nothing = [np.zeros(0, dtype=np.int64)]
    return Recurring(tuple(found), np.concatenate(which or nothing), np.concatenate(where or nothing))


def parts(pattern: Pattern) -> set[Pattern]:
    """Every pattern that is `pattern` with some tokens left out or cut off at its left: its suffixes are among them."""
    options = [(token,) if token is None else (token, None) for token in pattern]
    made = {_stripped(choice) for choice in product(*options)}
    return made - {pattern, ()}


def written(pattern: Pattern, display: Sequence[str] | dict[int, str]) -> str:
    """The pattern as it is read, from how each token is shown: `·the * ·of`."""
    return " ".join("*" if token is None else display[token] for token in pattern)


def _even_share(counts: Integer[np.ndarray, " patterns"], budget: int) -> int:
    """The largest share that every pattern can have, those that occur less often keeping what they have."""
    low, high = 0, int(counts.max(initial=0))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if np.minimum(counts, middle).sum() <= budget else (low, middle - 1)
    return low


def _first_by_rank(
    positions: Integer[np.ndarray, " positions"], rank: Integer[np.ndarray, " windows"], windows: Windows, share: int
) -> Integer[np.ndarray, " chosen"]:
    if len(positions) <= share:
        return positions
    # Within a window the order is scattered too (Knuth's multiplicative hash): the last window is cut without favour.
    scattered = (positions.astype(np.int64) * 2654435761) & 0xFFFFFFFF
    order = np.argsort((rank[windows.of(positions)] << 32) + scattered, kind="stable")
    return np.sort(positions[order[:share]])


def _anchor(pattern: Pattern) -> tuple[int, int]:
    """The last token of a pattern, and how many skipped ones follow it."""
    for after, token in enumerate(reversed(pattern)):
        if token is not None:
            return token, after
    raise ValueError("a pattern names at least one token")


def _places(ids: Integer[np.ndarray, " tokens"], wanted: set[int]) -> dict[int, Integer[np.ndarray, " positions"]]:
    """Where each wanted token stands."""
    if len(wanted) <= 8:
        return {token: np.flatnonzero(ids == token) for token in wanted}
    keys = np.array(sorted(wanted))
    among = np.zeros(max(int(ids.max(initial=0)), int(keys[-1])) + 1, dtype=bool)
    among[keys] = True
    positions = np.flatnonzero(among[ids])
    order = np.argsort(ids[positions], kind="stable")
    positions = positions[order]
    sorted_ids = ids[positions]
    left, right = np.searchsorted(sorted_ids, keys, "left"), np.searchsorted(sorted_ids, keys, "right")
    return {int(key): positions[a:b] for key, a, b in zip(keys, left, right, strict=True)}


def _found(
    pattern: Pattern,
    ids: Integer[np.ndarray, " tokens"],
    ends: Integer[np.ndarray, " ends"],
    reach: Integer[np.ndarray, " ends"],
    known: dict[Pattern, np.ndarray],
) -> Integer[np.ndarray, " found"]:
    """Which of `ends` end with `pattern`, by way of the pattern without its first token."""
    if pattern not in known:
        back = len(pattern) - 1
        rest = _stripped(pattern[1:])
        among = _found(rest, ids, ends, reach, known) if rest else np.arange(len(ends))
        among = among[reach[among] >= back]
        known[pattern] = among[ids[ends[among] - back] == pattern[0]]
    return known[pattern]


def _stripped(pattern: Pattern) -> Pattern:
    for i, token in enumerate(pattern):
        if token is not None:
            return pattern[i:]
    return ()


def _before(
    ids: Integer[np.ndarray, " tokens"],
    places: Integer[np.ndarray, " places"],
    reach: Integer[np.ndarray, " places"],
    back: int,
) -> Integer[np.ndarray, " places"]:
    """The token so many places back, -1 where the window had begun later."""
    there = reach >= back
    return np.where(there, ids[np.where(there, places.astype(np.int64) - back, 0)].astype(np.int64), -1)


def _shapes(longest: int, skips: bool) -> Iterator[tuple[int, ...]]:
    """How far back the tokens of a pattern stand: every choice, (0,) first."""
    for length in range(1, longest + 1):
        for inner in product((True, False), repeat=length - 1):
            if skips or all(inner):
                yield (*(back for back, used in enumerate(inner) if used), length - 1)


def _alike(
    context: Integer[np.ndarray, "places longest"], groups: Integer[np.ndarray, " places"], used: tuple[int, ...]
) -> Iterator[tuple[Pattern, Integer[np.ndarray, " members"]]]:
    """The patterns of one shape, with the places that end with each."""
    there = np.flatnonzero(context[:, used[-1]] >= 0)
    code = np.zeros(len(there), dtype=np.int64)
    for back in used:
        # Numbering the pairs anew at each step keeps codes far below 2**63, so that no two patterns can be confused.
        code = np.unique((code << 32) + context[there, back], return_inverse=True)[1]
    if used != (0,):
        repeats = _repeating(code, groups[there])
        there, code = there[repeats], code[repeats]
    order = np.argsort(code, kind="stable")
    for members in np.split(there[order], np.flatnonzero(np.diff(code[order])) + 1):
        if len(members):
            tokens: list[int | None] = [None] * (used[-1] + 1)
            for back in used:
                tokens[-1 - back] = int(context[members[0], back])
            yield tuple(tokens), members


def _repeating(
    code: Integer[np.ndarray, " places"], groups: Integer[np.ndarray, " places"]
) -> Bool[np.ndarray, " places"]:
    """The places whose code occurs twice or more in some group."""
    _, pair, times = np.unique((code << 32) + groups, return_inverse=True, return_counts=True)
    repeats = np.zeros(int(code.max(initial=0)) + 1, dtype=bool)
    repeats[code[times[pair] > 1]] = True
    return np.asarray(repeats[code])
