"""What the atlas costs at GPT-2's size: clusters, maps and senses, beside scikit-learn on the same numbers.

    python -m tests.benchmarks.atlas [--json results.json] [--neurons 36864] [--tsne]

36,864 unit vectors of 512 numbers, as an index' sketch holds them: planted groups of uneven size and noise. One thread;
times are CPU seconds of this process, ratios are taken of runs that follow each other. The senses of one neuron and the
opening of a kept map are timed on the demo model and its index, from the question to the answer.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from neuronscope.analysis.clustering import cluster
from neuronscope.analysis.clustering.kmeans import spherical_kmeans
from neuronscope.analysis.projection import COMPONENTS, principal_components, project

GROUPS, WIDTH, CLUSTERS = 160, 512, 100


def planted(neurons: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors of groups whose sizes fall off, a third of them noise, and the groups."""
    random = np.random.default_rng(seed)
    share = 1 / (np.arange(GROUPS) + 10)
    truth = random.choice(GROUPS, neurons, p=share / share.sum())
    truth[random.random(neurons) < 1 / 3] = -1
    causes = random.normal(size=(GROUPS, WIDTH)).astype(np.float32)
    made = random.normal(size=(neurons, WIDTH)).astype(np.float32)
    made[truth >= 0] += causes[truth[truth >= 0]]
    return made / np.linalg.norm(made, axis=1, keepdims=True), truth


def cpu(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of this process, and the result."""
    started = time.process_time()
    found = work()
    return time.process_time() - started, found


def of_clusters(vectors: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Spherical k-means and all that `cluster` adds, beside MiniBatchKMeans with scikit-learn's own settings."""
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.metrics import adjusted_rand_score

    inside = truth >= 0
    theirs, labels = cpu(lambda: MiniBatchKMeans(CLUSTERS, random_state=0).fit_predict(vectors))
    ours, own = cpu(lambda: spherical_kmeans(vectors, CLUSTERS))
    whole, _found = cpu(lambda: cluster(vectors, CLUSTERS))
    suggested, _found = cpu(lambda: cluster(vectors))
    return {
        "MiniBatchKMeans, s": theirs,
        "spherical k-means, s": ours,
        "spherical k-means / MiniBatchKMeans": ours / theirs,
        "ARI, MiniBatchKMeans": float(adjusted_rand_score(truth[inside], labels[inside])),
        "ARI, spherical k-means": float(adjusted_rand_score(truth[inside], own[inside])),
        "with null, stability and cohesion, s": whole,
        "with a suggested number, s": suggested,
    }


def of_maps(vectors: np.ndarray, tsne: bool) -> dict[str, float]:
    """Exact principal components beside scikit-learn's randomized SVD of the same centred matrix."""
    from sklearn.utils.extmath import randomized_svd

    centred = vectors - vectors.mean(0)
    theirs, _ = cpu(lambda: randomized_svd(centred, COMPONENTS, random_state=0))
    ours, _ = cpu(lambda: principal_components(vectors, COMPONENTS))
    found = {"randomized SVD, s": theirs, "PCA, s": ours, "PCA / randomized SVD": ours / theirs}
    if tsne:
        found["t-SNE, s"], made = cpu(lambda: project(vectors, "tsne"))
        found["t-SNE, trustworthiness"] = made.trustworthiness
    return found


def of_the_demo() -> dict[str, float]:
    """The senses of one neuron on demand and a map that is kept, each from the question to the answer."""
    import torch

    import neuronscope as ns
    from neuronscope.demo.world import texts

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder, "texts.jsonl")
        corpus.write_text("\n".join(json.dumps({"text": text}) for text in texts(0, 400)))
        scope = ns.load("demo:stories")
        index = scope.index(corpus, Path(folder, "index"))
        scope.polysemanticity(index, [ns.Neuron(1, 0)])
        each = [clock(lambda n=n: scope.polysemanticity(index, [ns.Neuron(2, n)])) for n in range(20)]
        layer = clock(lambda: scope.polysemanticity(index, layers=[1]))
        index.projection("tsne")
        opened = clock(lambda: ns.open_index(index.store.folder).projection("tsne"))
    return {
        "senses of one neuron, s (median of 20)": float(np.median(each)),
        "senses of a layer of 512, s": layer,
        "open an index and its kept map, s": opened,
    }


def clock(work: Callable[[], Any]) -> float:
    """Seconds by the clock."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--neurons", type=int, default=36_864)
    parser.add_argument("--tsne", action="store_true", help="also a t-SNE, which takes minutes")
    asked = parser.parse_args()
    threadpool_limits(1)
    vectors, truth = planted(asked.neurons)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found: dict[str, float] = {"neurons": asked.neurons}
    found |= of_clusters(vectors, truth)
    found["peak memory beyond the vectors, GB"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20
    found |= of_maps(vectors, asked.tsne)
    found |= of_the_demo()
    for name, value in found.items():
        print(f"{name:45} {value:10.3f}")
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
