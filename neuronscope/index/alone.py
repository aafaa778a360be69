"""Running a few tokens alone: what a neuron does on the last of them with nothing but a neutral opening before it.

The first token that a model reads is no place to look at: many models park large activations there, whatever the token.
So tokens never stand first. Before them stands what begins every window of the corpus; where that is nothing, the
tokenizer's own beginning-of-text token; where it has none, a few tokens drawn from the corpus, in several draws whose
activations are averaged. Positions count from the opening, as in a text of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import Tensor

from neuronscope.engine.capture import Place, See, evaluating, run
from neuronscope.index.plan import BATCH_TOKENS
from neuronscope.index.read_corpus import ReadCorpus
from neuronscope.jobs import track
from neuronscope.models.loading import Lend, LoadedModel
from neuronscope.ngrams import Pattern
from neuronscope.vocabulary import Neuron, Site

DRAWS = 4
"""So many ways to open a text, or to fill the gaps of a pattern, are averaged."""
DRAWN = 4
"""So many tokens open a text in a model that has no token for it."""

Ids = tuple[int, ...]


@dataclass(frozen=True)
class Opening:
    """What stands before tokens that are run alone."""

    ways: tuple[Ids, ...]
    """The ids before them: one way, or several to average over."""
    after: str
    """What they stand after, in words."""


def opening(lend: Lend, corpus: ReadCorpus) -> Opening:
    """What stands before tokens that are run alone in this model; where it is drawn, with seed 0."""
    with lend() as model:
        begins, fits = model.tokenizer.bos_token_id, model.card.vocabulary
        own = (int(begins),) if begins is not None and begins < fits else ()
        if before := corpus.lead or own:
            return Opening((before,), " ".join(map(model.display, before)))
    drawn = np.random.default_rng(0).integers(len(corpus), size=(DRAWS, DRAWN))
    ways = tuple(tuple(row) for row in corpus.ids[drawn].tolist())
    return Opening(ways, f"{DRAWN} tokens drawn from the corpus, mean of {DRAWS} draws")


def patterns_alone(
    lend: Lend, corpus: ReadCorpus, opened: Opening, patterns: Sequence[Pattern], neuron: Neuron
) -> Float[np.ndarray, " patterns"]:
    """The neuron's activation on the last token of each pattern when the pattern is all the text there is.

    A token that a pattern skips is filled with one drawn from the corpus (seed 0), the mean of `DRAWS` draws.
    """
    random = np.random.default_rng(0)
    texts: list[tuple[Ids, Ids]] = []
    owners: list[int] = []
    for place, pattern in enumerate(patterns):
        again = DRAWS if None in pattern and len(opened.ways) == 1 else 1
        for way in opened.ways * again:
            texts.append((way, _filled(pattern, corpus.ids, random)))
            owners.append(place)
    sums = np.bincount(owners, _last_values(lend, corpus, texts, neuron), len(patterns))
    return sums / np.maximum(np.bincount(owners, minlength=len(patterns)), 1)


def suffixes_alone(
    lend: Lend, corpus: ReadCorpus, opened: Opening, suffixes: Sequence[tuple[int, int]], neuron: Neuron
) -> Float[np.ndarray, " suffixes"]:
    """The neuron's activation at some positions of the corpus when only so many tokens, that one included, are read.

    Each suffix is a position and a length, which stays within the window that counts the position.
    """
    texts = [
        (way, tuple(corpus.ids[position + 1 - length : position + 1].tolist()))
        for position, length in suffixes
        for way in opened.ways
    ]
    return _last_values(lend, corpus, texts, neuron).reshape(len(suffixes), len(opened.ways)).mean(1)


def _filled(pattern: Pattern, ids: Integer[np.ndarray, " tokens"], random: np.random.Generator) -> Ids:
    return tuple(int(ids[random.integers(len(ids))]) if token is None else token for token in pattern)


def _last_values(
    lend: Lend, corpus: ReadCorpus, texts: Sequence[tuple[Ids, Ids]], neuron: Neuron
) -> Float[np.ndarray, " texts"]:
    """The activation on the last token of each opened text; texts that are the same run once."""
    with lend() as model:
        most = model.card.context - len(corpus.tail)
    whole = [_fitted(way, text, most, bool(corpus.lead)) for way, text in texts]
    once = sorted(set(whole), key=lambda ids: (-len(ids), ids))
    known: dict[Ids, float] = {}
    for batch in track(list(_batches(once, len(corpus.tail))), label="Running alone, batch"):
        with lend() as model, evaluating(model.network):
            known.update(zip(batch, _run(model, batch, corpus.tail, neuron), strict=True))
    return np.array([known[ids] for ids in whole], dtype=np.float64)


def _fitted(way: Ids, text: Ids, most: int, fixed: bool) -> Ids:
    """Opening and text, of a drawn opening as much as the model's context leaves room for."""
    return way + text if fixed else way[max(len(way) + len(text) - most, 0) :] + text


def _batches(texts: Sequence[Ids], tail: int) -> Iterator[list[Ids]]:
    batch: list[Ids] = []
    for ids in texts:
        if batch and (len(batch) + 1) * (len(batch[0]) + tail) > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(ids)
    if batch:
        yield batch


def _run(model: LoadedModel, batch: list[Ids], tail: Ids, neuron: Neuron) -> list[float]:
    width = len(batch[0]) + len(tail)
    ids = torch.zeros(len(batch), width, dtype=torch.long)
    real = torch.zeros(len(batch), width, dtype=torch.bool)
    for row, text in enumerate(batch):
        ids[row, : len(text) + len(tail)] = torch.tensor(text + tail)
        real[row, : len(text) + len(tail)] = True
    rows, places = torch.arange(len(batch)), torch.tensor([len(text) - 1 for text in batch])
    found: list[float] = []

    def see(_site: Place, _layer: int) -> See:
        def pick(passing: Tensor) -> None:
            at = passing[rows.to(passing.device), places.to(passing.device), neuron.index]
            found.extend(at.float().cpu().tolist())

        return pick

    run(model, ids, real, (Site.NEURONS,), [neuron.layer], see)
    return found
