"""Polysemanticity drawn: a neuron's contexts in the plane, its senses as shares, and how many senses layers have.

A sense is a way to fire: contexts whose inputs push the neuron alike. Each has a colour and a shape, the smaller
clusters of contexts are grey.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from neuronscope.analysis.polysemanticity import VERDICTS, Polysemanticity, Sense
from neuronscope.figures import captions
from neuronscope.figures.theme import Mode, palette, visible
from neuronscope.vocabulary import Example, Neuron, Source

SHAPES = ("circle", "square", "diamond", "triangle-up", "cross", "star", "pentagon", "hexagram", "triangle-down", "x")
"""The shape of each sense on the map, one for each there can be."""
_BEFORE, _AFTER = 8, 4


def sense_colour(sense: int, mode: Mode) -> str:
    """The colour of a sense, counted from 0; the shapes tell apart those that share one."""
    series = palette(mode).series[:-1]
    return series[sense % len(series)]


def sense_map(
    poly: Polysemanticity,
    neuron: Neuron,
    sign: str = "+",
    *,
    contexts: Sequence[Example] = (),
    source: Source | None = None,
    mode: Mode = "light",
    height: int = 420,
) -> go.Figure:
    """The contexts of a neuron in the plane: near each other where the inputs push it alike.

    The axes are the first two principal components of the contribution vectors, each of length 1. A point's colour and
    shape is its sense, its area the activation, and under the mouse stands its text: of `contexts`
    (`index.contexts(positions)`) where they are given, else the tokens that lead up to it.
    """
    title = f"Contexts of {neuron}{_side(sign)}, by what pushes it"
    record = poly.of(neuron, sign)
    if record["verdict"] != 0:
        return captions.empty(why_not_scored(record), mode, title=title)
    table = sense_map_table(poly, neuron, sign)
    known = {one.position: one for one in contexts}
    said = [_said(poly, known, row) for row in table.to_dict("records")]
    size = 4 + 11 * np.sqrt(np.abs(table["activation"]) / np.abs(table["activation"]).max())
    senses = poly.senses(neuron, sign)
    figure = go.Figure()
    for number in sorted(set(table["sense"]), reverse=True):
        own = np.flatnonzero(table["sense"] == number)
        figure.add_trace(
            go.Scatter(
                x=table["x"].to_numpy(np.float32)[own],
                y=table["y"].to_numpy(np.float32)[own],
                mode="markers",
                name=_legend(senses, int(number)),
                legendrank=int(number) or 99,
                customdata=[[said[i], int(table["position"][i])] for i in own.tolist()],
                hovertemplate="%{customdata[0]}<extra></extra>",
                marker={**_marker(int(number), mode), "size": size.to_numpy(np.float32)[own], "opacity": 0.8},
            )
        )
    axis = {"zeroline": True, "showticklabels": False}
    figure.update_layout(
        xaxis={**axis, "title": {"text": "first principal component"}},
        yaxis={**axis, "title": {"text": "second principal component"}, "scaleanchor": "x"},
        showlegend=True,
        legend={"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0, "itemsizing": "constant"},
    )
    n, strong = len(table), int(record["strong"])
    parts = [f"{n} of {strong:,} strong contexts, one a window", read_over(poly, record), "area: activation"]
    return captions.dress(
        figure,
        mode=mode,
        title=title,
        subtitle=_subtitle(source, parts),
        meta={**_meta("sense map", source, poly), "neuron": str(neuron), "sign": sign, "contexts": n},
        height=height,
        headroom=24,
    )


def sense_map_table(poly: Polysemanticity, neuron: Neuron, sign: str = "+") -> pd.DataFrame:
    """What `sense_map` draws: of each context its position, token, activation, sense (1 on; 0: smaller) and place."""
    record = poly.of(neuron, sign)
    n = int(record["contexts"])
    labels, positions = record["labels"][:n].astype(np.int64), record["positions"][:n].astype(np.int64)
    ids = np.asarray(poly.ids[positions])
    return pd.DataFrame(
        {
            "position": positions,
            "token": [poly.shown[int(token)] for token in ids],
            "activation": record["values"][:n].astype(np.float64),
            "sense": np.where(labels < int(record["modes"]), labels + 1, 0),
            "x": record["points"][:n, 0].astype(np.float64),
            "y": record["points"][:n, 1].astype(np.float64),
        }
    )


def sense_shares(
    poly: Polysemanticity,
    neurons: Neuron | Sequence[Neuron],
    sign: str = "+",
    *,
    source: Source | None = None,
    mode: Mode = "light",
    height: int | None = None,
) -> go.Figure:
    """Each neuron's activation as one bar, divided among its senses; the smaller clusters of contexts come last."""
    asked = [neurons] if isinstance(neurons, Neuron) else list(neurons)
    title = f"Senses of {asked[0]}{_side(sign)}" if len(asked) == 1 else f"Senses of {len(asked):,} neurons"
    scored = [neuron for neuron in asked if poly.of(neuron, sign)["verdict"] == 0]
    if not scored:
        said = why_not_scored(poly.of(asked[0], sign)) if asked else "No neuron was named."
        return captions.empty(said, mode, title=title)
    figure = go.Figure()
    for row, neuron in enumerate(scored):
        found = poly.senses(neuron, sign)
        shown = found[: int(poly.of(neuron, sign)["modes"])]
        rest = 1 - sum(sense.share for sense in shown)
        parts = [(i + 1, sense.share, _tokens(sense)) for i, sense in enumerate(shown)]
        parts += [(0, rest, f"{len(found) - len(shown)} smaller")] if len(found) > len(shown) else []
        for number, share, label in parts:
            figure.add_bar(
                x=[share],
                y=[row],
                orientation="h",
                text=label if share > 0.12 else "",
                insidetextanchor="middle",
                marker={"color": _marker(number, mode)["color"], "line": {"width": 1, "color": palette(mode).paper}},
                textfont={"color": palette(mode).paper, "size": 11},
                hovertext=f"{neuron}<br>{label}<br>{share:.0%} of its activation",
                hoverinfo="text",
                textangle=0,
            )
    figure.update_layout(
        barmode="stack",
        xaxis={"tickformat": ".0%", "range": [0, 1], "title": {"text": "share of the activation over its contexts"}},
        yaxis={
            "tickvals": list(range(len(scored))),
            "ticktext": [str(neuron) for neuron in scored],
            "range": [len(scored) - 0.5, -0.5],
            "showgrid": False,
        },
    )
    left_out = len(asked) - len(scored)
    return captions.dress(
        figure,
        mode=mode,
        title=title,
        subtitle=_subtitle(source, [read_over(poly, poly.of(scored[0], sign)), "a sense has 10 % or more"]),
        meta={**_meta("sense shares", source, poly), "neurons": [str(neuron) for neuron in scored], "sign": sign},
        notes=[f"{captions.count(left_out, 'neuron')} not scored and left out"] if left_out else [],
        height=height or captions.TOP + captions.BOTTOM + 46 * len(scored),
    )


def senses_by_layer(
    poly: Polysemanticity, *, source: Source | None = None, mode: Mode = "light", height: int = 360
) -> go.Figure:
    """The effective number of senses of each layer's scored neurons: a violin with its quartiles, on a scale of powers.

    Under each layer stands how many of its neurons were scored.
    """
    title = "Senses by layer"
    table = senses_by_layer_table(poly)
    if not table["scored"].sum():
        return captions.empty("No neuron has been scored yet: survey the model first.", mode, title=title)
    records = poly.records[poly.records["verdict"] == 0]
    logs = np.log2(np.maximum(records["effective"], 1)).astype(np.float32)
    colours = palette(mode)
    figure = go.Figure()
    for layer in table["layer"][table["scored"] > 0]:
        figure.add_violin(
            y=logs[records["layer"] == layer],
            x0=int(layer),
            name="",
            points=False,
            spanmode="hard",
            scalemode="width",
            width=0.8,
            line={"color": colours.series[0], "width": 1.2},
            box={"visible": True, "width": 0.25},
            hoverinfo="skip",
        )
    figure.add_scatter(
        x=table["layer"],
        y=np.log2(np.maximum(table["median"].fillna(1).to_numpy(np.float32), 1)),
        mode="markers",
        marker={"color": colours.accent, "size": 7},
        customdata=[_layer_said(row) for row in table.to_dict("records")],
        hovertemplate="%{customdata}<extra></extra>",
    )
    top = int(np.ceil(max(float(logs.max()), 1)))
    layers = table["layer"].tolist()
    dense = len(layers) > 12
    figure.update_layout(
        violinmode="overlay",
        xaxis={
            "title": {"text": "layer" if dense else "layer, and how many of its neurons were scored"},
            "tickvals": layers[:: 2 if dense else 1],
            "ticktext": [
                str(row["layer"]) if dense else f"{row['layer']}<br>n = {row['scored']:,}"
                for row in table.to_dict("records")
            ][:: 2 if dense else 1],
            "showgrid": False,
            "range": [min(layers) - 0.6, max(layers) + 0.6],
        },
        yaxis={
            "title": {"text": "effective number of senses"},
            "tickvals": list(range(top + 1)),
            "ticktext": [str(2**i) for i in range(top + 1)],
            "range": [-0.15, top + 0.1],
            "zeroline": False,
        },
    )
    n = int(table["scored"].sum())
    return captions.dress(
        figure,
        mode=mode,
        title=title,
        subtitle=_subtitle(
            source, [f"{n:,} of {len(poly.records):,} scored", f"{poly.tokens:,} tokens", "dot: median"]
        ),
        meta={**_meta("senses by layer", source, poly), "scored": n},
        height=height,
    )


def senses_by_layer_table(poly: Polysemanticity) -> pd.DataFrame:
    """What `senses_by_layer` draws: of each layer the number of neurons of each verdict, and quartiles of N_eff."""
    rows = []
    for layer in np.unique(poly.records["layer"]).tolist():
        own = poly.records[poly.records["layer"] == layer]
        scored = own["effective"][own["verdict"] == 0]
        low, median, high = np.quantile(scored, (0.25, 0.5, 0.75)) if len(scored) else (np.nan,) * 3
        counts = np.bincount(own["verdict"], minlength=len(VERDICTS)).tolist()
        numbers = {"low": float(low), "median": float(median), "high": float(high)}
        rows.append({"layer": layer, **dict(zip(VERDICTS, counts, strict=True)), **numbers})
    return pd.DataFrame(rows, columns=["layer", *VERDICTS, "low", "median", "high"])


def why_not_scored(record: np.void, token: str = "") -> str:
    """Why a neuron has no senses to show, in a sentence; empty if it was scored. `token` is the one it was read on."""
    verdict, strong = VERDICTS[int(record["verdict"])], int(record["strong"])
    return {
        "dense": "It is dense: strong on more than half of all tokens, so that its contexts are no occasions.",
        "too little evidence": f"Too little evidence: {captions.count(strong, 'strong context')}, and 20 are needed.",
        "never fires": f"It does not fire on {token}." if token else "It never fires on this side of zero.",
    }.get(verdict, "")


def read_over(poly: Polysemanticity, record: np.void) -> str:
    """What a record was found in, in words."""
    if poly.token is not None:
        return f"occurrences of {poly.shown[poly.token]}, about what they share"
    return "windows that the index has kept" if record["of_index"] else f"{poly.tokens:,} tokens read again"


def _said(poly: Polysemanticity, known: dict[int, Example], row: dict[Any, Any]) -> str:
    position = int(row["position"])
    if one := known.get(position):
        tokens, peak = one.tokens, one.peak
    else:
        ids = np.asarray(poly.ids[max(position - _BEFORE, 0) : position + 1])
        tokens, peak = tuple(poly.shown[int(token)] for token in ids), len(ids) - 1
    before = "".join(visible(token, 24) for token in tokens[max(peak - _BEFORE, 0) : peak])
    after = "".join(visible(token, 24) for token in tokens[peak + 1 : peak + 1 + _AFTER])
    which = f"sense {row['sense']}" if row["sense"] else "a smaller cluster"
    return f"{before}<b>{visible(tokens[peak], 24)}</b>{after}<br>{captions.figure_of(row['activation'])} · {which}"


def _legend(senses: Sequence[Sense], number: int) -> str:
    if not number:
        return "smaller"
    sense = senses[number - 1]
    return f"{number}: {_tokens(sense, 2)} ({sense.share:.0%})"


def _tokens(sense: Sense, count: int = 3) -> str:
    return " ".join(visible(token, 12) for token, _share in sense.tokens[:count])


def _marker(number: int, mode: Mode) -> dict[str, Any]:
    if not number:
        return {"color": palette(mode).muted, "symbol": "circle-open"}
    line = {"width": 0.5, "color": palette(mode).paper}
    return {"color": sense_colour(number - 1, mode), "line": line, "symbol": SHAPES[(number - 1) % len(SHAPES)]}


def _layer_said(row: dict[Any, Any]) -> str:
    others = [f"{row[name]:,} {name}" for name in VERDICTS[1:] if row[name]]
    number = captions.figure_of
    return "<br>".join(
        [
            f"layer {row['layer']}: {row['scored']:,} scored",
            f"median {number(row['median'])}, half of them from {number(row['low'])} to {number(row['high'])}",
            *([" · ".join(others)] if others else []),
        ]
    )


def _side(sign: str) -> str:
    return "" if sign == "+" else " below zero"


def _meta(kind: str, source: Source | None, poly: Polysemanticity) -> dict[str, Any]:
    return {"kind": kind, **captions.source_meta(source), "tokens": poly.tokens}


def _subtitle(source: Source | None, parts: list[str]) -> str:
    return " · ".join([source.model, *parts, source.precision] if source else parts)
