"""Rows that are handed out all at once, as on a GPU, and one after the other, as on a CPU, come to the same."""

import math

import torch

from neuronscope.index.accumulators import UNSEEN
from neuronscope.index.rows import add_rows, count_rows


def test_sums_and_maxima_are_the_same_either_way():
    torch.manual_seed(0)
    values, places, slots = torch.randn(40, 12), torch.arange(3, 33), torch.randint(0, 5, (30,))
    found = []
    for at_once in (True, False):
        sums, maxima = torch.zeros(6, 12), torch.full((6, 12), -math.inf)
        for _ in range(2):
            add_rows(values, places, slots, sums, maxima, at_once=at_once)
        found.append((sums, maxima))
    assert torch.allclose(found[0][0], found[1][0], atol=1e-5)
    assert torch.equal(found[0][1], found[1][1])
    own = values[places][slots == 2]
    assert torch.allclose(found[1][0][2], 2 * own.sum(0), atol=1e-5)
    assert torch.equal(found[1][1][2], own.max(0).values)
    assert (found[1][1][5] == -math.inf).all()


def test_bins_and_their_first_examples_are_the_same_either_way():
    torch.manual_seed(0)
    neurons, tokens, bins = 9, 50, 4
    values = torch.randn(tokens, neurons).half()
    places = torch.randint(0, bins, (tokens, neurons)) * neurons + torch.arange(neurons)
    keys = torch.randperm(tokens) << 33
    found = []
    for at_once in (True, False):
        counts = torch.zeros(bins * neurons, dtype=torch.int32)
        examples, shown = torch.full((bins * neurons,), UNSEEN), torch.zeros(bins * neurons, dtype=torch.float16)
        for part in (slice(0, 20), slice(20, tokens)):
            count_rows(places[part], keys[part], values[part], counts, examples, shown, at_once=at_once)
        found.append((counts, examples, shown))
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)
    counts, examples, shown = found[0]
    assert counts.sum() == tokens * neurons
    place = int(places[7, 3])
    inside = (places[:, 3] == place).nonzero().squeeze(1)
    first = inside[keys[inside].argmin()]
    assert (int(examples[place]), float(shown[place])) == (int(keys[first]), float(values[first, 3]))
