"""One neuron's senses side by side: what was found of it, and a card for each way to fire."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from dash import html

from neuronscope.analysis.polysemanticity import Polysemanticity, Sense
from neuronscope.app.examples import example_list, number
from neuronscope.app.parts import empty, go, heading
from neuronscope.app.polysemantic_panels import CAUTION
from neuronscope.figures.polysemanticity import read_over, sense_colour, why_not_scored
from neuronscope.figures.theme import Mode, palette
from neuronscope.vocabulary import Example, Neuron

if TYPE_CHECKING:
    from neuronscope.analysis.polysemanticity import Elsewhere

FIRST, MORE = 5, 20
"""Examples of a sense: at first, and once more are asked for."""
_TOKENS, _SMALLER = 8, 12
_OFFERED = 12
"""Tokens that are offered to be looked at alone."""
_SEPARATION = (
    "How much more alike the contexts of this sense are to each other than to those of the nearest other sense: the "
    "difference of the mean cosines of what pushes the neuron. 0 is no difference."
)
_FEW = "The windows that an index has kept are mostly the strongest: a survey of all weighs weaker senses fairly."
_INTERFERENCE = "The largest |cosine| of what it reads with what another neuron of its layer reads."
_CAPACITY = "The share of one dimension that is its own (Scherlis and others, 2022)."


@dataclass(frozen=True, eq=False)
class Looked:
    """A neuron that is looked at."""

    poly: Polysemanticity
    """Where it is found."""
    neuron: Neuron
    """Which neuron."""
    sign: str
    """`+` or `-`."""

    @property
    def record(self) -> np.void:
        """What is kept of it."""
        return self.poly.of(self.neuron, self.sign)

    @property
    def found(self) -> list[Sense]:
        """Every cluster of its contexts, the largest first."""
        return self.poly.senses(self.neuron, self.sign)

    @property
    def senses(self) -> list[Sense]:
        """Those with a tenth of the activation or more."""
        return self.found[: int(self.record["modes"])]


def neuron_head(looked: Looked, geometry: Any) -> list[Any]:
    """Whose senses they are, how many, how sure that is, and what they were found in."""
    neuron, record = looked.neuron, looked.record
    opens = go(str(neuron), label=f"Open {neuron}", view="neuron", layer=neuron.layer, neuron=neuron.index)
    side = "" if looked.sign == "+" else " below zero"
    title = html.Span(["Senses of ", opens, side], className="asked-neurons")
    parts = [f"found in {read_over(looked.poly, record)}", *_scored(record)]
    few = [_FEW] if record["of_index"] and looked.poly.token is None else []
    lines = [" · ".join(parts), *few, html.Strong(CAUTION), _geometry(geometry, neuron)]
    return heading(title, html.Span([html.Span(line, className="poly-line") for line in lines]))


def _scored(record: np.void) -> list[str]:
    if record["verdict"] != 0:
        return []
    halves = [f"{number(float(record[name]))}" for name in ("half_a", "half_b")]
    known = "nan" not in halves
    between = f"{halves[0]} and {halves[1]} in the two halves of the corpus" if known else "a half has too few contexts"
    return [
        f"N_eff {number(float(record['effective']))}: {between}",
        _verdict(record),
        f"{int(record['contexts'])} of {int(record['strong']):,} strong contexts compared",
        f"cut at a cosine of {number(float(record['cut']), 2)}",
    ]


def _verdict(record: np.void) -> str:
    modes = int(record["modes"])
    if modes == 0:
        return "no way to fire has a tenth of its activation"
    if modes == 1:
        return "one sense"
    return (
        f"{modes} senses, at least two in both halves" if record["confirmed"] else f"{modes} senses, not in both halves"
    )


def _geometry(geometry: Any, neuron: Neuron) -> Any:
    row = geometry[geometry["neuron"] == neuron.index].iloc[0]
    near = Neuron(neuron.layer, int(row["nearest"]))
    return html.Span(
        [
            "Superposition geometry, how directions overlap and not what they mean: ",
            html.Span(f"interference {number(float(row['interference']))}", title=_INTERFERENCE),
            f" with {near} (by chance {number(float(row['by_chance']))}), ",
            html.Span(f"capacity {number(float(row['capacity']))}", title=_CAPACITY),
        ]
    )


def shares(looked: Looked, mode: Mode) -> Any:
    """The activation as one bar, divided among the senses; or why there are none."""
    token = looked.poly.token
    if why := why_not_scored(looked.record, "" if token is None else looked.poly.shown[token]):
        return empty(why)
    parts = [(sense.share, sense_colour(i, mode), f"sense {i + 1}") for i, sense in enumerate(looked.senses)]
    rest = 1 - sum(share for share, _, _ in parts)
    parts += [(rest, palette(mode).hairline, "smaller ways to fire")] if rest > 0.001 else []
    said = ", ".join(f"{name} {share:.0%}" for share, _, name in parts)
    pieces = [
        html.Span(style={"width": f"{share:.2%}", "--sense": colour}, title=f"{name}: {share:.0%}")
        for share, colour, name in parts
    ]
    return html.Div(pieces, className="poly-shares", role="img", **{"aria-label": f"Shares of the activation: {said}"})


def tokens_of(poly: Polysemanticity, neuron: Neuron, sign: str) -> dict[str, str]:
    """The tokens that a neuron fires on most in its strong contexts, each by its id, as it is shown."""
    record = poly.of(neuron, sign)
    n = int(record["contexts"])
    ids, place = np.unique(np.asarray(poly.ids[record["positions"][:n].astype(np.int64)]), return_inverse=True)
    order = np.argsort(-np.bincount(place, weights=np.abs(record["values"][:n]), minlength=len(ids)), kind="stable")
    return {str(ids[i]): poly.shown[int(ids[i])] for i in order[:_OFFERED].tolist()}


def elsewhere_shares(looked: Looked, found: Elsewhere, called: str, mode: Mode) -> Any:
    """What is left of the activation in another model, as a bar that is full unless some was lost, and ways to fire."""
    parts = [
        (sense.share * found.kept(i), sense_colour(i, mode), f"sense {i + 1}") for i, sense in enumerate(looked.senses)
    ]
    smaller = found.kept() - sum(share for share, _, _ in parts)
    parts += [(smaller, palette(mode).hairline, "smaller ways to fire")] if smaller > 0.001 else []
    scale = max(found.kept(), 1)
    pieces = [
        html.Span(style={"width": f"{share / scale:.2%}", "--sense": colour}, title=name)
        for share, colour, name in parts
    ]
    there = found.found
    said = [
        f"fires in {found.fires} of these {len(found.here)} contexts",
        f"{found.kept():.0%} of the activation here",
    ]
    if there is None:
        said.append("too few to count its ways to fire")
    else:
        senses = "one sense" if there.modes == 1 else f"{there.modes} senses"
        here = float(looked.poly.of(looked.neuron, looked.sign)["effective"])
        said.append(f"N_eff {number(there.effective)} ({number(here)} here), {senses}")
    caption = html.P([html.Bdi(called), ": ", " · ".join(said)], className="caption")
    bar = html.Div(pieces, className="poly-shares", role="img", **{"aria-label": f"What is left in {called}"})
    return html.Div([caption, bar], className="poly-elsewhere")


def positions_shown(looked: Looked, opened: list[int]) -> tuple[int, ...]:
    """Where the examples stand that the cards show."""
    counts = [MORE if i in opened else FIRST for i in range(len(looked.senses))]
    found = zip(looked.senses, counts, strict=True)
    return tuple(int(p) for sense, count in found for p in sense.positions[:count])


def cards(
    looked: Looked,
    examples: dict[int, Example],
    opened: list[int],
    limit: float,
    mode: Mode,
    left: tuple[str, Elsewhere] | None = None,
) -> list[Any]:
    """A card for each sense, and the smaller ways to fire folded.

    `examples` by position, `opened` the senses with more of them, `left` what another model is called and does there.
    """
    found = looked.senses
    kept = [f" · {left[1].kept(i):.0%} of its activation in {left[0]}" if left else "" for i in range(len(found))]
    shown = [_card(looked, i, examples, i in opened, limit, mode, kept[i]) for i in range(len(found))]
    smaller = looked.found[len(found) :]
    return [*shown, *([_smaller(smaller, unfold=not found)] if smaller else [])]


def _card(
    looked: Looked, place: int, examples: dict[int, Example], opened: bool, limit: float, mode: Mode, kept: str
) -> Any:
    sense = looked.senses[place]
    count = MORE if opened else FIRST
    rows = [examples[int(p)] for p in sense.positions[:count] if int(p) in examples]
    n = len(sense.positions)
    apart = f"separation {number(sense.separation, 2)}" if sense.separation == sense.separation else "the only sense"
    title = html.Span([html.Span(className="swatch"), f"Sense {place + 1}: {sense.share:.0%}"], className="poly-title")
    caption = html.Span([f"{n} context{'' if n == 1 else 's'} · ", html.Span(apart, title=_SEPARATION), kept])
    more = [_more(looked, place, min(n, MORE), opened)] if n > FIRST else []
    top = html.Div([html.Div(heading(title, caption), className="card-title"), html.Div(more, className="tools")])
    top.className = "card-head"
    return html.Section(
        [
            top,
            html.Div(
                html.Span(style={"width": f"{sense.share:.1%}"}), className="share-bar", **{"aria-hidden": "true"}
            ),
            html.Ul([_token(*one) for one in sense.tokens[:_TOKENS]], className="sense-tokens"),
            html.Div(example_list(rows, limit), className="contexts"),
        ],
        className="panel poly-card",
        style={"--sense": sense_colour(place, mode)},
        **{"aria-label": f"Sense {place + 1}"},
    )


def _token(token: str, share: float) -> Any:
    return html.Li([html.Bdi(token, className="token-name"), html.Span(f"{share:.0%}", className="caption")])


def _more(looked: Looked, place: int, count: int, opened: bool) -> Any:
    asked = {"of": key_of(looked.neuron, looked.sign), "sense": place}
    words = "Fewer examples" if opened else f"More examples ({count})"
    said = {"data-more-senses": json.dumps(asked), "aria-label": f"{words} of sense {place + 1}"}
    return html.Button(words, type="button", className="press quiet", **said)


def _smaller(senses: list[Sense], *, unfold: bool) -> Any:
    total = sum(sense.share for sense in senses)
    listed = [
        html.Li(
            [
                html.Span(f"{sense.share:.1%}", className="caption"),
                *(html.Bdi(token, className="token-name") for token, _ in sense.tokens[:3]),
            ]
        )
        for sense in senses[:_SMALLER]
    ]
    left = len(senses) - len(listed)
    rest = [html.Li(html.Span(f"and {left} smaller still", className="caption"))] if left else []
    ways = f"{len(senses)} smaller way{'' if len(senses) == 1 else 's'} to fire"
    said = f"{ways}, together {total:.0%}" if unfold else f"And {ways}, together {total:.0%}"
    fold = html.Details([html.Summary(said), html.Ul([*listed, *rest], className="smaller-ways")], open=unfold)
    return html.Section(fold, className="panel poly-card poly-smaller")


def key_of(neuron: Neuron, sign: str) -> str:
    """A neuron's side as the browser names it."""
    return f"{neuron}{sign}"
