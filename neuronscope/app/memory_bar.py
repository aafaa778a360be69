"""The memory bar: how much the model on screen, other models and everything else hold, and what is free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dash import Dash, Input, Output, State, dcc, html, no_update

from neuronscope.app.asking import Frame, Question

if TYPE_CHECKING:
    from neuronscope.models.memory import Gpu
    from neuronscope.scope import Workspace

_EVERY = 2000
_BAR = "memory-bar"
_DETAILS = "memory-details"
_CLOCK = "memory-clock"


@dataclass(frozen=True)
class Share:
    """One part of a memory bar."""

    name: str
    """What holds it."""
    bytes: int
    """How much."""
    kind: str
    """Its colour class."""


def layout() -> Any:
    """An empty bar that opens into its details, and the clock that fills both."""
    summary = html.Summary(id=_BAR, title="Memory")
    opens = html.Details([summary, html.Div(id=_DETAILS, className="menu")], className="popover-menu memory")
    return html.Div([dcc.Interval(id=_CLOCK, interval=_EVERY), opens], className="memory-place")


def register(app: Dash, workspace: Workspace) -> None:
    """Register the callback that measures every two seconds, and when another model is ready."""

    @app.callback(
        Output(_BAR, "children"),
        Output(_DETAILS, "children"),
        Output(_BAR, "title"),
        Output(Frame.WARM, "data"),
        Input(_CLOCK, "n_intervals"),
        Input(Frame.READY, "data"),
        State(_BAR, "title"),
        State(Frame.WARM, "data"),
    )
    def measure(_n: int | None, ready: Question | None, told: str, known: list[list[str]] | None) -> tuple[Any, ...]:
        memory = workspace.memory()
        warm = [[scope.key.name, str(scope.card.precision)] for scope in workspace.scopes()]
        shares = ram_shares(_bytes_of(workspace, ready), memory.models, memory.available, memory.total)
        groups = [("Memory", shares), *map(gpu_shares, memory.gpus)]
        said = "; ".join(f"{name}: {_said(parts)}" for name, parts in groups)
        warm_now = no_update if sorted(warm) == sorted(known or []) else warm
        if said == told:  # what is drawn again costs the browser, if only every two seconds
            return no_update, no_update, no_update, warm_now
        bar = [_bar(shares), _words(memory.total - memory.available, memory.total)]
        return bar, [_details(name, parts) for name, parts in groups], said, warm_now


def ram_shares(this: int, models: int, available: int, total: int) -> tuple[Share, ...]:
    """How the machine's memory is shared out; the shares add up to all of it."""
    others = max(models - this, 0)
    rest = max(total - available - models, 0)
    free = max(total - this - others - rest, 0)
    return (
        Share("this model", this, "this"),
        Share("other models", others, "models"),
        Share("everything else", rest, "other"),
        Share("free", free, "free"),
    )


def gpu_shares(gpu: Gpu) -> tuple[str, tuple[Share, ...]]:
    """A GPU's name, which another may have too, and how its memory is shared out."""
    return gpu.name, (Share("used", gpu.used, "other"), Share("free", gpu.free, "free"))


def readable(size: float) -> str:
    """A number of bytes as a person says it: `4.3 MB`, `16 GB`."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}" if size / factor < 1000 else f"{size / factor:,.0f} {unit}"
    return f"{size:.0f} B"


def _bytes_of(workspace: Workspace, ready: Question | None) -> int:
    """What the model on screen holds, if it is still warm."""
    if ready is None:
        return 0
    asked = {ready["precision"], "attached"}
    warm = (s.card.bytes for s in workspace.scopes() if s.key.name == ready["model"] and s.key.precision in asked)
    return next(warm, 0)


def _said(shares: tuple[Share, ...]) -> str:
    return ", ".join(f"{share.name} {readable(share.bytes)}" for share in shares)


def _bar(shares: tuple[Share, ...]) -> Any:
    total = max(sum(share.bytes for share in shares), 1)
    parts = [html.Span(className=s.kind, style={"width": f"{100 * s.bytes / total:.2f}%"}) for s in shares]
    return html.Span(parts, className="memory-bar", role="img", **{"aria-label": f"Memory: {_said(shares)}"})


def _words(used: int, total: int) -> Any:
    return html.Span(f"{readable(used).removesuffix(' GB')} of {readable(total)}", className="memory-words")


def _details(title: str, shares: tuple[Share, ...]) -> Any:
    rows = [
        html.Div([html.Dt([html.Span(className=f"swatch {s.kind}"), s.name]), html.Dd(readable(s.bytes))])
        for s in shares
    ]
    return html.Div([html.Strong(title), _bar(shares), html.Dl(rows)], className="memory-details")
