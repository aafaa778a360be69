"""The visitor's own words about a neuron: a label and a note, kept on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dash import Dash, Input, Output, State, dcc, html
from dash.exceptions import PreventUpdate

from neuronscope.app.neuron_asking import ITSELF, listens, look
from neuronscope.app.notes import Note, Notes
from neuronscope.app.parts import heading
from neuronscope.vocabulary import Neuron

if TYPE_CHECKING:
    from neuronscope.scope import Workspace


class NoteBox:
    """The ids of the note."""

    OF = "note-of"
    LABEL = "note-label"
    NOTE = "note-text"
    KEEP = "note-keep"
    SAYS = "note-says"


def layout() -> Any:
    """The two boxes, empty."""
    keep = html.Button("Keep", id=NoteBox.KEEP, type="button", className="press outlined")
    says = html.Span(id=NoteBox.SAYS, className="caption", role="status")
    return html.Section(
        [
            html.Div(
                html.Div(heading("Your notes", "Kept on this machine"), className="card-title"), className="card-head"
            ),
            html.Label("Label", htmlFor=NoteBox.LABEL),
            dcc.Input(
                id=NoteBox.LABEL,
                type="text",
                className="note-label",
                autoComplete="off",
                placeholder="What it is, in a few words",
            ),
            html.Label("Note", htmlFor=NoteBox.NOTE),
            dcc.Textarea(id=NoteBox.NOTE, className="note-text"),
            html.Div([keep, says], className="beside"),
            dcc.Store(id=NoteBox.OF),
        ],
        className="panel notes",
    )


def register(app: Dash, workspace: Workspace, notes: Notes) -> None:
    """Register what fills the boxes with what `notes` has of the neuron, and what keeps what stands in them."""

    @app.callback(
        Output(NoteBox.OF, "data"),
        Output(NoteBox.LABEL, "value"),
        Output(NoteBox.NOTE, "value"),
        Output(NoteBox.SAYS, "children"),
        *listens(ITSELF),
        State(NoteBox.OF, "data"),
    )
    def open_note(ready: Any, _scene: Any, search: str, known: list[str] | None) -> tuple[Any, ...]:
        at = look(app, workspace, ready, search)
        of = [at.model.label, at.model.revision, str(at.neuron)]
        if of == known:  # what stands in the boxes may not have been kept yet
            raise PreventUpdate
        found = notes.of(at.model.label, at.model.revision, at.neuron)
        return of, found.label, found.note, ""

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
        notes.write(model, revision, Neuron.parse(name), Note(label or "", note or ""))
        return f"Kept for {name}."
