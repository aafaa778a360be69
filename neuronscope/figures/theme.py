"""How every figure looks: two palettes, a template for each mode, and token text made safe and visible.

Zero is the colour of the paper in each mode, so that what is silent disappears. The diverging arms are blue and orange,
matched in lightness: equal magnitudes look equally strong, and the arms stay apart under every kind of colour
blindness. Templates are handed to a figure and never registered with Plotly: they change no figure of anyone else's.
"""

from __future__ import annotations

import functools
import html
import unicodedata
from dataclasses import dataclass
from typing import Literal

import plotly.graph_objects as go

from neuronscope.errors import InputError

Mode = Literal["light", "dark"]
Scale = list[tuple[float, str]]

FONT = (
    'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", Ubuntu, Cantarell, "Helvetica Neue", Arial, sans-serif'
)
"""The reader's own system font: nothing is fetched."""


@dataclass(frozen=True)
class Palette:
    """The colours of one mode."""

    paper: str
    """What figures lie on; they are transparent themselves, and zero has this colour."""
    ink: str
    """Titles and what must be read."""
    muted: str
    """Labels, subtitles and remarks."""
    hairline: str
    """Grid and axis lines."""
    accent: str
    """What the reader has chosen: a locked token, the current layer, a marker."""
    blues: tuple[str, ...]
    """Negative values, from weakest to strongest."""
    oranges: tuple[str, ...]
    """Positive values, from weakest to strongest."""
    teals: tuple[str, ...]
    """Amounts that have no sign, from least to most."""
    series: tuple[str, ...]
    """Lines and bars that are told apart by name."""

    @property
    def diverging(self) -> Scale:
        """Plotly's colour scale from the strongest negative value through paper to the strongest positive one."""
        colours = (*reversed(self.blues), self.paper, *self.oranges)
        return [(i / (len(colours) - 1), colour) for i, colour in enumerate(colours)]

    @property
    def sequential(self) -> Scale:
        """Plotly's colour scale from none, which is paper, to the most."""
        colours = (self.paper, *self.teals)
        return [(i / (len(colours) - 1), colour) for i, colour in enumerate(colours)]

    @property
    def negative(self) -> str:
        """One blue, for bars."""
        return self.blues[2]

    @property
    def positive(self) -> str:
        """One orange, for bars."""
        return self.oranges[2]


LIGHT = Palette(
    paper="#ffffff",
    ink="#1b2430",
    muted="#566172",
    hairline="#dfe4ea",
    accent="#7a1fa2",
    blues=("#bad7fe", "#78aef8", "#4585dc", "#2a5fa8", "#103b77"),
    oranges=("#f8cba9", "#e7965f", "#c96521", "#99420b", "#692301"),
    teals=("#b6e2df", "#6fc2be", "#2b9f9d", "#077878", "#015353"),
    series=("#2a5fa8", "#c96521", "#077878", "#8a4f9e", "#7d6608", "#b0305c", "#566172"),
)
DARK = Palette(
    paper="#161b22",
    ink="#e6e9ee",
    muted="#a3adba",
    hairline="#2c3440",
    accent="#e3a6ff",
    blues=("#203b5d", "#205e9e", "#2c85d6", "#5eaff6", "#a9d7ff"),
    oranges=("#562e17", "#8d4703", "#bc6a08", "#e09545", "#ffc581"),
    teals=("#144342", "#056d6a", "#029992", "#5bc1b7", "#97eade"),
    series=("#5eaff6", "#e09545", "#5bc1b7", "#c79bdb", "#d1bb55", "#f58bab", "#a3adba"),
)


def palette(mode: Mode) -> Palette:
    """The palette of `mode`; raises `InputError` for a mode there is not."""
    if mode not in ("light", "dark"):
        raise InputError(f"No mode {mode!r}: choose light or dark.")
    return LIGHT if mode == "light" else DARK


@functools.cache
def template(mode: Mode) -> go.layout.Template:
    """The Plotly template of `mode`: fonts, lines and colours, on a transparent ground. A figure takes a copy of it."""
    colours = palette(mode)
    axis = {
        "gridcolor": colours.hairline,
        "linecolor": colours.hairline,
        "zerolinecolor": colours.hairline,
        "tickcolor": colours.hairline,
        "tickfont": {"color": colours.muted, "size": 11},
        "title": {"font": {"color": colours.muted, "size": 12}, "standoff": 8},
        "separatethousands": True,
        "exponentformat": "none",
        "ticks": "",
    }
    bar = {"tickfont": {"color": colours.muted, "size": 11}, "title": {"font": {"color": colours.muted, "size": 11}}}
    return go.layout.Template(
        data={"heatmap": [{"colorbar": {**bar, "outlinewidth": 0, "ticks": ""}}]},
        layout={
            "font": {"family": FONT, "size": 12, "color": colours.ink},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "title": {
                "x": 0,
                "xanchor": "left",
                "xref": "container",
                "pad": {"l": 14, "t": 12},
                "font": {"size": 15, "color": colours.ink, "weight": 600},
                "subtitle": {"font": {"size": 12, "color": colours.muted}},
            },
            "colorway": list(colours.series),
            "hoverlabel": {
                "bgcolor": colours.paper,
                "bordercolor": colours.muted,
                "font": {"family": FONT, "size": 12, "color": colours.ink},
                "align": "left",
            },
            "xaxis": axis,
            "yaxis": axis,
            "separators": ".,",
            "hovermode": "closest",
            "dragmode": "zoom",
            "showlegend": False,
        },
    )


_SHOWN = {"&": "&amp;", "<": "&lt;", ">": "&gt;", " ": "·", "\n": "↵", "\t": "⇥", "\x7f": "␡", "\u00a0": "⍽"}
# Between two dollars Plotly sees mathematics where the page has MathJax, as notebooks do.
_SHOWN["$"] = "&#36;"
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp"})
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})


def visible(text: str, limit: int | None = None) -> str:
    """Text of a token as Plotly can show it: nothing is read as HTML, and nothing is invisible.

    Spaces show as ·, line ends as ↵, tabs as ⇥, no text at all as ∅, other characters without a shape by their control
    picture or code point. Right-to-left text is isolated, so that it does not reorder what stands beside it. With
    `limit`, text wider than that many columns ends in ….
    """
    if not text:
        return "∅"
    pieces = [_piece(character) for character in text]
    if unicodedata.category(text[0]).startswith("M"):
        pieces[0] = "◌" + pieces[0]
    if limit is not None:
        pieces = _fitting(pieces, limit)
    shown = "".join(pieces)
    if any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in text):
        return f"\u2068{shown}\u2069"
    return shown


def _piece(character: str) -> str:
    if character in _SHOWN:
        return _SHOWN[character]
    if character < " ":
        return chr(0x2400 + ord(character))
    if character in _BLANK or unicodedata.category(character) in _UNSEEN:
        return f"⟨U+{ord(character):04X}⟩"
    return character


def _fitting(pieces: list[str], limit: int) -> list[str]:
    widths = [_width(piece) for piece in pieces]
    if sum(widths) <= limit:
        return pieces
    kept, used = [], 1
    for piece, width in zip(pieces, widths, strict=True):
        used += width
        if used > limit:
            break
        kept.append(piece)
    return [*kept, "…"]


def _width(piece: str) -> int:
    """Columns that a piece takes: none for a mark on the character before it, two for wide East Asian characters."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in html.unescape(piece)
    )


def visible_width(shown: str) -> int:
    """Columns that text made by `visible` takes."""
    return _width(shown)
