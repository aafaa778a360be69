"""The tokens a neuron answers to most, before and after: who kept a place, who gained one, who lost it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from neuronscope.figures import captions
from neuronscope.figures.drift_words import dressed, drift_said, own_floor
from neuronscope.figures.theme import Mode, palette, visible
from neuronscope.series.drift import Drift
from neuronscope.vocabulary import Neuron

ROW = 21
"""Pixels for each rank."""
LABEL = 16
"""The most columns of text that a token's label takes."""


def drift_tokens(
    drift: Drift,
    neuron: Neuron,
    checkpoint: str | int,
    sign: str = "+",
    *,
    mode: Mode = "light",
    height: int | None = None,
) -> go.Figure:
    """The 20 tokens of highest mean (for `-` of lowest) in the base and in a checkpoint, joined where they are in both.

    Blue tokens were lost and orange ones gained; under the mouse stand their means.
    """
    after = drift.checkpoint(checkpoint).label
    title = f"Tokens of {neuron}{'' if sign == '+' else ' below zero'}, base and {after}"
    table = drift_tokens_table(drift, neuron, checkpoint, sign)
    if table.empty:
        return captions.empty("No token moves it on this side of zero.", mode, title=title)
    own = palette(mode)
    colours = {"kept": own.muted, "lost": own.blues[3], "gained": own.oranges[3]}
    figure = go.Figure()
    for fate, colour in colours.items():
        rows = table[table["fate"] == fate].to_dict("records")
        if rows:
            figure.add_trace(_lines(rows, fate, colour))
    labels = [
        _label(row, side, colours[row["fate"]])
        for row in table.to_dict("records")
        for side, name in enumerate(("before", "after"))
        if np.isfinite(row[name])
    ]
    ranks = int(np.nanmax(table[["before", "after"]].to_numpy()))
    counts = table["fate"].value_counts()
    figure.update_layout(
        annotations=labels,
        xaxis={
            "range": [-0.6, 1.6],
            "tickvals": [0, 1],
            "ticktext": ["base", captions.plain(after)],
            "showgrid": False,
            "zeroline": False,
            "side": "top",
            "tickfont": {"size": 12, "color": own.ink},
        },
        yaxis={"range": [ranks + 0.7, 0.3], "visible": False},
    )
    figure = dressed(
        figure,
        drift,
        "drift_tokens",
        mode=mode,
        title=title,
        parts=[", ".join(f"{int(counts.get(fate, 0))} {fate}" for fate in colours)],
        notes=[
            drift_said(drift, neuron, checkpoint),
            *own_floor(drift, neuron, checkpoint),
            "blue: lost · orange: gained",
        ],
        height=height or captions.TOP + 24 + ROW * ranks + 24,
        headroom=22,
        neuron=str(neuron),
        checkpoint=after,
        sign=sign,
    )
    return figure.update_layout(margin={"b": 24})


def drift_tokens_table(drift: Drift, neuron: Neuron, checkpoint: str | int, sign: str = "+") -> pd.DataFrame:
    """What `drift_tokens` draws: each token that is among the 20 of either, with its ranks and means, and its fate.

    Ranks start at 1; rank and mean are NaN where it is not among the 20.
    """
    had, has = (drift.token_means(neuron, one, sign) for one in (0, checkpoint))
    ranks = [{token: rank for rank, token in enumerate(means, 1)} for means in (had, has)]
    rows = [
        {
            "token": drift.corpus.display(token),
            "fate": "kept" if token in had and token in has else "lost" if token in had else "gained",
            "before": ranks[0].get(token, np.nan),
            "after": ranks[1].get(token, np.nan),
            "mean_before": had.get(token, np.nan),
            "mean_after": has.get(token, np.nan),
        }
        for token in dict.fromkeys((*had, *has))
    ]
    return pd.DataFrame(rows, columns=["token", "fate", "before", "after", "mean_before", "mean_after"])


def _lines(rows: list[dict[Any, Any]], fate: str, colour: str) -> go.Scatter:
    """The tokens of one fate: points, joined where there are two of a token."""
    ranks = np.array([[row["before"], row["after"], np.nan] for row in rows], np.float32)
    return go.Scatter(
        x=np.tile(np.array([0, 1, np.nan], np.float32), len(rows)),
        y=ranks.ravel(),
        mode="lines+markers",
        name=fate,
        line={"color": colour, "width": 1.2},
        marker={"color": colour, "size": 6},
        customdata=[said for row in rows for said in (_said(row), _said(row), "")],
        hovertemplate="%{customdata}<extra></extra>",
    )


def _label(row: dict[Any, Any], side: int, colour: str) -> dict[str, Any]:
    name = ("before", "after")[side]
    mark = f"{row[name]:.0f}"
    token = visible(row["token"], LABEL)
    return {
        "x": side,
        "y": row[name],
        "text": f"{token}  {mark}" if side == 0 else f"{mark}  {token}",
        "xanchor": "left" if side else "right",
        "xshift": 9 if side else -9,
        "showarrow": False,
        "font": {"size": 12, "color": colour},
    }


def _said(row: dict[Any, Any]) -> str:
    lines = [f"<b>{visible(row['token'], 40)}</b>"]
    for name, place, mean in (("base", "before", "mean_before"), ("after", "after", "mean_after")):
        known = np.isfinite(row[place])
        lines.append(f"{name}: rank {row[place]:.0f}, mean {captions.figure_of(row[mean])}" if known else f"{name}: –")
    return "<br>".join(lines)
