"""Which drift: those that are kept, the form for another, and the work while one is measured."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dash import Dash, Input, Output, State, ctx, no_update
from dash.exceptions import PreventUpdate

from neuronscope import series
from neuronscope.app import corpus_form, drift_about, drift_panels, picker
from neuronscope.app.asking import Frame, asked
from neuronscope.app.background import progress_values
from neuronscope.app.drift_asking import NAME
from neuronscope.app.drift_panels import Page
from neuronscope.app.scenes import scene_id
from neuronscope.errors import InputError, NeuronScopeError
from neuronscope.models.catalogue import DEMO_PREFIX, demo_folder

if TYPE_CHECKING:
    from neuronscope.app.drift_kept import Drifts, Measurer
    from neuronscope.app.worker import Work
    from neuronscope.scope import Scope, Workspace


def register_measuring(app: Dash, workspace: Workspace) -> None:
    """Register what shows which drifts there are, and what measures another."""
    corpus_form.register(app, Page.PLACE)
    _register_clock(app, workspace, app.drifts, app.measurer)
    _register_place(app, workspace, app.drifts, app.measurer)
    _register_presses(app, workspace, app.measurer)


def _register_clock(app: Dash, workspace: Workspace, drifts: Drifts, measurer: Measurer) -> None:
    @app.callback(
        Output(Page.TICK, "disabled"),
        Output(Page.STATE, "data"),
        Output(Page.SHOWN, "data"),
        Output(Page.WORK.row, "hidden"),
        Output(Page.RUN, "disabled"),
        Output(Page.WORK.bar, "value"),
        Output(Page.WORK.bar, "max"),
        Output(Page.WORK.doing, "children"),
        Output(Page.SAYS, "children"),
        Input(Page.TICK, "n_intervals"),
        Input(Frame.READY, "data"),
        Input(Page.WAKE, "data"),
        State(Page.STATE, "data"),
        State(Page.SHOWN, "data"),
        State(Frame.URL, "search"),
    )
    def follow(_tick: int | None, ready: Any, _wake: Any, *others: Any) -> tuple[Any, ...]:
        *known, search = others
        scope, selection = asked(workspace, NAME, search, ready)
        work = measurer.of(scope)
        works = work is not None and work.running
        value, most, doing = progress_values(work.progress) if work and works else (None, None, "")
        bar = (None if value is None else str(value), str(most or 1), doing)
        states = state_of(scope, drifts), shown_of(scope, drifts, selection.drift)
        news = [no_update if state == before else state for state, before in zip(states, known, strict=True)]
        return not works, *news, not works, works, *bar, _says(work)


def state_of(scope: Scope, drifts: Drifts) -> str:
    """A word that changes when the model does, or when one of its drifts has grown."""
    card = scope.card
    return " ".join([card.name, card.revision, card.precision, *(one.state for one in drifts.kept(scope))])


def shown_of(scope: Scope, drifts: Drifts, name: str | None) -> str:
    """A word that changes when the model does, or when the drift that is looked at has grown."""
    shown = drifts.shown(scope, name)
    return " ".join([scope.card.name, scope.card.revision, scope.card.precision, shown.state if shown else ""])


def _says(work: Work | None) -> str:
    if work is None or work.running:
        return ""
    if work.problem:
        return f"It stopped. {work.problem}"
    return "Stopped. Checkpoints that are done are kept; ask for the same again to go on." if work.stopped else ""


def _register_place(app: Dash, workspace: Workspace, drifts: Drifts, measurer: Measurer) -> None:
    @app.callback(
        Output(Page.ABOUT, "children"),
        Output(Page.KEPT, "children"),
        Output(Page.SUMMARY, "children"),
        Output(Page.CHOICE, "open"),
        Output(Page.BODY, "hidden"),
        Input(Frame.READY, "data"),
        Input(Page.STATE, "data"),
        Input(scene_id(Page.ABOUT), "data"),
        State(Frame.URL, "search"),
    )
    def place(ready: Any, _state: Any, _scene: Any, search: str) -> tuple[Any, ...]:
        scope, selection = asked(workspace, NAME, search, ready)
        kept, shown = drifts.kept(scope), drifts.shown(scope, selection.drift)
        if shown is None and selection.drift is not None:
            raise InputError(f"No drift {selection.drift!r} of {scope.card.label} is kept on this machine.")
        work = measurer.of(scope)
        listed = drift_about.listed(kept, shown, works=work is not None and work.running)
        if shown is None:
            return drift_panels.unmeasured(), listed, "Measure a drift", True, True
        more = f"Another drift ({len(kept)} kept)" if len(kept) > 1 else "Another drift"
        unfolded = no_update if ctx.triggered_id == Page.STATE else False  # the form may be in use
        return drift_about.compared(drifts.open(shown)), listed, more, unfolded, False

    @app.callback(
        Output(Page.CHECKPOINTS, "value"),
        Output(Page.CONTROL, "value"),
        Output(Page.FOR, "data"),
        Input(Frame.READY, "data"),
        State(Page.FOR, "data"),
    )
    def prefill(ready: Any, filled: str | None) -> tuple[str, str, str]:
        if ready is None or ready["model"] == filled:
            raise PreventUpdate
        return *suggested(ready["model"]), ready["model"]


def suggested(model: str) -> tuple[str, str]:
    """The checkpoints and the control that come with a demo model; nothing for another one."""
    if not model.startswith(DEMO_PREFIX) or "/" in model:
        return "", ""
    with suppress(NeuronScopeError):
        folder = demo_folder(model)
        if any((folder / "checkpoints").glob("*")):
            return f"{model}/*", f"{model}/control" if any((folder / "control").glob("*")) else ""
    return "", ""


def _register_presses(app: Dash, workspace: Workspace, measurer: Measurer) -> None:
    @app.callback(
        Output(Page.WAKE, "data"),
        Output(Frame.GO, "data", allow_duplicate=True),
        Input(Page.RUN, "n_clicks"),
        State(Page.CHECKPOINTS, "value"),
        State(Page.CONTROL, "value"),
        State(f"{Page.PLACE}-kind", "value"),
        State(f"{Page.PLACE}-pasted", "value"),
        State(f"{Page.PLACE}-path", "value"),
        State(f"{Page.PLACE}-tokens", "value"),
        State(Frame.READY, "data"),
        State(Frame.URL, "search"),
        prevent_initial_call=True,
    )
    def run(clicks: int | None, checkpoints: str | None, control: str | None, *others: Any) -> tuple[float, Any]:
        kind, text, path, tokens, ready, search = others
        if not clicks:
            raise PreventUpdate
        scope, _selection = asked(workspace, NAME, search, ready)
        named = names_in(checkpoints or "")
        beside = (control or "").strip() or None
        permitted([*named, *([beside] if beside else [])], workspace, ready["model"])
        corpus = corpus_form.corpus(workspace.settings, kind, text, path, int(tokens), logs=True)
        measurer.start(scope, named, beside, corpus, int(tokens))
        return time.time(), {"drift": None, "checkpoint": None}

    @app.callback(
        Output(Page.WAKE, "data", allow_duplicate=True),
        Input(Page.WORK.cancel, "n_clicks"),
        State(Frame.READY, "data"),
        State(Frame.URL, "search"),
        prevent_initial_call=True,
    )
    def cancel(clicks: int | None, ready: Any, search: str) -> float:
        if not clicks:
            raise PreventUpdate
        measurer.cancel(asked(workspace, NAME, search, ready)[0])
        return time.time()


def names_in(written: str) -> list[str]:
    """The checkpoints written one a line or with commas between them; raises `InputError` if there is none."""
    found = [name.strip() for line in written.splitlines() for name in line.split(",") if name.strip()]
    if not found:
        raise InputError("No checkpoint is named: write folders, a folder that holds them, or hub names, one a line.")
    return found


def permitted(names: list[str], workspace: Workspace, given: str) -> None:
    """Refuse checkpoints that the page must not load, as `picker.permitted` does; folders within folders too.

    Raises:
        ModelNotFound, Refused, InputError: as `picker.permitted` and `series.find` do.
    """
    for name in names:
        picker.permitted(name.removesuffix("/*") if name.startswith(DEMO_PREFIX) else name, workspace, given)
        for one in series.find([name]):  # a folder of them may hold links that lead out of those allowed
            if Path(one.name).exists():
                picker.permitted(one.name, workspace, given)
