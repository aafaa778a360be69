"""NeuronScope: see what the neurons of a transformer language model do.

    import neuronscope as ns

    scope = ns.load("demo:stories")
    activations = scope.activations("The capital of France is Paris.")
    ns.figures.heatmap(activations, layer=2)

Nothing heavy is imported before it is used: `import neuronscope` brings in neither torch nor transformers nor Dash.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from neuronscope.version import VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from neuronscope import figures
    from neuronscope.errors import NeuronScopeError
    from neuronscope.indexed import Index
    from neuronscope.notebook import show
    from neuronscope.scope import Scope, Workspace
    from neuronscope.series import Drift
    from neuronscope.vocabulary import Activations, Neuron, Site, Tokens

__version__ = VERSION

__all__ = [
    "Activations",
    "Drift",
    "Index",
    "Neuron",
    "NeuronScopeError",
    "Scope",
    "Site",
    "Tokens",
    "Workspace",
    "attach",
    "figures",
    "load",
    "open_drift",
    "open_index",
    "show",
]

_WHERE = {
    "Activations": "vocabulary",
    "Neuron": "vocabulary",
    "NeuronScopeError": "errors",
    "Scope": "scope",
    "Site": "vocabulary",
    "Tokens": "vocabulary",
    "Workspace": "scope",
    "show": "notebook",
    "Drift": "series",
    "Index": "indexed",
}


def load(
    name: str,
    *,
    precision: str = "auto",
    device: str = "auto",
    revision: str | None = None,
    trust_remote_code: bool = False,
) -> Scope:
    """Load a model by demo name (`demo:stories`), hub name (`gpt2`) or folder, and return its Scope.

    Args:
        name: What to load.
        precision: `auto`, `float32`, `bfloat16` or `float16`.
        device: `auto` (a GPU where there is one), `cpu`, `cuda`, `cuda:1`, `mps`.
        revision: A branch, tag or commit on the hub.
        trust_remote_code: Whether to run code that comes with the checkpoint.

    Raises:
        ModelNotFound: if there is no such model, or it cannot be reached.
        UnsupportedModel: if its architecture, tokenizer or weight files are not ones we read.
    """
    from neuronscope.scope import Workspace

    return Workspace().scope(
        name, precision=precision, device=device, revision=revision, trust_remote_code=trust_remote_code
    )


def attach(network: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, name: str | None = None) -> Scope:
    """Return the Scope of a transformers model that is already in memory; it is read where it stands.

    Raises:
        UnsupportedModel: if its architecture or tokenizer is not one we read.
    """
    from neuronscope.scope import Workspace

    return Workspace().attach(network, tokenizer, name)


def open_index(folder: Path | str) -> Index:
    """Open the index of a corpus, whole or still growing; no model is needed.

    Raises:
        NoIndex: if there is none in `folder`.
        DamagedIndex: if its files are not what its manifest says.
    """
    from neuronscope.indexed import Index

    return Index.open(folder)


def open_drift(folder: Path | str) -> Drift:
    """Open what `Scope.drift` or `neuronscope drift` measured; no model is needed.

    Raises:
        DriftProblem: if there is none in `folder`, or its files are not what its manifest says.
    """
    from neuronscope.series import Drift

    return Drift.open(folder)


def __getattr__(name: str) -> Any:
    if name == "figures":
        return importlib.import_module("neuronscope.figures")
    if name in _WHERE:
        return getattr(importlib.import_module(f"neuronscope.{_WHERE[name]}"), name)
    raise AttributeError(f"module 'neuronscope' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
