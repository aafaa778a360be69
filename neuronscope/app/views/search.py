"""The Search view: which text excites a neuron or a group, and which neurons does a text excite?

Answers come from the index at once. What the index does not hold exactly is measured on demand, by running the model
where the n-grams or the text occur; the contexts of the n-gram that is looked at are always run again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dash import ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html
from dash.exceptions import PreventUpdate

from neuronscope.app import indexing, scenes, search_contexts, search_tables
from neuronscope.app import search_panels as panels
from neuronscope.app import searching as terms
from neuronscope.app.asking import Frame, asked, indexed
from neuronscope.app.background import POLL
from neuronscope.app.comparable import called, chooser, comparable, compared_with
from neuronscope.app.graphs import csv_id, framed
from neuronscope.app.parts import choices, empty, heading, select
from neuronscope.app.scenes import Scene, scene_id
from neuronscope.app.search_panels import Search
from neuronscope.app.search_responders import answered, everywhere
from neuronscope.app.search_tables import FILE
from neuronscope.app.selection import Selection
from neuronscope.errors import InputError, NeuronScopeError
from neuronscope.figures import reverse_query

if TYPE_CHECKING:
    from neuronscope.app.searching import Asked
    from neuronscope.indexed import Index
    from neuronscope.scope import Scope, Workspace

NAME = "search"
TITLE = "Search"
ICON = "search"
QUESTION = "Which text excites a neuron, and which neurons does a text excite?"
ROWS = 20
"""So many rows are drawn."""

_QUERY = ("ask", "neurons", "layer", "neuron", "sign", "longest", "skips", "least", "order")
SCENES = {
    Search.TABS: Scene(NAME, ("ask",)),
    Search.BOXES: Scene(NAME, ("ask", "neurons", "layer", "neuron", "sign", "find")),
    Search.QUERY: Scene(NAME, _QUERY),
    Search.FIGURE: Scene(NAME, _QUERY),
    Search.CONTEXTS: Scene(NAME, (*_QUERY, "ngram", "member")),
    Search.FIND: Scene(NAME, ("ask", "find", "regular")),
}
"""What each part is drawn from."""


def layout(selection: Selection, model: str) -> Any:
    """The view, waiting for the model and its index."""
    top = html.Div(
        [html.Div(panels.tabs(selection), id=Search.TABS), html.Div(id=Search.ABOUT)], className="search-bar-top"
    )
    panes = [
        html.Div(panels.by_neuron(selection), id=Search.BY_NEURON, className="text-view", hidden=True),
        html.Div(panels.by_text(selection), id=Search.BY_TEXT, className="text-view", hidden=True),
    ]
    stores = [
        *scenes.layout(NAME, SCENES),
        dcc.Store(id=Search.MEASURED),
        dcc.Store(id=Search.COUNTS, data=list(panels.LEAST)),
    ]
    unread = html.Div(indexing.panel(), id=Search.EMPTY, hidden=True)
    return html.Div([top, unread, *panes, *stores], className="search-view")


def register(app: Dash, workspace: Workspace) -> None:
    """Register the view's callbacks."""
    app.answers = terms.Answers()
    scenes.register(app, NAME, SCENES)
    _register_place(app, workspace)
    _register_boxes(app, workspace)
    _register_rows(app, workspace)
    _register_measure(app, workspace)
    _register_contexts(app, workspace)
    _register_find(app, workspace)
    _register_csv(app, workspace)


def _register_place(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Search.TABS, "children"),
        Output(Search.ABOUT, "children"),
        Output(Search.EMPTY, "hidden"),
        Output(Search.BY_NEURON, "hidden"),
        Output(Search.BY_TEXT, "hidden"),
        Input(Frame.READY, "data"),
        Input(Frame.INDEX, "data"),
        Input(scene_id(Search.TABS), "data"),
        State(Frame.URL, "search"),
    )
    def place(ready: Any, _index: Any, _scene: Any, search: str) -> tuple[Any, ...]:
        scope, selection = asked(workspace, NAME, search, ready)
        index = workspace.index_of(scope)
        tabs = panels.tabs(selection)
        if index is None:
            return tabs, panels.unindexed(), False, True, True
        return tabs, panels.about(index), index.manifest.complete, selection.ask != "neuron", selection.ask != "text"


def _register_boxes(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Search.NEURONS, "value"),
        Output(Search.SIGN, "children"),
        Output(Search.TRY, "children"),
        Output(Search.FIND, "value"),
        Output(Search.OTHERS, "children"),
        Output(Search.FIND_OTHERS, "children"),
        Input(Frame.READY, "data"),
        Input(Frame.INDEX, "data"),
        Input(scene_id(Search.BOXES), "data"),
        State(Frame.URL, "search"),
    )
    def boxes(ready: Any, _index: Any, _scene: Any, search: str) -> tuple[Any, ...]:
        scope, selection, index = _searched(workspace, search, ready)
        written = selection.neurons or str(selection.chosen or terms.suggested(index, 1)[0])
        sign = choices("sign", "Which side", panels.SIGNS, selection.sign)
        others = chooser(selection, comparable(workspace, scope, app.drifts))
        places = (others, []) if selection.ask == "neuron" else ([], others)
        return written, sign, panels.suggestions(terms.suggested(index)), selection.find or "", *places

    @app.callback(
        Output(Frame.GO, "data", allow_duplicate=True),
        Input(Search.RUN, "n_clicks"),
        Input(Search.NEURONS, "n_submit"),
        Input(Search.FIND_RUN, "n_clicks"),
        Input(Search.FIND, "n_submit"),
        State(Search.NEURONS, "value"),
        State(Search.FIND, "value"),
        prevent_initial_call=True,
    )
    def ask(*pressed: Any) -> dict[str, Any]:
        *presses, neurons, text = pressed
        if not any(presses):
            raise PreventUpdate
        if ctx.triggered_id in (Search.RUN, Search.NEURONS):
            return _named(neurons or "")
        return {"find": text or None}

    app.clientside_callback(
        ClientsideFunction("search", "place"),
        Output(Search.LEAST, "value"),
        Input(Frame.URL, "search"),
        State(Search.COUNTS, "data"),
    )
    app.clientside_callback(
        ClientsideFunction("search", "least"),
        Output(Search.COUNTS, "modified_timestamp"),
        Input(Search.LEAST, "value"),
        State(Search.COUNTS, "data"),
        State(Frame.URL, "search"),
        prevent_initial_call=True,
    )


def _named(written: str) -> dict[str, Any]:
    """Where the names of a neuron, or of a group, lead."""
    neurons = terms.named(written)
    if not neurons:
        raise InputError("No neuron is named: write one as L5.N131, layer and neuron counted from 0, or several.")
    if len(neurons) > 1:
        return {"neurons": " ".join(map(str, neurons))}
    return {"neurons": None, "layer": neurons[0].layer, "neuron": neurons[0].index}


def _register_rows(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Search.HEAD, "children"),
        Output(Search.TABLE, "columnDefs"),
        Output(Search.TABLE, "rowData"),
        Output(Search.TABLE_PLACE, "hidden"),
        Output(Search.NOTHING, "children"),
        Output(Search.LEGEND, "children"),
        Output(Search.MEASURE, "disabled"),
        Output(Search.CHECK, "disabled"),
        Output(Search.COMPARE, "disabled"),
        Output(Search.COMPARE, "hidden"),
        Output(Search.MORE, "hidden"),
        *_seen(Search.QUERY),
    )
    def rows(ready: Any, *others: Any) -> tuple[Any, ...]:
        scope, selection, index = _searched(workspace, others[-2], ready, "neuron")
        single = not selection.against
        try:
            query = terms.query_of(selection, index)
            result = app.answers.query(index, query)
        except NeuronScopeError as error:
            return heading("Nothing to show"), [], [], True, empty(str(error)), [], True, True, True, single, True
        measured, alone = app.answers.is_measured(index, query), app.answers.checked(index, query)
        changes = app.answers.compared(index, query, selection.against)
        shown = terms.arranged(result, selection.least, selection.order)
        columns, records = search_tables.ngrams(shown, index, alone, changes)
        head = panels.query_head(shown, measured=measured, alone=alone)
        nothing = [] if records else empty(_none(result, selection))
        other = called(selection, comparable(workspace, scope, app.drifts)) if changes is not None else ""
        legend = panels.legend(result, alone, selection.order, other)
        settled, checked = measured or bool(result.exact.all()), alone is not None or len(query.neurons) > 1
        done = settled, checked or not records, changes is not None or not records
        return head, columns, records, not records, nothing, legend, *done, single, not records

    @app.callback(
        Output(Search.FIGURE, "figure"),
        Output(Search.FIGURE, "style"),
        Output(Search.FIGURE_HEAD, "children"),
        *_seen(Search.FIGURE),
    )
    def picture(ready: Any, *others: Any) -> tuple[Any, ...]:
        search, mode = others[-2:]
        _scope, selection, index = _searched(workspace, search, ready, "neuron")
        query = _query(selection, index)
        result = terms.arranged(app.answers.query(index, query), selection.least, selection.order)
        figure = reverse_query(result, count=ROWS, source=index.source, mode=mode or "light")
        longest = max((len(ngram) for ngram in result.table["ngram"][:ROWS]), default=0)
        return framed(figure, left=min(24 + 7 * longest, 240))

    app.clientside_callback(
        """(rows, _scene, search) => {
            const chosen = new URLSearchParams(search).get("ngram") ?? rows?.[0]?.ids;
            return chosen && rows?.some(({ ids }) => ids === chosen) ? { ids: [chosen] } : [];
        }""",
        Output(Search.TABLE, "selectedRows"),
        Input(Search.TABLE, "rowData"),
        Input(scene_id(Search.CONTEXTS), "data"),
        State(Frame.URL, "search"),
    )


def _register_measure(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Search.MEASURED, "data"),
        Input(Search.MEASURE, "n_clicks"),
        Input(Search.CHECK, "n_clicks"),
        Input(Search.COMPARE, "n_clicks"),
        State(Frame.READY, "data"),
        State(Frame.URL, "search"),
        **Search.WORK.runs(app.manager, (Output(Search.BUTTONS, "hidden"), True, False)),
        prevent_initial_call=True,
    )
    def measure(set_progress: Any, measures: Any, checks: Any, compares: Any, ready: Any, search: str) -> Any:
        if not (measures or checks or compares):
            raise PreventUpdate
        scope, selection, index = _searched(workspace, search, ready, "neuron")
        query = terms.query_of(selection, index)
        if ctx.triggered_id == Search.CHECK:
            set_progress((None, "1", "Running the n-grams alone"))
            app.answers.check(scope, index, query)
        elif ctx.triggered_id == Search.COMPARE:
            set_progress((None, "1", "Running both models"))
            other = compared_with(workspace, scope, app.drifts, index, selection)
            if other is not None:
                app.answers.compare(other.beside, query, other.name)
        else:
            set_progress((None, "1", "Looking for where to measure"))
            app.answers.measure(scope, index, query)
        return [measures, checks, compares]


def _register_contexts(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Search.CONTEXTS_HEAD, "children"),
        Output(Search.CONTEXTS, "children"),
        Output(Search.CONTEXTS_TOOLS, "children"),
        *_seen(Search.CONTEXTS),
        background=True,
        manager=app.manager,
        interval=POLL,
        running=[(Output(Search.READING, "hidden"), False, True)],
    )
    def contexts(ready: Any, *others: Any) -> tuple[Any, ...]:
        scope, selection, index = _searched(workspace, others[-2], ready, "neuron")
        try:
            return _contexts(app, scope, selection, index)
        except InputError as error:
            return heading("Contexts"), empty(str(error)), []


def _contexts(app: Dash, scope: Scope, selection: Selection, index: Index) -> tuple[Any, ...]:
    query = _query(selection, index)
    result = terms.arranged(app.answers.query(index, query), selection.least, selection.order)
    table = result.table
    if selection.ngram is None and table.empty:
        return heading("Contexts"), empty("There is no n-gram to look at."), []
    pattern = table["tokens"].iloc[0] if selection.ngram is None else terms.pattern_of(selection.ngram, index)
    member = min(selection.member, len(query.neurons) - 1)
    neuron = query.neurons[member]
    threshold = result.thresholds[member]
    found = search_contexts.contexts_of(scope, index, neuron, pattern, query.sign, threshold)
    limit = search_contexts.limit_of(index, neuron, query.sign)
    names = {place: str(one) for place, one in enumerate(query.neurons)}
    which = (
        [select("member", "Neuron whose activations are shown", names, member, hide_label=True)]
        if member or len(names) > 1
        else []
    )
    head = heading(*search_contexts.heading_of(found, index))
    listed = search_contexts.contexts_list(found, limit)
    return head, listed, [*which, search_contexts.legend_of(neuron, limit)]


def _register_find(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Search.FIND_HEAD, "children"),
        Output(Search.FOUND, "children"),
        Output(Search.FIND_EVERYWHERE, "hidden"),
        Input(Frame.READY, "data"),
        Input(Frame.INDEX, "data"),
        Input(scene_id(Search.FIND), "data"),
        Input(Search.FIND_EVERYWHERE, "n_clicks"),
        State(Frame.URL, "search"),
        **Search.FIND_WORK.runs(app.manager),
    )  # fmt: skip
    def find(set_progress: Any, ready: Any, *others: Any) -> tuple[Any, ...]:
        scope, selection, index = _searched(workspace, others[-1], ready, "text")
        set_progress((None, "1", "Looking it up"))
        other = compared_with(workspace, scope, app.drifts, index, selection)
        run = everywhere if ctx.triggered_id == Search.FIND_EVERYWHERE else answered
        try:
            return run(app.answers, scope, index, selection, other)
        except InputError as error:
            return heading("Neurons that respond"), empty(str(error)), True


def _register_csv(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Frame.DOWNLOAD, "data", allow_duplicate=True),
        Input(csv_id(Search.FIGURE), "n_clicks"),
        State(Frame.READY, "data"),
        State(Frame.URL, "search"),
        prevent_initial_call=True,
    )
    def keep(clicks: int | None, ready: Any, search: str) -> Any:
        _scope, selection, index = _searched(workspace, search, ready, "neuron")
        if not clicks:
            raise PreventUpdate
        query = _query(selection, index)
        result = terms.arranged(app.answers.query(index, query), selection.least, selection.order)
        alone, changes = app.answers.checked(index, query), app.answers.compared(index, query, selection.against)
        frame = search_tables.exported(result, index, alone, changes).head(ROWS)
        return dcc.send_data_frame(frame.to_csv, f"{FILE}.csv", index=False)


def _seen(part: str) -> tuple[Input | State, ...]:
    """What a part listens to: the answer, the index, what was measured and its own scene; and what it reads besides."""
    changes = (Frame.READY, Frame.INDEX, Search.MEASURED, scene_id(part))
    return *(Input(one, "data") for one in changes), State(Frame.URL, "search"), State(Frame.THEME, "data")


def _searched(
    workspace: Workspace, search: str | None, ready: Any, ask: str | None = None
) -> tuple[Scope, Selection, Index]:
    """The scope, the selection and the index; a callback has nothing to do where there is none, or it is not seen."""
    scope, selection, index = indexed(workspace, NAME, search, ready)
    if ask not in (None, selection.ask):
        raise PreventUpdate
    return scope, selection, index


def _query(selection: Selection, index: Index) -> Asked:
    """What is asked; where that is nothing, the table says so and there is nothing else to show."""
    try:
        return terms.query_of(selection, index)
    except NeuronScopeError:
        raise PreventUpdate from None


def _none(result: Any, selection: Selection) -> str:
    if len(result.table):
        return f"No n-gram of this query occurs {selection.least:,} times: ask for fewer."
    return (
        "No token or n-gram of these lengths lies above the neuron's mean by more than chance. "
        "Ask for longer n-grams or the other sign, or measure."
    )
