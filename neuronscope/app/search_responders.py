"""From text to neurons: what the Search view shows of the neurons that a text excites or calms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dash import html

from neuronscope.app.parts import empty, heading
from neuronscope.app.search_panels import Search
from neuronscope.app.search_tables import changed_table, responders_table
from neuronscope.app.tables import table_tools
from neuronscope.errors import InputError
from neuronscope.vocabulary import visible

if TYPE_CHECKING:
    import pandas as pd

    from neuronscope.analysis.responders import Responders
    from neuronscope.app.comparable import Other
    from neuronscope.app.searching import Answers
    from neuronscope.app.selection import Selection
    from neuronscope.indexed import Index
    from neuronscope.scope import Scope

_ASK = "Type a token, an n-gram or a regular expression, to see which neurons it excites most, and which it calms."


def answered(
    answers: Answers, scope: Scope, index: Index, selection: Selection, other: Other | None = None
) -> tuple[Any, Any, bool]:
    """Heading, tables, and whether there is nothing more to run: from the index where it knows, else by running."""
    text, regular = selection.find, selection.regular == "yes"
    if not text:
        return heading("Neurons that respond"), empty(_ASK), True
    if not regular and other is None and answers.found(index, text, regular=False) is None:
        try:
            found = answers.responders(index, text)
        except InputError:
            return everywhere(answers, scope, index, selection)
        token = f"token {index.shown[index.token(text)]}"
        known = f"known of {found.known:,} of {found.neurons:,} neurons: those that list it among their best or worst"
        said = f"{token} · {known} · from the index, without running the model"
        return *_shown(found, index, text, said, run=False), False
    return everywhere(answers, scope, index, selection, other)


def everywhere(
    answers: Answers, scope: Scope, index: Index, selection: Selection, other: Other | None = None
) -> tuple[Any, Any, bool]:
    """The same, of all neurons, by running the model where the text occurs, and the `other` that it is compared with.

    Raises:
        InputError: if it does not occur, or is no regular expression.
    """
    text, regular = selection.find or "", selection.regular == "yes"
    found = answers.find(scope, index, text, regular=regular)
    count = int(found.table["count"].iloc[0]) if len(found.table) else 0
    what = "matches" if regular else "occurrences"
    said = f"all {found.neurons:,} neurons, over {count:,} {what} in the corpus, where the model was run"
    head, shown = _shown(found, index, text, said, run=True)
    if other is not None:
        changed = answers.changed(other.beside, text, other.name, regular=regular)
        shown = [_changed(changed, index, text, other), *shown]
    return head, shown, True


def _shown(found: Responders, index: Index, text: str, said: str, *, run: bool) -> tuple[Any, Any]:
    title = html.Span(["Neurons that respond to ", html.Bdi(visible(text), className="token-name")])
    m = index.manifest
    frame = found.table.assign(
        text=text, model=m.model, revision=m.revision, precision=m.precision, corpus=", ".join(m.sources), tokens=m.seen
    )
    excited, calmed = frame[frame["sign"] == "+"], frame[frame["sign"] == "-"]
    tables = [
        _half(Search.EXCITED, "Excited", excited, "No neuron is known to be above its mean here.", extreme=True),
        _half(Search.CALMED, "Calmed", calmed, "No neuron is known to be below its mean here.", extreme=run),
    ]
    legend = (
        "z: how many of its own standard deviations a neuron's empirical-Bayes mean on the text lies from its mean in "
        "the corpus. Extreme: the largest activation there, or the smallest. Over: at how many tokens."
    )
    return heading(title, said), [html.Div(tables, className="found-neurons"), html.P(legend, className="caption")]


def _changed(frame: pd.DataFrame, index: Index, text: str, other: Other) -> Any:
    m = index.manifest
    kept = frame.assign(text=text, model=m.model, compared_with=other.name, precision=m.precision)
    title = html.H3(["Changed most in ", html.Bdi(other.called)])
    head = html.Div([title, table_tools(Search.CHANGED)], className="row-head")
    listed = (
        changed_table(Search.CHANGED, kept, Search.CHANGED) if len(kept) else empty("No neuron does otherwise here.")
    )
    legend = (
        "Change: the plain mean there less that here, at the same tokens; ± is half of its 95 % interval. It is ranked "
        "in standard deviations of the neuron over the corpus."
    )
    return html.Section([head, listed, html.P(legend, className="caption")], className="found-changes")


def _half(id: str, title: str, frame: Any, nothing: str, *, extreme: bool) -> Any:  # noqa: A002
    head = html.Div([html.H3(title), table_tools(id)], className="row-head")
    return html.Section([head, responders_table(id, frame, id, extreme=extreme) if len(frame) else empty(nothing)])
