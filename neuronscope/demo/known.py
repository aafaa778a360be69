"""Single neurons that follow a label: found on one text, reported on another.

Neurons are what enters an MLP's output projection. Of every label of the demo world (a category, a part of speech, a
language, a sense of a word) the neuron is sought whose activation alone tells best which tokens carry it. That it does
so is all that is claimed: neither that it is alone in this, nor that the model uses it so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float

from neuronscope.demo import world
from neuronscope.demo.senses import SENSES

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

SEED_SEARCH, SEED_REPORT = 1002, 1003
CONTEXT = 256
_OF_NO_LANGUAGE = frozenset({"punctuation", "symbol", "number", "proper noun"})


@dataclass(frozen=True)
class KnownNeuron:
    """One neuron, the label it follows, and how well."""

    model: str
    """Name of the demo model."""
    neuron: str
    """Layer and index, as L2.N131."""
    field: str
    """Which field of a span the label is: category, part_of_speech, language or sense."""
    value: str
    """The label's value."""
    word: str
    """For a sense, the word whose tokens alone are compared; otherwise empty."""
    sign: int
    """1 if the neuron is high on the label, -1 if it is low."""
    auroc: float
    """Chance that a token of this label ranks above one without it, on text not used to choose the neuron."""
    tokens: int
    """Tokens it was measured on, position 0 left out."""
    positives: int
    """How many of them carry the label."""


@dataclass(frozen=True)
class Reading:
    """The neurons of one model over labelled text."""

    values: Float[np.ndarray, "tokens neurons"]
    """Activations; neurons of all layers side by side, layer by layer."""
    labels: tuple[world.Span | None, ...]
    """The span of each token."""
    per_layer: int
    """Neurons in a layer."""


def find_neurons(name: str, folder: Path, count: int = 400, least: float = 0.85) -> list[KnownNeuron]:
    """For every label, the neuron that follows it best on one text, with its AUROC on another, if at least `least`."""
    model, tokenizer = load(folder)
    search = read_neurons(model, tokenizer, list(world.documents(SEED_SEARCH, count)))
    report = read_neurons(model, tokenizer, list(world.documents(SEED_REPORT, count)))
    pages = [list(world.documents(seed, 600, ("senses",))) for seed in (SEED_SEARCH, SEED_REPORT)]
    first, second = (read_neurons(model, tokenizer, documents) for documents in pages)
    ranks = _ranks(search.values[carries(search, "category", "")[0]])
    known = [
        _best(name, search, report, field, value, ranks=None if field == "language" else ranks)
        for field, value in _values(search)
    ]
    known += [_best(name, first, second, "sense", sense, word) for word, sense in _word_senses()]
    return [neuron for neuron in known if neuron is not None and neuron.auroc >= least]


def read_neurons(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, documents: Sequence[world.Document]
) -> Reading:
    """Run documents, each begun by `<|endoftext|>`, and keep every neuron at every token but that first one."""
    import torch

    projections = [module for name, module in model.named_modules() if name.endswith(("mlp.c_proj", "mlp.down_proj"))]
    caught: list[torch.Tensor] = []
    hooks = [module.register_forward_pre_hook(lambda _, args: caught.append(args[0])) for module in projections]
    rows: list[np.ndarray] = []
    try:
        for ids, mask in batches(tokenizer, [document.text for document in documents]):
            caught.clear()
            with torch.inference_mode():
                model(input_ids=ids, attention_mask=mask, use_cache=False)
            side_by_side = torch.cat(caught, dim=-1)
            rows.append(side_by_side[:, 1:][mask[:, 1:].bool()].numpy())
    finally:
        for hook in hooks:
            hook.remove()
    values = np.concatenate(rows)
    return Reading(values, tuple(_labels(tokenizer, documents)), values.shape[1] // len(projections))


def auroc(values: Float[np.ndarray, "tokens neurons"], positive: Bool[np.ndarray, " tokens"]) -> np.ndarray:
    """Area under the ROC curve of each neuron for a label (Mann-Whitney, ties count half)."""
    return _auroc_of_ranks(_ranks(values), positive)


def carries(reading: Reading, field: str, value: str, word: str = "") -> tuple[np.ndarray, np.ndarray]:
    """Which tokens are compared, and which of these carry the value.

    For a sense these are the tokens of its word; for a language, words only, as a comma and a name belong to all of
    them; otherwise every token that has a label.
    """
    compared = np.array([span is not None and _is_compared(span, field, word) for span in reading.labels])
    positive = np.array([span is not None and getattr(span, field) == value for span in reading.labels])
    return compared, positive[compared]


def load(folder: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """A saved model in float32, ready to run, and its tokenizer."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return AutoModelForCausalLM.from_pretrained(folder, dtype="float32").eval(), AutoTokenizer.from_pretrained(folder)


def batches(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str], size: int = 16) -> Iterator[tuple[Any, Any]]:
    """Right-padded token ids and attention masks of a few texts at a time, each begun by `<|endoftext|>`."""
    import torch

    rows = [[0, *ids][:CONTEXT] for ids in tokenizer(list(texts), add_special_tokens=False)["input_ids"]]
    for start in range(0, len(rows), size):
        some = rows[start : start + size]
        longest = max(map(len, some))
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in some])
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in some])
        yield ids, mask


def _is_compared(span: world.Span, field: str, word: str) -> bool:
    if field == "sense":
        return span.word == word and span.sense != ""
    return field != "language" or span.part_of_speech not in _OF_NO_LANGUAGE


def _ranks(values: Float[np.ndarray, "tokens neurons"]) -> Float[np.ndarray, "tokens neurons"]:
    from scipy.stats import rankdata

    return np.asarray(rankdata(values, axis=0))


def _auroc_of_ranks(ranks: Float[np.ndarray, "tokens neurons"], positive: Bool[np.ndarray, " tokens"]) -> np.ndarray:
    count = int(positive.sum())
    above = ranks[positive].sum(axis=0) - count * (count + 1) / 2
    return np.asarray(above / (count * (len(positive) - count)))


def _best(
    name: str,
    search: Reading,
    report: Reading,
    field: str,
    value: str,
    word: str = "",
    ranks: Float[np.ndarray, "tokens neurons"] | None = None,
) -> KnownNeuron | None:
    compared, positive = carries(search, field, value, word)
    compared_again, positive_again = carries(report, field, value, word)
    if min(positive.sum(), positive_again.sum()) < 20 or positive.all() or positive_again.all():
        return None
    found = _auroc_of_ranks(_ranks(search.values[compared]) if ranks is None else ranks, positive)
    index = int(np.abs(found - 0.5).argmax())
    sign = 1 if found[index] >= 0.5 else -1
    again = auroc(sign * report.values[compared_again][:, [index]], positive_again)[0]
    layer, unit = divmod(index, search.per_layer)
    counts = int(compared_again.sum()), int(positive_again.sum())
    return KnownNeuron(name, f"L{layer}.N{unit}", field, value, word, sign, round(float(again), 4), *counts)


def _values(reading: Reading) -> Iterator[tuple[str, str]]:
    for field in ("category", "part_of_speech", "language"):
        for value in sorted({getattr(span, field) for span in reading.labels if span is not None}):
            yield field, value


def _word_senses() -> Iterator[tuple[str, str]]:
    for word, uses in SENSES.items():
        yield word, next(iter(uses))


def _labels(tokenizer: PreTrainedTokenizerFast, documents: Sequence[world.Document]) -> Iterator[world.Span | None]:
    for document in documents:
        encoded = tokenizer(document.text, add_special_tokens=False, return_offsets_mapping=True)
        yield from world.token_labels(document, encoded["offset_mapping"])[: CONTEXT - 1]
