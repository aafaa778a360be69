"""Builds an index in children that are killed at random points, until one is finished; prints how many were killed.

    python -m tests.index.killed TEXTS FOLDER

The children are forked of a server that has imported what they need and run nothing: a process that has computed has
threads, for which a child that is forked of it may wait in vain.
"""

import multiprocessing
import sys
import time
from pathlib import Path

import numpy as np

from neuronscope.index import store

WINDOW = 16


def attempt(texts: Path, folder: Path) -> None:
    """Go on with the index until it is finished or this process is killed."""
    import torch

    from neuronscope.index import build as building
    from neuronscope.index import plan
    from tests.index import corpora

    torch.set_num_threads(1)
    plan.SHARD_TOKENS, plan.SAMPLE, building._WRITING = 200, 32, 1e9
    model = corpora.model("gated")
    building.build(corpora.lending(model), model.card, [str(texts)], folder, window=WINDOW)


def main(texts: Path, folder: Path) -> None:
    """Begin again and again, each time a little more patiently."""
    forking = multiprocessing.get_context("forkserver")
    forking.set_forkserver_preload(["tests.index.corpora", "neuronscope.index.build"])
    random, killed = np.random.default_rng(0), 0
    while (manifest := store.read_manifest(folder)) is None or not manifest.complete:
        child = forking.Process(target=attempt, args=(texts, folder))
        child.start()
        time.sleep(random.uniform(0.05, 0.2) * (1 + killed / 5))
        child.kill()
        child.join()
        if child.exitcode == 1:
            sys.exit("A build could not go on from where one was killed: see above.")
        killed += 1
    print(killed)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
