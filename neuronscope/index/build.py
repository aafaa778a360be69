"""Building an index: read the corpus, scan it shard by shard, merge in order, publish, go on after a stop."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float

from neuronscope.errors import FileError, InputError, OtherIndex
from neuronscope.index import store
from neuronscope.index.encoding import Encoder
from neuronscope.index.plan import Plan
from neuronscope.index.read_corpus import ReadCorpus
from neuronscope.index.reading import read
from neuronscope.index.scan import scales, scan_shard, threads
from neuronscope.index.state import State, cards, sketches, statistics, tokens_of
from neuronscope.index.store import Manifest, Store
from neuronscope.jobs import counter
from neuronscope.models.loading import Lend
from neuronscope.vocabulary import ModelCard

if TYPE_CHECKING:
    from neuronscope.index.distributed import Cluster

WINDOW = 128
"""Tokens that run together, special ones included."""
_WRITING = 0.03
"""At most this share of the time goes into writing what has been reached."""


def build(
    lend: Lend,
    card: ModelCard,
    sources: Sequence[str],
    folder: Path | str,
    *,
    tokens: int | None = None,
    window: int | None = None,
    overlap: int = 0,
    field: str = "text",
    offline: bool = False,
    cluster: Cluster | None = None,
) -> Store:
    """Build the index of a corpus in `folder`, or go on with one that was begun there, or open one that is whole.

    Args:
        lend: How to get at the model; it is borrowed for one batch at a time.
        card: The model's card.
        sources: Files, folders, patterns, `-`, or `hf:` data sets; see `corpus.documents`. None of them is read again
            when an index goes on.
        folder: Where the index is, or shall be.
        tokens: The most tokens to read; the whole corpus by default.
        window: Tokens that run together, special ones included; 128, or the model's context if that is shorter.
        overlap: How many tokens each window repeats of the one before it, as context that does not count again.
        field: The field or column that holds the text.
        offline: Refuse data sets that come from the network.
        cluster: Who scans; this process by itself by default. Each worker loads the model by the name in `card`.

    Raises:
        OtherIndex: if the folder holds an index of something else.
        BusyIndex: if another process is building there.
        DamagedIndex: if what was written is not what is there.
        FileError: if a source cannot be read or the disk is full; what was published before still stands.
        Cancelled: at any layer of any batch; what was reached is written first.
    """
    folder = Path(folder).expanduser()
    size = window or min(WINDOW, card.context)
    if not 2 <= size <= card.context:
        raise InputError(f"A window of {size} tokens: {card.label} reads 2 to {card.context:,} at a time.")
    if not 0 <= overlap <= size // 2:
        raise InputError(f"An overlap of {overlap} tokens: it can be 0 to half a window, which is {size // 2}.")
    with store.building(folder):
        begun = begin(
            lend, card, sources, folder, tokens=tokens, window=size, overlap=overlap, field=field, offline=offline
        )
        if begun.manifest.complete:
            return Store.open(folder)
        if cluster is None:
            scan_here(lend, card, begun, folder)
        else:
            from neuronscope.index.distributed import scan_on

            scan_on(cluster, card.name, begun, folder)
    return Store.open(folder)


@dataclass(frozen=True)
class Begun:
    """An index of which everything is settled but what its shards hold."""

    manifest: Manifest
    """How far it has come."""
    plan: Plan
    """What is left to do."""


def begin(
    lend: Lend,
    card: ModelCard,
    sources: Sequence[str],
    folder: Path,
    *,
    tokens: int | None,
    window: int,
    overlap: int,
    field: str,
    offline: bool = False,
) -> Begun:
    """What is in the folder, checked against what is asked for; or a new index, its corpus read."""
    known = store.read_manifest(folder)
    if known is not None and sources:
        asked = (tuple(sources), tokens)
        if asked != (known.sources, known.most):
            raise OtherIndex(
                f"The index in {folder} was made from {_described(known.sources, known.most)}, and "
                f"{_described(*asked)} was asked for. Choose another folder, or ask for the same."
            )
    with lend() as model:
        fingerprint = Encoder(model.tokenizer).fingerprint
        if known is None:
            _refuse_strangers(folder)
            read(model, sources, folder, window=window, overlap=overlap, tokens=tokens, field=field, offline=offline)
    corpus = ReadCorpus.open(folder)
    size = None if known is None else known.shard_tokens
    plan = Plan(corpus, card.neurons, layers=card.layers, shard_tokens=size)
    asked_for = Manifest(
        model=card.name,
        revision=card.revision,
        architecture=card.architecture,
        precision=card.precision,
        device=card.device.split(":")[0],
        layers=card.layers,
        neurons=card.neurons,
        gated=card.gated,
        tokenizer=fingerprint,
        corpus=corpus.fingerprint,
        sources=tuple(sources),
        most=tokens,
        window=window,
        overlap=overlap,
        tokens=int(plan.kept.sum()),
        shards=len(plan.shards),
        shard_tokens=plan.shard_tokens,
        scales=(),
        threads=torch.get_num_threads(),
    )
    if known is not None:
        known.fits(asked_for)
        return Begun(known, plan)
    if not asked_for.tokens:
        raise InputError(
            "These texts hold no token to index: the first token of each does not count, and none has a second."
        )
    manifest = replace(asked_for, scales=tuple(scales(lend, plan)))
    store.write_manifest(folder, manifest)
    return Begun(manifest, plan)


def scan_here(lend: Lend, card: ModelCard, begun: Begun, folder: Path) -> None:
    """Scan the shards that are left in this process."""
    manifest = begun.manifest
    seen = counter(manifest.tokens, "Indexing tokens", manifest.seen)
    with threads(manifest.threads), Merging(folder, begun) as merging:
        for shard in range(manifest.merged, manifest.shards):
            scales = list(manifest.scales)
            merging.take(scan_shard(lend, card, begun.plan, shard, scales, merging.floors, seen))


class Merging:
    """Merges shards in order, publishes now and then and at the end, and on leaving writes what was reached."""

    def __init__(self, folder: Path, begun: Begun) -> None:
        """Go on from what the folder's manifest says."""
        self._folder, self._plan = folder, begun.plan
        self._written = self._reached = begun.manifest
        self._state = store.resume(folder, begun.manifest) if begun.manifest.resume else None
        self._at, self._cost = time.monotonic(), 0.0

    def __enter__(self) -> Merging:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reached.merged > self._written.merged and not isinstance(problem, FileError):
            self._publish()

    @property
    def floors(self) -> Float[np.ndarray, "cases neurons"] | None:
        """Values below which no context of a later shard can enter a list."""
        return None if self._state is None else self._state.floors

    def take(self, state: State) -> None:
        """Merge the next shard."""
        if self._state is None:
            self._state = state
        else:
            self._state.merge(state)
        merged = self._reached.merged + 1
        self._reached = replace(self._reached, merged=merged, seen=self._state.count, apart=self._state.apart)
        if self._reached.complete or time.monotonic() - self._at > self._cost / _WRITING:
            self._publish()

    def _publish(self) -> None:
        began = time.monotonic()
        assert self._state is not None, "there is something to publish"
        arrays = published(self._state, self._plan, self._reached.neurons, self._reached.merged)
        going_on = None if self._reached.complete else self._state
        self._written = self._reached = store.publish(self._folder, self._reached, arrays, going_on)
        self._at = time.monotonic()
        self._cost = self._at - began


def published(state: State, plan: Plan, neurons: int, merged: int) -> dict[str, np.ndarray]:
    """The arrays that readers see after `merged` shards, of the sample as much as these hold; see `store`."""
    seen = plan.sampled_in(*range(merged))
    listed, effects = tokens_of(state, plan.tabulated, neurons=neurons)
    tabulated = np.zeros(len(plan.tabulated), [("id", "<u4"), ("count", "<u8")])
    tabulated["id"], tabulated["count"] = plan.tabulated, state.arrays["slot_counts"]
    return {
        "statistics": statistics(state, effects),
        "cards": cards(state),
        "tokens": listed,
        "tabulated": tabulated,
        "sample": np.ascontiguousarray(state.arrays["sample"][seen].T),
        "sampled": plan.sampled[seen].astype(np.uint32),
        "inputs": np.ascontiguousarray(state.arrays["inputs"][seen].swapaxes(0, 1)),
        "sketch": sketches(state, neurons=neurons),
    }


def _refuse_strangers(folder: Path) -> None:
    """A folder that holds something else is not ours to fill."""
    strange = sorted(path.name for path in folder.iterdir() if not path.name.startswith((".", "corpus")))
    if strange:
        raise FileError(
            f"{folder} is not an index and not empty: it holds {strange[0]}. Choose an empty or new folder."
        )


def _described(sources: Sequence[str], tokens: int | None) -> str:
    first = ", ".join(sources[:3]) + (f" and {len(sources) - 3} more" if len(sources) > 3 else "")
    return first if tokens is None else f"{first} (at most {tokens:,} tokens)"
