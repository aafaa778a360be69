"""The same scan on a Dask cluster: shards as tasks on workers that hold the model, merged in order by whoever asked.

A worker scans one shard at a time and writes it into `shards/` of the index's folder, under another name and then
renamed; only its number travels over the network. The folder must be one that all of them see. A shard whose worker was
killed is given to another one and comes out bit by bit the same, so that the index does not depend on how many workers
there were, or which of them died. Needs `pip install neuronscope[cluster]`.

What it costs, on paper, for 10⁹ tokens of a GPT-2-124M on 64 GPUs: a corpus has at most 1,024 shards, here of a million
tokens. If a GPU reads 50,000 tokens a second with everything kept, 64 of them need 5.2 minutes. A shard's state is
about 0.4 GB (two thirds of it sums of tokens), so that 0.4 TB pass through the shared disk, 1.3 GB/s; the corpus itself
is 2 GB of ids. Merging in one process takes about 1.5 s a shard, 26 minutes in all: with this model, more than about a
dozen GPUs wait for the merge. At 7B parameters a GPU reads perhaps 3,000 tokens a second, 64 need 87 minutes, and
merging shards of 3 GB takes about 3 hours; there the merge ends the scaling at about 30 GPUs. Beyond that, neighbouring
shards would have to be merged on the workers, in a fixed tree of pairs in place of the fixed order.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuronscope.errors import InputError
from neuronscope.index import store
from neuronscope.index.build import Begun, Merging
from neuronscope.index.plan import Plan
from neuronscope.index.read_corpus import ReadCorpus
from neuronscope.index.scan import scan_shard, threads
from neuronscope.jobs import report

if TYPE_CHECKING:
    from distributed import Client
    from jaxtyping import Float

    from neuronscope.index.store import Manifest
    from neuronscope.models.loading import LoadedModel

_HELD = "neuronscope_model"
_AHEAD = 2
"""Shards asked for per worker: one that it scans, and one that it need not wait for."""


@dataclass(frozen=True)
class Cluster:
    """Who does the work: workers started here, or the scheduler of a cluster that is there."""

    workers: int | None = None
    """How many processes to start on this machine, if no address is given."""
    address: str | None = None
    """A Dask scheduler's address, such as `tcp://10.0.0.1:8786`."""
    options: dict[str, Any] = field(default_factory=dict)
    """How a worker loads the model: `precision`, `device`."""


def scan_on(cluster: Cluster, model: str, begun: Begun, folder: Path) -> None:
    """Scan the shards that are left on a cluster and merge them as they come, in order.

    Args:
        cluster: Who does the work.
        model: The model's name, as every worker can load it.
        begun: The index that was begun in `folder`.
        folder: A folder that the workers see under the same name.

    Raises:
        InputError: if Dask is not installed, or no scheduler answers at the address.
        Cancelled: while waiting for a shard; what was merged is written, and shards on their way are kept.
    """
    manifest = begun.manifest
    started, total = time.monotonic(), manifest.tokens
    with _client(cluster) as client, Merging(folder, begun) as merging:
        waiting: dict[int, Any] = {}
        upcoming = iter(range(manifest.merged, manifest.shards))
        reached = manifest.seen

        def ask() -> None:
            shard = next(upcoming, None)
            if shard is not None:
                asked = (model, cluster.options, str(folder), shard, manifest, merging.floors)
                waiting[shard] = client.submit(_scan, *asked, key=f"{folder.name}-{shard}", retries=3, pure=False)

        for _ in range(_AHEAD * max(len(client.scheduler_info()["workers"]), 1)):
            ask()
        for shard in range(manifest.merged, manifest.shards):
            while not waiting[shard].done():
                report(reached, total, "Indexing tokens", started)
                time.sleep(0.05)
            waiting.pop(shard).result()
            state = store.read_shard(folder, shard)
            reached += state.count
            merging.take(state)
            store.drop_shard(folder, shard)
            ask()
        report(reached, total, "Indexing tokens", started)


def _scan(
    name: str,
    options: dict[str, Any],
    folder: str,
    shard: int,
    manifest: Manifest,
    floors: Float[np.ndarray, "cases neurons"] | None,
) -> int:
    """On a worker: scan a shard, unless somebody has, and write it down."""
    where = Path(folder)
    if not store.has_shard(where, shard):
        model = _model(name, options)
        card, corpus = model.card, ReadCorpus.open(where)
        plan = Plan(corpus, card.neurons, layers=card.layers, shard_tokens=manifest.shard_tokens)
        with threads(manifest.threads):
            state = scan_shard(lambda: nullcontext(model), card, plan, shard, list(manifest.scales), floors)
        store.write_shard(where, shard, state)
    return shard


def _model(name: str, options: dict[str, Any]) -> LoadedModel:
    """On a worker: the model, which it loads once and holds as long as it lives."""
    from distributed import get_worker

    from neuronscope.models.loading import load

    worker = get_worker()
    if not hasattr(worker, _HELD):
        setattr(worker, _HELD, load(name, **options))
    return getattr(worker, _HELD)


@contextmanager
def _client(cluster: Cluster) -> Iterator[Client]:
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise InputError("Dask is not installed here: pip install 'neuronscope[cluster]'.") from None
    with ExitStack() as stack:
        if cluster.address is None:
            if not cluster.workers or cluster.workers < 1:
                raise InputError(f"{cluster.workers} workers: start one or more, or give the address of a scheduler.")
            here = {"n_workers": cluster.workers, "threads_per_worker": 1, "dashboard_address": None}
            address = stack.enter_context(LocalCluster(**here))
        else:
            address = cluster.address
        try:
            yield stack.enter_context(Client(address, timeout="10s"))
        except OSError as problem:
            raise InputError(f"No Dask scheduler answers at {cluster.address}: {problem}.") from problem
