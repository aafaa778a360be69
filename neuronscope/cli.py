"""The terminal: the questions of the page, asked from a shell.

    neuronscope serve                                   open the page on a demo model
    neuronscope activations demo:stories "Hello world"  see or save what the neurons do on a text
    neuronscope index demo:stories texts/ --out idx     read a corpus once; then stats, neuron, reverse, responders,
                                                        project, cluster and polysemantic
    neuronscope drift demo:stories                      what fine-tuning changed, neuron by neuron
    neuronscope models                                  the checkpoints that are known by name, and what they take
    neuronscope selftest                                prove the program on this machine

Exit status: 0 done, 1 a stated error, 2 wrong usage, 130 interrupted. Every command but `serve` takes `--json` and then
prints one object that begins with `schema_version`. Heavy libraries are imported when a command needs them.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import closing
from dataclasses import asdict
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neuronscope import cli_atlas, cli_drift, cli_index, cli_neurons, terminal
from neuronscope.cli_models import Device, Json, Model, Precision, models, workspace
from neuronscope.errors import FileError, SelfTestFailed

if TYPE_CHECKING:
    from neuronscope.selftest import Report
    from neuronscope.vocabulary import Activations

STRONGEST = 5
"""Neurons shown for each layer."""


class Long(StrEnum):
    """What to do with a text longer than the model's context."""

    REFUSE = "refuse"
    WINDOW = "window"


app = typer.Typer(
    help="See what the neurons of a transformer language model do: your model, your text, your computer.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # drawing boxes around the help would make it twice as slow
)
app.add_typer(models, name="models")
for command in (*cli_index.COMMANDS, *cli_neurons.COMMANDS, *cli_atlas.COMMANDS, *cli_drift.COMMANDS):
    app.command()(command)


def main() -> None:
    """Run the command that the arguments name, and exit."""
    # Read when PyTorch is imported. Threads that spin while they wait for each other are a twentieth faster where
    # nothing else runs, and take half as long again, or far longer, where another program wants one of the cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with terminal.interruptible(), terminal.stated_errors():
        app()


def _version(wanted: bool) -> None:
    if wanted:
        from neuronscope.version import VERSION

        print(f"neuronscope {VERSION}")
        raise typer.Exit


@app.callback()
def neuronscope(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """See what the neurons of a transformer language model do: your model, your text, your computer."""


@app.command()
def serve(
    model: Annotated[
        str | None,
        typer.Argument(metavar="MODEL", help="demo:stories, a name on the hub, or a folder; that of --index if given."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; only this computer can reach 127.0.0.1.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one.")] = 8050,
    token: Annotated[bool, typer.Option("--token/--no-token", help="Ask for the secret in the printed URL.")] = True,
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in a browser.")] = True,
    offline: Annotated[bool, typer.Option("--offline", help="Never speak to a model hub.")] = False,
    folders: Annotated[
        list[Path] | None,
        typer.Option("--models", metavar="DIR", help="A folder the page may load models from; may be repeated."),
    ] = None,
    indexes: Annotated[
        list[Path] | None,
        typer.Option("--index", metavar="DIR", help="The folder of an index to look into; may be repeated."),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option("--memory-budget", metavar="SIZE", help="Most memory for models, such as 8GB; 60 % by default."),
    ] = None,
) -> None:
    """Open the page on a model; Ctrl-C stops it."""
    from neuronscope import app as page
    from neuronscope.app import serving

    roots = tuple(_folder(path) for path in folders or ())
    opened = [cli_index.open_index(folder) for folder in indexes or ()]
    model = model or (opened[0].manifest.model if opened else "demo:stories")
    owned = workspace(offline=offline, roots=roots, budget=_bytes(budget), indexes=tuple(indexes or ()))
    with closing(owned):
        with terminal.progress(f"Loading {model}"):
            scope = owned.scope(model)  # a wrong name is told here, and the first page finds the model ready
        if opened and owned.index_of(scope) is None:
            opened[0].check(scope.card)  # says what it was made from
        made = page.create_app(owned, model=model)
        secret = "auto" if token else None
        announce = partial(print, flush=True)  # the address has to be seen at once, in a log file too
        serving.serve(
            made, made.manager, host=host, port=port, token=secret, open_browser=open_browser, announce=announce
        )
    raise typer.Exit(terminal.INTERRUPTED)  # nothing but Ctrl-C ends a server


@app.command()
def activations(
    model: Model,
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="The text to run.")] = None,
    file: Annotated[Path | None, typer.Option(metavar="F", help="Take the text from a file, or - for input.")] = None,
    layers: Annotated[str | None, typer.Option(help="Such as 0,3-5; all of them by default.")] = None,
    site: Annotated[str, typer.Option(help="neurons, gate, up, residual or attention.")] = "neurons",
    long: Annotated[Long, typer.Option(help="What to do with a text beyond the model's context.")] = Long.REFUSE,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Save to .safetensors, .npz, .parquet or .csv.")
    ] = None,
    precision: Precision = "auto",
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """See which neurons are strongest on a text, or save what all of them do."""
    from neuronscope import export

    chosen = cli_atlas.layer_numbers(layers)
    if (text is None) == (file is None):
        raise typer.BadParameter("Give the text itself, or --file with a file that holds it.", param_hint="TEXT")
    given = _read(file) if file is not None else text
    path = export.check(out) if out is not None else None
    with terminal.progress(f"Loading {model}"):
        scope = workspace().scope(model, precision=precision, device=device)
        read = scope.activations(given or "", layers=chosen, site=site, long=long.value)
    if path is not None:
        export.save(read, path)
    if as_json:
        terminal.print_json("activations", **_summary(read), out=str(path) if path else None)
    elif path is not None:
        print(f"Saved {' × '.join(map(str, read.values.shape))} (layers × tokens × {_units(read)}) to {path}")
    else:
        _show_strongest(read)


@app.command()
def selftest(as_json: Json = False) -> None:
    """Prove, on models whose truth is known, that what NeuronScope reports on this computer is right."""
    from neuronscope.selftest import run

    with terminal.progress("Checking"):
        report = run()
    if as_json:
        terminal.print_json("selftest", **asdict(report), passed=report.passed)
    else:
        _show_report(report)
    if not report.passed:
        raise SelfTestFailed(
            "Not every claim holds on this machine, so its numbers are not to be trusted. "
            "Please report what `neuronscope selftest --json` prints."
        )


def _bytes(written: str | None) -> int | None:
    """The number of bytes that `8GB` or `500MB` means."""
    if written is None:
        return None
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(GB|MB)\s*", written, re.IGNORECASE)
    if not match:
        raise typer.BadParameter(f"{written!r} is no size: write 8GB or 500MB.", param_hint="--memory-budget")
    return int(float(match[1]) * (10**9 if match[2].upper() == "GB" else 10**6))


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise FileError(f"No folder {path}: --models takes a folder that holds models.")
    return path.resolve()


def _read(file: Path) -> str:
    try:
        raw = sys.stdin.buffer.read() if str(file) == "-" else file.expanduser().read_bytes()
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise FileError(f"Cannot read {file}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise FileError(f"Cannot read {file}: it is not UTF-8 text (byte {error.start}). Convert it first.") from error


def _units(read: Activations) -> str:
    return "dimensions" if read.site in {"residual", "attention"} else "neurons"


def _strongest(read: Activations) -> list[dict[str, Any]]:
    """The strongest units of each layer, strongest first, each at the kept token where it is strongest."""
    from neuronscope.analysis.ranking import rank

    rows = []
    for layer in read.layers:
        values = read.layer(layer)
        ranking = rank(values, read.tokens.kept, rule="peak", count=STRONGEST, order="rule")
        for unit, position in zip(ranking.neurons.tolist(), ranking.peaks_at.tolist(), strict=True):
            value, token = float(values[position, unit]), read.tokens.display[position]
            rows.append({"layer": layer, "unit": unit, "value": value, "position": position, "token": token})
    return rows


def _summary(read: Activations) -> dict[str, Any]:
    tokens = read.tokens
    columns = zip(tokens.ids.tolist(), tokens.display, tokens.offsets.tolist(), tokens.kept.tolist(), strict=True)
    return {
        **asdict(read.source),
        "site": read.site.value,
        "layers": list(read.layers),
        "units": read.values.shape[-1],
        "text": tokens.text,
        "window": read.window,
        "tokens": [
            {"position": i, "id": token, "token": shown, "start": start, "stop": stop, "kept": kept}
            for i, (token, shown, (start, stop), kept) in enumerate(columns)
        ],
        "rule": "largest |activation| on the kept tokens",
        "strongest": _strongest(read),
    }


def _show_strongest(read: Activations) -> None:
    source, window = read.source, f", read in windows of {read.window:,}" if read.window else ""
    table = terminal.table(_units(read)[:-1], ">activation", "on", ">position")
    for row in _strongest(read):
        name = f"L{row['layer']}.{read.unit_name(row['unit'])}"
        table.add_row(name, f"{row['value']:.3f}", row["token"], str(row["position"]))
    terminal.show(
        table,
        f"{source.model} ({source.revision}, {source.precision}), {read.site} site. Of each layer's "
        f"{read.values.shape[-1]:,} {_units(read)}, the {STRONGEST} with the largest magnitude on "
        f"{int(read.tokens.kept.sum())} of {len(read.tokens)} tokens{window}: the first and special ones do not count. "
        "--out saves all of them.",
    )


def _show_report(report: Report) -> None:
    table = terminal.table("", "claim", "expected", "found", folded=("claim", "expected", "found"))
    for check in report.checks:
        table.add_row("✓" if check.passed else "✗", check.claim, check.expected, check.found)
    failed = sum(not check.passed for check in report.checks)
    verdict = f"{failed} do not hold" if failed else "all hold"
    terminal.show(table, f"{len(report.checks)} claims put to the test in {report.seconds:.1f} s: {verdict}.")
