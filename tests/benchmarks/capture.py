"""What capturing every neuron costs, beside the bare forward pass and other tools, in one run on one thread.

    python -m tests.benchmarks.capture [--rounds 15] [--json results.json]

GPT-2's shape (12 layers × 3,072 neurons, 124M parameters) with random weights, 8 texts × 128 tokens. Every way runs
once in each round, in turn, so that a machine that slows down slows all of them; the ratio is the median over rounds of
each way's time to the bare forward's of the same round. Time is this process's CPU time. Memory is the peak of each way
in a process of its own, above what the loaded model holds, less the bytes of the result it returns.
Tools that are not installed are left out and named.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

LAYERS, NEURONS, TEXTS, TOKENS = 12, 3072, 8, 128
Way = Callable[[], Any]


def main() -> None:
    """Run, print a table, and write the figures if asked."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=15)
    arguments.add_argument("--json", type=Path)
    arguments.add_argument("--memory-of", help=argparse.SUPPRESS)
    asked = arguments.parse_args()
    if asked.memory_of:
        print(json.dumps(peak_memory(asked.memory_of)))
        return
    ways, absent = all_ways()
    figures = {"machine": platform.processor() or platform.machine(), "rounds": asked.rounds, "absent": absent}
    figures["ways"] = times(ways, asked.rounds)
    for name in ways:
        figures["ways"][name]["extra_megabytes"] = measured_apart(name)
    print_table(figures)
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1))


def network() -> Any:
    """GPT-2 124M as transformers builds it, with random weights."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.set_num_threads(1)
    torch.manual_seed(0)
    return GPT2LMHeadModel(GPT2Config()).eval()


def all_ways() -> tuple[dict[str, Way], list[str]]:
    """Every way to get the neurons that is installed here, and the names of those that are not."""
    makers = {
        "bare forward": bare,
        "NeuronScope capture": ours,
        "nnsight trace": nnsight_trace,
        "TransformerLens run_with_cache": transformer_lens,
    }
    ways, absent = {}, []
    for name, make in makers.items():
        try:
            # A network each: a tool may wrap the modules it is given, and slow them for the others.
            ways[name] = make(network())
        except ImportError:
            absent.append(name)
    return ways, absent


def inputs() -> Any:
    """The ids of all texts, [texts, tokens]."""
    import torch

    return torch.randint(50257, (TEXTS, TOKENS), generator=torch.Generator().manual_seed(1))


def bare(model: Any) -> Way:
    """The base model alone: what any capture must at least cost."""
    import torch

    ids = inputs()

    def run() -> Any:
        with torch.inference_mode():
            return model.transformer(input_ids=ids, use_cache=False).last_hidden_state

    return run


def ours(model: Any) -> Way:
    """All neurons of all layers through `capture`."""
    import numpy as np

    from neuronscope.engine.capture import capture
    from neuronscope.models.loading import attach
    from neuronscope.vocabulary import Tokens

    loaded = attach(model, object(), "gpt2 shape")  # type: ignore[arg-type]
    blank = np.zeros((TOKENS, 2), np.int64)
    texts = [Tokens("", ids.numpy(), blank, ("",) * TOKENS, np.zeros(TOKENS, bool)) for ids in inputs()]
    return lambda: capture(loaded, texts)


def nnsight_trace(model: Any) -> Way:
    """The same values through nnsight's tracing."""
    from nnsight import NNsight

    wrapped, ids = NNsight(model.transformer), inputs()

    def run() -> Any:
        import torch

        saved = []
        with torch.inference_mode(), wrapped.trace(ids, use_cache=False):
            for block in wrapped.h:
                saved.append(block.mlp.c_proj.input.save())
        return saved

    return run


def transformer_lens(model: Any) -> Way:
    """The same values through TransformerLens' bridge."""
    import torch

    bridge = bridged(model)
    names = {f"blocks.{layer}.mlp.hook_post" for layer in range(LAYERS)}
    ids = inputs()

    def run() -> Any:
        with torch.inference_mode():
            _, cache = bridge.run_with_cache(ids, names_filter=lambda name: name in names)
        return cache

    return run


def bridged(model: Any) -> Any:
    """A network of GPT-2's shape as TransformerLens takes it; raises `ImportError` where that is not installed."""
    from transformer_lens.model_bridge import TransformerBridge

    with _tokenizer() as tokenizer:
        return TransformerBridge.boot_transformers("gpt2", hf_model=model, tokenizer=tokenizer)


@contextlib.contextmanager
def _tokenizer() -> Iterator[Any]:
    """TransformerLens loads the tokenizer it is given once more, from the folder that it came from."""
    from transformers import AutoTokenizer

    from tests.models_for_tests import tokenizer

    with tempfile.TemporaryDirectory() as folder:
        tokenizer().save_pretrained(folder)
        yield AutoTokenizer.from_pretrained(folder)


def times(ways: dict[str, Way], rounds: int) -> dict[str, dict[str, float]]:
    """CPU seconds of each way, and the median of its ratio to the bare forward, over `rounds` rounds."""
    for run in ways.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    gc.disable()
    for _ in range(rounds):
        for name, run in ways.items():
            started = time.process_time()
            run()
            seconds[name].append(time.process_time() - started)
            gc.collect()
    gc.enable()
    return {
        name: {
            "seconds": statistics.median(taken),
            "ratio": statistics.median(a / b for a, b in zip(taken, seconds["bare forward"], strict=True)),
        }
        for name, taken in seconds.items()
    }


def measured_apart(name: str) -> float:
    """Peak memory of one way in a fresh process, megabytes beyond the bare model and beyond its own result."""
    command = [sys.executable, "-m", "tests.benchmarks.capture", "--memory-of", name]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return json.loads(answer.strip().splitlines()[-1])


def peak_memory(name: str) -> float:
    """Megabytes by which this process grew at its peak while `name` ran once, less the neurons it returns."""
    run = all_ways()[0][name]
    before, peak, stop = resident(), [0.0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.002):
            peak[0] = max(peak[0], resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    result = run()
    stop.set()
    watcher.join()
    returned = 0 if name == "bare forward" else LAYERS * TEXTS * TOKENS * NEURONS * 4 / 1e6
    del result
    return round(max(peak[0], resident()) - before - returned, 1)


def resident() -> float:
    """Megabytes of memory this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def print_table(figures: dict[str, Any]) -> None:
    """One line for each way."""
    print(f"{'':34}{'CPU s':>8}{'ratio':>8}{'extra MB':>10}")
    for name, figure in figures["ways"].items():
        print(f"{name:34}{figure['seconds']:8.3f}{figure['ratio']:8.3f}{figure['extra_megabytes']:10.0f}")
    for name in figures["absent"]:
        print(f"{name:34}not installed")


if __name__ == "__main__":
    main()
