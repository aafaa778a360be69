"""Work in the background of a page: how it shows itself while it runs, and how a callback says that it is such work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dash import Input, Output, html

from neuronscope.app.background import POLL

if TYPE_CHECKING:
    from neuronscope.app.background import ThreadManager


@dataclass(frozen=True)
class WorkBar:
    """How far some work is, and a way to stop it: a row of a page that is there while the work runs."""

    name: str
    """What the ids of its parts begin with."""

    @property
    def row(self) -> str:
        """The id of the row, hidden where nothing runs."""
        return f"{self.name}-work"

    @property
    def bar(self) -> str:
        """The id of the bar."""
        return f"{self.name}-bar"

    @property
    def doing(self) -> str:
        """The id of the words beside it."""
        return f"{self.name}-doing"

    @property
    def cancel(self) -> str:
        """The id of the button that stops the work."""
        return f"{self.name}-cancel"

    def layout(self, label: str) -> Any:
        """The row; `label` says to a screen reader what the bar is of."""
        return html.Div(
            [
                html.Progress(id=self.bar, max="1", **{"aria-label": label}),
                html.Span("", id=self.doing, className="doing", role="status"),
                html.Button("Cancel", id=self.cancel, type="button", className="press outlined"),
            ],
            id=self.row,
            className="work-here",
            hidden=True,
        )

    def runs(self, manager: ThreadManager, *meanwhile: tuple[Output, Any, Any]) -> dict[str, Any]:
        """What a callback is registered with to do this work; its first argument is then `set_progress`.

        `meanwhile` are other outputs, each with its value while the work runs and its value afterwards.
        """
        return {
            "background": True,
            "manager": manager,
            "interval": POLL,
            "running": [(Output(self.row, "hidden"), False, True), *meanwhile],
            "cancel": [Input(self.cancel, "n_clicks")],
            "progress": [Output(self.bar, "value"), Output(self.bar, "max"), Output(self.doing, "children")],
            "progress_default": [None, "1", ""],
        }
