"""What a drift costs beside bare forward passes over the probe corpus, and how much memory it takes.

    python -m tests.benchmarks.drift [--tokens 50000] [--checkpoints 2] [--small] [--json results.json]

A GPT-2 of 124M random weights (`--small`: an eighth of it) and checkpoints with every weight moved a little; windows of
128 tokens of random words drawn by Zipf's law, one thread. After every other batch of each pass the same batch
also runs bare, in the same model, without its unembedding, which is all that neurons need; and every eighth one through
the whole model, logits and all, as whoever measures a checkpoint's loss would run it. CPU seconds of this process, by
what is being done, the bare batches taken out; the ratios are those of all of it to as many bare passes as there are
models, base included. What is read from disk is weights of random numbers, as long as a real checkpoint's.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from neuronscope.jobs import Progress, running

WORDS = 50_257
BARE, WHOLE = 2, 8
"""Every so many batches, one runs bare as well; and one with its logits."""


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
    """Books this process' CPU time under what is being done, and aside from it that of bare batches."""

    def __init__(self) -> None:
        self.booked: dict[str, float] = defaultdict(float)
        self.bare, self.whole = Rate(), Rate()
        self._batches, self._doing, self._at = 0, "Starting", time.process_time()

    def check(self) -> None:
        """Never cancelled."""

    def report(self, progress: Progress) -> None:
        """Book the time since the last report under the label before."""
        now = time.process_time()
        self.booked[self._doing.split(",")[0]] += now - self._at
        self._doing, self._at = progress.label, now

    def run(self, run: Callable[..., None], model: Any, ids: Any, real: Any, *rest: Any) -> None:
        """Run a batch as it is asked for, and some of them bare as well."""
        import torch

        from neuronscope.engine.capture import forward

        run(model, ids, real, *rest)
        self._batches += 1
        began = time.process_time()
        with torch.inference_mode():
            if self._batches % BARE == 0:
                self.bare.time(int(real.sum()), lambda: forward(model, ids, real))
            if self._batches % WHOLE == 0:
                self.whole.time(int(real.sum()), lambda: model.network(ids))
        self._at += time.process_time() - began


class Rate:
    """CPU seconds a token, of some batches."""

    def __init__(self) -> None:
        self._seconds, self._tokens = 0.0, 0

    def time(self, tokens: int, work: Callable[[], object]) -> None:
        """Do something with a batch and book what it took."""
        began = time.process_time()
        work()
        self._seconds, self._tokens = self._seconds + time.process_time() - began, self._tokens + tokens

    def of(self, tokens: int) -> float:
        """Seconds for so many tokens."""
        return self._seconds / self._tokens * tokens


def measured(folder: Path, tokens: int, checkpoints: int, *, small: bool) -> dict[str, float]:
    """CPU seconds of each part, of a bare pass, their ratio, and memory in MB."""
    from neuronscope.scope import Workspace
    from neuronscope.series import passing
    from neuronscope.settings import Settings

    names = made(folder, checkpoints, small=small)
    texts = written(folder / "texts.txt", tokens)
    workspace = Workspace(Settings(folder / "cache", folder / "data", offline=True))
    scope = workspace.scope(names[0])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ledger = Ledger()
    passing.run = partial(ledger.run, passing.run)  # type: ignore[assignment]
    with running(ledger):
        drift = scope.drift(names[1:], texts, folder=folder / "drift", tokens=tokens)
    ledger.report(Progress(1, 1, "", 0.0))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    everything = sum(ledger.booked.values())
    bare, whole = (rate.of(len(drift.corpus)) for rate in (ledger.bare, ledger.whole))
    found = {f"seconds: {label}": seconds for label, seconds in ledger.booked.items()}
    return found | {
        "seconds: everything": everything,
        "seconds: one bare pass": bare,
        "seconds: one bare pass with logits": whole,
        "ratio to bare passes of base and checkpoints": everything / (bare * len(names)),
        "ratio to bare passes with logits": everything / (whole * len(names)),
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


if __name__ == "__main__":
    main()
