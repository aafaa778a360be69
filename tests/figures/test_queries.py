"""A reverse query as drawn: means with intervals and counts, what is not exact shown open, hostile tokens as text."""

from __future__ import annotations

import numpy as np
import pytest

from neuronscope.analysis.reverse_query import ReverseQuery, answer, ask
from neuronscope.figures import DARK, LIGHT, reverse_query
from neuronscope.vocabulary import Source
from neuronscope.vocabulary import visible as shown
from tests.analysis.planted_corpus import VOCABULARY, before, corpus, evidence, noisy
from tests.figures.texts import HOSTILE, array, drawn, labels

IDS, WINDOWS = corpus()
BIGRAM = (IDS == 21) & (before(IDS, 1) == 20)


def result(fires: np.ndarray = BIGRAM, sign: str = "+", members: int = 1, display=None) -> ReverseQuery:
    direction = 1 if sign == "+" else -1
    known = [
        evidence(IDS, WINDOWS, direction * noisy(IDS, fires, seed), seed, sign=direction) for seed in range(members)
    ]
    names = display or {token: f"t{token}" for token in range(VOCABULARY)}
    return answer(ask(known, IDS, WINDOWS, sign=sign), names)


def test_every_row_is_a_dot_with_its_interval_and_its_count():
    made = result()
    dots = drawn(reverse_query(made, count=5))["data"][0]
    assert array(dots["x"]) == pytest.approx(made.table["mean"][:5].to_numpy(), rel=1e-6)
    half = (made.table["high"] - made.table["mean"])[:5].to_numpy()
    assert array(dots["error_x"]["array"]) == pytest.approx(half, rel=1e-4, abs=1e-6)
    notes = [note.text for note in reverse_query(made, count=5).layout.annotations]
    assert notes[:5] == [f"n = {count:,}" for count in made.table["count"][:5]]
    assert labels(reverse_query(made, count=5))[0] == "t20 t21"


def test_what_is_not_from_every_occurrence_is_open():
    made = result()
    for mode, colours in (("light", LIGHT), ("dark", DARK)):
        figure = reverse_query(made, count=5, mode=mode)
        filled = [colour != colours.paper for colour in figure.data[0].marker.color]
        assert filled == made.exact[:5].tolist()
        assert filled[0] is False
        assert True in filled
    assert "open dots" in reverse_query(made, count=1).layout.meta["notes"][0]


def test_a_negative_query_is_blue_and_says_minus():
    figure = reverse_query(result(sign="-"))
    assert figure.layout.title.text == "What makes L0.N0 negative"
    assert figure.layout.xaxis.title.text == "−activation"
    assert figure.data[0].marker.line.color == LIGHT.negative


def test_a_group_says_how_many_and_in_what_unit():
    figure = reverse_query(result(members=4), source=Source("tiny", "abc", "float32"))
    assert figure.layout.title.text == "What excites 4 neurons"
    assert "standard deviations" in figure.layout.xaxis.title.text
    assert figure.layout.meta["neurons"] == [f"L0.N{i}" for i in range(4)]
    assert figure.layout.meta["model"] == "tiny"
    assert f"{WINDOWS.counted:,} counted tokens" in figure.layout.title.subtitle.text


def test_tokens_that_look_like_markup_stay_text():
    names = {token: shown(HOSTILE[token % len(HOSTILE)]) for token in range(VOCABULARY)}
    figure = reverse_query(result(np.isin(IDS, range(20)), display=names))
    texts = labels(figure) + labels(figure, "yaxis")
    assert len(labels(figure)) >= 15
    for text in texts:
        bare = text.replace("<br>", "")
        assert "<" not in bare
        assert ">" not in bare
        assert "$" not in bare
    assert "" not in labels(figure)


def test_nothing_found_is_an_empty_figure_with_a_reason():
    known = evidence(IDS, WINDOWS, np.ones(len(IDS)))
    figure = reverse_query(answer(ask([known], IDS, WINDOWS), {}))
    assert "told from chance" in figure.layout.annotations[0].text
    assert figure.layout.title.text == "What excites L0.N0"
