"""Two checkpoints of one model over an indexed corpus: what n-grams, texts and senses became in the other one.

An index knows one model. The other checkpoint, and where it is needed the first, is run where the corpus says what is
asked about, and every activation is compared with that of the other model at the same token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neuronscope import survey
from neuronscope.analysis.paired import paired
from neuronscope.errors import InputError
from neuronscope.index.encoding import Encoder, cuts_alike
from neuronscope.index.measure import measure
from neuronscope.ngrams import sample

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd
    from jaxtyping import Float, Integer

    from neuronscope.analysis.polysemanticity import Elsewhere, Polysemanticity
    from neuronscope.analysis.reverse_query import ReverseQuery
    from neuronscope.indexed import Index
    from neuronscope.models.loading import Lend
    from neuronscope.vocabulary import Neuron


@dataclass(frozen=True, eq=False)
class Beside:
    """An index' own model and another checkpoint of it."""

    index: Index
    """The index."""
    here: Lend
    """The model it was made from."""
    there: Lend
    """The other one."""

    @classmethod
    def of(cls, index: Index, here: Lend, there: Lend) -> Beside:
        """Raises `InputError` if the model `there` is no checkpoint of the one `here`, which is the index' own."""
        with here() as model:
            own = model.card
        with there() as model:
            other, encoder = model.card, Encoder(model.tokenizer)
        shape, theirs = ((card.layers, card.neurons, card.width) for card in (own, other))
        if shape != theirs:
            raise InputError(
                f"{other.label} has {theirs[0]} layers of {theirs[1]:,} neurons in a stream {theirs[2]:,} wide, and "
                f"{own.label} {shape[0]} of {shape[1]:,} in {shape[2]:,}: name a checkpoint of the same model."
            )
        if not cuts_alike(encoder, index.store.corpus):
            raise InputError(
                f"{other.label} cannot be compared with {own.label} token by token: its tokenizer cuts the corpus into "
                "other tokens."
            )
        return cls(index, here, there)

    def ngrams(self, query: ReverseQuery, most: int = 200, *, budget: int = 2048) -> pd.DataFrame:
        """What became of the first `most` n-grams of a query: columns `ngram tokens measured here there change margin`.

        `here` and `there` are plain means over the same `measured` occurrences, `change` their difference and `margin`
        half of its 95 % interval. In the query's unit: of a group in standard deviations of each neuron of the index'
        model, averaged. At most `budget` tokens are run, the same number for each n-gram that occurs often.
        """
        import pandas as pd

        table = query.table.head(most)
        chosen = sample(self.index.store.corpus.ids, self.index.windows, list(table["tokens"]), budget)
        turned = -1 if query.sign == "-" else 1
        a, b = (turned * values for values in self._measured(chosen.positions, query.neurons))
        if query.unit == "z":
            rows = [self.index.row(neuron) for neuron in query.neurons]
            mean, std = turned * self.index.background.mean[rows], self.index.background.std[rows]
            spread = np.where(std > 0, std, np.inf)
            a, b = (((values - mean) / spread).mean(1, keepdims=True) for values in (a, b))
        found = [paired(a[own], b[own]) for own in chosen.members]
        columns = {
            name: [float(getattr(one, name)[0]) for one in found] for name in ("here", "there", "change", "margin")
        }
        measured = [one.count for one in found]
        return pd.DataFrame({"ngram": table["ngram"], "tokens": table["tokens"], "measured": measured, **columns})

    def responders(self, text: str, *, regular: bool = False, most: int = 1024, limit: int = 50) -> pd.DataFrame:
        """The neurons whose response to a token, n-gram or regular expression changed most, most changed first.

        Columns `layer neuron here there change margin z count`: plain means over the same occurrences, at most `most`
        of them, their difference and half of its 95 % interval; `z` is the change in the neuron's own standard
        deviations over the corpus, by which they are ranked. Neurons that never vary there are left out.

        Raises:
            InputError: if the text does not occur, or the expression is none.
        """
        import pandas as pd

        positions = self.index.find(text, regular=regular, limit=most)
        if not len(positions):
            raise InputError("Nothing responds to what does not occur: the corpus holds no such token or n-gram.")
        m, std = self.index.manifest, self.index.background.std
        units = [self.index.neuron(row) for row in range(m.layers * m.neurons)]
        found = paired(*self._measured(positions, units))
        z = np.where(std > 0, found.change / np.where(std > 0, std, 1), 0)
        best = np.argsort(-np.abs(z), kind="stable")[:limit]
        best = best[z[best] != 0]
        columns = {name: getattr(found, name)[best] for name in ("here", "there", "change", "margin")}
        where = {"layer": best // m.neurons, "neuron": best % m.neurons}
        return pd.DataFrame({**where, **columns, "z": z[best], "count": found.count})

    def senses(self, poly: Polysemanticity, neuron: Neuron, sign: str = "+") -> Elsewhere:
        """What the other model does in the contexts in which a neuron's senses were found.

        Raises:
            NoSuchNeuron: if the neuron is not in `poly`.
            InputError: if its contexts were not compared.
        """
        return survey.of_another(self.there, self.index, poly.of(neuron, sign), poly.token)

    def _measured(
        self, positions: Integer[np.ndarray, " tokens"], neurons: Iterable[Neuron]
    ) -> list[Float[np.ndarray, "tokens neurons"]]:
        """What some neurons do at some tokens in either model."""
        asked = list(neurons)
        return [measure(lend, self.index.store.corpus, positions, asked) for lend in (self.here, self.there)]
