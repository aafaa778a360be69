"""The terminal's questions about a corpus: read it once and remember it, and what every neuron did on it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neuronscope import terminal
from neuronscope.cli_models import Device, Json, Model, Precision, megabytes, workspace
from neuronscope.errors import InputError, NeuronScopeError

if TYPE_CHECKING:
    import pandas as pd

    from neuronscope.indexed import Index

Folder = Annotated[Path, typer.Argument(metavar="INDEX", help="The folder of an index.")]
Count = Annotated[int, typer.Option(min=1, metavar="N", help="Rows to show.")]
Csv = Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write the whole table to a CSV file.")]


def index(
    model: Model,
    corpus: Annotated[
        list[str] | None,
        typer.Argument(metavar="CORPUS...", help="Files, folders, patterns, hf: data sets, or - for input."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the index shall be; the model's own folder by default.")
    ] = None,
    tokens: Annotated[int | None, typer.Option(min=1, metavar="N", help="Read at most so many tokens.")] = None,
    window: Annotated[
        int | None, typer.Option(metavar="N", help="Tokens that run together; 128, or the context if it is shorter.")
    ] = None,
    overlap: Annotated[int, typer.Option(metavar="N", help="Tokens each window repeats of the one before.")] = 0,
    field: Annotated[str, typer.Option(metavar="NAME", help="The JSON field or column that holds the text.")] = "text",
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Scan in so many processes, each with its own model.")
    ] = None,
    dask: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Scan on the Dask cluster with this scheduler.")
    ] = None,
    precision: Precision = "auto",
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Read a corpus once and remember what every neuron did; the same command goes on where it was stopped."""
    folder = out
    with terminal.interruptible(last_words=lambda: _reached(folder)), terminal.progress(f"Loading {model}"):
        scope = workspace().scope(model, precision=precision, device=device)
        folder = out or scope.index_folder
        made = scope.index(
            corpus or (),
            folder,
            tokens=tokens,
            window=window,
            overlap=overlap,
            field=field,
            workers=workers,
            dask=dask,
        )
    counts = made.store.corpus.about["counts"]
    if as_json:
        shape = {"layers": made.manifest.layers, "neurons": made.manifest.neurons}
        more = {"folder": folder, "bytes": made.store.bytes, "counts": counts}
        terminal.print_json("index", **provenance(made), **shape, **more)
        return
    print(f"{sentence(made)} The index is in {folder} ({megabytes(made.store.bytes)}).")
    if told := _oddities(counts):
        print(told)


def stats(
    folder: Folder,
    layer: Annotated[int | None, typer.Option(metavar="L", help="Only this layer.")] = None,
    sort: Annotated[str, typer.Option(metavar="COLUMN", help="What to sort by, largest first.")] = "kurtosis",
    ascending: Annotated[bool, typer.Option("--ascending", help="Smallest first.")] = False,
    count: Count = 20,
    csv: Csv = None,
    verify: Annotated[bool, typer.Option("--verify", help="First compare every file with its checksum.")] = False,
    as_json: Json = False,
) -> None:
    """Show what every neuron does over the corpus: moments, extremes, how often it fires."""
    opened = open_index(folder)
    if verify:
        with terminal.progress("Comparing checksums"):
            opened.store.verify()
    table = _sorted(opened, layer, sort, ascending)
    saved = save_csv(table, csv)
    shown = table.head(count)
    if as_json:
        rows = shown.to_dict("records")
        terminal.print_json("stats", **provenance(opened), verified=verify, of=len(table), out=saved, rows=rows)
        return
    columns = [name for name in shown.columns if name not in {"layer", "neuron", "count"}]
    columns = [sort, *(name for name in columns if name != sort)] if sort in columns else columns
    drawn = terminal.table("neuron", *(f">{name}" for name in columns))
    for row in shown.to_dict("records"):
        drawn.add_row(f"L{row['layer']}.N{row['neuron']}", *(number(row[name]) for name in columns))
    order = "smallest" if ascending else "largest"
    checked = " Every file is as it was written." if verify else ""
    said = f" All {len(table):,} are in {saved}." if saved else ""
    terminal.show(
        drawn, f"{len(shown):,} of {len(table):,} neurons, {order} {sort} first. {sentence(opened)}{checked}{said}"
    )


def labels(
    folder: Folder,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .csv or .jsonl file of labels; see interchange.py.")],
    replace: Annotated[bool, typer.Option("--replace", help="Also where a neuron has another label already.")] = False,
    as_json: Json = False,
) -> None:
    """Take labels of neurons from a file into the notes that the page shows and keeps."""
    from neuronscope import interchange
    from neuronscope.app.notes import Note, Notes
    from neuronscope.settings import Settings

    opened = open_index(folder)
    found = interchange.labels(file)
    for one in found:
        opened.row(one.neuron)  # a neuron that is not there is told before anything is written
    notes, source = Notes(Settings.from_environment().data_folder), opened.source
    taken = 0
    for one in found:
        known = notes.of(source.model, source.revision, one.neuron)
        if replace or known.label in ("", one.text):
            notes.write(source.model, source.revision, one.neuron, Note(one.text, known.note))
            taken += 1
    if as_json:
        terminal.print_json("labels", **provenance(opened), taken=taken, of=len(found))
        return
    kept = (
        f" {len(found) - taken:,} neurons keep the label they have: --replace changes it." if taken < len(found) else ""
    )
    print(f"{taken:,} labels are in the notes on {source.model}.{kept}")


def open_index(folder: Path) -> Index:
    """Open the index in a folder; raises `IndexProblem`."""
    from neuronscope.indexed import Index

    return Index.open(folder)


def provenance(opened: Index) -> dict[str, Any]:
    """What stands beside every answer: model, corpus, how much of it has been seen."""
    m = opened.manifest
    return {
        **asdict(opened.source),
        "corpus": list(opened.store.corpus.sources),
        "corpus_fingerprint": m.corpus,
        "window": m.window,
        "tokens": m.tokens,
        "seen": m.seen,
        "complete": m.complete,
    }


def sentence(opened: Index) -> str:
    """The same in words."""
    m, source, sources = opened.manifest, opened.source, opened.store.corpus.sources
    of = Path(sources[0]).name if len(sources) == 1 else f"{len(sources):,} files"
    made = f"{source.model} ({source.revision[:12]}, {source.precision})"
    return f"{made} on {of}, {opened.progress}, windows of {m.window}."


def number(value: Any) -> str:
    """A number to four digits; a dash for none."""
    value = float(value) + 0.0  # -0 is 0
    if value != value:
        return "–"
    if value.is_integer() and abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:.4g}" if 1e-4 <= abs(value) < 1e6 else f"{value:.3e}"


def save_csv(table: pd.DataFrame, path: Path | None) -> Path | None:
    """Write a table to `path`, whole or not at all, and return where; nothing where no path is given."""
    from neuronscope.errors import FileError
    from neuronscope.export import written_aside

    if path is None:
        return None
    path = path.expanduser()
    if not path.parent.is_dir() or path.is_dir():
        raise FileError(f"Cannot write {path}: name a file in a folder that is there.")
    with written_aside(path) as aside:
        table.to_csv(aside, index=False)
    return path


def _reached(folder: Path | None) -> str:
    """How far an index has come and how to go on, when it is interrupted."""
    from neuronscope.index.store import read_manifest

    try:
        manifest = read_manifest(folder.expanduser()) if folder is not None else None
    except NeuronScopeError as problem:
        return f"neuronscope: interrupted. {problem}"
    if manifest is None:
        return "neuronscope: interrupted before anything was scanned. The same command begins again."
    return (
        f"neuronscope: interrupted. {manifest.seen:,} of {manifest.tokens:,} tokens are in {folder}; "
        "the same command goes on from there."
    )


def _oddities(counts: dict[str, int]) -> str:
    said = {"empty": "empty, left out", "cut": "longer than 100,000 characters, read in stretches"}
    parts = [f"{counts[name]:,} {words}" for name, words in said.items() if counts.get(name)]
    if counts.get("undecodable"):
        parts.append(f"with {counts['undecodable']:,} bytes that are no UTF-8, read as U+FFFD")
    return f"Of {counts['documents']:,} documents: {'; '.join(parts)}." if parts else ""


def _sorted(opened: Index, layer: int | None, sort: str, ascending: bool) -> pd.DataFrame:
    from neuronscope.errors import NoSuchLayer

    table = opened.statistics()
    if sort not in table.columns:
        raise InputError(f"No column {sort!r}: there are {', '.join(table.columns)}.")
    if layer is not None:
        if not 0 <= layer < opened.manifest.layers:
            raise NoSuchLayer.among(layer, opened.source.model, opened.manifest.layers)
        table = table[table["layer"] == layer]
    return table.sort_values(sort, ascending=ascending, kind="stable", na_position="last")


COMMANDS = (index, stats, labels)
"""The commands of this module, in the order in which help lists them."""
