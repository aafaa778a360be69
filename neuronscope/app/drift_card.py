"""One neuron before and after: what its drift is made of, its weights, and the examples it gained and lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from dash import html

from neuronscope.app.examples import example_list, number
from neuronscope.app.parts import choices, go, heading
from neuronscope.app.tokens import scale_legend
from neuronscope.figures.animation import PART_COLOURS, PARTS
from neuronscope.vocabulary import Neuron

if TYPE_CHECKING:
    from neuronscope.app.drift_asking import Look
    from neuronscope.figures.theme import Mode
    from neuronscope.vocabulary import Example

SIGNS = {"+": "Above zero", "-": "Below zero"}
_WEIGHTS = ("Reads", "Gate reads", "Writes")
_EVENTS = {
    "born": "It was born: it never varied in the base.",
    "died": "It died: it varies no more.",
    "swapped": "It was swapped: {partner} now does what it did, and it does what {partner} did.",
    "taken over": "{partner} is now more like what it was than it is itself.",
}


def head(look: Look) -> list[Any]:
    """Whose card it is, and how much it drifted, told from what it is to be told from."""
    neuron, found = look.neuron, record(look)
    parts = [
        f"D {number(float(found['drift']))}, 95 % from {number(float(found['low']))} to {number(float(found['high']))}"
    ]
    above = "above" if found["above"] else "within"
    parts += [f"{above} its noise floor of {number(float(found['floor']), 2)}"]
    if found["control"] >= 0:
        sure = "" if found["excess_low"] > 0 else ", which may be chance"
        parts += [f"{number(float(found['excess']))} more than in the control{sure}"]
    return heading(f"{neuron}, before and after", " · ".join(parts))


def tools(look: Look) -> list[Any]:
    """Which side of zero its examples and tokens are of, and the way to its own page."""
    neuron = look.neuron
    opens = go(f"Open {neuron}", kind="outlined", view="neuron", layer=neuron.layer, neuron=neuron.index)
    return [choices("sign", "Side of zero", SIGNS, look.selection.sign), opens]


def record(look: Look) -> np.void:
    """What is known of the neuron in the checkpoint."""
    found: np.void = look.drift.records(look.place)[look.drift.row(look.neuron)]
    return found


def facts(look: Look, mode: Mode) -> list[Any]:
    """What its drift is made of, what became of it, and how far its weights moved."""
    found = record(look)
    event = str(look.drift.events(look.place)[look.drift.row(look.neuron)])
    partner = Neuron(look.neuron.layer, max(int(found["partner"]), 0))
    became = [html.P(_EVENTS[event].format(partner=partner), className="drift-event")] if event else []
    own = bool(look.drift.reweighted(look.place)[look.drift.row(look.neuron)])
    return [_parts(found, mode), *became, _weights(found, own=own)]


def _parts(found: np.void, mode: Mode) -> Any:
    values = [float(found[name]) for name in PARTS]
    whole = sum(values) or 1.0
    said = [f"{name} {number(value)} ({value / whole:.0%})" for name, value in zip(PARTS, values, strict=True)]
    pieces = [
        html.Span(style={"width": f"{value / whole:.2%}", "--sense": colour}, title=words)
        for value, colour, words in zip(values, PART_COLOURS[mode], said, strict=True)
    ]
    bar = html.Div(pieces, className="poly-shares", role="img", **{"aria-label": f"Drift is {', '.join(said)}"})
    named = [
        html.Li([html.Span(className="swatch", style={"background": colour}), words])
        for colour, words in zip(PART_COLOURS[mode], said, strict=True)
    ]
    return html.Div([bar, html.Ul(named, className="drift-parts")])


def _weights(found: np.void, *, own: bool) -> Any:
    moved, cosines, bias = found["weights"], found["cosines"], float(found["bias"])
    rows = [
        html.Div([html.Dt(name), html.Dd(f"moved {number(float(by))}, cosine {number(float(cosine), 4)}")])
        for name, by, cosine in zip(_WEIGHTS, moved, cosines, strict=True)
        if np.isfinite(by)
    ]
    rows.append(html.Div([html.Dt("Bias"), html.Dd(f"moved by {number(bias)}")]))
    said = (
        "Its own weights changed: by |w′ − w| / |w|, norms folded in."
        if own
        else "Its own weights are the same: it changed because earlier layers feed it something else."
    )
    return html.Div([html.Dl(rows, className="facts inline"), html.P(said, className="caption")])


def examples(look: Look) -> list[Any]:
    """The contexts it gained, lost and kept among its ten strongest, on one scale of colours."""
    sign = look.selection.sign
    changed = look.drift.changed(look.neuron, look.place, sign)
    every = (*changed.gained, *changed.lost, *changed.kept)
    limit = max((abs(one.value) for one in every), default=0.0)
    after = look.checkpoint.label
    lists = (
        ("Gained", f"among its ten strongest in {after}, not in the base", changed.gained),
        ("Lost", f"among its ten strongest in the base, not in {after}", changed.lost),
        ("Kept", f"among both, as they are in {after}", changed.kept),
    )
    shown = [_list(title, said, found, limit) for title, said, found in lists if found or title != "Kept"]
    return [html.Div(scale_legend(limit, "activation"), className="drift-scale"), *shown] if limit else shown


def _list(title: str, said: str, found: Sequence[Example], limit: float) -> Any:
    count = f"{len(found)} context{'' if len(found) == 1 else 's'} {said}"
    listed = [html.Div(example_list(found, limit), className="contexts")] if found else []
    top = html.Div(html.Div(heading(f"{title} examples", count), className="card-title"), className="card-head")
    return html.Section([top, *listed], className="panel")
