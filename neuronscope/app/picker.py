"""The model picker: the catalogue by size, any hub name or allowed folder, and the precision to hold it in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dash_bootstrap_components as dbc
from dash import Dash, Input, Output, State, ctx, html
from dash.exceptions import PreventUpdate

from neuronscope.app.asking import Answer, Frame, Question
from neuronscope.app.memory_bar import readable
from neuronscope.app.parts import icon, short
from neuronscope.app.security import allowed_folder
from neuronscope.app.selection import CHOICES
from neuronscope.errors import InputError

if TYPE_CHECKING:
    from neuronscope.models.catalogue import Entry
    from neuronscope.scope import Workspace

_BYTES = {"auto": 4, "float32": 4, "bfloat16": 2, "float16": 2}
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?(@[\w./-]+)?")


class Picker:
    """The ids of the picker."""

    BUTTON = "picker-button"
    NAME = "picker-name"
    STATE = "picker-state"
    MODAL = "picker-modal"
    PRECISION = "picker-precision"
    LIST = "picker-list"
    OTHER = "picker-other"
    LOAD = "picker-load"


def button() -> Any:
    """The button in the header that says which model is on screen."""
    return html.Button(
        [
            html.Span(className="dot", id=Picker.STATE, **{"aria-hidden": "true"}),
            html.Span("…", id=Picker.NAME, className="model-name"),
            icon("chevron-down"),
        ],
        id=Picker.BUTTON,
        type="button",
        className="press outlined model-button",
        title="Choose a model (m)",
        **{"data-key": "m"},
    )


def layout() -> Any:
    """The dialog, closed."""
    precision = html.Fieldset(
        [
            html.Legend("Precision of the weights"),
            dbc.RadioItems(
                id=Picker.PRECISION,
                options=[{"label": name, "value": name} for name in CHOICES["precision"]],
                value="auto",
                className="segmented",
                inputClassName="btn-check",
                labelClassName="segment",
            ),
        ]
    )
    other = html.Div(
        [
            html.Label("Another one, by its name on the hub or its folder", htmlFor=Picker.OTHER),
            html.Div(
                [
                    dbc.Input(id=Picker.OTHER, type="text", placeholder="EleutherAI/…  or  /models/mine", size="sm"),
                    html.Button("Load", id=Picker.LOAD, type="button", className="press filled"),
                ],
                className="beside",
            ),
            html.P(
                "Weights in safetensors, of a known family. Folders have to be allowed when the server starts.",
                className="caption",
            ),
        ],
        className="other-model",
    )
    head = dbc.ModalHeader(dbc.ModalTitle("Choose a model", tag="h2"), close_button=True)
    body = dbc.ModalBody([precision, other, html.Div(id=Picker.LIST, className="models")])
    return dbc.Modal([head, body], id=Picker.MODAL, size="lg", is_open=False, scrollable=True, className="picker")


def register(app: Dash, workspace: Workspace) -> None:
    """Register the picker's callbacks."""

    @app.callback(
        Output(Picker.MODAL, "is_open"),
        Input(Picker.BUTTON, "n_clicks"),
        Input(Frame.GO, "data"),
        prevent_initial_call=True,
    )
    def open_or_close(_clicks: int | None, go: dict[str, Any] | None) -> bool:
        if ctx.triggered_id == Picker.BUTTON:
            return True
        if go and "model" in go:
            return False
        raise PreventUpdate

    @app.callback(Output(Picker.LIST, "children"), Input(Picker.PRECISION, "value"), Input(Picker.MODAL, "is_open"))
    def fill(precision: str, is_open: bool) -> list[Any]:
        if not is_open:
            raise PreventUpdate
        attached = [scope.name for scope in workspace.scopes() if scope.key.attached]
        return [*_attached(attached), *_groups(workspace, precision)]

    @app.callback(
        Output(Frame.GO, "data", allow_duplicate=True),
        Input(Picker.LOAD, "n_clicks"),
        Input(Picker.OTHER, "n_submit"),
        State(Picker.OTHER, "value"),
        State(Picker.PRECISION, "value"),
        prevent_initial_call=True,
    )
    def load(_clicks: int | None, _submit: int | None, name: str | None, precision: str) -> dict[str, str]:
        if not (name or "").strip():
            raise InputError("No model is named: write a name from the hub, such as gpt2, or an allowed folder.")
        return {"model": (name or "").strip(), "precision": precision}

    @app.callback(
        Output(Picker.NAME, "children"),
        Output(Picker.STATE, "className"),
        Input(Frame.QUESTION, "data"),
        Input(Frame.READY, "data"),
    )
    def name(question: Question | None, ready: Answer | None) -> tuple[Any, str]:
        if question is None:
            raise PreventUpdate
        here = ready is not None and (ready["model"], ready["precision"]) == (question["model"], question["precision"])
        said = ready["held"] if here and ready else question["precision"]
        shown = [html.Span(short(question["model"]), title=question["model"]), html.Span(said, className="held")]
        return shown, "dot ready" if here else "dot"


def permitted(name: str, workspace: Workspace, given: str) -> None:
    """Refuse a model that this page must not load: a folder outside those allowed when the server started.

    `given` is the model the server was started with, which is always allowed, as those in memory are.

    Raises:
        Refused: naming the folders that are allowed.
    """
    known = {given, *(entry.name for entry in workspace.catalogue), *(scope.name for scope in workspace.scopes())}
    if name in known or name.startswith("demo:") or (_HUB_NAME.fullmatch(name) and not Path(name).exists()):
        return
    allowed_folder(name, workspace.settings.model_roots)


def _groups(workspace: Workspace, precision: str) -> Iterator[Any]:
    for title, least, most in _SIZES:
        listed = workspace.catalogue
        found = [e for e in listed if (e.demo and least < 0) or (not e.demo and least <= e.parameters < most)]
        if found:
            rows = [_row(entry, precision, _badges(workspace, entry, precision)) for entry in found]
            yield html.Section([html.H3(title), html.Div(rows, className="model-rows")])


_SIZES = (
    ("Demo models, always at hand", -1, 0),
    ("Small: up to 500 million weights", 0, 500_000_000),
    ("Medium: up to 2 billion", 500_000_000, 2_000_000_000),
    ("Large", 2_000_000_000, 1 << 62),
)


def _attached(names: list[str]) -> list[Any]:
    if not names:
        return []
    rows = [
        html.Button(
            [html.Span(html.Strong(name), className="who"), html.Span("in memory", className="badge-small ready")],
            type="button",
            className="model-row",
            **{"data-go": json.dumps({"model": name, "precision": "auto"})},
        )
        for name in names
    ]
    return [html.Section([html.H3("Given by your program"), html.Div(rows, className="model-rows")])]


def _badges(workspace: Workspace, entry: Entry, precision: str) -> list[Any]:
    """What picking this model would mean: it is here, has to be fetched, needs permission, or needs room."""
    from huggingface_hub import try_to_load_from_cache

    if any(scope.name == entry.name and not scope.key.attached for scope in workspace.scopes()):
        return [html.Span("loaded", className="badge-small ready")]
    here = entry.demo or isinstance(try_to_load_from_cache(entry.name, "config.json"), str)
    badges = [] if here else [_badge("not on this machine" if workspace.settings.offline else "to be downloaded")]
    if entry.permission and not here:
        badges.append(_badge("asks for permission: set HF_TOKEN"))
    memory = workspace.memory()
    needs = entry.parameters * _BYTES[precision]
    goes = workspace.manager.would_evict(needs, "cuda" if memory.gpus else "cpu")
    if goes is None:
        free = memory.gpus[0].free if memory.gpus else memory.available
        badges.append(_badge(f"needs {readable(needs)}, {readable(free)} is free", "warning"))
    elif goes:
        badges.append(_badge(f"takes the place of {', '.join(key.name for key in goes)}", "warning"))
    return badges


def _badge(text: str, kind: str = "") -> Any:
    return html.Span(text, className=f"badge-small {kind}".strip())


def _row(entry: Entry, precision: str, badges: list[Any]) -> Any:
    needs = entry.parameters * _BYTES[precision]
    size = [html.Span(_count(entry.parameters)), html.Span(readable(needs), title="Memory its weights take")]
    return html.Button(
        [
            html.Span(
                [html.Span([html.Strong(entry.name), " ", *badges]), html.Span(entry.use, className="use")],
                className="who",
            ),
            html.Span([*size, html.Span(f"{entry.family} · {entry.licence}")], className="figures"),
        ],
        type="button",
        className="model-row",
        **{"data-go": json.dumps({"model": entry.name, "precision": precision})},
    )


def _count(parameters: int) -> str:
    if parameters >= 1e9:
        return f"{parameters / 1e9:.1f} B weights"
    return f"{parameters / 1e6:.0f} M weights" if parameters >= 1e7 else f"{parameters / 1e6:.1f} M weights"
