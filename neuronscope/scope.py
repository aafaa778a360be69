"""Workspace: what this process owns. Scope: one model, and what you can ask it.

The page, the terminal and a notebook all ask through a Scope; none has a path of its own to the engine.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, overload

import numpy as np
from jaxtyping import Float

from neuronscope.cache import ArrayCache
from neuronscope.errors import InputError, OtherIndex
from neuronscope.jobs import track
from neuronscope.models.catalogue import CATALOGUE, Entry
from neuronscope.models.manager import Key, Manager
from neuronscope.settings import Settings
from neuronscope.vocabulary import Activations, DirectEffects, Example, ModelCard, Neuron, NeuronWeights, Site, Tokens

if TYPE_CHECKING:
    import pandas as pd
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from neuronscope.analysis.fidelity import Fidelity
    from neuronscope.analysis.minimal_context import MinimalContext
    from neuronscope.analysis.polysemanticity import Polysemanticity
    from neuronscope.analysis.responders import Responders
    from neuronscope.analysis.reverse_query import Alone, ReverseQuery
    from neuronscope.beside import Beside
    from neuronscope.engine.capture import Long
    from neuronscope.index.distributed import Cluster
    from neuronscope.indexed import Index
    from neuronscope.models.loading import Lend, LoadedModel
    from neuronscope.models.memory import Memory
    from neuronscope.series import Drift

T = TypeVar("T")

DEFAULT_MODEL = "demo:stories"
_CACHE_VERSION = 1
_RECENT_BYTES = 256 << 20


class Workspace:
    """Settings, warm models and cached results of one process; made once and handed down."""

    def __init__(
        self, settings: Settings | None = None, *, budget: int | None = None, index_folders: Sequence[Path] = ()
    ) -> None:
        """`budget` is the most bytes of model weights to keep warm; `index_folders` are indexes to look into first."""
        self.settings = settings or Settings.from_environment()
        self.manager = Manager(budget=budget, offline=self.settings.offline)
        self.cache = ArrayCache(self.settings.cache_folder, self.settings.cache_limit)
        self.recent = _Recent(_RECENT_BYTES)
        self.index_folders = tuple(index_folders)
        self._indexes: dict[Path, Index] = {}
        self._alike: set[Hashable] = set()

    @property
    def catalogue(self) -> tuple[Entry, ...]:
        """The checkpoints we know by name, demo models first."""
        return CATALOGUE

    def scope(
        self,
        name: str = DEFAULT_MODEL,
        *,
        precision: str = "auto",
        device: str = "auto",
        revision: str | None = None,
        trust_remote_code: bool = False,
    ) -> Scope:
        """A model by name or folder, loaded unless it is warm; see `models.loading.load` for the errors."""
        for key, card in self.manager.cards().items():
            if key.precision == "attached" and card.name == name:
                return Scope(self, key)
        key = Key(name if revision is None else f"{name}@{revision}", precision, device, trust_remote_code)
        self.manager.load(key)
        return Scope(self, key)

    def attach(self, network: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, name: str | None = None) -> Scope:
        """A transformers model that is already in memory, read where it stands."""
        return Scope(self, self.manager.adopt(network, tokenizer, name))

    def scopes(self) -> tuple[Scope, ...]:
        """The warm models, most recently used first."""
        return tuple(Scope(self, key) for key in reversed(self.manager.cards()))

    def index_of(self, scope: Scope) -> Index | None:
        """The index of a model: one of `index_folders` that was made from it, or its own; None if there is none yet.

        Opened anew when more has been published. Folders that hold the index of another model, or of another version of
        this program, are passed over.
        """
        from neuronscope.index.store import read_manifest
        from neuronscope.indexed import Index

        for folder in (*self.index_folders, scope.index_folder):
            with suppress(OtherIndex):
                manifest = read_manifest(folder)
                if manifest is None or not manifest.arrays:
                    continue
                known = self._indexes.get(folder)
                if known is None or known.manifest != manifest:
                    known = self._indexes[folder] = Index.open(folder)
                known.check(scope.card)
                return known
        return None

    def memory(self) -> Memory:
        """What this process, its models and the machine hold, now."""
        from neuronscope.models.memory import memory

        return memory(self.manager.bytes)

    def close(self) -> None:
        """Let go of models and files."""
        self.manager.close()
        self.cache.close()


class Scope:
    """One model, and what you can ask it."""

    def __init__(self, workspace: Workspace, key: Key) -> None:
        """Use `Workspace.scope`, `Workspace.attach`, `neuronscope.load` or `neuronscope.attach`."""
        self.workspace = workspace
        self.key = key
        self.card: ModelCard = workspace.manager.load(key)

    def __repr__(self) -> str:
        card = self.card
        return f"Scope({card.name}: {card.layers} layers × {card.neurons:,} neurons, {card.precision}, {card.device})"

    @property
    def name(self) -> str:
        """The name the model goes by."""
        return self.card.name

    def tokens(self, text: str) -> Tokens:
        """Cut `text` into the model's tokens; raises `EmptyText`."""
        with self._lent() as model:
            return model.tokens(text)

    def display(self, token: int) -> str:
        """How one vocabulary id is shown."""
        with self._lent() as model:
            return model.display(token)

    @overload
    def activations(
        self, text: str, layers: Sequence[int] | None = None, site: str = "neurons", long: Long = "refuse"
    ) -> Activations: ...

    @overload
    def activations(
        self,
        text: list[str] | tuple[str, ...],
        layers: Sequence[int] | None = None,
        site: str = "neurons",
        long: Long = "refuse",
    ) -> list[Activations]: ...

    def activations(
        self,
        text: str | list[str] | tuple[str, ...],
        layers: Sequence[int] | None = None,
        site: str = "neurons",
        long: Long = "refuse",
    ) -> Activations | list[Activations]:
        """What the units of some layers do on one text, or on each of several.

        Args:
            text: One text, or several.
            layers: Which layers, all by default.
            site: `neurons`, `gate`, `up`, `residual` or `attention`.
            long: `refuse` a text beyond the context, or `window` it.

        Returns:
            Activations with float32 values [layers, tokens, units]; a list of them for several texts.

        Raises:
            EmptyText, TextTooLong, NoSuchLayer, NoSuchSite: see `engine.capture.capture`.
        """
        if isinstance(text, str):
            return self._activations([text], layers, Site.of(site), long)[0]
        return self._activations(list(text), layers, Site.of(site), long)

    def weights(self, neuron: Neuron, count: int = 20) -> NeuronWeights:
        """What a neuron reads and writes in token space: the direct path only."""
        from neuronscope.engine.weights import weights

        with self._lent() as model:
            return weights(model, neuron, count=count)

    def alike(self, neuron: Neuron, by: str = "read", count: int = 10) -> list[tuple[Neuron, float]]:
        """The neurons of the whole model whose weights are most like a neuron's, or most opposed, with their cosine.

        Compared are directions of the residual stream with the norms folded in, by |cosine|; ties go to the lower
        neuron. Nothing is like a neuron whose own direction has length 0.

        Args:
            neuron: Which neuron.
            by: `read`, what the up projection reads; `gate`, what the gate reads; or `write`, what is written.
            count: How many at most.

        Raises:
            NoSuchLayer, NoSuchNeuron: if the model does not have it.
            InputError: for another `by`, or the gate of an MLP that has none.
            Cancelled: between two layers.
        """
        from neuronscope.engine.directions import alike_in, directions

        self.card.check(neuron)
        with self._lent() as model:
            own = directions(model, neuron.layer, by, slice(neuron.index, neuron.index + 1))[0].cpu()
        found: list[tuple[Neuron, float]] = []
        for layer in track(range(self.card.layers if own.any() else 0), label="Comparing weights"):
            with self._lent() as model:  # anew for each layer: others do not have to wait for all of them
                found += [one for one in alike_in(model, layer, by, own, count + 1) if one[0] != neuron]
        return sorted(found, key=lambda one: -abs(one[1]))[: max(count, 0)]

    def direct_effects(self, text: str, position: int, target: str | None = None) -> DirectEffects:
        """What each neuron at token `position` adds directly to the logit of the next token.

        The target is the most probable next token unless one is named; its first token counts.

        Raises:
            NoSuchToken: if the text has no such position.
            TextTooLong: if the position is beyond the context.
            InputError: if `target` is empty.
        """
        from neuronscope.engine.weights import direct_effects

        # In windows, so that a long text can be asked about as far as one context reaches: that is the first of them.
        activations = self.activations(text, long="window") if self.card.causal else self.activations(text)
        activations.tokens.check(position)
        with self._lent() as model:
            wanted = None if target is None else _single_token(model, target)
            here = activations.values[:, position]
            return direct_effects(model, activations.tokens, position, wanted, neurons=here)

    def fidelity(self, texts: list[str], against: str = "float32") -> Fidelity:
        """How faithful this model is to itself in another precision, on a sample of texts.

        Both are held in memory while they are compared.

        Raises:
            ModelDoesNotFit: if the other precision does not fit beside this one.
            InputError: if there is no token to compare.
        """
        from neuronscope.analysis.fidelity import Comparing

        full = self.workspace.scope(self.key.name, precision=against, device=self.key.device)
        comparing = Comparing()
        for text in track(texts, label=f"Comparing {self.card.precision} with {full.card.precision}"):
            a, b = full.activations(text), self.activations(text)
            logits = (full._logits(text), self._logits(text)) if self.card.causal else None
            comparing.add(a, b, logits)
        return comparing.result()

    def index(
        self,
        sources: str | Path | Sequence[str | Path],
        folder: Path | str | None = None,
        *,
        tokens: int | None = None,
        window: int | None = None,
        overlap: int = 0,
        field: str = "text",
        workers: int | None = None,
        dask: str | None = None,
    ) -> Index:
        """Build the index of a corpus, or go on with one that was begun, or open one that is whole.

        Args:
            sources: Files, folders, patterns, `-`, or `hf:` data sets; see `neuronscope.corpus`.
            folder: Where it is, or shall be; by default a folder of this model's own below the data folder.
            tokens: The most tokens to read.
            window: Tokens that run together; 128, or the model's context if that is shorter.
            overlap: How many tokens each window repeats of the one before it, as context.
            field: The JSON field or column that holds the text.
            workers: Scan in so many processes of this machine, each with a model of its own; in this one by default.
            dask: Scan on the Dask cluster whose scheduler has this address.

        Raises:
            IndexProblem, FileError, InputError: see `neuronscope.index.build.build`.
            Cancelled: what was reached is written first.
        """
        from neuronscope.index.build import build
        from neuronscope.indexed import Index

        asked = [sources] if isinstance(sources, str | Path) else sources
        where = Path(folder) if folder is not None else self.index_folder
        store = build(
            self._lent,
            self.card,
            [str(one) for one in asked],
            where,
            tokens=tokens,
            window=window,
            overlap=overlap,
            field=field,
            offline=self.workspace.settings.offline,
            cluster=self._cluster(workers, dask),
        )
        return Index(store)

    def _cluster(self, workers: int | None, address: str | None) -> Cluster | None:
        if workers is None and address is None:
            return None
        if self.key.attached:
            raise InputError(
                "A model that a program attached cannot be loaded by other processes: save it to a folder."
            )
        from neuronscope.index.distributed import Cluster

        return Cluster(workers, address, {"precision": self.card.precision, "device": self.key.device})

    @property
    def index_folder(self) -> Path:
        """Where this model's own index is, unless another folder is named."""
        name = re.sub(r"[^A-Za-z0-9.-]+", "-", self.card.label).strip("-.")
        return (
            self.workspace.settings.data_folder / "indexes" / f"{name}-{self.card.revision[:12]}-{self.card.precision}"
        )

    def reverse_query(
        self,
        index: Index,
        neurons: Neuron | Sequence[Neuron],
        n: Sequence[int] = (1, 2, 3),
        sign: str = "+",
        *,
        skips: bool = True,
        budget: int = 4096,
    ) -> ReverseQuery:
        """`Index.reverse_query`, made exact by running the model where the patterns occur, at most `budget` times.

        Raises:
            OtherIndex: if the index was made from another model.
            Cancelled: between two batches.
        """
        from neuronscope.analysis.reverse_query import answer
        from neuronscope.index.measure import measure

        index.check(self.card)
        question = index.question(neurons, n, sign, skips=skips)
        sample = index.measurements(question, budget)
        members = [member.neuron for member in question.members]
        values = measure(self._lent, index.store.corpus, sample.positions, members)
        return answer(question, index.shown, (sample, values))

    def check(self, index: Index, query: ReverseQuery, most: int = 20) -> Alone:
        """Run the first `most` n-grams of a query alone: does each excite the neuron without what stood around it?

        An n-gram stands after what begins every text of this model; where that is nothing, after tokens drawn from the
        corpus. `Alone.after` says which. Gaps of skip patterns are filled with drawn tokens too.

        Raises:
            InputError: if the query is of a group: this is asked of one neuron.
            OtherIndex: if the index was made from another model.
        """
        from neuronscope.analysis.reverse_query import checkable, held_out
        from neuronscope.index.alone import opening, patterns_alone

        index.check(self.card)
        patterns, corpus = checkable(query, most), index.store.corpus
        opened = opening(self._lent, corpus)
        values = patterns_alone(self._lent, corpus, opened, patterns, query.neurons[0])
        return held_out(query, patterns, values, opened.after)

    def minimal_context(self, index: Index, neuron: Neuron, examples: Sequence[Example]) -> list[MinimalContext]:
        """For each example the shortest suffix of its context, run alone, that keeps half of the neuron's activation.

        Suffixes of 1 to 32 tokens are tried, within the window that the model read, with positions from 0.

        Raises:
            OtherIndex: if the index was made from another model.
            InputError: if the model reads in both directions: what stands after a token matters to it too.
        """
        from neuronscope.analysis.minimal_context import sought
        from neuronscope.index.alone import opening, suffixes_alone

        index.check(self.card)
        if not self.card.causal:
            raise InputError(f"{self.card.name} reads in both directions: what fires it does not end at a token.")
        corpus, positions = index.store.corpus, [one.position for one in examples]
        opened = opening(self._lent, corpus)

        def run(suffixes: Sequence[tuple[int, int]]) -> Float[np.ndarray, " suffixes"]:
            at = [(positions[place], length) for place, length in suffixes]
            return suffixes_alone(self._lent, corpus, opened, at, neuron)

        before = index.windows.reach(np.array(positions, dtype=np.int64)).tolist()
        return sought(before, [float(one.values[one.peak]) for one in examples], run)

    def responders(
        self, index: Index, text: str, *, regular: bool = False, most: int = 1024, limit: int = 50
    ) -> Responders:
        """The neurons that a token, n-gram or regular expression excites or calms most, of all neurons.

        The model is run where the text occurs in the corpus, at most `most` times (a random sample of them).

        Raises:
            OtherIndex: if the index was made from another model.
            InputError: if the text does not occur, or the expression is none.
        """
        from neuronscope.analysis.responders import responders_at
        from neuronscope.index.measure import measure

        index.check(self.card)
        positions = index.find(text, regular=regular, limit=most)
        units = [index.neuron(row) for row in range(self.card.layers * self.card.neurons)]
        return responders_at(index.background, measure(self._lent, index.store.corpus, positions, units), limit)

    def polysemanticity(
        self,
        index: Index,
        neurons: Sequence[Neuron] | None = None,
        *,
        layers: Sequence[int] | None = None,
        tokens: int | None = None,
    ) -> Polysemanticity:
        """How many senses neurons have: of whole layers over part of the corpus, or of some neurons at once.

        Args:
            index: Of this model.
            neurons: These alone, in windows that the index has kept of them; in a gated MLP on both sides of zero.
            layers: Every neuron of these layers, read over again; all by default. What was found is kept.
            tokens: How many tokens layers are read over; 131,072 by default.

        Raises:
            OtherIndex: if the index was made from another model.
            NoSuchNeuron: if there is no such neuron or layer.
            Cancelled: between batches and every few neurons; layers that are finished are kept.
        """
        from neuronscope import survey

        index.check(self.card)
        if neurons is not None:
            signs = ("+", "-") if index.manifest.gated else ("+",)
            return survey.of_neurons(self._lent, index, [(neuron, sign) for neuron in neurons for sign in signs])
        chosen = range(self.card.layers) if layers is None else layers
        return survey.of_layers(self._lent, index, chosen, tokens=survey.TOKENS if tokens is None else tokens)

    def uses(self, index: Index, neuron: Neuron, token: str | int, sign: str = "+") -> Polysemanticity:
        """How many ways a neuron has to fire on one token of the corpus, named by its text or its id.

        What all occurrences of the token share is taken out first, for otherwise the token itself is why it fires
        there, in every use. One record, of one side of the neuron.

        Raises:
            OtherIndex: if the index was made from another model.
            NoSuchNeuron: if there is no such neuron.
            InputError: if `token` is no token of the corpus, or never counts in it.
        """
        from neuronscope import survey

        index.check(self.card)
        number = token if isinstance(token, int) else index.token(token)
        return survey.of_token(self._lent, index, neuron, number, sign)

    def beside(self, index: Index, other: Scope) -> Beside:
        """This model's index, and another checkpoint: what n-grams, texts and senses became in it.

        Raises:
            OtherIndex: if the index was made from another model.
            InputError: if the other model has another shape, or its tokenizer cuts the corpus into other tokens.
        """
        from neuronscope.beside import Beside

        index.check(self.card)
        both = (index.manifest.corpus, *((one.key, one.card.revision) for one in (self, other)))
        if both not in self.workspace._alike:  # which takes a copy of the tokenizer to tell
            Beside.of(index, self._lent, other._lent)
            self.workspace._alike.add(both)
        return Beside(index, self._lent, other._lent)

    def geometry(self, layers: Sequence[int] | None = None, by: str = "read") -> pd.DataFrame:
        """How the directions that neurons `read` or `write` overlap: superposition geometry, which is not meaning.

        One row for each neuron: `layer neuron interference nearest capacity by_chance`. `interference` is the largest
        |cosine| with another neuron of the layer, `nearest` that neuron, `by_chance` what as many random directions
        would have; `capacity` is the share of a dimension that is the neuron's own. See `engine.geometry`.

        Raises:
            NoSuchLayer: if the model does not have one of `layers`.
            InputError: for another `by` than `read`, `write` or, in a gated MLP, `gate`.
            Cancelled: between layers.
        """
        import pandas as pd

        from neuronscope.engine.geometry import overlap

        chosen = range(self.card.layers) if layers is None else layers
        parts = []
        for layer in track(chosen, label="Overlap of directions, layer"):
            with self._lent() as model:
                found = overlap(model, layer, by)
            columns = {"layer": layer, "neuron": np.arange(len(found.capacity)), "interference": found.interference}
            columns |= {"nearest": found.nearest, "capacity": found.capacity, "by_chance": found.by_chance}
            parts.append(pd.DataFrame(columns))
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

    def gate_alignment(self) -> Float[np.ndarray, " units"]:
        """Cosine of what gate and up projection read, for every neuron of a gated model, layer after layer.

        Raises:
            InputError: if the model's MLPs have no gate.
            Cancelled: between layers.
        """
        from neuronscope.engine.directions import gate_alignment

        parts = []
        for layer in track(range(self.card.layers), label="Gate and up, layer"):
            with self._lent() as model:
                parts.append(gate_alignment(model, layer))
        return np.concatenate(parts)

    def drift(
        self,
        checkpoints: str | Path | Sequence[str | Path],
        corpus: str | Path | Sequence[str | Path],
        *,
        control: str | Path | None = None,
        folder: Path | str | None = None,
        tokens: int | None = None,
        window: int | None = None,
        field: str = "text",
    ) -> Drift:
        """What changed from this model to each of its checkpoints, neuron by neuron.

        Each checkpoint runs over the probe corpus once, beside what this model did on the same tokens; besides this
        model one is in memory at a time. What is done is kept: asked again, the rest is run.

        Args:
            checkpoints: Folders, a folder full of them, adapters, hub names with revisions, such as
                `EleutherAI/pythia-70m@step1000`, or `demo:stories/*`.
            corpus: What to compare them on: files, folders, patterns, or `hf:` data sets; see `neuronscope.corpus`.
            control: A checkpoint that was trained as long on more of the old data: drift beyond it is not generic.
            folder: Where the results go; by default a folder of their own below the data folder.
            tokens: The most tokens to read; 50,000 by default.
            window: Tokens that run together; 128, or the model's context if that is shorter.
            field: The JSON field or column that holds the text.

        Raises:
            ModelNotFound, InputError: if no checkpoint is named that there is.
            NotOfSeries, ModelError: if no checkpoint at all can be compared; one that cannot is among `Drift.problems`.
            DriftProblem, FileError: see `neuronscope.series.measure`.
            Cancelled: at any layer of any batch; checkpoints that are done are kept.
        """
        from neuronscope import series

        named, texts = ([one] if isinstance(one, str | Path) else list(one) for one in (checkpoints, corpus))
        candidates = series.find(named)
        beside = None if control is None else series.find([control])[-1]
        probing = series.Probing(
            tuple(map(str, texts)), tokens or series.TOKENS, window, field, self.workspace.settings.offline
        )
        where = (
            Path(folder).expanduser()
            if folder is not None
            else series.folder_for(self.workspace.settings.data_folder, self.card, candidates, beside, probing)
        )
        series.measure(self._lent, self._lending, self.card, candidates, beside, where, probing)
        return series.Drift.open(where)

    def across(
        self, checkpoints: Sequence[str], text: str, layers: Sequence[int] | None = None, site: str = "neurons"
    ) -> list[Activations]:
        """What some checkpoints do on one text, in their order; one at a time is in memory besides this model.

        Args:
            checkpoints: What they are loaded by, such as `[one.name for one in drift.checkpoints]`.
            text: The text.
            layers: Which layers, all by default.
            site: Where they are read.

        Raises:
            ModelError: if one of them cannot be loaded.
            EmptyText, TextTooLong, NoSuchLayer, NoSuchSite: see `activations`.
            Cancelled: between two checkpoints, and while one is loaded or read.
        """
        return self._each(
            checkpoints, lambda scope: scope.activations(text, layers, site), label="Reading the text, checkpoint"
        )

    def weights_across(self, checkpoints: Sequence[str], neuron: Neuron, count: int = 20) -> list[NeuronWeights]:
        """What one neuron reads and writes by its weights in some checkpoints, in their order.

        One of them at a time is in memory besides this model. `neuronscope.analysis.drift.token_changes` says what is
        different in two of them.

        Args:
            checkpoints: What they are loaded by, such as `[one.name for one in drift.checkpoints]`.
            neuron: Which neuron.
            count: How many tokens at either end.

        Raises:
            NoSuchLayer, NoSuchNeuron: if a model does not have it.
            ModelError: if one of them cannot be loaded.
            Cancelled: between two checkpoints, and while one is loaded.
        """
        self.card.check(neuron)
        return self._each(
            checkpoints, lambda scope: scope.weights(neuron, count), label="Reading the weights, checkpoint"
        )

    def _each(self, checkpoints: Sequence[str], ask: Callable[[Scope], T], label: str) -> list[T]:
        """Ask checkpoints one after the other; each is let go of then, unless it was in memory before."""
        found = []
        for name in track(checkpoints, label=label):
            with nullcontext(self) if name == self.name else self._borrowed(name) as scope:
                found.append(ask(scope))
        return found

    @contextmanager
    def _borrowed(self, name: str) -> Iterator[Scope]:
        """Another model, held as this one is, for as long as it is needed."""
        manager = self.workspace.manager
        # float64 is only where a program attached such a model.
        precision = "float32" if self.card.precision == "float64" else self.card.precision
        key = Key(name, precision, self.key.device)
        warm = key in manager.cards()
        scope = Scope(self.workspace, key)
        try:
            yield scope
        finally:
            if not warm:
                manager.evict(key)

    @contextmanager
    def _lending(self, name: str) -> Iterator[Lend]:
        with self._borrowed(name) as scope:
            yield scope._lent

    def contexts(self, index: Index, neuron: Neuron, examples: Sequence[Example]) -> list[Example]:
        """Examples of an index with the activation on every token, measured by running their windows again."""
        from neuronscope.index.measure import measure

        index.check(self.card)
        spans = [range(one.position - one.peak, one.position - one.peak + len(one.tokens)) for one in examples]
        positions = np.unique(np.concatenate([np.array(span) for span in spans])) if spans else np.zeros(0, np.int64)
        values = measure(self._lent, index.store.corpus, positions, [neuron])[:, 0] if spans else np.zeros(0)
        found = [values[np.searchsorted(positions, np.array(span))].astype(np.float64) for span in spans]
        return [replace(one, values=own) for one, own in zip(examples, found, strict=True)]

    def _logits(self, text: str) -> Float[np.ndarray, "tokens vocabulary"]:
        from neuronscope.engine.weights import next_token_logits

        with self._lent() as model:
            return next_token_logits(model, model.tokens(text))

    @contextmanager
    def _lent(self) -> Iterator[LoadedModel]:
        with self.workspace.manager.lend(self.key) as model:
            yield model

    def _activations(self, texts: list[str], layers: Sequence[int] | None, site: Site, long: Long) -> list[Activations]:
        from neuronscope.engine.capture import capture

        with self._lent() as model:
            tokens = [model.tokens(text) for text in texts]
            if not model.own:
                return [one[site] for one in capture(model, tokens, sites=[site], layers=layers, long=long)]
            keys = [self._cache_key(one, layers, site, long) for one in tokens]
            known = [self._known(key) for key in keys]
            missing = [i for i, values in enumerate(known) if values is None]
            fresh = capture(model, [tokens[i] for i in missing], sites=[site], layers=layers, long=long)
            for i, one in zip(missing, fresh, strict=True):
                known[i] = one[site].values
                self._remember(keys[i], one[site].values)
        chosen = tuple(sorted(set(layers))) if layers is not None else tuple(range(self.card.layers))
        heads = self.card.heads if site is Site.ATTENTION else None
        return [
            Activations(values, one, site, chosen, self.card.source, heads, self.card.window(one))
            for one, values in zip(tokens, known, strict=True)
            if values is not None
        ]

    def _cache_key(self, tokens: Tokens, layers: Sequence[int] | None, site: Site, long: Long) -> str:
        card = self.card
        asked = [_CACHE_VERSION, card.architecture, card.revision, card.precision, card.device, site, long]
        digest = hashlib.sha256(json.dumps([*asked, layers if layers is None else sorted(set(layers))]).encode())
        digest.update(tokens.ids.tobytes())
        return digest.hexdigest()

    def _known(self, key: str) -> Float[np.ndarray, "layers tokens neurons"] | None:
        values = self.workspace.recent.get(key)
        if values is None and (stored := self.workspace.cache.get(key)) is not None:
            from safetensors.numpy import load

            values = load(stored)["values"]
            self.workspace.recent.set(key, values)
        return values

    def _remember(self, key: str, values: Float[np.ndarray, "layers tokens neurons"]) -> None:
        from safetensors.numpy import save

        self.workspace.recent.set(key, values)
        self.workspace.cache.set(key, save({"values": values}))


class _Recent:
    """Arrays by key, the least recently used dropped beyond `limit` bytes; the arrays are made read-only."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: OrderedDict[str, Float[np.ndarray, "layers tokens neurons"]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> Float[np.ndarray, "layers tokens neurons"] | None:
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
            return self._held.get(key)

    def set(self, key: str, values: Float[np.ndarray, "layers tokens neurons"]) -> None:
        values.setflags(write=False)
        with self._lock:
            self._held[key] = values
            while sum(array.nbytes for array in self._held.values()) > self._limit:
                self._held.popitem(last=False)


def _single_token(model: LoadedModel, target: str) -> int:
    ids = model.tokenizer(target, add_special_tokens=False)["input_ids"]
    if not ids:
        raise InputError("The target is empty: name the token whose logit is meant, such as ' Paris'.")
    return int(ids[0])
