"""Run tokens, keep what passes the chosen sites.

One hook per site and layer copies what passes into a buffer that was made beforehand, float32 whatever the model's
precision. Only the base model runs (no logits are computed), and it stops as soon as the last thing asked for has
passed. Texts are batched by length, so that little of a batch is padding; padded positions are masked and every text
keeps its own positions, so that its activations are the same alone or in any batch.
"""

from __future__ import annotations

import contextlib
import inspect
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn

from neuronscope.errors import InputError, NoSuchSite, TextTooLong
from neuronscope.jobs import checkpoint, track
from neuronscope.models.loading import LoadedModel
from neuronscope.models.precision import inputs
from neuronscope.vocabulary import Activations, Site, Tokens

Long = Literal["refuse", "window"]
Side = Literal["right", "left"]
See = Callable[[Tensor], None]
Place = Site | Literal["input", "output"]
"""A site, or one that no person asks for: what enters the MLP behind its norm; what leaves the base model, once."""

BATCH_TOKENS = 1024
"""The most tokens, padding included, that run together."""


def capture(
    model: LoadedModel,
    texts: Sequence[Tokens],
    *,
    sites: Sequence[Site] = (Site.NEURONS,),
    layers: Sequence[int] | None = None,
    long: Long = "refuse",
    padding: Side = "right",
    batch_tokens: int = BATCH_TOKENS,
) -> list[dict[Site, Activations]]:
    """Activations of each text at each site.

    Args:
        model: The model, lent to this thread.
        texts: What to run.
        sites: Where to read.
        layers: Which layers, all by default; they come back in ascending order.
        long: What to do with a text longer than the context: `refuse` it, or `window` it (half-overlapping windows;
            each token is read where at least half a context stands before it, or the text begins).
        padding: On which side short texts of a batch are filled up; the result is the same. Encoders, whose positions
            count from the left edge, are always filled up on the right.
        batch_tokens: The most tokens to run together.

    Returns:
        For each text, in the order given, the activations at every site, float32 [layers, tokens, units].

    Raises:
        TextTooLong: for a text beyond the context when `long="refuse"`.
        NoSuchSite: for `gate` in a model that has none.
        NoSuchLayer: for a layer the model does not have.
        Cancelled: at any layer of any batch; the model is left as it was.
    """
    chosen = tuple(sorted({model.card.check_layer(layer) for layer in _all_layers(model, layers)}))
    wanted = tuple(dict.fromkeys(_has_site(model, site) for site in sites))
    results = [_room(model, text, wanted, chosen) for text in texts]
    pieces = [piece for i, text in enumerate(texts) for piece in _pieces(model, i, text, long)]
    batches = list(_batches(pieces, batch_tokens))
    with evaluating(model.network):
        for batch in track(batches, label="Reading activations"):
            _run_batch(model, batch, [results[piece.text] for piece in batch], chosen, padding)
    heads = {Site.ATTENTION: model.card.heads}
    return [
        {
            site: Activations(
                buffer.numpy(), text, site, chosen, model.card.source, heads.get(site), model.card.window(text)
            )
            for site, buffer in result.items()
        }
        for text, result in zip(texts, results, strict=True)
    ]


def forward(
    model: LoadedModel,
    ids: Int[Tensor, "batch positions"],
    mask: Bool[Tensor, "batch positions"],
) -> Any:
    """Run the base model on padded ids; `mask` is true on real tokens, and each text's positions count from 0.

    Left padding without positions of its own would shift every token of a short text and change its activations.
    """
    device = model.device
    accepted = inspect.signature(model.base.forward).parameters
    options: dict[str, Any] = {"use_cache": False} if "use_cache" in accepted else {}
    if model.card.causal and "position_ids" in accepted:
        options["position_ids"] = (mask.long().cumsum(1) - 1).clamp(min=0).to(device)
    with torch.inference_mode():
        return model.base(
            input_ids=ids.to(device),
            # A full mask is left out: attention then needs no mask to build and add.
            attention_mask=None if mask.all() else mask.long().to(device),
            **options,
        )


def run(
    model: LoadedModel,
    ids: Int[Tensor, "batch positions"],
    mask: Bool[Tensor, "batch positions"],
    sites: Sequence[Place],
    layers: Sequence[int],
    see: Callable[[Place, int], See],
) -> None:
    """Run one padded batch and hand what passes at each site of `layers` to `see(site, place of the layer)`.

    Each function gets a tensor [batch, positions, units] of the model's own precision, which it must not keep: some
    families change it in place afterwards. Within a layer, gate and up pass before the neurons; what leaves the base
    model passes last, with the last layer. The model stops after the last of them, and is left as it was whatever
    happens.
    """
    batch, length = ids.shape

    def shaped(site: Place, place: int) -> See:
        look = see(site, place)
        # Some families flatten batch and tokens before the MLP.
        return lambda values: look(values.reshape(batch, length, -1))

    with hooked(_hooks(model, sites, layers, shaped)), contextlib.suppress(_Passed):
        forward(model, ids, mask)


def within_context(model: LoadedModel, text: Tokens) -> None:
    """Raise `TextTooLong` if the text does not fit into one pass."""
    if len(text) > model.card.context:
        raise TextTooLong(f"{_too_long(model, text)} Shorten it.")


@contextlib.contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Switch dropout and the like off within this context, and back to what each module had after it."""
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


@contextlib.contextmanager
def hooked(hooks: Iterable[tuple[nn.Module, See, bool]]) -> Iterator[None]:
    """Call each function with what enters (True) or leaves (False) its module, and take the hooks away afterwards."""
    handles = []
    try:
        for module, see, enters in hooks:
            if enters:
                handles.append(module.register_forward_pre_hook(lambda _m, args, see=see: see(*args[:1])))
            else:
                handles.append(module.register_forward_hook(lambda _m, _args, out, see=see: see(_tensor(out))))
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Passed(Exception):
    """Everything that was asked for has passed; the rest of the forward pass is not needed."""


@dataclass(frozen=True)
class _Piece:
    """A stretch of one text that runs as one sequence."""

    text: int
    """Which text."""
    ids: Int[np.ndarray, " positions"]
    """What runs."""
    skip: int
    """Leading positions that are context only, and not kept."""
    start: int
    """Where the first kept position stands in the text."""

    def __len__(self) -> int:
        return len(self.ids)


def _all_layers(model: LoadedModel, layers: Sequence[int] | None) -> Sequence[int]:
    chosen = range(model.card.layers) if layers is None else layers
    if not len(chosen):
        raise InputError(f"No layer was asked for: {model.card.name} has layers 0 to {model.card.layers - 1}.")
    return chosen


def _has_site(model: LoadedModel, site: Site) -> Site:
    if site not in model.card.sites:
        raise NoSuchSite(f"{model.card.name} has no {site} site: its sites are {', '.join(model.card.sites)}.")
    return site


def _units(model: LoadedModel, site: Site) -> int:
    if site is Site.RESIDUAL:
        return model.card.width
    if site is Site.ATTENTION:
        return inputs(model.in_block(0, model.family.attention_out))
    return model.card.neurons


def _room(model: LoadedModel, text: Tokens, sites: Iterable[Site], layers: Sequence[int]) -> dict[Site, Tensor]:
    return {site: torch.empty(len(layers), len(text), _units(model, site)) for site in sites}


def _pieces(model: LoadedModel, index: int, text: Tokens, long: Long) -> Iterator[_Piece]:
    context = model.card.context
    if len(text) <= context:
        yield _Piece(index, text.ids, 0, 0)
        return
    if not model.card.causal:
        raise TextTooLong(
            f"{_too_long(model, text)} It reads in both directions, so it cannot be windowed: shorten it."
        )
    if long != "window":
        raise TextTooLong(f"{_too_long(model, text)} Shorten it, or ask for long texts to be read in windows.")
    yield from _windows(index, text, context)


def _too_long(model: LoadedModel, text: Tokens) -> str:
    return f"This text has {len(text):,} tokens and {model.card.label} reads {model.card.context:,} at a time."


def _windows(index: int, text: Tokens, context: int) -> Iterator[_Piece]:
    """Windows of one context that advance by half; the text's own leading special tokens begin each of them."""
    lead = int(np.argmin(text.special)) if text.special[0] else 0
    step = max((context - lead) // 2, 1)
    yield _Piece(index, text.ids[:context], 0, 0)
    for start in range(context, len(text), step):
        stop = min(start + step, len(text))
        behind = context - lead - (stop - start)
        ids = np.concatenate([text.ids[:lead], text.ids[start - behind : stop]])
        yield _Piece(index, ids, lead + behind, start)


def _batches(pieces: list[_Piece], batch_tokens: int) -> Iterator[list[_Piece]]:
    """Pieces of like length together, longest first, at most `batch_tokens` positions each, padding included."""
    batch: list[_Piece] = []
    for piece in sorted(pieces, key=len, reverse=True):
        if batch and (len(batch) + 1) * len(batch[0]) > batch_tokens:
            yield batch
            batch = []
        batch.append(piece)
    if batch:
        yield batch


def _run_batch(
    model: LoadedModel,
    batch: list[_Piece],
    rooms: list[dict[Site, Tensor]],
    layers: Sequence[int],
    padding: Side,
) -> None:
    length = max(map(len, batch))
    ids = torch.zeros(len(batch), length, dtype=torch.long)
    mask = torch.zeros(len(batch), length, dtype=torch.bool)
    left = padding == "left" and model.card.causal
    firsts = [length - len(piece) if left else 0 for piece in batch]
    for row, (piece, first) in enumerate(zip(batch, firsts, strict=True)):
        ids[row, first : first + len(piece)] = torch.from_numpy(piece.ids)
        mask[row, first : first + len(piece)] = True

    def keep(site: Place, place: int) -> See:
        assert isinstance(site, Site), "rooms are made for sites alone"

        def copy(values: Tensor) -> None:
            for row, (piece, first, room) in enumerate(zip(batch, firsts, rooms, strict=True)):
                kept = values[row, first + piece.skip : first + len(piece)]
                room[site][place, piece.start : piece.start + len(kept)].copy_(kept)

        return copy

    run(model, ids, mask, tuple(rooms[0]), layers, keep)


def _hooks(
    model: LoadedModel,
    sites: Sequence[Place],
    layers: Sequence[int],
    keep: Callable[[Place, int], See],
) -> Iterator[tuple[nn.Module, See, bool]]:
    """A checkpoint at every block, a copy at every site of the layers asked for, and a stop after the last copy."""
    for block in dict.fromkeys(model.blocks[: max(layers) + 1]):
        yield block, lambda *_values: checkpoint(), True
    missing: set[Place] = set(sites)

    def only(layer: int, see: See) -> See:
        """Of a shared block's calls, one for each layer, let through the one of `layer`."""
        calls = itertools.count()
        return lambda *values: see(*values) if next(calls) == layer else None

    def last(site: Place, copy: See) -> See:
        def copy_and_stop(values: Tensor) -> None:
            copy(values)
            missing.discard(site)
            if not missing:
                raise _Passed

        return copy_and_stop

    for place, layer in enumerate(layers):
        for site in sites:
            if site == "output" and layer != layers[-1]:
                continue
            copy = keep(site, place)
            module, see, enters = _where(model, site, layer, last(site, copy) if layer == layers[-1] else copy)
            shared = model.family.shared_block and site != "output"
            yield module, only(layer, see) if shared else see, enters


def _where(model: LoadedModel, site: Place, layer: int, see: See) -> tuple[nn.Module, See, bool]:
    """The module of a site, what to call with its value, and whether that enters or leaves it."""
    family = model.family
    if site is Site.NEURONS:
        return model.in_block(layer, family.down), see, True
    if site is Site.ATTENTION:
        return model.in_block(layer, family.attention_out), see, True
    if site is Site.RESIDUAL:
        return model.blocks[layer], see, False
    if site == "output":
        return model.base, see, False
    if site == "input":
        return model.in_block(layer, family.up), see, True
    path = family.up if site is Site.UP else family.gate
    assert path is not None, "the gate site was checked against the model card"
    if family.fused:
        half = 0 if site is Site.GATE else 1
        return model.in_block(layer, path), lambda both: see(both.chunk(2, dim=-1)[half]), False
    return model.in_block(layer, path), see, False


def _tensor(output: Any) -> Tensor:
    """Blocks return a tensor in some families and a tuple that begins with it in others, models an object that does."""
    return output if isinstance(output, Tensor) else output[0]
