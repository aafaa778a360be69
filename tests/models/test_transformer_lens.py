"""The same neurons as TransformerLens' bridge finds, in every family that both read."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from neuronscope.engine.capture import capture
from neuronscope.models.loading import attach
from neuronscope.vocabulary import Site
from tests import models_for_tests as tiny

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("transformer_lens") is None, reason="transformer-lens is not installed"
)

UNREAD = {"codegen", "ministral"}
"""Causal types that we read and the bridge (4.3) does not."""
CAUSAL = [k for k in tiny.FAMILY_TYPES if tiny._head(k) == "AutoModelForCausalLM" and k not in UNREAD]


@pytest.mark.parametrize("kind", CAUSAL)
def test_neurons_equal_those_of_the_bridge(kind: str, tmp_path: Path) -> None:
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import AutoTokenizer

    ours = attach(tiny.of_type(kind), tiny.tokenizer(), kind)
    tokens = ours.tokens("the king and the queen sat under a green tree")
    found = capture(ours, [tokens])[0][Site.NEURONS].values
    tiny.tokenizer().save_pretrained(tmp_path)
    bridge = TransformerBridge.boot_transformers(
        "gpt2", hf_model=tiny.of_type(kind), tokenizer=AutoTokenizer.from_pretrained(tmp_path)
    )
    _, cache = bridge.run_with_cache(torch.from_numpy(tokens.ids)[None])
    theirs = np.stack([_neurons(cache, layer) for layer in range(2)])
    assert np.abs(found - theirs).max() <= 1e-5 * np.abs(theirs).max()


def _neurons(cache: object, layer: int) -> np.ndarray:
    """What entered the bridge's output projection."""
    names = (f"blocks.{layer}.mlp.hook_post", f"blocks.{layer}.mlp.out.hook_in")
    held = next(cache[name] for name in names if name in cache)
    return held.detach().reshape(-1, held.shape[-1]).numpy()
