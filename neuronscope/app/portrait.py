"""The pages of the model's statistics: overview, architecture, memory, and how to load it in Python.

All of it comes from the loaded model's own card and layout.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dash import html

from neuronscope.app.equations import activation_name
from neuronscope.app.lists import facts
from neuronscope.app.memory_bar import readable
from neuronscope.app.parts import icon
from neuronscope.app.picker import PRECISIONS
from neuronscope.app.sizes import precisions

if TYPE_CHECKING:
    from neuronscope.models.anatomy import Anatomy
    from neuronscope.scope import Scope
    from neuronscope.vocabulary import ModelCard


@dataclass(frozen=True)
class Portrait:
    """What is known of one loaded model."""

    card: ModelCard
    """What it is, in numbers."""
    anatomy: Anatomy
    """How its blocks are put together."""
    attached: bool
    """Whether a program handed it to us."""
    asked: str
    """The precision it was asked for in."""

    @classmethod
    def of(cls, scope: Scope) -> Portrait:
        """Of a warm model."""
        from neuronscope.models.anatomy import anatomy

        with scope.workspace.manager.lend(scope.key) as model:
            return cls(scope.card, anatomy(model), scope.key.attached, scope.key.precision)


def overview(of: Portrait) -> Any:
    """What the model is, in a few numbers."""
    card = of.card
    return facts(
        [
            ("Family", f"{card.family} · {card.architecture}"),
            ("Predicts", _PREDICTS[of.anatomy.head]),
            ("Weights", f"{card.parameters:,}"),
            ("Layers", f"{card.layers}{', one block used again and again' if of.anatomy.shared else ''}"),
            ("MLP neurons", f"{card.layers} × {card.neurons:,} = {card.layers * card.neurons:,}"),
            ("Context", f"{card.context:,} tokens"),
            ("Vocabulary", f"{card.vocabulary:,} tokens"),
            ("Held as", f"{card.precision} on {card.device}, {readable(card.bytes)}"),
            ("Revision", html.Code(card.revision)),
        ]
    )


_PREDICTS = {
    "causal": "the next token",
    "masked": "masked tokens, from both sides; no next token",
    "encoder": "nothing: it turns a text into vectors, each token seeing all of it",
}


def architecture(of: Portrait) -> Any:
    """How a token travels through the model, block by block."""
    card, anatomy = of.card, of.anatomy
    times = f"{card.layers} times the same block" if anatomy.shared else f"{card.layers} blocks"
    steps = [
        _stage("Embedding", f"{card.vocabulary:,} tokens → {card.width:,} dimensions: the residual stream"),
        html.Li(
            [
                html.Strong(times),
                html.Ol(
                    [_stage(*step) for step in _block(card, anatomy)],
                    className="side-by-side" if anatomy.parallel else "",
                ),
            ],
            className="block",
        ),
    ]
    if anatomy.final_norm:
        steps.append(_stage("Final norm", _norm(card, anatomy)))
    if anatomy.head != "encoder":
        steps.append(_stage("Unembedding", _logits(card, anatomy)))
    sites = html.P(["Activations can be read at: ", html.Strong(", ".join(card.sites)), "."], className="caption")
    return html.Div([html.Ol(steps, className="architecture"), sites])


def memory(of: Portrait) -> Any:
    """What the weights take at each precision, and what each costs."""
    card = of.card
    rows = [
        html.Tr(
            [
                html.Th(_named(name, card.precision), scope="row"),
                html.Td(_size(of, name), className="number-cell"),
                html.Td(PRECISIONS[name]),
            ]
        )
        for name in precisions()
        if name != "auto"
    ]
    titles = (("Precision", ""), ("Weights take", "number-cell"), ("What to know", ""))
    head = html.Thead(html.Tr([html.Th(text, scope="col", className=name) for text, name in titles]))
    chosen = f"Held in {card.precision}: {card.chosen}. " if card.chosen else ""
    text = (
        f"{chosen}One text of {card.context:,} tokens takes {readable(card.layers * card.neurons * card.context * 4)} "
        "of activations: they are kept as float32 whatever the precision of the weights."
    )
    return html.Div([html.Table([head, html.Tbody(rows)], className="plain-table"), html.P(text, className="caption")])


def loading(of: Portrait) -> Any:
    """The same model in Python, ready to copy."""
    middle = of.card.layers // 2
    shown = "promotes" if of.card.causal else "reads_most"
    code = (
        f"import neuronscope as ns\n\n{_loaded(of)}\n"
        'activations = scope.activations("The capital of France is Paris.")\n'
        f"ns.figures.heatmap(activations, layer={middle})\n"
        f"scope.weights(ns.Neuron({middle}, 0)).{shown}"
    )
    copy = html.Button([icon("copy"), "Copy"], type="button", className="press outlined", **{"data-copy": "about-code"})
    return html.Div([html.Pre(html.Code(code, id="about-code"), tabIndex=0), copy], className="copyable")


def _stage(what: str, how: str) -> Any:
    return html.Li([html.Strong(what), html.Span(how)])


def _block(card: ModelCard, anatomy: Anatomy) -> list[tuple[str, str]]:
    norm = _norm(card, anatomy)
    behind = f"; {norm} of its output" if anatomy.norm_behind else ""
    scaled = f", times {anatomy.residual_scale:g}" if anatomy.residual_scale != 1 else ""
    joined = f"{behind}; added to the stream{scaled}"
    if anatomy.parallel:
        side = "reads the same stream, beside the attention"
        return [
            ("Attention", f"{norm}; {_heads(card, anatomy)}{joined}"),
            ("MLP", f"{side}: {norm}; {_mlp(card)}{joined}"),
        ]
    if anatomy.norm_after:
        after = f"; added to the stream, then {norm} of the sum"
        return [("Attention", f"{_heads(card, anatomy)}{after}"), ("MLP", f"{_mlp(card)}{after}")]
    before = f"{norm}; " if anatomy.norm_before else ""
    return [("Attention", f"{before}{_heads(card, anatomy)}{joined}"), ("MLP", f"{before}{_mlp(card)}{joined}")]


def _norm(card: ModelCard, anatomy: Anatomy) -> str:
    return f"{card.norm}{' without weights' if anatomy.gain == 'none' else ''}"


def _heads(card: ModelCard, anatomy: Anatomy) -> str:
    shared = ""
    if anatomy.key_value_heads < card.heads:
        shared = f", keys and values of {anatomy.key_value_heads} shared among them"
    return f"{card.heads} heads of {anatomy.head_width} dimensions{shared}"


def _mlp(card: ModelCard) -> str:
    into = "gate and up projection" if card.gated else "up projection"
    return f"{into} to {card.neurons:,} neurons, {activation_name(card.activation)}; down to {card.width:,}"


def _logits(card: ModelCard, anatomy: Anatomy) -> str:
    of = "a masked token's " if anatomy.head == "masked" else ""
    parts = [f"{card.width:,} → {card.vocabulary:,} {of}logits"]
    parts += ["shares the embedding's weights"] if card.tied else []
    parts += [f"times {anatomy.logit_scale:g}"] if anatomy.logit_scale != 1 else []
    parts += [f"squeezed into ±{anatomy.soft_cap:g}"] if anatomy.soft_cap else []
    return "; ".join(parts)


def _named(name: str, held: str) -> list[Any]:
    return [name, *([" ", html.Span("now", className="badge-small ready")] if name == held else [])]


def _size(of: Portrait, name: str) -> str:
    size = of.card.bytes if name == of.card.precision else {str(n): b for n, b in of.anatomy.bytes.items()}.get(name)
    return "not to be had" if size is None else readable(size)


def _loaded(of: Portrait) -> str:
    if of.attached:
        return "scope = ns.attach(network, tokenizer)  # the transformers model of your program"
    precision = "" if of.asked == "auto" else f', precision="{of.asked}"'
    return f'scope = ns.load("{of.card.name}"{precision})'
