"""What a drift costs beside bare forward passes over the probe corpus, and how much memory it takes.

    python -m tests.benchmarks.drift [--tokens 50000] [--checkpoints 2] [--small] [--json results.json]

A GPT-2 of 124M random weights (`--small`: an eighth of it) and checkpoints with every weight moved a little; windows of
128 tokens of random words drawn by Zipf's law, one thread. Eight batches of the probe corpus also run bare: through the
whole model, logits and all, as whoever measures a checkpoint's loss would run it, and without its unembedding, which is
all that neurons need. CPU seconds of this process, by what is being done; the ratios are those of all of it to as many
bare passes as there are models, base included. What is read from disk is weights of random numbers, as long as a real
checkpoint's.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from neuronscope.jobs import Progress, running

WORDS = 50_257


def main() -> None:
    """Run, print a table, and write the figures if asked."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--tokens", type=int, default=50_000)
    arguments.add_argument("--checkpoints", type=int, default=2)
    arguments.add_argument("--small", action="store_true")
    arguments.add_argument("--json", type=Path)
    asked = arguments.parse_args()
    import torch

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        found = measured(Path(folder), asked.tokens, asked.checkpoints, small=asked.small)
    for name, value in found.items():
        print(f"{name:60s} {value:10.3f}")
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1))


class Ledger:
    """Books this process' CPU time under what is being done."""

    def __init__(self) -> None:
        self.booked: dict[str, float] = defaultdict(float)
        self._doing, self._at = "Starting", time.process_time()

    def check(self) -> None:
        """Never cancelled."""

    def report(self, progress: Progress) -> None:
        """Book the time since the last report under the label before."""
        now = time.process_time()
        self.booked[self._doing.split(",")[0]] += now - self._at
        self._doing, self._at = progress.label, now


def measured(folder: Path, tokens: int, checkpoints: int, *, small: bool) -> dict[str, float]:
    """CPU seconds of each part, of a bare pass, their ratio, and memory in MB."""
    from neuronscope.scope import Workspace
    from neuronscope.series.passing import Probe
    from neuronscope.settings import Settings

    names = made(folder, checkpoints, small=small)
    texts = written(folder / "texts.txt", tokens)
    workspace = Workspace(Settings(folder / "cache", folder / "data", offline=True))
    scope = workspace.scope(names[0])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ledger, began = Ledger(), time.process_time()
    with running(ledger):
        drift = scope.drift(names[1:], texts, folder=folder / "drift", tokens=tokens)
    whole = time.process_time() - began
    ledger.report(Progress(1, 1, "", 0.0))
    from neuronscope.index.plan import Plan

    probe = Probe(Plan(drift.corpus, scope.card.neurons, layers=scope.card.layers))
    bare, headless = bare_passes(scope, probe)
    found = {f"seconds: {label}": seconds for label, seconds in ledger.booked.items()}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return found | {
        "seconds: everything": whole,
        "seconds: one bare pass": headless,
        "seconds: one bare pass with logits": bare,
        "ratio to bare passes of base and checkpoints": whole / (headless * len(names)),
        "ratio to bare passes with logits": whole / (bare * len(names)),
        "memory: MB with the base loaded": before / 1024,
        "memory: MB at most": peak / 1024,
    }


def made(folder: Path, checkpoints: int, *, small: bool) -> list[str]:
    """A base and its checkpoints on disk, with a tokenizer of one word a token."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({f"w{i}": i for i in range(WORDS)}, unk_token="w0"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="w0")
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"n_embd": 384, "n_layer": 6, "n_head": 6} if small else {}
    network = GPT2LMHeadModel(GPT2Config(**sizes))
    names = []
    for number in range(checkpoints + 1):
        names.append(str(folder / f"step-{number}"))
        network.save_pretrained(names[-1])
        tokenizer.save_pretrained(names[-1])
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.1 * parameter.std().nan_to_num())
    return names


def written(file: Path, tokens: int) -> Path:
    """Documents of 1,270 random words."""
    share = 1 / np.arange(1, WORDS)
    drawn = np.random.default_rng(0).choice(np.arange(1, WORDS), tokens + 1270, p=share / share.sum())
    lines = [" ".join(f"w{i}" for i in drawn[first : first + 1270]) for first in range(0, tokens, 1270)]
    file.write_text("\n\n".join(lines))
    return file


def bare_passes(scope: Any, probe: Any) -> tuple[float, float]:
    """CPU seconds of the base alone over the probe corpus, from some batches: whole, and without its unembedding."""
    import torch

    from neuronscope.engine.capture import evaluating, forward

    batches = list(probe.batches())
    some = batches[:: max(len(batches) // 8, 1)]
    with scope._lent() as model, evaluating(model.network), torch.inference_mode():
        taken = []
        for run in (lambda batch: model.network(batch.ids), lambda batch: forward(model, batch.ids, batch.real)):
            run(some[0])
            began = time.process_time()
            for batch in some:
                run(batch)
            taken.append(time.process_time() - began)
    share = sum(batch.count for batch in batches) / sum(batch.count for batch in some)
    return taken[0] * share, taken[1] * share


if __name__ == "__main__":
    main()
