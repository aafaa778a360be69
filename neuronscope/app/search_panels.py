"""The panels of the Search view: their ids, their controls and the words on them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from dash import dcc, html

from neuronscope.analysis.reverse_query import Alone, ReverseQuery
from neuronscope.app.graphs import graph, graph_tools
from neuronscope.app.parts import card, choices, go, heading, icon, select
from neuronscope.app.search_tables import FILE, TABLE, grid
from neuronscope.app.selection import Selection
from neuronscope.app.tables import table_tools
from neuronscope.app.work_bar import WorkBar
from neuronscope.indexed import Index
from neuronscope.vocabulary import Neuron

LENGTHS = {1: "tokens", 2: "up to bigrams", 3: "up to 3 tokens", 4: "up to 4 tokens", 5: "up to 5 tokens"}
SIGNS = {"+": "Excite (+)", "-": "Below zero (−)"}
SKIPS = {"yes": "with gaps", "no": "no gaps"}
LEAST = (1, 2, 5, 10, 20, 50, 100)
ORDERS = {"mean": "mean", "share": "share of firings"}
REGULAR = {"no": "Text as it stands", "yes": "Regular expression"}
ASKS = {"neuron": "Neurons → text", "text": "Text → neurons"}
_NAMED = 8
_COMPARE = "Run both models where these n-grams occur: what does the neuron do there in the other one?"
_CHECK = "Run each n-gram alone: does it fire the neuron without what stands around it? For one neuron."


class Search:
    """The ids of this view."""

    TABS = "search-tabs"
    ABOUT = "search-about"
    BOXES = "search-boxes"
    EMPTY = "search-empty"
    BY_NEURON = "search-by-neuron"
    BY_TEXT = "search-by-text"
    NEURONS = "search-neurons"
    RUN = "search-run"
    TRY = "search-try"
    QUERY = "search-query"
    HEAD = "search-head"
    SIGN = "search-sign"
    TABLE_PLACE = "search-table-place"
    NOTHING = "search-nothing"
    LEGEND = "search-legend"
    MORE = "search-more"
    TABLE = TABLE
    LEAST = "search-least"
    COUNTS = "search-counts"
    MEASURE = "search-measure"
    CHECK = "search-check"
    COMPARE = "search-compare"
    OTHERS = "search-others"
    FIND_OTHERS = "search-find-others"
    CHANGED = "search-changed"
    BUTTONS = "search-buttons"
    MEASURED = "search-measured"
    WORK = WorkBar("search")
    FIGURE = "search-figure"
    FIGURE_HEAD = "search-figure-head"
    CONTEXTS = "search-contexts"
    CONTEXTS_HEAD = "search-contexts-head"
    CONTEXTS_TOOLS = "search-contexts-tools"
    READING = "search-reading"
    FIND = "search-find"
    FIND_RUN = "search-find-run"
    FIND_EVERYWHERE = "search-find-everywhere"
    FIND_HEAD = "search-find-head"
    FIND_WORK = WorkBar("search-find")
    EXCITED = "search-excited"
    CALMED = "search-calmed"
    FOUND = "search-found"


def by_neuron(selection: Selection) -> Any:
    """From neurons to text: what is asked on the left, the table, the contexts and the plot beside it."""
    box = dcc.Input(id=Search.NEURONS, type="text", placeholder="L5.N131", autoComplete="off", debounce=False)
    run = html.Button([icon("search"), "Search"], id=Search.RUN, type="button", className="press filled run")
    hint = "One neuron, or a group: names with commas or spaces between."
    asked = html.Section(
        [
            _labelled("Neurons", box, hint),
            run,
            html.Div(choices("sign", "Which side", SIGNS, selection.sign), id=Search.SIGN),
            select("longest", "N-grams", LENGTHS, selection.longest),
            select("skips", "Patterns", SKIPS, selection.skips),
            select("order", "Order by", ORDERS, selection.order),
            _least(selection),
            html.Div(id=Search.OTHERS),
            html.Div(id=Search.TRY, className="samples"),
        ],
        className="panel search-asked",
    )
    measure = html.Button("Measure exactly", id=Search.MEASURE, type="button", className="press outlined")
    check = html.Button("Check alone", id=Search.CHECK, type="button", className="press outlined", title=_CHECK)
    compare = html.Button("Compare", id=Search.COMPARE, type="button", className="press outlined", title=_COMPARE)
    buttons = html.Span([measure, check, compare], id=Search.BUTTONS, className="tools")
    work = Search.WORK.layout("Progress of running the model")
    rows = card(
        Search.HEAD,
        work,
        html.Div(grid(), id=Search.TABLE_PLACE),
        html.Div(id=Search.NOTHING),
        html.Div(id=Search.LEGEND),
        tools=[buttons, table_tools(Search.TABLE)],
        name="found-ngrams",
    )
    contexts = card(
        Search.CONTEXTS_HEAD,
        html.P("Running the contexts again …", id=Search.READING, className="caption", hidden=True, role="status"),
        html.Div(id=Search.CONTEXTS, className="contexts"),
        tools=[html.Span(id=Search.CONTEXTS_TOOLS, className="tools")],
    )
    plot = graph(Search.FIGURE, 300, "The first rows of the table: each mean with its 90 % interval")
    chart = card(Search.FIGURE_HEAD, plot, tools=graph_tools(Search.FIGURE, FILE))
    more = html.Div([contexts, chart], id=Search.MORE)
    return [html.Div(asked, className="side"), html.Div([rows, more], className="middle")]


def by_text(selection: Selection) -> Any:
    """From text to neurons: what is asked on the left, and beside it who is excited and who is calmed."""
    box = dcc.Input(id=Search.FIND, type="text", placeholder=" cat", autoComplete="off", debounce=False)
    run = html.Button([icon("search"), "Search"], id=Search.FIND_RUN, type="button", className="press filled run")
    hint = "A token is answered at once. A leading space is part of a token, and shown as ·."
    asked = html.Section(
        [
            _labelled("Token, n-gram or expression", box, hint),
            run,
            select("regular", "Read it as", REGULAR, selection.regular),
            html.Div(id=Search.FIND_OTHERS),
        ],
        className="panel search-asked",
    )
    everywhere = html.Button(
        "Run where it occurs", id=Search.FIND_EVERYWHERE, type="button", className="press outlined", hidden=True
    )
    work = Search.FIND_WORK.layout("Progress of running the text")
    head = card(Search.FIND_HEAD, work, html.Div(id=Search.FOUND), tools=[everywhere])
    return [html.Div(asked, className="side"), html.Div(head, className="middle")]


def tabs(selection: Selection) -> Any:
    """The two ways to ask."""
    links = [
        html.Button(
            title,
            type="button",
            className="tab-link",
            **{"data-go": f'{{"ask":"{name}"}}', "aria-current": "true" if name == selection.ask else "false"},
        )
        for name, title in ASKS.items()
    ]
    return html.Nav(links, className="tabs", **{"aria-label": "Which way to search"})


def about(index: Index) -> Any:
    """What every number of the page comes from."""
    m = index.manifest
    names = [PurePath(source).name or source for source in m.sources]
    named = ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
    parts = [index.source.model, f"corpus {named}", index.progress, m.precision]
    if not m.complete:
        parts.append("still growing: ask again later to see more")
    return html.P(" · ".join(parts), className="caption search-about")


def unindexed() -> Any:
    """What is said where there is no index."""
    said = "Searches answer from an index of a corpus. Build one here; what it has read so far can be asked at once."
    return html.P(said, className="caption search-about")


def suggestions(neurons: Sequence[Neuron]) -> list[Any]:
    """Neurons to begin with."""
    items = [html.Li(go(str(one), kind="sample", neurons=None, layer=one.layer, neuron=one.index)) for one in neurons]
    return [html.H3("Most peaked in this corpus"), html.Ul(items)]


def query_head(result: ReverseQuery, *, measured: bool, alone: Alone | None = None) -> list[Any]:
    """Over the table: whose query it is, what it stands on, and how many of its n-grams fire alone."""
    names = [_opens(neuron) for neuron in result.neurons[:_NAMED]]
    more = [f" and {len(result.neurons) - _NAMED} more"] if len(result.neurons) > _NAMED else []
    verb = "What excites " if result.sign == "+" else "What drives below zero "
    title = [verb, *names, *more]
    exact, rows = int(result.exact.sum()), len(result.table)
    said = f"{rows:,} rows of {result.considered:,} patterns looked at"
    said += f" · {exact:,} from every occurrence" if rows else ""
    said += " · measured by running the model" if measured else " · from the index, without running the model"
    said += " · numbers are of minus the activation" if result.sign == "-" else ""
    if alone is not None:
        fires = dict(zip(alone.patterns, alone.fires.tolist(), strict=True))
        checked = [fires[pattern] for pattern in result.table["tokens"] if pattern in fires]
        said += f" · {sum(checked):,} of {len(checked):,} fire alone"
    return heading(html.Span(title, className="asked-neurons"), said)


def legend(result: ReverseQuery, alone: Alone | None = None, order: str = "mean", other: str = "") -> Any:
    """What the columns and the sources mean; `other` is what the model is called that was compared with."""
    group = len(result.neurons) > 1
    unit = "in standard deviations from each neuron's mean, averaged over the group" if group else "activation"
    lines = [
        ("Mean", f"empirical-Bayes mean, {unit}, with its 90 % interval{_ordered(order, 'mean')}."),
        ("z", "the mean in standard deviations from the neuron's own mean."),
        ("Lift", "how many times likelier the neuron fires here than anywhere; firing is from a quarter of its peak."),
        ("Share", f"of the neuron's known firings, the part that this explains{_ordered(order, 'share')}."),
        ("corpus", "every occurrence in the corpus was measured."),
        ("sample of k", "k occurrences drawn at random were measured."),
        ("strong contexts only", "all that is known are strongest contexts; elsewhere its mean stands in."),
    ]
    if group:
        lines.insert(4, ("Agree", "share of the neurons whose z is above 1."))
    if alone is not None:
        reached = f"✓ where that reaches {alone.threshold:.3g}, from which on it counts as firing"
        lines.insert(
            -3, ("Alone", f"activation when the n-gram is all the text there is, after {alone.after}; {reached}.")
        )
        lines.insert(-3, ("Kept", "the part of the mean that is left alone."))
    if other:
        lines.insert(-3, ("There", f"the plain mean in {other}, at occurrences at which both models were run."))
        lines.insert(
            -3, ("Change", "how far that is above the plain mean here, at the same tokens; ± is its 95 % interval.")
        )
    terms = [part for term, says in lines for part in (html.Dt(term), html.Dd(says))]
    return html.Details([html.Summary("What the columns say"), html.Dl(terms)], className="column-legend")


def _ordered(order: str, column: str) -> str:
    return "; the order of the table" if order == column else ""


def place_of(least: int) -> int:
    """Where on its slider a least count stands: at the largest mark that is not above it."""
    return max((place for place, count in enumerate(LEAST) if count <= least), default=0)


def _least(selection: Selection) -> Any:
    """How often an n-gram occurs at least: a slider whose marks are about equally many times apart."""
    slider = dcc.Slider(
        id=Search.LEAST,
        min=0,
        max=len(LEAST) - 1,
        step=1,
        marks={place: str(count) for place, count in enumerate(LEAST)},
        value=place_of(selection.least),
        included=False,
        allow_direct_input=False,
    )
    return html.Div([html.Span("Occurs at least … times", className="label"), slider], className="least")


def _opens(neuron: Neuron) -> Any:
    return go(str(neuron), label=f"Open {neuron}", view="neuron", layer=neuron.layer, neuron=neuron.index)


def _labelled(label: str, control: Any, hint: str) -> Any:
    words = html.Label(label, htmlFor=control.id)
    return html.Div([words, control, html.P(hint, className="caption")], className="search-field")
