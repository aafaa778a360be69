"""What is asked of a drift, and the folder it is begun in or gone on with: its corpus and its manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from neuronscope.errors import DriftProblem, FileError
from neuronscope.index.build import WINDOW
from neuronscope.index.plan import Plan
from neuronscope.index.read_corpus import NAME as CORPUS
from neuronscope.index.read_corpus import ReadCorpus
from neuronscope.index.reading import read
from neuronscope.models.loading import Lend
from neuronscope.series import store
from neuronscope.series.finding import Candidate
from neuronscope.series.passing import KERNEL
from neuronscope.series.store import BASE, CONTROL, Checkpoint, Manifest
from neuronscope.vocabulary import ModelCard

TOKENS = 50_000
"""Tokens of the probe corpus, unless more or fewer are asked for."""


@dataclass(frozen=True)
class Probing:
    """What checkpoints are compared on."""

    sources: tuple[str, ...]
    """What to read, as `neuronscope.corpus` says."""
    tokens: int = TOKENS
    """The most tokens to read."""
    window: int | None = None
    """Tokens that run together; 128, or the model's context if that is shorter."""
    field: str = "text"
    """The JSON field or column that holds the text."""
    offline: bool = False
    """Refuse data sets that come from the network."""

    @property
    def asked(self) -> dict[str, object]:
        """What decides which tokens are read, as the manifest keeps it."""
        return {
            "sources": list(self.sources), "tokens": self.tokens, "window": self.window, "field": self.field
        }  # fmt: skip


def folder_for(
    parent: Path, card: ModelCard, candidates: Sequence[Candidate], control: Candidate | None, probing: Probing
) -> Path:
    """Where a drift is kept unless a folder is named: the same for the same question."""
    named = [one.name for one in (*candidates, *([control] if control else []))]
    asked = [card.revision, card.precision, named, probing.asked]
    return parent / "drift" / hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16]


def begun(
    lend: Lend,
    card: ModelCard,
    candidates: Sequence[Candidate],
    control: Candidate | None,
    folder: Path,
    probing: Probing,
) -> tuple[Manifest, Plan]:
    """What is in the folder, checked against what is asked for; or a new drift, its corpus read.

    Raises:
        DriftProblem: if the folder holds the drift of something else.
        FileError: if it holds anything else, or a text cannot be read, or too few tokens come of them.
    """
    wanted = _wanted(card, candidates, control)
    known = store.read_manifest(folder)
    if known is not None:
        _check(known, folder, card, wanted, probing)
    else:
        _check_empty(folder)
        with lend() as model:
            size = probing.window or min(WINDOW, card.context)
            read(
                model, probing.sources, folder, window=size, tokens=probing.tokens, field=probing.field,
                offline=probing.offline,
            )  # fmt: skip
    corpus = ReadCorpus.open(folder)
    plan = Plan(corpus, card.neurons, layers=card.layers)
    if known is not None:
        if known.corpus != corpus.fingerprint:
            raise DriftProblem(f"The texts in {folder} are not those it was begun with. Choose another folder.")
        return replace(known, checkpoints=tuple(replace(one, problem="") for one in known.checkpoints)), plan
    tokens = int(plan.kept.sum())
    if tokens < KERNEL // 16:
        raise FileError(f"Only {tokens} tokens of these texts count: a drift needs {KERNEL // 16} at least. Give more.")
    manifest = _new(card, corpus, tokens, wanted, probing)
    store.write_manifest(folder, manifest)
    return manifest, plan


def _wanted(card: ModelCard, candidates: Sequence[Candidate], control: Candidate | None) -> list[Checkpoint]:
    """The base, the control if there is one, and the checkpoints."""
    wanted = [Checkpoint(card.name, "base", None, BASE, revision=card.revision)]
    if control is not None:
        taken = control.label in {"base", *(one.label for one in candidates)}
        label = f"{control.label} ({CONTROL})" if taken else control.label
        wanted.append(Checkpoint(control.name, label, control.step, CONTROL))
    return wanted + [Checkpoint(one.name, one.label, one.step, f"{i:02d}") for i, one in enumerate(candidates, 1)]


def _check(known: Manifest, folder: Path, card: ModelCard, wanted: Sequence[Checkpoint], probing: Probing) -> None:
    """Raise `DriftProblem` unless what is known is the beginning of what is asked for."""
    if (known.revision, known.precision) != (card.revision, card.precision):
        raise DriftProblem(
            f"The drift in {folder} is of {known.model} ({known.revision}, {known.precision}), not of {card.label} "
            f"({card.revision}, {card.precision}). Choose another folder."
        )
    if [(one.name, one.place) for one in known.checkpoints] != [(one.name, one.place) for one in wanted]:
        has = ", ".join(one.label for one in known.checkpoints)
        raise DriftProblem(f"The drift in {folder} is of other checkpoints: {has}. Choose another folder.")
    if known.asked != probing.asked:
        said = ", ".join(f"{name} {value}" for name, value in known.asked.items())
        raise DriftProblem(
            f"The drift in {folder} is on other texts ({said}). Ask for these, or choose another folder."
        )


def _check_empty(folder: Path) -> None:
    """A folder that holds something else is not ours to fill; a corpus alone is what an earlier start left."""
    strange = sorted(path.name for path in folder.iterdir() if not path.name.startswith(".") and path.name != CORPUS)
    if strange:
        raise FileError(f"{folder} is no drift and not empty: it holds {strange[0]}. Choose an empty or new folder.")


def _new(card: ModelCard, corpus: ReadCorpus, tokens: int, wanted: Sequence[Checkpoint], probing: Probing) -> Manifest:
    return Manifest(
        model=card.name,
        revision=card.revision,
        architecture=card.architecture,
        precision=card.precision,
        layers=card.layers,
        neurons=card.neurons,
        gated=card.gated,
        corpus=corpus.fingerprint,
        sources=tuple(corpus.sources),
        asked=probing.asked,
        tokens=tokens,
        threads=torch.get_num_threads(),
        checkpoints=tuple(wanted),
    )
