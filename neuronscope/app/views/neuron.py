"""The Neuron view: what is this neuron?

What it does on the visitor's text, token by token; which tokens its weights read and write, and whose weights are like
them; and, from an index, what it does over a whole corpus: its distribution, its examples, the n-grams that excite it,
the neurons most like it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dash import ALL, Dash, Input, Output, State, ctx, dcc, html
from dash.exceptions import PreventUpdate

from neuronscope.app import (
    indexing,
    neuron_corpus,
    neuron_head,
    neuron_notes,
    neuron_text,
    neuron_weights,
    prompt,
    scenes,
)
from neuronscope.app.asking import Frame
from neuronscope.app.graphs import csv_id, framed, graph, graph_tools
from neuronscope.app.neuron_asking import AT_TOKEN, INDEX, ITSELF, NAME, SCENES, listens, look
from neuronscope.app.neuron_card import as_html, as_json, card_of
from neuronscope.app.notes import Notes
from neuronscope.app.parts import card, unread
from neuronscope.app.selection import Selection
from neuronscope.figures import corpus_histogram_table, heatmap_table
from neuronscope.vocabulary import Neuron, Site

if TYPE_CHECKING:
    import pandas as pd

    from neuronscope.figures.theme import Mode
    from neuronscope.indexed import Index
    from neuronscope.scope import Workspace

TITLE = "Neuron"
ICON = "bullseye"
ASIDE = "Weights"
QUESTION = "What is this neuron?"
FILE = "neuron-activations"


class Page:
    """The ids of this view."""

    HEAD = "neuron-head"
    STRIP = "neuron-strip"
    INPUTS = "neuron-inputs"
    HISTOGRAM = "neuron-histogram"
    HISTOGRAM_HEAD = "neuron-histogram-head"
    EXAMPLES = "neuron-examples"
    NGRAMS = "neuron-ngrams"
    WEIGHTS = "neuron-weights"
    KIN = "neuron-kin"
    ALIKE = "neuron-alike"
    COMPARE = "neuron-compare"


def layout(selection: Selection, model: str) -> Any:
    """The view, with its prompt filled in and everything else waiting for the text to be read."""
    plot = graph(Page.HISTOGRAM, 260, "How this neuron's activations are distributed over the text")
    tools = graph_tools(Page.HISTOGRAM, FILE)
    middle = [
        unread(),
        html.Div(id=Page.STRIP, className="stack"),
        card(Page.HISTOGRAM_HEAD, plot, tools=tools),
        indexing.panel(),
        html.Div(id=Page.EXAMPLES, className="stack"),
        html.Div(id=Page.NGRAMS),
        html.Div(id=Page.INPUTS),
    ]
    aside = [
        neuron_notes.layout(),
        html.Div(id=Page.KIN),
        neuron_weights.alike_panel(Page.ALIKE, Page.COMPARE),
        html.Div(id=Page.WEIGHTS),
    ]
    columns = [
        html.Div(
            prompt.panel(selection, model, compare=True),
            className="side",
            tabIndex=0,
            role="region",
            **{"aria-label": "Text and settings"},
        ),
        html.Div(middle, className="middle"),
        html.Aside(aside, className="inspector stack", tabIndex=0, **{"aria-label": ASIDE}),
    ]
    parts = [html.Div(id=Page.HEAD), html.Div(columns, className="text-view"), *scenes.layout(NAME, SCENES)]
    return html.Div(parts, className="neuron-view")


def register(app: Dash, workspace: Workspace) -> None:
    """Register the view's callbacks."""
    notes = Notes(workspace.settings.data_folder)
    scenes.register(app, NAME, SCENES)
    _register_text(app, workspace)
    _register_corpus(app, workspace)
    _register_weights(app, workspace)
    neuron_notes.register(app, workspace, notes)
    _register_keeping(app, workspace, notes)


def _register_text(app: Dash, workspace: Workspace) -> None:
    @app.callback(Output(Page.HEAD, "children"), *listens(ITSELF, INDEX))
    def head(ready: Any, _scene: Any, _index: Any, search: str) -> Any:
        at = look(app, workspace, ready, search)
        link = neuron_head.link_of(at.selection, at.neuron)
        return neuron_head.head(at.model, at.read(), at.neuron, at.index, link)

    @app.callback(Output(Page.STRIP, "children"), *listens(AT_TOKEN, INDEX))
    def strip(ready: Any, _scene: Any, _index: Any, search: str) -> Any:
        at = look(app, workspace, ready, search)
        shown = [neuron_text.strip(at.read(), at.neuron, at.selection, Page.HISTOGRAM, at.index)]
        if both := at.both():
            shown.append(neuron_text.beside(both, at.neuron, at.selection))
        return shown

    @app.callback(
        Output(Page.HISTOGRAM, "figure"),
        Output(Page.HISTOGRAM, "style"),
        Output(Page.HISTOGRAM_HEAD, "children"),
        *listens(AT_TOKEN, INDEX, Input(Frame.THEME, "data")),
    )
    def distribution(ready: Any, _scene: Any, _index: Any, mode: Mode | None, search: str) -> tuple[Any, ...]:
        at = look(app, workspace, ready, search)
        figure = neuron_text.distribution(at.read(), at.neuron, at.selection.position, mode or "light", at.index)
        return framed(figure, left=56, above=26)

    @app.callback(Output(Page.INPUTS, "children"), *listens(AT_TOKEN))
    def inputs(ready: Any, _scene: Any, search: str) -> Any:
        at = look(app, workspace, ready, search)
        sites = [Site.GATE, Site.UP] if at.model.gated else [Site.UP]
        return neuron_text.inputs([at.read(site) for site in sites], at.neuron, at.selection.position)


def _register_corpus(app: Dash, workspace: Workspace) -> None:
    def indexed(ready: Any, search: str) -> tuple[Index, Neuron] | None:
        at = look(app, workspace, ready, search)
        index = at.index
        return None if index is None else (index, at.neuron)

    @app.callback(Output(Page.EXAMPLES, "children"), *listens(ITSELF, INDEX))
    def examples(ready: Any, _scene: Any, _index: Any, search: str) -> Any:
        found = indexed(ready, search)
        return neuron_corpus.examples(*found) if found else []

    @app.callback(Output(Page.NGRAMS, "children"), *listens(ITSELF, INDEX))
    def ngrams(ready: Any, _scene: Any, _index: Any, search: str) -> Any:
        found = indexed(ready, search)
        if found is None:
            return []
        index, neuron = found
        return neuron_corpus.ngrams(index.reverse_query(neuron).table, index, neuron)

    @app.callback(Output(Page.KIN, "children"), *listens(ITSELF, INDEX))
    def kin(ready: Any, _scene: Any, _index: Any, search: str) -> Any:
        found = indexed(ready, search)
        return neuron_corpus.kin(*found) if found else []


def _register_weights(app: Dash, workspace: Workspace) -> None:
    @app.callback(Output(Page.WEIGHTS, "children"), *listens(ITSELF))
    def weights(ready: Any, _scene: Any, search: str) -> Any:
        at = look(app, workspace, ready, search)
        return neuron_weights.weights(at.scope.weights(at.neuron, 8 if at.model.gated else 12))

    @app.callback(
        Output(Page.ALIKE, "children"),
        Output(Page.COMPARE, "hidden"),
        *listens(ITSELF, Input(Page.COMPARE, "n_clicks")),
    )
    def alike(ready: Any, _scene: Any, _clicks: int | None, search: str) -> tuple[Any, bool]:
        at = look(app, workspace, ready, search)
        if neuron_weights.is_much(at.model) and ctx.triggered_id != Page.COMPARE:
            return neuron_weights.not_yet(at.model), False
        ways = neuron_weights.ways(at.model)
        found = {by: at.scope.alike(at.neuron, by, neuron_corpus.KIN) for by in ways}
        return neuron_weights.alike(at.model, found), True


def _register_keeping(app: Dash, workspace: Workspace, notes: Notes) -> None:
    @app.callback(
        Output(Frame.DOWNLOAD, "data", allow_duplicate=True),
        Input(csv_id(Page.HISTOGRAM), "n_clicks"),
        State(Frame.URL, "search"),
        State(Frame.READY, "data"),
        prevent_initial_call=True,
    )
    def keep(clicks: int | None, search: str, ready: Any) -> Any:
        at = look(app, workspace, ready, search)
        if not clicks:
            raise PreventUpdate
        index, neuron = at.index, at.neuron
        frame = heatmap_table(at.read(), neuron.layer, [neuron.index]) if index is None else _counted(index, neuron)
        return dcc.send_data_frame(frame.to_csv, f"{FILE}.csv", index=False)

    @app.callback(
        Output(Frame.DOWNLOAD, "data", allow_duplicate=True),
        Input({"keep": ALL}, "n_clicks"),
        State(Frame.URL, "search"),
        State(Frame.READY, "data"),
        prevent_initial_call=True,
    )
    def keep_card(clicks: list[int | None], search: str, ready: Any) -> Any:
        if not any(clicks):
            raise PreventUpdate
        at = look(app, workspace, ready, search)
        model, neuron = at.model, at.neuron
        note = notes.of(model.label, model.revision, neuron)
        found = card_of(model, neuron, at.index, at.scope.weights(neuron), note)
        name = f"{model.label.replace(':', '-').replace('/', '-')}-{neuron}"
        if ctx.triggered_id["keep"] == "html":
            return dcc.send_string(as_html(found), f"{name}.html")
        return dcc.send_string(as_json(found), f"{name}.json")


def _counted(index: Index, neuron: Neuron) -> pd.DataFrame:
    numbers = index.store.statistics[index.row(neuron)]
    return corpus_histogram_table(index.histogram(neuron), float(numbers["min"]), float(numbers["max"]))
