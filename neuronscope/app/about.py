"""What the loaded model is: overview, architecture, the equations of its neurons, memory, how to load it; and help."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import dash_bootstrap_components as dbc
from dash import ALL, Dash, Input, Output, State, ctx, html
from dash.exceptions import PreventUpdate

from neuronscope.app.asking import Frame, Question
from neuronscope.app.equations import equations
from neuronscope.app.memory_bar import readable
from neuronscope.app.parts import facts, icon

if TYPE_CHECKING:
    from neuronscope.scope import Workspace
    from neuronscope.vocabulary import ModelCard


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
        card = workspace.scope(ready["model"], precision=ready["precision"]).card
        return True, card.label, _tabs(tab), TABS[tab][1](card)

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


def overview(card: ModelCard) -> Any:
    """What the model is, in a few numbers."""
    return facts(
        [
            ("Family", f"{card.family} · {card.architecture}"),
            ("Weights", f"{card.parameters:,}"),
            ("Layers", f"{card.layers}"),
            ("MLP neurons", f"{card.layers} × {card.neurons:,} = {card.layers * card.neurons:,}"),
            ("Context", f"{card.context:,} tokens"),
            ("Vocabulary", f"{card.vocabulary:,} tokens"),
            ("Held as", f"{card.precision} on {card.device}, {readable(card.bytes)}"),
            ("Revision", html.Code(card.revision)),
        ]
    )


def architecture(card: ModelCard) -> Any:
    """How a token travels through the model, block by block."""
    head = f"{card.heads} heads of {card.width // card.heads} dimensions"
    mlp = "gate and up projection" if card.gated else "up projection"
    steps = [
        ("Embedding", f"{card.vocabulary:,} tokens → {card.width} dimensions"),
        (f"Block × {card.layers}", ""),
        ("Norm, attention", f"{card.norm}; {head}; added to the residual stream"),
        (
            "Norm, MLP",
            f"{card.norm}; {mlp} to {card.neurons:,} neurons, {card.activation}; back to {card.width}, added",
        ),
        ("Final norm", card.norm),
        *_last_step(card),
    ]
    inner = ("Norm, attention", "Norm, MLP")
    items = [
        html.Li([html.Strong(what), html.Span(how)], className="inner" if what in inner else "") for what, how in steps
    ]
    sites = html.P(["Activations can be read at: ", html.Strong(", ".join(card.sites)), "."], className="caption")
    return html.Div([html.Ol(items, className="architecture"), sites])


def _last_step(card: ModelCard) -> list[tuple[str, str]]:
    if not card.causal:
        return []
    tied = "; shares the embedding's weights" if card.tied else ""
    return [("Unembedding", f"{card.width} → {card.vocabulary:,} logits{tied}")]


def memory(card: ModelCard) -> Any:
    """What the weights take at each precision, and what each costs."""
    held = {"float32": 4, "bfloat16": 2, "float16": 2}
    notes = {
        "float32": "exact; the choice of `auto` on a CPU",
        "bfloat16": "half the memory; three significant digits",
        "float16": "half the memory; meant for GPUs, slow on a CPU",
    }
    rows = [
        html.Tr(
            [
                html.Th(
                    [name, html.Span("now", className="badge-small ready") if name == card.precision else ""],
                    scope="row",
                ),
                html.Td(readable(card.parameters * size)),
                html.Td(notes[name].replace("`", "")),
            ]
        )
        for name, size in held.items()
    ]
    head = html.Thead(html.Tr([html.Th(t, scope="col") for t in ("Precision", "Weights take", "What to know")]))
    text = (
        f"One text of {card.context:,} tokens takes {readable(card.layers * card.neurons * card.context * 4)} of "
        "activations: they are kept as float32 whatever the precision of the weights."
    )
    return html.Div([html.Table([head, html.Tbody(rows)], className="plain-table"), html.P(text, className="caption")])


def loading(card: ModelCard) -> Any:
    """The same model in Python, ready to copy."""
    precision = "" if card.precision == "float32" else f', precision="{card.precision}"'
    code = (
        "import neuronscope as ns\n\n"
        f'scope = ns.load("{card.name}"{precision})\n'
        'activations = scope.activations("The capital of France is Paris.")\n'
        f"ns.figures.heatmap(activations, layer={card.layers // 2})\n"
        f"scope.weights(ns.Neuron({card.layers // 2}, 0)).promotes"
    )
    copy = html.Button([icon("copy"), "Copy"], type="button", className="press outlined", **{"data-copy": "about-code"})
    return html.Div([html.Pre(html.Code(code, id="about-code")), copy], className="copyable")


TABS: dict[str, tuple[str, Callable[[ModelCard], Any]]] = {
    "overview": ("Overview", overview),
    "architecture": ("Architecture", architecture),
    "equations": ("Neurons & equations", equations),
    "memory": ("Memory & precision", memory),
    "python": ("Load it in Python", loading),
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
