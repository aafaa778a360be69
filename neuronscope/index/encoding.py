"""Documents → ids and the bytes they stand for, many documents at a time.

A token that text is cut into here is the one that `models.tokenization` cuts it into, with two differences. Special
tokens are not added: they stand around each window, not in the corpus. And a special token's name in a text, such as
`<|endoftext|>`, is read as the ordinary characters it is made of; where a tokenizer makes the special token of them all
the same (its vocabulary holds that name as a word), it is left out of the corpus, and counted. Only the token for
unknown text stands, as everywhere.

Costs about 0.3 µs a token beside the tokenizer's own 0.6 to 2 µs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Int, Int64, UInt32

from neuronscope.errors import UnsupportedModel
from neuronscope.models.tokenization import is_space_mark, joins, special_ids

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    from neuronscope.index.read_corpus import ReadCorpus


@dataclass(frozen=True, eq=False)
class Encoded:
    """Some texts as tokens, one text after the other."""

    ids: Int64[np.ndarray, " tokens"]
    """The vocabulary id of each token."""
    spans: UInt32[np.ndarray, "tokens 2"]
    """Where it starts in its own text and how long it is, in bytes of UTF-8."""
    lengths: Int64[np.ndarray, " texts"]
    """How many tokens each text has."""
    special: int
    """Special tokens that came of a text and were left out."""


class Encoder:
    """A tokenizer that reads text as nothing but text."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        """Copy `tokenizer`, so that settings of ours, no padding and no cutting, never reach the model's own."""
        from tokenizers import Tokenizer

        self._own: Tokenizer = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        self._own.no_padding()
        self._own.no_truncation()
        self.fingerprint = hashlib.sha256(self._own.to_str().encode()).hexdigest()
        self.special = np.array(special_ids(tokenizer), dtype=np.int64)
        self.lead, self.tail = self._around()
        self._own.encode_special_tokens = True
        unknown = [i for i in (tokenizer.unk_token_id, self._unknown()) if i is not None]
        self._left_out = np.setdiff1d(self.special, unknown)
        self.standing: tuple[int, ...] = tuple(np.intersect1d(self.special, unknown).tolist())
        named = {i: piece for piece, i in self._own.get_vocab(with_added_tokens=True).items()}
        self.size = max(named, default=-1) + 1
        self.pieces: tuple[str, ...] = tuple(named.get(i, "") for i in range(self.size))

    @cached_property
    def _space_marks(self) -> Bool[np.ndarray, " vocabulary"]:
        return np.array([is_space_mark(piece) for piece in self.pieces], dtype=bool)

    def _unknown(self) -> int | None:
        """The id that the vocabulary itself gives to what it does not know, which a tokenizer need not speak of."""
        piece = getattr(self._own.model, "unk_token", None)
        return self._own.token_to_id(piece) if piece else None

    def _around(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The special ids that the tokenizer puts before and after a text."""
        words = chain("aA0.", sorted(self._own.get_vocab(with_added_tokens=False)))
        for encoding in (self._own.encode(word) for word in words):
            text = [i for i, added in enumerate(encoding.special_tokens_mask) if not added]
            if text:
                return tuple(encoding.ids[: text[0]]), tuple(encoding.ids[text[-1] + 1 :])
        raise UnsupportedModel("This tokenizer makes no token of any of its own words. Give one that fits the model.")

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Cut each of `texts`, which hold no half of a surrogate pair, into tokens."""
        encodings = self._own.encode_batch(list(texts), add_special_tokens=False)
        lengths = np.array([len(one) for one in encodings], dtype=np.int64)
        total = int(lengths.sum())
        ids = np.fromiter(chain.from_iterable(one.ids for one in encodings), np.int64, total)
        pairs = chain.from_iterable(one.offsets for one in encodings)
        offsets = np.fromiter(chain.from_iterable(pairs), np.int64, 2 * total).reshape(-1, 2)
        text = np.repeat(np.arange(len(texts)), lengths)
        self._withdraw_spaces(ids, offsets, text)
        spans = _in_bytes("".join(texts), np.array([len(each) for each in texts], dtype=np.int64), offsets, text)
        keep = ~np.isin(ids, self._left_out)
        lengths = np.bincount(text[keep], minlength=len(texts))
        return Encoded(ids[keep], spans[keep].astype(np.uint32), lengths, total - int(keep.sum()))

    def _withdraw_spaces(
        self,
        ids: Int64[np.ndarray, " tokens"],
        offsets: Int64[np.ndarray, "tokens 2"],
        text: Int[np.ndarray, " tokens"],
    ) -> None:
        """Give no characters to a lone space mark that claims those of the piece after it."""
        lone = self._space_marks[ids[:-1]] & (text[:-1] == text[1:]) & (offsets[1:, 0] < offsets[:-1, 1])
        where = np.flatnonzero(lone & ~np.isin(ids[:-1], self.special))
        offsets[where, 1] = offsets[where, 0]


def _in_bytes(
    joined: str,
    sizes: Int64[np.ndarray, " texts"],
    offsets: Int64[np.ndarray, "tokens 2"],
    text: Int[np.ndarray, " tokens"],
) -> Int64[np.ndarray, "tokens 2"]:
    """Starts and lengths in bytes of each token's own text; characters joined to a token's last are made its own."""
    if joined.isascii():
        return np.stack([offsets[:, 0], offsets[:, 1] - offsets[:, 0]], axis=1)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    offsets = offsets + starts[text][:, None]
    code = np.frombuffer(joined.encode("utf-32-le"), dtype="<u4")
    _extend_over_joined(joined, code, offsets, starts[text + 1])
    width = 1 + (code >= 0x80).astype(np.int8) + (code >= 0x800) + (code >= 0x10000)
    byte = np.concatenate([[0], np.cumsum(width, dtype=np.int64)])
    return np.stack([byte[offsets[:, 0]] - byte[starts[text]], byte[offsets[:, 1]] - byte[offsets[:, 0]]], axis=1)


def _extend_over_joined(
    joined: str,
    code: UInt32[np.ndarray, " characters"],
    offsets: Int64[np.ndarray, "tokens 2"],
    ends: Int64[np.ndarray, " tokens"],
) -> None:
    """Give a token the characters after it that normalization joins to its last: none of them is below U+0300."""
    begun = np.zeros(len(code) + 1, dtype=bool)
    begun[offsets[:, 0]] = True
    start, stop = offsets.T
    inside = np.flatnonzero((start < stop) & (stop < ends))
    open_end = inside[~begun[stop[inside]] & (code[stop[inside]] >= 0x300)]
    for i in open_end.tolist():
        first, end, last = int(start[i]), int(stop[i]), int(ends[i])
        while end < last and not begun[end] and joins(joined[first:end], joined[end]):
            end += 1
        offsets[i, 1] = end


def cuts_alike(encoder: Encoder, corpus: ReadCorpus) -> bool:
    """Whether a tokenizer reads a corpus as the same tokens in the same frame: the corpus' own, or one that does so.

    Another one is tried on the first documents, `_LOOKED_AT` bytes of them.
    """
    if encoder.fingerprint == corpus.about["tokenizer"]:
        return True
    if (encoder.lead, encoder.tail) != (corpus.lead, corpus.tail):
        return False
    ends = np.append(corpus.documents["byte"][1:], len(corpus.text)).astype(np.int64)
    starts = corpus.documents["byte"].astype(np.int64)
    last = max(int(np.searchsorted(ends, _LOOKED_AT)), 1)
    texts = [
        corpus.text[start:end].tobytes().decode("utf-8")
        for start, end in zip(starts[:last].tolist(), ends[:last].tolist(), strict=True)
    ]
    ids = encoder.encode(texts).ids
    return bool(np.array_equal(ids, corpus.ids[: len(ids)]))


_LOOKED_AT = 200_000
"""Bytes of a corpus that another tokenizer is tried on."""
