"""The token strip: a text as tokens, coloured by what a layer or a neuron does on each.

Token text is only ever given to the browser as text nodes inside `<bdi>`.
"""

from __future__ import annotations

import json

import numpy as np
from dash import html
from jaxtyping import Float

from neuronscope.app.parts import Part
from neuronscope.vocabulary import Tokens


def token_strip(
    tokens: Tokens,
    values: Float[np.ndarray, " tokens"],
    *,
    limit: float,
    locked: int | None = None,
    marks: str | None = None,
    side: str | None = None,
) -> Part:
    """The text as tokens, coloured by `values` on a scale of ±`limit`; pressing one locks it.

    Tokens that hold parts of one character stand in one box, with the strongest of their values. `marks` is the id of a
    histogram whose marker follows the token under the mouse; `side` is which of two texts a press also chooses.
    """
    boxes: list[Part] = []
    for run in tokens.characters:
        boxes.append(_token(tokens, run, values, limit, locked, side))
        if tokens.display[run.stop - 1].endswith("↵"):
            boxes.append(html.Br())
    more = {"data-marks": marks} if marks else {}
    return html.Div(boxes, className="strip", role="group", **{"aria-label": "The text as tokens"}, **more)


def _token(
    tokens: Tokens,
    run: range,
    values: Float[np.ndarray, " tokens"],
    limit: float,
    locked: int | None,
    side: str | None,
) -> Part:
    strongest = max(run, key=lambda i: abs(values[i]))
    value, last = float(values[strongest]), run.stop - 1
    pressed = locked is not None and locked in run
    ids = ", ".join(str(int(tokens.ids[i])) for i in run)
    place = f"{run.start}" if len(run) == 1 else f"{run.start} to {last}"
    leads = {"position": last, **({"side": side} if side else {})}
    said = f"{value:.4g}".replace("-", "−")
    silent = "" if tokens.kept[last] else "\nleft out of maxima: the first token, or a special one"
    return html.Button(
        html.Bdi(tokens.shown(run)),
        type="button",
        className=" ".join(("token", *_shade(value, limit), *(() if tokens.kept[last] else ("unkept",)))),
        style={"--strength": round(min(abs(value) / limit, 1.0) if limit else 0.0, 3)},
        title=f"{tokens.shown(run)}\nposition {place} · id {ids}\nvalue {said}{silent}",
        **{"data-go": json.dumps(leads), "data-value": f"{value:.6g}", "aria-pressed": str(pressed).lower()},
    )


def _shade(value: float, limit: float) -> tuple[str, ...]:
    share = abs(value) / limit if limit else 0.0
    sign = "positive" if value > 0 else "negative"
    return (sign, *(("clipped",) if share > 1.0001 else ()))


def scale_legend(limit: float, unit: str) -> Part:
    """The colour scale of a strip: its two ends, 0 in the middle, and what it measures."""
    ends = [html.Span(f"−{limit:.3g}"), html.Span(className="scale-bar"), html.Span(f"+{limit:.3g}")]
    return html.Span([*ends, html.Span(unit, className="unit")], className="scale")
