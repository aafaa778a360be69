"""A hand-built GPT-2 whose every neuron is known: what the program is held against.

Nothing is trained. `build()` writes the weights down so that eleven neurons fire by an exact rule: on one word, on a
group of words, on two or three unrelated things, on a word after another, on what came before, late in the text, never,
always, as the copy or the opposite of another. One of them promotes a word, another suppresses one. The remaining
neurons are noise. It takes a fraction of a second and no network.

Four tricks make the rules exact.

*Mirror.* Everything is written into the residual stream as `[h, -h]`. Its mean is then 0 whatever `h` is, so that
LayerNorm's centring changes nothing.
*Constant length.* `h` is a sum of directions at right angles, one of each kind (word, group, previous word, position),
so its length is the same at every token and LayerNorm's division is by a known constant.
*One-hot attention.* The query of a position meets only the key of the position before it, with a score so high that
softmax gives it everything: attention copies the previous word, unmixed.
*Uneven gains.* The norms' gains and biases are uneven, and the weights behind them are written so that the rules still
hold. Each list of words a neuron reads or writes has a decoy that looks strongest wherever a gain is forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import torch
from jaxtyping import Bool, Float
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

GROUPS: dict[str, tuple[str, ...]] = {
    "marks": ("<start>", "<unknown>", ".", ",", ";", ":", "!", "?"),
    "animals": ("ant", "bee", "cat", "cow", "dog", "fox", "hen", "owl"),
    "colours": ("black", "blue", "brown", "green", "grey", "red", "white", "yellow"),
    "numbers": ("one", "two", "three", "four", "five", "six", "seven", "eight"),
    "places": ("Berlin", "Lisbon", "London", "Madrid", "Oslo", "Paris", "Rome", "Vienna"),
    "food": ("apple", "bread", "cheese", "honey", "lemon", "milk", "plum", "rice"),
    "deeds": ("brings", "eats", "finds", "holds", "likes", "loses", "sees", "wants"),
    "joints": ("the", "a", "and", "but", "in", "of", "with", "under"),
}
"""The vocabulary: eight groups of eight words."""
WORDS = tuple(word for group in GROUPS.values() for word in group)
"""Every word, at its token id; the first begins every text, the second stands for words that are not among them."""
CONTEXT = 32
"""The longest text, `<start>` included."""
NEURONS = 32
"""Neurons in the one layer: the planted ones, then noise."""
STRENGTH = 8.0
"""How steeply a planted neuron answers: its pre-activation is +4 where its rule holds and at most -3 elsewhere."""
FIRING = 1.0
"""A planted neuron fires where its activation is above this."""

HALF = 2 * len(WORDS) + len(GROUPS) + CONTEXT
WIDTH = 2 * HALF
WORD_SHARE, GROUP_SHARE = 0.6, 0.8
"""How an embedding of length 1 is divided between a word's own direction and its group's."""
SHARPNESS = 300.0
"""Attention score of the position before; every other position has 0."""
EPSILON = 1e-5
DECOY_GAIN = 0.05


class Kind(StrEnum):
    """What a planted neuron's rule is about."""

    WORD = "word"
    GROUP = "group"
    TWO_SENSES = "two senses"
    THREE_SENSES = "three senses"
    PAIR = "pair"
    POSITION = "position"
    DEAD = "dead"
    COPY = "copy"
    ALWAYS = "always"
    OPPOSITE = "opposite"
    PREVIOUS = "previous"


@dataclass(frozen=True)
class PlantedNeuron:
    """A neuron and the rule it was built to follow."""

    index: int
    """Its place in layer 0."""
    kind: Kind
    """What its rule is about."""
    words: tuple[str, ...] = ()
    """The words it fires on; for `PAIR` the two words in order, for `PREVIOUS` the word that came before."""
    senses: int = 0
    """How many separate things it fires on, 0 where that means nothing."""
    twin: int | None = None
    """The neuron it copies or opposes."""
    promotes: str | None = None
    """The word whose logit it raises most."""
    suppresses: str | None = None
    """The word whose logit it lowers most."""

    def fires(self, words: Sequence[str]) -> Bool[np.ndarray, " tokens"]:
        """Where it fires in a text given as its words, `<start>` first, by its rule alone."""
        here = np.array(words)
        before = np.array([words[0], *words[:-1]])
        match self.kind:
            case Kind.PAIR:
                return np.isin(before, self.words[0]) & np.isin(here, self.words[1])
            case Kind.PREVIOUS:
                return np.isin(before, self.words)
            case Kind.OPPOSITE:
                return ~np.isin(here, self.words)
            case Kind.POSITION:
                return np.arange(len(here)) > CONTEXT // 2
            case Kind.DEAD | Kind.ALWAYS:
                return np.full(len(here), self.kind is Kind.ALWAYS)
        return np.isin(here, self.words)


@dataclass(frozen=True, eq=False)
class Planted:
    """The hand-built model and the truth about it."""

    network: GPT2LMHeadModel
    """The network: one layer, 32 neurons."""
    tokenizer: PreTrainedTokenizerFast
    """Its tokenizer: a word or a mark is a token, and `<start>` begins every text."""
    neurons: tuple[PlantedNeuron, ...]
    """The planted neurons, at the beginning of layer 0. The others are noise."""


PLANTED = (
    PlantedNeuron(0, Kind.WORD, ("cat",), senses=1, promotes="milk"),
    PlantedNeuron(1, Kind.GROUP, GROUPS["numbers"], senses=1, suppresses="the"),
    PlantedNeuron(2, Kind.TWO_SENSES, (*GROUPS["colours"], *GROUPS["food"]), senses=2),
    PlantedNeuron(3, Kind.THREE_SENSES, ("owl", "Paris", "wants"), senses=3),
    PlantedNeuron(4, Kind.PAIR, ("in", "Rome"), senses=1),
    PlantedNeuron(5, Kind.POSITION, senses=1),
    PlantedNeuron(6, Kind.DEAD),
    PlantedNeuron(7, Kind.COPY, ("cat",), senses=1, twin=0),
    PlantedNeuron(8, Kind.ALWAYS),
    PlantedNeuron(9, Kind.OPPOSITE, ("cat",), twin=0),
    PlantedNeuron(10, Kind.PREVIOUS, ("with",), senses=1),
)
READING_DECOY = "dog"
"""Neuron 0's weights are largest on this word, behind a gain so small that the word means nearly nothing to it."""
WRITING_DECOYS = {"milk": "rice", "the": "a"}
"""The same on the way out: the word that seems most promoted or suppressed to whoever forgets the final norm's gain."""


@torch.no_grad()
def build(seed: int = 0) -> Planted:
    """Write the planted model down; `seed` chooses the noise neurons and the gains, never the rules."""
    random = torch.Generator().manual_seed(seed)
    network = GPT2LMHeadModel(_config()).eval()
    for parameter in network.parameters():
        parameter.zero_()
    _embed(network)
    _set_norms(network, random)
    _attend_to_the_word_before(network)
    _plant_reading(network, random)
    _plant_writing(network, random)
    return Planted(network, _tokenizer(), PLANTED)


def corpus(seed: int = 0, *, texts: int = 512, length: int = 23) -> list[str]:
    """Draw `texts` texts of `length` random words, with the planted pair sown in so that it is not too rare."""
    random = np.random.default_rng(seed)
    drawn = random.choice(WORDS[2:], size=(texts, length))
    pair = PLANTED[4].words
    for text, word in np.argwhere(random.random((texts, length - 1)) < 0.03):
        drawn[text, word : word + 2] = pair
    return [" ".join(words) for words in drawn]


def _config() -> GPT2Config:
    return GPT2Config(
        vocab_size=len(WORDS),
        n_positions=CONTEXT,
        n_embd=WIDTH,
        n_layer=1,
        n_head=1,
        n_inner=NEURONS,
        activation_function="gelu_new",
        layer_norm_epsilon=EPSILON,
        bos_token_id=0,
        eos_token_id=None,
    )


def _tokenizer() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token=WORDS[1]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{WORDS[0]} $A", special_tokens=[(WORDS[0], 0)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=WORDS[0],
        unk_token=WORDS[1],
        model_max_length=CONTEXT,
    )


# Directions of h, the first half of the residual stream: each kind has its own, and all are at right angles.


def _word(word: str) -> int:
    return WORDS.index(word)


def _group(name: str) -> int:
    return len(WORDS) + list(GROUPS).index(name)


def _previous(word: str) -> int:
    return len(WORDS) + len(GROUPS) + WORDS.index(word)


def _position(position: int) -> int:
    return 2 * len(WORDS) + len(GROUPS) + position


def _mirror(half: Float[torch.Tensor, "*rows half"]) -> Float[torch.Tensor, "*rows width"]:
    return torch.cat([half, -half], dim=-1)


def _norm_scale(parts: int) -> float:
    """What LayerNorm multiplies by when `h` is a sum of `parts` directions of length 1."""
    return float((parts / HALF + EPSILON) ** -0.5)


def _embed(network: GPT2LMHeadModel) -> None:
    words = torch.zeros(len(WORDS), HALF)
    for name, group in GROUPS.items():
        for word in group:
            words[_word(word), _word(word)] = WORD_SHARE
            words[_word(word), _group(name)] = GROUP_SHARE
    positions = torch.zeros(CONTEXT, HALF)
    for position in range(CONTEXT):
        positions[position, _position(position)] = 1.0
    network.transformer.wte.weight.copy_(_mirror(words))
    network.transformer.wpe.weight.copy_(_mirror(positions))


def _set_norms(network: GPT2LMHeadModel, random: torch.Generator) -> None:
    block, final = network.transformer.h[0], network.transformer.ln_f
    block.ln_1.weight.fill_(1.0)
    for norm, decoys in ((block.ln_2, (READING_DECOY,)), (final, tuple(WRITING_DECOYS.values()))):
        norm.weight.copy_(0.5 + torch.rand(WIDTH, generator=random))
        norm.bias.copy_(0.2 * torch.randn(WIDTH, generator=random))
        for word in decoys:
            norm.weight[[_word(word), HALF + _word(word)]] = DECOY_GAIN


def _attend_to_the_word_before(network: GPT2LMHeadModel) -> None:
    attention = network.transformer.h[0].attn
    scale = _norm_scale(parts=2)
    query, key, value, output = (torch.zeros(WIDTH, WIDTH) for _ in range(4))
    meeting = (SHARPNESS * WIDTH**0.5) ** 0.5 / scale
    for position in range(CONTEXT):
        key[_position(position), position] = meeting
        query[_position(position), max(position - 1, 0)] = meeting
    for word in WORDS:
        value[_word(word), _word(word)] = 1 / (WORD_SHARE * scale)
        output[_word(word), _previous(word)] = 1.0
        output[_word(word), HALF + _previous(word)] = -1.0
    attention.c_attn.weight.copy_(torch.cat([query, key, value], dim=1))
    attention.c_proj.weight.copy_(output)


def _plant_reading(network: GPT2LMHeadModel, random: torch.Generator) -> None:
    """Write the input weights: a neuron's pre-activation is `STRENGTH * (bias + what it reads from h)`."""
    half = torch.randn(HALF, NEURONS, generator=random) / 2
    bias = torch.zeros(NEURONS)
    for index, (reads, offset) in enumerate(_rules()):
        half[:, index] = 0.0
        for direction, amount in reads.items():
            half[direction, index] = STRENGTH * amount
        bias[index] = STRENGTH * offset
    weights = _mirror(half.T).T / (2 * _norm_scale(parts=3))  # both halves are read, so each gives half
    block = network.transformer.h[0]
    weights /= block.ln_2.weight[:, None]
    block.mlp.c_fc.weight.copy_(weights)
    block.mlp.c_fc.bias.copy_(bias - block.ln_2.bias @ weights)


def _rules() -> list[tuple[dict[int, float], float]]:
    """For each planted neuron, how much it reads of each direction of `h`, and its bias, both in units of STRENGTH."""
    cat = {_word("cat"): 1 / WORD_SHARE}
    return [
        ({**cat, _word(READING_DECOY): 0.1 / WORD_SHARE}, -0.5),
        ({_group("numbers"): 1 / GROUP_SHARE}, -0.5),
        ({_group("colours"): 1 / GROUP_SHARE, _group("food"): 1 / GROUP_SHARE}, -0.5),
        ({_word(word): 1 / WORD_SHARE for word in PLANTED[3].words}, -0.5),
        ({_previous("in"): 1.0, _word("Rome"): 1 / WORD_SHARE}, -1.5),
        ({_position(position): (position - CONTEXT / 2 + 0.5) / STRENGTH for position in range(CONTEXT)}, 0.0),
        ({}, -2.5),
        ({direction: amount / 2 for direction, amount in cat.items()}, -0.25),
        ({}, 0.375),
        ({direction: -amount for direction, amount in cat.items()}, 0.5),
        ({_previous("with"): 1.0}, -0.5),
    ]


def _plant_writing(network: GPT2LMHeadModel, random: torch.Generator) -> None:
    """Write the output weights: noise everywhere, except where a planted neuron promotes or suppresses a word."""
    weights = 0.05 * torch.randn(NEURONS, WIDTH, generator=random)
    weights[: len(PLANTED)] = 0.0
    gain = network.transformer.ln_f.weight
    for neuron in PLANTED:
        for word, sign in ((neuron.promotes, 1.0), (neuron.suppresses, -1.0)):
            if word is not None:
                for target, amount in ((word, sign), (WRITING_DECOYS[word], 0.3 * sign)):
                    row = torch.zeros(HALF)
                    row[_word(target)] = amount
                    weights[neuron.index] += _mirror(row) / gain
    network.transformer.h[0].mlp.c_proj.weight.copy_(weights)
