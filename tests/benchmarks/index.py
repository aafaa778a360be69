"""What indexing a corpus costs beside the bare forward pass, and beside collecting everything and sorting it.

    python -m tests.benchmarks.index [--tokens 131072] [--corpus 1048576] [--json results.json]

GPT-2's shape (12 layers × 3,072 neurons, 124M parameters) with random weights, windows of 128 tokens drawn by Zipf's
law, eight at a time, one thread. All that an index keeps is kept of all 36,864 neurons. Every eighth batch also runs
bare, and through the plain way: capture the batch, then `torch.topk` over its tokens, merged with the best so far, and
moments in float64; where TransformerLens is installed, once more captured by its `run_with_cache`. The ratio is each
way's CPU time to the bare forward's of the same batch; contexts cost less the more has been seen, so that it is told as
it goes. `--corpus` is how large the corpus is said to be: it decides how many of its tokens go into the histogram.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import functools
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

LAYERS, NEURONS, WINDOW = 12, 3072, 128
NAMES = {"index": "index", "plain": "collect and topk", "lens": "run_with_cache and topk"}


def main() -> None:
    """Run, print a table, and write the figures if asked."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--tokens", type=int, default=131_072)
    arguments.add_argument("--corpus", type=int, default=1_048_576)
    arguments.add_argument("--json", type=Path)
    asked = arguments.parse_args()
    if asked.tokens < 16 * 8 * WINDOW:
        arguments.error(f"--tokens {asked.tokens}: at least {16 * 8 * WINDOW}, of which every eighth batch runs bare")
    rows = ratios(asked.tokens // WINDOW * WINDOW, asked.corpus)
    half = rows[len(rows) // 2 :]
    last = {way: statistics.median(row[way] for row in half) for way in NAMES if way in half[0]}
    told = ", ".join(f"{NAMES[way]} {ratio:.3f}" for way, ratio in last.items())
    print(f"second half, median: {told} of the bare forward")
    if asked.json:
        asked.json.write_text(json.dumps({"rows": rows, "second_half": last}, indent=1))


class Corpus:
    """Windows of random tokens, as an index's corpus gives them."""

    lead: tuple[int, ...] = ()
    tail: tuple[int, ...] = ()

    def __init__(self, tokens: int) -> None:
        """Draw `tokens` ids of GPT-2's vocabulary."""
        from neuronscope.index.read_corpus import WINDOWS

        rng, size = np.random.default_rng(0), 50_257
        share = 1 / np.arange(1, size + 1)
        self.ids = rng.choice(size, tokens, p=share / share.sum()).astype(np.uint16)
        self.windows = np.zeros(tokens // WINDOW, WINDOWS)
        self.windows["first"] = np.arange(0, tokens, WINDOW)
        self.windows["length"] = WINDOW
        self.counted = np.arange(tokens) % WINDOW > 0

    def __len__(self) -> int:
        return len(self.ids)

    def window_of(self, positions: np.ndarray) -> np.ndarray:
        """The window of each position."""
        return np.asarray(positions) // WINDOW


def ratios(tokens: int, corpus: int) -> list[dict[str, float]]:
    """CPU time of each way over the bare forward's, batch by batch."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    from neuronscope.engine.capture import evaluating, forward, run
    from neuronscope.index import plan as planning
    from neuronscope.index.layout import Cases
    from neuronscope.index.plan import Plan
    from neuronscope.index.scan import _Layers, scales
    from neuronscope.models.loading import attach, load
    from neuronscope.vocabulary import Site

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = attach(GPT2LMHeadModel(GPT2Config()).eval(), load("demo:stories").tokenizer, "gpt2-shape")
    planning.SHARD_TOKENS = 1 << 40
    plan = Plan(Corpus(tokens), NEURONS, layers=LAYERS)
    share = max(planning.COUNTED / corpus, planning.LEAST_SHARE)
    plan.counted_below = int(min(share, 1.0) * (1 << 31))
    units = scales(lambda: contextlib.nullcontext(model), plan)
    floors = np.full((2, LAYERS * NEURONS), -np.inf, np.float32)
    layers, rows = _Layers(model.card, Cases.of(False), plan, 0, units, floors), []
    others = {"plain": Plain(functools.partial(captured, model)), **lens(model.network)}
    with evaluating(model.network), torch.inference_mode():
        for number, batch in enumerate(plan.batches(0)):
            layers.begin(batch)
            asked = (model, batch.ids, batch.real, (Site.NEURONS,), range(LAYERS))
            took = {"index": _timed(run, *asked, layers.see)}
            if number % 8 == 7:
                took["bare"] = _timed(forward, model, batch.ids, batch.real)
                took |= {way: _timed(other.see, batch) for way, other in others.items()}
                row = {"tokens": (number + 1) * batch.ids.numel()}
                row |= {way: seconds / took["bare"] for way, seconds in took.items()}
                rows.append(row)
                told = ", ".join(f"{NAMES[way]} {row[way]:.3f}" for way in ("index", *others))
                print(f"{row['tokens']:>9,} tokens: {told}", flush=True)
    return rows


class Plain:
    """Collect, then sort: the script one would write."""

    def __init__(self, capture: Callable[[Any], Any]) -> None:
        """Nothing seen; `capture` gives a batch's neurons, [layers, tokens, neurons]."""
        self.capture = capture
        self.best: Any = None
        self.sums: Any = 0

    def see(self, batch: Any) -> None:
        """Capture a batch whole; merge its strongest tokens of either sign, and its moments."""
        import torch

        kept = self.capture(batch)
        found = torch.cat([kept.topk(50, dim=1).values, (-kept).topk(50, dim=1).values])
        self.best = found if self.best is None else torch.cat([self.best, found], 1).topk(50, dim=1).values
        wide = kept.double()
        self.sums = self.sums + torch.stack([wide.sum(1), (wide**2).sum(1), (wide**3).sum(1), (wide**4).sum(1)])


def captured(model: Any, batch: Any) -> Any:
    """The neurons of a batch, all in memory."""
    import torch

    from neuronscope.engine.capture import run
    from neuronscope.vocabulary import Site

    kept = torch.empty(LAYERS, batch.ids.numel(), NEURONS)

    def see(_site: Site, layer: int) -> Callable[[Any], None]:
        def keep(values: Any) -> None:
            kept[layer].copy_(values.reshape(-1, NEURONS))

        return keep

    run(model, batch.ids, batch.real, (Site.NEURONS,), range(LAYERS), see)
    return kept


def lens(network: Any) -> dict[str, Plain]:
    """The same with TransformerLens, where it is installed, on a network of its own: it wraps what it is given."""
    import torch

    from tests.benchmarks.capture import bridged

    names = [f"blocks.{layer}.mlp.hook_post" for layer in range(LAYERS)]
    try:
        bridge = bridged(copy.deepcopy(network))
    except ImportError:
        return {}

    def capture(batch: Any) -> Any:
        _, cache = bridge.run_with_cache(batch.ids, names_filter=lambda name: name in names)
        return torch.stack([cache[name].reshape(-1, NEURONS) for name in names])

    return {"lens": Plain(capture)}


def _timed(work: Callable[..., Any], *arguments: Any) -> float:
    start = time.thread_time()
    work(*arguments)
    return time.thread_time() - start


if __name__ == "__main__":
    main()
