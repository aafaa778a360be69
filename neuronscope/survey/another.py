"""The senses of a neuron in another model: a checkpoint that runs in the same contexts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float16

from neuronscope.analysis.polysemanticity import VERDICTS, Elsewhere, elsewhere
from neuronscope.errors import InputError
from neuronscope.index import derived
from neuronscope.survey.contexts import Around, halves_of, mean_input, occurrences, without
from neuronscope.vocabulary import Neuron

if TYPE_CHECKING:
    from neuronscope.indexed import Index
    from neuronscope.models.loading import Lend


_SAMPLED = "inputs"


def of_another(there: Lend, index: Index, record: np.void, token: int | None = None) -> Elsewhere:
    """What another model does in the contexts that were compared of a neuron; `record` is that of its senses.

    `token` is the one on whose occurrences the senses were found, see `of_token`.

    Raises:
        InputError: if its contexts were not compared.
        Cancelled: between batches.
    """
    from neuronscope.engine.contributions import Reading
    from neuronscope.index.measure import inputs

    layer, neuron, sign = int(record["layer"]), int(record["neuron"]), float(record["sign"])
    if VERDICTS[record["verdict"]] != "scored":
        raise InputError(f"{Neuron(layer, neuron)} has no senses to compare: {VERDICTS[record['verdict']]}.")
    corpus, n = index.store.corpus, int(record["contexts"])
    around = Around.of(_inputs_there(there, index, layer))
    own = record["positions"][:n].astype(np.int64)
    occurring = own[:0] if token is None else occurrences(corpus, token)
    with there() as model:
        x = np.zeros((n + len(occurring), model.card.width), np.float16)
        reading = Reading.of(model, layer)
    inputs(there, corpus, np.concatenate([own, occurring]), {layer: x})
    word = around.centre if token is None else mean_input(x[n:])
    return elsewhere(
        here=record["values"][:n] * sign,
        there=reading.activations(x[:n], slice(neuron, neuron + 1))[:, 0] * sign,
        contributions=without(reading, x[:n], around.centre, word, neuron),
        background=around.pushes(reading, neuron),
        labels=record["labels"][:n],
        halves=halves_of(corpus, own),
    )


def _inputs_there(lend: Lend, index: Index, layer: int) -> Float16[np.ndarray, "sample width"]:
    """What another model's MLP reads on the sampled tokens, as `Store.inputs` has it of the index' own.

    They stand in as many windows, which takes a while to run: it is kept beside the index, for this layer and those
    before it, which pass on the way.
    """
    from neuronscope.index.measure import inputs

    store = index.store
    with lend() as model:
        card = model.card
    asked = {"revision": card.revision, "precision": card.precision}
    found = derived.known(store.folder, store.manifest, _SAMPLED, {**asked, "layer": layer})
    if found is not None:
        return found["inputs"]
    into = {one: np.zeros((len(store.sampled), card.width), np.float16) for one in range(layer + 1)}
    inputs(lend, store.corpus, store.sampled, into)
    for one, read in into.items():
        derived.keep(store.folder, store.manifest, _SAMPLED, {**asked, "layer": one}, {"inputs": read})
    return into[layer]
