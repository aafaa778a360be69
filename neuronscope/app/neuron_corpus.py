"""What an index knows of one neuron, as panels of the Neuron view: facts, examples, n-grams, kin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from dash import html

from neuronscope.analysis.polysemanticity import VERDICTS
from neuronscope.app.examples import example_list
from neuronscope.app.lists import facts, neuron_list, number
from neuronscope.app.parts import card, empty, go, heading, icon
from neuronscope.app.tokens import scale_legend
from neuronscope.survey import surveyed
from neuronscope.vocabulary import Band, Example, Neuron

if TYPE_CHECKING:
    import pandas as pd

    from neuronscope.indexed import Index

SHOWN, KEPT = 10, 20
"""Example rows at first, and in all."""
RANDOM, OF_BAND = 8, 4
NGRAMS = 12
KIN = 8
ALWAYS, MIXED = 0.95, 0.2
_EXACT = ("float32", "attached")
_CASES = {"++": "gate +, up +", "--": "gate −, up −", "+-": "gate +, up −", "-+": "gate −, up +"}


def limit_of(index: Index, neuron: Neuron) -> float:
    """Where the colours of a neuron end, on either side of zero: at its strongest activation in the corpus."""
    numbers = index.store.statistics[index.row(neuron)]
    return max(abs(float(numbers["max"])), abs(float(numbers["min"])))


def corpus_facts(index: Index, neuron: Neuron) -> list[Any]:
    """The neuron's moments over the corpus, and what is remarkable about it."""
    numbers = index.store.statistics[index.row(neuron)]
    shown = [
        ("above 0", f"{float(numbers['positive']):.1%}"),
        ("max", number(float(numbers["max"]))),
        ("min", number(float(numbers["min"]))),
        ("mean", number(float(numbers["mean"]))),
        ("sd", number(float(np.sqrt(numbers["variance"])))),
        ("kurtosis", number(float(numbers["kurtosis"]))),
        ("skewness", number(float(numbers["skewness"]))),
        ("senses", senses(index, neuron)),
    ]
    marks = [html.Span(text, className="badge-small", title=why) for text, why in badges(index, neuron)]
    said = html.P(["in the corpus · ", index.progress], className="caption")
    return [said, facts(shown, "facts inline"), *([html.Div(marks, className="badges")] if marks else [])]


def senses(index: Index, neuron: Neuron) -> Any:
    """How many things it answers to, if its layer was surveyed, and the way to them."""
    records = surveyed(index, [neuron.layer]).records
    own = records[records["neuron"] == neuron.index]
    said = [_senses(record) for record in own if record["verdict"] == 0]
    said = said or [VERDICTS[int(record["verdict"])] for record in own[:1]] or ["count them"]
    text = " · ".join(said)
    label = f"{text}: the senses of {neuron}"
    return go(text, label=label, view="polysemantic", layer=neuron.layer, neuron=neuron.index)


def _senses(record: Any) -> str:
    side = "" if record["sign"] > 0 else " (−)"
    return f"N_eff {record['effective']:.1f}{side}"


def badges(index: Index, neuron: Neuron) -> list[tuple[str, str]]:
    """What is remarkable about a neuron, in a word each, and why it is said."""
    numbers, found = index.store.statistics[index.row(neuron)], []
    positive = float(numbers["positive"])
    if float(numbers["variance"]) == 0 or positive == 0:
        found.append(("dead", "It was above 0 on no token of the corpus."))
    elif positive >= ALWAYS:
        found.append(("always on", f"It was above 0 on {positive:.1%} of the tokens."))
    if index.manifest.gated and positive:
        shares = dict(zip(index.cases, numbers["cases"].tolist(), strict=True))
        least = min(shares["++"], shares["--"]) / positive
        if least >= MIXED:
            found.append(
                ("two ways to fire", f"{least:.0%} of its positive activations are of the rarer sign of gate.")
            )
    if index.manifest.precision not in _EXACT:
        found.append((index.manifest.precision, "The weights were held in reduced precision when the corpus was read."))
    return found


def examples(index: Index, neuron: Neuron) -> list[Any]:
    """The contexts: strongest, across the range, random as the control, most negative or by the signs of the gate."""
    limit = limit_of(index, neuron)
    if not limit:
        return [card(heading("Examples"), empty("It is 0 on every token of this corpus: there are no examples."))]
    gated = index.manifest.gated
    cards = (
        [_case(index, neuron, case, limit) for case in ("++", "--")] if gated else [_strongest(index, neuron, limit)]
    )
    cards += [_bands(index.bands(neuron, count=OF_BAND), limit), _random(index, neuron, limit)]
    negative = ("+-", "-+") if gated else ("-",)
    return [*cards, *(_case(index, neuron, case, limit) for case in negative)]


def _strongest(index: Index, neuron: Neuron, limit: float) -> Any:
    found = index.examples(neuron, KEPT)
    said = f"The {len(found)} strongest, one of each window · {index.progress}"
    legend = scale_legend(limit, f"activation of {neuron}, the same everywhere")
    return card(heading("Strongest", said), *_rows(found, limit), tools=legend, name="examples-card")


def _case(index: Index, neuron: Neuron, case: str, limit: float) -> Any:
    """The strongest contexts of one case: of the gate's and the up value's signs, or of negative activations."""
    found = index.examples(neuron, KEPT, case)
    if case == "-":
        return card(heading("Most negative", f"The {len(found)} lowest, one of each window"), *_rows(found, limit))
    share = float(index.store.statistics["cases"][index.row(neuron), index.cases.index(case)])
    legend = scale_legend(limit, f"activation of {neuron}, the same everywhere") if case == "++" else None
    said = f"{share:.1%} of the tokens; the strongest of them"
    return card(heading(_CASES[case].capitalize(), said), *_rows(found, limit), tools=legend, name="examples-card")


def _bands(bands: list[Band], limit: float) -> Any:
    parts: list[Any] = []
    for band in bands:
        share = f"{band.share:.2%}" if band.share >= 0.0001 else "under 0.01%"
        title = html.H3([f"{number(band.low)} to {number(band.high)}", html.Span(f"{share} of tokens", className="of")])
        parts.append(
            html.Div([title, *_rows(list(band.examples), limit, "None of these was drawn.")], className="band")
        )
    said = "Quarters of the way from 0 to its maximum, with tokens drawn from each"
    return card(heading("Across its range", said), *(parts or [empty("It is never above 0 in this corpus.")]))


def _random(index: Index, neuron: Neuron, limit: float) -> Any:
    found = index.examples(neuron, RANDOM, kind="random")
    said = "Tokens drawn without regard to the neuron: what strongest examples are to be compared with"
    return card(heading("Random", said), *_rows(found, limit))


def _rows(found: list[Example], limit: float, none: str = "There is none in this corpus.") -> list[Any]:
    if not found:
        return [html.P(none, className="caption")]
    shown, rest = found[:SHOWN], found[SHOWN:]
    if not rest:
        return [example_list(shown, limit)]
    more = html.Details([html.Summary(f"{len(rest)} more", className="caption"), example_list(rest, limit)])
    return [example_list(shown, limit), more]


def ngrams(table: pd.DataFrame, index: Index, neuron: Neuron) -> Any:
    """The first rows of a reverse query, and the way to all of them."""
    way = go(
        [icon("search"), "All, and measured"],
        label=f"Search what excites {neuron}",
        kind="outlined",
        view="search",
        ask="neuron",
        neurons=None,
        layer=neuron.layer,
        neuron=neuron.index,
    )
    said = f"N-grams that end at the firing token, by their empirical-Bayes mean · {index.progress}"
    head = heading("What excites it", said)
    if not len(table):
        return card(head, html.P("Nothing excites it in this corpus.", className="caption"), tools=way)
    names = ("N-gram", "Mean", "90 % interval", "Max", "Count", "Share of firings")
    rows = [_ngram(row) for row in table.head(NGRAMS).to_dict("records")]
    columns = html.Thead(
        html.Tr([html.Th(name, className="" if i == 0 else "number-cell") for i, name in enumerate(names)])
    )
    listed = html.Table([columns, html.Tbody(rows)], className="plain-table ngrams")
    return card(
        head, html.Div(listed, className="scrolls", tabIndex=0, role="region", **{"aria-label": "N-grams"}), tools=way
    )


def _ngram(row: Mapping[Any, Any]) -> Any:
    numbers = (
        number(row["mean"]),
        f"{number(row['low'])} to {number(row['high'])}",
        number(row["max"]),
        f"{row['count']:,}",
        f"{row['share']:.0%}",
    )
    name = html.Th(html.Bdi(row["ngram"], className="token-name"), scope="row")
    return html.Tr([name, *(html.Td(one, className="number-cell") for one in numbers)])


def kin(index: Index, neuron: Neuron) -> Any:
    """The neurons that do most nearly the same, or the opposite, over all tokens that count."""
    found = index.nearest(neuron, KIN)
    rows = [(str(other), r, other) for other, r in found]
    said = f"correlation over {index.manifest.seen:,} tokens, from sketches; ±0.09 is chance"
    if not rows:
        said = "It does not vary: nothing correlates with it."
    return html.Section(neuron_list("Nearest by activation", said, rows), className="panel kin")
