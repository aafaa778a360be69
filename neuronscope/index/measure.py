"""Running a few windows of a corpus again: exact activations at chosen positions, only as deep as asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import Tensor

from neuronscope.engine.capture import See, evaluating, run
from neuronscope.index.plan import BATCH_TOKENS
from neuronscope.index.read_corpus import ReadCorpus
from neuronscope.index.scan import Lend
from neuronscope.jobs import track
from neuronscope.models.loading import LoadedModel
from neuronscope.vocabulary import Neuron, Site


def measure(
    lend: Lend, corpus: ReadCorpus, positions: Integer[np.ndarray, " positions"], neurons: Sequence[Neuron]
) -> Float[np.ndarray, "positions neurons"]:
    """What some neurons do at some positions of a corpus, float32, in the windows in which these positions count.

    The same as during the scan but for rounding. A causal model is run up to the last position asked for in a window.
    """
    values = np.zeros((len(positions), len(neurons)), dtype=np.float32)
    if not len(positions) or not neurons:
        return values
    wanted = np.asarray(positions, dtype=np.int64)
    order = np.argsort(wanted, kind="stable")
    windows = corpus.window_of(wanted)
    by_window = {int(w): order[windows[order] == w] for w in np.unique(windows)}
    with lend() as model:
        causal = model.card.causal
    pieces = [_Piece(corpus, window, wanted[rows], rows, causal) for window, rows in by_window.items()]
    pieces.sort(key=lambda piece: -len(piece.ids))
    layers = sorted({neuron.layer for neuron in neurons})
    for batch in track(_batches(pieces), label="Running contexts again, batch"):
        with lend() as model, evaluating(model.network):
            _run(batch, layers, neurons, values, model)
    return values


class _Piece:
    """One window, or its beginning, and the places in it that are asked for."""

    def __init__(
        self,
        corpus: ReadCorpus,
        window: int,
        positions: Integer[np.ndarray, " n"],
        rows: Integer[np.ndarray, " n"],
        causal: bool,
    ) -> None:
        first, length = int(corpus.windows["first"][window]), int(corpus.windows["length"][window])
        stop = int(positions.max()) + 1 if causal else first + length
        tail = () if causal else corpus.tail
        self.ids = [*corpus.lead, *corpus.ids[first:stop].tolist(), *tail]
        self.places = positions - first + len(corpus.lead)
        self.rows = rows


def _batches(pieces: list[_Piece]) -> list[list[_Piece]]:
    batches: list[list[_Piece]] = []
    for piece in pieces:
        if not batches or (len(batches[-1]) + 1) * len(batches[-1][0].ids) > BATCH_TOKENS:
            batches.append([])
        batches[-1].append(piece)
    return batches


def _run(
    batch: list[_Piece],
    layers: list[int],
    neurons: Sequence[Neuron],
    values: Float[np.ndarray, "positions neurons"],
    model: LoadedModel,
) -> None:
    width = len(batch[0].ids)
    ids = torch.zeros(len(batch), width, dtype=torch.long)
    real = torch.zeros(len(batch), width, dtype=torch.bool)
    for row, piece in enumerate(batch):
        ids[row, : len(piece.ids)] = torch.tensor(piece.ids)
        real[row, : len(piece.ids)] = True
    windows = torch.tensor([row for row, piece in enumerate(batch) for _ in piece.rows])
    places = torch.from_numpy(np.concatenate([piece.places for piece in batch]))
    rows = np.concatenate([piece.rows for piece in batch])

    def see(_site: Site, place: int) -> See:
        columns = np.array([i for i, neuron in enumerate(neurons) if neuron.layer == layers[place]])
        units = torch.tensor([neurons[i].index for i in columns])

        def pick(passing: Tensor) -> None:
            at = passing[windows.to(passing.device), places.to(passing.device)]
            values[np.ix_(rows, columns)] = at[:, units.to(passing.device)].float().cpu().numpy()

        return pick

    run(model, ids, real, (Site.NEURONS,), layers, see)
