"""One family of networks: where its neurons are, as data.

A neuron's activation is one entry of what enters the MLP's output projection (`down`). Paths are relative to the base
model for `blocks`, `embedding` and `final_norm`, and to one block for everything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


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
    gate: str | None
    """The gate projection, None in an ungated MLP."""
    activation: str
    """The activation function's module."""
    attention_out: str
    """The attention's output projection; its input is the heads' outputs, head by head."""
    mlp_norm: str
    """The norm whose output the MLP reads."""
    final_norm: str
    """The norm before the unembedding."""
    embedding: str
    """The token embedding."""
    norm: Literal["LayerNorm", "RMSNorm"]
    """The kind of both norms."""
