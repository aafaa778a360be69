"""Text → Tokens: what the model reads, where it stands in the text, and how it is shown.

Offsets are the tokenizer's own. Pieces that hold some bytes of a character all point at that character, so that they
can be shown as one box; a space that the tokenizer puts in front of a text by itself stands for none of it, and a mark
that it joins to the letter before, or drops, goes with that letter.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

import numpy as np

from neuronscope.errors import EmptyText, UnsupportedModel
from neuronscope.vocabulary import Tokens, visible

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_SPACE_MARKS = "▁Ġ"


def tokenize(tokenizer: PreTrainedTokenizerFast, text: str) -> Tokens:
    """Cut `text` into tokens as `tokenizer` does, special tokens included.

    Raises:
        EmptyText: where no token comes of it, or only special ones.
        UnsupportedModel: for a tokenizer that cannot say which characters a token stands for.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise UnsupportedModel(
            f"The tokenizer {type(tokenizer).__name__} cannot say which characters a token stands for. "
            "Give a fast one: a tokenizer.json beside the model."
        )
    encoded = tokenizer(text, return_offsets_mapping=True, return_special_tokens_mask=True, verbose=False)
    ids = np.array(encoded["input_ids"], dtype=np.int64)
    special = np.array(encoded["special_tokens_mask"], dtype=bool) | np.isin(ids, special_ids(tokenizer))
    if special.all() and not text.strip():
        raise EmptyText("There is no text to run: type or paste some.")
    if not len(ids):
        raise EmptyText(f"The tokenizer makes no token of {text[:40]!r}: it may know other characters only.")
    pieces = tokenizer.convert_ids_to_tokens(ids.tolist())
    offsets = _without_inserted_spaces(pieces, np.array(encoded["offset_mapping"], dtype=np.int64), special)
    offsets = _with_joined_characters(text, offsets)
    tokens = Tokens(text, ids, offsets, tuple(pieces), special)
    return Tokens(text, ids, offsets, displays(tokens), special)


def display(tokenizer: PreTrainedTokenizerFast, token: int) -> str:
    """How one id of the vocabulary is shown when it stands alone, as in a list of promoted tokens."""
    piece = tokenizer.convert_ids_to_tokens(int(token))
    if piece is None:
        return f"⟨{token}⟩"
    text = tokenizer.decode([int(token)], clean_up_tokenization_spaces=False)
    if re.fullmatch(r"<0x[0-9A-F]{2}>", piece):
        return "↵" if piece == "<0x0A>" else f"⟨{piece[1:-1]}⟩"
    if "\ufffd" in text:
        return _with_hexadecimal(piece)
    if piece[0] in _SPACE_MARKS and not text.startswith(" "):
        text = " " + text
    return visible(text) or piece


def special_ids(tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """Ids of tokens that stand for no text: begin, end, padding, but not the one for unknown text."""
    ids = set(tokenizer.all_special_ids)
    if tokenizer.unk_token_id not in {tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id}:
        ids.discard(tokenizer.unk_token_id)
    return sorted(ids)


def _with_hexadecimal(piece: str) -> str:
    """A byte-level piece that ends or begins inside a character: whole characters, and other bytes as ⟨0xC3⟩."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    byte_of = {character: byte for byte, character in bytes_to_unicode().items()}
    if not set(piece) <= byte_of.keys():
        return visible(piece)
    text = bytes(byte_of[character] for character in piece).decode("utf-8", "surrogateescape")
    return "".join(
        f"⟨0x{ord(character) - 0xDC00:02X}⟩" if "\udc80" <= character <= "\udcff" else visible(character)
        for character in text
    )


def _without_inserted_spaces(pieces: list[str], offsets: np.ndarray, special: np.ndarray) -> np.ndarray:
    """Give no characters to a lone space mark that claims those of the piece after it."""
    for i in range(len(pieces) - 1):
        lone = not special[i] and is_space_mark(pieces[i])
        if lone and offsets[i + 1, 0] < offsets[i, 1]:
            offsets[i, 1] = offsets[i, 0]
    return offsets


def is_space_mark(piece: str) -> bool:
    """Whether a piece is a tokenizer's mark for a space and nothing else."""
    return piece.strip(_SPACE_MARKS) == ""


def _with_joined_characters(text: str, offsets: np.ndarray) -> np.ndarray:
    """Give a token the characters after it that normalization joins to its last: accents, parts of Hangul syllables."""
    starts = set(offsets[:, 0].tolist())
    for i, (start, stop) in enumerate(offsets.tolist()):
        end = stop
        while start < end < len(text) and end not in starts and joins(text[start:end], text[end]):
            end += 1
        offsets[i, 1] = end
    return offsets


def joins(before: str, character: str) -> bool:
    """Whether normalization makes one of the last character of `before` and the character after it."""
    if unicodedata.combining(character):
        return True
    together = unicodedata.normalize("NFC", before + character)
    return len(together) == len(unicodedata.normalize("NFC", before))


def displays(tokens: Tokens) -> tuple[str, ...]:
    """How each of `tokens` is shown in its text; `tokens.display` holds the tokenizer's own pieces."""
    shown: list[str] = []
    offsets, text = tokens.offsets.tolist(), tokens.text
    if len(tokens.characters) == len(offsets):  # as nearly always: no character is spread over tokens
        return tuple(
            visible(text[start:stop]) or _without_text(tokens.display[i]) for i, (start, stop) in enumerate(offsets)
        )
    for run in tokens.characters:
        for part, i in enumerate(run):
            start, stop = offsets[i]
            whole = visible(tokens.text[start:stop]) or _without_text(tokens.display[i])
            shown.append(whole if len(run) == 1 else f"{whole}[{part + 1}/{len(run)}]")
    return tuple(shown)


def _without_text(piece: str) -> str:
    return "·" if piece and not piece.strip(_SPACE_MARKS) else visible(piece)
