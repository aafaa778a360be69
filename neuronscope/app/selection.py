"""What the visitor is looking at, as one value and as the query string of the address.

Every field that is not at its default stands in the address, so that each view can be bookmarked, shared and gone back
to. Nothing else about a visit is kept anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

from neuronscope.errors import InputError
from neuronscope.vocabulary import ModelCard, Neuron, Site

LONGEST_TEXT = 20_000
"""Characters: what fits in the address line of every browser and server."""

SCHEMA = "schema"
"""The id under which the page keeps `schema()` for the browser."""

CHOICES: Mapping[str, tuple[str, ...]] = {
    "precision": ("auto", "float32", "bfloat16", "float16", "int8", "nf4"),
    "site": tuple(Site),
    "long": ("refuse", "window"),
    "tab": ("neurons", "layers", "statistics"),
    "rule": ("peak", "variance", "selectivity", "index"),
    "measure": ("peak", "active"),
    "statistic": ("mean", "std", "mean_abs", "min", "max", "active", "sparsity", "silent", "constant"),
    "scale": ("shared", "layer"),
    "side": ("difference", "a", "b"),
    "colour": ("peak", "neuron"),
    "ask": ("neuron", "text"),
    "sign": ("+", "-"),
    "skips": ("yes", "no"),
    "order": ("mean", "share"),
    "regular": ("no", "yes"),
    "projection": ("pca", "tsne", "umap"),
    "shade": ("layer", "cluster", "density", "kurtosis", "senses", "alignment", "drift"),
    "grouping": ("kmeans", "minibatch", "agglomerative", "hdbscan"),
    "among": ("confirmed", "scored", "all"),
    "heat": ("drift", "median", "above", "excess", "cka", "cka_residual", "itself", "weight_in", "weight_out"),
    "hue": ("part", "noise", "layer"),
    "beyond": ("all", "noise", "control"),
    "cause": ("any", "weights", "input"),
}
"""The values that a field of a few choices may have."""


@dataclass(frozen=True)
class Selection:
    """What the visitor is looking at."""

    view: str = "text"
    """The view that is open."""
    model: str | None = None
    """The model, by catalogue name, hub name or folder; None for the one the server was started with."""
    precision: str = "auto"
    """The precision its weights are held in."""
    text: str | None = None
    """The visitor's text; None for a sample text."""
    compare: str | None = None
    """A second text to compare with, None if there is none."""
    against: str = ""
    """Another model, such as a checkpoint of this one, that reads the second text, or the same where there is none."""
    site: str = "neurons"
    """Where activations are read."""
    long: Literal["refuse", "window"] = "refuse"
    """What to do with a text beyond the model's context: `refuse` it, or `window` it."""
    tab: str = "neurons"
    """What the Text view shows: the neurons of one layer, all layers, or the table of statistics."""
    layer: int | None = None
    """The layer, None for the middle one."""
    position: int | None = None
    """The locked token's position in the text that is looked at, None if none is locked."""
    neuron: int | None = None
    """A neuron of the layer, None if none was chosen."""
    rule: str = "peak"
    """What neurons are ranked by."""
    count: int = 64
    """How many neurons the heatmap shows; 0 for all of them, page by page."""
    page: int = 0
    """Which page of them."""
    measure: Literal["peak", "active"] = "peak"
    """What the layer × token overview shows."""
    statistic: str = "mean"
    """Which statistic of the layers is drawn."""
    scale: Literal["shared", "layer"] = "shared"
    """Whether the layers share one colour scale."""
    side: str = "difference"
    """Of two readings: the difference, the first (`a`) or the second (`b`); the second is looked at with `b` alone."""
    colour: str = "peak"
    """What the token strip is coloured by: the layer's `peak`, or the chosen `neuron`."""
    ask: Literal["neuron", "text"] = "neuron"
    """What the Search view asks: what excites a `neuron`, or which neurons respond to a `text`."""
    neurons: str | None = None
    """The names of a group of neurons; None where it is the one neuron chosen."""
    sign: Literal["+", "-"] = "+"
    """What is asked for: what excites a neuron, or what drives it below zero."""
    longest: int = 3
    """The longest n-gram, in tokens."""
    skips: Literal["yes", "no"] = "yes"
    """Whether patterns may leave tokens out."""
    least: int = 1
    """How often an n-gram occurs at least."""
    order: Literal["mean", "share"] = "mean"
    """What n-grams are ordered by: their empirical-Bayes mean, or the share of the neuron's firings they explain."""
    ngram: str | None = None
    """The n-gram that is looked at, as the ids of its tokens; None for the first."""
    member: int = 0
    """Of a group, the place of the neuron whose contexts are shown."""
    find: str | None = None
    """The text that neurons are to respond to."""
    regular: Literal["no", "yes"] = "no"
    """Whether `find` is a regular expression."""
    projection: Literal["pca", "tsne", "umap"] = "pca"
    """How the Atlas view's map is made."""
    shade: str = "layer"
    """What the map is coloured by."""
    layers: str | None = None
    """The layers on the map, in the clusters and among the neurons that drifted, such as `0-3,8`; None for all."""
    grouping: str = "kmeans"
    """How clusters are found."""
    k: int | None = None
    """How many; None for the suggested number."""
    within: str | None = None
    """The kept group whose neurons are clustered, by name; None for all neurons."""
    cluster: int | None = None
    """The cluster that is looked at, None if none is."""
    group: str | None = None
    """The kept group that is looked at, by name."""
    among: Literal["confirmed", "scored", "all"] = "confirmed"
    """Which neurons the Polysemantic view ranks: with two senses in both halves of the corpus, scored, or all."""
    token: str = ""
    """The id of the token on which alone the Polysemantic view looks at a neuron; empty for all."""
    drift: str | None = None
    """The drift that is looked at, by the name of its folder; None for the one last asked for."""
    checkpoint: int | None = None
    """Its checkpoint, 0 for the base; None for the last."""
    heat: str = "drift"
    """What of each layer in each checkpoint is drawn."""
    hue: Literal["part", "noise", "layer"] = "part"
    """What the moving map is coloured by."""
    beyond: Literal["all", "noise", "control"] = "all"
    """Which neurons the Drift view lists: all, those above the noise floor, or those above the control."""
    cause: Literal["any", "weights", "input"] = "any"
    """Of these, all, those whose own weights changed, or those that changed with their input alone."""

    @classmethod
    def parse(cls, search: str | None) -> Selection:
        """Read a query string such as `?layer=3&text=Hello`.

        Raises:
            InputError: naming the part that cannot be read.
        """
        known = {field.name: field for field in fields(cls)}
        found = {}
        for name, value in parse_qsl((search or "").lstrip("?"), keep_blank_values=True):
            if name in known:
                found[name] = _read(name, value)
        return cls(**found)

    @property
    def search(self) -> str:
        """The query string that means this selection: what is not at its default, always in the same order."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        changed = {n: v for n, v in given.items() if v is not None and v != _DEFAULTS.get(n)}
        return f"?{urlencode(changed)}" if changed else ""

    @property
    def question(self) -> str:
        """A key of all that needs the model to run again: equal keys mean equal activations.

        The browser writes the same key, so it is what `JSON.stringify` makes of them.
        """
        return json.dumps([getattr(self, name) for name in _HEAVY], ensure_ascii=False, separators=(",", ":"))

    @property
    def chosen(self) -> Neuron | None:
        """The chosen neuron, if layer and index are both known."""
        return None if self.layer is None or self.neuron is None else Neuron(self.layer, self.neuron)

    @property
    def of_second(self) -> bool:
        """Whether it is the second reading that is looked at, and that `position` counts in."""
        return self.two and self.side == "b"

    @property
    def two(self) -> bool:
        """Whether two readings are compared: of two texts, or of two models."""
        return self.compare is not None or self.against != ""

    def go(self, **changes: Any) -> Selection:
        """The selection after these changes, having let go of what they make meaningless.

        Another model has other layers and neurons, another text other tokens, another order other pages.
        """
        after = replace(self, **{name: _checked(name, value) for name, value in changes.items()})
        for name, lets_go in _LETS_GO.items():
            if getattr(after, name) != getattr(self, name):
                kept = {n: _DEFAULTS[n] for n in lets_go if n not in changes}
                after = replace(after, **kept)
        return after

    def check(self, card: ModelCard) -> Selection:
        """Return this selection if the model has all it names.

        Raises:
            NoSuchLayer, NoSuchNeuron, InputError: saying what the model has.
        """
        if self.layer is not None:
            card.check_layer(self.layer)
        if self.site not in card.sites:
            has = ", ".join(card.sites)
            raise InputError(f"{card.name} has no site {self.site!r}: choose one of {has}.")
        if self.site == Site.NEURONS and self.neuron is not None:
            card.check(Neuron(self.layer_of(card), self.neuron))
        return self

    def layer_of(self, card: ModelCard) -> int:
        """The layer to show: the chosen one, or the model's middle one."""
        return card.layers // 2 if self.layer is None else self.layer


_DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(Selection)}
_HEAVY = ("model", "precision", "text", "compare", "against", "site", "long")
_NUMBERS = ("layer", "position", "neuron", "count", "page", "longest", "least", "member", "k", "cluster", "checkpoint")
_LETS_GO: Mapping[str, tuple[str, ...]] = {
    "model": (
        "layer",
        "position",
        "neuron",
        "page",
        "site",
        "colour",
        "neurons",
        "ngram",
        "member",
        "layers",
        "k",
        "within",
        "cluster",
        "group",
        "drift",
        "checkpoint",
        "against",
        "token",
    ),
    "drift": ("checkpoint",),
    "text": ("position", "page"),
    "compare": ("page", "side"),
    "against": ("page", "side"),
    "of_second": ("position",),
    "site": ("neuron", "page", "colour"),
    "layer": ("page", "ngram", "token"),
    "neuron": ("ngram", "token"),
    "neurons": ("ngram", "member"),
    "sign": ("ngram", "token"),
    "layers": ("cluster",),
    "grouping": ("k", "cluster"),
    "k": ("cluster",),
    "within": ("k", "cluster"),
    "rule": ("page",),
    "count": ("page",),
}


def schema() -> dict[str, Any]:
    """What the browser has to know to read an address, to change it and to make the question it asks."""
    lets_go = {name: list(loose) for name, loose in _LETS_GO.items()}
    return {"defaults": _DEFAULTS, "numbers": list(_NUMBERS), "lets_go": lets_go, "heavy": list(_HEAVY)}


def _read(name: str, value: str) -> Any:
    if name not in _NUMBERS:
        return _checked(name, value)
    if not value.isdecimal():
        raise InputError(f"The address says {name}={value!r}, which is not a whole number: write one, counted from 0.")
    return int(value)


def _checked(name: str, value: Any) -> Any:
    """Return the value of a field if it may have it."""
    if name in CHOICES and value not in CHOICES[name]:
        raise InputError(f"No {name} called {value!r}: it is one of {', '.join(CHOICES[name])}.")
    if name in ("text", "compare", "find") and value is not None and len(value) > LONGEST_TEXT:
        raise InputError(
            f"The text has {len(value):,} characters and the page takes {LONGEST_TEXT:,}: shorten it, "
            "or use `neuronscope activations` in a terminal, which takes a file of any length."
        )
    return value
