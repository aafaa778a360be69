"""The few components the page is composed of: buttons, choices, cards, notices.

Everything the visitor can press says with `data-go` where it leads, as changes to the selection; `app/address.py`
follows it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import dash_bootstrap_components as dbc
from dash import html

Part = Any
"""A Dash component, or text."""


def field(name: str) -> dict[str, str]:
    """The id of a control that shows and changes one field of the selection at once."""
    return {"field": name}


def draft(name: str) -> dict[str, str]:
    """The id of a text box that changes its field of the selection only when the visitor runs it."""
    return {"draft": name}


def sample(place: str) -> dict[str, str]:
    """The id of what holds the text that a text box begins with."""
    return {"sample": place}


def icon(name: str) -> Part:
    """One of Bootstrap's icons, which says nothing to a screen reader."""
    return html.I(className=f"bi bi-{name}", **{"aria-hidden": "true"})


def go(
    children: Part, *, label: str | None = None, key: str | None = None, kind: str = "quiet", **changes: Any
) -> Part:
    """A button that changes the selection; `key` is the key of the keyboard that presses it too."""
    more = {"data-go": json.dumps(changes)}
    if key:
        more["data-key"] = key
    if label:
        more["aria-label"] = label
    title = f"{label or ''}{f' ({_KEY_NAMES.get(key, key)})' if key else ''}".strip() or None
    return html.Button(children, type="button", className=f"press {kind}", title=title, **more)


_KEY_NAMES = {"ArrowLeft": "←", "ArrowRight": "→", "ArrowUp": "↑", "ArrowDown": "↓"}


def choices(name: str, label: str, options: Mapping[Any, str], value: Any) -> Part:
    """A row of choices for one field of the selection, one of which holds."""
    buttons = [
        html.Button(
            text,
            type="button",
            className="segment",
            **{"data-go": json.dumps({name: key}), "aria-pressed": "true" if key == value else "false"},
        )
        for key, text in options.items()
    ]
    return html.Div(buttons, className="segmented", role="group", **{"aria-label": label})


def card(head: str | Part, *children: Part, tools: Part = None, name: str = "") -> Part:
    """A panel: its heading (or the id of the place a callback puts it), tools on the right, and what it holds."""
    heading = (
        html.Div(id=head, className="card-title") if isinstance(head, str) else html.Div(head, className="card-title")
    )
    top = html.Div([heading, html.Div(tools or [], className="tools")], className="card-head")
    return html.Section([top, *children], className=f"panel {name}".strip())


def heading(title: Part, caption: Part = None) -> list[Part]:
    """What stands in a panel's head: what it shows, and what the numbers are."""
    return [html.H2(title), *([html.P(caption, className="caption")] if caption else [])]


def short(name: str) -> str:
    """A model's name as it fits a heading: of a folder, its last part."""
    return Path(name).name if Path(name).is_absolute() else name


def select(name: str, label: str, options: Mapping[Any, str], value: Any, *, hide_label: bool = False) -> Part:
    """A labelled list of choices for one field of the selection."""
    choose = dbc.Select(
        id=field(name),
        options=[{"label": text, "value": str(key)} for key, text in options.items()],
        value=str(value),
        placeholder=options.get("", ""),  # what stands where nothing is chosen
        size="sm",
    )
    words = html.Label(label, htmlFor=dom_id(field(name)), className="visually-hidden" if hide_label else "")
    return html.Div([words, choose], className="choice")


def dom_id(pattern: Mapping[str, str]) -> str:
    """The id in the document of a component with a pattern for an id, for labels to point at."""
    return json.dumps(pattern, sort_keys=True, separators=(",", ":"))


def notice(
    title: str,
    text: str,
    *,
    kind: Literal["error", "remark"] = "error",
    action: Part = None,
    passing: bool = False,
) -> Part:
    """One card of the notice area: it stays until it is dismissed or, if it is `passing`, until a text is read."""
    symbol = icon("exclamation-octagon" if kind == "error" else "info-circle")
    body = [html.Strong([symbol, title]), html.P(text, className="say")]
    name = f"notice {kind} passing" if passing else f"notice {kind}"
    return dbc.Alert([*body, *([action] if action else [])], dismissable=True, is_open=True, fade=False, className=name)


def empty(text: str) -> Part:
    """What stands where there is nothing to show yet: a sentence that says what to do."""
    return html.Div([icon("slash-circle"), html.P(text)], className="empty")


def unread() -> Part:
    """What covers the results of the text before, once another was asked about in vain."""
    return html.Div(empty("This has not been read, so there is nothing to show of it."), className="unread")
