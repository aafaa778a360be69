"""Index: a whole corpus, remembered, and what can be asked of it without the model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Float, Integer

from neuronscope.errors import InputError, NoSuchNeuron, OtherIndex
from neuronscope.vocabulary import Band, Example, Histogram, ModelCard, Neuron, Source, visible

if TYPE_CHECKING:
    import pandas as pd

    from neuronscope.analysis.clustering import Clusters, Profile
    from neuronscope.analysis.projection import Projection
    from neuronscope.analysis.responders import Background, Responders
    from neuronscope.analysis.reverse_query import Evidence, Question, ReverseQuery
    from neuronscope.index.store import Manifest, Store
    from neuronscope.ngrams import Sample, Windows

Kind = Literal["top", "random"]

_BANDS = ((0.75, 1.0), (0.5, 0.75), (0.25, 0.5), (0.0, 0.25))
_FIRING = 0.25
"""A neuron counts as firing from this share of its strongest activation on (a quarter, as N_eff's contexts are)."""
_ONE_IN = 0.001


class Index:
    """What an index knows; opened memory-mapped, so that opening costs milliseconds whatever its size."""

    def __init__(self, store: Store) -> None:
        """Use `Index.open` or `neuronscope.open_index`."""
        self.store = store

    @classmethod
    def open(cls, folder: Path | str) -> Index:
        """Open the index in `folder`, whole or still growing; raises `IndexProblem`."""
        from neuronscope.index.store import Store

        return cls(Store.open(folder))

    def __repr__(self) -> str:
        m = self.manifest
        return f"Index({m.model}: {m.layers} layers × {m.neurons:,} neurons, {self.progress})"

    @property
    def manifest(self) -> Manifest:
        """What it was made from and how far it has come."""
        return self.store.manifest

    @property
    def source(self) -> Source:
        """The model its numbers come from."""
        from pathlib import PurePath

        m = self.manifest
        return Source(
            PurePath(m.model).name if m.model.startswith(("/", ".", "~")) else m.model, m.revision, m.precision
        )

    @property
    def progress(self) -> str:
        """How much of the corpus it has seen, in words."""
        m = self.manifest
        return f"{m.tokens:,} tokens" if m.complete else f"{m.seen:,} of {m.tokens:,} tokens seen"

    def check(self, card: ModelCard) -> None:
        """Raise `OtherIndex` unless the index was made from the model of `card`, in its precision."""
        m = self.manifest
        mine = (m.architecture, m.revision, m.precision)
        if mine != (card.architecture, card.revision, card.precision):
            raise OtherIndex(
                f"This index was made from {m.model} ({m.revision[:12]}, {m.precision}), and the model is {card.name} "
                f"({card.revision[:12]}, {card.precision}). Load the model it was made from, or open another index."
            )

    def row(self, neuron: Neuron) -> int:
        """The row of a neuron in every array; raises `NoSuchNeuron`."""
        m = self.manifest
        if not (0 <= neuron.layer < m.layers and 0 <= neuron.index < m.neurons):
            raise NoSuchNeuron(
                f"No neuron {neuron} in this index of {m.model}: it has layers 0 to {m.layers - 1}, each with neurons "
                f"0 to {m.neurons - 1}."
            )
        return neuron.layer * m.neurons + neuron.index

    def neuron(self, row: int) -> Neuron:
        """The neuron of a row."""
        return Neuron(*divmod(int(row), self.manifest.neurons))

    def statistics(self) -> pd.DataFrame:
        """One row for each neuron.

        Columns: `layer neuron count mean std skewness kurtosis min max frequency mean_abs sparsity`, and for gated MLPs
        the share of each case of gate and up. `frequency` is the share of tokens with a positive activation,
        `sparsity` Treves and Rolls' (E|a|)² / E a²; kurtosis is excess kurtosis, NaN for a neuron that never varies.
        Special tokens and first tokens are left out; see `apart_mean apart_rms apart_min apart_max`.
        """
        import pandas as pd

        table, m = self.store.statistics, self.manifest
        rows = np.arange(len(table))
        square = np.asarray(table["mean_square"])
        columns = {
            "layer": rows // m.neurons,
            "neuron": rows % m.neurons,
            "count": np.full(len(table), m.seen),
            "mean": table["mean"],
            "std": np.sqrt(table["variance"]),
            "skewness": table["skewness"],
            "kurtosis": table["kurtosis"],
            "min": table["min"],
            "max": table["max"],
            "frequency": table["positive"],
            "mean_abs": table["mean_abs"],
            "sparsity": np.where(square > 0, table["mean_abs"] ** 2 / np.where(square > 0, square, 1), np.nan),
        }
        if m.gated:
            columns |= {f"case_{case}": table["cases"][:, i] for i, case in enumerate(self.cases)}
        columns |= {name: table[name] for name in ("apart_mean", "apart_rms", "apart_min", "apart_max")}
        return pd.DataFrame({name: np.ascontiguousarray(values) for name, values in columns.items()})

    @property
    def cases(self) -> tuple[str, ...]:
        """The kinds of context told apart: `+ -`, or the signs of gate and up."""
        from neuronscope.index.layout import Cases

        return Cases.of(self.manifest.gated).names

    def examples(self, neuron: Neuron, count: int = 20, sign: str = "+", kind: Kind = "top") -> list[Example]:
        """Contexts of a neuron.

        Args:
            neuron: Which neuron.
            count: How many at most; 50 of the strongest are kept for each sign or case, the first 20 with their values.
            sign: `+` for the largest activations, `-` for the most negative; in a gated MLP also one case of gate and
                up: `++`, `+-`, `-+` or `--`.
            kind: `top`, the strongest, one a window; or `random`, tokens drawn from the corpus without regard to it.

        Raises:
            NoSuchNeuron: if there is no such neuron.
            InputError: for a sign or kind that there is not.
        """
        row = self.row(neuron)
        if kind == "random":
            known = self.store.sampled[: max(count, 0)]
            values = self.store.sample[row, : len(known)].astype(np.float64)
            return [self._example(int(p), float(v)) for p, v in zip(known, values, strict=True)]
        if kind != "top":
            raise InputError(f"No examples of kind {kind!r}: ask for 'top' or 'random', or for bands().")
        return [self._example(p, v, context) for p, v, context in self._strongest(row, sign)[:count]]

    def contexts(self, positions: Sequence[int] | Integer[np.ndarray, " positions"]) -> list[Example]:
        """The contexts of some positions, of no neuron yet: `Scope.contexts` measures what one does in them."""
        return [self._example(int(position), float("nan")) for position in positions]

    def bands(self, neuron: Neuron, sign: str = "+", count: int = 5) -> list[Band]:
        """Quarters of the range from zero to the strongest activation of a sign, each with its share and examples."""
        row = self.row(neuron)
        card, edges = self.store.cards[row], self._edges(neuron.layer)
        turned = 1 if sign.startswith("+") else -1
        extreme = float(self.store.statistics["max" if turned > 0 else "min"][row]) * turned
        if not extreme > 0:
            return []
        counts = card["histogram"][1:].astype(np.int64)
        middle = (edges[:-1] + edges[1:]) / 2 * turned
        total = max(int(counts.sum()), 1)
        found = []
        for low, high in _BANDS:
            inside = (middle > low * extreme) & (middle <= (high * extreme if high < 1 else np.inf))
            listed = []
            for place in np.flatnonzero(inside & (counts > 0)):
                position, value = int(card["example_positions"][1 + place]), float(card["example_values"][1 + place])
                listed.append((position, value))
            listed.sort(key=lambda one: -one[1] * turned)
            # Evenly over the band: the first `count` would show its upper end alone.
            spread = np.linspace(0, len(listed) - 1, min(count, len(listed))).round().astype(int)
            chosen = [listed[place] for place in sorted(set(spread.tolist()))]
            examples = tuple(self._example(p, v) for p, v in chosen)
            ends = sorted((low * extreme * turned, high * extreme * turned))
            found.append(Band(ends[0], ends[1], float(counts[inside].sum()) / total, examples))
        return found

    def histogram(self, neuron: Neuron) -> Histogram:
        """How often the neuron took which values, over tokens drawn by hash."""
        counts = self.store.cards[self.row(neuron)]["histogram"][1:].astype(np.int64)
        return Histogram(self._edges(neuron.layer), counts, int(counts.sum()))

    def percentile(
        self, layer: int, values: Float[np.ndarray, "*shape neurons"]
    ) -> Float[np.ndarray, "*shape neurons"]:
        """For each neuron of a layer, the share of the corpus' tokens whose activation is below a value, 0 to 1.

        From the histogram, with the value's place in its bin interpolated: off by at most the share of that bin.
        """
        m = self.manifest
        counts = np.asarray(self.store.cards["histogram"][layer * m.neurons : (layer + 1) * m.neurons, 1:], np.float64)
        below = np.pad(np.cumsum(counts, axis=1), ((0, 0), (1, 0)))
        total = np.maximum(below[:, -1], 1)
        edges = self._edges(layer)
        flat = np.asarray(values, np.float64).reshape(-1, m.neurons)
        place = np.clip(np.searchsorted(edges, flat, side="right") - 1, 0, len(edges) - 2)
        part = np.clip((flat - edges[place]) / (edges[place + 1] - edges[place]), 0, 1)
        unit = np.arange(m.neurons)
        found = (below[unit, place] + part * counts[unit, place]) / total
        return found.reshape(np.shape(values))

    def nearest(self, neuron: Neuron, count: int = 10) -> list[tuple[Neuron, float]]:
        """The neurons that do most nearly the same, or the opposite: by |r| over all tokens that count, with r.

        Estimated from the sketches: the standard error of r is at most √((1 + r²) / 512), 0.045 at r = 0, and less
        near ±1. A neuron that never varies has none.
        """
        row, z = self.row(neuron), self._standardized
        if not z[row].any():
            return []
        r = np.clip(z @ z[row], -1, 1)
        order = np.argsort(-np.abs(r), kind="stable")
        return [(self.neuron(int(i)), float(r[i])) for i in order if i != row][:count]

    def projection(
        self,
        method: str = "pca",
        *,
        layers: Sequence[int] | None = None,
        neurons: Sequence[Neuron] | None = None,
        seed: int = 0,
    ) -> Projection:
        """Put neurons on a map by the correlation of their activations; kept beside the index once made.

        Args:
            method: `pca`, `tsne` or `umap`.
            layers: These alone; all by default.
            neurons: These alone; all by default.
            seed: Of what is random.

        Raises:
            InputError: for another method, or fewer than three neurons that vary.
            Cancelled: between steps.
        """
        from neuronscope import atlas

        return atlas.projection(self.store, method, layers=layers, rows=self._rows(neurons), seed=seed)

    def clusters(
        self,
        k: int | None = None,
        *,
        method: str = "kmeans",
        layers: Sequence[int] | None = None,
        neurons: Sequence[Neuron] | None = None,
        seed: int = 0,
    ) -> Clusters:
        """Group neurons that are active together; kept beside the index once found.

        Args:
            k: How many clusters; suggested by their stability if left out.
            method: `kmeans` (spherical), `minibatch`, `agglomerative` or `hdbscan`.
            layers: These alone; all by default.
            neurons: These alone; all by default.
            seed: Of what is random.

        Raises:
            InputError: for another method, or a k that does not fit.
            Cancelled: between steps.
        """
        from neuronscope import atlas

        return atlas.clusters(self.store, k, method=method, layers=layers, rows=self._rows(neurons), seed=seed)

    def together(self, neurons: Sequence[Neuron], sign: str = "+", count: int = 20) -> list[tuple[Example, int]]:
        """Contexts that many of some neurons have among their strongest, and how many: the most shared first."""
        from neuronscope import atlas

        positions, members = atlas.together(self.store, [self.row(neuron) for neuron in neurons], sign, count)
        return list(zip(self.contexts(positions), members.tolist(), strict=True))

    def profile(self, neurons: Sequence[Neuron]) -> Profile:
        """What some neurons do on average on random tokens: the mean of their standardised activations.

        The tokens are those of `examples(neuron, kind="random")`; neurons that never vary are left out.
        """
        from neuronscope import atlas

        return atlas.profile(self.store, [self.row(neuron) for neuron in neurons])

    def reverse_query(
        self, neurons: Neuron | Sequence[Neuron], n: Sequence[int] = (1, 2, 3), sign: str = "+", *, skips: bool = True
    ) -> ReverseQuery:
        """What excites a neuron, or a group: tokens, n-grams and skip patterns, by empirical-Bayes mean.

        Without the model, from what the index holds: means of frequent tokens are exact, of the rest the strongest
        contexts are known; the column `source` says which. `Scope.reverse_query` measures the rest.
        """
        from neuronscope.analysis.reverse_query import answer

        return answer(self.question(neurons, n, sign, skips=skips), self.shown)

    def question(
        self, neurons: Neuron | Sequence[Neuron], n: Sequence[int] = (1, 2, 3), sign: str = "+", *, skips: bool = True
    ) -> Question:
        """The patterns that a reverse query looks at, for `measurements`."""
        from neuronscope.analysis.reverse_query import ask

        asked = [neurons] if isinstance(neurons, Neuron) else list(neurons)
        if not asked:
            raise InputError("A reverse query of no neuron: name at least one.")
        evidence = [self._evidence(neuron, sign) for neuron in asked]
        return ask(evidence, self.store.corpus.ids, self.windows, n=tuple(n), sign=sign, skips=skips)

    def measurements(self, question: Question, budget: int = 4096) -> Sample:
        """The positions at which the model would have to run to make the answer exact, or nearly so within `budget`."""
        from neuronscope.analysis.reverse_query import plan

        return plan(question, self.store.corpus.ids, self.windows, budget=budget)

    def responders(self, text: str, limit: int = 50) -> Responders:
        """The neurons that one token excites or calms most, by z against their own distribution.

        Known are the neurons that list the token among their 60 best or 30 worst. For n-grams, regular expressions or
        all neurons the model is needed: `Scope.responders`.

        Raises:
            InputError: if `text` is not one token of the corpus.
        """
        from neuronscope.analysis.responders import responders_by_token

        token = self.token(text)
        counts = self.store.tabulated
        place = np.flatnonzero(counts["id"] == token)
        if not len(place):
            raise InputError(
                f"{visible(text)} occurs too seldom to be among the {len(counts):,} tokens of the index. "
                "Ask through a model that is loaded: it will be run where the token occurs."
            )
        listed = self.store.tokens
        count = int(counts["count"][place[0]])
        return responders_by_token(self.background, listed["id"], listed["mean"], listed["max"], token, count, limit)

    def token(self, text: str) -> int:
        """The id of a token of the corpus, by its text or by how it is shown; raises `InputError`."""
        shown = visible(text)
        found = [i for i, display in self.shown.items() if display in (text, shown)]
        found = found or [i for i, display in self.shown.items() if display == f"·{shown}"]
        if not found:
            raise InputError(
                f"{text!r} is not one token of this corpus. A leading space is part of a token: try {' ' + text!r}."
            )
        return found[0]

    def find(self, pattern: str, *, regular: bool = False, limit: int = 4096) -> Integer[np.ndarray, " positions"]:
        """Positions of the tokens with which an occurrence of a text, or a match of a regular expression, ends.

        A text that is one token of the corpus, as `token` reads it, is found where that token stands; any other, and
        what an expression matches, inside longer words too. At most `limit`, drawn at random (seed 0) if there are
        more. First tokens that do not count are left out.

        Raises:
            InputError: for an expression that is none, or that matches nothing but emptiness.
        """
        corpus = self.store.corpus
        positions = self._standing(pattern) if not regular else None
        if positions is None:
            positions = self._matching(pattern, regular)
        positions = positions[corpus.counted[positions]] if len(positions) else positions
        if len(positions) > limit:
            positions = np.sort(np.random.default_rng(0).choice(positions, limit, replace=False))
        return positions

    @cached_property
    def shown(self) -> dict[int, str]:
        """How each id of the corpus is shown when it stands alone."""
        return {i: display for i, (_, display) in self.store.corpus.shown.items()}

    @cached_property
    def windows(self) -> Windows:
        """The windows of the corpus, as n-grams are counted in them."""
        from neuronscope.ngrams import Windows

        corpus = self.store.corpus
        first = corpus.windows["first"].astype(np.int64)
        skipped = np.maximum(corpus.windows["context"], 0 if corpus.lead else 1).astype(np.int64)
        return Windows(first, first + skipped, first + corpus.windows["length"])

    @cached_property
    def background(self) -> Background:
        """What every neuron does over the whole corpus."""
        from neuronscope.analysis.responders import Background
        from neuronscope.shrinkage import Effects

        table = self.store.statistics
        parts = (np.asarray(table[name], np.float64) for name in ("token_mean", "token_within", "token_between"))
        std = np.sqrt(np.asarray(table["variance"]))
        return Background(np.asarray(table["mean"]), std, Effects(*parts), self.manifest.neurons)

    def _rows(self, neurons: Sequence[Neuron] | None) -> Integer[np.ndarray, " rows"] | None:
        return None if neurons is None else np.array([self.row(neuron) for neuron in neurons], dtype=np.int64)

    def _edges(self, layer: int) -> Float[np.ndarray, " edges"]:
        from neuronscope.index.layout import bin_edges

        return bin_edges(self.manifest.scales[layer])

    @cached_property
    def _standardized(self) -> Float[np.ndarray, "units buckets"]:
        """The sketch of every neuron, of length 1; zeros for one that never varies."""
        return np.asarray(self.store.sketch, dtype=np.float32)

    def _strongest(self, row: int, sign: str) -> list[tuple[int, float, np.ndarray | None]]:
        """Position, activation and context of the strongest, in order."""
        names, card = self.cases, self.store.cards[row]
        signs = {name: (1 if name in ("+", "++", "--") else -1) for name in names}
        chosen = [sign] if sign in names else [name for name in names if signs[name] == {"+": 1, "-": -1}.get(sign)]
        if not chosen:
            raise InputError(
                f"No sign {sign!r}: ask for +, - {'or ' + ', '.join(names) if self.manifest.gated else ''}."
            )
        found: dict[int, tuple[int, float, np.ndarray | None]] = {}
        for name in chosen:
            case = names.index(name)
            values, contexts = card["values"][case], card["contexts"][case]
            known = int(np.argmax(np.append(np.isnan(values), True)))
            positions = card["positions"][case][:known].astype(np.int64)
            windows = self.store.corpus.window_of(positions).tolist()
            for place, (value, position, window) in enumerate(zip(values, positions.tolist(), windows, strict=False)):
                one = (position, float(value) * signs[name], contexts[place] if place < len(contexts) else None)
                if window not in found or abs(found[window][1]) < abs(one[1]):
                    found[window] = one
        turned = signs[chosen[0]]
        return sorted(found.values(), key=lambda one: (-one[1] * turned, one[0]))[: len(card["values"][0])]

    def _example(self, position: int, value: float, context: np.ndarray | None = None) -> Example:
        from neuronscope.index.excerpts import excerpt

        return excerpt(self.store.corpus, position, value, context)

    def seen(
        self, neuron: Neuron, sign: str = "+"
    ) -> tuple[Integer[np.ndarray, " positions"], Float[np.ndarray, " positions"]]:
        """Positions at which a neuron's activation is known, and the activations.

        Its strongest contexts of a sign, and one for each height of activation.
        """
        row = self.row(neuron)
        card = self.store.cards[row]
        known = [(p, v) for p, v, _ in self._strongest(row, sign)]
        drawn = card["example_positions"] != 0xFFFFFFFF
        positions, values = card["example_positions"][drawn], card["example_values"][drawn]
        known += list(zip(positions.tolist(), values.tolist(), strict=True))
        at = dict(reversed(known))  # of a position that is known twice, the strongest contexts' value is exact
        return np.array(list(at), dtype=np.int64), np.array(list(at.values()), dtype=np.float64)

    def _evidence(self, neuron: Neuron, sign: str) -> Evidence:
        from neuronscope.analysis.reverse_query import Evidence

        row = self.row(neuron)
        numbers, card, listed = self.store.statistics[row], self.store.cards[row], self.store.tokens[row]
        turned = -1 if sign == "-" else 1
        positions, values = self.seen(neuron, sign)
        edges, counts = self._edges(neuron.layer), card["histogram"][1:].astype(np.int64)
        extreme = max(float(numbers["max" if turned > 0 else "min"]) * turned, 0.0)
        threshold = _FIRING * extreme if extreme > 0 else float("inf")
        share = max(int(counts.sum()), 1)
        centres = (edges[:-1] + edges[1:]) / 2 * turned
        firings = round(int(counts[centres >= threshold].sum()) / share * self.manifest.seen)
        strong = int((values * turned >= threshold).sum())
        used = listed["id"] != 0xFFFFFFFF
        return Evidence(
            neuron=neuron,
            mean=float(numbers["mean"]),
            std=float(np.sqrt(numbers["variance"])),
            mu=float(numbers["token_mean"]),
            within=float(numbers["token_within"]),
            between=float(numbers["token_between"]),
            quantile=self._quantile(edges, counts, turned),
            threshold=threshold * turned,
            firings=max(firings, strong),
            positions=positions,
            values=values,
            tokens=listed["id"][used].astype(np.int64),
            token_means=listed["mean"][used].astype(np.float64),
            token_maxima=listed["max"][used].astype(np.float64),
        )

    @staticmethod
    def _quantile(edges: Float[np.ndarray, " edges"], counts: Integer[np.ndarray, " bins"], turned: int) -> float:
        """The activation that one token in a thousand exceeds, in the direction of the sign."""
        ordered = counts if turned < 0 else counts[::-1]
        beyond = np.cumsum(ordered)
        place = int(np.searchsorted(beyond, _ONE_IN * max(int(beyond[-1]), 1)))
        return float(edges[place + 1] if turned < 0 else edges[::-1][place + 1])

    def _standing(self, text: str) -> Integer[np.ndarray, " positions"] | None:
        """Where a token stands; None if `text` is not one token."""
        try:
            token = self.token(text)
        except InputError:
            return None
        return np.flatnonzero(self.store.corpus.ids == token)

    def _matching(self, pattern: str, regular: bool) -> Integer[np.ndarray, " positions"]:
        """Where what matches in the corpus' text ends, first tokens included."""
        try:
            compiled = re.compile(pattern.encode() if regular else re.escape(pattern.encode()))
        except re.error as problem:
            raise InputError(f"{pattern!r} is not a regular expression: {problem}.") from None
        if not pattern or compiled.match(b""):
            raise InputError("An empty text occurs everywhere: type what to look for.")
        found = compiled.finditer(memoryview(self.store.corpus.text.data))
        ends = np.array([match.end() for match in found if match.end() > match.start()], dtype=np.int64)
        return np.unique(self._at_bytes(ends - 1)) if len(ends) else ends

    def _at_bytes(self, places: Integer[np.ndarray, " n"]) -> Integer[np.ndarray, " n"]:
        """The position of the token that holds each byte of the corpus' text."""
        corpus = self.store.corpus
        documents = corpus.documents
        starts = documents["byte"].astype(np.int64)
        document = np.searchsorted(starts, places, side="right") - 1
        found = np.empty(len(places), dtype=np.int64)
        for which in np.unique(document):
            chosen = document == which
            first = int(documents["first"][which])
            last = int(documents["first"][which + 1]) if which + 1 < len(documents) else len(corpus)
            local = places[chosen] - starts[which]
            begin = corpus.spans["start"][first:last]
            found[chosen] = first + np.maximum(np.searchsorted(begin, local, side="right") - 1, 0)
        return found
