"""What Tokens promise: every character has its token, every tokenizer's own marks are gone, nothing is invisible."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuronscope.errors import EmptyText, UnsupportedModel
from neuronscope.models.tokenization import display, tokenize
from neuronscope.vocabulary import Tokens, visible
from tests import models_for_tests as tiny

HARD = "Hello  wörld 🙂\n café\t<b>&amp;</b> שלום العربية \x07 a\u200bb \u202e! 👩\u200d👧 ｘ"
KINDS = {
    "byte-level": "tokenizers-gpt2",
    "byte-level, small": "made-gpt2-stories-series/step02000",
    "byte fallback": "stories260k",
    "characters": "babyllama-tok105",
    "word pieces": "minilm-l6-encoder",
}


@pytest.fixture(params=KINDS.values(), ids=KINDS.keys())
def tokens(request: pytest.FixtureRequest, shared_data: Path) -> Tokens:
    from transformers import AutoTokenizer

    return tokenize(AutoTokenizer.from_pretrained(str(shared_data / request.param)), HARD)


def test_no_tokenizer_mark_is_shown(tokens: Tokens) -> None:
    shown = "".join(tokens.display)
    assert not set("Ġ▁Ċ") & set(shown)
    assert "##" not in shown
    assert "<0x" not in shown


def test_nothing_shown_is_invisible(tokens: Tokens) -> None:
    for text in tokens.display:
        bare = text.replace("\u200d", "") if len(text) > 1 else text
        assert bare.isprintable(), ascii(text)
        assert bare.strip(), ascii(text)


def test_the_parts_of_one_character_stand_together_as_that_character(tokens: Tokens) -> None:
    for run in tokens.characters:
        pieces = {tuple(pair) for pair in tokens.offsets[run].tolist()}
        if len(run) > 1:
            assert len({start for start, _ in pieces}) == 1 or max(s for s, _ in pieces) < min(e for _, e in pieces)
            assert tokens.shown(run) == visible(HARD[min(s for s, _ in pieces) : max(e for _, e in pieces)])
    assert sum(len(run) for run in tokens.characters) == len(tokens)


def test_every_character_but_dropped_white_space_belongs_to_a_token(tokens: Tokens) -> None:
    covered = np.zeros(len(HARD), bool)
    for start, stop in tokens.offsets:
        covered[start:stop] = True
    missing = {HARD[i] for i in np.flatnonzero(~covered)}
    assert all(visible(character) != character or character.isspace() for character in missing), missing


def test_special_tokens_and_the_first_position_do_not_count(tokens: Tokens) -> None:
    assert not tokens.kept[0]
    assert not (tokens.kept & tokens.special).any()
    assert tokens.kept.sum() >= len(tokens) - 3


def test_a_space_that_the_tokenizer_inserts_stands_for_no_text(shared_data: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(shared_data / "babyllama-tok105"))
    inserted = tokenize(tokenizer, "Hi")
    assert inserted.display == ("<s>", "·", "H", "i")
    assert inserted.offsets.tolist()[1] == [0, 0]
    assert all(len(run) == 1 for run in inserted.characters)
    typed = tokenize(tokenizer, " x")
    assert typed.display == ("<s>", "·", "·", "x")
    assert typed.offsets.tolist()[1:] == [[0, 0], [0, 1], [1, 2]]


def test_bytes_of_one_character_are_numbered(shared_data: Path) -> None:
    from transformers import AutoTokenizer

    tokens = tokenize(AutoTokenizer.from_pretrained(str(shared_data / "stories260k")), "a 🙂")
    assert tokens.display[-4:] == ("🙂[1/4]", "🙂[2/4]", "🙂[3/4]", "🙂[4/4]")
    assert tokens.shown(tokens.characters[-1]) == "🙂"


def test_every_id_of_a_vocabulary_can_be_shown(shared_data: Path) -> None:
    from transformers import AutoTokenizer

    for kind in ("stories260k", "tokenizers-gpt2"):
        tokenizer = AutoTokenizer.from_pretrained(str(shared_data / kind))
        shown = [display(tokenizer, i) for i in range(min(len(tokenizer), 2000))]
        assert all(text and text.isprintable() for text in shown)
        assert len(set(shown)) == len(shown)
    assert display(tokenizer, tokenizer(" Paris")["input_ids"][0]) == "·Paris"
    assert display(tokenizer, 10_000_000) == "⟨10000000⟩"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (" a\n", "·a↵"),
        ("\t\r", "⇥␍"),
        ("\x07\x00\x7f", "␇␀␡"),
        ("\u200b", "⟨U+200B⟩"),
        ("\u202eabc", "⟨U+202E⟩abc"),
        ("\u00a0", "⟨U+00A0⟩"),
        ("👩\u200d👧", "👩\u200d👧"),
        ("\u200d", "⟨U+200D⟩"),
        ("<b>&amp;", "<b>&amp;"),
        ("é", "é"),
    ],
)
def test_what_cannot_be_seen_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40))
def test_no_text_at_all_breaks_tokenization(text: str) -> None:
    tokenizer = tiny.tokenizer()
    try:
        tokens = tokenize(tokenizer, text)
    except EmptyText:
        assert not text.strip() or not tokenizer(text)["input_ids"]
        return
    assert len(tokens) == len(tokens.display) == len(tokens.offsets) == sum(map(len, tokens.characters))


def test_a_slow_tokenizer_is_refused_and_says_what_to_do() -> None:
    class Slow:
        is_fast = False

    with pytest.raises(UnsupportedModel, match=r"Slow cannot say .* tokenizer\.json"):
        tokenize(Slow(), "a")
