"""How a scan is cut up: shards of windows, batches of a shard, and which tokens are tabulated, counted or sampled.

The plan follows from the corpus and the model alone, so that any number of workers, in any order, with any
interruption, come to the same index bit by bit. Windows are dealt to shards at random (seed 0): a part of the shards is
a fair sample of the corpus, which is what makes an index usable while it is being built.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Integer
from torch import Tensor

from neuronscope.index.excerpts import AFTER, BEFORE

if TYPE_CHECKING:
    from neuronscope.index.read_corpus import ReadCorpus

K = 50
"""Strongest contexts kept of each case."""
KEPT_CONTEXTS = 20
"""How many of them keep the values around the peak."""
CONTEXT = BEFORE + 1 + AFTER
SHARD_TOKENS = 65_536
"""Tokens of a shard; more where a corpus would otherwise have more than `MOST_SHARDS` of them."""
MOST_SHARDS = 1024
BATCH_TOKENS = 1024
SAMPLE = 512
"""Tokens whose activations are kept whole."""
BUCKETS = 512
"""Numbers of a neuron's sketch: each token that counts adds to one of them."""
COUNTED, LEAST_SHARE = 16_384, 1 / 32
"""The histogram counts about this many tokens, drawn by hash, and of a large corpus this share."""
_TABLE_BYTES = 256 << 20
"""Memory for the sums and maxima of the tabulated tokens of one shard."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Windows that run together."""

    ids: Integer[Tensor, "windows tokens"]
    """What runs, special tokens and padding included."""
    real: Bool[Tensor, "windows tokens"]
    """Places that are not padding."""
    text: Bool[Tensor, "windows tokens"]
    """Places that hold tokens of the corpus: neither padding nor the special tokens around a window."""
    kept: Bool[Tensor, "windows tokens"]
    """Places that count."""
    runs: tuple[tuple[int, int, int], ...]
    """Stretches of places that count: window, first place, and the one after the last."""
    base: Integer[Tensor, " windows"]
    """The corpus position of each window's place 0."""
    tabulated: Integer[Tensor, " n"]
    """Places, rows one after the other, of tokens in the table of frequent tokens."""
    slots: Integer[Tensor, " n"]
    """Their rows in that table."""
    counted: Integer[Tensor, " m"]
    """Places of tokens that go into the histogram."""
    counted_keys: Integer[Tensor, " m"]
    """Their hash and position, packed: the smallest of a bin is its example."""
    sampled: Integer[Tensor, " s"]
    """Places of tokens in the sample."""
    sample_rows: Integer[Tensor, " s"]
    """Their rows among the shard's sampled tokens."""
    buckets: Integer[Tensor, "windows tokens"]
    """The bucket of the sketch that each place adds to."""
    signs: Float[Tensor, "windows tokens"]
    """The sign with which it does, 1 or -1; 0 for places that do not count."""
    apart: Integer[Tensor, " p"]
    """Places of special tokens, and of first tokens where no special one stands before them."""
    count: int = field(default=0)
    """How many tokens count."""

    def to(self, device: torch.device) -> Batch:
        """The same on another device."""
        moved: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        moved |= {name: value.to(device) for name, value in moved.items() if isinstance(value, Tensor)}
        return Batch(**moved)


def hashes(positions: Integer[np.ndarray, "*n"], seed: int = 0) -> Integer[np.ndarray, "*n"]:
    """A well mixed 31-bit number for each position (splitmix64); seed 0 decides which tokens are sampled."""
    with np.errstate(over="ignore"):
        x = positions.astype(np.uint64) + np.uint64((seed + 1) * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((x ^ (x >> np.uint64(31))) >> np.uint64(33)).astype(np.int64)


def sketched(
    positions: Integer[np.ndarray, "*n"],
) -> tuple[Integer[np.ndarray, "*n"], Float[np.ndarray, "*n"]]:
    """The bucket and the sign (1 or -1) of each position in the sketch, from other bits than those of sampling."""
    drawn = hashes(positions, seed=1)
    return drawn % BUCKETS, ((drawn >> 30) * 2 - 1).astype(np.float32)


class Plan:
    """The shards of one corpus for one model."""

    def __init__(self, corpus: ReadCorpus, neurons: int, *, layers: int, shard_tokens: int | None = None) -> None:
        """`neurons` of one layer; the table of tokens is as large as its memory allows over all `layers`.

        `shard_tokens` is what the index was begun with, `SHARD_TOKENS` or more for a new one.
        """
        self.corpus = corpus
        windows = corpus.windows
        order = np.random.default_rng(0).permutation(len(windows))
        dealt = np.cumsum(windows["length"][order].astype(np.int64))
        total = int(dealt[-1]) if len(dealt) else 0
        self.shard_tokens = size = shard_tokens or max(SHARD_TOKENS, -(-total // MOST_SHARDS))
        cuts = np.searchsorted(dealt, np.arange(size, total, size)) + 1
        self.shards: tuple[Integer[np.ndarray, " windows"], ...] = tuple(
            np.sort(shard) for shard in np.split(order, np.unique(cuts)) if len(shard)
        )
        self.slots = min(_TABLE_BYTES // (8 * neurons * layers), 4096)

    @property
    def kept(self) -> Bool[np.ndarray, " tokens"]:
        """The tokens of the corpus that count; each does in one window."""
        return self.corpus.counted

    @cached_property
    def counts(self) -> Integer[np.ndarray, " vocabulary"]:
        """How often each id occurs among the tokens that count."""
        return np.bincount(self.corpus.ids[self.kept])

    @cached_property
    def tabulated(self) -> Integer[np.ndarray, " slots"]:
        """The ids whose sums are kept: the most frequent, in ascending order of id."""
        counts = self.counts
        occurring = np.flatnonzero(counts)
        frequent = occurring[np.lexsort((occurring, -counts[occurring]))][: self.slots]
        return np.sort(frequent)

    @cached_property
    def counted_below(self) -> int:
        """Tokens whose hash is below this go into the histogram."""
        share = max(COUNTED / max(int(self.kept.sum()), 1), LEAST_SHARE)
        return int(min(share, 1.0) * (1 << 31))

    @cached_property
    def sampled(self) -> Integer[np.ndarray, " sample"]:
        """Positions of the sample, ascending: the smallest hashes among the tokens that count."""
        positions = np.flatnonzero(self.kept)
        drawn = hashes(positions)
        smallest = np.lexsort((positions, drawn))[:SAMPLE]
        return np.sort(positions[smallest])

    def sampled_in(self, *shards: int) -> Integer[np.ndarray, " n"]:
        """Rows of the sample that these shards fill; a shard by itself fills its own in this order."""
        windows = [self.shards[shard] for shard in shards]
        return np.flatnonzero(np.isin(self.corpus.window_of(self.sampled), np.concatenate(windows)))

    def batches(self, shard: int) -> Iterator[Batch]:
        """The batches of one shard: windows of like length together, longest first."""
        windows = self.corpus.windows
        chosen = self.shards[shard]
        chosen = chosen[np.argsort(-windows["length"][chosen].astype(np.int64), kind="stable")]
        rows = {int(position): row for row, position in enumerate(self.sampled[self.sampled_in(shard)])}
        specials = len(self.corpus.lead) + len(self.corpus.tail)
        at = 0
        while at < len(chosen):
            longest = int(windows["length"][chosen[at]]) + specials
            together = max(BATCH_TOKENS // longest, 1)
            yield self._batch(chosen[at : at + together], rows)
            at += together

    def _batch(self, windows: Integer[np.ndarray, " windows"], rows: dict[int, int]) -> Batch:
        corpus = self.corpus
        lead, tail = corpus.lead, corpus.tail
        table = corpus.windows[windows]
        lengths = table["length"].astype(np.int64)
        first = table["first"].astype(np.int64)
        width = int(lengths.max()) + len(lead) + len(tail)
        place = np.arange(width)
        inside = (place >= len(lead)) & (place < len(lead) + lengths[:, None])
        real = place < len(lead) + lengths[:, None] + len(tail)
        base = first - len(lead)
        position = base[:, None] + place
        ids = np.zeros((len(windows), width), dtype=np.int64)
        ids[:, : len(lead)] = lead
        ids[inside] = corpus.ids[position[inside]]
        for row, length in enumerate(lengths):
            ids[row, len(lead) + length : len(lead) + length + len(tail)] = tail
        kept = inside & (place >= len(lead) + table["context"].astype(np.int64)[:, None])
        kept[kept] = self.kept[position[kept]]
        if not lead:
            kept[:, 0] = False
        apart = real & ~kept & ~(inside & (place < len(lead) + table["context"].astype(np.int64)[:, None]))
        flat = np.flatnonzero(kept)
        at = position.reshape(-1)[flat]
        drawn = hashes(at)
        counted = drawn < self.counted_below
        sampled = np.isin(at, self.sampled)
        buckets, signs = sketched(position)
        slots = np.searchsorted(self.tabulated, ids.reshape(-1)[flat]).clip(max=max(len(self.tabulated) - 1, 0))
        listed = self.tabulated[slots] == ids.reshape(-1)[flat] if len(self.tabulated) else np.zeros(len(flat), bool)

        def tensor(array: np.ndarray) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(array))

        return Batch(
            ids=torch.from_numpy(ids),
            real=tensor(real),
            text=tensor(inside),
            kept=tensor(kept),
            runs=_runs(kept),
            base=tensor(base),
            tabulated=tensor(flat[listed]),
            slots=tensor(slots[listed]),
            counted=tensor(flat[counted]),
            counted_keys=tensor((drawn[counted] << 32) + at[counted]),
            sampled=tensor(flat[sampled]),
            sample_rows=tensor(np.array([rows[p] for p in at[sampled].tolist()], dtype=np.int64)),
            buckets=tensor(buckets),
            signs=tensor(np.where(kept, signs, np.float32(0))),
            apart=tensor(np.flatnonzero(apart)),
            count=len(flat),
        )


def _runs(kept: Bool[np.ndarray, "windows tokens"]) -> tuple[tuple[int, int, int], ...]:
    edges = np.diff(np.pad(kept, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(edges == 1)
    _, stops = np.nonzero(edges == -1)
    return tuple(zip(rows.tolist(), starts.tolist(), stops.tolist(), strict=True))
