"""What a neuron reads and writes, from the weights; and what it adds to one prediction.

Everything here is the direct path: from a token's embedding straight to the neuron, from the neuron straight to the
logits. What lies between is left out, so these are hints about a neuron, not its behaviour.

Norms are folded, as `neuronscope.engine.directions` says; for one prediction, with their actual sigmas.

Matrices are multiplied on the device where they are, which differs in a model that is spread over several; single
directions come to the CPU.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import Tensor

from neuronscope.engine import directions
from neuronscope.engine.capture import capture, evaluating, forward, hooked, within_context
from neuronscope.errors import InputError, UnsupportedModel
from neuronscope.models.loading import LoadedModel
from neuronscope.models.offloaded import weight
from neuronscope.models.precision import bias, matrix
from neuronscope.vocabulary import DirectEffects, Neuron, NeuronWeights, Site, Tokens, TokenScore


def weights(model: LoadedModel, neuron: Neuron, *, count: int = 20) -> NeuronWeights:
    """What `neuron` reads and writes in token space, `count` tokens at either end.

    Raises:
        NoSuchLayer, NoSuchNeuron: if the model does not have it.
        UnsupportedModel: if the model predicts the next token but came without its unembedding.
    """
    from scipy import stats  # takes a second, which whoever asks for anything else here need not wait

    model.card.check(neuron)
    alone = slice(neuron.index, neuron.index + 1)
    up = directions.read_directions(model, neuron.layer, "up", alone)[0].cpu()
    gate = directions.read_directions(model, neuron.layer, "gate", alone)[0].cpu() if model.card.gated else None
    written = matrix(model.in_block(neuron.layer, model.family.down))[neuron.index].cpu()
    read = _Scores(model, _embedding(model), up)
    gated = _Scores(model, _embedding(model), gate) if gate is not None else None
    writing = _written_scores(model, directions.joining(model, neuron.layer, written)) if model.card.causal else None
    over_vocabulary = writing.raw.double().numpy() if writing else None
    return NeuronWeights(
        neuron=neuron,
        reads_most=read.top(count),
        reads_least=read.bottom(count),
        gate_reads_most=gated.top(count) if gated else (),
        gate_reads_least=gated.bottom(count) if gated else (),
        promotes=writing.top(count) if writing else (),
        suppresses=writing.bottom(count) if writing else (),
        norm_in=up.norm().item(),
        norm_gate=gate.norm().item() if gate is not None else None,
        norm_out=written.norm().item(),
        bias=float(read_biases(model, neuron.layer)[neuron.index]),
        write_kurtosis=None if over_vocabulary is None else float(stats.kurtosis(over_vocabulary)),
        write_skewness=None if over_vocabulary is None else float(stats.skew(over_vocabulary)),
    )


def unembedding(model: LoadedModel, ids: slice = slice(None)) -> Float[Tensor, "vocabulary width"]:
    """The unembedding of some ids with the final norm folded in: a direction of the residual stream for each logit.

    Divided by the final norm's sigma at a token, its product with the residual stream is that token's logit there, up
    to the norm's own shift and the head's bias, and before any soft cap.
    """
    return _unembedded(model, _numbers(model.unembedding)[ids])


def next_token_logits(model: LoadedModel, tokens: Tokens) -> Float[np.ndarray, "tokens vocabulary"]:
    """The model's logits for what follows each token, soft cap and scale included, float32.

    Raises:
        TextTooLong: for a text beyond the context.
        UnsupportedModel: if the model predicts no next token.
    """
    _predicts(model)
    within_context(model, tokens)
    ids = torch.from_numpy(tokens.ids)[None]
    with evaluating(model.network):
        output = forward(model, ids, torch.ones_like(ids, dtype=torch.bool))
        with torch.inference_mode():
            logits = model.unembedding(output.last_hidden_state[0]).float() * _logit_scale(model)
            return _capped(model, logits).cpu().numpy()


def next_token_losses(
    model: LoadedModel, leaving: Float[Tensor, "tokens width"], following: Integer[Tensor, " tokens"]
) -> Float[Tensor, " tokens"]:
    """-log p of the token that follows, in nats, from what leaves the base model at each token; on the CPU.

    Raises:
        UnsupportedModel: if the model predicts no next token.
    """
    _predicts(model)
    with torch.inference_mode():
        logits = model.unembedding(leaving).float()
        if (scale := _logit_scale(model)) != 1:
            logits = logits * scale
        logits = _capped(model, logits)
        return torch.nn.functional.cross_entropy(logits, following.to(logits.device), reduction="none").cpu()


def read_biases(model: LoadedModel, layer: int) -> Float[np.ndarray, " neurons"]:
    """The bias of every neuron of a layer's up projection, with the norm's bias folded in; 0 where there is none."""
    family, count = model.family, model.card.neurons
    up = model.in_block(layer, family.up)
    half = slice(count, None) if family.fused else slice(None)
    own = bias(up)[half].cpu()
    norm = model.mlp_norm(layer)
    shift = None if norm is None else weight(norm, "bias")
    folded = own if shift is None else own + shift.float().cpu() @ matrix(up)[:, half].cpu()
    return folded.numpy()


def direct_effects(
    model: LoadedModel,
    tokens: Tokens,
    position: int,
    target: int | None = None,
    *,
    neurons: Float[np.ndarray, "layers neurons"] | None = None,
) -> DirectEffects:
    """What each neuron at `position` adds directly to the logit of the next token `target`.

    The direct effect of a neuron is `a · (U_target · w_out) / sigma`, where U is the folded unembedding and sigma the
    scale that the final norm really has at that token. Together with the embedding's, the attention's and the biases'
    shares, these add up to the logit. By default the target is the token the model finds most probable. `neurons` are
    the activations of all layers at `position`, captured here unless they are given.

    Raises:
        NoSuchToken: if the text has no such position.
        InputError: if the vocabulary has no such target.
        TextTooLong: for a position beyond the context.
        UnsupportedModel: if the model predicts no next token.
    """
    tokens.check(position)
    _predicts(model)
    if target is not None and not 0 <= target < model.card.vocabulary:
        raise InputError(f"No token id {target}: {model.card.label} has ids 0 to {model.card.vocabulary - 1}.")
    until = _upto(tokens, position)
    within_context(model, until)
    if neurons is None:
        neurons = capture(model, [until])[0][Site.NEURONS].values[:, -1]
    outcome = _outcome(model, until)
    probabilities = _capped(model, outcome.logits).double().softmax(0)
    best = probabilities.topk(min(10, len(probabilities))).indices.tolist()
    chosen = best[0] if target is None else target
    direction = unembedding(model, slice(chosen, chosen + 1))[0].cpu() / outcome.sigma
    values = np.stack([neurons[i] * _toward(model, i, direction, outcome) for i in range(model.card.layers)])
    return DirectEffects(
        position=position,
        target=TokenScore(chosen, model.display(chosen), probabilities[chosen].item()),
        predictions=tuple(TokenScore(i, model.display(i), probabilities[i].item()) for i in best),
        logit=outcome.logits[chosen].item(),
        values=values,
    )


def _predicts(model: LoadedModel) -> None:
    if not model.card.causal:
        raise UnsupportedModel(f"{model.card.label} reads text in both directions and predicts no next token.")


class _Scores:
    """One direction of the residual stream against a row for each token of the vocabulary.

    The rows come in chunks: folded and in float32 all at once, a large vocabulary's would fill the memory.
    """

    def __init__(
        self, model: LoadedModel, chunks: Iterable[Float[Tensor, "chunk width"]], direction: Float[Tensor, " width"]
    ) -> None:
        self.model = model
        parts = [((rows @ direction.to(rows.device)).cpu(), rows.norm(dim=1).cpu()) for rows in chunks]
        self.raw = torch.cat([score for score, _ in parts])
        # The two lengths divided out; rows of zeros (unused ids) have no direction and score 0.
        self.cosine = self.raw / (torch.cat([length for _, length in parts]) * direction.norm()).clamp(min=1e-12)

    def top(self, count: int) -> tuple[TokenScore, ...]:
        return self._listed(torch.sort(self.raw, descending=True, stable=True).indices[:count])

    def bottom(self, count: int) -> tuple[TokenScore, ...]:
        return self._listed(torch.sort(self.raw, stable=True).indices[:count])

    def _listed(self, ids: Tensor) -> tuple[TokenScore, ...]:
        return tuple(
            TokenScore(i, self.model.display(i), self.raw[i].item(), self.cosine[i].item()) for i in ids.tolist()
        )


_CHUNK = 8192
"""Rows of the vocabulary that are folded at a time."""


def _embedding(model: LoadedModel) -> Iterator[Float[Tensor, "chunk width"]]:
    for rows in torch.split(_numbers(model.part(model.base, model.family.embedding)), _CHUNK):
        if model.family.embedding_projection and rows.shape[1] != model.card.width:
            projection = matrix(model.part(model.base, model.family.embedding_projection))
            yield rows.float() @ projection.to(rows.device)
        else:
            yield rows.float()


def _written_scores(model: LoadedModel, direction: Float[Tensor, " width"]) -> _Scores:
    return _Scores(
        model, (_unembedded(model, rows) for rows in torch.split(_numbers(model.unembedding), _CHUNK)), direction
    )


def _unembedded(model: LoadedModel, rows: Tensor) -> Float[Tensor, "rows width"]:
    return directions.folded(model, rows.float(), _final_norm(model)) * _logit_scale(model)


def _numbers(module: Any) -> Float[Tensor, "vocabulary width"]:
    held = weight(module)
    assert held is not None, "embeddings have weights"
    return held


def _toward(
    model: LoadedModel, layer: int, direction: Float[Tensor, " width"], outcome: _Outcome
) -> Float[np.ndarray, " neurons"]:
    """How far one unit of each neuron of a layer moves the residual stream along `direction`."""
    reached = directions.joining(model, layer, direction)
    if model.family.mlp_out_norm:
        reached = reached / outcome.out_sigmas[layer]
    down = matrix(model.in_block(layer, model.family.down))
    return (down @ reached.to(down.device)).cpu().numpy()


def _final_norm(model: LoadedModel) -> Any | None:
    return model.part(model.base, model.family.final_norm) if model.family.final_norm else None


def _logit_scale(model: LoadedModel) -> float:
    config = model.network.config
    return float(getattr(config, "logit_scale", None) or 1.0) / float(getattr(config, "logits_scaling", None) or 1.0)


def _capped(model: LoadedModel, logits: Float[Tensor, "*tokens vocabulary"]) -> Float[Tensor, "*tokens vocabulary"]:
    cap = getattr(model.network.config, "final_logit_softcapping", None)
    return torch.tanh(logits / cap) * cap if cap else logits


def _upto(tokens: Tokens, position: int) -> Tokens:
    """The text as far as `position`: in a causal model nothing after it changes what happens there."""
    stop = position + 1
    return Tokens(tokens.text, tokens.ids[:stop], tokens.offsets[:stop], tokens.display[:stop], tokens.special[:stop])


@dataclass(frozen=True, eq=False)
class _Outcome:
    """What comes out of the network at a text's last token."""

    logits: Float[Tensor, " vocabulary"]
    """Before any soft cap."""
    sigma: Float[Tensor, ""]
    """What the final norm divides by there."""
    out_sigmas: list[Float[Tensor, ""]]
    """What the norms behind the MLPs divide by there, where there are such norms."""


def _outcome(model: LoadedModel, tokens: Tokens) -> _Outcome:
    final = _final_norm(model)
    behind = (
        [model.in_block(i, model.family.mlp_out_norm) for i in range(model.card.layers)]
        if (model.family.mlp_out_norm)
        else []
    )
    norms = [norm for norm in (final, *behind) if norm is not None]
    entered: dict[Any, Tensor] = {}
    left: dict[Any, Tensor] = {}
    hooks = [
        (norm, lambda x, norm=norm, seen=seen: seen.__setitem__(norm, x[0, -1].float().cpu().clone()), enters)
        for norm in norms
        for seen, enters in ((entered, True), (left, False))
    ]
    ids = torch.from_numpy(tokens.ids)[None]
    with evaluating(model.network), hooked(hooks):
        output = forward(model, ids, torch.ones_like(ids, dtype=torch.bool))
        with torch.inference_mode():
            logits = model.unembedding(output.last_hidden_state[0, -1]).float().cpu() * _logit_scale(model)
    sigmas = [_sigma(model, norm, entered[norm], left[norm]) for norm in norms]
    return _Outcome(logits, sigmas[0] if final is not None else torch.tensor(1.0), sigmas[1:])


def _sigma(model: LoadedModel, norm: Any, entered: Tensor, left: Tensor) -> Float[Tensor, ""]:
    """What a norm divided by, found from what entered and left it, so that every kind of norm says it itself."""
    centred = entered - entered.mean() if model.family.norm == "LayerNorm" else entered
    scaled = centred * directions.gain(model, norm, centred.device)
    shift = weight(norm, "bias")
    moved = left if shift is None else left - shift.float().cpu()
    return scaled.square().sum() / (scaled * moved).sum()
