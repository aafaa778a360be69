"""The plots of the Drift view, under headings that leave out what stands over the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dash import Output

from neuronscope.app.graphs import framed
from neuronscope.app.parts import heading

if TYPE_CHECKING:
    import plotly.graph_objects as go_figure


def plotted(plot: str, head: str, *, again: bool = False) -> list[Output]:
    """What a callback fills of a plot: its figure, its height and its heading, which another may fill (`again`)."""
    return [Output(plot, "figure"), Output(plot, "style"), Output(head, "children", allow_duplicate=again)]


def short(figure: go_figure.Figure, said: str, title: str | None = None, **room: int) -> tuple[Any, ...]:
    """A figure for `plotted`, under a caption of its own; what is exported keeps all its remarks."""
    framed_figure, style, _head = framed(figure, **room)
    return framed_figure, style, heading(title or framed_figure.layout.meta["title"], said)
