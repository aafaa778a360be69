"""Qwen's tiktoken vocabulary as a fast tokenizer: the same ids, and the characters that each token stands for.

`qwen.tiktoken` holds one token a line: its bytes in base64 and its rank, which is its id. tiktoken cuts a text into
pieces with a pattern; a piece that is a token as a whole is that token, any other is its bytes, of which the two
neighbours that together make the token of lowest rank are joined, the leftmost first, until no two make a token.

A byte-level BPE of the tokenizers library does just that when it is told, for each token, the two parts it is joined
from. There is only one such pair: what happens between two boundaries that still stand does not depend on what is
around them, so a token always arises from the two parts that its own bytes, joined alone, come to last.

The pattern, the special tokens, which follow the ranks (from 151 643 in Qwen's file), and the normalization of the text
before all else (NFC) are those of the published `tokenization_qwen.py`. Special tokens are read where they stand in a
text, as there. NFC goes by the Unicode of the library at hand: combining marks that were assigned after its version
stay in the order they are written in.
"""

from __future__ import annotations

import base64
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuronscope.errors import UnsupportedModel

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How a text is cut into pieces: contractions, words, single digits, runs of other signs, runs of space."""
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", *(f"<|extra_{i}|>" for i in range(205)))
"""The tokens that stand for no text, in the order of their ids, which follow the last rank."""


def tokenizer(file: Path) -> PreTrainedTokenizerFast:
    """The fast tokenizer of a `qwen.tiktoken`; a few seconds for Qwen's 151 643 tokens.

    Raises:
        UnsupportedModel: if the file cannot be had, or is not such a vocabulary.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(_model(ranks(file)))
    bpe.normalizer = normalizers.NFC()
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    # Special tokens are looked for in the normalized text, as in the original, which normalizes first of all.
    bpe.add_special_tokens([AddedToken(token, normalized=True, special=True) for token in SPECIAL])
    return PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token=SPECIAL[0], extra_special_tokens=[*SPECIAL[1:]])


def ranks(file: Path) -> dict[bytes, int]:
    """The tokens of a tiktoken vocabulary file and their ranks.

    Raises:
        UnsupportedModel: if the file cannot be read, a byte has no token, or the ranks do not count from 0 up.
    """
    try:
        lines = [line.split() for line in file.read_bytes().splitlines() if line]
        held = {base64.b64decode(token, validate=True): int(rank) for token, rank in lines}
    except OSError as error:
        raise UnsupportedModel(f"The vocabulary {file} cannot be read: {error.strerror}. Fetch it again.") from error
    except ValueError as error:
        raise UnsupportedModel(
            f"{file} is not a vocabulary: every line of one is a token in base64 and its rank. Fetch it again."
        ) from error
    if sorted(held.values()) != list(range(len(lines))) or not held.keys() >= {bytes([byte]) for byte in range(256)}:
        raise UnsupportedModel(
            f"The vocabulary {file} is not whole: it should hold every single byte, and ranks that count from 0 up, "
            "one a line. Fetch it again."
        )
    return held


def merges(held: dict[bytes, int]) -> list[tuple[bytes, bytes]]:
    """The two parts that each token is joined from, lowest rank first; none for those that no joining comes to."""
    in_order = sorted((token for token in held if len(token) > 1), key=held.__getitem__)
    return [pair for token in in_order if (pair := _last_two(token, held))]


def _model(held: dict[bytes, int]) -> Any:
    from tokenizers.models import BPE
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    character = bytes_to_unicode()

    def spelled(token: bytes) -> str:
        return "".join(character[byte] for byte in token)

    return BPE(
        vocab={spelled(token): rank for token, rank in held.items()},
        merges=[(spelled(left), spelled(right)) for left, right in merges(held)],
        ignore_merges=True,
    )


def _last_two(token: bytes, held: dict[bytes, int]) -> tuple[bytes, bytes] | None:
    """What the bytes of `token` come to before they are joined to it; None where they stop at more parts than two."""
    parts = [token[i : i + 1] for i in range(len(token))]
    never = len(held)
    joined = [held.get(left + right, never) for left, right in itertools.pairwise(parts)]
    while len(parts) > 2:
        lowest = min(joined)
        if lowest == never:
            return None
        at = joined.index(lowest)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
        del joined[at]
        if at > 0:
            joined[at - 1] = held.get(parts[at - 1] + parts[at], never)
        if at < len(joined):
            joined[at] = held.get(parts[at] + parts[at + 1], never)
    return parts[0], parts[1]
