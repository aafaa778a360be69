"""The equations of a model's neurons, for its own family, typeset with plain HTML.

`a_{t,i}` and `W^{up}` become sub- and superscripts; letters of one character are set in italics.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from dash import html

if TYPE_CHECKING:
    from neuronscope.vocabulary import ModelCard

_SCRIPT = re.compile(r"([_^])\{([^}]*)\}|\b([A-Za-zα-ω])\b")


def equations(card: ModelCard) -> Any:
    """How the neurons of `card` are computed, step by step, and what they then do."""
    return html.Div(
        [_step(text, *lines) for text, *lines in (_normed(card), *_mlp(card), _written(card), _direct(card))]
    )


def typeset(text: str) -> list[Any]:
    """Set a formula: `x_{t}` as x with a subscript, single letters in italics."""
    parts: list[Any] = []
    end = 0
    for match in _SCRIPT.finditer(text):
        parts.append(text[end : match.start()])
        kind, script, letter = match.groups()
        if letter:
            parts.append(html.Var(letter))
        else:
            parts.append((html.Sub if kind == "_" else html.Sup)(typeset(script)))
        end = match.end()
    return [part for part in [*parts, text[end:]] if part != ""]


def fraction(over: str, under: str) -> Any:
    """One formula over another."""
    return html.Span([html.Span(typeset(over)), html.Span(typeset(under))], className="fraction")


def _step(text: str, *formulas: list[Any]) -> Any:
    lines = [html.Div(formula, className="formula") for formula in formulas]
    return html.Div([html.P(text), *lines], className="equation")


def _normed(card: ModelCard) -> tuple[Any, ...]:
    if card.norm == "RMSNorm":
        root = [*typeset("x_{t} = γ ⊙ "), fraction("r_{t}", "√(mean(r_{t}²) + ε)")]
        return "The residual stream r at token t, scaled to unit length per dimension (RMSNorm):", root
    centred = [*typeset("x_{t} = γ ⊙ "), fraction("r_{t} − mean(r_{t})", "√(var(r_{t}) + ε)"), *typeset(" + β")]
    return "The residual stream r at token t, centred and scaled (LayerNorm):", centred


def _mlp(card: ModelCard) -> tuple[tuple[Any, ...], ...]:
    act = _function_name(card.activation)
    shape = f"Neuron i of {card.neurons:,}"
    if card.gated:
        return (
            (
                f"{shape} has a gate g and an up value u, each a dot product with its own weights:",
                typeset("g_{t,i} = x_{t} · w_{i}^{gate}        u_{t,i} = x_{t} · w_{i}^{up}"),
            ),
            (
                f"The activation is their product; the gate passes through {act} first, so that either sign can be large:",
                typeset(f"a_{{t,i}} = {act}(g_{{t,i}}) · u_{{t,i}}"),
            ),
        )
    return (
        (
            f"{shape} takes a dot product with its input weights and passes it through {act}:",
            typeset(f"u_{{t,i}} = x_{{t}} · w_{{i}}^{{in}} + b_{{i}}        a_{{t,i}} = {act}(u_{{t,i}})"),
        ),
    )


def _written(card: ModelCard) -> tuple[Any, ...]:
    bias = "" if card.gated else " + b"
    return (
        f"It writes its output weights, {card.width} numbers, into the residual stream, as often as it is active:",
        typeset(f"r_{{t}} ← r_{{t}} + Σ_{{i}} a_{{t,i}} w_{{i}}^{{out}}{bias}"),
    )


def _direct(card: ModelCard) -> tuple[Any, ...]:
    centred = "centred " if card.norm == "LayerNorm" else ""
    gain = "γ' is the final norm's gain and σ its scale at that token"
    return (
        f"Its direct effect on the logit of token v, with the unembedding row {centred}u ({gain}):",
        [*typeset("effect_{t,i}(v) = a_{t,i} · "), fraction("(γ' ⊙ u_{v}) · w_{i}^{out}", "σ_{t}")],
    )


def _function_name(activation: str) -> str:
    known = {
        "gelu_new": "GELU",
        "gelu": "GELU",
        "gelu_pytorch_tanh": "GELU",
        "silu": "SiLU",
        "swish": "SiLU",
        "relu": "ReLU",
    }
    return known.get(activation, activation)
