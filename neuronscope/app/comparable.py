"""The models that a model can be compared with unit by unit: its checkpoints, and warm models of the same shape."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from neuronscope import series
from neuronscope.errors import NeuronScopeError
from neuronscope.models.catalogue import DEMO_PREFIX

if TYPE_CHECKING:
    from neuronscope.app.drift_kept import Drifts
    from neuronscope.scope import Scope, Workspace


def comparable(workspace: Workspace, scope: Scope, drifts: Drifts) -> dict[str, str]:
    """Their names, each with what it is called."""
    own, found = scope.key.name, dict[str, str]()
    if own.startswith(DEMO_PREFIX):
        base = own.partition("/")[0]
        with suppress(NeuronScopeError):
            found = {base: base} | {one.name: one.label for one in series.find([f"{base}/*"])}
    for kept in drifts.kept(scope):
        found |= {one.name: one.label for one in kept.manifest.checkpoints[1:]}
    shape = scope.card.layers, scope.card.neurons, scope.card.width
    for warm in workspace.scopes():
        if (warm.card.layers, warm.card.neurons, warm.card.width) == shape:
            found.setdefault(warm.key.name, warm.card.label)
    return {name: label for name, label in found.items() if name != own}
