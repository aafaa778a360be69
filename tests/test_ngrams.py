"""Patterns are found where they stand and nowhere else: checked against a walk through every token."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuronscope.ngrams import Windows, every_occurrence, occurrences, parts, recurring, sample, written


def cut(tokens: int, length: int, overlap: int = 0, skip_first: bool = False) -> Windows:
    """Windows of `length` tokens, of which `overlap` were counted by the one before."""
    starts = np.arange(0, tokens, length - overlap)
    first = np.maximum(starts - overlap, 0)
    stop = np.minimum(starts + length - overlap, tokens)
    start = np.minimum(starts + (skip_first if overlap == 0 else starts == 0), stop)
    return Windows(first, start, stop)


def walked(ids: np.ndarray, windows: Windows, pattern: tuple[int | None, ...]) -> list[int]:
    """Every counted token, compared token by token."""
    found = []
    for first, start, stop in zip(windows.first, windows.start, windows.stop, strict=True):
        for end in range(start, stop):
            begin = end - len(pattern) + 1
            if begin >= first and all(t is None or t == i for t, i in zip(pattern, ids[begin : end + 1], strict=True)):
                found.append(end)
    return found


patterns = st.tuples(st.integers(0, 3)) | st.builds(
    lambda head, rest: (head, *rest), st.integers(0, 3), st.lists(st.integers(0, 3) | st.none(), max_size=4)
)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), patterns, st.integers(3, 9), st.integers(0, 2))
def test_occurrences_are_those_of_a_walk_through_every_token(ids, pattern, length, overlap):
    made = np.array(ids, dtype=np.uint16)
    windows = cut(len(ids), length, overlap, skip_first=True)
    assert occurrences(made, windows, pattern).tolist() == walked(made, windows, pattern)


def test_a_pattern_does_not_reach_across_the_start_of_a_window():
    ids = np.array([1, 2, 1, 2], dtype=np.uint32)
    assert occurrences(ids, cut(4, 4), (1, 2)).tolist() == [1, 3]
    assert occurrences(ids, Windows(np.array([0, 3]), np.array([0, 3]), np.array([3, 4])), (1, 2)).tolist() == [1]


def test_context_that_an_earlier_window_counted_is_seen_and_not_counted_again():
    ids = np.array([1, 2, 3, 4, 5, 6], dtype=np.uint16)
    windows = Windows(np.array([0, 2]), np.array([0, 4]), np.array([4, 6]))
    assert occurrences(ids, windows, (4, 5)).tolist() == [4]
    assert occurrences(ids, windows, (2, 3, 4, 5)).tolist() == []
    assert windows.counted == 6


def test_many_patterns_at_once_are_each_as_alone():
    random = np.random.default_rng(0)
    ids = random.integers(0, 30, 5_000).astype(np.uint16)
    windows = cut(5_000, 50)
    asked = [(int(a),) for a in range(30)] + [(int(a), int(b)) for a, b in random.integers(0, 30, (40, 2))]
    asked += [(int(a), None, int(b)) for a, b in random.integers(0, 30, (40, 2))] + [(3, None), (3, None, None), (40,)]
    found = dict(every_occurrence(ids, windows, asked))
    assert sorted(found) == list(range(len(asked)))
    for index, pattern in enumerate(asked):
        assert found[index].tolist() == walked(ids, windows, pattern)


def test_what_recurs_is_all_that_recurs_and_within_one_group():
    #                 0  1  2  3  4  5  6  7  8  9 10 11
    ids = np.array([1, 2, 3, 9, 1, 4, 3, 9, 5, 2, 3, 9], dtype=np.uint16)
    windows = cut(12, 4)
    found = recurring(ids, windows, np.array([2, 6, 10]), np.array([0, 0, 1]))
    known = {p: found.place[found.which == i].tolist() for i, p in enumerate(found.patterns)}
    assert known == {(3,): [0, 1, 2], (1, None, 3): [0, 1], (1, None, None): [0, 1]}
    together = recurring(ids, windows, np.array([2, 6, 10]), np.zeros(3, dtype=int), skips=False)
    assert set(together.patterns) == {(3,), (2, 3)}


def test_the_parts_of_a_pattern_are_what_is_left_when_tokens_are_left_out():
    assert parts((1, 2)) == {(2,), (1, None)}
    assert parts((1, None, 2)) == {(2,), (1, None, None)}
    assert (2, 3) in parts((1, 2, 3))
    assert (1, None, 3) in parts((1, 2, 3))
    assert parts((7,)) == set()


def test_a_sample_keeps_to_its_budget_favours_no_occurrence_and_is_the_same_again():
    random = np.random.default_rng(1)
    ids = random.choice(3, 8_000, p=[0.9, 0.098, 0.002]).astype(np.uint16)
    windows = cut(8_000, 40)
    made = sample(ids, windows, [(0,), (1,), (2,)], 300)
    assert len(made.positions) <= 300
    assert len(made.members[2]) == made.counts[2] == (ids == 2).sum()
    assert len(made.members[0]) == len(made.members[1])
    assert (ids[made.positions[made.members[1]]] == 1).all()
    assert made.positions.tolist() == sample(ids, windows, [(0,), (1,), (2,)], 300).positions.tolist()
    # Over many seeds every occurrence is drawn equally often, within the windows too.
    drawn = np.zeros(8_000)
    for seed in range(200):
        one = sample(ids, windows, [(1,)], 100, seed)
        drawn[one.positions] += 1
    place = np.arange(8_000)[ids == 1] % 40
    share = drawn[ids == 1]
    assert share[place < 20].mean() == pytest.approx(share[place >= 20].mean(), rel=0.08)


def test_patterns_of_one_text_share_windows():
    ids = np.random.default_rng(2).integers(0, 20, 40_000).astype(np.uint16)
    windows = cut(40_000, 100)
    made = sample(ids, windows, [(token,) for token in range(20)], 600)
    assert len(np.unique(windows.of(made.positions))) < 20


def test_a_pattern_is_written_as_it_is_read():
    assert written((1, None, 2), {1: "the", 2: "·of"}) == "the * ·of"
