"""Names of groups: what is distinctive of one, not what is frequent in all."""

import numpy as np
import pytest

from neuronscope.analysis.naming import distinctive, spoken


def test_a_token_of_one_group_is_more_distinctive_than_one_of_all():
    groups = np.repeat([0, 1, 2], 10)
    tokens = np.array(([99] * 6 + [1] * 4) + ([99] * 6 + [2] * 4) + ([99] * 6 + [3] * 4))
    found = distinctive(groups, tokens, np.ones(30), 3)
    assert [one[0] for one in found] == [1, 2, 3]
    assert all(one[1] == 99 for one in found)


def test_weights_are_those_of_the_formula():
    groups, tokens, amounts = np.array([0, 0, 1]), np.array([5, 6, 5]), np.array([2.0, 1.0, 3.0])
    mean = 6 / 2
    weight = {5: 2 * np.log1p(mean / 5), 6: 1 * np.log1p(mean / 1)}
    assert distinctive(groups, tokens, amounts, 2)[0] == tuple(sorted(weight, key=weight.get, reverse=True))


def test_entries_of_no_group_do_not_count_and_an_empty_group_has_no_name():
    found = distinctive(np.array([-1, 1]), np.array([7, 8]), np.ones(2), 3)
    assert found == [(), (8,), ()]
    assert distinctive(np.zeros(0, int), np.zeros(0, int), np.zeros(0), 0) == []


@pytest.mark.parametrize(
    ("tokens", "name"),
    [(("·the", "The", "·a", "·on", "·in"), "·the ·a ·on"), (("·", "·x"), "· ·x"), ((), "")],
)
def test_a_name_says_a_word_once(tokens, name):
    assert spoken(tokens) == name
