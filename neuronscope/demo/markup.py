"""The markup of the demo's sentences: from a template to text, and from text to a label for every word.

`{slot}` is filled from the story's cast, `<this|that>` is a choice, `word#sense` says which use of a word is meant
and `word^part` overrules the lexicon's part of speech. What is left is plain text, and its words are looked up.
"""

from __future__ import annotations

import io
import keyword
import random
import re
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass

from neuronscope.demo.lexicon import BUILTINS, Entry, look_up

_CHOICE = re.compile(r"<([^<>]*\|[^<>]*)>")
_SLOT = re.compile(r"\{(\w+)\}")
# French "a" (has) never stands before a vowel in our sentences.
_ARTICLE = re.compile(r"\b([Aa]) (?=[aeiouAEIOU])")
_MARKED = re.compile(r"([^\W\d_]+)(?:#([a-z]+))?(?:\^([a-z]+))?")
_WORDS = {
    "english": re.compile(r"[^\W\d_]+(?:'[a-z]+)?|\d+|[^\w\s]"),
    "french": re.compile(r"[Aa]ujourd'hui|[^\W\d_]+'(?=\w)|[^\W\d_]+|\d+|[^\w\s]"),
    "german": re.compile(r"[^\W\d_]+|\d+|[^\w\s]"),
}
_QUOTES = frozenset("\"'„“«»")
_BRACKETS = frozenset("()[]{}")
_BEFORE_NOUNS = frozenset({"her", "his", "that", "this", "which"})
_HAVE = frozenset({"have", "has", "had"})


@dataclass(frozen=True, slots=True)
class Span:
    """One word, number or mark of a document, and what is true of it."""

    start: int
    """Where it begins in the text, in characters."""
    end: int
    """Where it ends, in characters; the end is outside."""
    word: str
    """The text itself."""
    category: str
    """What it is about: animal, capital, colour, number, quote, keyword, function …"""
    part_of_speech: str
    """noun, proper noun, verb, auxiliary, adjective, adverb, pronoun, determiner, preposition, conjunction, …"""
    language: str
    """english, french, german or python; marks take the language around them."""
    sense: str
    """Which use of a two-sense word is meant, or an empty string."""


def fill(template: str, cast: Mapping[str, str], rng: random.Random) -> str:
    """Choose among alternatives, fill the slots, say `an` for `a` where English does; `#sense` and `^part` stay in."""
    while match := _CHOICE.search(template):
        template = template[: match.start()] + rng.choice(match[1].split("|")) + template[match.end() :]
    return _ARTICLE.sub(r"\1n ", _SLOT.sub(lambda slot: cast[slot[1]], template))


def label(marked: str, language: str, offset: int = 0) -> tuple[str, list[Span]]:
    """Take the marks out of a filled template; return the plain text and one span for each word and mark in it."""
    plain, senses, parts = _unmark(marked)
    spans = []
    for match in _WORDS[language].finditer(plain):
        word, start = match[0], match.start()
        entry = _overruled(parts[start]) if start in parts else _entry(word, senses.get(start, ""), language)
        spans.append(
            Span(
                offset + start,
                offset + match.end(),
                word,
                entry.category,
                entry.part_of_speech,
                language,
                senses.get(start, ""),
            )
        )
    return plain, _settle(spans)


def unmark(marked: str) -> str:
    """The plain text alone, for when nobody asks for labels."""
    return _MARKED.sub(lambda match: match[1], marked) if "#" in marked or "^" in marked else marked


def label_program(text: str, offset: int = 0) -> list[Span]:
    """One span for each name, number, operator and word of a Python program; words inside strings count singly."""
    lines = text.splitlines(keepends=True)
    begins = [sum(map(len, lines[:i])) for i in range(len(lines) + 1)]
    spans = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        start = begins[token.start[0] - 1] + token.start[1]
        for begin, end, category, part in _pieces(token):
            spans.append(
                Span(
                    offset + start + begin,
                    offset + start + end,
                    token.string[begin:end],
                    category,
                    part,
                    "python",
                    "",
                )
            )
    return spans


def _unmark(marked: str) -> tuple[str, dict[int, str], dict[int, str]]:
    if "#" not in marked and "^" not in marked:
        return marked, {}, {}
    senses: dict[int, str] = {}
    parts: dict[int, str] = {}
    plain, last = "", 0
    for match in _MARKED.finditer(marked):
        plain += marked[last : match.start()]
        if match[2]:
            senses[len(plain)] = match[2]
        if match[3]:
            parts[len(plain)] = match[3]
        plain, last = plain + match[1], match.end()
    return plain + marked[last:], senses, parts


def _overruled(part: str) -> Entry:
    return Entry("function" if part in ("auxiliary", "adverb") else "other", part)


def _entry(word: str, sense: str, language: str) -> Entry:
    if word.isdigit():
        return Entry("number", "number")
    if word in _QUOTES:
        return Entry("quote", "punctuation")
    if word in _BRACKETS:
        return Entry("bracket", "punctuation")
    if word in "+-*/=×":
        return Entry("operator", "symbol")
    if not word[0].isalpha():
        return Entry("punctuation", "punctuation")
    return look_up(word, language, sense)


def _settle(spans: list[Span]) -> list[Span]:
    """Decide the few words whose part of speech hangs on the word that follows."""
    return [_settled(span, after) for span, after in zip(spans, [*spans[1:], None], strict=True)]


def _settled(span: Span, after: Span | None) -> Span:
    if span.language != "english" or after is None:
        return span
    word, follows = span.word.lower(), after.part_of_speech
    if word == "to" and follows in ("verb", "auxiliary"):
        return _with_part(span, "particle")
    if word == "that" and follows in ("pronoun", "determiner", "proper noun", "adverb"):
        return _with_part(span, "conjunction")
    if word in _BEFORE_NOUNS and follows in ("noun", "adjective", "numeral", "number"):
        return _with_part(span, "determiner")
    if word in _HAVE and follows in ("noun", "adjective", "determiner", "numeral", "number", "preposition"):
        return _with_part(span, "verb")
    return span


def _with_part(span: Span, part: str) -> Span:
    return Span(span.start, span.end, span.word, span.category, part, span.language, span.sense)


def _pieces(token: tokenize.TokenInfo) -> list[tuple[int, int, str, str]]:
    text = token.string
    if token.type == tokenize.NAME:
        category = "keyword" if keyword.iskeyword(text) else "builtin" if text in BUILTINS else "identifier"
        return [(0, len(text), category, "code")]
    if token.type == tokenize.NUMBER:
        return [(0, len(text), "number", "number")]
    if token.type == tokenize.OP:
        return [(0, len(text), _mark_category(text), "symbol")]
    if token.type in (tokenize.STRING, tokenize.COMMENT):
        inside = "string" if token.type == tokenize.STRING else "comment"
        return [_inside(match, inside) for match in re.finditer(r"\"+|\w+|[^\w\s\"]", text)]
    return []


def _mark_category(text: str) -> str:
    if text in _BRACKETS:
        return "bracket"
    return "punctuation" if text in ",:." else "operator"


def _inside(match: re.Match[str], inside: str) -> tuple[int, int, str, str]:
    if match[0].startswith('"'):
        return match.start(), match.end(), "quote", "punctuation"
    return match.start(), match.end(), inside, "code"
