"""The panels of the Drift view: their ids, and where things stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dash_bootstrap_components as dbc
from dash import dcc, html

from neuronscope.app import corpus_form
from neuronscope.app.drift_rows import TABLE, grid
from neuronscope.app.graphs import graph, graph_tools
from neuronscope.app.parts import card, heading, icon, select
from neuronscope.app.tables import table_tools
from neuronscope.app.work_bar import WorkBar
from neuronscope.figures.drift import DRIFT_MEASURES

if TYPE_CHECKING:
    from neuronscope.app.selection import Selection

SIZES = (5_000, 10_000, 20_000, 50_000, 200_000)
USUAL = 20_000
"""Tokens of a probe corpus, unless others are asked for."""
BEYOND = {"all": "all", "noise": "above the noise floor", "control": "above the control"}
CAUSE = {"any": "weights or input", "weights": "own weights changed", "input": "input only"}
_EXPLAINED = (
    "Name checkpoints of this model, such as those that a training run left. Each reads the same probe corpus once; "
    "then every neuron is compared with itself in the model on screen, the base."
)
_PLACEHOLDER = (
    "/runs/mine   or   EleutherAI/pythia-70m@step1000\none a line: a folder, a folder of checkpoints, a hub name"
)
_LEGEND = (
    ("D", "1 − concordance: 0 if both fire alike on every token, 1 if they have nothing to do with each other."),
    (
        "Location, scale, selectivity",
        "what D is made of: another mean, another spread, other tokens. They add up to D.",
    ),
    ("95 %", "the interval of D by a block bootstrap over windows."),
    ("Noise", "whether the lower end of the interval is above what rounding alone changes in that neuron."),
    ("Excess", "D less the D of the control: what equal training on the old data does not explain."),
    ("Read, gate, write", "how far the neuron's own weights moved, |w′ − w| / |w|, norms folded in."),
    ("Bias", "by how much its folded bias moved; with all weights at 0 too, its input alone changed."),
    ("Tokens", "rank-biased overlap of its 20 top tokens with those of the base: 1 are the same in the same order."),
    ("Became", "born, died, swapped with another neuron, or taken over by one."),
)


class Page:
    """The ids of this view."""

    PLACE = "drift"
    ABOUT = "drift-about"
    STATE = "drift-state"
    SHOWN = "drift-shown"
    TICK = "drift-tick"
    WAKE = "drift-wake"
    CHOICE = "drift-choice"
    SUMMARY = "drift-summary"
    KEPT = "drift-kept"
    FOR = "drift-for"
    CHECKPOINTS = "drift-checkpoints"
    CONTROL = "drift-control"
    RUN = "drift-run"
    WORK = WorkBar("drift")
    SAYS = "drift-says"
    BODY = "drift-body"
    MOVING_HEAD = "drift-moving-head"
    PLAYER = "drift-player"
    PLAYED = "drift-played"
    EXPORT = "drift-export"
    GIF = "drift-gif"
    DRAWING = WorkBar("drift-gif")
    LAYERS = "drift-layers"
    LAYERS_HEAD = "drift-layers-head"
    LOSSES = "drift-losses"
    LOSSES_HEAD = "drift-losses-head"
    TABLE = TABLE
    ROWS = "drift-rows"
    TABLE_HEAD = "drift-table-head"
    FILTERS = "drift-filters"
    NOTHING = "drift-nothing"
    CARD = "drift-card"
    CARD_PLACE = "drift-card-place"
    CARD_HEAD = "drift-card-head"
    CARD_TOOLS = "drift-card-tools"
    FACTS = "drift-card-facts"
    NEURON = "drift-neuron"
    NEURON_HEAD = "drift-neuron-head"
    PAIRS = "drift-pairs"
    PAIRS_HEAD = "drift-pairs-head"
    TOKENS = "drift-tokens-plot"
    TOKENS_HEAD = "drift-tokens-head"
    COURSE = "drift-course"
    COURSE_HEAD = "drift-course-head"
    EXAMPLES = "drift-examples"


def layout(selection: Selection, tokens: Any, own_text: Any) -> list[Any]:
    """The view but for the stores of its scenes.

    `tokens` is the panel for what a neuron's weights read and write, `own_text` that for the visitor's own text.
    """
    body = [
        html.Div([_moving(), html.Div(_where(selection), className="drift-where")], className="drift-top"),
        _table(),
        _card(tokens),
        own_text,
    ]
    return [
        html.Section([html.Div(id=Page.ABOUT), _choice(), _work()], className="panel drift-which"),
        html.Div(body, id=Page.BODY, className="drift-body", hidden=True),
        *(dcc.Store(id=name) for name in (Page.STATE, Page.SHOWN, Page.WAKE, Page.PLAYED, Page.ROWS, Page.FOR)),
        dcc.Interval(id=Page.TICK, interval=700, disabled=True),
    ]


def _choice() -> Any:
    """The drifts that are kept, and the form for another; open where there is none."""
    kept = html.Div(id=Page.KEPT)
    return html.Details(
        [html.Summary("Measure a drift", id=Page.SUMMARY), html.Div([kept, _form()], className="drift-choice")],
        id=Page.CHOICE,
        open=False,
    )


def _form() -> Any:
    checkpoints = html.Div(
        [
            html.Label("Checkpoints, one a line", htmlFor=Page.CHECKPOINTS),
            dbc.Textarea(id=Page.CHECKPOINTS, rows=3, size="sm", placeholder=_PLACEHOLDER),
        ],
        className="drift-wide",
    )
    said = "Control, if you have one: trained as long on the old data"
    control = html.Div(
        [
            html.Label(said, htmlFor=Page.CONTROL),
            dbc.Input(id=Page.CONTROL, type="text", size="sm", placeholder="none"),
        ],
        className="drift-half",
    )
    run = html.Button([icon("play-fill"), "Measure"], id=Page.RUN, type="button", className="press filled")
    return html.Div(
        [
            html.P(_EXPLAINED, className="caption drift-wide"),
            checkpoints,
            control,
            corpus_form.kind(Page.PLACE, "Probe corpus"),
            corpus_form.size(Page.PLACE, {size: f"{size:,}" for size in SIZES}, USUAL),
            run,
            *corpus_form.details(Page.PLACE),
        ],
        className="index-form drift-form",
    )


def _work() -> Any:
    work = Page.WORK.layout("Progress of the drift")
    return html.Div([work, html.P(id=Page.SAYS, className="caption index-says", role="status")])


def _moving() -> Any:
    export = html.A(
        [icon("download"), "HTML"],
        id=Page.EXPORT,
        href="",
        className="press quiet",
        title="Keep this animation as a file that plays without NeuronScope",
        download="drift.html",
    )
    gif = html.Button(
        [icon("film"), "GIF"],
        id=Page.GIF,
        type="button",
        className="press quiet",
        title="Draw this animation as a GIF, for slides",
    )
    work = Page.DRAWING.layout("Progress of drawing the GIF")
    player = html.Div(html.P("Placing the neurons …", className="caption"), id=Page.PLAYER, className="drift-player")
    return card(Page.MOVING_HEAD, work, player, tools=[gif, export, _enlarge()], name="drift-moving")


def _enlarge() -> Any:
    said = {"aria-label": "Enlarge this plot", "aria-pressed": "false", "data-enlarge": ""}
    return html.Button(icon("arrows-fullscreen"), type="button", className="press quiet", title="Enlarge", **said)


def _where(selection: Selection) -> list[Any]:
    heat = select("heat", "Show", {name: one.title for name, one in DRIFT_MEASURES.items()}, selection.heat)
    layers = graph(Page.LAYERS, 220, "One measure of every layer in every checkpoint")
    losses = graph(Page.LOSSES, 220, "The loss of every checkpoint on the probe corpus")
    return [
        card(Page.LAYERS_HEAD, heat, layers, tools=graph_tools(Page.LAYERS, "drift-layers")),
        card(Page.LOSSES_HEAD, losses, tools=graph_tools(Page.LOSSES, "drift-losses")),
    ]


def filters(selection: Selection, layers: int, *, control: bool) -> list[Any]:
    """What narrows the table: the layer, noise and control, and whether a neuron's own weights changed."""
    every = f"0-{layers - 1}"
    known = {every: "all", **{str(layer): str(layer) for layer in range(layers)}}
    named = selection.layers or every
    beyond = {name: said for name, said in BEYOND.items() if control or name != "control"}
    return [
        select("layers", "Layer", known if named in known else {**known, named: named}, named),
        select("beyond", "Neurons", beyond, selection.beyond if selection.beyond in beyond else "all"),
        select("cause", "Because of", CAUSE, selection.cause),
    ]


def _table() -> Any:
    terms = [part for term, says in _LEGEND for part in (html.Dt(term), html.Dd(says))]
    return card(
        Page.TABLE_HEAD,
        html.Div(id=Page.FILTERS, className="atlas-controls"),
        html.Div(grid(), className="drift-table-place"),
        html.Div(id=Page.NOTHING),
        html.Details([html.Summary("What the columns say"), html.Dl(terms)], className="column-legend"),
        tools=[table_tools(Page.TABLE)],
    )


def _card(tokens: Any) -> Any:
    plots = (
        (Page.NEURON, Page.NEURON_HEAD, "Its activations in the base and in the checkpoint", "drift-neuron"),
        (
            Page.PAIRS,
            Page.PAIRS_HEAD,
            "Its activation on every token, in the base and in the checkpoint",
            "drift-pairs",
        ),
        (Page.TOKENS, Page.TOKENS_HEAD, "Its top tokens in the base and in the checkpoint", "drift-tokens"),
        (Page.COURSE, Page.COURSE_HEAD, "Its drift in every checkpoint", "drift-course"),
    )
    drawn = [card(head, graph(name, 300, said), tools=graph_tools(name, file)) for name, head, said, file in plots]
    head = card(Page.CARD_HEAD, html.Div(id=Page.FACTS), tools=[html.Span(id=Page.CARD_TOOLS, className="tools")])
    return html.Div(
        [
            head,
            html.Div(drawn, className="drift-plots"),
            tokens,
            html.Div(id=Page.EXAMPLES, className="drift-examples"),
        ],
        id=Page.CARD_PLACE,
        className="drift-card",
        hidden=True,
    )


def unmeasured() -> list[Any]:
    """What stands over the page where no drift of the model is kept."""
    said = "Fine-tuning, training longer, or an adapter: see which neurons it changed, how, and by how much."
    return heading("What did fine-tuning change?", said)
