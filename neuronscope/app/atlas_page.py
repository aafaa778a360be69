"""The page of one group of neurons: how firmly it holds together, what excites it, and where many of it fire."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from dash import html

from neuronscope.app.atlas_members import ASKED
from neuronscope.app.examples import Mark, example_list
from neuronscope.app.lists import facts, number
from neuronscope.app.parts import card, empty, go, heading, icon
from neuronscope.app.searching import MOST
from neuronscope.errors import InputError

if TYPE_CHECKING:
    from neuronscope.analysis.clustering import Clusters
    from neuronscope.analysis.reverse_query import ReverseQuery
    from neuronscope.app.atlas_members import Members
    from neuronscope.indexed import Index
    from neuronscope.scope import Scope
    from neuronscope.vocabulary import Neuron

ROWS, EXAMPLES = 12, 12
"""So many n-grams and so many contexts are shown."""


def page_head(members: Members, number_of: int | None) -> list[Any]:
    """What the group is called, and what it is."""
    kind = f"Cluster {number_of}" if number_of is not None else "Kept group"
    layers = sorted({neuron.layer for neuron in members.neurons})
    span = f"layer {layers[0]}" if len(layers) == 1 else f"{len(layers)} layers from {layers[0]} to {layers[-1]}"
    count = len(members.neurons)
    said = f"{kind} · {count:,} neuron{'' if count == 1 else 's'} in {span}"
    said += " · looked at below zero" if members.sign == "-" else ""
    return heading(html.Bdi(members.name), said)


def page_tools(members: Members, *, kept: bool) -> list[Any]:
    """The way back, the way to Search, and from a kept group to the clusters in it."""
    asked = " ".join(map(str, members.neurons[:MOST]))
    most = "" if len(members.neurons) <= MOST else f", the {MOST} of the largest loading"
    search = go(
        [icon("search"), "Search"],
        label=f"Ask Search about these neurons{most}",
        view="search",
        ask="neuron",
        neurons=asked,
        sign=members.sign,
    )
    inside = go([icon("diagram-3"), "Clusters in it"], within=members.name, cluster=None, group=None)
    return [search, *([inside] if kept else []), go([icon("arrow-left"), "All clusters"], cluster=None, group=None)]


def page_facts(members: Members, clusters: Clusters | None) -> list[Any]:
    """How firmly it holds together, and which clusters do nearly the same."""
    shown: list[tuple[str, Any]] = [("cohesion (mean r of two members)", number(members.cohesion))]
    if members.stability is not None:
        shown.append(("stability (Jaccard between halves)", number(members.stability)))
    parts: list[Any] = [facts(shown, "facts inline")]
    if members.kin and clusters is not None:
        near = [
            html.Li(
                [
                    go(html.Bdi(clusters.names[at]), label=f"Open cluster {at}", cluster=at, group=None),
                    html.Span(f"r = {number(r)}", className="number"),
                ]
            )
            for at, r in members.kin
        ]
        parts.append(html.Div([html.H3("Clusters nearest to it"), html.Ul(near)], className="atlas-kin"))
    return parts


def page_read(scope: Scope, index: Index, members: Members) -> list[Any]:
    """What excites the group, and contexts that many of it share; the model is run for these."""
    asked = members.neurons[:ASKED]
    some = f"of the {ASKED} with the largest loading" if len(members.neurons) > ASKED else "of all members"
    try:
        query = index.reverse_query(list(asked), sign=members.sign)
        excites = _ngrams(query)
    except InputError as error:
        excites = empty(str(error))
    caption = f"mean {some}, in standard deviations from each one's mean, with its 90 % interval; from the index"
    verb = "What excites it" if members.sign == "+" else "What drives it below zero"
    return [
        card(heading(verb, caption), excites),
        _together(scope, index, members, asked),
    ]


def _ngrams(query: ReverseQuery) -> Any:
    if query.table.empty:
        return empty("No token or n-gram excites these neurons more than chance.")
    columns = ("n-gram", "mean z", "90 % interval", "count", "agree")
    rows = [
        html.Tr(
            [
                html.Td(html.Bdi(row["ngram"], className="token-name")),
                html.Td(number(row["mean"])),
                html.Td(f"{number(row['low'])} to {number(row['high'])}"),
                html.Td(f"{row['count']:,}"),
                html.Td(f"{row['agree']:.0%}" if "agree" in row else ""),
            ]
        )
        for row in query.table.head(ROWS).to_dict("records")
    ]
    head = html.Thead(html.Tr([html.Th(name, scope="col") for name in columns]))
    return html.Table([head, html.Tbody(rows)], className="plain-table")


def _together(scope: Scope, index: Index, members: Members, asked: tuple[Neuron, ...]) -> Any:
    first = asked[0]
    found = index.together(list(asked), members.sign, EXAMPLES)
    title = "Where it fires together"
    if not found:
        return card(heading(title), empty("None of these neurons has a strong context in this corpus."))
    rows = scope.contexts(index, first, [example for example, _ in found])
    valued = [replace(one, value=float(one.values[one.peak])) for one in rows]
    marks = {
        one.position: Mark(says=f"{count} of {len(asked)} members have one of their strongest contexts here.")
        for one, (_, count) in zip(valued, found, strict=True)
    }
    numbers = index.store.statistics[index.row(first)]
    limit = max(abs(float(numbers["max"])), abs(float(numbers["min"])))
    most = max(count for _, count in found)
    least = min(count for _, count in found)
    told = f"{most}" if most == least else f"{least} to {most}"
    caption = (
        f"windows that the most members have among their strongest ({told} of {len(asked)}); colours and numbers are "
        f"the activations of {first}, whose loading is largest"
    )
    return card(heading(title, caption), _counted(valued, marks, found, limit, len(asked)))


def _counted(valued: Any, marks: Any, found: Any, limit: float, total: int) -> Any:
    """Example rows, each under how many members fire there."""
    rows = [
        html.Li([html.Span(f"{count} of {total} members", className="caption members-count"),
                 example_list([one], limit, marks)])
        for one, (_, count) in zip(valued, found, strict=True)
    ]  # fmt: skip
    return html.Ol(rows, className="examples together")


def neuron_card(index: Index, neuron: Neuron, tokens: str, clusters: Clusters | None) -> Any:
    """The neuron that was found or clicked: what is known of it, and the way to its page."""
    import html as markup

    row = index.row(neuron)
    numbers = index.store.statistics[row]
    shown = [
        ("above 0", f"{float(numbers['positive']):.1%}"),
        ("max", number(float(numbers["max"]))),
        ("kurtosis", number(float(numbers["kurtosis"]))),
    ]
    parts: list[Any] = [html.P(html.Bdi(markup.unescape(tokens)), className="atlas-tokens")] if tokens else []
    parts.append(facts(shown, "facts inline"))
    label = -2 if clusters is None else int(clusters.labels[row])
    if clusters is not None and label >= 0:
        link = go(html.Bdi(clusters.names[label]), label=f"Open cluster {label}", cluster=label, group=None)
        parts.append(html.P(["In cluster ", link, f" with loading {number(clusters.loading(row))}"]))
    near = index.nearest(neuron, 5)
    if near:
        links = [
            html.Li([go(str(other), layer=other.layer, neuron=other.index), html.Span(f"r = {number(r)}")])
            for other, r in near
        ]
        parts.append(html.Div([html.H3("Most alike"), html.Ul(links)], className="atlas-kin"))
    opens = go(
        ["Open ", icon("arrow-right")], label=f"Open {neuron}", view="neuron", layer=neuron.layer, neuron=neuron.index
    )
    return card(heading(str(neuron)), *parts, tools=[opens, _close()])


def _close() -> Any:
    return go(icon("x-lg"), label="Let go of this neuron", neuron=None)


def named(pairs: list[list[int]] | None) -> list[Any]:
    """Neurons from what the browser holds of a selection: pairs of layer and index."""
    from neuronscope.vocabulary import Neuron

    return [Neuron(int(layer), int(index)) for layer, index in np.asarray(pairs or []).reshape(-1, 2).tolist()]
