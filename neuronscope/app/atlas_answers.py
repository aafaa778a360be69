"""What the Atlas view asks of an index, read from the address, and the maps and clusters it holds in memory.

Both are kept beside the index too: what was found once comes back in milliseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from neuronscope.app.held import Held, state
from neuronscope.errors import InputError
from neuronscope.figures import visible
from neuronscope.vocabulary import Neuron, layers_named

if TYPE_CHECKING:
    from neuronscope.analysis.clustering import Clusters
    from neuronscope.analysis.projection import Projection
    from neuronscope.app.groups import Groups
    from neuronscope.app.selection import Selection
    from neuronscope.indexed import Index
    from neuronscope.scope import Scope
    from neuronscope.series import Drift

_KEPT = 12
_CARD, _TOKENS = 10, 3
"""Of so many strongest contexts, so many different tokens stand on a neuron's card."""


class Maps:
    """The last maps and clusters of one app, by what was asked of which state of which index."""

    def __init__(self, groups: Groups) -> None:
        """None yet; `groups` are those whose neurons may be clustered by themselves."""
        self._held = Held(_KEPT)
        self._groups = groups

    def projection(self, index: Index, selection: Selection) -> Projection:
        """The map; raises and may be cancelled as `Index.projection`."""
        layers = layers_of(selection.layers, index)
        return self._held.of(_map_key(index, selection), lambda: index.projection(selection.projection, layers=layers))

    def known_projection(self, index: Index, selection: Selection) -> Projection | None:
        """The map, if it has been made in this process."""
        return self._held.find(_map_key(index, selection))

    def clusters(self, index: Index, selection: Selection) -> Clusters:
        """The clusters; raises and may be cancelled as `Index.clusters`."""
        layers, neurons = layers_of(selection.layers, index), self.within(index, selection)

        def find() -> Clusters:
            return index.clusters(selection.k, method=selection.grouping, layers=layers, neurons=neurons)

        return self._held.of(_clusters_key(index, selection, neurons), find)

    def known_clusters(self, index: Index, selection: Selection) -> Clusters | None:
        """The clusters, if they have been found in this process."""
        return self._held.find(_clusters_key(index, selection, self.within(index, selection)))

    def within(self, index: Index, selection: Selection) -> tuple[Neuron, ...] | None:
        """The neurons that are clustered, None for all; raises `InputError` if no such group is kept."""
        if selection.within is None:
            return None
        return self._groups.neurons(index.manifest.model, index.manifest.revision, selection.within)

    def tokens(self, index: Index) -> list[str]:
        """For every neuron of the model, the tokens of its strongest contexts, as a figure can show them."""
        return self._held.of(("tokens", *state(index)), lambda: strongest_tokens(index))

    def alignment(self, scope: Scope, index: Index) -> Float[np.ndarray, " units"]:
        """For every neuron of a gated model, the cosine of what its gate and its up projection read."""
        return self._held.of(("alignment", *state(index)), scope.gate_alignment)


def _map_key(index: Index, selection: Selection) -> tuple[Any, ...]:
    return "map", *state(index), selection.projection, selection.layers


def _clusters_key(index: Index, selection: Selection, neurons: tuple[Neuron, ...] | None) -> tuple[Any, ...]:
    return "clusters", *state(index), selection.grouping, selection.k, selection.layers, neurons


def layers_of(written: str | None, index: Index) -> tuple[int, ...] | None:
    """The layers that `0,3-5` means, None for all; raises `InputError` if it means none of this model."""
    found = layers_named(written or "")
    if found and found[-1] >= index.manifest.layers:
        most = index.manifest.layers - 1
        raise InputError(f"No layer {found[-1]} in {index.manifest.model}: it has layers 0 to {most}.")
    return found or None


def strongest_tokens(index: Index) -> list[str]:
    """For every neuron, the different tokens at the peaks of its strongest contexts, three at most."""
    cards, corpus = index.store.cards, index.store.corpus
    values = np.asarray(cards["values"][:, 0, :_CARD])
    positions = np.asarray(cards["positions"][:, 0, :_CARD]).astype(np.int64)
    fires = np.isfinite(values) & (values > 0)
    ids = np.where(fires, np.asarray(corpus.ids)[np.where(fires, positions, 0)].astype(np.int64), -1)
    called = {-1: ""} | {int(i): visible(index.shown[int(i)], 14) for i in np.unique(ids) if i >= 0}
    found = []
    for row in ids.tolist():
        different = list(dict.fromkeys(token for token in row if token >= 0))[:_TOKENS]
        found.append(" ".join(called[token] for token in different))
    return found


def senses(index: Index) -> Float[np.ndarray, " units"]:
    """Every neuron's effective number of senses as far as they were surveyed, the larger of both signs; else NaN."""
    from neuronscope.survey import surveyed

    found = np.full(index.manifest.layers * index.manifest.neurons, np.nan, np.float32)
    records = surveyed(index).records
    scored = records[records["verdict"] == 0]
    rows = scored["layer"].astype(np.int64) * index.manifest.neurons + scored["neuron"]
    np.fmax.at(found, rows, scored["effective"])
    return found


def values_of(
    maps: Maps, scope: Scope, index: Index, shade: str, drift: Drift | None = None
) -> Float[np.ndarray, " units"] | None:
    """What the points are coloured by; None for layers and clusters, and where nothing was surveyed or measured."""
    if shade == "density":
        return np.asarray(index.store.statistics["positive"], np.float32)
    if shade == "kurtosis":
        return np.asarray(index.store.statistics["kurtosis"], np.float32)
    if shade == "senses":
        found = senses(index)
        return found if np.isfinite(found).any() else None
    if shade == "drift" and drift is not None:
        return np.asarray(drift.records(len(drift.checkpoints) - 1)["drift"], np.float32)
    if shade == "alignment" and index.manifest.gated:
        return np.asarray(maps.alignment(scope, index), np.float32)
    return None
