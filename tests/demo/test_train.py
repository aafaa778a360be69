"""How the demo models are made: the script makes what is shipped, and makes it again."""

from __future__ import annotations

import json
from itertools import islice

import numpy as np
import pytest
import torch

import neuronscope.demo as demo
from neuronscope.demo import corpus, train, world

_NAMES = [each.name for each in demo.DEMOS]


def test_the_shipped_tokenizer_is_the_one_the_script_trains() -> None:
    made = corpus.train_tokenizer(train.SEED_TRAINING)
    shipped, llama = ((demo.folder(name) / "tokenizer.json").read_text(encoding="utf-8") for name in _NAMES)
    assert made.backend_tokenizer.to_str() == shipped
    alone, begun = json.loads(shipped), json.loads(llama)
    assert not alone.pop("post_processor")["special_tokens"]
    assert list(begun.pop("post_processor")["special_tokens"]) == [corpus.END]
    assert begun == alone


def test_the_same_seed_gives_the_same_weights_on_one_machine() -> None:
    tokenizer = corpus.train_tokenizer(1, documents=300)
    once, again = (_a_few_steps(tokenizer) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(once, again, strict=True))


def test_windows_are_full_and_documents_begin_with_the_mark() -> None:
    tokenizer = corpus.train_tokenizer(1, documents=300)
    batches = list(islice(corpus.packed(tokenizer, 5, 64, 3), 4))
    assert all(batch.shape == (3, 64) for batch in batches)
    read = tokenizer.decode(np.concatenate(batches).ravel())
    written = "".join(corpus.END + text for text in world.texts(5, 30))
    assert read.startswith(corpus.END)
    # The last character may be cut in the middle.
    assert written.startswith(read.rstrip("\ufffd"))


def test_the_learning_rate_warms_up_and_falls_to_a_tenth() -> None:
    schedule = train.Schedule(steps=1000, rate=1.0)
    rates = [train.rate_at(step, schedule) for step in range(1, 1001)]
    assert rates.index(max(rates)) == schedule.warmup - 1
    assert max(rates) == 1.0
    assert rates[-1] == pytest.approx(0.1)
    assert rates[schedule.warmup - 1 :] == sorted(rates[schedule.warmup - 1 :], reverse=True)


def _a_few_steps(tokenizer: object) -> list[torch.Tensor]:
    model = train.gpt2()
    batches = corpus.packed(tokenizer, 1, 32, 2)
    for _ in train.optimise(model, batches, train.Schedule(3, 1e-3, warmup=1)):
        pass
    return [weight.detach() for weight in model.parameters()]
