"""Index this corpus: the panel that views show where they need an index, and what tells them that one has grown.

A view puts `panel()` into its layout, listens to `Frame.INDEX`, and asks `workspace.index_of(scope)`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from dash import Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.exceptions import PreventUpdate

from neuronscope.app import corpora, corpus_form
from neuronscope.app.asking import Answer, Frame
from neuronscope.app.background import progress_values
from neuronscope.app.building import Builder
from neuronscope.app.parts import heading, icon
from neuronscope.app.work_bar import WorkBar
from neuronscope.app.worker import Work

if TYPE_CHECKING:
    from neuronscope.indexed import Index
    from neuronscope.scope import Scope, Workspace

DEMO_TOKENS = 60_000
"""Tokens of the index that a demo model gets by itself: enough for its neurons to show, read in half a minute."""
SIZES = (20_000, 60_000, 200_000, 1_000_000, 5_000_000)
_TICK = 700


class Indexing:
    """The ids of the panel, and of what stands in the frame."""

    PLACE = "index"
    TICK = "index-tick"
    WAKE = "index-wake"
    PANEL = "index-panel"
    HEAD = "index-head"
    ANOTHER = "index-another"
    FORM = "index-form"
    KIND = "index-kind"
    PASTED = "index-pasted"
    PATH = "index-path"
    TOKENS = "index-tokens"
    BUILD = "index-build"
    WORK = WorkBar("index")
    SAYS = "index-says"


def layout() -> list[Any]:
    """What stands in the frame: the clock that looks how far an index is, and the state that views listen to."""
    return [
        dcc.Store(id=Frame.INDEX),
        dcc.Store(id=Indexing.WAKE),
        dcc.Interval(id=Indexing.TICK, interval=_TICK, disabled=True),
    ]


def panel() -> Any:
    """The panel, one in a view: the form where there is no index, the work while one is built, else what there is."""
    another = html.Button(
        [icon("arrow-repeat"), "Index another corpus"], id=Indexing.ANOTHER, type="button", className="press quiet"
    )
    head = html.Div(
        [html.Div(heading("Index"), id=Indexing.HEAD, className="card-title"), html.Div(another, className="tools")],
        className="card-head",
    )
    says = html.P(id=Indexing.SAYS, className="caption index-says", role="status")
    return html.Section(
        [head, Indexing.WORK.layout("Progress of the index"), _form(), says],
        id=Indexing.PANEL,
        className="panel index-panel",
    )


def register(app: Dash, workspace: Workspace, *, demos: bool = True) -> None:
    """Register the panel's callbacks; with `demos`, a demo model gets an index by itself once it is looked at."""
    builder: Builder = app.builder
    _register_clock(app, workspace, builder, demos=demos)
    _register_panel(app, workspace, builder)
    _register_presses(app, workspace, builder)


def _register_clock(app: Dash, workspace: Workspace, builder: Builder, *, demos: bool) -> None:
    @app.callback(
        Output(Indexing.TICK, "disabled"),
        Output(Frame.INDEX, "data"),
        Input(Indexing.TICK, "n_intervals"),
        Input(Frame.READY, "data"),
        Input(Indexing.WAKE, "data"),
        State(Frame.INDEX, "data"),
    )
    def follow(_tick: int | None, ready: Answer | None, _wake: Any, known: str | None) -> tuple[Any, Any]:
        scope = _scope(workspace, ready)
        if demos:
            begin_demo(builder, workspace, scope)
        building = builder.of(scope)
        state = state_of(scope, workspace.index_of(scope))
        return not (building and building.running), no_update if state == known else state


def begin_demo(builder: Builder, workspace: Workspace, scope: Scope) -> None:
    """Begin the index of a demo model, unless it has one, or was asked for one, or another is being built."""
    if not scope.key.name.startswith("demo:") or builder.of(scope) or builder.busy or scope.card.precision != "float32":
        return
    if workspace.index_of(scope) is None:
        builder.start(scope, corpora.generated(workspace.settings, DEMO_TOKENS), DEMO_TOKENS)


def state_of(scope: Scope, index: Index | None) -> str:
    """A word that changes when the model does, or when its index has grown."""
    reached = "" if index is None else f"{index.manifest.corpus}:{index.manifest.merged}"
    return f"{scope.key.name}:{scope.card.revision}:{scope.card.precision}:{reached}"


def _register_panel(app: Dash, workspace: Workspace, builder: Builder) -> None:
    @app.callback(
        Output(Indexing.HEAD, "children"),
        Output(Indexing.ANOTHER, "hidden"),
        Output(Indexing.FORM, "hidden"),
        Output(Indexing.WORK.row, "hidden"),
        Output(Indexing.WORK.bar, "value"),
        Output(Indexing.WORK.bar, "max"),
        Output(Indexing.WORK.doing, "children"),
        Output(Indexing.SAYS, "children"),
        Input(Indexing.TICK, "n_intervals"),
        Input(Frame.INDEX, "data"),
        Input(Indexing.WAKE, "data"),
        Input(Indexing.ANOTHER, "n_clicks"),
        State(Frame.READY, "data"),
    )
    def show(*values: Any) -> tuple[Any, ...]:
        scope = _scope(workspace, values[-1])
        index, building = workspace.index_of(scope), builder.of(scope)
        works = building is not None and building.running
        asks = not works and (index is None or ctx.triggered_id == Indexing.ANOTHER)
        value, most, doing = progress_values(building.progress) if building else (None, None, "")
        shown = None if value is None else str(value), str(most or 1), doing
        return (_head(index), index is None or works or asks, not asks, not works, *shown, _says(building))

    corpus_form.register(app, Indexing.PLACE)


def _register_presses(app: Dash, workspace: Workspace, builder: Builder) -> None:
    @app.callback(
        Output(Indexing.WAKE, "data"),
        Input(Indexing.BUILD, "n_clicks"),
        State(Indexing.KIND, "value"),
        State(Indexing.PASTED, "value"),
        State(Indexing.PATH, "value"),
        State(Indexing.TOKENS, "value"),
        State(Frame.READY, "data"),
        prevent_initial_call=True,
    )
    def build(clicks: int | None, kind: str, text: str | None, path: str | None, tokens: str, ready: Any) -> float:
        if not clicks:
            raise PreventUpdate
        scope = _scope(workspace, ready)
        most = int(tokens)
        corpus = corpus_form.corpus(workspace.settings, kind, text, path, most)
        builder.start(scope, corpus, most, anew=workspace.index_of(scope) is not None)
        return time.time()

    @app.callback(
        Output(Indexing.WAKE, "data", allow_duplicate=True),
        Input(Indexing.WORK.cancel, "n_clicks"),
        State(Frame.READY, "data"),
        prevent_initial_call=True,
    )
    def cancel(clicks: int | None, ready: Any) -> float:
        if not clicks:
            raise PreventUpdate
        builder.cancel(_scope(workspace, ready))
        return time.time()


def _scope(workspace: Workspace, ready: Answer | None) -> Scope:
    if ready is None:
        raise PreventUpdate
    return workspace.scope(ready["model"], precision=ready["precision"])


def _head(index: Index | None) -> list[Any]:
    if index is not None:
        return heading("Index", described(index))
    return heading("Index a corpus", _WHY)


_WHY = "A corpus is read once; then every neuron has its examples, and what excites it is answered without the model."


def described(index: Index) -> str:
    """What an index was made from and how far it has come: it stands beside every number that comes from it."""
    from pathlib import PurePath

    m = index.manifest
    named = [PurePath(source).name for source in m.sources[:2]]
    corpus = ", ".join(named) + (f" and {len(m.sources) - 2} more" if len(m.sources) > 2 else "")
    return f"{corpus} · {index.progress} · {m.precision}"


def _says(building: Work | None) -> str:
    if building is None or building.running:
        return ""
    if building.problem:
        return f"It stopped. {building.problem}"
    return "Stopped. What was reached is kept; build from the same corpus to go on." if building.stopped else ""


def _form() -> Any:
    build = html.Button(
        [icon("play-fill"), "Build the index"], id=Indexing.BUILD, type="button", className="press filled"
    )
    tokens = corpus_form.size(Indexing.PLACE, {size: f"{size:,}" for size in SIZES}, DEMO_TOKENS)
    rows = [corpus_form.kind(Indexing.PLACE, "Corpus"), tokens, build, *corpus_form.details(Indexing.PLACE)]
    return html.Div(rows, id=Indexing.FORM, className="index-form", hidden=True)
