"""Planted causes are found and nothing longer than they are; numbers equal those counted over the whole corpus."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from neuronscope.analysis.reverse_query import Evidence, ReverseQuery, answer, ask, lift, plan, signed_g2
from neuronscope.errors import InputError
from neuronscope.ngrams import occurrences
from tests.analysis.planted_corpus import VOCABULARY, before, corpus, evidence, noisy

IDS, WINDOWS = corpus()
PREVIOUS = before(IDS, 1)
DISPLAY = {token: f"t{token}" for token in range(VOCABULARY)}


def query(values: np.ndarray, *, sign: str = "+", n=(1, 2, 3, 4, 5), budget: int | None = None, seed: int = 0):
    """Ask of one planted neuron; with a budget, measure as the model would."""
    known = evidence(IDS, WINDOWS, values, sign=-1 if sign == "-" else 1)
    return asked([known], [values], sign=sign, n=n, budget=budget, seed=seed)


def asked(
    known: list[Evidence], values: list[np.ndarray], *, sign="+", n=(1, 2, 3), budget=None, seed=0
) -> ReverseQuery:
    question = ask(known, IDS, WINDOWS, n=n, sign=sign)
    if budget is None:
        return answer(question, DISPLAY)
    chosen = plan(question, IDS, WINDOWS, budget, seed)
    return answer(question, DISPLAY, (chosen, np.stack(values, axis=1)[chosen.positions]))


def longer(made: ReverseQuery) -> list[tuple[int | None, ...]]:
    return made.table.loc[made.table["n"] > 1, "tokens"].tolist()


BUDGETS = pytest.mark.parametrize("budget", [None, 3_000], ids=["index alone", "measured"])


@BUDGETS
def test_a_bigram_is_found_and_nothing_longer(budget):
    made = query(noisy(IDS, (IDS == 21) & (PREVIOUS == 20)), budget=budget)
    assert longer(made) == [(20, 21)]
    assert made.table.iloc[0]["ngram"] == "t20 t21"
    assert made.table.iloc[0]["count"] == len(occurrences(IDS, WINDOWS, (20, 21)))


@BUDGETS
def test_a_query_stops_at_one_token_where_one_token_is_the_cause(budget):
    made = query(noisy(IDS, IDS == 17), budget=budget)
    assert longer(made) == []
    assert made.table.iloc[0]["tokens"] == (17,)
    assert made.table.iloc[0]["source"] == "corpus"
    assert (made.table["mean"][1:] < 0.1).all()


@BUDGETS
def test_a_class_of_tokens_is_its_tokens(budget):
    made = query(noisy(IDS, np.isin(IDS, [5, 9, 14, 33])), budget=budget)
    assert longer(made) == []
    assert {tokens[0] for tokens in made.table["tokens"][:4]} == {5, 9, 14, 33}


@BUDGETS
def test_a_skip_pattern_is_found_with_its_gap(budget):
    made = query(noisy(IDS, (IDS == 12) & (before(IDS, 2) == 7)), budget=budget)
    assert longer(made) == [(7, None, 12)]
    assert made.table.iloc[0]["ngram"] == "t7 * t12"


def test_a_neuron_that_looks_at_the_token_before_is_told_from_one_that_looks_at_its_own():
    made = query(noisy(IDS, PREVIOUS == 20), budget=20_000)
    assert made.table.iloc[0]["tokens"] == (20, None)
    assert longer(made) == [(20, None)]
    assert made.table.iloc[0]["mean"] == pytest.approx(3, abs=0.2)


def test_two_causes_of_different_length_are_both_listed():
    made = query(noisy(IDS, (IDS == 50) | ((IDS == 2) & (PREVIOUS == 1))), budget=3_000)
    assert set(made.table["tokens"][:2]) == {(50,), (1, 2)}
    assert longer(made) == [(1, 2)]


@BUDGETS
def test_a_negative_query_asks_of_minus_the_activation(budget):
    values = -noisy(IDS, (IDS == 21) & (PREVIOUS == 20)) + noisy(IDS, IDS == 3, seed=1)
    made = query(values, sign="-", budget=budget)
    assert made.sign == "-"
    assert longer(made) == [(20, 21)]
    assert (3,) not in made.table["tokens"].tolist()
    mirrored = query(-values, budget=budget).table
    assert "t20 t21" in mirrored["ngram"].tolist()
    # The index lists fewer of the least tokens than of the greatest; what both list is the same.
    both = made.table.merge(mirrored, on="ngram", suffixes=("", "_mirrored"))
    exact = both[both["source"] == both["source_mirrored"]]
    assert len(exact) >= 5
    assert exact["mean"].to_numpy() == pytest.approx(exact["mean_mirrored"].to_numpy(), rel=1e-3)


def test_noise_lists_no_ngram():
    for seed in range(8):
        assert longer(query(np.random.default_rng(seed).normal(size=len(IDS)), budget=3_000)) == []


def test_a_row_that_is_measured_whole_is_the_corpus_itself():
    values = noisy(IDS, (IDS == 21) & (PREVIOUS == 20))
    made = query(values, budget=10**6)
    row = made.table.iloc[0]
    own = values[occurrences(IDS, WINDOWS, (20, 21))]
    assert row["source"] == "corpus"
    assert made.exact.all()
    assert row["max"] == pytest.approx(own.max(), rel=1e-6)
    known = evidence(IDS, WINDOWS, values)
    kappa = min(known.within / known.between, 5)
    assert row["mean"] == pytest.approx((len(own) * own.mean() + kappa * known.mu) / (len(own) + kappa), rel=1e-6)
    fired = (own >= known.threshold).sum()
    table = [[fired, len(own) - fired], [known.firings - fired, WINDOWS.counted - len(own) - known.firings + fired]]
    expected = scipy.stats.chi2_contingency(table, correction=False, lambda_="log-likelihood")[0]
    assert row["g2"] == pytest.approx(expected, rel=1e-9)
    assert row["lift"] == pytest.approx(
        (fired + 0.5) / (len(own) + 1) / ((known.firings + 0.5) / (WINDOWS.counted + 1)), rel=1e-9
    )


def test_a_sample_says_how_large_it_is_and_comes_close():
    values = noisy(IDS, (IDS < 6) & (PREVIOUS < 6))
    whole = query(values, budget=10**6, n=(2,)).table.set_index("ngram")
    part = query(values, budget=2_000, n=(2,)).table.set_index("ngram")
    sampled = part[part["source"].str.startswith("sample of ")]
    both = sampled.index.intersection(whole.index)
    assert len(both) >= 10
    inside = (whole.loc[both, "mean"] - part.loc[both, "mean"]).abs() <= (part["high"] - part["mean"]).loc[both] * 1.5
    assert inside.mean() >= 0.85


def test_without_a_model_it_says_that_only_strong_contexts_are_known():
    table = query(noisy(IDS, (IDS == 21) & (PREVIOUS == 20))).table
    assert table.iloc[0]["source"] == "strong contexts only"
    assert (table.loc[table["n"] == 1, "source"] == "corpus").all()


def test_the_share_is_that_of_the_strong_positions_that_end_so():
    values = noisy(IDS, (IDS == 17) | (IDS == 30))
    known = evidence(IDS, WINDOWS, values)
    strong = known.positions[known.values >= known.threshold]
    table = query(values).table.set_index("ngram")
    assert table.loc["t17", "share"] == pytest.approx((IDS[strong] == 17).mean())
    assert table.loc[["t17", "t30"], "share"].sum() == pytest.approx(1)


def test_rows_are_in_the_order_of_their_shrunk_means_within_their_intervals():
    table = query(noisy(IDS, np.isin(IDS, [5, 9])), budget=2_000).table
    assert table["mean"].is_monotonic_decreasing
    assert ((table["low"] <= table["mean"]) & (table["mean"] <= table["high"])).all()
    assert (table["z"] > 0).all()


def test_what_all_members_share_comes_before_what_one_member_shouts():
    shared = [noisy(IDS, IDS == 17, seed=i, strength=1.0) for i in range(10)]
    values = [one + (noisy(IDS, IDS == 40, seed=50, strength=100.0) if i == 0 else 0) for i, one in enumerate(shared)]
    made = asked([evidence(IDS, WINDOWS, one, i) for i, one in enumerate(values)], values)
    first = made.table.iloc[0]
    assert made.unit == "z"
    assert first["tokens"] == (17,)
    assert first["agree"] >= 0.9
    loud = made.table[made.table["tokens"] == (40,)]
    assert loud.empty or loud.iloc[0]["agree"] == pytest.approx(0.1)


def test_a_member_of_which_nothing_is_known_counts_as_zero_and_as_not_agreeing():
    silent = np.random.default_rng(5).normal(size=len(IDS))
    values = [noisy(IDS, (IDS == 21) & (PREVIOUS == 20)), silent]
    known = [evidence(IDS, WINDOWS, one, i) for i, one in enumerate(values)]
    alone = asked(known[:1], values[:1]).table.set_index("ngram").loc["t20 t21"]
    both = asked(known, values).table.set_index("ngram").loc["t20 t21"]
    assert both["z"] == pytest.approx(alone["z"] / 2, rel=1e-9)
    assert both["agree"] == 0.5
    assert both["known"] == 0.5


def test_a_group_that_shares_a_bigram_finds_it():
    fires = (IDS == 21) & (PREVIOUS == 20)
    values = [noisy(IDS, fires, seed=i) for i in range(6)]
    known = [evidence(IDS, WINDOWS, one, i) for i, one in enumerate(values)]
    for budget in (None, 2_000):
        made = asked(known, values, budget=budget)
        assert longer(made) == [(20, 21)]
        assert made.table.iloc[0]["agree"] == 1


def test_g2_is_scipys_log_likelihood_with_a_sign():
    random = np.random.default_rng(0)
    for _ in range(50):
        count, firings = (int(x) for x in random.integers(1, 2_000, 2))
        fired = int(random.integers(0, min(count, firings) + 1))
        table = np.array([[fired, count - fired], [firings - fired, 50_000 - count - firings + fired]])
        expected = scipy.stats.chi2_contingency(table, correction=False, lambda_="log-likelihood")
        [made] = signed_g2(np.array([float(fired)]), np.array([count]), np.array([float(firings)]), 50_000)
        assert abs(made) == pytest.approx(expected[0], rel=1e-9, abs=1e-9)
        assert (made > 0) == (fired > expected[3][0, 0])


def test_lift_is_one_where_firing_is_as_likely_as_anywhere():
    [made] = lift(np.array([100.0]), np.array([1_000]), np.array([5_000.0]), 50_000)
    assert made == pytest.approx(1, rel=0.01)


def test_the_same_question_has_the_same_answer():
    values = noisy(IDS, (IDS == 12) & (before(IDS, 2) == 7))
    pd.testing.assert_frame_equal(query(values, budget=500).table, query(values, budget=500).table)


@pytest.mark.parametrize("value", [0.0, 2.5])
def test_a_neuron_that_never_varies_has_an_empty_answer(value):
    made = query(np.full(len(IDS), value))
    assert made.table.empty
    assert list(made.table.columns)[:3] == ["ngram", "tokens", "n"]
    assert made.without_effect == 1


def test_a_neuron_of_which_nothing_is_kept_has_an_empty_answer():
    bare = evidence(IDS, WINDOWS, noisy(IDS, IDS == 1))
    none = np.zeros(0)
    bare = Evidence(**{**vars(bare), "positions": none.astype(int), "values": none, "tokens": none.astype(int),
                       "token_means": none, "token_maxima": none})  # fmt: skip
    question = ask([bare], IDS, WINDOWS)
    assert answer(question, DISPLAY).table.empty
    assert len(plan(question, IDS, WINDOWS).positions) == 0


def test_questions_that_cannot_be_answered_are_refused():
    known = [evidence(IDS, WINDOWS, noisy(IDS, IDS == 1))]
    with pytest.raises(InputError, match="none is chosen"):
        ask([], IDS, WINDOWS)
    with pytest.raises(InputError, match="No sign '\\*'"):
        ask(known, IDS, WINDOWS, sign="*")
    with pytest.raises(InputError, match="1 to 5 tokens; 6 was asked for"):
        ask(known, IDS, WINDOWS, n=(6,))


def test_a_token_that_never_reaches_the_threshold_never_fires_without_being_measured():
    values = noisy(IDS, (IDS == 17) | ((IDS == 30) & (np.arange(len(IDS)) % 2 == 0)))
    values[IDS == 40] += 0.3
    table = query(values, n=(1,)).table.set_index("ngram")
    known = evidence(IDS, WINDOWS, values)
    assert known.token_maxima[known.tokens == 40] > 0
    count, firings, tokens = table.loc["t40", "count"], known.firings, WINDOWS.counted
    assert values[IDS == 40].max() < known.threshold
    assert table.loc["t40", "lift"] == pytest.approx(0.5 / (count + 1) / ((firings + 0.5) / (tokens + 1)))
    assert table.loc["t40", "g2"] < 0
