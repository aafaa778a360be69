"""The models that a model can be compared with unit by unit: its checkpoints, and warm models of the same shape."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from neuronscope import series
from neuronscope.app.parts import select
from neuronscope.errors import NeuronScopeError
from neuronscope.models.catalogue import DEMO_PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from neuronscope.app.drift_kept import Drifts
    from neuronscope.app.selection import Selection
    from neuronscope.beside import Beside
    from neuronscope.indexed import Index
    from neuronscope.scope import Scope, Workspace


@dataclass(frozen=True)
class Other:
    """The model that the address compares with."""

    beside: Beside
    """It beside the index' own."""
    name: str
    """What it is loaded by."""
    called: str
    """What it is called."""


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


def chooser(selection: Selection, others: Mapping[str, str]) -> list[Any]:
    """The choice of the model to compare with, which stands in the address; nothing where there is none."""
    options = {"": "No other model", **others}
    if selection.against not in options:
        options[selection.against] = selection.against
    return [select("against", "Compare with", options, selection.against)] if len(options) > 1 else []


def called(selection: Selection, others: Mapping[str, str]) -> str:
    """What the model that is compared with is called."""
    return others.get(selection.against, selection.against)


def compared_with(
    workspace: Workspace, scope: Scope, drifts: Drifts, index: Index, selection: Selection
) -> Other | None:
    """The model that the address compares with, in memory; None if it names none.

    Raises:
        ModelError: if it cannot be loaded.
        InputError: if it is no checkpoint of the index' model.
    """
    if not selection.against:
        return None
    other = workspace.scope(selection.against, precision=scope.card.precision)
    named = called(selection, comparable(workspace, scope, drifts))
    return Other(scope.beside(index, other), selection.against, named)
