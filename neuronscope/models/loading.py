"""A name, a folder or an object in memory → LoadedModel: network, tokenizer, family, precision.

Weights come from safetensors, or from pickles of which nothing but tensors is read, and no code from a checkpoint is
run unless the caller says so. Every model is proven at load: the activations we call neurons, through the MLP's output
projection, must give that module's output.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from neuronscope.errors import InputError, UnsupportedModel
from neuronscope.models import hub, tokenization
from neuronscope.models.adapters import is_adapter, merged
from neuronscope.models.catalogue import DEMO_PREFIX, demo_folder
from neuronscope.models.checkpoint import checkpoint, weights_reported
from neuronscope.models.estimate import estimate
from neuronscope.models.families import Family, auto_class, family_of
from neuronscope.models.folders import examine
from neuronscope.models.offloaded import DISK, Held, computes_on, is_spread, parameters
from neuronscope.models.placement import Free, Room, device_named, place
from neuronscope.models.precision import Precision, bytes_by_place, inputs, settle
from neuronscope.models.refusals import check_configuration, check_tokenizer, check_weights, refusing
from neuronscope.vocabulary import ModelCard, Site, Tokens

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast


Lend = Callable[[], AbstractContextManager["LoadedModel"]]
"""How to get at a model: a context in which it is this thread's own."""


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
        """The network without its unembedding; of an encoder-decoder, the encoder."""
        return _base(self.network, self.family)

    @cached_property
    def blocks(self) -> list[nn.Module]:
        """The blocks, first to last; the same one again and again where it is shared."""
        held = list(self.part(self.base, self.family.blocks))
        return held * self.card.layers if self.family.shared_block else held

    @property
    def device(self) -> torch.device:
        """Where its inputs go."""
        return computes_on(self.part(self.base, self.family.embedding))

    @cached_property
    def places(self) -> dict[str, int]:
        """Bytes of its weights on each device, and in files where they are read from there."""
        return bytes_by_place(self.network)

    def bytes_on(self, device: torch.device) -> int:
        """Bytes of its weights on one device."""
        return self.places.get(device.type if device.type == "cpu" else f"{device.type}:{device.index or 0}", 0)

    @property
    def unembedding(self) -> Any:
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

    def mlp_norm(self, layer: int) -> Any | None:
        """The norm whose output the MLP of one block reads, None where it reads the residual stream itself."""
        found = (getattr(self.blocks[layer], name, None) for name in self.family.mlp_norm[:-1])
        first = next((norm for norm in found if norm is not None), None)
        if first is None and self.family.mlp_norm:
            return self.in_block(layer, self.family.mlp_norm[-1])
        return first

    def tokens(self, text: str) -> Tokens:
        """Cut `text` into this model's tokens.

        Raises:
            EmptyText: if no token comes of it.
            InputError: if it has a token that was added to the tokenizer and not to the network.
        """
        tokens = tokenization.tokenize(self.tokenizer, text)
        held = self.part(self.base, self.family.embedding).weight.shape[0]
        if (tokens.ids >= held).any():
            beyond = int(tokens.ids.max())
            raise InputError(
                f"This text has the token {self.tokenizer.convert_ids_to_tokens(beyond)!r} (id {beyond:,}), which "
                f"{self.card.label} has no embedding for: its tokenizer knows {len(self.tokenizer):,} tokens and the "
                f"network {held:,}. Take it out of the text, or resize the network's embedding and train it."
            )
        return tokens

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
    room: Room = Free(),  # noqa: B008 (it holds nothing)
) -> LoadedModel:
    """Load a model by demo name (`demo:stories`), hub name (`gpt2`) or folder.

    Args:
        name: What to load; a hub name may carry a revision, as in `gpt2@main`; the folder of an adapter stands for its
            base with the adapter merged into it.
        precision: `auto`, `float32`, `bfloat16`, `float16`, `int8` or `nf4`.
        device: `auto` (a GPU where there is one, several and the memory if need be), `cpu`, `cuda`, `cuda:1`, `mps`,
            `spread` (as `auto`, and what nothing holds is read from the checkpoint's files at every pass).
        revision: A branch, tag or commit on the hub.
        trust_remote_code: Whether to run code that comes with the checkpoint.
        offline: Use only what is on this machine.
        room: Who makes room for the weights before they are loaded; by default nobody does.

    Raises:
        ModelNotFound: if there is no such model.
        CannotDownload: if permission, the network or the disk keeps it on the hub.
        UnsupportedModel: if its architecture, tokenizer or weight files are not ones we read.
        InputError: for a precision or device that does not exist.
        ModelDoesNotFit: if its weights would not fit in the memory that is free, with the numbers and what would fit.
    """
    device_named(device)  # a misspelt one is told before anything is downloaded
    folder, commit = _place(name, revision, offline=offline, code=trust_remote_code)
    if is_adapter(folder):
        return _with_adapter(
            merged(
                folder, name, lambda base: load(base, precision=precision, device=device, offline=offline, room=room)
            ),
            name,
        )
    examine(folder, name, trust_remote_code=trust_remote_code)
    held = checkpoint(folder, name, trust_remote_code=trust_remote_code)
    with refusing(name, "config.json"):
        config = held.config()
    family = family_of(config, name)
    check_configuration(name, config)
    with refusing(name, "config.json"):
        sizes = estimate(config, auto_class(family, config), device=device_named(device).type).bytes
    placement = place(device, precision, config, sizes, room)
    room.make(placement.shares)
    with refusing(name, "The tokenizer"):
        tokenizer = held.tokenizer()
    with refusing(name, "The weights"), weights_reported():
        network, info = held.network(config, family, **placement.options)
    check_weights(name, network, info)
    check_tokenizer(name, tokenizer, network)
    settle(network.eval())
    card = replace(_card(name, network, family, commit), chosen=placement.choice.reason)
    return _checked(LoadedModel(network, tokenizer, family, card))


def attach(network: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, name: str | None = None) -> LoadedModel:
    """Take a transformers model that is already in memory; it is read where it stands, never copied or changed.

    Raises:
        UnsupportedModel: if its architecture or tokenizer is not one we read.
    """
    called = name or getattr(network.config, "name_or_path", "") or type(network).__name__
    family = family_of(network.config, called)
    if Precision.of(network).quantized and any(held.is_meta for held in network.parameters()):
        raise UnsupportedModel(
            f"Parts of {called} are quantized and wait away from their device, where their weights cannot be read. "
            "Load it on GPUs alone, or in bfloat16."
        )
    card = _card(called, network, family, commit=None)
    return _checked(LoadedModel(network, tokenizer, family, card, own=False))


def _with_adapter(model: LoadedModel, name: str) -> LoadedModel:
    """The card of a base that an adapter was merged into is of the adapter."""
    settle(model.network.eval())
    card = replace(_card(name, model.network, model.family, commit=None), chosen=model.card.chosen)
    return _checked(replace(model, card=card))


def _place(name: str, revision: str | None, *, offline: bool, code: bool) -> tuple[Path, str | None]:
    """The folder to load `name` from, and its commit if it is from the hub, whence it may be downloaded first."""
    if name.startswith(DEMO_PREFIX):
        return demo_folder(name), None
    folder = Path(name).expanduser()
    if name.startswith((".", "/", "~")) or folder.exists():
        return folder, None
    repository, _, named = name.partition("@")
    snapshot = hub.obtain(repository, revision or named or None, offline=offline, code=code)
    return snapshot.folder, snapshot.commit


def _base(network: PreTrainedModel, family: Family) -> PreTrainedModel:
    return network.get_encoder() if family.head == "encoder" else network.base_model


def _card(name: str, network: PreTrainedModel, family: Family, commit: str | None) -> ModelCard:
    config = network.config
    blocks = LoadedModel.part(_base(network, family), family.blocks)
    block = blocks[0]
    gated = family.gate is not None
    places, spread = bytes_by_place(network), is_spread(network)
    activation = LoadedModel.part(block, family.activation)
    return ModelCard(
        name=name,
        family=family.name,
        architecture=type(network).__name__,
        revision=commit or fingerprint(network),
        layers=config.num_hidden_layers if family.shared_block else len(blocks),
        neurons=inputs(LoadedModel.part(block, family.down)),
        width=config.hidden_size,
        heads=config.num_attention_heads,
        context=_context(config, family),
        vocabulary=config.vocab_size,
        parameters=sum(held.parameter.numel() for held in parameters(network)) if spread else network.num_parameters(),
        bytes=sum(size for place, size in places.items() if place != DISK),
        precision=Precision.of(network),
        device=_device_in_words(network, family, places) if spread else str(network.device),
        gated=gated,
        activation=_activation_name(config, activation),
        norm=family.norm,
        tied=bool(getattr(config, "tie_word_embeddings", False)),
        causal=family.head == "causal",
        sites=tuple(site for site in Site if gated or site is not Site.GATE),
    )


def _context(config: PretrainedConfig, family: Family) -> int:
    """The longest text in tokens; for networks without such an end, the length they were trained on."""
    stated = next((n for field in ("max_position_embeddings", "max_seq_len") if (n := getattr(config, field, None))), 0)
    return (family.trained_context or stated) - family.position_offset


def _device_in_words(network: PreTrainedModel, family: Family, places: dict[str, int]) -> str:
    first = computes_on(LoadedModel.part(_base(network, family), family.embedding))
    *others, last = dict.fromkeys([str(first), *places])
    return f"spread over {', '.join(others)} and {last}" if others else last


def _activation_name(config: PretrainedConfig, module: Any) -> str:
    fields = ("hidden_act", "hidden_activation", "activation_function", "dense_act_fn")
    named = next((name for field in fields if isinstance(name := getattr(config, field, None), str)), None)
    return named or type(module).__name__


def fingerprint(network: nn.Module) -> str:
    """Twelve hexadecimal digits that change when any weight does: a hash over all of them, names and types."""
    named = sorted(parameters(network), key=lambda held: held.name)
    with ThreadPoolExecutor() as pool:
        return hashlib.blake2b(b"".join(pool.map(_digest, named)), digest_size=6).hexdigest()


def _digest(held: Held) -> bytes:
    values = held.read()
    digest = hashlib.blake2b(f"{held.name} {values.dtype} {tuple(values.shape)}".encode())
    digest.update(values.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.digest()


def _checked(model: LoadedModel) -> LoadedModel:
    """Return `model` if its neurons are what they are said to be; raises `UnsupportedModel`.

    One short input is run. In every layer `neurons · W_down + b` must be the output projection's output, and the
    activation function of the gate times up (of up alone where there is no gate) must be the neurons.
    """
    from neuronscope.models import proof

    tolerance = proof.TOLERANCE[Precision(model.card.precision)]
    for layer, passed in enumerate(proof.passes(model)):
        if not passed.projects(tolerance) or not passed.activates(tolerance):
            raise UnsupportedModel(
                f"{model.card.name} looks like a {model.family.name} network but its MLP in layer {layer} is built "
                "differently: what enters its output projection does not give its output, or is not what its "
                "activation function gives. It cannot be read rightly."
            )
    return model
