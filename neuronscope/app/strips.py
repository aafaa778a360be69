"""Token strips: a text coloured by a layer's strongest unit or by one neuron."""

from __future__ import annotations

from typing import Any

import numpy as np
from dash import html
from jaxtyping import Float

from neuronscope.app.parts import card, choices, heading
from neuronscope.app.selection import Selection
from neuronscope.app.tokens import scale_legend, token_strip
from neuronscope.vocabulary import Activations, Neuron, Site


def text_strips(activations: list[Activations], selection: Selection, layer: int) -> Any:
    """One or two texts on one colour scale, by the layer's peak or, if one was chosen, by a neuron."""
    first = activations[0]
    neuron = chosen_neuron(first, selection, layer)
    by_neuron = neuron is not None and selection.colour == "neuron"
    values = [a.neuron(neuron) if by_neuron and neuron else peaks(a.layer(layer)) for a in activations]
    limit = strongest(activations, values)
    unit = f"activation of {neuron}" if by_neuron else f"the strongest of layer {layer} at each token"
    tools = [scale_legend(limit, unit)]
    if neuron is not None:
        options = {"peak": "Layer's peak", "neuron": str(neuron)}
        tools.insert(0, choices("colour", "Colour the tokens by", options, selection.colour))
    strips = lettered(activations, values, limit, selection)
    return card(heading("Tokens", _counting(activations)), *strips, tools=tools, name="tokens")


def lettered(
    activations: list[Activations], values: list[Float[np.ndarray, " tokens"]], limit: float, selection: Selection
) -> list[Any]:
    """A strip for each of one or two readings, under its letter, all on the scale of ±`limit`."""
    return [
        html.Div([*_letter(i, activations), _strip(a, v, limit, i, selection)], className="lettered")
        for i, (a, v) in enumerate(zip(activations, values, strict=True))
    ]


def _counting(activations: list[Activations]) -> str:
    """What counts, once for all that is drawn of the texts, and how a long one was read."""
    dashed = "Dashed: the first token and special ones, which set no maxima, colours or statistics if there are others."
    long = {read_in_windows(one) for one in activations} - {""}
    return " ".join([*long, dashed])


def read_in_windows(activations: Activations) -> str:
    """That a text is longer than the model's context, if it is."""
    if activations.window is None:
        return ""
    tokens, window = len(activations.tokens), activations.window
    return f"{tokens:,} tokens, where the model reads {window:,}: read in half-overlapping windows of {window:,}."


def peaks(layer: Float[np.ndarray, "tokens neurons"]) -> Float[np.ndarray, " tokens"]:
    """At each token the value of the unit with the largest magnitude, sign kept."""
    whose = np.abs(layer).argmax(axis=1)
    return np.asarray(layer[np.arange(len(layer)), whose])


def strongest(activations: list[Activations], values: list[Float[np.ndarray, " tokens"]]) -> float:
    """The largest magnitude at the tokens that count: where the colours end, on either side of zero."""
    counted = [v[a.tokens.kept] if a.tokens.kept.any() else v for a, v in zip(activations, values, strict=True)]
    return float(max((np.abs(v).max() for v in counted if v.size), default=0.0))


def chosen_neuron(activations: Activations, selection: Selection, layer: int) -> Neuron | None:
    """The neuron the visitor chose, where the site has neurons."""
    if selection.neuron is None or activations.site in (Site.RESIDUAL, Site.ATTENTION):
        return None
    return Neuron(layer, selection.neuron)


def _strip(
    activations: Activations, values: Float[np.ndarray, " tokens"], limit: float, i: int, selection: Selection
) -> Any:
    """The strip of one of the texts; a press on the text that is not looked at chooses it too."""
    here = selection.of_second == (i == 1)
    side = None if here else "ab"[i]
    return token_strip(activations.tokens, values, limit=limit, locked=selection.position if here else None, side=side)


def _letter(i: int, activations: list[Activations]) -> list[Any]:
    """Which of two readings it is, and by which model where they are of two."""
    if len(activations) == 1:
        return []
    names = [one.source.model for one in activations]
    said = [html.Small(names[i])] if len({one.source for one in activations}) > 1 else []
    return [html.Span(["AB"[i], *said], className="letter")]
