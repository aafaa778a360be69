"""The model picker: the catalogue by size, any hub name or allowed folder, and the precision to hold it in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dash_bootstrap_components as dbc
from dash import Dash, Input, Output, State, html
from dash.exceptions import PreventUpdate

from neuronscope.app.asking import Answer, Frame, Question
from neuronscope.app.memory_bar import readable
from neuronscope.app.parts import icon, short
from neuronscope.app.prospects import Prospect, Prospects
from neuronscope.app.security import allowed_folder
from neuronscope.app.sizes import precisions
from neuronscope.errors import InputError, ModelNotFound, Refused

if TYPE_CHECKING:
    from neuronscope.models.catalogue import Entry
    from neuronscope.scope import Workspace

_FOLDER = re.compile(r"[/~.]|.*\\|[A-Za-z]:|[^\s/]+/[^\s/]+/")
"""How a path begins or goes on that is not a name on the hub."""
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
    SAYS = "picker-says"


PRECISIONS = {
    "auto": "The best that fits: full precision on a CPU, the checkpoint's own on a GPU, or the next smaller one.",
    "float32": "Exact: 4 bytes a weight.",
    "bfloat16": "Half the memory; numbers to three significant digits.",
    "float16": "Half the memory; meant for GPUs, several times slower on a CPU.",
    "int8": "8-bit projections, embeddings in full. The Models view measures what it changes.",
    "nf4": "4-bit projections, embeddings in full. Neurons change: the Models view measures how much.",
}
"""What to know of each precision."""


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
                options=[{"label": name, "value": name} for name in precisions()],
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
                f"Weights in safetensors or older pickles, of any of the {_architectures()} dense architectures that "
                "are read, decoders and encoders. "
                "Folders have to be allowed when the server starts.",
                className="caption",
            ),
        ],
        className="other-model",
    )
    head = dbc.ModalHeader(dbc.ModalTitle("Choose a model", tag="h2"), close_button=True)
    says = html.P(id=Picker.SAYS, className="caption", role="status")
    body = dbc.ModalBody([precision, says, other, html.Div(id=Picker.LIST, className="models")])
    return dbc.Modal([head, body], id=Picker.MODAL, size="lg", is_open=False, scrollable=True, className="picker")


def _architectures() -> int:
    from neuronscope.models.families import FAMILIES

    return len({kind for family in FAMILIES for kind in family.model_types})


def register(app: Dash, workspace: Workspace) -> None:
    """Register the picker's callbacks."""

    app.clientside_callback(
        """(_clicks, go) => {
            if (dash_clientside.callback_context.triggered_id === "BUTTON") return true;
            return go && "model" in go ? false : dash_clientside.no_update;
        }""".replace("BUTTON", Picker.BUTTON),
        Output(Picker.MODAL, "is_open"),
        Input(Picker.BUTTON, "n_clicks"),
        Input(Frame.GO, "data"),
        prevent_initial_call=True,
    )

    @app.callback(
        Output(Picker.LIST, "children"),
        Output(Picker.SAYS, "children"),
        Input(Picker.PRECISION, "value"),
        Input(Picker.MODAL, "is_open"),
        Input(Frame.SIZES, "data"),
    )
    def fill(precision: str, is_open: bool, _known: bool | None) -> tuple[list[Any], str]:
        if not is_open:
            raise PreventUpdate
        attached = [scope.name for scope in workspace.scopes() if scope.key.attached]
        prospects = Prospects(workspace, app.sizes)
        listed = _groups(prospects, workspace.catalogue, precision, offline=workspace.settings.offline)
        return [*_attached(attached), *listed], PRECISIONS[precision]

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
        ModelNotFound: for what can be neither a model's name nor a folder.
        Refused: naming the folders that are allowed.
    """
    known = {given, *(entry.name for entry in workspace.catalogue), *(scope.name for scope in workspace.scopes())}
    if name in known or name.startswith("demo:") or (_HUB_NAME.fullmatch(name) and not Path(name).exists()):
        return
    try:
        allowed_folder(name, workspace.settings.model_roots)
    except Refused as error:
        if _FOLDER.match(name) or _HUB_NAME.fullmatch(name):
            raise
        raise ModelNotFound(
            f"{name!r} is not a valid model name: write one as on the hub, such as gpt2 or owner/name."
        ) from error


def _groups(prospects: Prospects, catalogue: tuple[Entry, ...], precision: str, *, offline: bool) -> Iterator[Any]:
    for title, least, most in _SIZES:
        found = [e for e in catalogue if (e.demo and least < 0) or (not e.demo and least <= e.parameters < most)]
        if found:
            rows = [
                _row(e, precision, prospects.of(e, precision), here=prospects.here(e), offline=offline) for e in found
            ]
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
            html.Span(html.Span([html.Strong(name), " ", _badge("in memory", "ready")]), className="who"),
            type="button",
            className="model-row",
            **{"data-go": json.dumps({"model": name, "precision": "auto"})},
        )
        for name in names
    ]
    return [html.Section([html.H3("Given by your program"), html.Div(rows, className="model-rows")])]


def _row(entry: Entry, chosen: str, prospect: Prospect, *, here: bool, offline: bool) -> Any:
    needs = "–" if prospect.bytes is None else f"{'≈ ' if prospect.rough else ''}{readable(prospect.bytes)}"
    name = html.Span([html.Strong(entry.name), " ", *badges(entry, prospect, here=here, offline=offline)])
    size = [
        html.Span(weights(entry.parameters)),
        html.Span(needs, title=f"Memory its weights take in {prospect.precision}"),
        html.Span(f"{entry.family} · {entry.licence}"),
    ]
    return html.Button(
        [
            html.Span([name, html.Span(entry.use, className="use")], className="who"),
            html.Span(size, className="figures"),
        ],
        type="button",
        className="model-row",
        **{"data-go": json.dumps({"model": entry.name, "precision": chosen})},
    )


def badges(entry: Entry, prospect: Prospect, *, here: bool, offline: bool) -> list[Any]:
    """What picking this model would mean: it is loaded, is here or has to be fetched, needs permission, needs room."""
    if prospect.warm:
        return [_badge("loaded", "ready")]
    found = [] if entry.demo else [_badge("on disk" if here else "not on this machine" if offline else "on the hub")]
    if entry.permission and not here:
        found.append(_badge("asks for permission: set HF_TOKEN"))
    if prospect.words:
        found.append(_badge(prospect.words, "warning"))
    return found


def _badge(text: str, kind: str = "") -> Any:
    return html.Span(text, className=f"badge-small {kind}".strip())


def weights(parameters: int) -> str:
    """A number of weights as a person says it: `1.1 M weights`, `7.2 B weights`."""
    if parameters >= 1e9:
        return f"{parameters / 1e9:.1f} B weights"
    return f"{parameters / 1e6:.0f} M weights" if parameters >= 1e7 else f"{parameters / 1e6:.1f} M weights"
