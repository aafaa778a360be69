"""A folder that holds a model: its configuration, its tokenizer, its weights, each read by whoever knows its layout.

Most layouts are transformers' own. A layout of another kind is mapped onto one of those in a file of its own, and named
in `LAYOUTS`.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuronscope.jobs import track
from neuronscope.models import folders, qwen
from neuronscope.models.families import Family, auto_class
from neuronscope.models.memory import trim
from neuronscope.models.refusals import refusing, unreported

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

_SAFETENSORS = (folders.WEIGHTS, folders.INDEX)


@dataclass(frozen=True)
class Checkpoint:
    """A folder in the layout of transformers; what cannot be read raises `UnsupportedModel`."""

    folder: Path
    """Where it is."""
    name: str
    """What it is called in errors."""
    trust_remote_code: bool = False
    """Whether its own code may run."""

    @classmethod
    def is_one(cls, _raw: dict[str, Any]) -> bool:
        """Whether a configuration, as it stands in the file, is of this layout."""
        return True

    def config(self) -> PretrainedConfig:
        """Its configuration."""
        import transformers

        return transformers.AutoConfig.from_pretrained(self.folder, **self._options)

    def tokenizer(self) -> PreTrainedTokenizerFast:
        """Its tokenizer."""
        import transformers

        return transformers.AutoTokenizer.from_pretrained(self.folder, **self._options)

    def network(self, config: PretrainedConfig, family: Family, **how: Any) -> tuple[PreTrainedModel, dict[str, Any]]:
        """Its network with its weights, and which of them were missing, left over or of another shape."""
        import transformers

        return getattr(transformers, auto_class(family, config)).from_pretrained(
            self.folder,
            use_safetensors=folders.weights_among(path.name for path in self.folder.iterdir()) in _SAFETENSORS,
            weights_only=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            **how,
            **self._options,
        )

    @property
    def _options(self) -> dict[str, Any]:
        return {"trust_remote_code": self.trust_remote_code, "local_files_only": True}


class OriginalQwen(Checkpoint):
    """The first Qwen's own layout, read as Qwen 2."""

    @classmethod
    def is_one(cls, raw: dict[str, Any]) -> bool:
        """Whether a configuration, as it stands in the file, is the first Qwen's."""
        return qwen.is_original(raw)

    def config(self) -> PretrainedConfig:
        """Its configuration, as Qwen 2 has it."""
        return qwen.native_config(_raw(self.folder), self.name)

    def tokenizer(self) -> PreTrainedTokenizerFast:
        """Its tokenizer, made from the tiktoken vocabulary."""
        return qwen.load_tokenizer(self.folder)

    def network(self, config: PretrainedConfig, family: Family, **how: Any) -> tuple[PreTrainedModel, dict[str, Any]]:
        """Its network as a Qwen 2."""
        return qwen.load_network(self.folder, config, self.name, **how)


LAYOUTS: tuple[type[Checkpoint], ...] = (OriginalQwen, Checkpoint)
"""The first that says it is one reads the folder."""


def checkpoint(folder: Path, name: str, *, trust_remote_code: bool = False) -> Checkpoint:
    """The checkpoint in `folder`, read by the layout that fits its configuration."""
    with refusing(name, "config.json"):
        raw = _raw(folder)
    layout = next(layout for layout in LAYOUTS if layout.is_one(raw))
    return layout(folder, name, trust_remote_code)


@contextlib.contextmanager
def weights_reported() -> Iterator[None]:
    """Let whoever asked for the model hear of every weight that is loaded, and stop between two of them.

    transformers announces its progress bars to a hook before it makes them; this one takes their place.
    """
    from transformers.utils import logging

    def instead(make: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if options.get("desc") == "Loading weights" and args:
            return track(_each_put_away(args[0]), label="Loading weights", total=len(args[0]))
        return make(*args, **{**options, "disable": True})

    before = logging.set_tqdm_hook(instead)
    try:
        with unreported():
            yield
    finally:
        logging.set_tqdm_hook(before)


def _each_put_away(weights: Iterable[Any]) -> Iterator[Any]:
    """Each weight, and after it what quantizing it took, so that this does not add up."""
    for weight in weights:
        yield weight
        trim()


def _raw(folder: Path) -> dict[str, Any]:
    raw: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return raw
