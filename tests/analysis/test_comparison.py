"""Two texts are compared token by token where they correspond, and what has no counterpart is counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuronscope.analysis.comparison import compare
from neuronscope.errors import InputError
from neuronscope.vocabulary import Activations
from tests.analysis.test_ranking import activations


def on(ids: list[int]) -> Activations:
    """Activations that say which token they belong to: value = 100 × id + position."""
    made = activations(np.array([[[100 * token + i] for i, token in enumerate(ids)]]))
    return replace(made, tokens=replace(made.tokens, ids=np.array(ids)))


def test_a_replaced_token_is_paired_with_its_replacement() -> None:
    found = compare(on([1, 2, 3, 4]), on([1, 2, 9, 4]))
    assert found.pairs.tolist() == [[0, 0], [1, 1], [2, 2], [3, 3]]
    assert found.difference[0, :, 0].tolist() == [0, 0, 600, 0]
    assert not found.unpaired_a
    assert not found.unpaired_b


def test_an_inserted_token_has_no_counterpart_and_shifts_the_rest() -> None:
    found = compare(on([1, 2, 3]), on([1, 7, 8, 2, 3]))
    assert found.pairs.tolist() == [[0, 0], [1, 3], [2, 4]]
    assert found.unpaired_b == (1, 2)
    assert found.difference[0, :, 0].tolist() == [0, 2, 2]


def test_texts_with_nothing_in_common_but_unlike_lengths_have_no_pairs() -> None:
    found = compare(on([1, 2]), on([3, 4, 5]))
    assert found.pairs.shape == (0, 2)
    assert found.difference.shape == (1, 0, 1)
    assert found.unpaired_a == (0, 1)


def test_two_models_are_compared_where_their_tokens_say_the_same() -> None:
    first = on([1, 2, 3])
    other = replace(first, source=replace(first.source, model="another"), values=first.values + 1)
    found = compare(first, other)
    assert found.models
    assert found.difference.ravel().tolist() == [1, 1, 1]
    assert not compare(first, first).models


def test_different_layers_are_refused() -> None:
    with pytest.raises(InputError, match="at one site, on the same layers of as many units"):
        compare(on([1]), replace(on([1]), layers=(3,)))
