"""The neurons that changed in the chosen checkpoint, filtered, and the card of the one that is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dash import ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.exceptions import PreventUpdate

from neuronscope.app import drift_card, drift_panels, drift_rows
from neuronscope.app.asking import Frame
from neuronscope.app.drift_asking import listens, look
from neuronscope.app.drift_panels import Page
from neuronscope.app.drift_plots import plotted, short
from neuronscope.app.graphs import csv_id
from neuronscope.app.parts import empty, heading
from neuronscope.app.scenes import scene_id
from neuronscope.figures import (
    drift_course,
    drift_course_table,
    drift_neuron,
    drift_neuron_table,
    drift_pairs,
    drift_pairs_table,
    drift_tokens,
    drift_tokens_table,
)

if TYPE_CHECKING:
    import pandas as pd

    from neuronscope.app.drift_asking import Look
    from neuronscope.figures.theme import Mode
    from neuronscope.scope import Workspace

_LOW, _HIGH, _WIDTH = 300, 560, 430
"""Heights of the card's plots and about how wide they are, in pixels."""
_BASE = "This is the base itself: nothing has changed yet. Go on to a checkpoint."
_NONE = "No neuron is left: choose all neurons, all layers, or another cause."


def register_table(app: Dash, workspace: Workspace) -> None:
    """Register the table and the card."""
    _register_rows(app, workspace)
    _register_card(app, workspace)
    _register_csv(app, workspace)


def _register_rows(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Page.ROWS, "data"),
        Output(Page.TABLE, "columnDefs"),
        Output(Page.TABLE_HEAD, "children"),
        Output(Page.FILTERS, "children"),
        Output(Page.NOTHING, "children"),
        *listens(Page.TABLE),
    )
    def rows(*values: Any) -> tuple[Any, ...]:
        found, _mode = look(app, workspace, values)
        drift, control = found.drift, found.drift.control is not None
        kept = drift_rows.rows_of(found) if found.place else drift.rows(0).head(0)
        nothing = [] if len(kept) else empty(_NONE if found.place else _BASE)
        columns = drift_rows.columns(gated=drift.manifest.gated, control=control)
        filters = drift_panels.filters(found.selection, drift.manifest.layers, control=control)
        return drift_rows.packed(kept, drift), columns, _head(found, len(kept)), filters, nothing

    app.clientside_callback(
        ClientsideFunction("drift", "rows"), Output(Page.TABLE, "rowData"), Input(Page.ROWS, "data")
    )
    app.clientside_callback(
        ClientsideFunction("drift", "chosen"),
        Output(Page.TABLE, "selectedRows"),
        Input(Page.TABLE, "rowData"),
        Input(scene_id(Page.CARD), "data"),
        State(Frame.URL, "search"),
    )


def _head(found: Look, shown: int) -> list[Any]:
    drift, records = found.drift, found.drift.records(found.place)
    above = int(records["above"].sum()) if found.place else 0
    said = [f"{shown:,} of {drift.units:,} neurons", f"{above:,} above the noise floor"]
    if drift.control is not None and found.place:
        beyond = int((records["above"] & (records["excess_low"] > 0)).sum())
        said.append(f"{beyond:,} of these above the control too")
    said.append(f"{drift.manifest.tokens:,} tokens")
    compared = [": ", html.Bdi(found.checkpoint.label), " against the base"] if found.place else []
    return heading(html.Span(["Which neurons changed", *compared]), " · ".join(said))


def _register_card(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Page.CARD_PLACE, "hidden"),
        Output(Page.CARD_HEAD, "children"),
        Output(Page.CARD_TOOLS, "children"),
        Output(Page.FACTS, "children"),
        Output(Page.EXAMPLES, "children"),
        *plotted(Page.NEURON, Page.NEURON_HEAD),
        *plotted(Page.PAIRS, Page.PAIRS_HEAD),
        *plotted(Page.TOKENS, Page.TOKENS_HEAD),
        *plotted(Page.COURSE, Page.COURSE_HEAD),
        *listens(Page.CARD),
    )
    def card(*values: Any) -> tuple[Any, ...]:
        found, mode = look(app, workspace, values)
        if not found.place:
            return True, *[no_update] * 16
        said = (
            drift_card.head(found),
            drift_card.tools(found),
            drift_card.facts(found, mode),
            drift_card.examples(found),
        )
        return False, *said, *(part for plot in _plots(found, mode) for part in plot)


def _plots(found: Look, mode: Mode) -> list[tuple[Any, ...]]:
    """Each figure without the remarks that the page says elsewhere; what is exported has them."""
    asked = found.drift, found.neuron, found.place
    sampled = f"{found.drift.values(found.neuron).shape[1]:,} sampled tokens"
    tokens, said = drift_tokens(*asked, found.selection.sign, mode=mode), "blue: lost · orange: gained"
    return [
        short(drift_neuron(*asked, mode=mode, height=_LOW), sampled, "Distribution", left=52, above=30, below=46),
        short(drift_pairs(*asked, mode=mode, webgl=False, height=_HIGH), sampled, "Token by token", left=56, below=46),
        short(tokens, said, "Top tokens", left=20, above=24, below=8),
        short(
            drift_course(found.drift, [found.neuron], checkpoint=found.place, mode=mode, height=_LOW, width=_WIDTH),
            "D, with its 95 % interval", "Over the checkpoints", left=52, above=30, below=46,
        ),
    ]  # fmt: skip


def _register_csv(app: Dash, workspace: Workspace) -> None:
    @app.callback(
        Output(Frame.DOWNLOAD, "data", allow_duplicate=True),
        *(Input(csv_id(plot), "n_clicks") for plot in (Page.NEURON, Page.PAIRS, Page.TOKENS, Page.COURSE)),
        State(Frame.READY, "data"),
        State(Frame.URL, "search"),
        State(Frame.THEME, "data"),
        prevent_initial_call=True,
    )
    def keep(*values: Any) -> Any:
        if not any(values[:4]):
            raise PreventUpdate
        found = look(app, workspace, values[4:])[0]
        plot = ctx.triggered_id["csv"]
        m = found.drift.manifest
        named = {"neuron": str(found.neuron), "checkpoint": found.checkpoint.label, "model": m.model}
        table = _table(found, plot)
        more = {name: value for name, value in named.items() if name not in table}
        table = table.assign(**more, revision=m.revision, precision=m.precision, tokens=m.tokens)
        return dcc.send_data_frame(table.to_csv, f"{plot}-{found.neuron}.csv", index=False)


def _table(found: Look, plot: str) -> pd.DataFrame:
    asked = found.drift, found.neuron, found.place
    if plot == Page.NEURON:
        return drift_neuron_table(*asked)
    if plot == Page.PAIRS:
        return drift_pairs_table(*asked)
    if plot == Page.TOKENS:
        return drift_tokens_table(*asked, found.selection.sign)
    return drift_course_table(found.drift, [found.neuron])
