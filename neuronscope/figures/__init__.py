"""A result in, a Plotly figure out: every figure that the page draws, for a notebook too.

Each takes `mode="light"` or `"dark"` and names in `layout.meta` the model, revision, precision, site and number of
tokens its numbers come from. What a figure plots can be had as a table from the function beside it. Plotly is imported
when the first figure is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neuronscope.figures.captions import empty
    from neuronscope.figures.distributions import histogram, histogram_table
    from neuronscope.figures.heatmaps import clicked, heatmap, heatmap_table, overview, overview_table
    from neuronscope.figures.theme import DARK, LIGHT, template, visible

_HOMES = {
    "captions": ("empty",),
    "distributions": ("histogram", "histogram_table"),
    "heatmaps": ("clicked", "heatmap", "heatmap_table", "overview", "overview_table"),
    "theme": ("DARK", "LIGHT", "template", "visible"),
}

ALL = ("heatmap", "histogram", "overview")
"""The figures themselves, by name."""

__all__ = [
    "ALL",
    "DARK",
    "LIGHT",
    "clicked",
    "empty",
    "heatmap",
    "heatmap_table",
    "histogram",
    "histogram_table",
    "overview",
    "overview_table",
    "template",
    "visible",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
