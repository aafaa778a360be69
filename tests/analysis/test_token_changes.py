"""What a neuron's weights came to read and write: gained, lost and kept are told apart by token, not by score."""

from dataclasses import replace

from neuronscope.analysis.drift import token_changes
from neuronscope.vocabulary import Neuron, NeuronWeights, TokenScore


def scores(*ids, scale=1.0):
    return tuple(TokenScore(i, f"t{i}", scale * (10 - rank)) for rank, i in enumerate(ids))


BEFORE = NeuronWeights(
    neuron=Neuron(0, 0),
    reads_most=scores(1, 2, 3),
    reads_least=scores(4, 5, 6, scale=-1.0),
    gate_reads_most=(),
    gate_reads_least=(),
    promotes=scores(7, 8, 9),
    suppresses=scores(10, 11, 12, scale=-1.0),
    norm_in=1.0,
    norm_gate=None,
    norm_out=1.0,
    bias=0.0,
    write_kurtosis=None,
    write_skewness=None,
)


def ids(found):
    return [one.id for one in found]


def test_each_list_is_split_and_keeps_the_scores_of_the_side_it_is_of():
    after = replace(BEFORE, reads_most=scores(3, 20, 1, scale=2.0), promotes=scores(9, 8, 7))
    reads, least, promotes, suppresses = token_changes(BEFORE, after)
    assert (reads.what, reads.most, least.most) == ("reads", True, False)
    assert (ids(reads.gained), ids(reads.lost), ids(reads.kept)) == ([20], [2], [3, 1])
    assert [one.score for one in reads.gained + reads.lost + reads.kept] == [18, 9, 20, 16]
    assert (promotes.what, promotes.gained, promotes.lost, ids(promotes.kept)) == ("writes", (), (), [9, 8, 7])
    assert [one for one in (least, suppresses) if one.gained or one.lost] == []


def test_a_list_that_only_one_of_them_has_is_gained_or_lost_whole():
    gated = replace(BEFORE, gate_reads_most=scores(1, 2))
    gained, lost = token_changes(BEFORE, gated), token_changes(gated, BEFORE)
    assert [changed(one) for one in gained if one.what == "gate"] == [([1, 2], [])]
    assert [changed(one) for one in lost if one.what == "gate"] == [([], [1, 2])]


def changed(one):
    return ids(one.gained), ids(one.lost)
