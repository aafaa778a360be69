"""The few components the page is composed of: graphs, cards, token strips, segmented controls, tables, notices.

Everything the visitor can press says with `data-go` where it leads, as changes to the selection; one callback in the
shell follows it. Token text is only ever given to the browser as text nodes inside `<bdi>`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import dash_ag_grid as dag
import dash_bootstrap_components as dbc
import numpy as np
from dash import dcc, html
from jaxtyping import Float

from neuronscope.vocabulary import Neuron, Tokens, TokenScore

if TYPE_CHECKING:
    import pandas as pd
    from plotly import graph_objects as go_figure

Part = Any
"""A Dash component, or text."""

GRAPH_CONFIG = {
    "showSendToCloud": False,
    "plotlyServerURL": "",
    "displaylogo": False,
    "displayModeBar": False,
    "responsive": True,
    "doubleClick": "reset",
}
"""Plotly offers to upload charts to its maker's cloud unless told not to; our own buttons do what its bar would."""


def field(name: str) -> dict[str, str]:
    """The id of a control that shows and changes one field of the selection at once."""
    return {"field": name}


def draft(name: str) -> dict[str, str]:
    """The id of a text box that changes its field of the selection only when the visitor runs it."""
    return {"draft": name}


def run_id(place: str) -> dict[str, str]:
    """The id of a button that runs the texts in the drafts."""
    return {"run": place}


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


def framed(
    figure: go_figure.Figure, *, left: int = 88, above: int = 8, below: int = 58
) -> tuple[go_figure.Figure, dict[str, str], list[Part]]:
    """A figure for a panel: the figure without its own title, the style that gives it its height, and its heading.

    Title, subtitle and remarks become the panel's heading; they stay in `layout.meta`, from which the browser puts them
    back into what it exports.
    """
    meta, height = figure.layout.meta, figure.layout.height
    kept = [a for a in figure.layout.annotations if (a.xanchor, a.yanchor, a.yref) != ("right", "bottom", "paper")]
    margin = {"t": above, "b": below, "l": left, "r": 68}
    shrunk = height - (figure.layout.margin.t - above) - (figure.layout.margin.b - below)
    figure.update_layout(title=None, height=None, autosize=True, margin=margin, font={"family": FONT})
    figure.layout.annotations = kept
    # The header of the page says which model it is; what is exported says it in full.
    caption = " · ".join((meta["subtitle"].removeprefix(f"{meta.get('model')} · "), *meta["notes"]))
    return figure, {"height": f"{shrunk}px"}, heading(meta["title"], caption)


FONT = (
    '-apple-system, BlinkMacSystemFont, "Segoe UI", Inter, Roboto, "Noto Sans", Ubuntu, "Liberation Sans", sans-serif'
)
"""The page's own font, for what Plotly writes."""


def short(name: str) -> str:
    """A model's name as it fits a heading: of a folder, its last part."""
    return Path(name).name if Path(name).is_absolute() else name


def graph(id: str, height: int | None = None, label: str = "") -> Part:  # noqa: A002
    """A plot. Every plot of the page is made here, so that none offers to send anything anywhere."""
    style = {"height": f"{height}px"} if height else {"height": "100%"}
    plot = dcc.Graph(id=id, config=GRAPH_CONFIG, style=style, figure=_blank(), responsive=True)
    return html.Div(plot, className="plot", role="figure", **{"aria-label": label})


def graph_tools(graph_id: str, filename: str) -> Part:
    """What can be done with any plot: enlarge it, and keep it as PNG, SVG or, through `csv_id`, as CSV."""
    pictures = [
        html.Button(kind.upper(), type="button", **{"data-export": kind, "data-graph": graph_id, "data-name": filename})
        for kind in ("png", "svg")
    ]
    numbers = html.Button("CSV", id=csv_id(graph_id), type="button")
    keep = html.Details(
        [
            html.Summary(icon("download"), title="Keep this plot", **{"aria-label": "Keep this plot"}),
            html.Div([*pictures, numbers], className="menu"),
        ],
        className="popover-menu keep",
    )
    enlarge = html.Button(
        icon("arrows-fullscreen"),
        type="button",
        className="press quiet",
        title="Enlarge",
        **{"aria-label": "Enlarge this plot", "aria-pressed": "false", "data-enlarge": ""},
    )
    return html.Span([keep, enlarge], className="graph-tools")


def csv_id(graph_id: str) -> dict[str, str]:
    """The id of the button that asks for a plot's numbers; the view that drew the plot answers it."""
    return {"csv": graph_id}


def table_tools(table_id: str) -> Part:
    """The button that keeps a table as CSV."""
    return html.Button(
        [icon("download"), "CSV"],
        type="button",
        className="press quiet",
        title="Keep this table as CSV",
        **{"data-export": "table", "data-graph": table_id},
    )


def select(name: str, label: str, options: Mapping[Any, str], value: Any, *, hide_label: bool = False) -> Part:
    """A labelled list of choices for one field of the selection."""
    choose = dbc.Select(
        id=field(name),
        options=[{"label": text, "value": str(key)} for key, text in options.items()],
        value=str(value),
        size="sm",
    )
    words = html.Label(label, htmlFor=dom_id(field(name)), className="visually-hidden" if hide_label else "")
    return html.Div([words, choose], className="choice")


def dom_id(pattern: Mapping[str, str]) -> str:
    """The id in the document of a component with a pattern for an id, for labels to point at."""
    return json.dumps(pattern, sort_keys=True, separators=(",", ":"))


def token_strip(
    tokens: Tokens,
    values: Float[np.ndarray, " tokens"],
    *,
    limit: float,
    locked: int | None = None,
    marks: str | None = None,
) -> Part:
    """The text as tokens, coloured by `values` on a scale of ±`limit`; pressing one locks it.

    Tokens that hold parts of one character stand in one box, with the strongest of their values. `marks` is the id of a
    histogram whose marker follows the token under the mouse.
    """
    boxes: list[Part] = []
    for run in tokens.characters:
        boxes.append(_token(tokens, run, values, limit, locked))
        if tokens.display[run.stop - 1].endswith("↵"):
            boxes.append(html.Br())
    more = {"data-marks": marks} if marks else {}
    return html.Div(boxes, className="strip", role="group", **{"aria-label": "The text as tokens"}, **more)


def _token(tokens: Tokens, run: range, values: Float[np.ndarray, " tokens"], limit: float, locked: int | None) -> Part:
    strongest = max(run, key=lambda i: abs(values[i]))
    value, last = float(values[strongest]), run.stop - 1
    pressed = locked is not None and locked in run
    ids = ", ".join(str(int(tokens.ids[i])) for i in run)
    place = f"{run.start}" if len(run) == 1 else f"{run.start} to {last}"
    silent = "" if tokens.kept[last] else "\nleft out of maxima: the first token, or a special one"
    return html.Button(
        html.Bdi(tokens.shown(run)),
        type="button",
        className=" ".join(("token", *_shade(value, limit), *(() if tokens.kept[last] else ("unkept",)))),
        style={"--strength": round(min(abs(value) / limit, 1.0) if limit else 0.0, 3)},
        title=f"{tokens.shown(run)}\nposition {place} · id {ids}\nvalue {value:.4g}{silent}",
        **{"data-go": f'{{"position":{last}}}', "data-value": f"{value:.6g}", "aria-pressed": str(pressed).lower()},
    )


def _shade(value: float, limit: float) -> tuple[str, ...]:
    share = abs(value) / limit if limit else 0.0
    sign = "positive" if value > 0 else "negative"
    return (sign, *(("clipped",) if share > 1.0001 else ()))


def scale_legend(limit: float, unit: str) -> Part:
    """The colour scale of a strip: its two ends, 0 in the middle, and what it measures."""
    ends = [html.Span(f"−{limit:.3g}"), html.Span(className="scale-bar"), html.Span(f"+{limit:.3g}")]
    return html.Span([*ends, html.Span(unit, className="unit")], className="scale")


def neuron_list(
    title: str,
    caption: str,
    rows: Iterable[tuple[str, float, Neuron | None]],
) -> Part:
    """Units by name and a number each, strongest first, with bars; pressing one that is a neuron opens it."""
    found = list(rows)
    most = max((abs(value) for _, value, _ in found), default=0.0) or 1.0
    items = [html.Li(_unit(name, value, most, neuron)) for name, value, neuron in found]
    return html.Div([html.H3(title), html.P(caption, className="caption"), html.Ol(items)], className="neuron-list")


def _unit(name: str, value: float, most: float, neuron: Neuron | None) -> Part:
    shown = [
        html.Span(name, className="id"),
        _bar(value, most),
        html.Span(_signed(value, ".3g"), className="number"),
    ]
    if neuron is None:
        return html.Span(shown, className="unit-row")
    opens = json.dumps({"view": "neuron", "layer": neuron.layer, "neuron": neuron.index})
    return html.Button(shown, type="button", className="unit-row", title=f"Open {name}", **{"data-go": opens})


def score_list(title: str, scores: Sequence[TokenScore], *, percent: bool = False) -> Part:
    """Tokens of the vocabulary and a number each, with bars."""
    most = max((abs(s.score) for s in scores), default=0.0) or 1.0
    items = [
        html.Li(
            [
                html.Bdi(s.display, className="piece", title=f"{s.display}\nid {s.id}"),
                _bar(s.score, most),
                html.Span(f"{s.score:.1%}" if percent else _signed(s.score, ".3g"), className="number"),
            ]
        )
        for s in scores
    ]
    return html.Div([html.H3(title), html.Ol(items)], className="score-list")


def _bar(value: float, most: float) -> Part:
    width = f"{100 * abs(value) / most:.1f}%"
    inner = html.Span(className="positive" if value >= 0 else "negative", style={"width": width})
    return html.Span(inner, className="bar", **{"aria-hidden": "true"})


def _signed(value: float, digits: str) -> str:
    return f"{value:{digits}}".replace("-", "−")


def facts(pairs: Iterable[tuple[str, Part]], name: str = "facts") -> Part:
    """A list of short facts: what it is, and how much."""
    return html.Dl([html.Div([html.Dt(what), html.Dd(how)]) for what, how in pairs], className=name)


GRID_OPTIONS = {
    "rowHeight": 32,
    "headerHeight": 34,
    "domLayout": "autoHeight",
    "ensureDomOrder": True,
    "enableCellTextSelection": True,
}
"""How every table of the page stands: as tall as its rows, its text to be selected and read aloud in order."""


def table(
    id: str,  # noqa: A002
    frame: pd.DataFrame,
    filename: str,
    headings: Mapping[str, str],
    form: str = ".3~g",
) -> Part:
    """A table of the columns in `headings`, under those names, to sort, to filter, and to keep as CSV.

    `form` is how numbers that are not whole are shown, as d3 writes it.
    """
    number = {"function": f"d3.format('{form}')(params.value)"}
    columns = [
        {
            "field": name,
            "headerName": title,
            "type": "numericColumn",
            "filter": "agNumberColumnFilter",
            "minWidth": 76 if frame[name].dtype.kind == "f" else 58,
            **({"valueFormatter": number} if frame[name].dtype.kind == "f" else {}),
        }
        for name, title in headings.items()
    ]
    return dag.AgGrid(
        id=id,
        columnDefs=columns,
        rowData=frame.to_dict("records"),
        defaultColDef={"sortable": True, "resizable": True, "flex": 1, "suppressHeaderMenuButton": True},
        dashGridOptions=GRID_OPTIONS,
        csvExportParams={"fileName": f"{filename}.csv"},
        className="grid-table",
        style={"width": "100%", "height": None},
    )


def notice(title: str, text: str, *, kind: Literal["error", "remark"] = "error", action: Part = None) -> Part:
    """One card of the notice area: it stays until it is dismissed."""
    symbol = icon("exclamation-octagon" if kind == "error" else "info-circle")
    body = [html.Strong([symbol, title]), html.P(text, className="say")]
    return dbc.Alert(
        [*body, *([action] if action else [])], dismissable=True, is_open=True, fade=False, className=f"notice {kind}"
    )


def empty(text: str) -> Part:
    """What stands where there is nothing to show yet: a sentence that says what to do."""
    return html.Div([icon("slash-circle"), html.P(text)], className="empty")


def _blank() -> dict[str, Any]:
    hidden = {"visible": False}
    clear = "rgba(0,0,0,0)"
    return {"data": [], "layout": {"xaxis": hidden, "yaxis": hidden, "paper_bgcolor": clear, "plot_bgcolor": clear}}
