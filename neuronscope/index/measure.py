"""Running a few windows of a corpus again: exact activations at chosen positions, only as deep as asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, Float16, Integer
from torch import Tensor

from neuronscope.engine.capture import Place, See, evaluating, run
from neuronscope.index.half import half
from neuronscope.index.plan import BATCH_TOKENS
from neuronscope.index.read_corpus import ReadCorpus
from neuronscope.jobs import track
from neuronscope.models.loading import Lend, LoadedModel
from neuronscope.vocabulary import Neuron, Site


def measure(
    lend: Lend, corpus: ReadCorpus, positions: Integer[np.ndarray, " positions"], neurons: Sequence[Neuron]
) -> Float[np.ndarray, "positions neurons"]:
    """What some neurons do at some positions of a corpus, float32, in the windows in which these positions count.

    The same as during the scan but for rounding. A causal model is run up to the last position asked for in a window.
    """
    values = np.zeros((len(positions), len(neurons)), dtype=np.float32)
    if not neurons:
        return values
    layers = sorted({neuron.layer for neuron in neurons})

    def see(batch: _Batch, layer: int) -> See:
        columns = np.array([i for i, neuron in enumerate(neurons) if neuron.layer == layer])
        units = torch.tensor([neurons[i].index for i in columns])

        def pick(passing: Tensor) -> None:
            values[np.ix_(batch.rows, columns)] = batch.picked(passing)[:, units.to(passing.device)].float().cpu()

        return pick

    _collect(lend, corpus, positions, Site.NEURONS, layers, see)
    return values


def inputs(
    lend: Lend,
    corpus: ReadCorpus,
    positions: Integer[np.ndarray, " positions"],
    into: Mapping[int, Float16[np.ndarray, "positions width"]],
) -> None:
    """Write what enters the MLPs of some layers, behind their norms, at some positions of a corpus `into` arrays.

    Float16, which costs an activation made from it about 1/2,000 of its size.
    """

    def see(batch: _Batch, layer: int) -> See:
        def pick(passing: Tensor) -> None:
            into[layer][batch.rows] = half(batch.picked(passing)).cpu().numpy()

        return pick

    _collect(lend, corpus, positions, "input", sorted(into), see)


def _collect(
    lend: Lend,
    corpus: ReadCorpus,
    positions: Integer[np.ndarray, " positions"],
    site: Place,
    layers: list[int],
    see: Callable[[_Batch, int], See],
) -> None:
    if not len(positions):
        return
    wanted = np.asarray(positions, dtype=np.int64)
    order = np.argsort(wanted, kind="stable")
    windows = corpus.window_of(wanted)[order]
    with lend() as model:
        causal = model.card.causal
    numbers, first = np.unique(windows, return_index=True)
    pieces = [
        _Piece(corpus, int(window), wanted[rows], rows, causal)
        for window, rows in zip(numbers, np.split(order, first[1:]), strict=True)
    ]
    pieces.sort(key=lambda piece: -len(piece.ids))
    for some in track(_together(pieces), label="Running contexts again, batch"):
        batch = _Batch(some)
        with lend() as model, evaluating(model.network):
            _run(model, batch, site, layers, see)


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


def _run(model: LoadedModel, batch: _Batch, site: Place, layers: list[int], see: Callable[[_Batch, int], See]) -> None:
    run(model, batch.ids, batch.real, (site,), layers, lambda _site, place: see(batch, layers[place]))


def _together(pieces: list[_Piece]) -> list[list[_Piece]]:
    batches: list[list[_Piece]] = []
    for piece in pieces:
        if not batches or (len(batches[-1]) + 1) * len(batches[-1][0].ids) > BATCH_TOKENS:
            batches.append([])
        batches[-1].append(piece)
    return batches


class _Batch:
    """Pieces that run together, longest first."""

    def __init__(self, pieces: list[_Piece]) -> None:
        width = len(pieces[0].ids)
        self.ids = torch.zeros(len(pieces), width, dtype=torch.long)
        self.real = torch.zeros(len(pieces), width, dtype=torch.bool)
        for row, piece in enumerate(pieces):
            self.ids[row, : len(piece.ids)] = torch.tensor(piece.ids)
            self.real[row, : len(piece.ids)] = True
        self._windows = torch.tensor([row for row, piece in enumerate(pieces) for _ in piece.rows])
        self._places = torch.from_numpy(np.concatenate([piece.places for piece in pieces]))
        self.rows = np.concatenate([piece.rows for piece in pieces])

    def picked(self, passing: Float[Tensor, "windows tokens units"]) -> Float[Tensor, "rows units"]:
        """The values at the places asked for, in the order of `rows`."""
        return passing[self._windows.to(passing.device), self._places.to(passing.device)]
