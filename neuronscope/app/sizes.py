"""What the catalogue's models take at each precision, worked out on a thread while the visitor looks at something else.

Counting the weights of all of them takes a second or two; until it is done, sizes are the number of weights times the
bytes of each, and said to be rough.
"""

from __future__ import annotations

import importlib.util
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dash import Dash, Input, Output, State, dcc
from dash.exceptions import PreventUpdate

from neuronscope.app.asking import Frame
from neuronscope.app.selection import CHOICES

if TYPE_CHECKING:
    from neuronscope.models.catalogue import Entry
    from neuronscope.models.estimate import Estimate
    from neuronscope.scope import Workspace

_CLOCK = "sizes-clock"
_EVERY = 1500
_ROUGHLY = {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0, "int8": 1.15, "nf4": 0.7}
"""Bytes a weight; quantized models keep their embeddings in full."""
_QUANTIZED = ("int8", "nf4")


@dataclass(frozen=True)
class Size:
    """What one model takes."""

    bytes: dict[str, int]
    """Bytes of its weights at each precision that can be had here."""
    rough: bool
    """Whether it has been guessed from the number of weights alone."""


class Sizes:
    """The sizes of one app's catalogue."""

    def __init__(self, catalogue: tuple[Entry, ...]) -> None:
        """Nothing is worked out before `start`."""
        self._catalogue = catalogue
        self._known: dict[str, Size] = {}
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def start(self, device: str) -> None:
        """Begin to work them out for `cpu` or `cuda`, unless that was done before."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._work_out, args=(device,), name="neuronscope-sizes", daemon=True
                )
                self._thread.start()

    @property
    def known(self) -> bool:
        """Whether all of them have been worked out."""
        return len(self._known) == len(self._catalogue)

    def of(self, entry: Entry) -> Size:
        """The size of one model, exact if it has been worked out."""
        if entry.name in self._known:
            return self._known[entry.name]
        rough = {name: int(entry.parameters * size) for name, size in _ROUGHLY.items()}
        return Size({name: size for name, size in rough.items() if name in precisions()}, rough=True)

    def _work_out(self, device: str) -> None:
        for entry in self._catalogue:
            exact = {str(name): size for name, size in _estimate(entry, device).bytes.items() if name in precisions()}
            self._known[entry.name] = Size(exact, rough=False)


def _estimate(entry: Entry, device: str) -> Estimate:
    """On a GPU what is not quantized is held in half precision, which the catalogue's own estimate does not reckon."""
    from neuronscope.models.estimate import estimate
    from neuronscope.models.families import auto_class, family_of

    if device == "cpu":
        return entry.estimate
    config = entry.config()
    return estimate(config, auto_class(family_of(config, entry.name), config), device=device)


def precisions() -> tuple[str, ...]:
    """The precisions that can be had on this machine: 8 and 4 bits need bitsandbytes."""
    quantizes = importlib.util.find_spec("bitsandbytes") is not None
    return tuple(name for name in CHOICES["precision"] if quantizes or name not in _QUANTIZED)


def layout() -> list[Any]:
    """The clock that asks until all sizes are known, and the mark that they are."""
    return [dcc.Interval(id=_CLOCK, interval=_EVERY), dcc.Store(id=Frame.SIZES)]


def register(app: Dash, workspace: Workspace) -> None:
    """Give the app its sizes, to be worked out once the page stands and the first model has had its start."""
    app.sizes = Sizes(workspace.catalogue)

    @app.callback(
        Output(Frame.SIZES, "data"),
        Output(_CLOCK, "disabled"),
        Input(_CLOCK, "n_intervals"),
        State(Frame.READY, "data"),
        prevent_initial_call=True,
    )
    def look(ticks: int, ready: Any) -> tuple[bool, bool]:
        if ready is not None or ticks > 4:
            app.sizes.start("cuda" if workspace.memory().gpus else "cpu")
        if not app.sizes.known:
            raise PreventUpdate
        return True, True
