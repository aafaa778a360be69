"""The Drift view: what did fine-tuning change? Checkpoints against their base, neuron by neuron, still and moving.

A drift is measured in the background and kept; one slider moves the map of all neurons, the marks in the plots beside
it and, when it stands still, the address that everything else is drawn from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dash import Dash, html

from neuronscope.app import drift_panels, drift_text, drift_weights, scenes
from neuronscope.app.drift_asking import NAME as NAME
from neuronscope.app.drift_asking import SCENES
from neuronscope.app.drift_kept import Drifts, Measurer
from neuronscope.app.drift_measuring import register_measuring
from neuronscope.app.drift_moving import register_moving
from neuronscope.app.drift_table import register_table

if TYPE_CHECKING:
    from neuronscope.app.selection import Selection
    from neuronscope.scope import Workspace

TITLE = "Drift"
ICON = "shuffle"
QUESTION = "What did fine-tuning change?"


def layout(selection: Selection, model: str) -> Any:
    """The view, waiting for the model and what is kept of it."""
    panels = drift_panels.layout(selection, drift_weights.panel(), drift_text.panel(model))
    return html.Div([*panels, *scenes.layout(NAME, SCENES)], className="drift-view")


def register(app: Dash, workspace: Workspace) -> None:
    """Register the view's callbacks."""
    app.drifts = Drifts(workspace.settings.data_folder)
    app.measurer = Measurer()
    app.manager.beside.append(app.measurer)
    scenes.register(app, NAME, SCENES)
    register_measuring(app, workspace)
    register_moving(app, workspace)
    register_table(app, workspace)
    drift_weights.register(app, workspace)
    drift_text.register(app, workspace)
