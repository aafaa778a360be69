"""Which corpus: generated, pasted, or files of this machine. One form, wherever a corpus is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dash_bootstrap_components as dbc
from dash import Dash, Input, Output, dcc, html

from neuronscope.app import corpora

if TYPE_CHECKING:
    from neuronscope.app.building import Sources
    from neuronscope.settings import Settings

_KINDS = {"generated": "Generated text", "pasted": "Pasted text", "path": "Files on this machine"}


def kind(place: str, legend: str) -> Any:
    """The choice between the three; `place` begins the ids of the form."""
    choose = dbc.RadioItems(
        id=f"{place}-kind",
        options=[{"label": words, "value": name} for name, words in _KINDS.items()],
        value="generated",
        className="segmented",
        inputClassName="btn-check",
        labelClassName="segment",
    )
    return html.Fieldset([html.Legend(legend), choose])


def size(place: str, sizes: Mapping[int, str], usual: int) -> Any:
    """How much of it to read."""
    choose = dbc.Select(
        id=f"{place}-tokens",
        options=[{"label": words, "value": str(count)} for count, words in sizes.items()],
        value=str(usual),
        size="sm",
    )
    return html.Div([html.Label("Tokens at most", htmlFor=f"{place}-tokens"), choose], className="labelled")


def details(place: str) -> list[Any]:
    """The text to paste, and the path to write: each shown where it is chosen."""
    pasted = html.Div(
        [
            html.Label("The text", htmlFor=f"{place}-pasted"),
            dcc.Textarea(id=f"{place}-pasted", className="index-text", placeholder="Paste a text of any length"),
        ],
        id=f"{place}-pasted-row",
        hidden=True,
        className="index-wide",
    )
    path = html.Div(
        [
            html.Label("A file or folder, below a folder allowed when the server started", htmlFor=f"{place}-path"),
            dbc.Input(id=f"{place}-path", type="text", size="sm", placeholder="texts.txt, .jsonl, .csv, .parquet, .gz"),
        ],
        id=f"{place}-path-row",
        hidden=True,
        className="index-wide",
    )
    return [pasted, path]


def register(app: Dash, place: str) -> None:
    """Register what shows the text or the path."""
    app.clientside_callback(
        '(kind) => [kind !== "pasted", kind !== "path"]',
        Output(f"{place}-pasted-row", "hidden"),
        Output(f"{place}-path-row", "hidden"),
        Input(f"{place}-kind", "value"),
    )


def corpus(
    settings: Settings, kind: str, text: str | None, path: str | None, tokens: int, *, logs: bool = False
) -> Sources:
    """The corpus that was asked for; with `logs`, generated text has ships' logs among it.

    Raises:
        InputError, Refused: as `corpora` does.
    """
    if kind == "pasted":
        return corpora.pasted(settings, text or "")
    if kind == "path":
        return corpora.at_path(settings, path or "")
    return corpora.generated(settings, tokens, logs=logs)
