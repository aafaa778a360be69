"""The terminal's questions about models: which there are, what they take, how to bring one, how faithful one is."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neuronscope import terminal
from neuronscope.errors import FileError, ModelDoesNotFit, ModelNotFound

if TYPE_CHECKING:
    from neuronscope.analysis.fidelity import Fidelity
    from neuronscope.models.estimate import Estimate
    from neuronscope.models.precision import Choice
    from neuronscope.scope import Workspace
    from neuronscope.vocabulary import ModelCard

Model = Annotated[str, typer.Argument(metavar="MODEL", help="demo:stories, a name on the hub, or a folder.")]
Precision = Annotated[str, typer.Option(help="auto, float32, bfloat16, float16, int8 or nf4.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

models = typer.Typer(help="The checkpoints that are known by name, and what they take.", invoke_without_command=True)


def workspace(
    *,
    offline: bool = False,
    roots: tuple[Path, ...] = (),
    budget: int | None = None,
    indexes: tuple[Path, ...] = (),
) -> Workspace:
    """What one command owns, from the environment and its options."""
    from dataclasses import replace

    from neuronscope.scope import Workspace
    from neuronscope.settings import Settings

    settings = Settings.from_environment()
    return Workspace(
        replace(settings, offline=offline or settings.offline, model_roots=roots), budget=budget, index_folders=indexes
    )


@models.callback()
def models_or_list(context: typer.Context, as_json: Json = False) -> None:
    """List the checkpoints that are known by name."""
    if context.invoked_subcommand is None:
        list_models(as_json)


@models.command("list")
def list_models(as_json: Json = False) -> None:
    """List the checkpoints that are known by name."""
    from neuronscope.models.catalogue import CATALOGUE

    if as_json:
        terminal.print_json("models list", models=[{**asdict(entry), "family": entry.family} for entry in CATALOGUE])
        return
    table = terminal.table("name", "family", ">weights", ">context", "licence", "use", folded=("licence", "use"))
    for entry in CATALOGUE:
        licence = f"{entry.licence} (ask first)" if entry.permission else entry.licence
        table.add_row(
            entry.name, entry.family, terminal.short(entry.parameters), f"{entry.context:,}", licence, entry.use
        )
    terminal.show(table)


@models.command("info")
def model_info(model: Model, precision: Precision = "auto", device: Device = "auto", as_json: Json = False) -> None:
    """Load a model and say what it is."""
    with terminal.progress(f"Loading {model}"):
        card = workspace().scope(model, precision=precision, device=device).card
    if as_json:
        terminal.print_json("models info", model=asdict(card))
        return
    _show_card(card)


@models.command("estimate")
def estimate_memory(model: Model, as_json: Json = False) -> None:
    """Say how much memory a model's weights would take at each precision, without loading any."""
    from neuronscope.models.estimate import estimate_model
    from neuronscope.models.memory import memory

    found, free = estimate_model(model), memory(0).available
    chosen = _auto(found, free)
    if as_json:
        terminal.print_json(
            "models estimate",
            model=model,
            parameters=found.parameters,
            bytes={precision.value: size for precision, size in found.bytes.items()},
            free=free,
            auto=chosen and chosen.precision.value,
            why=chosen and chosen.reason,
        )
        return
    table = terminal.table("precision", ">memory", "fits")
    for precision, size in found.bytes.items():
        fits = "yes" if size * 1.1 <= free else "no"
        auto = f"; auto chooses it: {chosen.reason}" if chosen and precision == chosen.precision else ""
        table.add_row(precision, megabytes(size), f"{fits}{auto}")
    terminal.show(table, f"{model}: {found.parameters:,} weights, on a CPU with {megabytes(free)} free.")


@models.command("download")
def download_model(model: Model) -> None:
    """Bring a model from the hub, so that it loads without a network from then on."""
    from neuronscope.models import hub
    from neuronscope.settings import Settings

    if Settings.from_environment().offline:
        raise ModelNotFound(
            f"{model} was not brought: NeuronScope is offline. Unset NEURONSCOPE_OFFLINE and try again."
        )
    with terminal.progress(f"Asking for {model}"):
        snapshot = hub.download(hub.plan(*model.split("@", 1)))
    print(f"{model} is in {snapshot.folder}")


@models.command("fidelity")
def model_fidelity(
    model: Model,
    precision: Annotated[str, typer.Option(help="The precision to judge: bfloat16, float16, int8 or nf4.")],
    against: Annotated[str, typer.Option(help="The precision to hold it against.")] = "float32",
    file: Annotated[
        Path | None, typer.Option(metavar="F", help="Texts to judge it on, one a line; our own by default.")
    ] = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Hold a model in a smaller precision against itself in a larger one."""
    texts = _sample() if file is None else _lines(file)
    with terminal.progress(f"Loading {model}"):
        found = workspace().scope(model, precision=precision, device=device).fidelity(texts, against)
    if as_json:
        table = found.table.to_dict("records")
        rest = {"divergence": found.divergence, "agreement": found.agreement, "tokens": found.tokens}
        terminal.print_json(
            "models fidelity", layers=table, **rest, full=asdict(found.full), reduced=asdict(found.reduced)
        )
        return
    _show_fidelity(found)


def _auto(found: Estimate, free: int) -> Choice | None:
    """What `auto` would choose on a CPU, None where nothing fits."""
    import torch
    from transformers import PretrainedConfig

    from neuronscope.models.precision import choose

    try:
        return choose("auto", PretrainedConfig(), torch.device("cpu"), found.bytes, free)
    except ModelDoesNotFit:
        return None


def _sample() -> list[str]:
    from neuronscope.demo.world import texts

    return [text for text, _ in zip(texts(seed=0), range(40), strict=False)]


def _lines(file: Path) -> list[str]:
    try:
        return [line for line in file.expanduser().read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"Cannot read {file}: {error}.") from error


def _show_card(card: ModelCard) -> None:
    table = terminal.table("", "value", folded=("value",))
    for name, value in asdict(card).items():
        shown = ", ".join(value) if isinstance(value, tuple) else f"{value:,}" if type(value) is int else str(value)
        table.add_row(name, shown)
    terminal.show(table)


def _show_fidelity(found: Fidelity) -> None:
    table = terminal.table(">layer", ">correlation", ">median neuron", ">5th percentile", ">same strongest tokens")
    columns = ["correlation", "median_neuron", "low_neuron", "overlap"]
    for layer, values in zip(found.table["layer"], found.table[columns].to_numpy(), strict=True):
        table.add_row(f"{layer}", *(f"{value:.4f}" for value in values))
    predictions = (
        ""
        if found.divergence is None
        else f" Next tokens: {found.agreement:.1%} the same, divergence {found.divergence:.4f} nats."
    )
    terminal.show(
        table,
        f"{found.reduced.model} in {found.reduced.precision} against {found.full.precision}, "
        f"{found.tokens:,} tokens.{predictions}",
    )


def megabytes(size: int) -> str:
    """How much memory or disk that is, in GB or MB."""
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
