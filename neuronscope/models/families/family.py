"""One family of networks: where its neurons are, as data.

A neuron's activation is one entry of what enters the MLP's output projection (`down`). Paths are relative to the base
model for `blocks`, `embedding`, `final_norm` and the projections beside the embeddings, and to one block for the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Head = Literal["causal", "masked", "encoder"]


def _always(_config: Any) -> bool:
    return True


@dataclass(frozen=True)
class Family:
    """Networks that share one layout."""

    name: str
    """What we call the family."""
    model_types: tuple[str, ...]
    """The `model_type` of the configurations it covers."""
    blocks: str
    """The list of blocks."""
    down: str
    """The MLP's output projection; its input is the neurons."""
    up: str
    """The MLP's input projection."""
    activation: str
    """The activation function's module."""
    attention_out: str
    """The attention's output projection; its input is the heads' outputs, head by head."""
    embedding: str
    """The token embedding."""
    norm: Literal["LayerNorm", "RMSNorm"]
    """The kind of its norms."""
    gate: str | None = None
    """The gate projection, None in an ungated MLP."""
    fused: bool = False
    """Whether `gate` and `up` are one projection: the gate is the first half of its output, up the second."""
    mlp_norm: tuple[str, ...] = ()
    """The norm whose output the MLP reads: the first of these that a block has; none where it reads the stream."""
    mlp_out_norm: str | None = None
    """A norm that the MLP's output passes before it joins the residual stream."""
    final_norm: str | None = None
    """The norm before the unembedding."""
    gain_offset: float = 0.0
    """What is added to a norm's weight to make its gain: 1 where weights are held as the difference from 1."""
    embedding_projection: str | None = None
    """A projection from the embedding's width to the stream's, where they differ."""
    head: Head = "causal"
    """What follows the blocks: next-token logits, masked-token logits or nothing."""
    shared_block: bool = False
    """Whether one block serves as every layer in turn."""
    trained_context: int | None = None
    """The length it was trained on, for networks whose positions have no upper end."""
    position_offset: int = 0
    """Positions of the table that no token can have."""
    applies: Callable[[Any], bool] = _always
    """Which configurations of those types it covers, where one type has several layouts."""
