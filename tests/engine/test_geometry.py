"""The geometry of superposition: capacities of known polytopes, interference of planted and of random directions."""

import numpy as np
import pytest
import torch

import neuronscope as ns
from neuronscope.engine.geometry import overlap, overlap_of
from neuronscope.errors import InputError, NoSuchLayer
from tests.models_for_tests import gpt2, llama, tokenizer


def polygon(corners):
    angles = np.arange(corners) / corners * 2 * np.pi
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


TETRAHEDRON = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
SQUARE_ANTIPRISM = np.concatenate(
    [
        np.column_stack([polygon(4), np.full(4, 1 / np.sqrt(2))]),
        np.column_stack([polygon(8)[1::2], np.full(4, -1 / np.sqrt(2))]),
    ]
)


@pytest.mark.parametrize(
    ("rows", "capacity"),
    [
        (np.eye(5), 1),
        (np.array([[1, 0], [-1, 0]]), 1 / 2),
        (polygon(3), 2 / 3),
        (TETRAHEDRON, 3 / 4),
        (polygon(5), 2 / 5),
        (SQUARE_ANTIPRISM, 3 / 8),
    ],
    ids=["orthonormal", "pair", "triangle", "tetrahedron", "pentagon", "square antiprism"],
)
def test_the_corners_of_a_polytope_share_its_dimensions(rows, capacity):
    found = overlap_of(torch.tensor(rows, dtype=torch.float32) * 3)
    assert found.capacity == pytest.approx(capacity, abs=1e-6)


def test_capacity_is_the_sum_over_all_pairs():
    rows = torch.randn(90, 24, generator=torch.Generator().manual_seed(0))
    exact = rows.double()
    plain = exact.square().sum(1) ** 2 / (exact @ exact.T).square().sum(1)
    assert overlap_of(rows).capacity == pytest.approx(plain.numpy(), rel=1e-12)
    assert overlap_of(rows).capacity.sum() <= 24


def test_a_doubled_direction_interferes_wholly_and_random_ones_about_as_chance_says():
    rows = torch.randn(3000, 64, generator=torch.Generator().manual_seed(1))
    rows[7] = -2 * rows[2500]
    found = overlap_of(rows)
    assert found.interference[[7, 2500]] == pytest.approx(1, abs=1e-5)
    assert (found.nearest[7], found.nearest[2500]) == (2500, 7)
    assert np.median(found.interference) == pytest.approx(found.by_chance, rel=0.15)


def test_a_direction_of_no_length_overlaps_nothing_and_one_alone_has_a_dimension():
    rows = torch.eye(3)
    rows[1] = 0
    found = overlap_of(rows)
    assert found.capacity.tolist() == [1, 0, 1]
    assert found.interference.tolist() == [0, 0, 0]
    assert overlap_of(torch.ones(1, 4)).interference.tolist() == [0]


def test_a_models_layer_is_asked_by_what_its_neurons_read_or_write():
    scope = ns.attach(llama(), tokenizer())
    with scope.workspace.manager.lend(scope.key) as model:
        by = [overlap(model, 1, one) for one in ("read", "gate", "write")]
        assert len({round(float(one.capacity.sum()), 6) for one in by}) == 3
        with pytest.raises(NoSuchLayer):
            overlap(model, 99)
    scope = ns.attach(gpt2(), tokenizer())
    with scope.workspace.manager.lend(scope.key) as model, pytest.raises(InputError, match="gate"):
        overlap(model, 0, "gate")
