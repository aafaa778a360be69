"""A real index of about a million tokens at GPT-2's size: its cost beside the bare forward, its bytes, its answers.

    python -m tests.benchmarks.million [--out FOLDER] [--tokens 1000000] [--json results.json]

GPT-2's shape with random weights and GPT-2's own vocabulary, over the real texts of `../shared/data`, one thread. Every
sixteenth batch also runs bare. The cost is the CPU time of the whole build (reading and cutting the text, scanning,
merging, writing), bare passes taken out, over the bare forward's CPU time for as many tokens. Afterwards, in a process
of its own each, with the files dropped from the page cache where that is allowed: the time to open the index, for
one neuron's whole card the first time and again, and for a reverse query of one neuron and of a hundred.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[3] / "shared" / "data"
TEXTS = ("text-wikitext2/*.txt", "text-tinystories/*.txt", "text-tinyshakespeare/*.txt")
EVERY = 16


def main() -> None:
    """Build, look, print, and write the figures if asked."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--out", type=Path)
    arguments.add_argument("--tokens", type=int, default=1_000_000)
    arguments.add_argument("--json", type=Path)
    arguments.add_argument("--answers", action="store_true", help="only ask the index in --out")
    asked = arguments.parse_args()
    folder = asked.out or Path(tempfile.mkdtemp())
    if asked.answers:
        print(json.dumps(answers(folder)))
        return
    found = build(folder, asked.tokens)
    _forget(folder)
    again = [sys.executable, "-m", "tests.benchmarks.million", "--out", str(folder), "--answers"]
    found |= json.loads(subprocess.run(again, check=True, capture_output=True, text=True).stdout)
    print(json.dumps(found, indent=1))
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1))


def build(folder: Path, tokens: int) -> dict[str, Any]:
    """Build the index, and weigh it against the bare forward pass."""
    import torch
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

    import neuronscope as ns
    from neuronscope.engine.capture import forward
    from neuronscope.index import scan

    torch.set_num_threads(1)
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(DATA / "tokenizers-gpt2")
    scope = ns.attach(GPT2LMHeadModel(GPT2Config()).eval(), tokenizer, "gpt2-shape")
    rows: list[dict[str, float]] = []
    real_run, batches, bare_tokens, aside = scan.run, 0, 0, 0.0

    def run(model: Any, ids: Any, real: Any, *rest: Any) -> None:
        nonlocal batches, bare_tokens, aside
        batches += 1
        began = time.thread_time()
        real_run(model, ids, real, *rest)
        indexed = time.thread_time() - began
        if batches % EVERY == 0:
            began = time.thread_time()
            forward(model, ids, real)
            bare = time.thread_time() - began
            bare_tokens, aside = bare_tokens + ids.numel(), aside + bare
            rows.append({"tokens": batches * ids.numel(), "bare": bare, "ratio": indexed / bare})
            if len(rows) % 8 == 0:
                recent = statistics.median(row["ratio"] for row in rows[-8:])
                print(f"{rows[-1]['tokens']:>9,} tokens: {recent:.3f}", file=sys.stderr, flush=True)

    scan.run = run
    began = time.process_time()
    index = scope.index([str(DATA / text) for text in TEXTS], folder, tokens=tokens)
    spent = time.process_time() - began - aside
    corpus = index.store.corpus
    bare = aside / bare_tokens * len(corpus)
    tail = rows[-len(rows) // 8 :]
    return {
        "tokens": len(corpus),
        "bytes": index.store.bytes,
        "whole build / bare": spent / bare,
        "scan / bare": statistics.fmean(row["ratio"] for row in rows),
        "scan / bare, last eighth": statistics.median(row["ratio"] for row in tail),
        "bare seconds": bare,
        "rows": rows,
    }


def answers(folder: Path) -> dict[str, float]:
    """Milliseconds to open, for a card, and for queries."""
    import numpy as np

    import neuronscope as ns
    from neuronscope import indexed  # noqa: F401  # modules are no part of opening a folder
    from neuronscope.analysis import reverse_query  # noqa: F401
    from neuronscope.index import excerpts, store  # noqa: F401

    found: dict[str, float] = {}

    def timed(name: str, work: Any) -> Any:
        began = time.perf_counter()
        result = work()
        found[name] = (time.perf_counter() - began) * 1e3
        return result

    index = timed("open ms", lambda: ns.open_index(folder))
    rng = np.random.default_rng(1)
    neurons = [ns.Neuron(int(rng.integers(12)), int(rng.integers(3072))) for _ in range(130)]

    def card(neuron: ns.Neuron) -> None:
        index.examples(neuron, count=20, sign="+")
        index.examples(neuron, count=20, sign="-")
        index.bands(neuron)
        index.histogram(neuron)

    timed("first card ms", lambda: card(neurons[0]))
    cold = []
    for neuron in neurons[1:30]:
        timed("card", lambda neuron=neuron: card(neuron))
        cold.append(found.pop("card"))
    found["cold card ms (median)"] = statistics.median(cold)
    timed("warm card ms", lambda: card(neurons[29]))
    timed("first reverse query ms", lambda: index.reverse_query(neurons[0]))
    timed("reverse query ms", lambda: index.reverse_query(neurons[1]))
    timed("group of 100 ms", lambda: index.reverse_query(neurons[:100]))
    timed("statistics ms", index.statistics)
    timed("nearest ms", lambda: index.nearest(neurons[0]))
    return found


def _forget(folder: Path) -> None:
    """Drop the folder's files from the page cache, as far as that is allowed."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


if __name__ == "__main__":
    main()
