"""The Neuron view: what is this neuron?

What it does on the visitor's text, token by token, and which tokens its weights read and write; and, from an index,
what it does over a whole corpus: its distribution, its examples, the n-grams that excite it, the neurons most like it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from dash import ALL, Dash, Input, Output, State, ctx, dcc, html
from dash.exceptions import PreventUpdate

from neuronscope.analysis.statistics import neuron_statistics
from neuronscope.app import indexing, neuron_corpus, neuron_notes, prompt
from neuronscope.app.asking import Frame, asked, text_of
from neuronscope.app.graphs import csv_id, framed, graph, graph_tools
from neuronscope.app.lists import facts, score_list
from neuronscope.app.neuron_card import as_html, as_json, card_of
from neuronscope.app.neuron_notes import NoteBox
from neuronscope.app.notes import Notes
from neuronscope.app.parts import card, go, heading, icon, unread
from neuronscope.app.selection import Selection
from neuronscope.app.strips import read_in_windows, strongest
from neuronscope.app.tokens import scale_legend, token_strip
from neuronscope.figures import corpus_histogram, corpus_histogram_table, heatmap_table, histogram
from neuronscope.vocabulary import Activations, ModelCard, Neuron, NeuronWeights, Site

if TYPE_CHECKING:
    import pandas as pd

    from neuronscope.figures.theme import Mode
    from neuronscope.indexed import Index
    from neuronscope.scope import Scope, Workspace

NAME = "neuron"
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


def layout(selection: Selection, model: str) -> Any:
    """The view, with its prompt filled in and everything else waiting for the text to be read."""
    plot = graph(Page.HISTOGRAM, 260, "How this neuron's activations are distributed over the text")
    tools = graph_tools(Page.HISTOGRAM, FILE)
    middle = [
        unread(),
        html.Div(id=Page.STRIP),
        card(Page.HISTOGRAM_HEAD, plot, tools=tools),
        indexing.panel(),
        html.Div(id=Page.EXAMPLES, className="stack"),
        html.Div(id=Page.NGRAMS),
        html.Div(id=Page.INPUTS),
    ]
    aside = [neuron_notes.layout(), html.Div(id=Page.WEIGHTS), html.Div(id=Page.KIN)]
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
    return html.Div([html.Div(id=Page.HEAD), html.Div(columns, className="text-view")], className="neuron-view")


def register(app: Dash, workspace: Workspace) -> None:
    """Register the view's callbacks."""
    _register_text(app, workspace)
    _register_corpus(app, workspace)
    _register_notes(app, workspace)
    _register_keeping(app, workspace)


def _register_text(app: Dash, workspace: Workspace) -> None:
    @app.callback(Output(Page.HEAD, "children"), *_INPUTS)
    def head(ready: Any, search: str, _index: Any) -> Any:
        scope, selection = asked(workspace, NAME, search, ready)
        activations = _read(app, scope, selection, ready["model"])
        neuron = chosen(activations, selection, scope.card)
        return _head(scope.card, activations, neuron, workspace.index_of(scope), _link(selection, neuron))

    @app.callback(Output(Page.STRIP, "children"), *_INPUTS)
    def strip(ready: Any, search: str, _index: Any) -> Any:
        scope, selection = asked(workspace, NAME, search, ready)
        activations = _read(app, scope, selection, ready["model"])
        return _strip(activations, chosen(activations, selection, scope.card), selection, workspace.index_of(scope))

    @app.callback(
        Output(Page.HISTOGRAM, "figure"),
        Output(Page.HISTOGRAM, "style"),
        Output(Page.HISTOGRAM_HEAD, "children"),
        *_INPUTS,
        Input(Frame.THEME, "data"),
    )
    def distribution(ready: Any, search: str, _index: Any, mode: Mode | None) -> tuple[Any, ...]:
        scope, selection = asked(workspace, NAME, search, ready)
        activations = _read(app, scope, selection, ready["model"])
        neuron, index = chosen(activations, selection, scope.card), workspace.index_of(scope)
        figure = _histogram(activations, neuron, selection.position, mode or "light", index)
        return framed(figure, left=56, above=26)

    @app.callback(Output(Page.INPUTS, "children"), *_INPUTS[:2])
    def inputs(ready: Any, search: str) -> Any:
        scope, selection = asked(workspace, NAME, search, ready)
        neuron = chosen(_read(app, scope, selection, ready["model"]), selection, scope.card)
        sites = [Site.GATE, Site.UP] if scope.card.gated else [Site.UP]
        return _inputs(
            [_read(app, scope, selection, ready["model"], site) for site in sites], neuron, selection.position
        )

    @app.callback(Output(Page.WEIGHTS, "children"), *_INPUTS[:2])
    def weights(ready: Any, search: str) -> Any:
        scope, selection = asked(workspace, NAME, search, ready)
        neuron = chosen(_read(app, scope, selection, ready["model"]), selection, scope.card)
        return _weights(scope.weights(neuron, 8 if scope.card.gated else 12))


def _register_corpus(app: Dash, workspace: Workspace) -> None:
    def indexed(search: str, ready: Any) -> tuple[Index, Neuron] | None:
        scope, selection = asked(workspace, NAME, search, ready)
        index = workspace.index_of(scope)
        if index is None:
            return None
        return index, chosen(_read(app, scope, selection, ready["model"]), selection, scope.card)

    @app.callback(Output(Page.EXAMPLES, "children"), *_INPUTS)
    def examples(ready: Any, search: str, _index: Any) -> Any:
        found = indexed(search, ready)
        return neuron_corpus.examples(*found) if found else []

    @app.callback(Output(Page.NGRAMS, "children"), *_INPUTS)
    def ngrams(ready: Any, search: str, _index: Any) -> Any:
        found = indexed(search, ready)
        if found is None:
            return []
        index, neuron = found
        return neuron_corpus.ngrams(index.reverse_query(neuron).table, index, neuron)

    @app.callback(Output(Page.KIN, "children"), *_INPUTS)
    def kin(ready: Any, search: str, _index: Any) -> Any:
        found = indexed(search, ready)
        return neuron_corpus.kin(*found) if found else []


def _register_notes(app: Dash, workspace: Workspace) -> None:
    notes = Notes(workspace.settings.data_folder)

    @app.callback(
        Output(NoteBox.OF, "data"),
        Output(NoteBox.LABEL, "value"),
        Output(NoteBox.NOTE, "value"),
        Output(NoteBox.SAYS, "children"),
        *_INPUTS[:2],
    )
    def open_note(ready: Any, search: str) -> tuple[Any, ...]:
        scope, selection = asked(workspace, NAME, search, ready)
        model = scope.card
        neuron = chosen(_read(app, scope, selection, ready["model"]), selection, model)
        found = notes.of(model.label, model.revision, neuron)
        return [model.label, model.revision, str(neuron)], found.label, found.note, ""

    @app.callback(
        Output(NoteBox.SAYS, "children", allow_duplicate=True),
        Input(NoteBox.KEEP, "n_clicks"),
        State(NoteBox.OF, "data"),
        State(NoteBox.LABEL, "value"),
        State(NoteBox.NOTE, "value"),
        prevent_initial_call=True,
    )
    def keep_note(clicks: int | None, of: list[str] | None, label: str | None, note: str | None) -> str:
        if not clicks or of is None:
            raise PreventUpdate
        model, revision, name = of
        notes.write(model, revision, Neuron.parse(name), neuron_notes.written(label, note))
        return f"Kept for {name}."


def _register_keeping(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Frame.DOWNLOAD, "data", allow_duplicate=True),
        Input(csv_id(Page.HISTOGRAM), "n_clicks"),
        State(Frame.URL, "search"),
        State(Frame.READY, "data"),
        prevent_initial_call=True,
    )
    def keep(clicks: int | None, search: str, ready: Any) -> Any:
        scope, selection = asked(workspace, NAME, search, ready)
        if not clicks:
            raise PreventUpdate
        activations = _read(app, scope, selection, ready["model"])
        neuron, index = chosen(activations, selection, scope.card), workspace.index_of(scope)
        frame = heatmap_table(activations, neuron.layer, [neuron.index]) if index is None else _counted(index, neuron)
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
        scope, selection = asked(workspace, NAME, search, ready)
        neuron = chosen(_read(app, scope, selection, ready["model"]), selection, scope.card)
        note = Notes(workspace.settings.data_folder).of(scope.card.label, scope.card.revision, neuron)
        found = card_of(scope.card, neuron, workspace.index_of(scope), scope.weights(neuron), note)
        name = f"{scope.card.label.replace(':', '-').replace('/', '-')}-{neuron}"
        if ctx.triggered_id["keep"] == "html":
            return dcc.send_string(as_html(found), f"{name}.html")
        return dcc.send_string(as_json(found), f"{name}.json")


_INPUTS = (Input(Frame.READY, "data"), Input(Frame.URL, "search"), Input(Frame.INDEX, "data"))


def chosen(activations: Activations, selection: Selection, model: ModelCard) -> Neuron:
    """The neuron to show: the chosen one, or the layer's strongest on this text."""
    layer = selection.layer_of(model)
    if selection.neuron is not None:
        return model.check(Neuron(layer, selection.neuron))
    values = activations.layer(layer)
    counted = values[activations.tokens.kept] if activations.tokens.kept.any() else values
    return Neuron(layer, int(np.abs(counted).max(0).argmax()))


def _read(app: Dash, scope: Scope, selection: Selection, model: str, site: Site = Site.NEURONS) -> Activations:
    text = selection.compare if selection.of_second else text_of(selection, model)
    found: list[Activations] = app.readings.read(scope, [text or ""], site, selection.long)
    return found[0]


def _link(selection: Selection, neuron: Neuron) -> str:
    """The address of the neuron alone, to be sent or kept."""
    where = Selection(view=NAME, model=selection.model, precision=selection.precision)
    return replace(where, layer=neuron.layer, neuron=neuron.index).search


def _counted(index: Index, neuron: Neuron) -> pd.DataFrame:
    numbers = index.store.statistics[index.row(neuron)]
    return corpus_histogram_table(index.histogram(neuron), float(numbers["min"]), float(numbers["max"]))


def _head(
    model: ModelCard, activations: Activations, neuron: Neuron, index: Index | None = None, link: str = "?"
) -> Any:
    found = neuron_statistics(activations.neuron(neuron), activations.tokens.kept)
    tokens = activations.tokens
    peak = next(run for run in tokens.characters if found.peak in run)
    of = html.Span(model.label, title=model.name, className="of")
    names = [of, html.Span(str(neuron), className="neuron-name")]
    on_text = facts(
        [
            ("largest", _number(found.max)),
            ("smallest", _number(found.min)),
            ("mean", _number(found.mean)),
            ("sd", _number(found.std)),
            ("above 0", f"{found.active:.0%} of {found.tokens}"),
            ("strongest on", html.Bdi(tokens.shown(peak), className="token-name")),
        ],
        "facts inline",
    )
    return html.Section(
        [
            html.Div([html.H2(names), _walk(model, neuron), _keeping(link)], className="who"),
            html.Div(neuron_corpus.corpus_facts(index, neuron), className="of-corpus") if index else None,
            html.Div([html.P("on this text", className="caption"), on_text]),
        ],
        className="panel neuron-head",
    )


def _keeping(link: str) -> Any:
    """The neuron's own address, and its card as a file."""
    kinds = {"html": "HTML", "json": "JSON"}
    keep = html.Details(
        [
            html.Summary(icon("download"), title="Keep this card", **{"aria-label": "Keep this card"}),
            html.Div(
                [html.Button(said, id={"keep": name}, type="button") for name, said in kinds.items()], className="menu"
            ),
        ],
        className="popover-menu keep",
    )
    address = html.A(
        icon("link-45deg"),
        href=link,
        className="press quiet",
        title="This neuron's address",
        **{"aria-label": "This neuron's address"},
    )
    return html.Span([address, keep], className="graph-tools")


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3g}".replace("-", "−")


def _walk(model: ModelCard, neuron: Neuron) -> Any:
    """To the neighbours, and to anywhere."""
    layer, index = neuron.layer, neuron.index
    anywhere = np.random.default_rng()
    there = Neuron(int(anywhere.integers(model.layers)), int(anywhere.integers(model.neurons)))
    return html.Div(
        [
            go(
                icon("chevron-left"),
                label="Previous neuron",
                key="ArrowLeft",
                layer=layer,
                neuron=(index - 1) % model.neurons,
            ),
            go(
                icon("chevron-right"),
                label="Next neuron",
                key="ArrowRight",
                layer=layer,
                neuron=(index + 1) % model.neurons,
            ),
            go(icon("chevron-down"), label="Layer below", key="ArrowDown", layer=max(layer - 1, 0), neuron=index),
            go(
                icon("chevron-up"),
                label="Layer above",
                key="ArrowUp",
                layer=min(layer + 1, model.layers - 1),
                neuron=index,
            ),
            go([icon("shuffle"), "Random"], label="Random neuron", key="r", layer=there.layer, neuron=there.index),
        ],
        className="walk",
    )


def _strip(activations: Activations, neuron: Neuron, selection: Selection, index: Index | None = None) -> Any:
    values = activations.neuron(neuron)
    limit = (neuron_corpus.limit_of(index, neuron) if index else 0.0) or strongest([activations], [values])
    shown = token_strip(activations.tokens, values, limit=limit, locked=selection.position, marks=Page.HISTOGRAM)
    which = "second text" if selection.of_second else "text"
    title = heading(f"{neuron} on your {which}", read_in_windows(activations) or None)
    return card(
        title,
        shown,
        tools=scale_legend(limit, "activation; ends at its extremes in the corpus" if index else "activation"),
        name="tokens",
    )


def _inputs(read: list[Activations], neuron: Neuron, locked: int | None) -> Any:
    """What the neuron is made of, token by token: its gate and its up value, or what enters its function."""
    rows = []
    for activations in read:
        values = activations.neuron(neuron)
        limit = strongest([activations], [values])
        strip = token_strip(activations.tokens, values, limit=limit, locked=locked)
        said = html.Div([html.H3(_MADE_OF[len(read)][activations.site]), scale_legend(limit, "")], className="row-head")
        rows.append(html.Div([said, strip], className="made-of"))
    title = "What it is made of" if len(read) > 1 else "What enters its function"
    return card(heading(title), *rows, name="tokens")


_MADE_OF = {
    1: {Site.UP: "Input weights · x, bias included"},
    2: {Site.GATE: "Gate, before its function", Site.UP: "Up value, which the gate multiplies"},
}


def _histogram(
    activations: Activations, neuron: Neuron, locked: int | None, mode: Mode, index: Index | None = None
) -> Any:
    """How the neuron's activations are distributed over the corpus or, without an index, the text; one token marked."""
    values, kept = activations.neuron(neuron), activations.tokens.kept
    marker = float(values[locked]) if locked is not None else float(values[np.abs(np.where(kept, values, 0)).argmax()])
    if index is not None:
        numbers = index.store.statistics[index.row(neuron)]
        return corpus_histogram(
            index.histogram(neuron),
            float(numbers["min"]),
            float(numbers["max"]),
            marker=marker,
            name=str(neuron),
            source=index.source,
            corpus=index.progress,
            mode=mode,
        )
    counted = values[kept] if kept.any() else values
    return histogram(counted, bins=40, marker=marker, name=str(neuron), source=activations.source, mode=mode)


def _weights(found: NeuronWeights) -> Any:
    gate = []
    if found.gate_reads_most:
        gate = [_pair("Gate reads", found.gate_reads_most, found.gate_reads_least, "excite the gate", "inhibit it")]
    through = " through up" if gate else ""
    writes = [_writes(found)] if found.promotes else [html.P(_WRITES_NOTHING, className="caption weights-part")]
    numbers = facts(
        [
            ("|w in|", _number(found.norm_in)),
            *([("|w gate|", _number(found.norm_gate))] if found.norm_gate is not None else []),
            ("|w out|", _number(found.norm_out)),
            ("bias", _number(found.bias)),
        ],
        "facts inline",
    )
    return html.Section(
        [
            html.Div(
                html.Div(heading("Weights", "The direct path only, not behaviour."), className="card-title"),
                className="card-head",
            ),
            *gate,
            _pair(f"Reads{through}", found.reads_most, found.reads_least, "excite it", "inhibit it"),
            *writes,
            numbers,
        ],
        className="panel weights",
    )


_WRITES_NOTHING = "The model predicts no next token: there is none that this neuron promotes or suppresses."


def _writes(found: NeuronWeights) -> Any:
    shape = f"over the vocabulary: kurtosis {_number(found.write_kurtosis)}, skewness {_number(found.write_skewness)}"
    return _pair(
        "Writes", found.promotes, found.suppresses, "promoted", "suppressed", html.P(shape, className="caption")
    )


def _pair(title: str, most: Any, least: Any, high: str, low: str, caption: Any = None) -> Any:
    lists = html.Div([score_list(high, most), score_list(low, least)], className="pair")
    return html.Div([html.H3(title), caption, lists], className="weights-part")
