"""The Polysemantic view: which neurons mean several things?

All neurons are ranked once the model has surveyed them, in the background; any one of them can be looked at before, in
windows that the index has kept of it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dash import ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.exceptions import PreventUpdate

from neuronscope.app import indexing, polysemantic_cards, polysemantic_panels, polysemantic_rows, scenes
from neuronscope.app.asking import Frame, asked, indexed
from neuronscope.app.background import POLL
from neuronscope.app.comparable import chooser, comparable, compared_with
from neuronscope.app.examples import example_list
from neuronscope.app.graphs import csv_id, framed
from neuronscope.app.parts import choices, empty, heading, select
from neuronscope.app.polysemantic_cards import Looked
from neuronscope.app.polysemantic_panels import AMONG, Poly
from neuronscope.app.polysemantic_surveys import Surveys, begins_itself
from neuronscope.app.scenes import Scene, scene_id
from neuronscope.app.search_contexts import limit_of
from neuronscope.app.search_panels import about
from neuronscope.app.searching import suggested
from neuronscope.app.selection import Selection
from neuronscope.errors import InputError, NeuronScopeError
from neuronscope.figures import sense_map, sense_map_table, senses_by_layer, senses_by_layer_table

if TYPE_CHECKING:
    from neuronscope.app.comparable import Other
    from neuronscope.indexed import Index
    from neuronscope.scope import Scope, Workspace

NAME = "polysemantic"
TITLE = "Poly\u00adsemantic"
ICON = "signpost-split"
QUESTION = "Which neurons mean several things?"

SCENES = {
    Poly.RANKED: Scene(NAME, ("among",)),
    Poly.LAYERS: Scene(NAME, ()),
    Poly.NEURON: Scene(NAME, ("among", "layer", "neuron", "sign", "token")),
}
"""What each part is drawn from."""
_UNINDEXED = "Senses are found in the contexts that an index of a corpus holds. Build one here."


def layout(selection: Selection, model: str) -> Any:
    """The view, waiting for the model and its index."""
    unread = html.Div(indexing.panel(), id=Poly.EMPTY, hidden=True)
    stores = [*scenes.layout(NAME, SCENES), *polysemantic_panels.stores()]
    return html.Div([unread, *polysemantic_panels.layout(selection), *stores], className="poly-view")


def register(app: Dash, workspace: Workspace) -> None:
    """Register the view's callbacks."""
    app.surveys = Surveys()
    scenes.register(app, NAME, SCENES)
    _register_place(app, workspace)
    _register_survey(app, workspace)
    _register_rows(app, workspace)
    _register_layers(app, workspace)
    _register_neuron(app, workspace)
    _register_point(app, workspace)
    _register_csv(app, workspace)


def _register_place(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Poly.ABOUT, "children"),
        Output(Poly.EMPTY, "hidden"),
        Output(Poly.ALL, "hidden"),
        Output(Poly.SURVEY, "hidden"),
        Output(Poly.SURVEY_HEAD, "children"),
        Output(Poly.RANKED, "hidden"),
        Output(Poly.AUTO, "data"),
        *_changes(),
        Input(Poly.WORK.cancel, "n_clicks"),
        State(Poly.AUTO, "data"),
        State(Frame.URL, "search"),
    )
    def place(ready: Any, state: str | None, _done: Any, _cancelled: Any, began: str | None, search: str) -> Any:
        scope, _selection = asked(workspace, NAME, search, ready)
        index = workspace.index_of(scope)
        if index is None:
            return html.P(_UNINDEXED, className="caption"), False, True, True, [], True, no_update
        surveyed = app.surveys.of(index)
        head = [] if surveyed.whole else polysemantic_panels.survey_head(surveyed, scope.card, index)
        auto = state if begins_itself(scope, index, surveyed) and state != began else no_update
        return about(index), index.manifest.complete, False, surveyed.whole, head, not surveyed.layers, auto


def _register_survey(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Poly.DONE, "data"),
        Input(Poly.BEGIN, "n_clicks"),
        State(Frame.READY, "data"),
        State(Frame.URL, "search"),
        **Poly.WORK.runs(app.manager, (Output(Poly.BUTTONS, "hidden"), True, False)),
        prevent_initial_call=True,
    )
    def survey(set_progress: Any, clicks: int | None, ready: Any, search: str) -> Any:
        if not clicks:
            raise PreventUpdate
        scope, _selection, index = _shown(workspace, search, ready)
        set_progress((None, "1", "Reading the corpus again"))
        app.surveys.take(scope, index)
        return clicks

    app.clientside_callback(
        ClientsideFunction("polysemantic", "begin"),
        Output(Poly.AUTO, "modified_timestamp"),
        Input(Poly.AUTO, "data"),
        prevent_initial_call=True,
    )


def _register_rows(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Poly.ROWS, "data"),
        Output(Poly.HEAD, "children"),
        Output(Poly.AMONG, "children"),
        Output(Poly.TABLE, "columnDefs"),
        Output(Poly.TABLE_PLACE, "hidden"),
        Output(Poly.NOTHING, "children"),
        *_changes(),
        Input(Poly.WORK.cancel, "n_clicks"),
        Input(scene_id(Poly.RANKED), "data"),
        State(Frame.URL, "search"),
        background=True,
        manager=app.manager,
        interval=POLL,
    )
    def rows(ready: Any, *others: Any) -> tuple[Any, ...]:
        _scope, selection, index = _shown(workspace, others[-1], ready)
        surveyed, which = app.surveys.of(index), selection.among
        among = choices("among", "Which neurons", AMONG, which)
        data = polysemantic_rows.packed(surveyed.rows, which, index, surveyed.poly.tokens)
        shown = len(data["columns"]["layer"])
        head = polysemantic_panels.ranked_head(surveyed, which, shown)
        columns = polysemantic_rows.columns(which, gated=index.manifest.gated)
        nothing = [] if shown else empty(polysemantic_panels.nothing(which))
        return data, head, among, columns, not shown, nothing

    app.clientside_callback(
        ClientsideFunction("polysemantic", "rows"),
        Output(Poly.TABLE, "rowData"),
        Input(Poly.ROWS, "data"),
    )
    app.clientside_callback(
        ClientsideFunction("polysemantic", "chosen"),
        Output(Poly.TABLE, "selectedRows"),
        Input(Poly.TABLE, "rowData"),
        Input(scene_id(Poly.NEURON), "data"),
        State(Frame.URL, "search"),
    )


def _register_layers(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Poly.LAYERS, "figure"),
        Output(Poly.LAYERS, "style"),
        Output(Poly.LAYERS_HEAD, "children"),
        *_changes(),
        Input(Poly.WORK.cancel, "n_clicks"),
        Input(scene_id(Poly.LAYERS), "data"),
        State(Frame.URL, "search"),
        State(Frame.THEME, "data"),
    )
    def layers(ready: Any, *others: Any) -> tuple[Any, ...]:
        _scope, _selection, index = _shown(workspace, others[-2], ready)
        poly = app.surveys.of(index).poly
        return framed(
            senses_by_layer(poly, source=index.source, mode=others[-1] or "light", height=450), left=52, below=52
        )


def _register_neuron(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Poly.OTHERS, "children"),
        Output(Poly.NEURON_HEAD, "children"),
        Output(Poly.SHARES, "children"),
        Output(Poly.CARDS, "children"),
        Output(Poly.MAP, "figure"),
        Output(Poly.MAP, "style"),
        Output(Poly.MAP_HEAD, "children"),
        Output(Poly.SENSES, "hidden"),
        Output(Poly.HINT, "hidden"),
        *_changes(),
        Input(scene_id(Poly.NEURON), "data"),
        Input(Poly.MORE, "data"),
        State(Frame.URL, "search"),
        State(Frame.THEME, "data"),
        background=True,
        manager=app.manager,
        interval=POLL,
        running=[(Output(Poly.READING, "hidden"), False, True)],
    )
    def neuron(ready: Any, *others: Any) -> tuple[Any, ...]:
        more, search, mode = others[-3:]
        scope, selection, index = _shown(workspace, search, ready)
        choice = [
            *_tokens(app, scope, selection, index), *chooser(selection, comparable(workspace, scope, app.drifts))
        ]  # fmt: skip
        try:
            other = compared_with(workspace, scope, app.drifts, index, selection)
            return choice, *_neuron(app, scope, selection, index, other, more or {}, mode or "light")
        except NeuronScopeError as error:
            return choice, heading("Senses"), empty(str(error)), [], no_update, no_update, [], True, True

    app.clientside_callback(
        "() => null",
        Output(Poly.POINT, "children", allow_duplicate=True),
        Input(scene_id(Poly.NEURON), "data"),
        prevent_initial_call=True,
    )


def _neuron(
    app: Dash,
    scope: Scope,
    selection: Selection,
    index: Index,
    other: Other | None,
    more: dict[str, Any],
    mode: Any,
) -> tuple[Any, ...]:
    looked = _looked(app, scope, selection, index)
    own = more.get("of") == polysemantic_cards.key_of(looked.neuron, looked.sign)
    opened = more["senses"] if own else []
    positions = polysemantic_cards.positions_shown(looked, opened)
    examples = {one.position: one for one in app.surveys.contexts(scope, index, looked.neuron, positions)}
    limit = limit_of(index, looked.neuron, looked.sign)
    head = polysemantic_cards.neuron_head(looked, app.surveys.geometry(scope, looked.neuron.layer))
    record = looked.record
    every = index.contexts(record["positions"][: int(record["contexts"])].astype("int64"))
    drawn = sense_map(looked.poly, looked.neuron, looked.sign, contexts=every, source=index.source, mode=mode)
    figure, style, caption = framed(drawn, left=40, above=34, below=40)
    shares, left = [polysemantic_cards.shares(looked, mode)], None
    if other is not None and looked.senses:
        left = other.called, app.surveys.elsewhere(index, looked, other)
        shares.append(polysemantic_cards.elsewhere_shares(looked, left[1], other.called, mode))
    listed = polysemantic_cards.cards(looked, examples, opened, limit, mode, left)
    return head, shares, listed, figure, style, caption, not listed, not listed


def _register_point(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Poly.POINT, "children"),
        Input(Poly.MAP, "clickData"),
        State(Frame.READY, "data"),
        State(Frame.URL, "search"),
        background=True,
        manager=app.manager,
        interval=POLL,
        prevent_initial_call=True,
    )
    def point(clicked: Any, ready: Any, search: str) -> Any:
        scope, selection, index = _shown(workspace, search, ready)
        pressed = (clicked or {}).get("points") or [{}]
        if "customdata" not in pressed[0]:
            raise PreventUpdate
        looked = _looked(app, scope, selection, index)
        found = app.surveys.contexts(scope, index, looked.neuron, (int(pressed[0]["customdata"][1]),))
        return example_list(found, limit_of(index, looked.neuron, looked.sign))


def _register_csv(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Frame.DOWNLOAD, "data", allow_duplicate=True),
        Input(csv_id(Poly.LAYERS), "n_clicks"),
        Input(csv_id(Poly.MAP), "n_clicks"),
        State(Frame.READY, "data"),
        State(Frame.URL, "search"),
        prevent_initial_call=True,
    )
    def keep(layers: int | None, contexts: int | None, ready: Any, search: str) -> Any:
        scope, selection, index = _shown(workspace, search, ready)
        if not (layers or contexts):
            raise PreventUpdate
        if ctx.triggered_id == csv_id(Poly.LAYERS):
            table, name = senses_by_layer_table(app.surveys.of(index).poly), "senses-by-layer"
        else:
            looked = _looked(app, scope, selection, index)
            table = sense_map_table(looked.poly, looked.neuron, looked.sign)
            name = f"senses-{looked.neuron}"
        m = index.manifest
        table = table.assign(model=m.model, revision=m.revision, precision=m.precision)
        return dcc.send_data_frame(table.to_csv, f"{name}.csv", index=False)


def _looked(app: Dash, scope: Scope, selection: Selection, index: Index) -> Looked:
    """The neuron that was chosen, else the first of the table, else the one with the most peaked distribution."""
    neuron, sign = selection.chosen, selection.sign
    if neuron is None:
        surveyed = app.surveys.of(index)
        first = surveyed.rows.first(selection.among) if surveyed.layers else None
        neuron, sign = first or (suggested(index, 1)[0], "+")
    index.row(neuron)
    if sign == "-" and not index.manifest.gated:
        raise InputError(
            f"The senses of {neuron} below zero: without a gate, activations hardly go there, and only the positive "
            "side was looked at. Choose a row of the table."
        )
    looked = Looked(app.surveys.neuron(scope, index, neuron), neuron, sign)
    if not selection.token:
        return looked
    if not (selection.token.isdecimal() and int(selection.token) in index.shown):
        raise InputError("The address names a token that this corpus does not hold: choose one of the list.")
    return replace(looked, poly=app.surveys.uses(scope, index, looked, int(selection.token)))


def _tokens(app: Dash, scope: Scope, selection: Selection, index: Index) -> list[Any]:
    """The choice of the token on which the neuron is looked at; nothing where it has none."""
    try:
        looked = _looked(app, scope, replace(selection, token=""), index)
    except NeuronScopeError:
        return []
    tokens = polysemantic_cards.tokens_of(looked.poly, looked.neuron, looked.sign)
    if selection.token.isdecimal() and int(selection.token) in index.shown:
        tokens.setdefault(selection.token, index.shown[int(selection.token)])
    return [select("token", "Look at", {"": "all it fires on", **tokens}, selection.token)] if tokens else []


def _changes() -> tuple[Input, ...]:
    """What every part listens to: the answer, the index, and the survey."""
    return tuple(Input(one, "data") for one in (Frame.READY, Frame.INDEX, Poly.DONE))


def _shown(workspace: Workspace, search: str | None, ready: Any) -> tuple[Scope, Selection, Index]:
    """The scope, the selection and the index; a callback has nothing to do where there is none, or it is not seen."""
    return indexed(workspace, NAME, search, ready)
