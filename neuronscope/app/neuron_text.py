"""What one neuron does on the visitor's text, as panels of the Neuron view: token by token, and as a distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from dash import html

from neuronscope.analysis.comparison import compare
from neuronscope.app.neuron_corpus import limit_of
from neuronscope.app.parts import card, heading
from neuronscope.app.selection import Selection
from neuronscope.app.strips import lettered, read_in_windows, strongest
from neuronscope.app.tokens import scale_legend, token_strip
from neuronscope.figures import corpus_histogram, histogram
from neuronscope.vocabulary import Activations, Neuron, Site

if TYPE_CHECKING:
    from neuronscope.figures.theme import Mode
    from neuronscope.indexed import Index


def strip(
    activations: Activations, neuron: Neuron, selection: Selection, marks: str, index: Index | None = None
) -> Any:
    """The text coloured by the neuron; the token under the mouse is marked in the plot whose id is `marks`."""
    values = activations.neuron(neuron)
    limit = (limit_of(index, neuron) if index else 0.0) or strongest([activations], [values])
    shown = token_strip(activations.tokens, values, limit=limit, locked=selection.position, marks=marks)
    which = "second text" if selection.of_second and selection.compare is not None else "text"
    title = heading(f"{neuron} on your {which}", read_in_windows(activations) or None)
    legend = scale_legend(limit, "activation; ends at its extremes in the corpus" if index else "activation")
    return card(title, shown, tools=legend, name="tokens")


def beside(read: list[Activations], neuron: Neuron, selection: Selection) -> Any:
    """The neuron in two models, and how far apart they are on the tokens that correspond, all on one scale."""
    values = [one.neuron(neuron) for one in read]
    limit = strongest(read, values)
    found, second = compare(*read), read[1].tokens
    apart = np.zeros(len(second), values[1].dtype)
    apart[found.pairs[:, 1]] = found.difference[read[0].layers.index(neuron.layer), :, neuron.index]
    here = selection.of_second
    strip = token_strip(
        second, apart, limit=limit, locked=selection.position if here else None, side=None if here else "b"
    )
    rows = [
        *lettered(read, values, limit, selection),
        html.Div([html.Span(["B − A", html.Small("difference")], className="letter"), strip], className="lettered"),
    ]
    left = len(found.unpaired_b)
    said = f"{left} token{'' if left == 1 else 's'} of B without a counterpart: no difference" if left else None
    title = heading(f"{neuron} in two models", said)
    return card(title, *rows, tools=scale_legend(limit, "activation, and their difference"), name="tokens")


def inputs(read: list[Activations], neuron: Neuron, locked: int | None) -> Any:
    """What the neuron is made of, token by token: its gate and its up value, or what enters its function."""
    rows = []
    for activations in read:
        values = activations.neuron(neuron)
        limit = strongest([activations], [values])
        shown = token_strip(activations.tokens, values, limit=limit, locked=locked)
        said = html.Div([html.H3(_MADE_OF[len(read)][activations.site]), scale_legend(limit, "")], className="row-head")
        rows.append(html.Div([said, shown], className="made-of"))
    title = "What it is made of" if len(read) > 1 else "What enters its function"
    return card(heading(title), *rows, name="tokens")


_MADE_OF = {
    1: {Site.UP: "Input weights · x, bias included"},
    2: {Site.GATE: "Gate, before its function", Site.UP: "Up value, which the gate multiplies"},
}


def distribution(
    activations: Activations, neuron: Neuron, locked: int | None, mode: Mode, index: Index | None = None
) -> Any:
    """How the neuron's activations are distributed over the corpus or, without an index, the text; one token marked."""
    values, kept = activations.neuron(neuron), activations.tokens.kept
    marker = float(values[locked]) if locked is not None else float(values[np.abs(np.where(kept, values, 0)).argmax()])
    if index is not None:
        numbers = index.store.statistics[index.row(neuron)]
        return corpus_histogram(
            index.histogram(neuron),
            float(numbers["min"]),
            float(numbers["max"]),
            marker=marker,
            name=str(neuron),
            source=index.source,
            corpus=index.progress,
            mode=mode,
        )
    counted = values[kept] if kept.any() else values
    return histogram(counted, bins=40, marker=marker, name=str(neuron), source=activations.source, mode=mode)
