"""What a neuron's weights tell, as panels of the Neuron view: the tokens it reads and writes, the neurons alike."""

from __future__ import annotations

from collections.abc import Mapping
from math import log, sqrt
from typing import Any

from dash import html

from neuronscope.app.lists import facts, neuron_list, number, score_list
from neuronscope.app.parts import heading, icon
from neuronscope.vocabulary import ModelCard, Neuron, NeuronWeights

AT_ONCE = 200_000_000
"""Weights of a projection over all layers that are compared without being asked for: half a second's work."""
_TITLES = {"read": "Reads alike", "gate": "Gate reads alike", "write": "Writes alike"}


def weights(found: NeuronWeights) -> Any:
    """The tokens at either end of what it reads and writes, and the lengths of its weights."""
    gate = []
    if found.gate_reads_most:
        gate = [_pair("Gate reads", found.gate_reads_most, found.gate_reads_least, "excite the gate", "inhibit it")]
    through = " through up" if gate else ""
    writes = [_writes(found)] if found.promotes else [html.P(_WRITES_NOTHING, className="caption weights-part")]
    reads = _pair(f"Reads{through}", found.reads_most, found.reads_least, "excite it", "inhibit it")
    title = heading("Weights", "The direct path only, not behaviour.")
    top = html.Div(html.Div(title, className="card-title"), className="card-head")
    return html.Section([top, *gate, reads, *writes, _lengths(found)], className="panel weights")


def ways(model: ModelCard) -> tuple[str, ...]:
    """The ways in which neurons of a model are compared by their weights."""
    return ("read", "gate", "write") if model.gated else ("read", "write")


def is_much(model: ModelCard) -> bool:
    """Whether comparing a neuron's weights with all others takes long enough to be asked for."""
    return model.layers * model.neurons * model.width > AT_ONCE


def alike_panel(place: str, button: str) -> Any:
    """Where the neurons alike go, and what asks for them in a model where that takes a while."""
    ask = html.Button([icon("play-fill"), "Compare"], id=button, type="button", className="press outlined", hidden=True)
    return html.Section([html.H3("Nearest by weights"), html.Div(id=place), ask], className="panel kin-weights")


def alike(model: ModelCard, found: Mapping[str, list[tuple[Neuron, float]]]) -> list[Any]:
    """The neurons whose weights are most like a neuron's, or most opposed, by each of `ways`."""
    # The largest |cosine| of N random directions with a given one is about sqrt(2 ln N / width).
    chance = min(sqrt(2 * log(model.layers * model.neurons) / model.width), 1)
    said = f"cosine of the weights, norms folded in; of random weights the nearest would have ±{chance:.2f}"
    lists = [
        neuron_list(_TITLES[by], None if rows else _NO_WEIGHTS, [(str(other), cosine, other) for other, cosine in rows])
        for by, rows in found.items()
    ]
    return [html.P(said, className="caption"), html.Div(lists, className="columns")]


def not_yet(model: ModelCard) -> Any:
    """What stands in the place of the neurons alike until they are asked for."""
    said = f"Comparing a neuron of this model with its {model.layers * model.neurons:,} others takes a while."
    return html.P(said, className="caption")


_NO_WEIGHTS = "Its own are all 0."
_WRITES_NOTHING = "The model predicts no next token: there is none that this neuron promotes or suppresses."


def _writes(found: NeuronWeights) -> Any:
    shape = f"over the vocabulary: kurtosis {number(found.write_kurtosis)}, skewness {number(found.write_skewness)}"
    caption = html.P(shape, className="caption")
    return _pair("Writes", found.promotes, found.suppresses, "promoted", "suppressed", caption)


def _pair(title: str, most: Any, least: Any, high: str, low: str, caption: Any = None) -> Any:
    lists = html.Div([score_list(high, most), score_list(low, least)], className="pair")
    return html.Div([html.H3(title), caption, lists], className="weights-part")


def _lengths(found: NeuronWeights) -> Any:
    gate = [("|w gate|", number(found.norm_gate))] if found.norm_gate is not None else []
    shown = [
        ("|w in|", number(found.norm_in)),
        *gate,
        ("|w out|", number(found.norm_out)),
        ("bias", number(found.bias)),
    ]
    return facts(shown, "facts inline")
