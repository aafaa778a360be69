"""The moving map as a picture for slides: an animated GIF or WebP of every neuron on its way over the checkpoints.

It rests in every checkpoint and eases from one to the next. Where neurons lie on each other, those that drifted most
lie on top.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Integer, UInt8

from neuronscope.errors import FileError
from neuronscope.export import written_aside
from neuronscope.figures.animation import PART_COLOURS, PARTS, Frames, frames, page
from neuronscope.figures.shades import OTHERS
from neuronscope.figures.theme import Mode, palette
from neuronscope.jobs import track
from neuronscope.series.drift import Drift

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

    Font = FreeTypeFont | ImageFont

KINDS = (".gif", ".webp", ".html")
"""The endings of files that hold a moving map."""
SIZE = (960, 600)
"""Width and height in pixels."""
MOVING = 72
"""About so many frames in motion, shared out among the steps: each costs 60 kB where neurons are many."""
NAMED = 8
"""So many neurons, those that drifted most in the last checkpoint, have a trail and a name."""
_FEWEST, _MOST = 6, 16
_STEP, _REST, _FIRST, _LAST = 70, 900, 1400, 2600
"""Milliseconds of a frame in motion, of a rest, and of the first and the last."""
_LEFT, _TOP, _RIGHT, _BOTTOM = 24, 92, 24, 74
_FINE = 2
"""Everything but words is drawn so many times larger and then reduced, which smooths it."""
_COLOURS = 40
_PAPER, _QUIET, _PART, _HAIRLINE, _MUTED, _ACCENT = 0, 1, 2, 5, 6, 7
"""Inks of what is drawn larger; those of the three parts follow each other."""


@dataclass(frozen=True)
class _Moment:
    """A time between two checkpoints."""

    place: int
    """The checkpoint it comes from."""
    share: float
    """How far it is on the way to the next one, 0 to 1."""
    lasts: int
    """Milliseconds."""

    @property
    def nearest(self) -> int:
        return self.place + (self.share >= 0.5)


def animate(drift: Drift, path: Path | str, *, mode: Mode = "light") -> Path:
    """Write the moving map of a drift into a file, by its ending: .gif, .webp, or .html for a page that plays it.

    Raises:
        FileError: for another ending, or if the file cannot be written.
    """
    path = Path(path).expanduser()
    kind = path.suffix.lower()
    if kind not in KINDS:
        raise FileError(f"Cannot write {path}: a moving map is a {', '.join(KINDS[:-1])} or {KINDS[-1]} file.")
    with written_aside(path) as aside:
        if kind == ".html":
            aside.write_text(page(drift), "utf-8")
        else:
            save(frames(drift), aside, "gif" if kind == ".gif" else "webp", mode=mode)
    return path


def save(shown: Frames, path: Path, kind: Literal["gif", "webp"] = "gif", *, mode: Mode = "light") -> None:
    """Write the moving map into a file; a frame takes about 0.1 s, and every one is a checkpoint of the job.

    `shown` comes from `animation.frames`. 36,864 neurons in 10 checkpoints make a GIF of about 5 MB.
    """
    moments = _moments(len(shown.labels))
    drawing = _Drawing(shown, mode)
    pictures = track((drawing.at(one) for one in moments), label="Drawing frames", total=len(moments))
    how: dict[str, Any] = {"save_all": True, "loop": 0, "duration": [one.lasts for one in moments]}
    if kind == "gif":
        pictures, how = _reduced(pictures, drawing.at(moments[-1])), how | {"optimize": False, "disposal": 1}
    else:
        how |= {"quality": 55, "method": 2}
    first = next(pictures)
    first.save(path, format=kind.upper(), append_images=pictures, **how)


def _moments(checkpoints: int) -> list[_Moment]:
    between = min(max(MOVING // max(checkpoints - 1, 1), _FEWEST), _MOST)
    found = [_Moment(0, 0.0, _FIRST)]
    for place in range(checkpoints - 1):
        found += [_Moment(place, _eased((i + 1) / (between + 1)), _STEP) for i in range(between)]
        found.append(_Moment(place + 1, 0.0, _LAST if place == checkpoints - 2 else _REST))
    return found


def _eased(share: float) -> float:
    """Slow at both ends."""
    return share * share * (3 - 2 * share)


def _reduced(pictures: Iterator[Image], model: Image) -> Iterator[Image]:
    """Pictures in the few colours of one of them."""
    from PIL.Image import Dither

    few = model.quantize(_COLOURS, dither=Dither.NONE)
    return (picture.quantize(palette=few, dither=Dither.NONE) for picture in pictures)


class _Drawing:
    """What all frames have in common, and how each is drawn."""

    def __init__(self, shown: Frames, mode: Mode) -> None:
        from PIL import ImageFont

        self._frames, self._mode, self._own = shown, mode, palette(mode)
        self._fonts = {size: ImageFont.load_default(size) for size in (12, 13, 20)}
        self._alive = np.flatnonzero(np.isfinite(shown.points).all((0, 2)))
        width, height = SIZE
        scale = np.array([width - _LEFT - _RIGHT, _TOP + _BOTTOM - height]) / 2 * 0.96
        middle = np.array([(_LEFT + width - _RIGHT) / 2, (_TOP + height - _BOTTOM) / 2])
        self._pixels = (shown.points * scale + middle).astype(np.float32)
        selectivity = np.maximum(1 - shown.location - shown.scale, 0)
        self._parts = np.stack([shown.location, shown.scale, selectivity]) * shown.drift
        rows = [one.neuron.layer * (shown.units // shown.layers) + one.neuron.index for one in shown.movers[-1]]
        self._named = [(row, self._label(i)) for i, row in enumerate(rows[:NAMED]) if row in set(self._alive.tolist())]
        self._sides: dict[int, int] = {}

    def at(self, moment: _Moment) -> Image:
        """The picture of one moment."""
        from PIL import ImageDraw

        large = self._points(moment)
        draw = ImageDraw.Draw(large)
        self._trails(draw, moment)
        self._time(draw, moment)
        self._legend(draw)
        own = self._own
        inks = [own.paper, OTHERS[self._mode], *PART_COLOURS[self._mode], own.hairline, own.muted, own.accent]
        large.putpalette(b"".join(bytes.fromhex(colour[1:]) for colour in inks))
        picture: Image = large.convert("RGB").reduce(_FINE)
        draw = ImageDraw.Draw(picture)
        self._names(draw, moment)
        self._words(draw, moment)
        return picture

    def _between(self, values: Float[np.ndarray, "*parts checkpoints units"], moment: _Moment) -> np.ndarray:
        after = min(moment.place + 1, values.shape[-2] - 1)
        return values[..., moment.place, :] * (1 - moment.share) + values[..., after, :] * moment.share

    def _where(self, moment: _Moment) -> Float[np.ndarray, "units 2"]:
        return np.stack([self._between(self._pixels[..., axis], moment) for axis in (0, 1)], axis=1)

    def _points(self, moment: _Moment) -> Image:
        """All neurons, the quiet ones beneath, then the others from the least drifted to the most."""
        from PIL import Image

        alive, above = self._alive, self._frames.above[moment.nearest]
        drifted = self._between(self._frames.drift, moment)
        colours = np.where(above, self._between(self._parts, moment).argmax(0) + _PART, _QUIET).astype(np.uint8)
        radii = np.rint((_least(len(alive)) + 5.0 * np.sqrt(np.minimum(drifted, 1))) * _FINE).astype(np.int64)
        order = alive[np.lexsort((drifted[alive], above[alive]))]
        at = np.rint(np.nan_to_num(self._where(moment)) * _FINE).astype(np.int64)
        ground = np.zeros((SIZE[1] * _FINE, SIZE[0] * _FINE), np.uint8)
        _stamp(ground, at[order], radii[order], colours[order])
        return Image.fromarray(ground)

    def _trails(self, draw: ImageDraw, moment: _Moment) -> None:
        now = self._where(moment)
        for row, _ in self._named:
            way = np.concatenate([self._pixels[: moment.place + 1, row], now[row : row + 1]]) * _FINE
            draw.line([tuple(point) for point in way.tolist()], fill=_MUTED, width=_FINE, joint="curve")

    def _names(self, draw: ImageDraw, moment: _Moment) -> None:
        """Names beside their neurons, none upon another: each stays on its side while there is room."""
        if moment.place == 0 and moment.share < 0.5:
            return
        now, taken = self._where(moment), list[tuple[float, ...]]()
        font = self._fonts[12]
        for row, text in self._named:
            x, y = now[row].tolist()
            width = font.getlength(text)
            boxes = [(x + 8, y - 7), (x - 8 - width, y - 7), (x - width / 2, y - 22), (x - width / 2, y + 8)]
            for side in dict.fromkeys((self._sides.get(row, 0), *range(4))):
                left, top = boxes[side]
                box = (left - 2, top - 1, left + width + 2, top + 14)
                if _inside(box) and not any(_overlap(box, other) for other in taken):
                    taken.append(box)
                    self._sides[row] = side
                    draw.rectangle(box, fill=self._own.paper)
                    draw.text((left, top), text, font=font, fill=self._own.ink)
                    break

    def _words(self, draw: ImageDraw, moment: _Moment) -> None:
        own, shown, (width, height) = self._own, self._frames, SIZE
        large, small = self._fonts[20], self._fonts[12]
        draw.text((_LEFT, 14), self._written(f"What changed in {shown.model}", large), font=large, fill=own.ink)
        for line, said in enumerate(self._lines(shown.facts, width - _LEFT - _RIGHT - 90)):
            draw.text((_LEFT, 43 + 16 * line), said, font=small, fill=own.muted)
        label = self._written(shown.labels[moment.nearest], large)
        draw.text((width - _RIGHT, 14), label, font=large, fill=own.accent, anchor="ra")
        loss = shown.losses[moment.nearest]
        if loss is not None:
            draw.text((width - _RIGHT, 43), f"loss {loss:.3f}", font=self._fonts[13], fill=own.muted, anchor="ra")
        for x, said, _ in self._kinds():
            draw.text((x + 14, height - 25), said, font=small, fill=own.muted)
        count = f"{len(self._alive):,} of {shown.units:,} neurons · area: drift D"
        draw.text((width - _RIGHT, height - 25), count, font=small, fill=own.muted, anchor="ra")

    def _lines(self, text: str, room: int) -> list[str]:
        """Remarks in lines that have room."""
        lines: list[str] = []
        for remark in self._written(text, self._fonts[12]).split(" · "):
            longer = f"{lines[-1]} · {remark}" if lines else remark
            lines[-1:] = [longer] if self._fonts[12].getlength(longer) <= room else [*lines[-1:], remark]
        return lines

    def _kinds(self) -> Iterator[tuple[float, str, int]]:
        """The legend: where each kind of neuron is named, its name, its ink."""
        x = float(_LEFT)
        for ink, said in (
            (_QUIET, "within the noise floor"),
            *((_PART + i, f"mostly {p}") for i, p in enumerate(PARTS)),
        ):
            yield x, said, ink
            x += 14 + self._fonts[12].getlength(said) + 18

    def _legend(self, draw: ImageDraw) -> None:
        for x, _, ink in self._kinds():
            _dot(draw, x + 4.5, SIZE[1] - 18.5, 4.5, ink)

    def _time(self, draw: ImageDraw, moment: _Moment) -> None:
        """Where among the checkpoints this is."""
        count, y = len(self._frames.labels), float(SIZE[1] - 46)
        left, wide = _LEFT + 6, SIZE[0] - _LEFT - _RIGHT - 12
        now = left + wide * (moment.place + moment.share) / max(count - 1, 1)
        for end, ink in ((left + wide, _HAIRLINE), (now, _ACCENT)):
            draw.line((left * _FINE, y * _FINE, end * _FINE, y * _FINE), fill=ink, width=2 * _FINE)
        for place in (left + wide * i / max(count - 1, 1) for i in range(count)):
            _dot(draw, place, y, 3.0, _ACCENT if place <= now + 1 else _HAIRLINE)
        _dot(draw, now, y, 6.0, _ACCENT)

    def _label(self, number: int) -> str:
        mover = self._frames.movers[-1][number]
        tokens = mover.tokens if _known(mover.tokens, self._fonts[12]) else ""
        return f"{mover.neuron} {tokens}".strip()

    def _written(self, text: str, font: Font) -> str:
        """Text in letters that the font has."""
        return "".join(one if _known(one, font) else "?" for one in text)


def _dot(draw: ImageDraw, x: float, y: float, radius: float, ink: int) -> None:
    draw.ellipse([(one + side * radius) * _FINE for side in (-1, 1) for one in (x, y)], fill=ink)


def _least(neurons: int) -> float:
    """The radius of a neuron that did not drift, in pixels."""
    return 2.2 if neurons < 3000 else 1.6 if neurons < 12000 else 1.0


def _stamp(
    ground: UInt8[np.ndarray, "height width"],
    at: Integer[np.ndarray, "points 2"],
    radii: Integer[np.ndarray, " points"],
    colours: UInt8[np.ndarray, " points"],
) -> None:
    """Draw discs, later ones over earlier ones of about their size, larger ones over smaller; large ones with a rim."""
    for radius in np.unique(radii).tolist():
        own = radii == radius
        if radius >= 3 * _FINE:
            _discs(ground, at[own], radius + 1, np.full_like(colours[own], _PAPER))
        _discs(ground, at[own], radius, colours[own])


def _discs(
    ground: UInt8[np.ndarray, "height width"],
    at: Integer[np.ndarray, "points 2"],
    radius: int,
    colours: UInt8[np.ndarray, " points"],
) -> None:
    height, width = ground.shape
    inside: Bool[np.ndarray, " points"] = (
        (at >= radius).all(1) & (at[:, 0] < width - radius) & (at[:, 1] < height - radius)
    )
    first = at[inside, 1] * width + at[inside, 0]
    flat, kept = ground.reshape(-1), colours[inside]
    for y in range(-radius, radius + 1):
        reach = math.isqrt(radius * radius - y * y)
        for x in range(-reach, reach + 1):
            flat[first + y * width + x] = kept


def _inside(box: tuple[float, ...]) -> bool:
    return box[0] >= 0 and box[2] <= SIZE[0] and box[1] >= _TOP - 8 and box[3] <= SIZE[1] - _BOTTOM + 12


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _known(text: str, font: Font) -> bool:
    """Whether the font has every letter of a text: for others it draws an empty box."""
    missing = bytes(font.getmask("\uffff"))
    return all(bytes(font.getmask(one)) != missing for one in text)
