"""What each part of a view is drawn from, so that a press draws anew what it changes and nothing else.

A scene is a store that holds the fields of the address that one part of a view is made of. The browser fills it, and
only while the part is to be seen; a callback that listens to it instead of the address rests while it stays the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State, dcc

from neuronscope.app.asking import Frame
from neuronscope.app.selection import SCHEMA


@dataclass(frozen=True)
class Scene:
    """What one part of a view is drawn from, beside the model, the texts and light or dark."""

    view: str
    """The view it belongs to."""
    fields: tuple[str, ...]
    """The fields of the selection."""
    tab: str | None = None
    """The tab it is seen in, None where it always is."""


def scene_id(part: str) -> str:
    """The id of the store of the scene of one part."""
    return f"{part}-scene"


def layout(view: str, scenes: Mapping[str, Scene]) -> list[Any]:
    """The stores of a view's scenes, empty, and what the browser has to know to fill them."""
    told = dcc.Store(id=f"{view}-scenes", data=[asdict(scene) for scene in scenes.values()])
    return [told, *(dcc.Store(id=scene_id(part)) for part in scenes)]


def register(app: Dash, view: str, scenes: Mapping[str, Scene]) -> None:
    """Register what fills them."""
    app.clientside_callback(
        ClientsideFunction("address", "scenes"),
        *(Output(scene_id(part), "data") for part in scenes),
        Input(Frame.URL, "search"),
        Input(Frame.THEME, "data"),
        State(SCHEMA, "data"),
        State(f"{view}-scenes", "data"),
        *(State(scene_id(part), "data") for part in scenes),
    )


def register_outlines(app: Dash, store: str) -> None:
    """Register what moves outlines in plots that are not drawn anew: `store` holds of each plot's id its shapes."""
    app.clientside_callback(
        ClientsideFunction("plots", "outline"),
        Output(store, "modified_timestamp"),
        Input(store, "data"),
        prevent_initial_call=True,
    )
