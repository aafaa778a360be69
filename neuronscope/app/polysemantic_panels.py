"""The panels of the Polysemantic view: their ids, where things stand, and the words over them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dash import dcc, html

from neuronscope.analysis.polysemanticity import VERDICTS
from neuronscope.app.graphs import graph, graph_tools
from neuronscope.app.parts import card, choices, heading, icon
from neuronscope.app.polysemantic_rows import TABLE, grid
from neuronscope.app.tables import table_tools
from neuronscope.app.work_bar import WorkBar
from neuronscope.survey import TOKENS

if TYPE_CHECKING:
    from neuronscope.app.polysemantic_surveys import Surveyed
    from neuronscope.app.selection import Selection
    from neuronscope.indexed import Index
    from neuronscope.vocabulary import ModelCard

AMONG = {"confirmed": "Senses in both halves", "scored": "Scored", "all": "All"}
CAUTION = (
    "A sense here is a way to fire: contexts whose inputs push the neuron alike. It is not a meaning, "
    "and its tokens are hints."
)
_WHY = (
    "To rank them, the model reads part of the corpus once more and compares, of every neuron, what pushes it in up to "
    "200 strong contexts."
)


class Poly:
    """The ids of this view."""

    ABOUT = "polysemantic-about"
    EMPTY = "polysemantic-empty"
    ALL = "polysemantic-all"
    SURVEY = "polysemantic-survey"
    SURVEY_HEAD = "polysemantic-survey-head"
    BEGIN = "polysemantic-begin"
    AUTO = "polysemantic-auto"
    DONE = "polysemantic-done"
    WORK = WorkBar("polysemantic")
    BUTTONS = "polysemantic-buttons"
    RANKED = "polysemantic-ranked"
    HEAD = "polysemantic-head"
    AMONG = "polysemantic-among"
    ROWS = "polysemantic-rows"
    TABLE = TABLE
    TABLE_PLACE = "polysemantic-table-place"
    NOTHING = "polysemantic-nothing"
    LAYERS = "polysemantic-layers"
    LAYERS_HEAD = "polysemantic-layers-head"
    NEURON = "polysemantic-neuron"
    NEURON_HEAD = "polysemantic-neuron-head"
    SHARES = "polysemantic-shares"
    OTHERS = "polysemantic-others"
    MAP = "polysemantic-map"
    MAP_HEAD = "polysemantic-map-head"
    PLOT = "polysemantic-plot"
    HINT = "polysemantic-hint"
    POINT = "polysemantic-point"
    SENSES = "polysemantic-senses"
    CARDS = "polysemantic-cards"
    READING = "polysemantic-reading"
    MORE = "polysemantic-more"


def layout(selection: Selection) -> list[Any]:
    """The view but for its stores and what stands where there is no index."""
    return [
        html.Div(id=Poly.ABOUT),
        html.Div([_survey(), _ranked(selection), *_detail()], id=Poly.ALL, className="poly-all", hidden=True),
    ]


def _survey() -> Any:
    begin = html.Button(
        [icon("play-fill"), "Survey all neurons"], id=Poly.BEGIN, type="button", className="press filled"
    )
    work = Poly.WORK.layout("Progress of the survey")
    panel = card(Poly.SURVEY_HEAD, html.Div(begin, id=Poly.BUTTONS, className="poly-begin"), work)
    return html.Div(panel, id=Poly.SURVEY, hidden=True)


def _ranked(selection: Selection) -> Any:
    among = html.Span(choices("among", "Which neurons", AMONG, selection.among), id=Poly.AMONG)
    rows = card(
        Poly.HEAD,
        html.Div(grid(), id=Poly.TABLE_PLACE),
        html.Div(id=Poly.NOTHING),
        _legend(),
        tools=[among, table_tools(Poly.TABLE)],
    )
    plot = graph(Poly.LAYERS, 330, "The effective number of senses of each layer's neurons")
    layers = card(Poly.LAYERS_HEAD, plot, tools=graph_tools(Poly.LAYERS, "senses-by-layer"))
    return html.Div([rows, layers], id=Poly.RANKED, className="poly-ranked", hidden=True)


def _legend() -> Any:
    terms = [part for term, says in _COLUMNS for part in (html.Dt(term), html.Dd(says))]
    return html.Details([html.Summary("What the columns say"), html.Dl(terms)], className="column-legend")


_COLUMNS = (
    ("Senses", "the first two tokens of each of the first three senses, the largest sense first."),
    (
        "N_eff",
        "the effective number of senses: the exponential of the entropy of the clusters' shares of the activation.",
    ),
    ("Half A, B", "N_eff of the contexts in either half of the corpus: how far it can be trusted."),
    ("≥ 10 %", "clusters with a tenth of the activation or more. Many small ones and none such: it fires diffusely."),
    ("In both", "whether each half of the corpus has two senses, and the same two."),
    ("Compared", "contexts that were compared, one of a window, evenly down the ranking by activation."),
    ("Strong", "windows with a token above a quarter of the neuron's 99.99th percentile, from which they were chosen."),
)


def _detail() -> list[Any]:
    reading = html.P("Running its contexts …", id=Poly.READING, className="caption", hidden=True, role="status")
    others = html.Div(id=Poly.OTHERS)
    neuron = card(Poly.NEURON_HEAD, html.Div(id=Poly.SHARES), reading, tools=[others], name="poly-neuron")
    plot = html.Div(graph(Poly.MAP, 380, "The neuron's contexts in the plane, by sense"), id=Poly.PLOT)
    hint = html.P("Press a point to read its context.", id=Poly.HINT, className="caption", hidden=True)
    point = html.Div(id=Poly.POINT, className="contexts", role="status")
    place = card(Poly.MAP_HEAD, plot, hint, point, tools=graph_tools(Poly.MAP, "senses-map"), name="poly-map")
    senses = html.Div([html.Div(id=Poly.CARDS, className="poly-cards"), place], id=Poly.SENSES, className="poly-senses")
    return [neuron, senses]


def stores() -> list[Any]:
    """What the view keeps: the rows, what was surveyed, whether a survey began by itself, what was opened."""
    return [dcc.Store(id=name) for name in (Poly.ROWS, Poly.DONE, Poly.AUTO, Poly.MORE)]


def survey_head(surveyed: Surveyed, card: ModelCard, index: Index) -> list[Any]:
    """What a survey is and what it costs; of one that was stopped, how far it came."""
    left = surveyed.of - surveyed.layers
    neurons = left * card.neurons
    tokens = min(TOKENS, index.manifest.tokens)
    said = f"{_WHY} {neurons:,} neurons, {tokens:,} tokens: {_duration(_seconds(card, left, tokens))}."
    said += " The page stays usable, and layers that are done are kept."
    if surveyed.layers:
        said = f"{surveyed.layers} of {surveyed.of} layers are done and shown below. {said}"
    title = "Some layers have not been surveyed" if surveyed.layers else "The neurons have not been surveyed"
    return heading(title, said)


def _seconds(card: ModelCard, layers: int, tokens: int) -> float:
    """Roughly, on two cores: 8 ms a neuron and 40 µs for each dimension that it reads, and the reading itself."""
    signs = 2 if card.gated else 1
    parameters = 12 * card.layers * card.width**2
    return layers * card.neurons * signs * (0.008 + 4e-5 * card.width) + 2 * parameters * tokens / 3e10


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"roughly {max(round(seconds / 10) * 10, 10)} seconds on two cores"
    minutes = seconds / 60
    return f"roughly {minutes:.0f} minutes on two cores" if minutes < 90 else f"roughly {minutes / 60:.0f} hours"


def ranked_head(surveyed: Surveyed, which: str, shown: int) -> list[Any]:
    """Over the table: how many are shown of how many, what of the others, over what, and how steady the scores are."""
    counts, records = surveyed.rows.counts(), len(surveyed.poly.records)
    gated = (surveyed.poly.records["sign"] < 0).any()
    sides = f" sides of {records // 2:,} neurons, + and −" if gated else " neurons"
    named = [f"{counts[name]:,} {name}" for name in VERDICTS if counts[name] or name == "scored"]
    retest = surveyed.rows.retest
    steady = f" · retest ρ {retest:.2f}" if retest == retest else ""
    parts = [f"{shown:,} of {records:,}{sides}", *named, f"{surveyed.poly.tokens:,} tokens"]
    title = {"confirmed": "With two senses or more, in both halves of the corpus", "scored": "All that were scored"}
    said = html.Span([" · ".join(parts), html.Span(steady, title=_RETEST)])
    return heading(title.get(which, "All neurons"), said)


_RETEST = "Spearman's rank correlation of N_eff in the two halves of the corpus"


def nothing(which: str) -> str:
    """What is said where the table has no row."""
    if which == "confirmed":
        return "No neuron has two senses in both halves of the corpus. Look among those that were scored."
    return "No neuron could be scored: of each there were fewer than 20 strong contexts, or it fires everywhere."
