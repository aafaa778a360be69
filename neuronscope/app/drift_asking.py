"""From the address to a drift and one of its checkpoints: what every callback of the Drift view does first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dash import Dash, Input, State
from dash.exceptions import PreventUpdate

from neuronscope.app.asking import Frame, asked
from neuronscope.app.drift_panels import Page
from neuronscope.app.scenes import Scene, scene_id
from neuronscope.vocabulary import Neuron

if TYPE_CHECKING:
    from neuronscope.app.drift_kept import Kept
    from neuronscope.app.selection import Selection
    from neuronscope.figures.theme import Mode
    from neuronscope.scope import Scope, Workspace
    from neuronscope.series import Drift
    from neuronscope.series.store import Checkpoint

NAME = "drift"
SCENES = {
    Page.ABOUT: Scene(NAME, ("drift",)),
    Page.LAYERS: Scene(NAME, ("drift", "heat")),
    Page.PLAYER: Scene(NAME, ("drift", "checkpoint", "layer", "neuron", "hue", "layers")),
    Page.TABLE: Scene(NAME, ("drift", "checkpoint", "layers", "beyond", "cause")),
    Page.CARD: Scene(NAME, ("drift", "checkpoint", "layer", "neuron", "sign")),
}
"""What each part is drawn from."""


@dataclass(frozen=True, eq=False)
class Look:
    """What is looked at."""

    scope: Scope
    """The model."""
    selection: Selection
    """The address."""
    kept: Kept
    """The drift's folder."""
    drift: Drift
    """The drift."""
    place: int
    """Which checkpoint, 0 for the base."""

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint."""
        return self.drift.checkpoints[self.place]

    @property
    def neuron(self) -> Neuron:
        """The neuron that was chosen, or else the one that drifted most in the checkpoint."""
        if self.selection.chosen is not None:
            self.drift.row(self.selection.chosen)
            return self.selection.chosen
        first = int(self.drift.records(self.place)["drift"].argmax())
        return Neuron(*divmod(first, self.drift.manifest.neurons))


def listens(part: str, *more: Input) -> tuple[Input | State, ...]:
    """What a part listens to: the answer, how far the drift is, its own scene and `more`; and what it reads."""
    changes = [Input(one, "data") for one in (Frame.READY, Page.SHOWN, scene_id(part))]
    return *changes, *more, State(Frame.URL, "search"), State(Frame.THEME, "data")


AROUND = (
    State(Frame.READY, "data"), State(Page.SHOWN, "data"), State(Frame.URL, "search"), State(Frame.THEME, "data"),
)  # fmt: skip
"""What `look` needs, where nothing of it is listened to."""


def look(app: Dash, workspace: Workspace, values: tuple[Any, ...]) -> tuple[Look, Mode]:
    """What the address asks to look at, and light or dark; a callback has nothing to do where there is no drift.

    `values` are those of `listens` or `AROUND`.
    """
    ready, *_, search, mode = values
    scope, selection = asked(workspace, NAME, search, ready)
    kept = app.drifts.shown(scope, selection.drift)
    if kept is None:
        raise PreventUpdate
    drift = app.drifts.open(kept)
    last = len(drift.checkpoints) - 1
    place = last if selection.checkpoint is None else selection.checkpoint
    drift.checkpoint(place)
    return Look(scope, selection, kept, drift, place), mode or "light"
