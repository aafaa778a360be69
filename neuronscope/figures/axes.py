"""Axes of tokens and of units: every label readable, none upon another, the full text always there to hover.

Tokens stand at their positions, so that a token that occurs twice has two places. Plotly takes a label under the mouse
from an axis' own ticks; therefore the token axis carries the whole text of every token, unseen, and a second axis laid
over it shows as many shortened labels as there is room for.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go

from neuronscope.figures.captions import axis_title, lay_out, unit_name
from neuronscope.figures.grid import Columns
from neuronscope.figures.theme import Mode, palette, visible
from neuronscope.vocabulary import Activations, Tokens

Along = Literal["x", "y"]

LABEL = 18
"""The most columns of text that a token's label takes."""


def token_axis(figure: go.Figure, tokens: Tokens, along: Along, room: int, panel: int = 1) -> None:
    """Put `tokens` along x or y of a panel of `figure`, which is about `room` pixels long on the screen."""
    font, step = density(len(tokens), room, lines=1.25)
    shown = range(0, len(tokens), step)
    covered_axis(figure, along, token_hover(tokens), {i: token_label(tokens, i) for i in shown}, font, panel)


def layer_axis(figure: go.Figure, layers: tuple[int, ...], room: int) -> None:
    """Put `layers` on the y axis of `figure`, the first at the bottom, under their true numbers."""
    font, step = density(len(layers), room, lines=1.25)
    shown = first_to_last(len(layers), step)
    covered_axis(figure, "y", [str(layer) for layer in layers], {i: str(layers[i]) for i in shown}, font)
    upwards = [-0.5, len(layers) - 0.5]
    lay_out(figure, yaxis={"range": upwards}, yaxis51={"range": upwards, "title": {"text": "layer"}})


def first_to_last(places: int, step: int) -> list[int]:
    """Places `step` apart of which the first and the last are always two."""
    shown = list(range(0, places, step))
    if shown and shown[-1] != places - 1:
        shown[1 if len(shown) == 1 else -1 :] = [places - 1]
    return shown


def covered_axis(
    figure: go.Figure,
    along: Along,
    hover: list[str],
    labels: dict[int, str],
    font: int,
    panel: int = 1,
    start: int = 0,
) -> None:
    """An axis of numbered places: `hover` says what each is under the mouse, `labels` what stands at some of them.

    Along y they run from top to bottom. Those before `start` are not in view.
    """
    number = "" if panel == 1 else str(panel)
    cover = 50 + panel
    span = [start - 0.5, len(hover) - 0.5]
    common = {"range": span if along == "x" else span[::-1], "showgrid": False, "zeroline": False, "tickmode": "array"}
    unseen = {"tickvals": np.arange(len(hover)), "ticktext": hover, "showticklabels": False}
    seen = {
        "overlaying": f"{along}{number}",
        "matches": f"{along}{number}",
        "anchor": f"{'y' if along == 'x' else 'x'}{number}",
        "side": "left" if along == "y" else "bottom",
        "tickvals": np.array(list(labels)),
        "ticktext": list(labels.values()),
        "tickfont": {"size": font},
        "tickangle": 0 if along == "y" else -90,
        "automargin": True,
    }
    axes = {f"{along}axis{number}": {**common, **unseen}, f"{along}axis{cover}": {**common, **seen}}
    lay_out(figure, **axes)
    # An axis without a trace is not drawn: this one has nothing in it.
    on = {"xaxis": f"x{number}", "yaxis": f"y{number}", f"{along}axis": f"{along}{cover}"}
    figure.add_scatter(x=[None], y=[None], hoverinfo="skip", showlegend=False, **on)


def token_label(tokens: Tokens, position: int) -> str:
    """The short label of one token; in italics if it does not count in maxima."""
    label = visible(tokens.display[position], LABEL)
    return label if tokens.kept[position] else f"<i>{label}</i>"


def token_hover(tokens: Tokens) -> list[str]:
    """For each token its whole text, position and id, and whether it counts, as lines of a hover label."""
    kept = tokens.kept.tolist()
    special = tokens.special.tolist()
    lines = []
    for position, (text, token_id) in enumerate(zip(tokens.display, tokens.ids.tolist(), strict=True)):
        remark = (
            "" if kept[position] else "<br>not counted: " + ("special token" if special[position] else "first token")
        )
        lines.append(f"{visible(text)}<br>position {position} · id {token_id}{remark}")
    return lines


def density(places: int, room: int, lines: float) -> tuple[int, int]:
    """Font size in pixels, and every how many places a label stands, so that labels `lines` fonts high stay apart."""
    each = room / max(places, 1)
    for font in (11, 10, 9):
        if each >= font * lines:
            return font, 1
    return 9, int(np.ceil(9 * lines / each))


def unit_axis(activations: Activations, chosen: Columns, room: int) -> dict[str, Any]:
    """The x axis of `chosen` units: a line of true numbers where neighbours stand dense, else labels."""
    title = axis_title(activations) + (", in the order of the token each is strongest at" if chosen.by_token else "")
    common: dict[str, Any] = {"title": {"text": title}, "showgrid": False, "zeroline": False}
    x0, dx = places(chosen)
    wide = chosen.wide
    common["range"] = [x0 - dx / 2, x0 + dx * (wide - 0.5)]
    if dense(chosen):
        if not chosen.consecutive:
            return {
                **common,
                "title": {
                    "text": f"{title}: place in that order" if chosen.by_token else f"{title}: place in the order"
                },
                "tickangle": 0,
            }
        if activations.heads:
            return {**common, **_head_ticks(activations, chosen, room)}
        return {**common, "tickangle": 0}
    font, step = density(wide, room, lines=1.15)
    shown = np.arange(0, wide, step)
    return {
        **common,
        "tickmode": "array",
        "tickvals": shown,
        "ticktext": [_label(activations, index) for index in chosen.units[shown].tolist()],
        "tickfont": {"size": font},
        "tickangle": -90 if wide > 12 else 0,
    }


def places(chosen: Columns) -> tuple[float, float]:
    """Where the first column stands on `unit_axis`, and how far it is to the next."""
    if dense(chosen):
        first = int(chosen.units[0]) if chosen.consecutive else 0
        return first + (chosen.pool - 1) / 2, float(chosen.pool)
    return 0.0, 1.0


def dense(chosen: Columns) -> bool:
    """Whether columns stand too dense for a label each, so that the axis is a line of numbers."""
    return chosen.pool > 1 or (chosen.consecutive and chosen.wide > 64)


def _head_ticks(activations: Activations, chosen: Columns, room: int) -> dict[str, Any]:
    assert activations.heads
    width = activations.values.shape[-1] // activations.heads
    heads = np.arange(-(-int(chosen.units[0]) // width), int(chosen.units[-1]) // width + 1)
    font, step = density(len(heads), room, lines=2.6)
    return {
        "tickmode": "array",
        "tickvals": heads[::step] * width,
        "ticktext": [f"H{head}" for head in heads[::step].tolist()],
        "tickfont": {"size": font},
    }


def _label(activations: Activations, index: int) -> str:
    return unit_name(activations, 0, index).removeprefix("L0.").lstrip("DN")


def outline(figure: go.Figure, along: Along, place: int, mode: Mode, panel: int = 1) -> None:
    """Draw a frame round one row or column of a panel: what the reader has chosen."""
    figure.add_shape(frame(along, place, mode, panel))


def frame(along: Along, place: int, mode: Mode, panel: int = 1) -> dict[str, Any]:
    """The shape that `outline` draws."""
    across = "y" if along == "x" else "x"
    number = "" if panel == 1 else str(panel)
    return {
        "type": "rect",
        f"{along}ref": f"{along}{number}",
        f"{along}0": place - 0.5,
        f"{along}1": place + 0.5,
        f"{across}ref": f"{across}{number} domain",
        f"{across}0": 0,
        f"{across}1": 1,
        "line": {"color": palette(mode).accent, "width": 2},
    }
