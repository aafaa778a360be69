"""The demo models: two small trained language models that travel with the package, and the world they were trained on.

`DEMOS` lists them; `folder` and `checkpoints` say where their files are, in the form any loader of local models reads.
What they have learnt is told in README.md and, as data, in known_neurons.json. Nothing heavy is imported here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["DEMOS", "Demo", "checkpoints", "control", "folder"]


@dataclass(frozen=True)
class Demo:
    """One demo model."""

    name: str
    """What one asks for it by, as in `load("demo:stories")`."""
    folder: Path
    """Where its weights, configuration and tokenizer are."""
    description: str
    """One line on what it is."""
    prompts: tuple[str, ...]
    """Texts on which its neurons show well; the first is a good one to open with."""


_PROMPTS = (
    "The capital of France is Paris. The capital of Japan is Tokyo.",
    "Anna took her money to the bank. Then she swam across the river and climbed up the muddy bank.",
    "def add(x, y):\n    result = x + y\n    return result\n",
    "Pierre habite à Paris avec Marie. Der alte Hund schläft im Garten. The old dog slept in the garden.",
    '"Where are you going?" asked Tom.\n"To the market," said Lily (she had 7 coins). "7 + 5 = 12."',
    "The capital of Italy is",
)

DEMOS: tuple[Demo, ...] = (
    Demo(
        "demo:stories",
        Path(__file__).parent / "stories",
        "GPT-2 shaped, 1.1 million weights, 4 × 512 GELU neurons, with checkpoints of a fine-tuning on ships' logs",
        _PROMPTS,
    ),
    Demo(
        "demo:stories-llama",
        Path(__file__).parent / "stories-llama",
        "Llama shaped, 1.1 million weights, 4 × 384 gated neurons, grouped-query attention",
        _PROMPTS,
    ),
)


def folder(name: str) -> Path:
    """Where the files of a demo model are; raises KeyError, naming those there are, for any other name."""
    for demo in DEMOS:
        if demo.name == name:
            return demo.folder
    raise KeyError(f"No demo model is called {name!r}: there are {', '.join(demo.name for demo in DEMOS)}.")


def checkpoints(name: str) -> tuple[Path, ...]:
    """The folders of a demo model's fine-tuning checkpoints in the order of training; empty if it has none."""
    return tuple(sorted((folder(name) / "checkpoints").glob("step-*")))


def control(name: str) -> Path | None:
    """A checkpoint trained on as long as the last one of `checkpoints`, but on more of the same text; None if none."""
    return next(iter((folder(name) / "control").glob("step-*")), None)
