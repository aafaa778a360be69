"""The plots of the page, how they are framed, and what can be done with any of them.

Every plot is made here, so that none offers to send anything anywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dash import dcc, html

from neuronscope.app.parts import Part, heading, icon
from neuronscope.figures.captions import lay_out

if TYPE_CHECKING:
    from plotly import graph_objects as go_figure

GRAPH_CONFIG = {
    "showSendToCloud": False,
    "plotlyServerURL": "",
    "displaylogo": False,
    "displayModeBar": False,
    "responsive": True,
    "doubleClick": "reset",
}
"""Plotly offers to upload charts to its maker's cloud unless told not to; our own buttons do what its bar would."""


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
    figure.layout.title, figure.layout.height, figure.layout.autosize = None, None, True
    figure.layout.annotations = kept
    lay_out(figure, margin=margin, font={"family": FONT})
    # The header of the page says which model it is; what is exported says it in full.
    caption = " · ".join((meta["subtitle"].removeprefix(f"{meta.get('model')} · "), *meta["notes"]))
    return figure, {"height": f"{shrunk}px"}, heading(meta["title"], caption)


FONT = (
    '-apple-system, BlinkMacSystemFont, "Segoe UI", Inter, Roboto, "Noto Sans", Ubuntu, "Liberation Sans", sans-serif'
)
"""The page's own font, for what Plotly writes."""


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


def _blank() -> dict[str, Any]:
    hidden = {"visible": False}
    clear = "rgba(0,0,0,0)"
    return {"data": [], "layout": {"xaxis": hidden, "yaxis": hidden, "paper_bgcolor": clear, "plot_bgcolor": clear}}
