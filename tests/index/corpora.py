"""Small random corpora and the plainest way to index them, which keeps everything."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from neuronscope.engine.capture import evaluating, run
from neuronscope.index.plan import Plan
from neuronscope.models.loading import LoadedModel, attach
from neuronscope.vocabulary import Site
from tests import models_for_tests as tiny

NETWORKS = {"plain": tiny.gpt2, "gated": tiny.llama, "encoder": lambda: tiny.of_type("bert")}


def model(kind: str) -> LoadedModel:
    """A tiny random model: `plain`, `gated` or `encoder`."""
    return attach(NETWORKS[kind](), tiny.tokenizer(), kind)


def lending(one: LoadedModel):
    """A model that is always free."""

    @contextlib.contextmanager
    def lend() -> Iterator[LoadedModel]:
        yield one

    return lend


def texts(folder: Path, documents: int = 60, seed: int = 0) -> Path:
    """Documents of 1 to 60 random words, frequent and rare ones, in a JSON-lines file."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, len(tiny.WORDS))
    share /= share.sum()
    lines = []
    for length in rng.integers(1, 60, documents):
        lines.append(json.dumps({"text": " ".join(rng.choice(tiny.WORDS[1:], length, p=share))}))
    path = folder / "texts.jsonl"
    path.write_text("\n".join(lines), "utf-8")
    return path


@dataclass
class Everything:
    """Every activation of a corpus, position by position; rows that are never run are NaN."""

    values: np.ndarray
    gates: np.ndarray | None


def everything(one: LoadedModel, plan: Plan) -> Everything:
    """Run the plan's own batches and keep all of it."""
    card, size = one.card, (len(plan.corpus), one.card.layers * one.card.neurons)
    kept = Everything(np.full(size, np.nan, np.float32), np.full(size, np.nan, np.float32) if card.gated else None)
    sites = (Site.GATE, Site.NEURONS) if card.gated else (Site.NEURONS,)
    for shard in range(len(plan.shards)):
        for batch in plan.batches(shard):
            chosen = batch.kept.numpy()
            positions = (batch.base[:, None] + torch.arange(batch.ids.shape[1])).numpy()[chosen]

            def see(site: Site, layer: int, chosen=chosen, positions=positions):
                into = kept.gates if site is Site.GATE else kept.values
                columns = slice(layer * card.neurons, (layer + 1) * card.neurons)

                def keep(values: torch.Tensor) -> None:
                    into[positions, columns] = values.numpy()[chosen]

                return keep

            with evaluating(one.network):
                run(one, batch.ids, batch.real, sites, range(card.layers), see)
    return kept
