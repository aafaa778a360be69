"""What a neuron reads and writes, from the weights; and what it adds to one prediction.

Everything here is the direct path: from a token's embedding straight to the neuron, from the neuron straight to the
logits. What lies between is left out, so these are hints about a neuron, not its behaviour.

Norms are folded: a projection that reads `norm(x) = gain * (x - mean) / sigma + shift` reads `x` with weights
`gain * w`, centred over the width for LayerNorm (which takes the mean out of `x`) and as they are for RMSNorm.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy import stats
from torch import Tensor

from neuronscope.engine.capture import capture, evaluating, forward, hooked
from neuronscope.errors import InputError
from neuronscope.models.loading import LoadedModel
from neuronscope.models.precision import bias, matrix
from neuronscope.vocabulary import DirectEffects, Neuron, NeuronWeights, Site, Tokens, TokenScore


def weights(model: LoadedModel, neuron: Neuron, *, count: int = 20) -> NeuronWeights:
    """What `neuron` reads and writes in token space, `count` tokens at either end.

    Raises:
        NoSuchLayer, NoSuchNeuron: if the model does not have it.
        UnsupportedModel: if the model has no unembedding.
    """
    model.card.check(neuron)
    embedding = model.part(model.base, model.family.embedding).weight.detach().float()
    reading = _read_direction(model, neuron, model.family.up)
    gate = _read_direction(model, neuron, model.family.gate) if model.family.gate else None
    written = matrix(model.in_block(neuron.layer, model.family.down))[neuron.index]
    writing = _Scores(model, unembedding(model), written)
    read = _Scores(model, embedding, reading)
    gated = _Scores(model, embedding, gate) if gate is not None else None
    over_vocabulary = writing.raw.double().cpu().numpy()
    return NeuronWeights(
        neuron=neuron,
        reads_most=read.top(count),
        reads_least=read.bottom(count),
        gate_reads_most=gated.top(count) if gated else (),
        gate_reads_least=gated.bottom(count) if gated else (),
        promotes=writing.top(count),
        suppresses=writing.bottom(count),
        norm_in=reading.norm().item(),
        norm_gate=gate.norm().item() if gate is not None else None,
        norm_out=written.norm().item(),
        bias=_read_bias(model, neuron),
        write_kurtosis=float(stats.kurtosis(over_vocabulary)),
        write_skewness=float(stats.skew(over_vocabulary)),
    )


def unembedding(model: LoadedModel) -> Float[Tensor, "vocabulary width"]:
    """The unembedding with the final norm folded in: a direction of the residual stream for each token's logit.

    Divided by the final norm's sigma at a token, its product with the residual stream is that token's logit there, up
    to the norm's own bias.
    """
    norm = model.part(model.base, model.family.final_norm)
    return _folded(model, matrix(model.unembedding).T, norm)


def direct_effects(model: LoadedModel, tokens: Tokens, position: int, target: int | None = None) -> DirectEffects:
    """What each neuron at `position` adds directly to the logit of the next token `target`.

    The direct effect of a neuron is `a · (U_target · w_out) / sigma`, where U is the folded unembedding and sigma the
    scale that the final norm really has at that token. Together with the embedding's, the attention's and the biases'
    shares, these add up to the logit. By default the target is the token the model finds most probable.

    Raises:
        NoSuchToken: if the text has no such position.
        InputError: if the vocabulary has no such target.
        TextTooLong: for a text beyond the context.
    """
    tokens.check(position)
    if target is not None and not 0 <= target < model.card.vocabulary:
        raise InputError(f"No token id {target}: {model.card.name} has ids 0 to {model.card.vocabulary - 1}.")
    until = _upto(tokens, position)
    neurons = capture(model, [until])[0][Site.NEURONS].values[:, -1]
    residual, logits = _outcome(model, until)
    probabilities = logits.double().softmax(0)
    best = probabilities.topk(min(10, len(probabilities))).indices.tolist()
    chosen = best[0] if target is None else target
    direction = unembedding(model)[chosen] / _sigma(model, residual)
    values = np.stack(
        [
            neurons[layer] * (matrix(model.in_block(layer, model.family.down)) @ direction).cpu().numpy()
            for layer in range(model.card.layers)
        ]
    )
    return DirectEffects(
        position=position,
        target=TokenScore(chosen, model.display(chosen), probabilities[chosen].item()),
        predictions=tuple(TokenScore(i, model.display(i), probabilities[i].item()) for i in best),
        logit=logits[chosen].item(),
        values=values,
    )


class _Scores:
    """One direction of the residual stream against a row for each token of the vocabulary."""

    def __init__(self, model: LoadedModel, rows: Float[Tensor, "vocabulary width"], direction: Tensor) -> None:
        self.model = model
        self.raw = rows @ direction
        # The two lengths divided out; rows of zeros (unused ids) have no direction and score 0.
        self.cosine = self.raw / (rows.norm(dim=1) * direction.norm()).clamp(min=1e-12)

    def top(self, count: int) -> tuple[TokenScore, ...]:
        return self._listed(torch.sort(self.raw, descending=True, stable=True).indices[:count])

    def bottom(self, count: int) -> tuple[TokenScore, ...]:
        return self._listed(torch.sort(self.raw, stable=True).indices[:count])

    def _listed(self, ids: Tensor) -> tuple[TokenScore, ...]:
        return tuple(
            TokenScore(i, self.model.display(i), self.raw[i].item(), self.cosine[i].item()) for i in ids.tolist()
        )


def _read_direction(model: LoadedModel, neuron: Neuron, path: str) -> Float[Tensor, " width"]:
    projection = matrix(model.in_block(neuron.layer, path))[:, neuron.index]
    return _folded(model, projection, model.in_block(neuron.layer, model.family.mlp_norm))


def _read_bias(model: LoadedModel, neuron: Neuron) -> float:
    up = model.in_block(neuron.layer, model.family.up)
    shift = getattr(model.in_block(neuron.layer, model.family.mlp_norm), "bias", None)
    own = bias(up)[neuron.index].item()
    return own if shift is None else own + (shift.detach().float() @ matrix(up)[:, neuron.index]).item()


def _folded(model: LoadedModel, rows: Float[Tensor, "... width"], norm: Any) -> Float[Tensor, "... width"]:
    rows = rows * norm.weight.detach().float()
    return rows - rows.mean(-1, keepdim=True) if model.family.norm == "LayerNorm" else rows


def _sigma(model: LoadedModel, residual: Float[Tensor, " width"]) -> Float[Tensor, ""]:
    """The number that the final norm divides this residual by."""
    norm = model.part(model.base, model.family.final_norm)
    epsilon = getattr(norm, "eps", None) or norm.variance_epsilon
    centred = residual - residual.mean() if model.family.norm == "LayerNorm" else residual
    return (centred.square().mean() + epsilon).sqrt()


def _upto(tokens: Tokens, position: int) -> Tokens:
    """The text as far as `position`: in a causal model nothing after it changes what happens there."""
    stop = position + 1
    return Tokens(tokens.text, tokens.ids[:stop], tokens.offsets[:stop], tokens.display[:stop], tokens.special[:stop])


def _outcome(model: LoadedModel, tokens: Tokens) -> tuple[Float[Tensor, " width"], Float[Tensor, " vocabulary"]]:
    """The residual stream that enters the final norm at the last token, and the logits there."""
    seen: list[Tensor] = []
    norm = model.part(model.base, model.family.final_norm)
    ids = torch.from_numpy(tokens.ids)[None]
    with evaluating(model.network), hooked([(norm, lambda entering: seen.append(entering[0, -1].clone()), True)]):
        output = forward(model, ids, torch.ones_like(ids, dtype=torch.bool))
        with torch.inference_mode():
            logits = model.unembedding(output.last_hidden_state[0, -1])
    return seen[0].float(), logits.float()
