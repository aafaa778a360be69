"""What excites a neuron, or a group of neurons: each n-gram's mean with its interval and how often it occurs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from neuronscope.analysis.reverse_query import ReverseQuery
from neuronscope.figures import captions
from neuronscope.figures.axes import covered_axis
from neuronscope.figures.theme import Mode, palette, visible
from neuronscope.vocabulary import Source

ROW = 24
"""Pixels for each n-gram."""
LABEL = 14
"""The most columns of text that one token of a label takes."""


def reverse_query(
    result: ReverseQuery,
    *,
    count: int = 20,
    name: str = "",
    source: Source | None = None,
    mode: Mode = "light",
    height: int | None = None,
) -> go.Figure:
    """The first `count` rows of a reverse query: a dot at the empirical-Bayes mean, a line for its 90 % interval.

    Filled dots come from every occurrence in the corpus, open ones from a sample or from strong contexts only. On the
    right stands how often the n-gram occurs. `name` says whose query it is, where it is not one neuron's; the table is
    `result.table`.
    """
    title = _title(result, name)
    rows = result.table.head(count)
    if rows.empty:
        return captions.empty(_nothing(result), mode, title=title)
    figure = go.Figure(_dots(result, rows, mode))
    hover = [_hover(row) for row in rows.to_dict("records")]
    labels = {i: _label(ngram) for i, ngram in enumerate(rows["ngram"])}
    covered_axis(figure, "y", hover, labels, font=11)
    figure.update_layout(
        xaxis={"title": {"text": _axis(result)}, "zeroline": True, "zerolinecolor": palette(mode).muted},
        annotations=_counts(rows["count"].tolist(), mode),
    )
    whole = bool(result.exact[: len(rows)].all())
    notes = [] if whole else ["open dots: not every occurrence was measured"]
    return captions.dress(
        figure,
        mode=mode,
        title=title,
        subtitle=" · ".join(_subtitle(result, rows, source)),
        meta={
            "kind": "reverse_query",
            **captions.source_meta(source),
            "neurons": [str(neuron) for neuron in result.neurons],
            "sign": result.sign,
            "tokens": result.tokens,
        },
        notes=notes,
        height=height or captions.TOP + captions.BOTTOM + max(90, ROW * len(rows)),
    )


def _title(result: ReverseQuery, name: str) -> str:
    whose = name or (str(result.neurons[0]) if len(result.neurons) == 1 else f"{len(result.neurons):,} neurons")
    return f"What excites {whose}" if result.sign == "+" else f"What makes {whose} negative"


def _nothing(result: ReverseQuery) -> str:
    if result.without_effect == len(result.neurons):
        return "No token has an effect that can be told from chance, and no n-gram recurs where it is strongest."
    return "No token or n-gram of these lengths lies above the mean."


def _dots(result: ReverseQuery, rows: pd.DataFrame, mode: Mode) -> go.Scatter:
    colours = palette(mode)
    colour = colours.positive if result.sign == "+" else colours.negative
    mean = rows["mean"].to_numpy(np.float32)
    half = (rows["high"] - rows["mean"]).to_numpy(np.float32)
    exact = result.exact[: len(rows)]
    return go.Scatter(
        x=mean,
        y=np.arange(len(rows), dtype=np.int32),
        mode="markers",
        error_x={"array": half, "color": colour, "thickness": 2, "width": 0},
        marker={
            "size": 9,
            "color": [colour if whole else colours.paper for whole in exact.tolist()],
            "line": {"width": 2, "color": colour},
        },
        hovertemplate="%{y}<extra></extra>",
        showlegend=False,
    )


def _label(ngram: str) -> str:
    """An n-gram whose tokens can neither hide nor act; they hold no spaces of their own."""
    return " ".join(visible(token, LABEL) for token in ngram.split(" "))


def _hover(row: dict[Any, Any]) -> str:
    number = captions.figure_of
    lines = [
        " ".join(visible(token) for token in row["ngram"].split(" ")),
        f"mean {number(row['mean'])}, 90 % between {number(row['low'])} and {number(row['high'])}",
        f"largest {number(row['max'])} · z {number(row['z'])} · lift {number(row['lift'])}",
        f"{captions.count(row['count'], 'occurrence')} · {row['share']:.0%} of the strong positions",
        f"from: {row['source']}",
    ]
    return "<br>".join(lines)


def _axis(result: ReverseQuery) -> str:
    sign = "" if result.sign == "+" else "−"
    if result.unit == "z":
        return f"{sign}activation, in standard deviations from each neuron's mean"
    return f"{sign}activation"


def _counts(counts: list[int], mode: Mode) -> list[dict[str, Any]]:
    common = {"x": 1, "xref": "paper", "xanchor": "left", "xshift": 6, "yref": "y", "showarrow": False}
    font = {"size": 11, "color": palette(mode).muted}
    return [{**common, "y": place, "text": f"n = {count:,}", "font": font} for place, count in enumerate(counts)]


def _subtitle(result: ReverseQuery, rows: pd.DataFrame, source: Source | None) -> list[str]:
    shown = f"{len(rows):,} of {len(result.table):,} n-grams" if len(rows) < len(result.table) else "all found"
    parts = [shown, "mean and 90 % interval", captions.count(result.tokens, "counted token")]
    return [source.model, *parts, source.precision] if source else parts
