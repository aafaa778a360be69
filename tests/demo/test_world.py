"""The demo world: reproducible, fully and rightly labelled, and true to its own facts."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import subprocess
import sys
from collections import defaultdict

import pytest

from neuronscope.demo import world
from neuronscope.demo.markup import label
from neuronscope.demo.senses import SENSES

_FINGERPRINT = """
import hashlib, sys
from neuronscope.demo import world
joined = "\\0".join(f"{d.kind} {d.text} {d.spans}" for d in world.documents(int(sys.argv[1]), 60))
assert "torch" not in sys.modules and "transformers" not in sys.modules
print(hashlib.sha256(joined.encode()).hexdigest())
"""

# Sentences labelled by hand, as word/part of speech; a semantic category follows where it matters.
_BY_HAND = {
    "english": (
        "The/determiner old/adjective/quality dog/noun/animal went/verb to/preposition Rome/proper_noun/capital "
        "./punctuation",
        "Anna/proper_noun/name wants/verb to/particle see/verb her/determiner friend/noun/person ./punctuation",
        "She/pronoun has/auxiliary seen/verb him/pronoun ,/punctuation but/conjunction he/pronoun has/verb "
        "a/determiner hat/noun/object ./punctuation",
        "He/pronoun said/verb/speech that/conjunction she/pronoun was/auxiliary happy/adjective/feeling ./punctuation",
        '"/punctuation/quote It/pronoun costs/verb 12/number/number coins/noun/object (/punctuation/bracket',
        "On/preposition Monday/proper_noun/weekday ,/punctuation 3/number/number March/proper_noun/month",
        "seven/numeral/number red/adjective/colour birds/noun/animal flew/verb slowly/adverb",
        "Ghana/proper_noun/country is/auxiliary in/preposition Africa/proper_noun/continent ./punctuation",
    ),
    "french": ("Le/determiner chat/noun/animal noir/adjective/colour mange/verb aujourd'hui/adverb ./punctuation",),
    "german": ("Der/determiner alte/adjective Hund/noun/animal schläft/verb im/preposition Garten/noun/place",),
}


def test_a_seed_gives_the_same_documents_in_every_process() -> None:
    prints = [_fingerprint_elsewhere(seed, salt) for seed, salt in ((5, "1"), (5, "2"), (6, "1"))]
    assert prints[0] == prints[1] != prints[2]


def test_a_document_does_not_depend_on_how_many_are_asked_for() -> None:
    assert list(world.documents(9, 30))[17] == list(world.documents(9, 18))[17]


def test_texts_without_labels_are_the_same_texts() -> None:
    assert list(world.texts(4, 300)) == [document.text for document in world.documents(4, 300)]


def test_the_world_is_still_the_one_the_shipped_models_were_trained_on() -> None:
    joined = "\0".join(world.texts(1, 2000)).encode()
    assert hashlib.sha256(joined).hexdigest() == "d643b3bc2daf2455ba83495db70be52f386981f633fa96cf3c14882f4dbeebf0"


def test_spans_cover_every_character_but_white_space_and_match_the_text() -> None:
    for document in world.documents(21, 800):
        at = 0
        for span in document.spans:
            assert document.text[span.start : span.end] == span.word
            assert not document.text[at : span.start].strip()
            assert all((span.category, span.part_of_speech, span.language))
            at = span.end
        assert not document.text[at:].strip()


def test_every_kind_is_drawn_and_speaks_its_language() -> None:
    languages = defaultdict(set)
    for document in world.documents(22, 1500):
        languages[document.kind].update(span.language for span in document.spans)
    foreign = {"python": {"python"}, "french": {"french"}, "german": {"german"}}
    assert dict(languages) == {kind: foreign.get(kind, {"english"}) for kind in world.KINDS}


def test_logs_are_written_and_labelled_only_when_asked_for() -> None:
    assert {document.kind for document in world.documents(22, 400, tuple(world.NEW_KINDS))} == {"log"}
    assert not set(world.NEW_KINDS) & set(world.KINDS)


@pytest.mark.parametrize("language", _BY_HAND)
def test_labels_are_those_a_person_would_give(language: str) -> None:
    for sentence in _BY_HAND[language]:
        wanted = [word.split("/") for word in sentence.split()]
        _, spans = label(" ".join(word[0] for word in wanted), language)
        assert [span.word for span in spans] == [word[0] for word in wanted]
        for span, (_, part, *category) in zip(spans, wanted, strict=True):
            assert (span.word, span.part_of_speech) == (span.word, part.replace("_", " "))
            assert not category or (span.word, span.category) == (span.word, category[0])


def test_a_word_that_nobody_entered_in_the_lexicon_is_refused() -> None:
    with pytest.raises(KeyError, match="zeppelin"):
        label("The zeppelin flew.", "english")


def test_two_sense_words_are_used_in_both_senses_and_labelled() -> None:
    seen = defaultdict(set)
    for document in world.documents(23, 1200, ("senses",)):
        for span in document.spans:
            if span.word in SENSES and span.sense:
                seen[span.word].add(span.sense)
    assert seen == {word: set(uses) for word, uses in SENSES.items()}


def test_tokens_take_the_label_of_the_word_they_share_most_with() -> None:
    (document,) = world.documents(24, 1, ("facts",))
    spans = document.spans
    # As tokens of GPT-2's kind do, these begin with the white space before them.
    offsets = [(span.start - document.text[span.start - 1 : span.start].isspace(), span.end) for span in spans]
    assert world.token_labels(document, offsets) == list(spans)
    halves = [half for span in spans for half in ((span.start, span.start + 1), (span.start + 1, span.end))]
    whole = [
        label for label, (start, end) in zip(world.token_labels(document, halves), halves, strict=True) if start < end
    ]
    assert whole == [span for span in spans for _ in range(1 + (len(span.word) > 1))]
    assert world.token_labels(document, [(spans[0].end, spans[0].end)]) == [None]


def test_capitals_are_never_told_wrong() -> None:
    capitals = {country.name: country.capital for country in world.COUNTRIES}
    told = re.findall(r"[Tt]he capital of (\w+) is (\w+)", "\n".join(world.texts(25, 1200, ("facts", "dialogue"))))
    assert len(told) > 500
    assert {country for country, _ in told if country in capitals} == set(capitals)
    assert all(capitals[country] == capital for country, capital in told)


def test_sums_are_right() -> None:
    sums = re.findall(r"(\d+) ([-+*]) (\d+) = (\d+)", "\n".join(world.texts(26, 500, ("arithmetic",))))
    answers = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__}
    assert len(sums) > 500
    assert all(answers[sign](int(a), int(b)) == int(c) for a, sign, b, c in sums)


def test_programs_are_python() -> None:
    for text in world.texts(27, 500, ("python",)):
        ast.parse(text)


def test_brackets_close_in_the_order_they_open() -> None:
    for text in world.texts(28, 600):
        marks = "".join(re.findall(r"[()\[\]{}]", text))
        while marks != (marks := re.sub(r"\(\)|\[\]|\{\}", "", marks)):
            pass
        assert marks == "", text


def _fingerprint_elsewhere(seed: int, salt: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": salt}
    command = [sys.executable, "-c", _FINGERPRINT, str(seed)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
