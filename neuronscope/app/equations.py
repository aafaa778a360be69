"""The equations of a model's neurons, for its own family, typeset with plain HTML.

`a_{t,i}` and `w_{i}^{up}` become sub- and superscripts; letters of one character are set in italics.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from dash import html

if TYPE_CHECKING:
    from neuronscope.vocabulary import ModelCard

_PIECE = re.compile(
    r"_\{(?P<sub>[^}]*)\}(?:\^\{(?P<over>[^}]*)\})?|(?<![A-Za-zα-ω])(?P<letter>[A-Za-zα-ω])(?![A-Za-zα-ω])"
)


def equations(card: ModelCard) -> Any:
    """How the neurons of `card` are computed, step by step, and what they then do."""
    steps = [*_mlp(card), _written(card)]
    if card.causal:
        steps = [_normed(card), *steps, _direct(card)]
    else:
        steps = [("What enters the MLP at token t is x, the residual stream after its norms.",), *steps]
    return html.Div([_step(text, *lines) for text, *lines in steps])


def typeset(text: str) -> list[Any]:
    """Set a formula: `x_{t}` with a subscript, `w_{i}^{up}` with one above the other, single letters in italics."""
    parts: list[Any] = []
    end = 0
    for match in _PIECE.finditer(text):
        parts.append(text[end : match.start()])
        parts.append(_piece(match))
        end = match.end()
    return [part for part in [*parts, text[end:]] if part != ""]


def _piece(match: re.Match[str]) -> Any:
    if match["letter"]:
        return html.Var(match["letter"])
    below = html.Sub(typeset(match["sub"]))
    if match["over"] is None:
        return below
    return html.Span([html.Sup(typeset(match["over"])), below], className="scripts")


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
                typeset("g_{t,i} = x_{t} · w_{i}^{gate}"),
                typeset("u_{t,i} = x_{t} · w_{i}^{up}"),
            ),
            (
                f"The activation is their product, the gate through {act} first; either sign can be large:",
                typeset(f"a_{{t,i}} = {act}(g_{{t,i}}) · u_{{t,i}}"),
            ),
        )
    return (
        (
            f"{shape} takes a dot product with its input weights and passes it through {act}:",
            typeset("u_{t,i} = x_{t} · w_{i}^{in} + b_{i}"),
            typeset(f"a_{{t,i}} = {act}(u_{{t,i}})"),
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
