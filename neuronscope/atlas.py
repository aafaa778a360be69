"""The atlas of a model: its neurons on a map and in clusters, from what an index knows of all of them.

Likeness is the correlation of activations over all tokens of the corpus, by the index' sketch. Constant neurons and
neurons that never fire (a plain MLP's whose maximum is not above zero) have nothing to be alike in and are left out;
always-on ones stay. What took long is kept beside the index.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Integer

from neuronscope.analysis.clustering import LEFT_OUT, Clusters, Curve, Grouping, Profile, cluster
from neuronscope.analysis.clustering import profile as together_and_apart
from neuronscope.analysis.naming import distinctive, spoken
from neuronscope.analysis.projection import Map, Projection, project
from neuronscope.errors import InputError
from neuronscope.index import derived
from neuronscope.index.layout import Cases

if TYPE_CHECKING:
    from neuronscope.index.store import Store

_SHOWN_CONTEXTS = 20
"""The strongest contexts of a member that count for its cluster's name."""


def clusters(
    store: Store,
    k: int | None = None,
    *,
    method: str = "kmeans",
    layers: Sequence[int] | None = None,
    rows: Integer[np.ndarray, " rows"] | None = None,
    seed: int = 0,
) -> Clusters:
    """Group the neurons of an index; see `analysis.clustering.cluster` for methods and errors."""
    chosen = _rows(store, layers, rows)
    asked = {"k": k, "method": method, "seed": seed, "rows": _digest(chosen)}
    held = derived.known(store.folder, store.manifest, "clusters", asked)
    if held is None:
        found = cluster(np.asarray(store.sketch[chosen], np.float32), k, method=method, seed=seed)
        derived.keep(store.folder, store.manifest, "clusters", asked, _packed(found))
    else:
        found = _unpacked(held)
    labels = np.full(len(store.sketch), LEFT_OUT)
    labels[chosen] = found.labels
    count = len(found.centroids)
    signs = _signs(store, labels, count)
    tokens = _names(store, labels, signs, count)
    names = tuple(spoken(some) for some in tokens)
    return Clusters(method, labels, found, chosen, names, tokens, tuple(signs), store.manifest.neurons)


def projection(
    store: Store,
    method: str = "pca",
    *,
    layers: Sequence[int] | None = None,
    rows: Integer[np.ndarray, " rows"] | None = None,
    seed: int = 0,
) -> Projection:
    """Put the neurons of an index on a map; see `analysis.projection.project` for methods and errors."""
    chosen = _rows(store, layers, rows)
    asked = {"method": method, "seed": seed, "rows": _digest(chosen)}
    held = derived.known(store.folder, store.manifest, "projection", asked)
    if held is None:
        made = project(np.asarray(store.sketch[chosen], np.float32), method, seed=seed)
        arrays = {"points": made.points, "explained": made.explained, "settings": np.array(made.settings)}
        arrays |= {"trust": np.array([made.trustworthiness, made.anchors])}
        derived.keep(store.folder, store.manifest, "projection", asked, arrays)
    else:
        trust, anchors = held["trust"]
        made = Map(held["points"], held["explained"], float(trust), int(anchors), str(held["settings"]))
    return Projection(
        method=method,  # type: ignore[arg-type]  # `project` refused any other
        rows=chosen,
        points=made.points,
        explained=made.explained,
        trustworthiness=made.trustworthiness,
        anchors=made.anchors,
        settings=made.settings,
        units=len(store.sketch),
        neurons=store.manifest.neurons,
    )


def alive(store: Store) -> Bool[np.ndarray, " units"]:
    """Neurons that vary, and in a plain MLP fire: have a maximum above zero."""
    table = store.statistics
    varies = np.isfinite(table["kurtosis"]) & (np.asarray(table["variance"]) > 0)
    return varies if store.manifest.gated else varies & (np.asarray(table["max"]) > 0)


def together(
    store: Store, rows: Sequence[int], sign: str = "+", count: int = 20
) -> tuple[Integer[np.ndarray, " contexts"], Integer[np.ndarray, " contexts"]]:
    """Positions that many members of a group have among their strongest, and how many: the most shared first.

    Each member's 50 strongest contexts vote for their window, at the position where most of the votes fall.
    """
    cases = Cases.of(store.manifest.gated)
    wanted = [i for i, s in enumerate(cases.signs) if s == (-1 if sign == "-" else 1)]
    cards = store.cards[np.asarray(rows, np.int64)]
    positions, values = cards["positions"][:, wanted], cards["values"][:, wanted]
    fires = values > 0  # how far to the side of the sign; NaN where there is no context
    member = np.broadcast_to(np.arange(len(rows))[:, None, None], positions.shape)[fires]
    positions = positions[fires].astype(np.int64)
    if not len(positions):
        return positions, positions
    window = store.corpus.window_of(positions)
    pairs = np.unique(np.stack([window, member]), axis=1)
    found, votes = np.unique(pairs[0], return_counts=True)
    best = np.lexsort((found, -votes))[:count]
    at = []
    for number in found[best]:
        places, times = np.unique(positions[window == number], return_counts=True)
        at.append(int(places[np.argmax(times)]))
    return np.array(at, np.int64), votes[best]


def profile(store: Store, rows: Sequence[int]) -> Profile:
    """What some neurons do on average at each position of the sample: the mean of their standardised activations.

    Each is standardised by its mean and standard deviation over the whole corpus; those that never vary are left out.
    """
    chosen = np.asarray(rows, np.int64)
    chosen = chosen[np.asarray(store.statistics["variance"][chosen]) > 0]
    table = store.statistics[chosen]
    values = store.sample[chosen].astype(np.float64)
    return together_and_apart((values - table["mean"][:, None]) / np.sqrt(table["variance"])[:, None])


def _rows(
    store: Store, layers: Sequence[int] | None, rows: Integer[np.ndarray, " rows"] | None
) -> Integer[np.ndarray, " points"]:
    m = store.manifest
    chosen = alive(store)
    if layers is not None:
        wrong = [layer for layer in layers if not 0 <= layer < m.layers]
        if wrong:
            raise InputError(f"No layer {wrong[0]} in this index of {m.model}: it has layers 0 to {m.layers - 1}.")
        chosen = chosen & np.isin(np.arange(len(chosen)) // m.neurons, list(layers))
    if rows is not None:
        inside = np.zeros(len(chosen), bool)
        inside[np.asarray(rows, np.int64)] = True
        chosen = chosen & inside
    return np.flatnonzero(chosen)


def _signs(store: Store, labels: Integer[np.ndarray, " units"], count: int) -> list[str]:
    """The side of zero to which each cluster's members lean: by their skewness, all to + in a plain MLP."""
    if not store.manifest.gated:
        return ["+"] * count
    skewness = np.asarray(store.statistics["skewness"])
    return ["-" if np.nanmedian(skewness[labels == number]) < 0 else "+" for number in range(count)]


def _names(
    store: Store, labels: Integer[np.ndarray, " units"], signs: Sequence[str], count: int
) -> tuple[tuple[str, ...], ...]:
    """Distinctive tokens from the members' strongest contexts, each member's weighing 1 together."""
    if not count:
        return ()
    cases = Cases.of(store.manifest.gated)
    wanted = np.array([1 if sign == "+" else -1 for sign in signs])
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    inside = np.flatnonzero(labels >= 0)
    cards = store.cards
    for case, sign in enumerate(cases.signs):
        rows = inside[wanted[labels[inside]] == sign]
        values = np.abs(np.asarray(cards["values"][rows, case, :_SHOWN_CONTEXTS]))
        positions = np.asarray(cards["positions"][rows, case, :_SHOWN_CONTEXTS])
        amount = values / np.maximum(np.nansum(values, axis=1, keepdims=True), 1e-30)
        seen = np.isfinite(values) & (values > 0)
        ids = store.corpus.ids[positions[seen].astype(np.int64)]
        owner = np.broadcast_to(labels[rows][:, None], values.shape)[seen]
        parts.append((owner, np.asarray(ids, np.int64), amount[seen]))
    owner, ids, amount = (np.concatenate(part) for part in zip(*parts, strict=True))
    found = distinctive(owner, ids, amount, count)
    return tuple(tuple(store.corpus.shown[i][1] for i in tokens) for tokens in found)


def _packed(found: Grouping) -> dict[str, np.ndarray]:
    arrays: dict[str, Any] = {
        "labels": found.labels, "loadings": found.loadings, "centroids": found.centroids,
        "cohesion": found.cohesion, "stability": found.stability, "threshold": np.array(found.threshold),
    }  # fmt: skip
    if found.curve:
        arrays["curve"] = np.array([found.curve.numbers, found.curve.stability, found.curve.silhouette])
        arrays["chosen"] = np.array(found.curve.chosen)
    return arrays


def _unpacked(held: dict[str, np.ndarray]) -> Grouping:
    curve = None
    if "curve" in held:
        numbers, stability, silhouette = held["curve"].tolist()
        curve = Curve(tuple(map(int, numbers)), tuple(stability), tuple(silhouette), int(held["chosen"]))
    arrays = [held[name] for name in ("labels", "loadings", "centroids", "cohesion", "stability")]
    labels, loadings, centroids, cohesion, stability = arrays
    return Grouping(labels, loadings, centroids, cohesion, stability, float(held["threshold"]), curve)


def _digest(rows: Float[np.ndarray, " rows"] | Integer[np.ndarray, " rows"]) -> str:
    import hashlib

    return hashlib.sha256(np.ascontiguousarray(rows, dtype=np.int64).tobytes()).hexdigest()
