"""The models of known truth, and how a claim about them is judged."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuronscope.scope import Scope, Workspace
from neuronscope.settings import Settings
from neuronscope.vocabulary import Tokens

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

    from neuronscope.demo.planted import Planted, PlantedNeuron
    from neuronscope.indexed import Index
    from neuronscope.series import Drift


@dataclass(frozen=True)
class Check:
    """One claim, put to the test."""

    claim: str
    """What should be true."""
    expected: str
    """What the truth is."""
    found: str
    """What was reported."""
    passed: bool
    """Whether they agree."""


@dataclass(frozen=True)
class Report:
    """All claims, put to the test."""

    checks: tuple[Check, ...]
    """One for each claim, in the order of `CHECKS`."""
    seconds: float
    """How long it took."""

    @property
    def passed(self) -> bool:
        """Whether every claim holds."""
        return all(check.passed for check in self.checks)


class Bench:
    """The models of known truth, made when first asked for and shared by all checks."""

    def __init__(self, workspace: Workspace) -> None:
        """Take the models into `workspace`."""
        self.workspace = workspace

    @cached_property
    def planted(self) -> Planted:
        """The hand-built GPT-2."""
        from neuronscope.demo.planted import build

        return build()

    @cached_property
    def texts(self) -> list[str]:
        """Texts for it, of two dozen words each."""
        from neuronscope.demo.planted import corpus

        return corpus(texts=64)

    @cached_property
    def long_texts(self) -> list[str]:
        """Eight times as many: enough contexts of every word to compare."""
        from neuronscope.demo.planted import corpus

        return corpus(texts=512)

    @cached_property
    def scope(self) -> Scope:
        """The hand-built GPT-2, ready to be asked."""
        return self.workspace.attach(self.planted.network, self.planted.tokenizer, "planted")

    @cached_property
    def llama(self) -> LlamaForCausalLM:
        """A small Llama with random weights, uneven norm gains and grouped-query attention."""
        return _random_llama(vocabulary=len(self.planted.tokenizer))

    @cached_property
    def llama_scope(self) -> Scope:
        """The small Llama, ready to be asked."""
        return self.workspace.attach(self.llama, self.planted.tokenizer, "random llama")

    @cached_property
    def index(self) -> Index:
        """The texts as the hand-built GPT-2 was scanned on them."""
        return self._indexed(self.scope, self.texts)

    @cached_property
    def long_index(self) -> Index:
        """The long texts as the hand-built GPT-2 was scanned on them."""
        return self._indexed(self.scope, self.long_texts, self.workspace.settings.data_folder / "long")

    @cached_property
    def llama_index(self) -> Index:
        """The texts as the small Llama was scanned on them."""
        return self._indexed(self.llama_scope, self.texts)

    @cached_property
    def series(self) -> tuple[Scope, Scope]:
        """The hand-built GPT-2 as it is saved, and with a few of its neurons changed."""
        base, _same, changed = self._checkpoints
        return self.workspace.scope(str(base)), self.workspace.scope(str(changed))

    @cached_property
    def drift(self) -> Drift:
        """From the hand-built GPT-2 to itself, and to a copy with a few of its neurons changed."""
        _base, same, changed = self._checkpoints
        return self.series[0].drift([same, changed], self._written(self.texts))

    @cached_property
    def _checkpoints(self) -> tuple[Path, Path, Path]:
        from neuronscope.selftest.changing import saved

        return saved(self.planted, self.workspace.settings.data_folder / "series")

    def _indexed(self, scope: Scope, texts: list[str], folder: Path | None = None) -> Index:
        return scope.index(self._written(texts), folder)

    def _written(self, texts: list[str]) -> Path:
        data = self.workspace.settings.data_folder
        data.mkdir(parents=True, exist_ok=True)
        written = data / f"texts-{len(texts)}.jsonl"
        written.write_text("\n".join(json.dumps({"text": text}) for text in texts), encoding="utf-8")
        return written

    def ids(self, text: str) -> list[int]:
        """A text's token ids, from the tokenizer alone."""
        ids: list[int] = self.planted.tokenizer(text)["input_ids"]
        return ids

    def words(self, tokens: Tokens) -> list[str]:
        """The words that token ids stand for, from the tokenizer alone."""
        words: list[str] = self.planted.tokenizer.convert_ids_to_tokens(tokens.ids.tolist())
        return words


@contextmanager
def bench() -> Iterator[Bench]:
    """Lend a bench whose workspace lives in a temporary folder and never speaks to a hub."""
    with tempfile.TemporaryDirectory(prefix="neuronscope-") as folder:
        workspace = Workspace(Settings(Path(folder, "cache"), Path(folder, "data"), offline=True))
        try:
            yield Bench(workspace)
        finally:
            workspace.close()


def _random_llama(vocabulary: int) -> LlamaForCausalLM:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
    )
    network = LlamaForCausalLM(config).eval()
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=random) * 0.3 + ("norm" in name))
    return network


def distance(found: Any, truth: Any) -> float:
    """The largest difference, as a share of the largest true value; infinite where shapes differ."""
    found, truth = np.asarray(found, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    if found.shape != truth.shape:
        return float("inf")
    return float(np.abs(found - truth).max() / np.abs(truth).max())


def close(claim: str, difference: float, limit: float) -> Check:
    """Judge a claim by how far the report is from the truth; NaN is far."""
    return Check(claim, f"within {limit:.0e}", f"{difference:.1e} off", bool(difference <= limit))


def equal(claim: str, expected: str, found: str) -> Check:
    """Judge a claim by whether the report is the truth, word for word."""
    return Check(claim, expected, found, expected == found)


def all_right(claim: str, judged: Sequence[PlantedNeuron], wrong: set[PlantedNeuron]) -> Check:
    """Judge a claim about several planted neurons; none may be wrong."""
    every = f"all {len(judged)} neurons"
    names = ", ".join(f"{neuron.kind} (L0.N{neuron.index})" for neuron in judged if neuron in wrong)
    return Check(claim, every, f"wrong: {names}" if names else every, not names)
