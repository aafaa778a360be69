"""The visitor's own words about a neuron: a label and a note, kept on disk."""

from __future__ import annotations

from typing import Any

from dash import dcc, html

from neuronscope.app.notes import Note
from neuronscope.app.parts import heading


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


def written(label: str | None, note: str | None) -> Note:
    """What stands in the boxes."""
    return Note(label or "", note or "")
