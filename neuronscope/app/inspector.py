"""The inspector: what the model makes of one token, and the neurons that stand out there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dash import html

from neuronscope.analysis.ranking import TopNeuron, TopNeurons, top_neurons
from neuronscope.app.lists import neuron_list, score_list
from neuronscope.app.parts import go, heading, icon
from neuronscope.vocabulary import Activations, DirectEffects, Neuron, Site

if TYPE_CHECKING:
    from neuronscope.scope import Scope

COUNT = 10


def inspect(scope: Scope, activations: Activations, text: str, locked: int | None, which: str = "") -> list[Any]:
    """The token's own heading, what comes next, and three lists: by value, by z-score, by direct effect.

    `which` says which of two texts the token is in.
    """
    position = _last(activations) if locked is None else locked
    effects = _effects(scope, activations, text, position)
    top = top_neurons(activations, position, effects.values if effects else None, count=COUNT)
    lists = [
        _column(activations, "Raw", "activation", top.by_value, "value"),
        _column(activations, "z", _basis(top), top.by_z, "z"),
    ]
    if effects:
        caption = ["on ", html.Bdi(effects.target.display)]
        lists.append(_column(activations, "Effect", caption, top.by_effect, "effect"))
    return [
        _head(activations, position, locked, which),
        *_next(scope, effects, position),
        html.Div(lists, className="columns"),
    ]


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


def _column(activations: Activations, title: str, caption: Any, found: tuple[TopNeuron, ...], number: str) -> Any:
    from neuronscope.figures.captions import unit_name

    opens = activations.site in (Site.NEURONS, Site.GATE, Site.UP)
    rows = [
        (
            unit_name(activations, one.neuron.layer, one.neuron.index),
            getattr(one, number),
            Neuron(one.neuron.layer, one.neuron.index) if opens else None,
        )
        for one in found
    ]
    return neuron_list(title, caption, rows)
