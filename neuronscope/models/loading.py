"""A name, a folder or an object in memory → LoadedModel: network, tokenizer, family, precision.

Weights come from safetensors alone, and no code from a checkpoint is run unless the caller says so. Every model is
proven at load: the activations we call neurons, through the MLP's output projection, must give that module's output.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import operator
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from neuronscope.errors import InputError, ModelNotFound, UnsupportedModel
from neuronscope.models import tokenization
from neuronscope.models.catalogue import DEMO_PREFIX, demo_folder
from neuronscope.models.families import Family, family_of
from neuronscope.models.precision import Precision, bias, choose, inputs, matrix
from neuronscope.vocabulary import ModelCard, Site, Tokens

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A network in memory and all that is needed to ask it."""

    network: PreTrainedModel
    """The whole model, with its unembedding where it has one."""
    tokenizer: PreTrainedTokenizerFast
    """Its tokenizer."""
    family: Family
    """Where its neurons are."""
    card: ModelCard
    """What it is, in numbers."""
    own: bool = True
    """Whether we loaded it; an object that came from the caller may change under our hands and is never cached."""

    @property
    def base(self) -> PreTrainedModel:
        """The network without its unembedding."""
        return self.network.base_model

    @cached_property
    def blocks(self) -> list[nn.Module]:
        """The blocks, first to last."""
        return list(self.part(self.base, self.family.blocks))

    @property
    def device(self) -> torch.device:
        """Where its inputs go."""
        return self.part(self.base, self.family.embedding).weight.device

    @property
    def unembedding(self) -> nn.Module:
        """The projection from the final norm's output to logits; raises `UnsupportedModel` where there is none."""
        head = self.network.get_output_embeddings()
        if head is None:
            raise UnsupportedModel(
                f"{self.card.name} was given without its language-model head, so it predicts no tokens. "
                "Load the model with its head, as AutoModelForCausalLM does."
            )
        return head

    @staticmethod
    def part(root: nn.Module, path: str) -> Any:
        """The module at the dotted `path` below `root`."""
        return operator.attrgetter(path)(root)

    def in_block(self, layer: int, path: str) -> Any:
        """The module at `path` in one block."""
        return self.part(self.blocks[layer], path)

    def tokens(self, text: str) -> Tokens:
        """Cut `text` into this model's tokens; raises `EmptyText`."""
        return tokenization.tokenize(self.tokenizer, text)

    def display(self, token: int) -> str:
        """How one vocabulary id is shown."""
        return tokenization.display(self.tokenizer, token)


def load(
    name: str,
    *,
    precision: str = "auto",
    device: str = "auto",
    revision: str | None = None,
    trust_remote_code: bool = False,
    offline: bool = False,
) -> LoadedModel:
    """Load a model by demo name (`demo:stories`), hub name (`gpt2`) or folder.

    Args:
        name: What to load.
        precision: `auto`, `float32`, `bfloat16` or `float16`.
        device: `auto` (a GPU where there is one), `cpu`, `cuda`, `cuda:1`, `mps`.
        revision: A branch, tag or commit on the hub.
        trust_remote_code: Whether to run code that comes with the checkpoint.
        offline: Use only what is on this machine.

    Raises:
        ModelNotFound: if there is no such model, or it cannot be reached.
        UnsupportedModel: if its architecture, tokenizer or weight files are not ones we read.
        InputError: for a precision or device that does not exist.
    """
    import transformers

    place, local = _place(name)
    options: dict[str, Any] = {
        "revision": revision,
        "trust_remote_code": trust_remote_code,
        "local_files_only": offline or local,
    }
    where = _device(device)
    try:
        config = transformers.AutoConfig.from_pretrained(place, **options)
        family = family_of(config.model_type, name)
        chosen = choose(precision, config, where)
        tokenizer = transformers.AutoTokenizer.from_pretrained(place, **options)
        with _quiet():
            network = transformers.AutoModelForCausalLM.from_pretrained(
                place, dtype=chosen.dtype, use_safetensors=True, **options
            )
    except (OSError, ValueError) as error:
        raise _cannot_load(name, local=local, offline=offline, error=error) from error
    network = network.to(where).eval()
    commit = None if local else getattr(config, "_commit_hash", None)
    return _checked(LoadedModel(network, tokenizer, family, _card(name, network, family, commit)))


def attach(network: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, name: str | None = None) -> LoadedModel:
    """Take a transformers model that is already in memory; it is read where it stands, never copied or changed.

    Raises:
        UnsupportedModel: if its architecture or tokenizer is not one we read.
    """
    called = name or getattr(network.config, "name_or_path", "") or type(network).__name__
    family = family_of(network.config.model_type, called)
    card = _card(called, network, family, commit=None)
    return _checked(LoadedModel(network, tokenizer, family, card, own=False))


def _place(name: str) -> tuple[str, bool]:
    """Where to load `name` from, and whether that is a folder on this machine."""
    if name.startswith(DEMO_PREFIX):
        return str(demo_folder(name)), True
    folder = Path(name).expanduser()
    looks_like_folder = name.startswith((".", "/", "~")) or folder.is_dir()
    if looks_like_folder and not (folder / "config.json").is_file():
        found = "there is no such folder" if not folder.is_dir() else "that folder has no config.json"
        raise ModelNotFound(f"No model in {name}: {found}. Give the folder that save_pretrained wrote.")
    return str(folder) if looks_like_folder else name, looks_like_folder


def _device(name: str) -> torch.device:
    if name == "auto":
        accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        return accelerator or torch.device("cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(f"No device {name!r} on this machine: try auto or cpu.") from error
    return device


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' own progress bar off the terminal: ours says more, and a page has none."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _cannot_load(name: str, *, local: bool, offline: bool, error: Exception) -> ModelNotFound | UnsupportedModel:
    said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if local:
        return UnsupportedModel(f"The model in {name} cannot be read: {said}")
    if offline:
        return ModelNotFound(f"{name} is not on this machine, and NeuronScope is offline. Give a folder, or go online.")
    return ModelNotFound(
        f"{name} could not be had: {said} "
        "Check the name and the connection; a gated model wants HF_TOKEN set to an account that has access."
    )


def _card(name: str, network: PreTrainedModel, family: Family, commit: str | None) -> ModelCard:
    config = network.config
    block = LoadedModel.part(network.base_model, family.blocks)[0]
    parameters = list(network.parameters())
    gated = family.gate is not None
    activation = LoadedModel.part(block, family.activation)
    return ModelCard(
        name=name,
        family=family.name,
        architecture=type(network).__name__,
        revision=commit or fingerprint(network),
        layers=len(LoadedModel.part(network.base_model, family.blocks)),
        neurons=inputs(LoadedModel.part(block, family.down)),
        width=config.hidden_size,
        heads=config.num_attention_heads,
        context=config.max_position_embeddings,
        vocabulary=config.vocab_size,
        parameters=sum(p.numel() for p in parameters),
        bytes=sum(p.numel() * p.element_size() for p in parameters),
        precision=Precision.of(network.dtype),
        device=str(network.device),
        gated=gated,
        activation=getattr(config, "hidden_act", None)
        or getattr(config, "activation_function", None)
        or type(activation).__name__,
        norm=family.norm,
        tied=bool(getattr(config, "tie_word_embeddings", False)),
        sites=tuple(site for site in Site if gated or site is not Site.GATE),
    )


def fingerprint(network: nn.Module) -> str:
    """Twelve hexadecimal digits that change when any weight does: a hash over all of them, names and types."""
    named = sorted(network.named_parameters())
    with ThreadPoolExecutor() as pool:
        digests = pool.map(lambda item: _digest(*item), named)
        return hashlib.blake2b(b"".join(digests), digest_size=6).hexdigest()


def _digest(name: str, weight: nn.Parameter) -> bytes:
    digest = hashlib.blake2b(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
    digest.update(weight.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.digest()


def _checked(model: LoadedModel) -> LoadedModel:
    """Return `model` if its neurons are what they are said to be; raises `UnsupportedModel`.

    The check runs one short input and compares, in every layer, `neurons · W_down + b` with the projection's output.
    """
    for layer, (neurons, output) in enumerate(_output_projections(model)):
        down = model.in_block(layer, model.family.down)
        ours = neurons.float() @ matrix(down) + bias(down)
        # Half precisions round each product: a thousandth of the largest value, a few units of bfloat16's last place.
        exact = model.card.precision in {Precision.FLOAT32, Precision.FLOAT64}
        tolerance = 1e-4 if exact else 3e-2
        if not torch.allclose(ours, output.float(), atol=tolerance * output.abs().max().item() + 1e-6, rtol=0):
            raise UnsupportedModel(
                f"{model.card.name} looks like a {model.family.name} network but its MLP in layer {layer} is built "
                "differently: what enters its output projection does not give its output. It cannot be read rightly."
            )
    return model


def _output_projections(
    model: LoadedModel,
) -> Iterator[tuple[Float[Tensor, "tokens neurons"], Float[Tensor, "tokens width"]]]:
    """What enters and leaves every layer's output projection on a few tokens."""
    seen: list[tuple[Tensor, Tensor]] = []

    def keep(_module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
        seen.append((args[0].detach().clone(), output.detach().clone()))

    handles = [
        model.in_block(layer, model.family.down).register_forward_hook(keep) for layer in range(model.card.layers)
    ]
    length = min(8, model.card.context)
    ids = torch.tensor([list(itertools.islice(itertools.cycle(range(model.card.vocabulary)), length))])
    modes = {module: module.training for module in model.network.modules()}
    try:
        model.network.eval()
        with torch.inference_mode():
            model.base(input_ids=ids.to(model.device), use_cache=False)
    finally:
        for handle in handles:
            handle.remove()
        for module, training in modes.items():
            module.training = training
    yield from ((neurons[0], output[0]) for neurons, output in seen)
