"""Over the Neuron view: which neuron this is, the way to others, what it does in short, and its card to keep."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from dash import html

from neuronscope.analysis.statistics import neuron_statistics
from neuronscope.app.lists import facts, number
from neuronscope.app.neuron_corpus import corpus_facts
from neuronscope.app.parts import go, icon
from neuronscope.app.selection import Selection
from neuronscope.vocabulary import Activations, ModelCard, Neuron

if TYPE_CHECKING:
    from neuronscope.indexed import Index


def head(
    model: ModelCard, activations: Activations, neuron: Neuron, index: Index | None = None, link: str = "?"
) -> Any:
    """The neuron's name and its numbers on the text and, with an index, over the corpus; `link` is its address."""
    names = [html.Span(model.label, title=model.name, className="of"), html.Span(str(neuron), className="neuron-name")]
    return html.Section(
        [
            html.Div([html.H2(names), walk(model, neuron), _keeping(link)], className="who"),
            html.Div(corpus_facts(index, neuron), className="of-corpus") if index else None,
            html.Div([html.P("on this text", className="caption"), _on_text(activations, neuron)]),
        ],
        className="panel neuron-head",
    )


def link_of(selection: Selection, neuron: Neuron) -> str:
    """The address of the neuron alone, to be sent or kept."""
    where = Selection(view="neuron", model=selection.model, precision=selection.precision)
    return replace(where, layer=neuron.layer, neuron=neuron.index).search


def walk(model: ModelCard, neuron: Neuron) -> Any:
    """To the neighbours, and to anywhere."""
    layer, index = neuron.layer, neuron.index
    anywhere = np.random.default_rng()
    there = Neuron(int(anywhere.integers(model.layers)), int(anywhere.integers(model.neurons)))
    steps = (
        ("chevron-left", "Previous neuron", "ArrowLeft", layer, (index - 1) % model.neurons),
        ("chevron-right", "Next neuron", "ArrowRight", layer, (index + 1) % model.neurons),
        ("chevron-down", "Layer below", "ArrowDown", max(layer - 1, 0), index),
        ("chevron-up", "Layer above", "ArrowUp", min(layer + 1, model.layers - 1), index),
    )
    buttons = [go(icon(name), label=label, key=key, layer=to, neuron=of) for name, label, key, to, of in steps]
    random = go([icon("shuffle"), "Random"], label="Random neuron", key="r", layer=there.layer, neuron=there.index)
    return html.Div([*buttons, random], className="walk")


def _keeping(link: str) -> Any:
    """The neuron's own address, and its card as a file."""
    kinds = {"html": "HTML", "json": "JSON"}
    buttons = [html.Button(said, id={"keep": name}, type="button") for name, said in kinds.items()]
    summary = html.Summary(icon("download"), title="Keep this card", **{"aria-label": "Keep this card"})
    keep = html.Details([summary, html.Div(buttons, className="menu")], className="popover-menu keep")
    said = "This neuron's address"
    address = html.A(icon("link-45deg"), href=link, className="press quiet", title=said, **{"aria-label": said})
    return html.Span([address, keep], className="graph-tools")


def _on_text(activations: Activations, neuron: Neuron) -> Any:
    tokens = activations.tokens
    found = neuron_statistics(activations.neuron(neuron), tokens.kept)
    peak = next(run for run in tokens.characters if found.peak in run)
    return facts(
        [
            ("largest", number(found.max)),
            ("smallest", number(found.min)),
            ("mean", number(found.mean)),
            ("sd", number(found.std)),
            ("above 0", f"{found.active:.0%} of {found.tokens}"),
            ("strongest on", html.Bdi(tokens.shown(peak), className="token-name")),
        ],
        "facts inline",
    )
