"""The Models view: which models are there, what do they take, and what does a smaller precision change?

What is in memory, the catalogue with the memory that each model takes at each precision, and the fidelity report.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dash import Dash, html

from neuronscope.app import faithfulness, shelf, warm

if TYPE_CHECKING:
    from neuronscope.app.selection import Selection
    from neuronscope.scope import Workspace

NAME = "models"
TITLE = "Models"
ICON = "boxes"
QUESTION = "Which models are there, and what do they take?"


def layout(selection: Selection, model: str) -> Any:
    """The view; each of its panels fills itself."""
    return html.Div([warm.layout(), shelf.layout(), faithfulness.layout()], className="models-view")


def register(app: Dash, workspace: Workspace) -> None:
    """Register the callbacks of its panels."""
    warm.register(app, workspace)
    shelf.register(app, workspace)
    faithfulness.register(app, workspace)
