"""The inspector: what the model makes of one token, and the neurons that stand out there."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from dash import html

from neuronscope.analysis.ranking import Standing, TopNeuron, TopNeurons, top_neurons
from neuronscope.app.lists import neuron_list, number, score_list
from neuronscope.app.parts import go, heading, icon
from neuronscope.vocabulary import Activations, DirectEffects, Neuron, Site

if TYPE_CHECKING:
    from neuronscope.indexed import Index
    from neuronscope.scope import Scope

COUNT = 10


def inspect(
    scope: Scope,
    activations: Activations,
    text: str,
    locked: int | None,
    which: str = "",
    index: Index | None = None,
) -> list[Any]:
    """The token's own heading, what comes next, and three lists: by value, by what is rare, by direct effect.

    What is rare is known from the model's index: an activation's percentile in its neuron's own distribution over the
    corpus. Without one, or where other things than neurons are read, it is the z-score within this text. `which` says
    which of two texts the token is in.
    """
    position = _last(activations) if locked is None else locked
    effects = _effects(scope, activations, text, position)
    standing = _standing(index, activations, position) if index and activations.site is Site.NEURONS else None
    top = top_neurons(activations, position, effects.values if effects else None, standing, count=COUNT)
    lists = [
        _column(activations, "Raw", "activation", top.by_value, "value"),
        _rare(activations, top, standing),
    ]
    if effects:
        caption = ["on ", html.Bdi(effects.target.display)]
        lists.append(_column(activations, "Effect", caption, top.by_effect, "effect"))
    return [
        _head(activations, position, locked, which),
        *_next(scope, effects, position),
        html.Div(lists, className="columns"),
    ]


def percentile_text(share: float, tokens: int) -> str:
    """A share of so many tokens of a corpus in percent, rounded down, with as many decimals as they are good for.

    Two at most. Beyond all of 16,384 tokens an activation is `> 99.99%`: that it is beyond all others is not known.
    """
    decimals = min(max(len(str(tokens)) - 3, 0), 2)
    unit, finest = 10.0 ** (decimals + 2), 1 - 1 / max(tokens, 1)
    down = math.floor(min(share, finest) * unit + 1e-9) / unit
    return f"{'> ' if share >= finest else ''}{down:.{decimals}%}"


def _standing(index: Index, activations: Activations, position: int) -> Standing:
    here = activations.values[:, position].astype(np.float64)
    shares = np.stack([index.percentile(layer, values) for layer, values in zip(activations.layers, here, strict=True)])
    known = index.background
    mean, std = (part.reshape(-1, here.shape[1])[list(activations.layers)] for part in (known.mean, known.std))
    z = np.divide(here - mean, std, out=np.zeros_like(here), where=std > 0)
    return Standing(shares, z, index.histogram(Neuron(activations.layers[0], 0)).tokens)


def _rare(activations: Activations, top: TopNeurons, standing: Standing | None) -> Any:
    if standing is None:
        return _column(activations, "z", _basis(top), top.by_z, "z")
    caption = f"lower on so many of {standing.tokens:,} tokens"

    def written(share: float) -> str:
        return percentile_text(share, standing.tokens)

    return _column(activations, "Percentile", caption, top.by_percentile, "percentile", written)


def _basis(top: TopNeurons) -> str:
    """What a z-score is taken over; where there are too few tokens for one, that."""
    if top.by_z:
        return f"within this text, {top.tokens} tokens"
    return f"needs three tokens that count; this text has {top.tokens if top.tokens > 1 else 'one'}"


def _last(activations: Activations) -> int:
    """The last token that counts: in many encoders the very last one is a special one."""
    kept = activations.tokens.kept.nonzero()[0]
    return int(kept[-1]) if len(kept) else len(activations.tokens) - 1


def _effects(scope: Scope, activations: Activations, text: str, position: int) -> DirectEffects | None:
    """Direct effects are the neurons' own, within one context, of a model that predicts a next token."""
    if activations.site is not Site.NEURONS or position >= scope.card.context or not scope.card.causal:
        return None
    return scope.direct_effects(text, position)


def _head(activations: Activations, position: int, locked: int | None, which: str) -> Any:
    tokens = activations.tokens
    run = next(run for run in tokens.characters if position in run)
    let_go = go(icon("x-lg"), label="Let go of this token", position=None) if locked is not None else None
    remark = "" if locked is not None else "the last token that counts; press another to lock it"
    if locked is not None and not tokens.kept[position]:
        remark = "left out of maxima"
    said = (which, f"position {position}", f"id {int(tokens.ids[position])}", remark)
    title = html.Bdi(tokens.shown(run), className="token-name")
    shown = heading(title, " · ".join(filter(None, said)))
    return html.Div([html.Div(shown, className="card-title"), let_go], className="card-head")


def _next(scope: Scope, effects: DirectEffects | None, position: int) -> list[Any]:
    if not scope.card.causal:
        return [html.P("An encoder: it predicts no next token, so there are no direct effects.", className="caption")]
    if effects is None and position >= scope.card.context:
        said = f"Read in windows of {scope.card.context:,} tokens: what comes next is told within the first of them."
        return [html.P(said, className="caption")]
    if effects is None:
        return []
    return [html.Div(score_list("Comes next", effects.predictions[:5], percent=True), className="next")]


def _column(
    activations: Activations,
    title: str,
    caption: Any,
    found: tuple[TopNeuron, ...],
    field: str,
    written: Callable[[float], str] | None = None,
) -> Any:
    """One list of neurons by one of their numbers; one that is `written` in its own way has no bars."""
    from neuronscope.figures.captions import unit_name

    opens = activations.site in (Site.NEURONS, Site.GATE, Site.UP)
    rows = [
        (
            unit_name(activations, one.neuron.layer, one.neuron.index),
            getattr(one, field),
            Neuron(one.neuron.layer, one.neuron.index) if opens else None,
        )
        for one in found
    ]
    return neuron_list(title, caption, rows, written=written or number, bars=written is None)
