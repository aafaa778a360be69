"""The equations of a model's neurons, for its own layout, typeset with plain HTML.

`a_{t,i}` and `w_{i}^{up}` become sub- and superscripts; letters of one character are set in italics.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from dash import html

if TYPE_CHECKING:
    from neuronscope.models.anatomy import Anatomy
    from neuronscope.vocabulary import ModelCard

_PIECE = re.compile(
    r"_\{(?P<sub>[^}]*)\}(?:\^\{(?P<over>[^}]*)\})?|(?<![A-Za-zα-ω])(?P<letter>[A-Za-zα-ω])(?![A-Za-zα-ω])"
)


def equations(card: ModelCard, anatomy: Anatomy) -> Any:
    """How the neurons of `card` are computed, step by step, and what they then do."""
    steps = [_read(card, anatomy), *_mlp(card, anatomy), _function(card), *_written(card, anatomy)]
    steps.append(_direct(card, anatomy) if card.causal else _no_direct(anatomy))
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


def activation_name(activation: str) -> str:
    """What a person calls an activation function: `gelu_new` is GELU, `silu` SiLU."""
    return _FUNCTIONS.get(activation, (activation, ""))[0]


_FUNCTIONS = {
    **dict.fromkeys(("gelu", "GELU", "GELUActivation"), ("GELU", "GELU(z) = z · Φ(z)")),
    **dict.fromkeys(
        ("gelu_new", "gelu_pytorch_tanh", "gelu_fast", "gelu_pytorch", "GELUTanh", "BloomGelu"),
        ("GELU", "GELU(z) ≈ ½ z · (1 + tanh(√(2/π) · (z + 0.044715 z³)))"),
    ),
    **dict.fromkeys(("silu", "swish"), ("SiLU", "SiLU(z) = z / (1 + e^(−z))")),
    "relu": ("ReLU", "ReLU(z) = max(0, z)"),
    "relu2": ("ReLU²", "ReLU²(z) = max(0, z)²"),
}
"""Names and definitions of activation functions."""


def _step(text: str, *formulas: list[Any]) -> Any:
    lines = [html.Div(formula, className="formula") for formula in formulas]
    return html.Div([html.P(text), *lines], className="equation")


def _read(card: ModelCard, anatomy: Anatomy) -> tuple[Any, ...]:
    """What enters the MLP: the stream, in most models through a norm."""
    stream = "the residual stream r at token t"
    if anatomy.parallel:
        stream = f"{stream} as it entered the block, which the attention reads beside it"
    if anatomy.norm_after:
        text = (
            "The MLP reads the residual stream r, which the norm after the attention has left (LayerNorm, post-norm):"
        )
        return text, typeset("x_{t} = r_{t}")
    if not anatomy.norm_before:
        return f"The MLP reads {stream}, without a norm before it:", typeset("x_{t} = r_{t}")
    manner = "scaled to unit length per dimension" if card.norm == "RMSNorm" else "centred and scaled"
    return f"The MLP reads {stream}, {manner} ({card.norm}):", [*typeset("x_{t} = "), *_norm(card, anatomy, "r_{t}")]


def _norm(card: ModelCard, anatomy: Anatomy, of: str) -> list[Any]:
    gain = typeset({"none": "", "weight": "γ ⊙ ", "offset": "(1 + γ) ⊙ "}[anatomy.gain])
    if card.norm == "RMSNorm":
        return [*gain, fraction(of, f"√(mean({of}²) + ε)")]
    return [*gain, fraction(f"{of} − mean({of})", f"√(var({of}) + ε)"), *typeset(" + β" if anatomy.shift else "")]


def _mlp(card: ModelCard, anatomy: Anatomy) -> tuple[tuple[Any, ...], ...]:
    act = activation_name(card.activation)
    shape = f"Neuron i of {card.neurons:,}"
    if card.gated:
        own, too = (" + b_{i}^{gate}", " + b_{i}^{up}") if anatomy.bias_in else ("", "")
        return (
            (
                f"{shape} has a gate g and an up value u, each a dot product with its own weights:",
                typeset(f"g_{{t,i}} = x_{{t}} · w_{{i}}^{{gate}}{own}"),
                typeset(f"u_{{t,i}} = x_{{t}} · w_{{i}}^{{up}}{too}"),
            ),
            (
                f"The activation is their product, the gate through {act} first; either sign can be large:",
                typeset(f"a_{{t,i}} = {act}(g_{{t,i}}) · u_{{t,i}}"),
            ),
        )
    return (
        (
            f"{shape} takes a dot product with its input weights and passes it through {act}:",
            typeset(f"u_{{t,i}} = x_{{t}} · w_{{i}}^{{in}}{' + b_{i}' if anatomy.bias_in else ''}"),
            typeset(f"a_{{t,i}} = {act}(u_{{t,i}})"),
        ),
    )


def _function(card: ModelCard) -> tuple[Any, ...]:
    name, defined = _FUNCTIONS.get(card.activation, (card.activation, ""))
    if not defined:
        return (f"{name} is the activation function as transformers defines it under this name.",)
    normal = ", with Φ the normal distribution function" if "Φ" in defined else ""
    return f"Its activation function{normal}:", typeset(defined)


def _written(card: ModelCard, anatomy: Anatomy) -> list[tuple[Any, ...]]:
    """What becomes of the neurons: their sum, and how it joins the stream."""
    text = f"Each writes its output weights, {card.width:,} numbers, as often as it is active; the MLP's output is"
    out = typeset(f"m_{{t}} = Σ_{{i}} a_{{t,i}} w_{{i}}^{{out}}{' + b' if anatomy.bias_out else ''}")
    beside = " together with the attention's output o" if anatomy.parallel else ""
    added = " + o_{t}" if anatomy.parallel else ""
    if anatomy.norm_after:
        joined = [*typeset("r_{t} ← "), *_norm(card, anatomy, "s_{t}")]
        after = "Its sum with the stream is normed, and that is the stream from then on:"
        return [(text, out), (after, typeset("s_{t} = r_{t} + m_{t}"), joined)]
    if anatomy.norm_behind:
        joined = [*typeset("r_{t} ← r_{t} + "), *_norm(card, anatomy, "m_{t}")]
        return [
            (text, out),
            (f"It passes a norm of its own ({card.norm}) before it joins the residual stream:", joined),
        ]
    scale = f"{anatomy.residual_scale:g} · " if anatomy.residual_scale != 1 else ""
    return [
        (text, out),
        (f"It joins the residual stream{beside}:", typeset(f"r_{{t}} ← r_{{t}}{added} + {scale}m_{{t}}")),
    ]


def _direct(card: ModelCard, anatomy: Anatomy) -> tuple[Any, ...]:
    gain = {"none": "", "weight": "γ' ⊙ ", "offset": "(1 + γ') ⊙ "}[anatomy.gain]
    said = ["σ the scale of the final norm at that token"]
    said += [] if anatomy.gain == "none" else ["γ' its weights"]
    said += ["σ'' and γ'' those of the norm behind the MLP"] if anatomy.norm_behind else []
    said += ["before the soft cap"] if anatomy.soft_cap else []
    centred = ", centred," if card.norm == "LayerNorm" else ""
    behind = {"none": "", "weight": "γ'' ⊙ ", "offset": "(1 + γ'') ⊙ "}[anatomy.gain] if anatomy.norm_behind else ""
    written = f"({behind}w_{{i}}^{{out}})" if behind else "w_{i}^{out}"
    factors = [f"{each:g} · " for each in (anatomy.logit_scale, anatomy.residual_scale) if each != 1]
    row = f"whose row of the unembedding is u{centred} with {', '.join(said)}"
    return (
        f"Its direct effect on the logit of token v, {row}:",
        [
            *typeset(f"effect_{{t,i}}(v) = {''.join(factors)}a_{{t,i}} · "),
            fraction(
                f"({gain}u_{{v}}) · {written}" if gain else f"u_{{v}} · {written}",
                "σ_{t}" + (" σ''_{t}" if behind else ""),
            ),
        ],
    )


def _no_direct(anatomy: Anatomy) -> tuple[str]:
    what = "it fills masked places, and predicts no next token" if anatomy.head == "masked" else "it predicts no token"
    return (f"It reads a text from both sides: {what}. Direct effects on a next token are therefore not shown.",)
