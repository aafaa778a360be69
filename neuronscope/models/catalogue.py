"""The checkpoints we know by name: the demo models, which are always at hand, and well-known ones from the hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from neuronscope.errors import ModelNotFound

DEMO_PREFIX = "demo:"
_DEMO_FOLDER = Path(__file__).resolve().parents[1] / "demo"


@dataclass(frozen=True)
class Entry:
    """One checkpoint a person can pick."""

    name: str
    """The name to load it by."""
    family: str
    """Its family of networks."""
    parameters: int
    """Number of weights."""
    context: int
    """Longest text in tokens."""
    licence: str
    """Its licence, as its authors name it."""
    use: str
    """What it is good for here."""
    permission: bool = False
    """Whether its authors want to be asked first: the hub then needs a token of an account that has it."""

    @property
    def demo(self) -> bool:
        """Whether it travels with NeuronScope."""
        return self.name.startswith(DEMO_PREFIX)


CATALOGUE: tuple[Entry, ...] = (
    Entry("demo:stories", "gpt2", 1_080_000, 256, "Apache-2.0", "A first look: GPT-2 in small, always at hand"),
    Entry("demo:stories-llama", "llama", 1_080_000, 256, "Apache-2.0", "A first look at gated neurons, always at hand"),
    Entry("gpt2", "gpt2", 124_439_808, 1024, "MIT", "The model most neuron studies begin with"),
    Entry("gpt2-medium", "gpt2", 354_823_168, 1024, "MIT", "Deeper than gpt2, still quick on a laptop"),
    Entry("gpt2-large", "gpt2", 774_030_080, 1024, "MIT", "Published neuron attributions to compare with"),
    Entry(
        "TinyLlama/TinyLlama-1.1B-Chat-v1.0",
        "llama",
        1_100_048_384,
        2048,
        "Apache-2.0",
        "A chat model with gated neurons that fits a laptop",
    ),
    Entry(
        "meta-llama/Llama-3.2-1B",
        "llama",
        1_235_814_400,
        131_072,
        "Llama 3.2 Community",
        "The smallest of today's Llamas",
        permission=True,
    ),
    Entry(
        "meta-llama/Llama-2-7b-hf",
        "llama",
        6_738_415_616,
        4096,
        "Llama 2 Community",
        "Widely studied; wants 27 GB in float32, 14 GB in bfloat16",
        permission=True,
    ),
)


def demo_folder(name: str) -> Path:
    """The folder of a demo model or of one of its checkpoints, such as `demo:stories/step-0100`.

    Raises:
        ModelNotFound: naming the demo models there are.
    """
    model, _, checkpoint = name.removeprefix(DEMO_PREFIX).partition("/")
    known = [entry.name for entry in CATALOGUE if entry.demo]
    if DEMO_PREFIX + model not in known:
        raise ModelNotFound(f"No demo model {name!r}: there are {', '.join(known)}.")
    folder = _DEMO_FOLDER / model
    if not checkpoint:
        return folder
    steps = sorted(found.name for found in (folder / "checkpoints").glob("*") if found.is_dir())
    if checkpoint not in steps:
        raise ModelNotFound(f"No checkpoint {checkpoint!r} of {DEMO_PREFIX}{model}: there are {', '.join(steps)}.")
    return folder / "checkpoints" / checkpoint
