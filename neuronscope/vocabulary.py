"""The words we share: Site, Neuron, Tokens, Activations, Source, ModelCard.

One word per idea, the same in code, terminal and page. Layers, neurons and token positions count from 0. Axis names of
array shapes are the same everywhere: `layers tokens neurons width vocabulary heads`.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property, lru_cache
from pathlib import PurePath

import numpy as np
from jaxtyping import Bool, Float, Int

from neuronscope.errors import InputError, NoSuchLayer, NoSuchNeuron, NoSuchSite, NoSuchToken


class Site(StrEnum):
    """A place in every layer where activations are read."""

    NEURONS = "neurons"
    """What enters the MLP's output projection: `act(x·W_up)`, or `act(x·W_gate) * (x·W_up)` in a gated MLP."""
    GATE = "gate"
    """`x·W_gate` before the activation function; gated MLPs only."""
    UP = "up"
    """`x·W_up`: in an ungated MLP this is the neuron's pre-activation, bias included."""
    RESIDUAL = "residual"
    """The residual stream after the block: `width` directions, which are not neurons."""
    ATTENTION = "attention"
    """What enters the attention's output projection: every head's output, head by head."""

    @classmethod
    def of(cls, name: str | Site) -> Site:
        """The site called `name`; raises `NoSuchSite` naming the ones there are."""
        try:
            return cls(name)
        except ValueError:
            raise NoSuchSite(f"No site {name!r}: the sites are {', '.join(cls)}.") from None


@dataclass(frozen=True, order=True)
class Neuron:
    """One MLP neuron, printed and parsed as `L5.N131`."""

    layer: int
    """Layer, from 0."""
    index: int
    """Place in the layer, from 0."""

    def __str__(self) -> str:
        return f"L{self.layer}.N{self.index}"

    @classmethod
    def parse(cls, name: str) -> Neuron:
        """The neuron that `name` means, such as `L5.N131`; raises `NoSuchNeuron` if it is not a neuron's name."""
        match = re.fullmatch(r"\s*[Ll](\d+)\.[Nn](\d+)\s*", name)
        if not match:
            raise NoSuchNeuron(f"{name!r} is not a neuron: write layer and neuron as L5.N131, both counted from 0.")
        return cls(int(match[1]), int(match[2]))


@dataclass(frozen=True, eq=False)
class Tokens:
    """One text as the model reads it."""

    text: str
    """The text itself."""
    ids: Int[np.ndarray, " tokens"]
    """The vocabulary id of each token."""
    offsets: Int[np.ndarray, "tokens 2"]
    """Where each token starts and stops in `text`, in characters; (0, 0) for tokens that stand for none of it."""
    display: tuple[str, ...]
    """How each token is shown: spaces as ·, line ends as ↵, never a tokenizer's own marks."""
    special: Bool[np.ndarray, " tokens"]
    """Tokens the tokenizer added or treats apart, such as the beginning of text."""

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"Tokens({len(self)} of {_start(self.text)})"

    @cached_property
    def kept(self) -> Bool[np.ndarray, " tokens"]:
        """The tokens that count in maxima and statistics: not special, and not the first, which attention sinks use."""
        return ~self.special & (np.arange(len(self)) > 0)

    @cached_property
    def characters(self) -> tuple[range, ...]:
        """Runs of tokens to show as one box: tokens that hold parts of the same character stand together."""
        runs: list[range] = []
        reached = 0
        if len(self) and bool((self.offsets[1:, 0] >= np.maximum.accumulate(self.offsets[:, 1])[:-1]).all()):
            return tuple(range(i, i + 1) for i in range(len(self)))
        for i, (start, stop) in enumerate(self.offsets.tolist()):
            if runs and start < min(stop, reached):
                runs[-1] = range(runs[-1].start, i + 1)
            else:
                runs.append(range(i, i + 1))
            reached = max(reached, stop)
        return tuple(runs)

    def shown(self, run: range) -> str:
        """How the tokens of one of `characters` are shown together."""
        if len(run) == 1:
            return self.display[run.start]
        return visible(self.text[self.offsets[run, 0].min() : self.offsets[run, 1].max()])

    def check(self, position: int) -> int:
        """Return `position` if the text has such a token; raises `NoSuchToken`."""
        if not 0 <= position < len(self):
            raise NoSuchToken(f"No token {position}: this text has tokens 0 to {len(self) - 1}.")
        return position


@dataclass(frozen=True)
class Source:
    """Where a number comes from: it stands beside every result."""

    model: str
    """The model's name."""
    revision: str
    """Its revision on the hub, or the first digits of its weights' fingerprint."""
    precision: str
    """The precision its weights were held in."""


@dataclass(frozen=True, eq=False)
class Activations:
    """What the units of some layers did on one text."""

    values: Float[np.ndarray, "layers tokens neurons"]
    """Activations, float32 whatever the model's precision."""
    tokens: Tokens
    """The text they were read on."""
    site: Site
    """Where they were read."""
    layers: tuple[int, ...]
    """The true number of each layer along the first axis."""
    source: Source
    """The model they come from."""
    heads: int | None = None
    """For the attention site: the number of heads that the last axis is made of."""
    window: int | None = None
    """Where the text is longer than the model's context: how many tokens were read at a time, in windows."""

    def __repr__(self) -> str:
        layers, tokens, units = self.values.shape
        size = f"{layers} layers × {tokens} tokens × {units:,} units"
        return f"Activations({self.site}: {size}, {self.source.model}, {_start(self.tokens.text)})"

    def layer(self, layer: int) -> Float[np.ndarray, "tokens neurons"]:
        """The activations of one layer, by its true number; raises `NoSuchLayer` if it was not captured."""
        if layer not in self.layers:
            known = ", ".join(map(str, self.layers))
            raise NoSuchLayer(f"No layer {layer} in these activations of {self.source.model}: they hold {known}.")
        return self.values[self.layers.index(layer)]

    def neuron(self, neuron: Neuron) -> Float[np.ndarray, " tokens"]:
        """The activations of one neuron on each token; raises `NoSuchLayer` or `NoSuchNeuron`."""
        layer = self.layer(neuron.layer)
        if not 0 <= neuron.index < layer.shape[1]:
            raise NoSuchNeuron(f"No neuron {neuron}: layer {neuron.layer} has neurons 0 to {layer.shape[1] - 1}.")
        return layer[:, neuron.index]

    def unit_name(self, index: int) -> str:
        """A unit's name within its layer: `N12`, in the residual stream `D12`, at the attention site `H3.12`."""
        if self.heads:
            head, dimension = divmod(index, self.values.shape[-1] // self.heads)
            return f"H{head}.{dimension}"
        return f"{'D' if self.site is Site.RESIDUAL else 'N'}{index}"

    def head_norms(self) -> Float[np.ndarray, "layers tokens heads"]:
        """The length of each head's output at each token; attention site only."""
        if self.heads is None:
            raise NoSuchSite(f"Head norms belong to the attention site; these activations are of the {self.site} site.")
        layers, tokens, units = self.values.shape
        return np.linalg.norm(self.values.reshape(layers, tokens, self.heads, units // self.heads), axis=-1)


@dataclass(frozen=True)
class ModelCard:
    """What one loaded model is, in numbers."""

    name: str
    """The name it was asked for by."""
    family: str
    """The family of networks it belongs to, such as `gpt2` or `llama`."""
    architecture: str
    """Its class in transformers."""
    revision: str
    """Hub revision, or the first digits of the weights' fingerprint."""
    layers: int
    """Number of blocks."""
    neurons: int
    """MLP neurons in each layer."""
    width: int
    """Width of the residual stream."""
    heads: int
    """Attention heads in each layer."""
    context: int
    """The longest text in tokens, special tokens included."""
    vocabulary: int
    """Number of token ids."""
    parameters: int
    """Number of weights, shared ones counted once."""
    bytes: int
    """Memory the weights take, shared ones counted once."""
    precision: str
    """The precision the weights are held in."""
    device: str
    """The device they are on."""
    gated: bool
    """Whether the MLP multiplies a gate with an up projection."""
    activation: str
    """Name of the MLP's activation function."""
    norm: str
    """`LayerNorm` or `RMSNorm`."""
    tied: bool
    """Whether embedding and unembedding share their weights."""
    causal: bool = True
    """Whether it predicts the next token; an encoder does not."""
    sites: tuple[Site, ...] = field(default=())
    """The sites that can be captured."""
    chosen: str = ""
    """Why it is held in this precision, in words; nothing of a model that was in memory already."""

    @property
    def label(self) -> str:
        """The name in short: the last part of a folder's path, other names as they are."""
        is_path = self.name.startswith(("/", ".", "~")) or "\\" in self.name
        return PurePath(self.name).name if is_path else self.name

    @property
    def source(self) -> Source:
        """What stands beside every number read from this model."""
        return Source(self.label, self.revision, self.precision)

    def window(self, text: Tokens) -> int | None:
        """How many tokens of a text the model reads at a time; None if all of them."""
        return self.context if len(text) > self.context else None

    def check(self, neuron: Neuron) -> Neuron:
        """Return `neuron` if the model has it; raises `NoSuchLayer` or `NoSuchNeuron`."""
        self.check_layer(neuron.layer)
        if not 0 <= neuron.index < self.neurons:
            raise NoSuchNeuron(f"No neuron {neuron} in {self.name}: each layer has neurons 0 to {self.neurons - 1}.")
        return neuron

    def check_layer(self, layer: int) -> int:
        """Return `layer` if the model has it; raises `NoSuchLayer`."""
        if not 0 <= layer < self.layers:
            raise NoSuchLayer.among(layer, self.name, self.layers)
        return layer


@dataclass(frozen=True)
class TokenScore:
    """A token of the vocabulary and a number that goes with it."""

    id: int
    """Its vocabulary id."""
    display: str
    """How it is shown."""
    score: float
    """The number."""
    cosine: float | None = None
    """For reading and writing: the same as a cosine, the lengths of both vectors divided out."""


@dataclass(frozen=True)
class NeuronWeights:
    """What one neuron reads and writes in token space: the direct path only, which need not be its behaviour.

    Reading: `E · (gain * w_in)`, the neuron's input weights against each token's embedding, through the gain of the
    norm before the MLP. Writing: `(gain_f * U) · w_out`, its output weights against each token's unembedding, through
    the gain of the final norm. LayerNorm's centring is folded in, RMSNorm has none.
    """

    neuron: Neuron
    """Whose weights."""
    reads_most: tuple[TokenScore, ...]
    """Tokens whose embedding excites it most (through the up projection), strongest first."""
    reads_least: tuple[TokenScore, ...]
    """Tokens whose embedding inhibits it most, strongest first."""
    gate_reads_most: tuple[TokenScore, ...]
    """The same through the gate; empty in an ungated MLP."""
    gate_reads_least: tuple[TokenScore, ...]
    """The same through the gate; empty in an ungated MLP."""
    promotes: tuple[TokenScore, ...]
    """Tokens whose logit rises most for each unit of positive activation; empty where no next token is predicted."""
    suppresses: tuple[TokenScore, ...]
    """Tokens whose logit falls most for each unit of positive activation; empty where no next token is predicted."""
    norm_in: float
    """Length of the input weights (up projection)."""
    norm_gate: float | None
    """Length of the gate weights, None in an ungated MLP."""
    norm_out: float
    """Length of the output weights."""
    bias: float
    """Bias of the up projection with the norm's bias folded in; 0 where there is none."""
    write_kurtosis: float | None
    """Excess kurtosis of the writing scores over the vocabulary; above 10 marks a prediction neuron (Gurnee 2024)."""
    write_skewness: float | None
    """Skewness of the writing scores; negative where it mostly suppresses."""


@dataclass(frozen=True)
class DirectEffects:
    """How much each neuron, at one token, adds directly to the logit of one next token."""

    position: int
    """The token position the prediction is made at."""
    target: TokenScore
    """The predicted token; its score is the probability the model gives it."""
    predictions: tuple[TokenScore, ...]
    """The most probable next tokens, with their probabilities."""
    logit: float
    """The target's logit, with nothing left out, before any soft cap."""
    values: Float[np.ndarray, "layers neurons"]
    """`a · (gain * u_target, centred) · w_out / sigma`, with the final norm's actual scale sigma at that token."""


@dataclass(frozen=True, eq=False)
class Example:
    """One context from a corpus in which a neuron did something."""

    text: str
    """The text of the context."""
    tokens: tuple[str, ...]
    """How each of its tokens is shown."""
    values: Float[np.ndarray, " tokens"]
    """The activation on each, NaN where it is not known; within 0.4 % of the peak where it comes from an index."""
    peak: int
    """Which token of the context it is about."""
    value: float
    """The activation on that token."""
    position: int
    """That token's position in the corpus."""
    document: str
    """Where the context stands: the source, and which document of it."""
    offset: int
    """Where that token starts in the document, in characters."""


@dataclass(frozen=True)
class Band:
    """A stretch of a neuron's range, how much of the corpus falls into it, and some examples of it."""

    low: float
    """From this activation on."""
    high: float
    """Up to this one."""
    share: float
    """Share of the corpus' tokens whose activation lies between them, from those that the histogram counted."""
    examples: tuple[Example, ...]
    """Tokens drawn by hash, at most one from a bin of the histogram, spread evenly over the band, strongest first."""


@dataclass(frozen=True, eq=False)
class Histogram:
    """How often a neuron took which values over a corpus, in bins of equal width on a logarithmic scale."""

    edges: Float[np.ndarray, " edges"]
    """Where the bins begin and end, ascending."""
    counts: Int[np.ndarray, " bins"]
    """Tokens in each, of those drawn for the histogram."""
    tokens: int
    """How many tokens were drawn."""

    def above(self, value: float) -> float:
        """The share of tokens with an activation above `value`; within a bin, as if evenly spread."""
        return float(1 - np.interp(value, self.edges, self._below))

    def quantile(self, share: float) -> float:
        """The activation below which a share of the tokens lies; NaN without tokens."""
        if not self.tokens:
            return float("nan")
        rising = np.concatenate([[True], np.diff(self._below) > 0])
        return float(np.interp(share, self._below[rising], self.edges[rising]))

    @property
    def _below(self) -> Float[np.ndarray, " edges"]:
        return np.concatenate([[0.0], np.cumsum(self.counts) / max(self.tokens, 1)])


def _start(text: str, limit: int = 40) -> str:
    """The beginning of a text, in quotes, on one line."""
    return repr(text if len(text) <= limit else f"{text[: limit - 1]}…")


def layers_named(written: str) -> tuple[int, ...]:
    """The layers that `0,3-5` means, in order; raises `InputError` if it means none."""
    found: set[int] = set()
    for part in filter(None, re.split(r"[,;\s]+", written.strip())):
        read = re.fullmatch(r"(\d+)(?:[-–](\d+))?", part)
        first, last = (int(read[1]), int(read[2] or read[1])) if read else (1, 0)
        if last < first:
            raise InputError(f"{written!r} is no list of layers: write numbers and ranges, such as 0,3-5.")
        found |= set(range(first, last + 1))
    return tuple(sorted(found))


def visible(text: str) -> str:
    """Show what is in `text`: spaces as ·, line ends as ↵, tabs as ⇥, other invisible characters by their code.

    Joiners stay where they join something (emoji, Persian, Indic scripts); characters that turn the reading direction
    never do, for they could make a token look like another.
    """
    return _visible_token(text) if len(text) <= _SHORT else _all_visible(text)


def _all_visible(text: str) -> str:
    if text.isprintable():  # spaces are, and nothing else that is not to be seen
        return text.replace(" ", _PICTURES[" "])
    return "".join(_visible_character(character, alone=len(text) == 1) for character in text)


_visible_token = lru_cache(1 << 15)(_all_visible)
_SHORT = 32
_PICTURES = {" ": "·", "\n": "↵", "\t": "⇥", "\r": "␍", "\x7f": "␡"}
_JOINERS = "\u200c\u200d"


def _visible_character(character: str, *, alone: bool) -> str:
    if character in _PICTURES:
        return _PICTURES[character]
    if ord(character) < 32:
        return chr(0x2400 + ord(character))
    hidden = unicodedata.category(character) in {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"}
    if hidden and (alone or character not in _JOINERS):
        return f"⟨U+{ord(character):04X}⟩"
    return character
