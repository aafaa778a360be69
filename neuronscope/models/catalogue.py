"""The checkpoints we know by name: the demo models, which are always at hand, and well-known ones from the hub.

Each stands with the fields of its configuration that give its size, so that what it will take in memory is known
without asking anybody. Smallest first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuronscope.errors import ModelNotFound

if TYPE_CHECKING:
    from transformers import PretrainedConfig

    from neuronscope.models.estimate import Estimate

DEMO_PREFIX = "demo:"
_DEMO_FOLDER = Path(__file__).resolve().parents[1] / "demo"


@dataclass(frozen=True)
class Entry:
    """One checkpoint a person can pick."""

    name: str
    """The name to load it by."""
    model_type: str
    """Its `model_type` in transformers."""
    parameters: int
    """Number of weights, shared ones counted once."""
    context: int
    """Longest text in tokens."""
    licence: str
    """Its licence, as its authors name it."""
    use: str
    """What it is good for here."""
    shape: dict[str, Any] = field(default_factory=dict, hash=False)
    """What its configuration says that the defaults of its type do not."""
    permission: bool = False
    """Whether its authors want to be asked first: the hub then needs a token of an account that has it."""

    @property
    def demo(self) -> bool:
        """Whether it travels with NeuronScope."""
        return self.name.startswith(DEMO_PREFIX)

    @property
    def family(self) -> str:
        """The family of networks it belongs to."""
        return self._family.name

    @cached_property
    def estimate(self) -> Estimate:
        """The weights counted from the configuration, and their bytes at each precision; a fraction of a second."""
        from neuronscope.models.estimate import estimate
        from neuronscope.models.families import auto_class

        config = self.config()
        return estimate(config, auto_class(self._family, config))

    def config(self) -> PretrainedConfig:
        """Its configuration, as far as size goes."""
        import transformers

        return transformers.AutoConfig.for_model(self.model_type, **self.shape)

    @property
    def _family(self) -> Any:
        from neuronscope.models.families import FAMILIES

        return next(family for family in FAMILIES if self.model_type in family.model_types)


def _gpt2(width: int, layers: int, heads: int) -> dict[str, Any]:
    return {"n_embd": width, "n_layer": layers, "n_head": heads}


def _sizes(
    width: int, inner: int, layers: int, heads: int, shared: int, words: int, *, tied: bool = False, **more: Any
) -> dict[str, Any]:
    """Width, inner width, layers, heads, key-value heads and vocabulary of a network of today's usual layout."""
    return {
        "hidden_size": width,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": shared,
        "vocab_size": words,
        "tie_word_embeddings": tied,
        **more,
    }


def _neox(width: int, layers: int, heads: int, words: int = 50304) -> dict[str, Any]:
    return {
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "vocab_size": words,
    }


_STORIES = {**_gpt2(128, 4, 4), "n_inner": 512, "n_positions": 256, "vocab_size": 2304, "bos_token_id": 0}
_STORIES |= {"eos_token_id": 0}
_STORIES_LLAMA = _sizes(128, 384, 4, 4, 2, 2304, tied=True)
_APACHE = "Apache-2.0"
_LLAMA3 = "Llama 3 Community"
_GEMMA = "Gemma"
_SERIES = "Its training steps are revisions (step0 to step143000): a checkpoint series for drift"

# A table, a line or two for each.
# fmt: off
CATALOGUE: tuple[Entry, ...] = (
    Entry("demo:stories", "gpt2", 1_121_024, 256, _APACHE, "A first look: a GPT-2 in small", _STORIES),
    Entry("demo:stories-llama", "llama", 1_082_496, 256, _APACHE, "A first look at gated neurons", _STORIES_LLAMA),
    Entry("sentence-transformers/all-MiniLM-L6-v2", "bert", 22_713_216, 512, _APACHE, "Sentence embeddings",
          {"hidden_size": 384, "intermediate_size": 1536, "num_hidden_layers": 6, "num_attention_heads": 12}),
    Entry("distilbert-base-uncased", "distilbert", 66_985_530, 512, _APACHE, "A small encoder",
          {"architectures": ["DistilBertForMaskedLM"]}),
    Entry("EleutherAI/pythia-70m", "gpt_neox", 70_426_624, 2048, _APACHE, _SERIES, _neox(512, 6, 8)),
    Entry("google-bert/bert-base-uncased", "bert", 109_514_298, 512, _APACHE, "The encoder most probing studies used",
          {"architectures": ["BertForMaskedLM"]}),
    Entry("gpt2", "gpt2", 124_439_808, 1024, "MIT", "The model most neuron studies begin with"),
    Entry("FacebookAI/roberta-base", "roberta", 124_697_433, 512, "MIT", "A well-trained encoder",
          {"architectures": ["RobertaForMaskedLM"], "vocab_size": 50265, "max_position_embeddings": 514,
           "type_vocab_size": 1}),
    Entry("EleutherAI/gpt-neo-125m", "gpt_neo", 125_198_592, 2048, "MIT", "GPT-2's layout, other data",
          {"hidden_size": 768, "num_layers": 12, "num_heads": 12, "attention_types": [[["global", "local"], 6]]}),
    Entry("facebook/opt-125m", "opt", 125_239_296, 2048, "OPT", "ReLU neurons, many of them silent"),
    Entry("HuggingFaceTB/SmolLM2-135M", "llama", 134_515_008, 8192, _APACHE, "The smallest of today's good models",
          _sizes(576, 1536, 30, 9, 3, 49152, tied=True)),
    Entry("EleutherAI/pythia-160m", "gpt_neox", 162_322_944, 2048, _APACHE, _SERIES, _neox(768, 12, 12)),
    Entry("google/gemma-3-270m", "gemma3_text", 268_098_176, 32768, _GEMMA, "The smallest Gemma",
          _sizes(640, 2048, 18, 4, 1, 262144, tied=True, head_dim=256), permission=True),
    Entry("gpt2-medium", "gpt2", 354_823_168, 1024, "MIT", "Deeper than gpt2, still quick on a laptop",
          _gpt2(1024, 24, 16)),
    Entry("HuggingFaceTB/SmolLM2-360M", "llama", 361_821_120, 8192, _APACHE, "Small and good",
          _sizes(960, 2560, 32, 15, 5, 49152, tied=True)),
    Entry("EleutherAI/pythia-410m", "gpt_neox", 405_334_016, 2048, _APACHE, _SERIES, _neox(1024, 24, 16)),
    Entry("Qwen/Qwen2.5-0.5B", "qwen2", 494_032_768, 32768, _APACHE, "Many languages in half a billion weights",
          _sizes(896, 4864, 24, 14, 2, 151936, tied=True)),
    Entry("bigscience/bloom-560m", "bloom", 559_214_592, 2048, "BigScience RAIL", "Forty-six languages",
          {"hidden_size": 1024, "n_layer": 24, "n_head": 16, "vocab_size": 250880}),
    Entry("Qwen/Qwen3-0.6B", "qwen3", 596_049_920, 40960, _APACHE, "The smallest Qwen 3",
          _sizes(1024, 3072, 28, 16, 8, 151936, tied=True, head_dim=128)),
    Entry("gpt2-large", "gpt2", 774_030_080, 1024, "MIT", "Published neuron attributions to compare with",
          _gpt2(1280, 36, 20)),
    Entry("google/gemma-3-1b-pt", "gemma3_text", 999_885_952, 32768, _GEMMA, "Gemma 3 in small",
          _sizes(1152, 6912, 26, 4, 1, 262144, tied=True, head_dim=256), permission=True),
    Entry("TinyLlama/TinyLlama-1.1B-Chat-v1.0", "llama", 1_100_048_384, 2048, _APACHE, "A chat model for a laptop",
          _sizes(2048, 5632, 22, 32, 4, 32000)),
    Entry("meta-llama/Llama-3.2-1B", "llama", 1_235_814_400, 131072, _LLAMA3, "The smallest of today's Llamas",
          _sizes(2048, 8192, 16, 32, 8, 128256, tied=True, head_dim=64), permission=True),
    Entry("EleutherAI/pythia-1.4b", "gpt_neox", 1_414_647_808, 2048, _APACHE, _SERIES, _neox(2048, 24, 16)),
    Entry("allenai/OLMo-2-0425-1B", "olmo2", 1_484_916_736, 4096, _APACHE, "Open data, open checkpoints",
          _sizes(2048, 8192, 16, 16, 16, 100352)),
    Entry("Qwen/Qwen2.5-1.5B", "qwen2", 1_543_714_304, 131072, _APACHE, "Many languages",
          _sizes(1536, 8960, 28, 12, 2, 151936, tied=True)),
    Entry("HuggingFaceTB/SmolLM2-1.7B", "llama", 1_711_376_384, 8192, _APACHE, "Open data",
          _sizes(2048, 8192, 24, 32, 32, 49152, tied=True)),
    Entry("Qwen/Qwen3-1.7B", "qwen3", 1_720_574_976, 40960, _APACHE, "Many languages, thinks aloud",
          _sizes(2048, 6144, 28, 16, 8, 151936, tied=True, head_dim=128)),
    Entry("Qwen/Qwen-1_8B", "qwen2", 1_836_828_672, 8192, "Tongyi Qianwen", "The first Qwen, read without its own code",
          _sizes(2048, 5504, 24, 16, 16, 151936)),
    Entry("google/gemma-2b", "gemma", 2_506_172_416, 8192, _GEMMA, "Wide MLPs: 16,384 neurons a layer",
          _sizes(2048, 16384, 18, 8, 1, 256000, tied=True, head_dim=256), permission=True),
    Entry("google/gemma-2-2b", "gemma2", 2_614_341_888, 8192, _GEMMA, "Published sparse features to compare with",
          _sizes(2304, 9216, 26, 8, 4, 256000, tied=True, head_dim=256), permission=True),
    Entry("microsoft/phi-2", "phi", 2_779_683_840, 2048, "MIT", "Ungated neurons in a model of today",
          _sizes(2560, 10240, 32, 32, 32, 51200, partial_rotary_factor=0.4)),
    Entry("HuggingFaceTB/SmolLM3-3B", "smollm3", 3_075_098_624, 65536, _APACHE, "Open data, long texts",
          _sizes(2048, 11008, 36, 16, 4, 128256, tied=True)),
    Entry("meta-llama/Llama-3.2-3B", "llama", 3_212_749_824, 131072, _LLAMA3, "A small Llama of today",
          _sizes(3072, 8192, 28, 24, 8, 128256, tied=True, head_dim=128), permission=True),
    Entry("microsoft/Phi-3-mini-4k-instruct", "phi3", 3_821_079_552, 4096, "MIT", "A chat model, gate and up in one",
          _sizes(3072, 8192, 32, 32, 32, 32064)),
    Entry("Qwen/Qwen3-4B", "qwen3", 4_022_468_096, 40960, _APACHE, "Strong for its size",
          _sizes(2560, 9728, 36, 32, 8, 151936, tied=True, head_dim=128)),
    Entry("meta-llama/Llama-2-7b-hf", "llama", 6_738_415_616, 4096, "Llama 2 Community", "Widely studied",
          _sizes(4096, 11008, 32, 32, 32, 32000), permission=True),
    Entry("tiiuae/falcon-7b", "falcon", 6_921_720_704, 2048, _APACHE, "Ungated neurons, attention beside the MLP",
          {"hidden_size": 4544, "num_hidden_layers": 32, "num_attention_heads": 71, "vocab_size": 65024}),
    Entry("mistralai/Mistral-7B-v0.1", "mistral", 7_241_732_096, 32768, _APACHE, "Widely studied",
          _sizes(4096, 14336, 32, 32, 8, 32000)),
    Entry("mistralai/Mistral-7B-Instruct-v0.2", "mistral", 7_241_732_096, 32768, _APACHE, "Mistral, tuned to follow",
          _sizes(4096, 14336, 32, 32, 8, 32000)),
    Entry("Qwen/Qwen2.5-7B", "qwen2", 7_615_616_512, 131072, _APACHE, "Many languages",
          _sizes(3584, 18944, 28, 28, 4, 152064)),
    Entry("meta-llama/Llama-3.1-8B", "llama", 8_030_261_248, 131072, _LLAMA3, "The Llama most work is done on",
          _sizes(4096, 14336, 32, 32, 8, 128256), permission=True),
    Entry("Qwen/Qwen3-8B", "qwen3", 8_190_735_360, 40960, _APACHE, "Strong for its size",
          _sizes(4096, 12288, 36, 32, 8, 151936, head_dim=128)),
    Entry("google/gemma-7b", "gemma", 8_537_680_896, 8192, _GEMMA, "24,576 neurons a layer",
          _sizes(3072, 24576, 28, 16, 16, 256000, tied=True, head_dim=256), permission=True),
    Entry("google/gemma-2-9b", "gemma2", 9_241_705_984, 8192, _GEMMA, "Published sparse features to compare with",
          _sizes(3584, 14336, 42, 16, 8, 256000, tied=True, head_dim=256), permission=True),
    Entry("meta-llama/Llama-2-13b-hf", "llama", 13_015_864_320, 4096, "Llama 2 Community", "The larger sister",
          _sizes(5120, 13824, 40, 40, 40, 32000), permission=True),
    Entry("microsoft/phi-4", "phi3", 14_659_507_200, 16384, "MIT", "Strong at reasoning",
          _sizes(5120, 17920, 40, 40, 10, 100352)),
)
# fmt: on


def demo_folder(name: str) -> Path:
    """The folder of a demo model, or of a checkpoint of its fine-tuning: `demo:stories/step-0100` or `/control`.

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
    found = {place.name: place for place in sorted((folder / "checkpoints").glob("*")) if place.is_dir()}
    for place in (folder / "control").glob("*"):
        found["control"] = place
    if checkpoint not in found:
        there_are = f"there are {', '.join(found)}" if found else "it has none"
        raise ModelNotFound(f"No checkpoint {checkpoint!r} of {DEMO_PREFIX}{model}: {there_are}.")
    return found[checkpoint]
