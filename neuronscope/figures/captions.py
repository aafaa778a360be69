"""What stands in words around a figure: title, subtitle, remarks, names of units, and where the numbers come from."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from neuronscope.figures.theme import Mode, palette, template
from neuronscope.vocabulary import Activations, Site, Source

TOP, BOTTOM, SIDE = 84, 58, 96
"""Pixels that a figure keeps for its title, for its lower axis, and for labels and colour bar on each side."""


HOVER = ".4g"
"""How a number is written under the mouse. Given as a hover format, and not in the template, it has a true minus."""


def dress(
    figure: go.Figure,
    *,
    mode: Mode,
    title: str,
    subtitle: str,
    meta: dict[str, Any],
    notes: Sequence[str] = (),
    height: int,
    headroom: int = 0,
) -> go.Figure:
    """Give `figure` its template, title, subtitle, remarks and provenance; returns the same figure.

    The remarks stand above the plot on the right and, for a page to show elsewhere, in `layout.meta["notes"]`, as the
    title and subtitle do under their names. `headroom` pixels above the plot stay free for what the figure puts there.
    What the remarks and the headroom need beyond one line is added to `height`.
    """
    lines = _lines(notes)
    extra = headroom + 15 * max(0, len(lines) - 1)
    figure.layout.template = template(mode)
    figure.layout.meta = {**meta, "title": title, "subtitle": subtitle, "notes": list(notes), "mode": mode}
    figure.layout.height = height + extra
    heading = {"text": plain(title), "subtitle": {"text": plain(subtitle)}, "y": 1, "yanchor": "top"}
    lay_out(figure, title=heading, margin={"t": TOP + extra, "b": BOTTOM, "l": SIDE, "r": SIDE})
    if lines:
        figure.add_annotation(
            text="<br>".join(map(plain, lines)),
            x=1,
            y=1,
            xref="paper",
            yref="paper",
            xanchor="right",
            yanchor="bottom",
            yshift=3 + headroom,
            align="right",
            showarrow=False,
            font={"size": 11, "color": palette(mode).muted},
        )
    return figure


def lay_out(figure: go.Figure, **parts: dict[str, Any]) -> None:
    """Set properties of parts of the layout, each as a whole, and leave the others of these parts as they are.

    `update_layout` goes down into every property, and takes several times as long, which a page feels.
    """
    for name, properties in parts.items():
        before = figure.layout[name].to_plotly_json() if name in figure.layout else {}
        figure.layout[name] = {**before, **properties}


def _lines(notes: Sequence[str], limit: int = 100) -> list[str]:
    """Remarks as lines, as many to a line as fit."""
    lines: list[str] = []
    for note in notes:
        if lines and len(lines[-1]) + len(note) < limit:
            lines[-1] += f" · {note}"
        else:
            lines.append(note)
    return lines


def empty(message: str, mode: Mode = "light", *, title: str = "Nothing to draw", height: int = 260) -> go.Figure:
    """An empty figure that says in a sentence why it is empty."""
    figure = go.Figure()
    figure.add_annotation(
        text=plain(message),
        x=0.5,
        y=0.5,
        xref="paper",
        yref="paper",
        showarrow=False,
        font={"size": 13, "color": palette(mode).muted},
    )
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return dress(figure, mode=mode, title=title, subtitle="", meta={"kind": "empty"}, height=height)


def plain(text: str) -> str:
    """Words of ours, or a model's name, so that Plotly reads neither markup nor mathematics in them."""
    return html.escape(text, quote=False).replace("$", "&#36;")


def provenance(activations: Activations, kind: str, **more: Any) -> dict[str, Any]:
    """What `layout.meta` holds of a figure of `activations`, with `more` that belongs to its kind."""
    return {
        "kind": kind,
        **source_meta(activations.source),
        "site": str(activations.site),
        "layers": list(activations.layers),
        "tokens": len(activations.tokens),
        **({"window": activations.window} if activations.window else {}),
        "units": int(activations.values.shape[-1]),
        **more,
    }


def source_meta(source: Source | None) -> dict[str, Any]:
    """Model, revision and precision as `layout.meta` holds them; nothing if the source is not known."""
    if source is None:
        return {}
    return {"model": source.model, "revision": source.revision, "precision": source.precision}


def subtitle(activations: Activations, layers: str) -> str:
    """One line of provenance, such as `gpt2 · layer 6 · neurons · 28 tokens (27 counted) × 3,072 neurons · float32`."""
    kept, source = activations.tokens.kept, activations.source
    tokens = counted("token", len(kept), int(kept.sum()))
    shape = f"{tokens} × {size(activations)}"
    return " · ".join(
        (source.model, layers, str(activations.site), shape, *windowed(activations.window), source.precision)
    )


def counted(noun: str, number: int, kept: int) -> str:
    """How many there are, and how many of them count in maxima and colour scales where that is not all of them."""
    return count(number, noun) + (f" ({kept:,} counted)" if 0 < kept < number else "")


def windowed(window: int | None) -> list[str]:
    """That a text was longer than the model's context and read in windows of so many tokens, if it was."""
    return [f"read in windows of {window:,} tokens"] if window else []


def size(activations: Activations) -> str:
    """How many units a layer has, in words: `3,072 neurons`, `768 dimensions`, `12 heads of 64 dimensions`."""
    units = int(activations.values.shape[-1])
    if activations.heads:
        return f"{count(activations.heads, 'head')} of {count(units // activations.heads, 'dimension')}"
    return count(units, unit(activations.site))


def unit(site: Site) -> str:
    """What one column of a site is called: the residual stream and the heads have dimensions, not neurons."""
    return "dimension" if site in (Site.RESIDUAL, Site.ATTENTION) else "neuron"


def axis_title(activations: Activations) -> str:
    """The title of an axis along which a layer's units stand."""
    site = activations.site
    if activations.heads:
        return "head and dimension"
    if site is Site.RESIDUAL:
        return "dimension of the residual stream"
    return "neuron" if site is Site.NEURONS else f"neuron ({site})"


def unit_name(activations: Activations, layer: int, index: int) -> str:
    """The name of one unit: `L6.N12`, in the residual stream `L6.D12`, in the attention site `L6.H3.12`."""
    return f"L{layer}.{activations.unit_name(index)}"


def count(number: int, noun: str) -> str:
    """A number and what it counts, such as `1 token` or `3,072 neurons`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def figure_of(number: float) -> str:
    """A number to three significant digits, as labels show it."""
    return f"{number:.3g}".replace("-", "−")
