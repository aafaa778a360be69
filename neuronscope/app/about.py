"""The two dialogs of the header: the statistics of the loaded model, page by page, and the help."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import dash_bootstrap_components as dbc
from dash import ALL, Dash, Input, Output, State, ctx, html
from dash.exceptions import PreventUpdate

from neuronscope.app import portrait
from neuronscope.app.asking import Frame, Question
from neuronscope.app.equations import equations
from neuronscope.app.parts import icon
from neuronscope.app.portrait import Portrait

if TYPE_CHECKING:
    from neuronscope.scope import Workspace


class About:
    """The ids of the two dialogs."""

    BUTTON = "about-button"
    MODAL = "about-modal"
    TITLE = "about-title"
    TABS = "about-tabs"
    BODY = "about-body"
    HELP_BUTTON = "help-button"
    HELP = "help-modal"


def button() -> Any:
    """The button in the header that opens the model's statistics."""
    return html.Button(
        [icon("cpu"), html.Span("Model statistics", className="wide-only")],
        id=About.BUTTON,
        type="button",
        className="press quiet",
        title="Model statistics",
        **{"aria-label": "Model statistics"},
    )


def help_button() -> Any:
    """The button in the header that opens the help."""
    return html.Button(
        icon("question-circle"),
        id=About.HELP_BUTTON,
        type="button",
        className="press quiet",
        title="Help and keys (?)",
        **{"aria-label": "Help and keys", "data-key": "?"},
    )


def layout() -> Any:
    """The dialog, closed and empty."""
    head = dbc.ModalHeader(dbc.ModalTitle("", id=About.TITLE, tag="h2"), close_button=True)
    tabs = html.Nav(id=About.TABS, className="tabs", **{"aria-label": "Model statistics"})
    body = html.Div(id=About.BODY, className="about-body", tabIndex=0)
    return dbc.Modal([head, dbc.ModalBody([tabs, body])], id=About.MODAL, size="lg", is_open=False, className="about")


def register(app: Dash, workspace: Workspace) -> None:
    """Register the callbacks of both dialogs."""

    @app.callback(
        Output(About.MODAL, "is_open"),
        Output(About.TITLE, "children"),
        Output(About.TABS, "children"),
        Output(About.BODY, "children"),
        Input(About.BUTTON, "n_clicks"),
        Input({"about": ALL}, "n_clicks"),
        State(Frame.READY, "data"),
        prevent_initial_call=True,
    )
    def show(_clicks: int | None, presses: list[int | None], ready: Question | None) -> tuple[Any, ...]:
        cause = ctx.triggered_id
        if ready is None or (cause != About.BUTTON and not any(presses)):
            raise PreventUpdate
        tab = "overview" if cause == About.BUTTON else cause["about"]
        shown = Portrait.of(workspace.scope(ready["model"], precision=ready["precision"]))
        return True, shown.card.label, _tabs(tab), TABS[tab][1](shown)

    @app.callback(Output(About.HELP, "is_open"), Input(About.HELP_BUTTON, "n_clicks"), prevent_initial_call=True)
    def show_help(_clicks: int) -> bool:
        return True


def _tabs(open_tab: str) -> list[Any]:
    return [
        html.Button(
            title,
            id={"about": name},
            type="button",
            className="tab-link",
            **{"aria-current": "true" if name == open_tab else "false"},
        )
        for name, (title, _) in TABS.items()
    ]


TABS: dict[str, tuple[str, Callable[[Portrait], Any]]] = {
    "overview": ("Overview", portrait.overview),
    "architecture": ("Architecture", portrait.architecture),
    "equations": ("Neurons & equations", lambda of: equations(of.card, of.anatomy)),
    "memory": ("Memory & precision", portrait.memory),
    "python": ("Load it in Python", portrait.loading),
}


def help_layout() -> Any:
    """The help: what the page is for, and its keys."""
    keys = [
        ("← →", "previous and next neuron"),
        ("↑ ↓", "layer above and below"),
        ("/", "go to a neuron by its name, such as L1.N20"),
        ("r", "a random neuron"),
        ("m", "choose a model"),
        ("Ctrl Enter", "run the text you are writing"),
        ("Esc", "close, or make a plot small again"),
        ("?", "this help"),
    ]
    words = [
        html.P(
            "A neuron is one of the numbers that enter the output projection of a layer's MLP. NeuronScope shows how "
            "strongly each of them answers to every token of your text."
        ),
        html.P(
            "Orange is above zero, blue below; paper is zero. Names such as L1.N20 are true: layer 1, neuron 20, both "
            "counted from 0. The first token is left out of maxima, for many models use it as a resting place."
        ),
        html.P("The address of the page holds all you see: keep it, share it, or go back in it."),
    ]
    rows = [html.Div([html.Dt([html.Kbd(k) for k in key.split()]), html.Dd(what)]) for key, what in keys]
    head = dbc.ModalHeader(dbc.ModalTitle("Help", tag="h2"), close_button=True)
    body = dbc.ModalBody([*words, html.H3("Keys"), html.Dl(rows, className="keys")])
    return dbc.Modal([head, body], id=About.HELP, is_open=False, className="help")
