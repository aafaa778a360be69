"""The terminal's question about a series of checkpoints: what fine-tuning changed, neuron by neuron.

Measuring needs the models; a drift that is there is looked into without any.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neuronscope import cli_drift_tables as tables
from neuronscope import terminal
from neuronscope.cli_atlas import drawable
from neuronscope.cli_index import Count, Csv, save_csv
from neuronscope.cli_models import Device, Json, Precision, workspace
from neuronscope.cli_neurons import Sign, neurons_of
from neuronscope.errors import NeuronScopeError

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from neuronscope.figures.theme import Mode
    from neuronscope.series import Drift
    from neuronscope.vocabulary import Neuron

_DEMO = "demo:"
_MOVING = (".gif", ".webp", ".html")


def drift(
    model: Annotated[
        str | None,
        typer.Argument(metavar="MODEL", help="The base: demo:stories, a name on the hub, or a folder."),
    ] = None,
    checkpoints: Annotated[
        list[str] | None,
        typer.Argument(metavar="CHECKPOINT...", help="Folders, a folder full of them, adapters, NAME@REVISION."),
    ] = None,
    corpus: Annotated[
        list[str] | None,
        typer.Option(metavar="F", help="What to compare them on: a file, folder, pattern or hf: set; may be repeated."),
    ] = None,
    control: Annotated[
        str | None,
        typer.Option(metavar="CHECKPOINT", help="Trained as long on more of the old data: drift beyond it counts."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the drift is, or shall be; by default in the data folder."),
    ] = None,
    tokens: Annotated[int | None, typer.Option(min=1, metavar="N", help="Read at most so many tokens; 50,000.")] = None,
    window: Annotated[
        int | None, typer.Option(metavar="N", help="Tokens that run together; 128, or the context if it is shorter.")
    ] = None,
    field: Annotated[str, typer.Option(metavar="NAME", help="The JSON field or column that holds the text.")] = "text",
    checkpoint: Annotated[
        str | None, typer.Option(metavar="LABEL", help="Look at this checkpoint; the last by default.")
    ] = None,
    neuron: Annotated[
        str | None, typer.Option(metavar="L1.N52", help="Look at this neuron: its course, tokens and contexts.")
    ] = None,
    layers: Annotated[bool, typer.Option("--layers", help="Look at layers instead of neurons.")] = False,
    sign: Sign = "+",
    count: Count = 20,
    csv: Csv = None,
    figure: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Draw it: an .html file that needs nothing else.")
    ] = None,
    animation: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The moving map: .gif, .webp, or an .html page that plays it.")
    ] = None,
    dark: Annotated[bool, typer.Option("--dark", help="Draw on a dark ground.")] = False,
    precision: Precision = "auto",
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Ask what fine-tuning changed, neuron by neuron; with --out alone, look into a drift that is there.

    For a demo model the checkpoints, the control and the texts may be left out. The same command goes on where it was
    stopped.
    """
    from neuronscope import figures

    figure, animation = drawable(figure), drawable(animation, *_MOVING)
    asked = neurons_of(neuron)[0] if neuron else None
    if model is None and out is None:
        raise typer.BadParameter("Name the base and its checkpoints, or --out with a drift that is there.")
    with _interruptible(out):
        if model is None:
            found = _opened(out)
        else:
            found = _measured(
                model, checkpoints, corpus, control, out,
                {"tokens": tokens, "window": window, "field": field}, {"precision": precision, "device": device},
            )  # fmt: skip
        one = found.checkpoint(checkpoint if checkpoint is not None else len(found.checkpoints) - 1)
        if asked is not None:
            found.row(asked)
        with terminal.progress("Drawing"):
            saved = save_csv(found.layers if layers else found.table, csv)
            mode: Mode = "dark" if dark else "light"
            drawn = _draw(_figures(found, one.label, asked, layers, mode), figure, mode)
            moving = figures.animate(found, animation, mode=mode) if animation else None
    where = {"folder": found.folder, "out": saved, "figure": drawn, "animation": moving}
    if as_json:
        terminal.print_json("drift", **tables.told(found, one.label, asked, layers, sign, count), **where)
        return
    tables.show(found, one.label, asked, layers, sign, count)
    said = {"out": "The whole table is in", "figure": "The figure is in", "animation": "The moving map is in"}
    print(
        " ".join(
            [f"The drift is in {found.folder}.", *(f"{said[name]} {where[name]}." for name in said if where[name])]
        )
    )


@contextmanager
def _interruptible(out: Path | None) -> Iterator[None]:
    with terminal.interruptible(last_words=lambda: _reached(out)):
        yield


def _reached(folder: Path | None) -> str:
    """How far a drift has come and how to go on, when it is interrupted."""
    from neuronscope.series import store

    try:
        manifest = store.read_manifest(folder.expanduser()) if folder is not None else None
    except NeuronScopeError as problem:
        return f"neuronscope: interrupted. {problem}"
    if manifest is None:
        return "neuronscope: interrupted. The same command goes on with the first checkpoint that is not done."
    done = sum(one.done for one in manifest.checkpoints)
    return (
        f"neuronscope: interrupted. {done:,} of {len(manifest.checkpoints):,} checkpoints, the base among them, are in "
        f"{folder}; the same command goes on from there."
    )


def _opened(folder: Path | None) -> Drift:
    from neuronscope.series import Drift

    assert folder is not None
    return Drift.open(folder)


def _measured(
    model: str,
    checkpoints: Sequence[str] | None,
    corpus: Sequence[str] | None,
    control: str | None,
    out: Path | None,
    probing: dict[str, Any],
    held: dict[str, Any],
) -> Drift:
    """Measure, or go on; a drift of the same checkpoints that is whole is opened without any model."""
    from neuronscope import series

    demo = model.startswith(_DEMO) and "/" not in model
    if not checkpoints and not demo:
        raise typer.BadParameter("Name the checkpoints, or a folder that holds them.", param_hint="CHECKPOINT...")
    if not checkpoints:
        control = control or _demo_control(model)
    candidates = series.find(checkpoints or [f"{model}/*"])
    names = [*([control] if control else []), *(one.name for one in candidates)]
    asked = {"sources": list(corpus) if corpus else None, **probing}
    if out is not None and _whole(out, model, names, asked):
        return series.Drift.open(out)
    if not corpus and not demo:
        raise typer.BadParameter("Name the texts to compare them on.", param_hint="--corpus")
    with terminal.progress(f"Loading {model}"):
        texts: Sequence[str | Path] = corpus or [_demo_corpus(probing["tokens"] or series.TOKENS)]
        scope = workspace().scope(model, **held)
        return scope.drift([one.name for one in candidates], texts, control=control, folder=out, **probing)


def _whole(folder: Path, model: str, names: Sequence[str], asked: Mapping[str, Any]) -> bool:
    """Whether a folder holds a finished drift of these checkpoints, on the texts that are `asked` for, if any are."""
    from neuronscope.series import store

    manifest = store.read_manifest(folder.expanduser())
    if manifest is None or manifest.model != model or not all(one.done for one in manifest.checkpoints):
        return False
    same = all(manifest.asked[name] == value for name, value in asked.items() if value is not None)
    return same and [one.name for one in manifest.checkpoints[1:]] == list(names)


def _demo_control(model: str) -> str | None:
    """The control that comes with a demo model, if one does."""
    from neuronscope.errors import ModelNotFound
    from neuronscope.models.catalogue import demo_folder

    try:
        demo_folder(f"{model}/control")
    except ModelNotFound:
        return None
    return f"{model}/control"


def _demo_corpus(tokens: int) -> Path:
    """Texts of the demo models' world with ships' logs among them, which is what fine-tuning taught."""
    from neuronscope.app import corpora
    from neuronscope.settings import Settings

    return corpora.generated(Settings.from_environment(), tokens, logs=True)()


def _figures(found: Drift, checkpoint: str, asked: Neuron | None, layers: bool, mode: Mode) -> Iterator[go.Figure]:
    """What there is to draw of what is looked at."""
    from neuronscope import figures

    if asked is not None:
        yield figures.drift_course(found, asked, mode=mode)
        yield figures.drift_neuron(found, asked, checkpoint, mode=mode)
        yield figures.drift_pairs(found, asked, checkpoint, mode=mode)
        yield figures.drift_tokens(found, asked, checkpoint, mode=mode)
        return
    if not layers:
        yield figures.drift_map(found, checkpoint, mode=mode)
        yield figures.drift_parts(found, checkpoint, mode=mode)
        yield figures.drift_events(found, mode=mode)
    measures = figures.DRIFT_MEASURES if layers else ("drift",)
    for measure in measures:
        yield figures.drift_layers(found, measure, checkpoint=checkpoint, mode=mode)
    yield figures.drift_losses(found, checkpoint=checkpoint, mode=mode)


def _draw(drawn: Iterator[go.Figure], path: Path | None, mode: Mode) -> Path | None:
    """Write figures below each other into one HTML file that holds all it needs."""
    from neuronscope.export import written_aside
    from neuronscope.figures.theme import palette

    if path is None:
        return None
    parts = [figure.to_html(full_html=False, include_plotlyjs=number == 0) for number, figure in enumerate(drawn)]
    with written_aside(path) as aside:
        aside.write_text(_PAGE.format(paper=palette(mode).paper, body="\n".join(parts)), "utf-8")
    return path


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>What changed</title></head>
<body style="background: {paper}">
{body}
</body>
</html>
"""


COMMANDS = (drift,)
"""The commands of this module."""
