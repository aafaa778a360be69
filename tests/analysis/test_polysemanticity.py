"""Senses of neurons planted in what the demo model's own MLPs read: how many unrelated things each answers to."""

import itertools
import json

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from neuronscope.analysis.polysemanticity import (
    RECORD,
    Polysemanticity,
    senses,
    strong_contexts,
)
from neuronscope.demo.world import texts
from neuronscope.errors import NoSuchNeuron
from neuronscope.index.measure import inputs
from neuronscope.scope import Workspace
from neuronscope.settings import Settings
from neuronscope.vocabulary import Neuron

TOKENS = 25_000


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """What enters the third MLP of the demo model at each token, the token, and its text."""
    home = tmp_path_factory.mktemp("home")
    workspace = Workspace(Settings(home / "cache", home / "data", offline=True))
    scope = workspace.scope("demo:stories")
    corpus = home / "texts.jsonl"
    corpus.write_text("\n".join(json.dumps({"text": text}) for text in itertools.islice(texts(7), 450)))
    known = scope.index(corpus, tokens=TOKENS).store.corpus
    positions = np.flatnonzero(known.counted)
    x = np.zeros((len(positions), scope.card.width), np.float16)
    inputs(scope._lent, known, positions, {2: x})
    workspace.close()
    return x.astype(np.float32), np.asarray(known.ids[positions]), known.window_of(positions)


class World:
    """A corpus in which neurons with a known number of concepts can be planted."""

    def __init__(self, x, ids, window, rogue=False):
        if rogue:  # as in trained models: two dimensions with a mean and a variance far above all others
            noise = np.random.default_rng(3).normal(size=(len(x), 2))
            x = x.copy()
            x[:, :2] += (40 + 3 * noise) * x.std()
        self.x, self.ids, self.window = x, ids, window
        self.centre = x.mean(0)
        self.moved = x - self.centre
        covariance = np.cov(self.moved.T)
        self.covariance = covariance + 1e-3 * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
        kinds, count = np.unique(ids, return_counts=True)
        self.common = kinds[(count >= 40) & (count < 0.02 * len(ids))]
        means = np.stack([self.moved[ids == kind].mean(0) for kind in self.common])
        means /= np.linalg.norm(means, axis=1, keepdims=True)
        self.alike = means @ means.T
        self.first = np.random.default_rng(5).random(window.max() + 1) < 0.5
        self.background = np.random.default_rng(1).permutation(len(x))[:600]

    def families(self, random, number):
        """Tokens that the model reads alike, one to three of a kind, and kinds that it reads apart."""
        while True:
            heads = random.choice(len(self.common), number, replace=False)
            if (self.alike[np.ix_(heads, heads)] - np.eye(number)).max() < 0.3:
                return [self.common[np.argsort(-self.alike[head])[: random.integers(1, 4)]] for head in heads]

    def weights(self, families):
        """A neuron that answers to each family with 1 on average, and else to as little as can be."""
        directions = np.stack([self.moved[np.isin(self.ids, family)].mean(0) for family in families], axis=1)
        solved = np.linalg.solve(self.covariance, directions)
        return solved @ np.linalg.solve(directions.T @ solved, np.ones(len(families)))

    def scored(self, weights):
        fires = np.maximum(self.moved @ weights - 0.4, 0)
        chosen = strong_contexts(fires, self.window)
        assert chosen.verdict == "scored"
        at = chosen.places
        around = (self.x[self.background] - self.centre) * weights
        return senses((self.x[at] - self.centre) * weights, fires[at], around, self.first[self.window[at]])

    def planted(self, number=40, seed=0):
        """The true numbers of concepts, and what was found, of neurons with one, two and three."""
        random = np.random.default_rng(seed)
        found = []
        for concepts in (1, 2, 3):
            found += [(concepts, self.scored(self.weights(self.families(random, concepts)))) for _ in range(number)]
        return np.array([concepts for concepts, _ in found]), [one for _, one in found]


@pytest.mark.parametrize("rogue", [False, True], ids=["as it is", "two rogue dimensions"])
def test_neurons_with_one_two_and_three_concepts_are_told_apart(read, rogue):
    truth, found = World(*read, rogue=rogue).planted()
    effective = np.array([one.effective for one in found])
    modes = np.array([one.modes for one in found])
    assert roc_auc_score(truth > 1, effective) >= 0.93
    assert spearmanr(truth, effective).statistic >= 0.75
    assert np.median(effective[truth == 1]) <= 1.15
    assert [np.median(modes[truth == number]) for number in (1, 2, 3)] == [1, 2, 3]
    halves = np.array([[one.half_a, one.half_b] for one in found])
    known = np.isfinite(halves).all(1)
    assert known.mean() > 0.8
    assert spearmanr(*halves[known].T).statistic >= 0.85
    confirmed = np.array([one.confirmed for one in found])
    assert confirmed[truth == 1].mean() < 0.25 < 0.6 < confirmed[truth > 1].mean()


def made(directions, seed=0, noise=0.25):
    """Contributions around given directions, with noise, and a background of noise alone."""
    random = np.random.default_rng(seed)
    width = directions.shape[1]
    around = random.normal(size=(600, width))
    return directions + noise * random.normal(size=directions.shape) / np.sqrt(width), around


def test_a_document_that_stands_in_the_corpus_many_times_is_no_sense():
    random = np.random.default_rng(0)
    values = np.concatenate([random.uniform(0.5, 1, 100), np.full(60, 0.9), np.zeros(400)])
    windows = np.arange(560)
    copies = np.concatenate([np.arange(100), np.full(60, 1000), np.arange(1001, 1401)])
    fooled = strong_contexts(values, windows).places
    chosen = strong_contexts(values, windows, alike=copies).places
    assert (fooled >= 100).sum() == 60
    assert (chosen >= 100).sum() == 1
    directions = np.where((np.arange(160) < 100)[:, None], np.eye(32)[0], np.eye(32)[1])
    contributions, around = made(directions)
    halves = random.random(160) < 0.5
    naive = senses(contributions[fooled], values[fooled], around, halves[fooled])
    honest = senses(contributions[chosen], values[chosen], around, halves[chosen])
    assert (naive.modes, naive.confirmed) == (2, True)
    assert (honest.modes, honest.confirmed) == (1, False)
    assert honest.effective <= 1.1


def test_how_often_tokens_occur_makes_no_sense_and_hides_none(read):
    world = World(*read)
    random = np.random.default_rng(2)
    # One concept of tokens from the rarest to the most frequent is one; two, one six times as frequent, are two.
    counts = {token: int((world.ids == token).sum()) for token in world.common}
    one = np.array([1.0, *[0.0] * 31])
    zipf = np.repeat(np.arange(8), (200 / (1 + np.arange(8))).astype(int))
    contributions, around = made(one + 0.3 * np.eye(32)[8 + zipf])
    same = senses(contributions, np.ones(len(zipf)), around, random.random(len(zipf)) < 0.5)
    assert same.effective <= 1.15
    pairs = sorted(counts, key=counts.get)
    rare, frequent = pairs[0], pairs[-1]
    assert counts[frequent] > 4 * counts[rare]
    two = world.scored(world.weights([np.array([rare]), np.array([frequent])]))
    assert two.modes == 2
    assert 1.3 < two.effective < 2.5


def test_labels_follow_the_planted_senses_and_say_how_far_apart_they_are():
    truth = np.arange(120) % 3
    contributions, around = made(np.eye(40)[truth])
    weights = np.where(truth == 2, 3.0, np.where(truth == 0, 2.0, 1.0))
    found = senses(contributions, weights, around, np.arange(120) < 60)
    assert found.shares == pytest.approx([3 / 6, 2 / 6, 1 / 6])
    assert [set(truth[found.labels == label]) for label in range(3)] == [{2}, {0}, {1}]
    assert found.effective == pytest.approx(np.exp(-sum(p * np.log(p) for p in (3 / 6, 2 / 6, 1 / 6))))
    assert found.confirmed
    assert all(0.7 < found.separation(label) < 1.1 for label in range(3))
    flat = found.flat()
    middles = np.stack([flat[found.labels == label].mean(0) for label in range(3)])
    spread = max(flat[found.labels == label].std() for label in range(3))
    apart = [np.linalg.norm(a - b) for a, b in itertools.combinations(middles, 2)]
    assert min(apart) > 2 * spread


def test_the_order_of_contexts_changes_nothing():
    random = np.random.default_rng(4)
    contributions, around = made(np.eye(24)[np.arange(90) % 2], noise=1.5)
    values, halves, order = random.random(90), random.random(90) < 0.5, random.permutation(90)
    a = senses(contributions, values, around, halves)
    b = senses(contributions[order], values[order], around, halves[order])
    assert a.effective == pytest.approx(b.effective, rel=1e-6)
    assert (a.half_a, a.half_b, a.confirmed) == pytest.approx((b.half_a, b.half_b, b.confirmed), rel=1e-6)


def test_contexts_that_cannot_be_compared_are_not():
    windows = np.arange(1000)
    assert strong_contexts(np.zeros(1000), windows).verdict == "never fires"
    assert strong_contexts(-np.ones(1000), windows).verdict == "never fires"
    assert strong_contexts(np.zeros(0), windows[:0]).verdict == "never fires"
    assert strong_contexts(np.ones(1000), windows).verdict == "dense"
    assert strong_contexts(np.array([1.0]), windows[:1]).verdict == "dense"
    few = np.zeros(1000)
    few[:19] = 1
    assert strong_contexts(few, windows).verdict == "too little evidence"
    few[:20] = 1
    assert strong_contexts(few, windows).verdict == "scored"
    assert strong_contexts(few, np.zeros(1000, int)).verdict == "too little evidence"


def test_contexts_are_drawn_evenly_down_the_ranking():
    values = np.concatenate([np.linspace(1, 0.3, 500), np.zeros(1500)])
    chosen = strong_contexts(values, np.arange(2000))
    assert len(chosen.places) == 200
    assert chosen.strong == 500
    assert values[chosen.places].mean() == pytest.approx(values[:500].mean(), rel=0.01)
    assert values[chosen.places][0] == 1


def test_constant_contexts_are_one_sense_and_nothing_has_none():
    same = senses(np.ones((30, 4)), np.ones(30), np.ones((10, 4)), np.arange(30) < 15)
    assert (same.effective, same.modes, same.confirmed) == (pytest.approx(1), 1, False)
    zero = senses(np.zeros((30, 4)), np.ones(30), np.zeros((10, 4)), np.arange(30) < 15)
    assert np.isfinite(zero.effective)


def test_a_table_of_nothing_is_empty_and_a_neuron_that_was_not_looked_at_is_named():
    nothing = Polysemanticity(np.zeros(0, RECORD), 0, {}, np.zeros(0, np.uint16))
    assert nothing.table.empty
    assert np.isnan(nothing.retest)
    with pytest.raises(NoSuchNeuron, match=r"L1\.N2"):
        nothing.of(Neuron(1, 2))
