"""The demo world as tokens: its tokenizer, and its documents packed into windows for training."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

from neuronscope.demo import world

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

END = "<|endoftext|>"
VOCABULARY = 2304


def train_tokenizer(seed: int, documents: int = 20_000, begins: bool = False) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer on the demo world; `begins` makes it put `<|endoftext|>` before every text.

    Digits stand alone, each with the space before it if there is one, so that a number is read figure by figure.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(" ?[0-9]"), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(world.texts(seed, documents), trainer)
    if begins:
        tokenizer.post_processor = processors.TemplateProcessing(single=f"{END} $A", special_tokens=[(END, 0)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=END,
        eos_token=END,
        pad_token=END,
        model_max_length=256,
        clean_up_tokenization_spaces=False,
    )


def packed(
    tokenizer: PreTrainedTokenizerFast, seed: int, window: int, batch: int, mixture: Sequence[Sequence[str]] = ()
) -> Iterator[Int[np.ndarray, "batch window"]]:
    """Yield batches of windows cut from an endless row of documents, each begun by `<|endoftext|>`.

    A mixture is a sequence of groups of kinds that take turns, document by document; by default all kinds together.
    """
    streams = [world.texts(seed + turn, kinds=kinds) for turn, kinds in enumerate(mixture or [tuple(world.KINDS)])]
    texts = itertools.chain.from_iterable(zip(*streams, strict=False))
    row: list[int] = []
    while True:
        for ids in tokenizer(list(itertools.islice(texts, 256)), add_special_tokens=False)["input_ids"]:
            row.append(0)
            row.extend(ids)
        while len(row) >= batch * window:
            yield np.asarray(row[: batch * window], dtype=np.int64).reshape(batch, window)
            del row[: batch * window]
