"""The terminal's questions about neurons of an index: what they do, what excites them, who answers to a text.

None of them needs a model. With `--model`, what an index only knows in part is measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neuronscope import terminal
from neuronscope.cli_index import Count, Csv, Folder, number, open_index, provenance, save_csv, sentence
from neuronscope.cli_models import Device, Json, workspace
from neuronscope.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from neuronscope.analysis.responders import Responders
    from neuronscope.analysis.reverse_query import Alone, ReverseQuery
    from neuronscope.beside import Beside
    from neuronscope.indexed import Index
    from neuronscope.interchange import Format
    from neuronscope.scope import Scope
    from neuronscope.vocabulary import Example, Neuron

Sign = Annotated[str, typer.Option(metavar="+|-", help="+ for what excites, - for what drives below zero.")]
_RAISING = ("+", "++", "--")
"""Signs, and cases of gate and up, in which an activation is above zero."""
Measured = Annotated[
    str | None,
    typer.Option("--model", metavar="MODEL", help="The model the index was made from: what is not known is measured."),
]
Against = Annotated[
    str | None,
    typer.Option("--against", metavar="CHECKPOINT", help="What it became in another checkpoint; needs --model."),
]


def neuron(
    folder: Folder,
    name: Annotated[str, typer.Argument(metavar="NEURON", help="Such as L5.N131.")],
    sign: Annotated[str, typer.Option(metavar="+|-", help="+ or -; of a gated MLP also ++, +-, -+ or --.")] = "+",
    count: Annotated[int, typer.Option(min=1, max=50, metavar="N", help="Contexts, 50 at most.")] = 10,
    model: Measured = None,
    device: Device = "auto",
    export: Annotated[
        str | None, typer.Option(metavar="FORMAT", help="Write contexts for other tools: openai or neuronpedia.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="The file to write them to.")] = None,
    as_json: Json = False,
) -> None:
    """Show one neuron: its numbers, its strongest contexts, and the neurons most like it."""
    form = _format(export, out)
    if form == "openai" and sign not in _RAISING:
        raise typer.BadParameter(
            "A NeuronRecord holds the most positive contexts: leave --sign out.", param_hint="--sign"
        )
    opened, asked = open_index(folder), neurons_of(name)[0]
    opened.row(asked)
    with terminal.progress(f"Loading {model}" if model else "Asking"):
        scope = measuring(opened, model, device)
        examples = _examples(opened, scope, asked, sign, count if export is None else 50)
        saved = None
        if form is not None and out is not None:
            from neuronscope import interchange

            sample = scope.contexts(opened, asked, opened.examples(asked, 50, kind="random")) if scope else []
            written = interchange.save(opened, asked, examples, out, form=form, random=sample)
            saved = f"Saved {written} contexts of {asked} to {out}"
    if as_json:
        terminal.print_json("neuron", **provenance(opened), **_card(opened, asked, sign, examples), out=out)
    elif saved is not None:
        print(saved)
    else:
        _show_neuron(opened, asked, sign, examples, exact=scope is not None)


def reverse(
    folder: Folder,
    names: Annotated[str, typer.Argument(metavar="NEURONS", help="One or several: L5.N131 or L5.N131,L5.N7.")],
    n: Annotated[str, typer.Option("--n", metavar="1,2,3", help="Lengths of the n-grams, 1 to 5.")] = "1,2,3",
    sign: Sign = "+",
    skips: Annotated[bool, typer.Option("--skips/--no-skips", help="Also patterns that skip a token.")] = True,
    check: Annotated[
        bool, typer.Option("--check", help="Run the rows shown alone, to see whether each excites it; needs --model.")
    ] = False,
    model: Measured = None,
    against: Against = None,
    device: Device = "auto",
    count: Count = 20,
    csv: Csv = None,
    as_json: Json = False,
) -> None:
    """Ask which tokens and n-grams excite a neuron, or a group of neurons, most."""
    from neuronscope.analysis.reverse_query import beside

    asked, lengths = neurons_of(names), _lengths(n)
    opened = open_index(folder)
    if check and model is None:
        raise InputError("To run n-grams alone takes the model: add --model MODEL.")
    with terminal.progress(f"Loading {model}" if model else "Asking"):
        if scope := measuring(opened, model, device):
            found = scope.reverse_query(opened, asked, lengths, sign, skips=skips)
        else:
            found = opened.reverse_query(asked, lengths, sign, skips=skips)
        alone = scope.check(opened, found, count) if scope and check else None
        other = compared(opened, scope, against)
        changes = other.ngrams(found, count) if other else None
    table = found.table if alone is None else beside(found.table, alone)
    if changes is not None:
        table = table.merge(changes.drop(columns="ngram"), on="tokens", how="left")
    saved = save_csv(table.drop(columns="tokens"), csv)
    if as_json:
        told: dict[str, Any] = {"neurons": [str(one) for one in found.neurons], "sign": sign, "unit": found.unit}
        told |= {"checked_after": alone.after, "threshold": alone.threshold} if alone else {}
        told |= {"against": against} if against else {}
        rows = table.head(count).to_dict("records")
        more = {"of": len(found.table), "considered": found.considered, "without_effect": found.without_effect}
        terminal.print_json("reverse", **provenance(opened), **told, **more, out=saved, rows=rows)
        return
    _show_reverse(opened, found, table, count, saved, alone, against)


def responders(
    folder: Folder,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="A token, or with --model any text.")],
    regex: Annotated[bool, typer.Option("--regex", help="TEXT is a regular expression; needs --model.")] = False,
    model: Measured = None,
    against: Against = None,
    device: Device = "auto",
    count: Count = 20,
    csv: Csv = None,
    as_json: Json = False,
) -> None:
    """Ask which neurons a token, an n-gram or a regular expression excites or calms most."""
    opened = open_index(folder)
    if model is None and regex:
        raise InputError("A regular expression is looked for by running the model where it matches: add --model MODEL.")
    with terminal.progress(f"Loading {model}" if model else "Asking"):
        scope = measuring(opened, model, device)
        if other := compared(opened, scope, against):
            changed = other.responders(text, regular=regex, limit=count)
        elif scope is not None:
            found = scope.responders(opened, text, regular=regex, limit=count)
        else:
            found = _by_token(opened, text, count)
    if other is not None:
        _tell_changed(opened, changed, text, str(against), csv, as_json=as_json)
        return
    saved = save_csv(found.table, csv)
    if as_json:
        rows = found.table.to_dict("records")
        more = {"text": text, "regex": regex, "known": found.known, "of": found.neurons, "out": saved}
        terminal.print_json("responders", **provenance(opened), **more, rows=rows)
        return
    drawn = terminal.table("neuron", ">z", ">mean", ">extreme", ">count")
    for row in found.table.to_dict("records"):
        numbers = (number(row[name]) for name in ("z", "mean", "max"))
        drawn.add_row(f"L{row['layer']}.N{row['neuron']}", *numbers, f"{row['count']:,}")
    whole = "" if found.known == found.neurons else ": the others do not list it among their best or worst tokens"
    terminal.show(
        drawn,
        f"Neurons by z, up to {count} excited and {count} calmed. Known is the response of {found.known:,} of "
        f"{found.neurons:,} neurons{whole}. {sentence(opened)}",
    )


def _tell_changed(
    opened: Index, changed: pd.DataFrame, text: str, against: str, csv: Path | None, *, as_json: bool
) -> None:
    """The neurons that respond otherwise in another checkpoint."""
    saved, rows = save_csv(changed, csv), changed.to_dict("records")
    if as_json:
        terminal.print_json("responders", **provenance(opened), text=text, against=against, out=saved, rows=rows)
        return
    drawn = terminal.table("neuron", ">change in sd", ">change", ">±", ">here", ">there", ">count")
    for row in rows:
        numbers = (number(row[name]) for name in ("z", "change", "margin", "here", "there"))
        drawn.add_row(f"L{row['layer']}.N{row['neuron']}", *numbers, f"{row['count']:,}")
    terminal.show(
        drawn,
        f"Neurons that respond otherwise in {against}, at the same tokens, most changed first; ± is half of a 95 % "
        f"interval. {sentence(opened)}",
    )


def _by_token(opened: Index, text: str, count: int) -> Responders:
    try:
        return opened.responders(text, limit=count)
    except InputError as problem:
        raise InputError(f"{problem} With --model MODEL any text is run where it occurs in the corpus.") from None


def _format(written: str | None, out: Path | None) -> Format | None:
    from neuronscope.interchange import Format

    if (written is None) != (out is None):
        raise typer.BadParameter("--export and --out go together: which format, and which file.", param_hint="--export")
    if written is not None and written not in set(Format):
        raise typer.BadParameter(f"{written!r} is no format: {' or '.join(Format)}.", param_hint="--export")
    return None if written is None else Format(written)


def neurons_of(names: str) -> list[Neuron]:
    """Neurons written as `L5.N131,L5.N7`; raises `NoSuchNeuron`."""
    from neuronscope.vocabulary import Neuron

    return [Neuron.parse(name) for name in names.split(",")]


def _lengths(written: str) -> tuple[int, ...]:
    parts = [part.strip() for part in written.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise typer.BadParameter(f"{written!r} is no list of lengths: write 1,2,3.", param_hint="--n")
    return tuple(sorted({int(part) for part in parts}))


def measuring(opened: Index, model: str | None, device: str) -> Scope | None:
    """The model, in the precision in which the index was made; None if none is named."""
    if model is None:
        return None
    scope = workspace().scope(model, precision=opened.manifest.precision, device=device)
    opened.check(scope.card)
    return scope


def compared(opened: Index, scope: Scope | None, against: str | None) -> Beside | None:
    """Another checkpoint beside the model of the index; None if none is named."""
    if against is None:
        return None
    if scope is None:
        raise InputError("To compare takes the model that the index was made from, too: add --model MODEL.")
    other = workspace().scope(against, precision=scope.card.precision, device=scope.key.device)
    return scope.beside(opened, other)


def _examples(opened: Index, scope: Scope | None, asked: Neuron, sign: str, count: int) -> Sequence[Example]:
    turned = 1 if sign in _RAISING else -1
    # Of a neuron that is rarely, or never, on that side of zero, the strongest are not all on it.
    found = [one for one in opened.examples(asked, count, sign) if one.value * turned > 0]
    return scope.contexts(opened, asked, found) if scope else found


def _card(opened: Index, asked: Neuron, sign: str, examples: Sequence[Example]) -> dict[str, Any]:
    table = opened.statistics().iloc[opened.row(asked)]
    histogram = opened.histogram(asked)
    bands = opened.bands(asked, "+" if sign in _RAISING else "-")
    return {
        "neuron": str(asked),
        "sign": sign,
        "statistics": {name: table[name] for name in table.index if name not in {"layer", "neuron"}},
        "histogram": {"edges": histogram.edges, "counts": histogram.counts, "tokens": histogram.tokens},
        "bands": [{"low": band.low, "high": band.high, "share": band.share} for band in bands],
        "nearest": [{"neuron": str(other), "r": r} for other, r in opened.nearest(asked)],
        "examples": [asdict(example) for example in examples],
    }


def _show_neuron(opened: Index, asked: Neuron, sign: str, examples: Sequence[Example], *, exact: bool) -> None:
    row = opened.statistics().iloc[opened.row(asked)]
    numbers = terminal.table(*(f">{name}" for name in row.index if name not in {"layer", "neuron"}))
    numbers.add_row(*(number(row[name]) for name in row.index if name not in {"layer", "neuron"}))
    terminal.show(numbers)
    if not float(row["std"]) > 0:
        print(f"{asked} never varies: it is {number(row['mean'])} on every token that counts. It has no contexts.")
    else:
        drawn = terminal.table(">activation", "context", "document", folded=("context",))
        for example in examples:
            drawn.add_row(number(example.value), marked(example), example.document)
        none = "" if examples else f" There is none: it is never {'above' if sign in _RAISING else 'below'} zero there."
        measured = ", every token measured" if exact else ""
        terminal.show(drawn, f"Contexts of {asked}, sign {sign}, strongest first, one a window{measured}.{none}")
    if near := opened.nearest(asked, 5):
        print(f"Nearest over {opened.manifest.seen:,} tokens: {', '.join(f'{n} (r {r:+.2f})' for n, r in near)}.")
    print(sentence(opened))


def marked(example: Example) -> str:
    """A context on one line, its peak in brackets."""
    parts = [f"⟦{token}⟧" if i == example.peak else token for i, token in enumerate(example.tokens)]
    words = any("·" in token for token in example.tokens)
    return "".join(parts) if words or len(parts) == 1 else " ".join(parts)


def _show_reverse(
    opened: Index,
    found: ReverseQuery,
    table: pd.DataFrame,
    count: int,
    saved: Path | None,
    alone: Alone | None,
    against: str | None,
) -> None:
    group = len(found.neurons) > 1
    columns = ("mean", "low", "high", "max", "z", "lift", "share", *(("agree",) if group else ()))
    columns += ("alone", "kept") if alone else ()
    columns += ("there", "change", "margin") if against else ()
    fires = ("fires alone",) if alone else ()
    drawn = terminal.table("n-gram", ">mean", ">count", *(f">{name}" for name in columns[1:]), *fires, "source")
    for row in table.head(count).to_dict("records"):
        first, *others = (number(row[name]) for name in columns)
        says = ("yes" if row["fires"] else "no",) if alone else ()
        drawn.add_row(row["ngram"], first, f"{row['count']:,}", *others, *says, row["source"])
    who = str(found.neurons[0]) if not group else f"{len(found.neurons)} neurons, in standard deviations"
    shown = min(count, len(found.table))
    minus = " Numbers are of minus the activation." if found.sign == "-" else ""
    none = "" if shown else " Nothing in the corpus excites it above its mean."
    said = f" All {len(found.table):,} are in {saved}." if saved else ""
    said += f" Alone: after {alone.after}; it fires from {number(alone.threshold)} on." if alone else ""
    said += f" There: the plain mean in {against}, and its change at the same tokens, ± margin." if against else ""
    terminal.show(
        drawn,
        f"What ends at the tokens that excite {who}: {shown:,} of {len(found.table):,} listed, {found.considered:,} "
        f"looked at; empirical-Bayes means with 90 % intervals.{minus}{none} {sentence(opened)}{said}",
    )


COMMANDS = (neuron, reverse, responders)
"""The commands of this module, in the order in which help lists them."""
