"""From the address to the neuron: what every callback of the Neuron view does first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from dash import Dash, Input, State

from neuronscope.app.asking import Answer, Frame, asked, read, text_of
from neuronscope.app.scenes import Scene, scene_id
from neuronscope.app.selection import Selection
from neuronscope.vocabulary import Activations, ModelCard, Neuron, Site

if TYPE_CHECKING:
    from neuronscope.indexed import Index
    from neuronscope.scope import Scope, Workspace

NAME = "neuron"
ITSELF, AT_TOKEN = "neuron-itself", "neuron-at-token"
SCENES = {
    ITSELF: Scene(NAME, ("layer", "neuron", "side")),
    AT_TOKEN: Scene(NAME, ("layer", "neuron", "side", "position")),
}
"""What the parts of the view are drawn from: which neuron it is, and for some the locked token."""


def listens(scene: str, *more: Input) -> tuple[Input | State, ...]:
    """What a part listens to, the answer and one of `SCENES` and what it reads besides; and last the address."""
    return Input(Frame.READY, "data"), Input(scene_id(scene), "data"), *more, State(Frame.URL, "search")


INDEX = Input(Frame.INDEX, "data")
"""What a part listens to that is drawn anew when the index has grown."""


@dataclass(frozen=True, eq=False)
class Looked:
    """What the view looks at: a neuron, on a text."""

    app: Dash
    """The app, for its readings."""
    workspace: Workspace
    """What is asked."""
    scope: Scope
    """The model's scope."""
    selection: Selection
    """What the address says."""
    text: str
    """The text that the neuron is looked at on."""
    neuron: Neuron
    """Which neuron: the chosen one, or the layer's strongest on the text."""

    @property
    def model(self) -> ModelCard:
        """The model."""
        return self.scope.card

    @property
    def index(self) -> Index | None:
        """The model's index, if it has one."""
        return self.workspace.index_of(self.scope)

    def read(self, site: Site = Site.NEURONS) -> Activations:
        """What the model does at a site on the text."""
        return _read(self.app, self.scope, self.selection, self.text, site)

    def both(self) -> list[Activations]:
        """What this model and the one it is compared with do, each on its text; nothing where there is no other."""
        if not self.selection.against:
            return []
        selection = replace(self.selection, site=Site.NEURONS)
        return read(self.app.readings, self.workspace, self.scope, selection, self.scope.key.name)


def look(app: Dash, workspace: Workspace, ready: Answer | None, search: str | None) -> Looked:
    """The neuron that the address asks for, once the text has been read; until then there is nothing to update."""
    scope, selection = asked(workspace, NAME, search, ready)
    assert ready is not None, "asked() answers only what has been prepared"
    first = text_of(selection, ready["model"])
    text = selection.compare if selection.of_second and selection.compare is not None else first
    neuron = chosen(_read(app, scope, selection, text, Site.NEURONS), selection, scope.card)
    return Looked(app, workspace, scope, selection, text, neuron)


def chosen(activations: Activations, selection: Selection, model: ModelCard) -> Neuron:
    """The neuron to show: the chosen one, or the layer's strongest on this text."""
    layer = selection.layer_of(model)
    if selection.neuron is not None:
        return model.check(Neuron(layer, selection.neuron))
    values = activations.layer(layer)
    counted = values[activations.tokens.kept] if activations.tokens.kept.any() else values
    return Neuron(layer, int(np.abs(counted).max(0).argmax()))


def _read(app: Dash, scope: Scope, selection: Selection, text: str, site: Site) -> Activations:
    found: list[Activations] = app.readings.read(scope, [text], site, selection.long)
    return found[0]
