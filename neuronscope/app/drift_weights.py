"""What a neuron's weights read and write before and after: the tokens it gained and lost, in the vocabulary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dash import Dash, Input, Output, dcc, html, no_update
from dash.exceptions import PreventUpdate

from neuronscope.analysis.drift import token_changes
from neuronscope.app.drift_asking import AROUND, listens, look
from neuronscope.app.drift_panels import Page
from neuronscope.app.held import Held
from neuronscope.app.lists import score_list
from neuronscope.app.parts import card, heading, icon
from neuronscope.app.picker import permitted
from neuronscope.app.work_bar import WorkBar

if TYPE_CHECKING:
    from neuronscope.analysis.drift import TokenChange
    from neuronscope.app.drift_asking import Look
    from neuronscope.scope import Workspace

_TITLE = "Tokens its weights read and write"
_EXPLAINED = "The direct path only, not behaviour. The checkpoint is loaded for it."
_NAMES = {
    ("reads", True): "Reads: excite it",
    ("reads", False): "Reads: inhibit it",
    ("gate", True): "Gate reads: excite the gate",
    ("gate", False): "Gate reads: inhibit the gate",
    ("writes", True): "Writes: promoted",
    ("writes", False): "Writes: suppressed",
}


class Tokens:
    """The ids of this panel."""

    HEAD = "drift-weights-head"
    RUN = "drift-weights-run"
    WORK = WorkBar("drift-weights")
    PLACE = "drift-weights-place"
    READ = "drift-weights-read"


def panel() -> Any:
    """The panel: what asks for the tokens, the work, and where they go."""
    run = html.Button(
        [icon("play-fill"), "Compare"],
        id=Tokens.RUN,
        type="button",
        className="press outlined",
        title="Load the checkpoint and compare the tokens that this neuron's weights read and write",
    )
    work = Tokens.WORK.layout("Progress of comparing tokens")
    parts = [work, html.Div(id=Tokens.PLACE), dcc.Store(id=Tokens.READ)]
    return card(Tokens.HEAD, *parts, tools=[run], name="drift-weights")


def register(app: Dash, workspace: Workspace) -> None:
    """Register what compares a neuron's tokens, and what draws those of the neuron that is on the card now."""
    held = Held(32)

    @app.callback(
        Output(Tokens.READ, "data"),
        Input(Tokens.RUN, "n_clicks"),
        *AROUND,
        **Tokens.WORK.runs(app.manager, (Output(Tokens.RUN, "disabled"), True, False)),
        prevent_initial_call=True,
    )
    def compare(set_progress: Any, clicks: int | None, *values: Any) -> Any:
        if not clicks:
            raise PreventUpdate
        set_progress((None, "1", "Reading the weights"))
        found, _ = look(app, workspace, values)
        names = [found.drift.checkpoints[0].name, found.checkpoint.name]
        for name in names:
            permitted(name, workspace, values[0]["model"])  # it may have been measured by another program
        held.of(_key(found), lambda: token_changes(*found.scope.weights_across(names, found.neuron)))
        return clicks

    @app.callback(
        Output(Tokens.PLACE, "children"),
        Output(Tokens.HEAD, "children"),
        *listens(Page.CARD, Input(Tokens.READ, "data")),
    )
    def draw(*values: Any) -> Any:
        found, _ = look(app, workspace, values)
        if found.place == 0:
            return no_update, no_update
        changes = held.find(_key(found))
        return [] if changes is None else shown(changes), _head(found)


def _key(found: Look) -> tuple[Any, ...]:
    return found.kept.state, found.place, found.neuron


def _head(found: Look) -> list[Any]:
    return heading(_TITLE, f"{found.neuron} in the base and in {found.checkpoint.label}. {_EXPLAINED}")


def shown(changes: tuple[TokenChange, ...]) -> Any:
    """Each list of tokens: those gained, those lost, and how many were kept."""
    return html.Div([_change(one) for one in changes], className="drift-lists")


def _change(one: TokenChange) -> Any:
    whole = len(one.kept) + len(one.lost)
    title = html.H3(_NAMES[one.what, one.most])
    if not (one.gained or one.lost):
        return html.Section([title, html.P(f"The same {whole} tokens lead.", className="caption")])
    said = html.P(f"{len(one.kept)} of {whole} kept", className="caption")
    lists = html.Div([score_list("Gained", one.gained), score_list("Lost", one.lost)], className="pair")
    return html.Section([title, said, lists])
