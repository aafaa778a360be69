"""The shortest context that keeps half of an activation is found, of either sign."""

from __future__ import annotations

import numpy as np
import pytest

from neuronscope.analysis.minimal_context import MinimalContext, shortest, sought, suffix_lengths


def test_no_context_is_longer_than_what_stands_before():
    assert suffix_lengths(0) == (1,)
    assert suffix_lengths(3) == (1, 2, 3, 4)
    assert suffix_lengths(13) == (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12)
    assert suffix_lengths(500)[-3:] == (16, 24, 32)


def test_a_unigram_needs_one_token_and_a_bigram_two():
    assert shortest((1, 2, 3), np.array([2.9, 3.0, 3.0]), 3.0).length == 1
    assert shortest((1, 2, 3), np.array([0.1, 3.0, 3.0]), 3.0).length == 2


def test_half_is_enough_and_less_is_not():
    assert shortest((1, 2), np.array([1.0, 2.0]), 2.0) == MinimalContext(1, 0.5, 2.0)
    assert shortest((1, 2), np.array([0.99, 2.0]), 2.0).length == 2


def test_a_negative_activation_is_kept_when_it_stays_negative():
    assert shortest((1, 2), np.array([3.0, -1.5]), -2.0) == MinimalContext(2, 0.75, -2.0)


@pytest.mark.parametrize("lengths", [(), (1, 2)])
def test_where_nothing_is_enough_there_is_no_length(lengths):
    made = shortest(lengths, np.full(len(lengths), 0.1), 1.0)
    assert made.length is None
    assert made.kept == pytest.approx(0.1 if lengths else 0)


def test_an_activation_of_nothing_has_no_minimum():
    assert shortest((1,), np.array([0.0]), 0.0) == MinimalContext(None, 0.0, 0.0)


def test_longer_suffixes_are_run_only_where_shorter_ones_are_not_enough():
    asked = []
    needs = [1, 2, 5, 40, 1]

    def run(suffixes):
        asked.extend(suffixes)
        return np.array([3.0 if length >= needs[place] else 0.0 for place, length in suffixes])

    found = sought([30, 30, 30, 30, 0], [3.0, 3.0, 3.0, 3.0, 0.0], run)
    assert [one.length for one in found] == [1, 2, 5, None, None]
    assert max(length for place, length in asked if place == 0) == 2
    assert max(length for place, length in asked if place == 3) == 24
    assert not [place for place, _ in asked if place == 4]
    assert len(set(asked)) == len(asked)


def test_stages_find_what_all_at_once_would():
    random = np.random.default_rng(0)
    values = {place: random.uniform(-1, 2, 32) for place in range(200)}
    before, whole = random.integers(0, 40, 200).tolist(), random.uniform(0.5, 4, 200).tolist()
    found = sought(before, whole, lambda asked: np.array([values[place][length - 1] for place, length in asked]))
    for place, one in enumerate(found):
        lengths = suffix_lengths(before[place])
        assert one == shortest(lengths, values[place][[length - 1 for length in lengths]], whole[place])
