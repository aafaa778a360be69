"""Where the colours of a figure stop, and the bar that says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from neuronscope.figures.captions import count, figure_of
from neuronscope.figures.theme import Mode, palette

QUANTILE = 0.999
"""The share of magnitudes that colours tell apart; what is above is clipped, and counted."""


@dataclass(frozen=True)
class Limit:
    """Where the colours of a scale stop."""

    value: float
    """The largest magnitude that has a colour of its own; a scale of both signs is symmetric about zero."""
    clipped: int
    """How many drawn cells are beyond it."""
    unreadable: int
    """How many drawn cells hold no finite number."""
    given: bool
    """Whether the reader set it."""
    signed: bool
    """Whether values of both signs are drawn, or amounts."""

    @property
    def notes(self) -> list[str]:
        """What the reader must know about the colours."""
        return [*self.edge, *self.basis]

    @property
    def edge(self) -> list[str]:
        """What lies beyond the colours, if anything does."""
        notes = []
        edge = f"{'±' if self.signed else ''}{figure_of(self.value)}"
        if self.clipped:
            notes.append(f"clipped at {edge}: {count(self.clipped, 'cell')}")
        if self.unreadable:
            notes.append(f"{count(self.unreadable, 'cell')} without a finite number, left blank")
        return notes

    @property
    def basis(self) -> list[str]:
        """What set the colours, unless it is the tokens that count."""
        return [f"colours to {figure_of(self.value)}, as set"] if self.given else []


def colour_limit(
    drawn: Float[np.ndarray, "tokens ..."],
    kept: Bool[np.ndarray, " tokens"],
    given: float | None = None,
    basis: Float[np.ndarray, "tokens ..."] | None = None,
    signed: bool = True,
) -> Limit:
    """The limit of a scale: the 99.9th percentile of magnitudes at the tokens that count, or `given`.

    `drawn` is whatever is shown, with tokens along its first axis; `basis` what sets the limit where that is more than
    what is drawn, such as a whole layer of which one page shows. Where no token counts, all do.
    """
    counted = kept if kept.any() else np.ones_like(kept)
    finite = np.isfinite(drawn)
    if given is None:
        sizes = np.abs((drawn if basis is None else basis)[counted])
        sizes = sizes[np.isfinite(sizes)]
        value = float(np.quantile(sizes, QUANTILE, method="higher")) if sizes.size else 0.0
    else:
        value = abs(given)
    value = value or 1.0
    return Limit(
        value=value,
        clipped=int((np.abs(drawn[finite]) > value).sum()),
        unreadable=int((~finite).sum()),
        given=given is not None,
        signed=signed,
    )


def diverging(colours: Limit, mode: Mode) -> dict[str, Any]:
    """The part of a heatmap that colours both signs, with zero as paper."""
    return {"colorscale": palette(mode).diverging, "zmin": -colours.value, "zmax": colours.value, "zmid": 0.0}


def sequential(colours: Limit, mode: Mode) -> dict[str, Any]:
    """The part of a heatmap that colours amounts, with none as paper."""
    return {"colorscale": palette(mode).sequential, "zmin": 0.0, "zmax": colours.value}


def colour_bar(title: str, colours: Limit, percent: bool = False, *, low: bool = False) -> dict[str, Any]:
    """A colour bar, whose ends say so where values lie beyond them; a `low` one has room for few numbers."""
    shares = _SHARES[colours.signed, low]
    at = [colours.value * share for share in shares]
    text = [f"{value:.1%}" if percent else figure_of(value) for value in at]
    if colours.clipped:
        text[-1] = f"≥ {text[-1]}"
        text[0] = f"≤ {text[0]}" if colours.signed else text[0]
    return {
        "title": {"text": title, "side": "right"},
        "thickness": 10,
        "tickvals": at,
        "ticktext": text,
        "x": 1.01,
        "xanchor": "left",
    }


_SHARES = {
    (True, False): (-1, -0.5, 0, 0.5, 1),
    (True, True): (-1, 0, 1),
    (False, False): (0, 0.5, 1),
    (False, True): (0, 1),
}
"""Where numbers stand along a colour bar, as shares of its limit: by whether it is of both signs, and low."""
