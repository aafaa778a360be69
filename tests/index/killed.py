"""Builds an index in children that are killed at random points, until one is finished; prints how many were killed.

    python -m tests.index.killed TEXTS FOLDER

A process of its own: of a test worker, in which other tests have started threads, a forked child may never wake.
"""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import torch

from neuronscope.index import build as building
from neuronscope.index import plan, store
from tests.index import corpora

WINDOW = 16


def main(texts: Path, folder: Path) -> None:
    """Begin again and again, each time a little more patiently."""
    torch.set_num_threads(1)  # more are threads of OpenMP, which a forked child waits for in vain
    plan.SHARD_TOKENS, plan.SAMPLE, building._WRITING = 200, 32, 1e9
    model, random, killed = corpora.model("gated"), np.random.default_rng(0), 0
    while (manifest := store.read_manifest(folder)) is None or not manifest.complete:
        child = os.fork()
        if not child:
            with contextlib.suppress(BaseException):
                building.build(corpora.lending(model), model.card, [str(texts)], folder, window=WINDOW)
            os._exit(0)
        time.sleep(random.uniform(0.01, 0.1) * (1 + killed / 5))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        killed += 1
    print(killed)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
