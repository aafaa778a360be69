"""The frame around every view: header, rail, notices, memory, and the work that runs.

One background callback, `prepare`, does all that needs the model to run: it loads the model and reads the activations
of the texts. When it is done, the views draw from what the scope then remembers.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import dash
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html
from dash.exceptions import PreventUpdate

from neuronscope.app import about, address, indexing, memory_bar, picker, prompt, sizes
from neuronscope.app.asking import Answer, Frame, Question, looked_at, read
from neuronscope.app.background import POLL
from neuronscope.app.parts import go, icon, notice, short
from neuronscope.app.selection import Selection
from neuronscope.app.views import VIEWS
from neuronscope.errors import (
    InputError,
    ModelError,
    NeuronScopeError,
    NoSuchLayer,
    NoSuchNeuron,
    NoSuchSite,
    NoSuchToken,
    Refused,
    TextTooLong,
)
from neuronscope.vocabulary import Neuron

if TYPE_CHECKING:
    from neuronscope.app.background import ThreadManager
    from neuronscope.app.readings import Readings
    from neuronscope.scope import Scope, Workspace

log = logging.getLogger(__name__)


class Shell:
    """The ids of the frame itself."""

    MAIN = "main"
    RAIL = "rail"
    WORK = "work"
    BAR = "work-bar"
    DOING = "work-doing"
    CANCEL = "work-cancel"
    AGAIN = "again"
    AGAIN_BUTTON = "again-button"
    ENDED = "ended"
    JUMP = "jump"


def layout(model: str) -> Any:
    """The frame, empty: callbacks fill it from the address, or with `model` where that names none."""
    rail = html.Nav(id=Shell.RAIL, className="rail", **{"aria-label": "Views"})
    main = html.Main(id=Shell.MAIN, className="main", tabIndex=-1)
    notices = html.Div(id=Frame.NOTICES, className="notices", children=[], role="region", **{"aria-label": "Notices"})
    return html.Div(
        [
            *_plumbing(),
            *address.layout(model),
            html.A("Skip to the content", href="#main", className="skip"),
            _header(),
            _work(),
            html.Div([rail, main], className="body"),
            notices,
            picker.layout(),
            about.layout(),
            about.help_layout(),
        ],
        className="app",
    )


def everything(model: str) -> Any:
    """The frame with every view in it: what Dash checks the callbacks' ids against."""
    return html.Div([layout(model), *(view.layout(Selection(), model) for view in VIEWS)])


def register(app: Dash, workspace: Workspace, manager: ThreadManager, model: str, *, demos: bool) -> None:
    """Register the frame's callbacks.

    `model` is the one to show when the address names none; `demos` is whether demo models get an index by themselves.
    """
    address.register(app)
    _register_views(app, model)
    _register_work(app, workspace, manager, model)
    _register_jump(app, workspace)
    _register_notices(app)
    memory_bar.register(app, workspace)
    sizes.register(app, workspace)
    picker.register(app, workspace)
    about.register(app, workspace)
    prompt.register(app)
    indexing.register(app, workspace, demos=demos)
    for view in VIEWS:
        view.register(app, workspace)


def report(error: Exception, model: str) -> None:
    """Show an error as a notice: what a person may be told in its own words, anything else as the bug it is.

    `model` is the one the server was started with: the way back from one that cannot be had.
    """
    question = dash.ctx.inputs.get(f"{Frame.QUESTION}.data") or {}
    if question:
        dash.set_props(Shell.ENDED, {"data": question["key"]})
    if isinstance(error, NeuronScopeError):
        action = _way_out(error, model, question.get("model"))
        shown = notice(_heading(error), str(error), action=action, passing=isinstance(error, InputError | ModelError))
    else:
        log.error("A callback failed", exc_info=error)
        text = f"{type(error).__name__}: {error}. The terminal shows where. Reloading the page may help."
        shown = notice("This is a fault of NeuronScope", text)
    children = dash.Patch()
    children.append(shown)
    dash.set_props(Frame.NOTICES, {"children": children})


def _heading(error: NeuronScopeError) -> str:
    """The error's kind in words: `TextTooLong` says `Text too long`."""
    name = type(error).__name__
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name[1:])
    return {"InputError": "That cannot be answered", "Refused": "Not allowed here"}.get(name, name[0] + words)


def _way_out(error: NeuronScopeError, model: str, failed: str | None) -> Any:
    """What a notice offers to press; `failed` is the model that was asked for, where it is known."""
    if isinstance(error, TextTooLong):
        return go("Read it in windows", kind="outlined", long="window")
    if isinstance(error, ModelError | Refused) and failed not in (None, model):
        return go(f"Back to {short(model)}", kind="outlined", model=None, precision="auto")
    if type(error) is InputError or isinstance(error, NoSuchLayer | NoSuchNeuron | NoSuchSite | NoSuchToken):
        return html.A("Start afresh", href="?", className="press outlined")
    return None


def _plumbing() -> list[Any]:
    return [
        dcc.Location(id=Frame.URL, refresh="callback-nav"),
        dcc.Store(id=Frame.GO),
        dcc.Store(id=Frame.QUESTION),
        dcc.Store(id=Frame.READY),
        dcc.Store(id=Frame.VIEW),
        dcc.Store(id=Shell.ENDED),
        dcc.Store(id=Frame.THEME, storage_type="local"),
        dcc.Download(id=Frame.DOWNLOAD),
        dcc.Store(id=Frame.WARM),
        *sizes.layout(),
        *indexing.layout(),
    ]


def _header() -> Any:
    logo = html.Span(className="logo", **{"aria-hidden": "true"})
    home = html.A([logo, html.H1("NeuronScope")], href="?", className="home")
    jump = html.Div(
        [
            html.Label("Jump to a neuron, such as L1.N20", htmlFor=Shell.JUMP, className="visually-hidden"),
            dcc.Input(id=Shell.JUMP, type="text", placeholder="Go to L1.N20", debounce=True, autoComplete="off"),
            html.Kbd("/", **{"aria-hidden": "true"}),
        ],
        className="jump",
        **{"data-focus": "/"},
    )
    theme = html.Button(
        icon("circle-half"),
        type="button",
        className="press quiet",
        title="Light or dark",
        **{"aria-label": "Light or dark", "data-theme": ""},
    )
    space = html.Span(className="space")
    tools = [jump, about.button(), about.help_button(), theme]
    return html.Header([home, picker.button(), memory_bar.layout(), space, *tools], className="top")


def _work() -> Any:
    """What runs now, how far it is, and a way to stop it; and a way to run again what was stopped."""
    bar = html.Progress(id=Shell.BAR, max="1", **{"aria-label": "Progress"})
    doing = html.Span("", id=Shell.DOING, className="doing", role="status")
    cancel = html.Button("Cancel", id=Shell.CANCEL, type="button", className="press outlined")
    stopped = html.Span("This has not been run.")
    again = html.Button("Run again", id=Shell.AGAIN_BUTTON, type="button", className="press outlined")
    return html.Div(
        [
            html.Div([bar, doing, cancel], id=Shell.WORK, className="work", hidden=True),
            html.Div([stopped, again], id=Shell.AGAIN, className="work again", hidden=True),
        ],
        className="work-place",
    )


def _register_views(app: Dash, model: str) -> None:
    views = {view.NAME: view for view in VIEWS}

    @app.callback(
        Output(Shell.MAIN, "children"),
        Output(Shell.RAIL, "children"),
        Input(Frame.VIEW, "data"),
        State(Frame.URL, "search"),
        prevent_initial_call=True,
    )
    def show(_view: str, search: str) -> tuple[Any, ...]:
        try:
            selection = Selection.parse(search)
        except InputError as error:
            report(error, model)
            selection = Selection()
        if selection.view not in views:
            raise InputError(f"No view {selection.view!r}: there are {', '.join(views)}.")
        return views[selection.view].layout(selection, selection.model or model), _rail(selection.view)


def _rail(open_view: str) -> list[Any]:
    return [
        html.A(
            [icon(view.ICON), html.Span(view.TITLE)],
            href=f"?view={view.NAME}",
            className="view",
            title=view.QUESTION,
            **{"data-go": f'{{"view":"{view.NAME}"}}', **({"aria-current": "page"} if open_view == view.NAME else {})},
        )
        for view in VIEWS
    ]


def _register_work(app: Dash, workspace: Workspace, manager: ThreadManager, model: str) -> None:
    @app.callback(
        Output(Frame.READY, "data"),
        Input(Frame.QUESTION, "data"),
        Input(Shell.AGAIN_BUTTON, "n_clicks"),
        State(Frame.URL, "search"),
        background=True,
        manager=manager,
        interval=POLL,
        running=[(Output(Shell.WORK, "hidden"), False, True)],
        cancel=[Input(Shell.CANCEL, "n_clicks")],
        progress=[Output(Shell.BAR, "value"), Output(Shell.BAR, "max"), Output(Shell.DOING, "children")],
        progress_default=[None, "1", ""],
        prevent_initial_call=True,  # before anything is asked; else the page would wait for two
    )
    def prepare(set_progress: Any, question: Question, _again: Any, search: str) -> Answer:
        set_progress((None, "1", f"Loading {question['model']}"))
        picker.permitted(question["model"], workspace, model)
        selection = Selection.parse(search)
        if selection.against:
            picker.permitted(selection.against, workspace, model)
        scope = workspace.scope(question["model"], precision=question["precision"])
        set_progress((None, "1", "Reading the text"))
        _read(app.readings, workspace, scope, selection.check(scope.card), question["model"])
        held = f"{scope.card.precision} on {scope.card.device}"
        return Answer(**question, layers=scope.card.layers, held=held)

    app.clientside_callback(
        ClientsideFunction("address", "unanswered"),
        Output(Shell.MAIN, "className"),
        Output(Shell.AGAIN, "hidden"),
        Input(Frame.QUESTION, "data"),
        Input(Frame.READY, "data"),
        Input(Shell.WORK, "hidden"),
        Input(Shell.ENDED, "data"),
    )
    app.clientside_callback(
        "(_cancel, question) => question?.key",
        Output(Shell.ENDED, "data"),
        Input(Shell.CANCEL, "n_clicks"),
        State(Frame.QUESTION, "data"),
        prevent_initial_call=True,
    )


def _read(readings: Readings, workspace: Workspace, scope: Scope, selection: Selection, model: str) -> None:
    """Read the activations that the views will ask for, and check what the selection says of the text."""
    readings.forget(scope)
    found = read(readings, workspace, scope, selection, model)
    if selection.position is not None:
        looked_at(found, selection).tokens.check(selection.position)


def _register_jump(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Frame.GO, "data", allow_duplicate=True),
        Output(Shell.JUMP, "value"),
        Input(Shell.JUMP, "value"),
        State(Frame.READY, "data"),
        prevent_initial_call=True,
    )
    def jump(name: str | None, ready: Question | None) -> tuple[Any, str]:
        if not name or not name.strip():
            raise PreventUpdate
        neuron = Neuron.parse(name)
        if ready is not None:
            workspace.scope(ready["model"], precision=ready["precision"]).card.check(neuron)
        return {"view": "neuron", "layer": neuron.layer, "neuron": neuron.index}, ""

    app.clientside_callback(
        """() => {
            const box = document.activeElement;
            if (box?.id === "JUMP") box.blur();
        }""".replace("JUMP", Shell.JUMP),
        Input(Frame.GO, "data"),
    )


def _register_notices(app: Dash) -> None:
    """Each notice stands once, and what was wrong with what was asked goes when an asking succeeds."""
    app.clientside_callback(
        """(notices, _ready) => {
            const succeeded = dash_clientside.callback_context.triggered_id === "READY";
            const seen = new Set();
            const kept = (notices ?? []).filter(({ props }) => {
                if (props.is_open === false || (succeeded && props.className.includes("passing"))) return false;
                const said = JSON.stringify(props.children);
                return !seen.has(said) && seen.add(said);
            });
            return kept.length === (notices ?? []).length ? dash_clientside.no_update : kept;
        }""".replace("READY", Frame.READY),
        Output(Frame.NOTICES, "children"),
        Input(Frame.NOTICES, "children"),
        Input(Frame.READY, "data"),
    )
