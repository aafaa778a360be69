"""Lists of neurons and of tokens with a number each, and of short facts."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence

from dash import html

from neuronscope.app.parts import Part
from neuronscope.vocabulary import Neuron, TokenScore


def number(value: float | None) -> str:
    """A number as the page writes it, with a true minus; `none` where there is none."""
    return "none" if value is None or not math.isfinite(value) else f"{value:.3g}".replace("-", "−")


def neuron_list(
    title: str,
    caption: Part,
    rows: Iterable[tuple[str, float, Neuron | None]],
    *,
    written: Callable[[float], str] = number,
    bars: bool = True,
) -> Part:
    """Units by name and a number each, in their order, with bars; pressing one that is a neuron opens it."""
    found = list(rows)
    most = max((abs(value) for _, value, _ in found), default=0.0) or 1.0
    items = [
        html.Li(_unit(name, _bar(value, most) if bars else None, written(value), neuron))
        for name, value, neuron in found
    ]
    said = [] if caption is None else [html.P(caption, className="caption")]
    return html.Div([html.H3(title), *said, html.Ol(items)], className="neuron-list")


def _unit(name: str, bar: Part, written: str, neuron: Neuron | None) -> Part:
    shown = [html.Span(name, className="id"), bar, html.Span(written, className="number")]
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
                html.Span(_share(s.score) if percent else number(s.score), className="number"),
            ]
        )
        for s in scores
    ]
    return html.Div([html.H3(title), html.Ol(items)], className="score-list")


def _bar(value: float, most: float) -> Part:
    width = f"{100 * abs(value) / most:.1f}%"
    inner = html.Span(className="positive" if value >= 0 else "negative", style={"width": width})
    return html.Span(inner, className="bar", **{"aria-hidden": "true"})


def _share(share: float) -> str:
    return "<0.1%" if 0 < share < 0.0005 else f"{share:.1%}"


def facts(pairs: Iterable[tuple[str, Part]], name: str = "facts") -> Part:
    """A list of short facts: what it is, and how much."""
    return html.Dl([html.Div([html.Dt(what), html.Dd(how)]) for what, how in pairs], className=name)
