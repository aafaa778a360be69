"""A drift in the terminal: its checkpoints, and in one of them the neurons, the layers, or one neuron; and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuronscope import terminal
from neuronscope.cli_index import number
from neuronscope.cli_neurons import marked

if TYPE_CHECKING:
    import pandas as pd

    from neuronscope.series import Drift
    from neuronscope.vocabulary import Neuron

_TOKENS = 8
"""Tokens that are listed as gained, lost or kept."""
_CONTEXTS = 3
"""Contexts that are shown as gained and as lost."""
_NEURONS = ("drift", "low", "high", "location", "scale", "selectivity", "excess", "weight_in", "weight_out")
_LAYERS = ("drift", "median", "above", "excess", "cka", "cka_residual", "itself", "weight_in", "weight_out")


def told(found: Drift, checkpoint: str, asked: Neuron | None, layers: bool, sign: str, count: int) -> dict[str, Any]:
    """What --json says: where the numbers come from, the checkpoints, and the rows of what is looked at."""
    m, floor = found.manifest, found.noise_floor
    answer = {
        **asdict(found.source),
        "corpus": list(m.sources),
        "corpus_fingerprint": m.corpus,
        "tokens": m.tokens,
        "noise_floor": asdict(floor),
        "index_wise": found.index_wise,
        "control": found.control.label if found.control else None,
        "checkpoints": _checkpoints(found).to_dict("records"),
        "problems": [{"checkpoint": one.label, "problem": one.problem} for one in found.problems],
        "checkpoint": checkpoint,
    }
    if asked is not None:
        return answer | {"neuron": str(asked), "sign": sign, **_neuron(found, checkpoint, asked, sign)}
    rows = _layers(found, checkpoint) if layers else found.rows(checkpoint)
    return answer | {"of": len(rows), "rows": (rows if layers else rows.head(count)).to_dict("records")}


def show(found: Drift, checkpoint: str, asked: Neuron | None, layers: bool, sign: str, count: int) -> None:
    """Print the checkpoints and what is looked at in one of them."""
    if asked is not None:
        _show_neuron(found, checkpoint, asked, sign)
    else:
        _show_checkpoints(found)
        (_show_layers if layers else _show_neurons)(found, checkpoint, count)
    for one in found.problems:
        print(f"{one.label} is left out: {one.problem}")
    if not found.index_wise:
        print(
            "In some layer more than a tenth of the neurons are most like another one: numbers may not mean the same."
        )


def sentence(found: Drift) -> str:
    """Where the numbers come from, and what drift is to be told from."""
    m, source, floor = found.manifest, found.source, found.noise_floor
    of = Path(m.sources[0]).name if len(m.sources) == 1 else f"{len(m.sources):,} files"
    made = f"{source.model} ({source.revision[:12]}, {source.precision}) on {m.tokens:,} tokens of {of}."
    noise = (
        f"Noise floor: median D {number(floor.median)}, the base against itself with {floor.against} over "
        f"{floor.tokens:,} tokens, exceeded by {floor.rate:.2%} of unchanged neurons."
        if floor.against
        else "The noise floor is not known: any change counts."
    )
    control = f"Control: {found.control.label}." if found.control else "Without a control it includes generic drift."
    return f"{made} {noise} {control}"


def _checkpoints(found: Drift) -> pd.DataFrame:
    """One row for each checkpoint and the control: its loss, and its drift over all layers."""
    import pandas as pd

    rows = []
    for one in (*found.checkpoints, *([found.control] if found.control else [])):
        records = found.records(one.label)
        row = {"checkpoint": one.label, "step": one.step, "loss": one.loss, "loss_error": one.loss_error}
        row |= {"drift": float(records["drift"].mean()), "above": float(records["above"].mean())}
        rows.append(row | {"excess": float(records["excess"].mean())})
    return pd.DataFrame(rows).astype({"loss": float, "loss_error": float})


def _layers(found: Drift, checkpoint: str) -> pd.DataFrame:
    table = found.layers
    return table[table["checkpoint"] == checkpoint]


def _neuron(found: Drift, checkpoint: str, asked: Neuron, sign: str) -> dict[str, Any]:
    """A neuron's numbers in every checkpoint, and what it gained, lost and kept in one of them."""
    import pandas as pd

    tables = [found.rows(one.label) for one in found.checkpoints[1:]]
    whole = pd.concat(tables, ignore_index=True)
    course = whole[(whole["layer"] == asked.layer) & (whole["neuron"] == asked.index)]
    before, after = (found.token_means(asked, one, sign) for one in (0, checkpoint))
    named = {"gained": after.keys() - before.keys(), "lost": before.keys() - after.keys()}
    named["kept"] = after.keys() & before.keys()
    order = [*after, *(token for token in before if token not in after)]
    tokens = {fate: [found.corpus.display(one) for one in order if one in some] for fate, some in named.items()}
    changed = found.changed(asked, checkpoint, sign)
    contexts = {fate: [asdict(one) for one in getattr(changed, fate)] for fate in ("gained", "lost", "kept")}
    return {"rows": course.to_dict("records"), "tokens": tokens, "contexts": contexts}


def _show_checkpoints(found: Drift) -> None:
    drawn = terminal.table("checkpoint", ">loss", ">± 2 se", ">mean D", ">above noise", ">mean excess")
    for row in _checkpoints(found).to_dict("records"):
        error = number(2 * row["loss_error"])
        above = f"{row['above']:.1%}"
        drawn.add_row(row["checkpoint"], number(row["loss"]), error, number(row["drift"]), above, number(row["excess"]))
    terminal.show(drawn)


def _show_neurons(found: Drift, checkpoint: str, count: int) -> None:
    rows = found.rows(checkpoint)
    columns = [name for name in _NEURONS if name != "excess" or found.control]
    drawn = terminal.table("neuron", *(f">{name.replace('_', ' ')}" for name in columns), "event", "its tokens now")
    for row in rows.head(count).to_dict("records"):
        tokens = found.tokens(_named(row), checkpoint)[:5]
        listed = " ".join(token for token, _ in tokens)
        drawn.add_row(str(_named(row)), *(number(row[name]) for name in columns), row["event"], listed)
    above = int(rows["above_noise"].sum())
    shown = f"{min(count, len(rows)):,} of {len(rows):,} neurons"
    terminal.show(
        drawn,
        f"{checkpoint}: {shown}, the most drifted first; {above:,} are above "
        "their floor. D is 0 for the same and 1 for unrelated, low to high its 95 % interval, and location, scale and "
        f"selectivity add up to it. {sentence(found)}",
    )


def _show_layers(found: Drift, checkpoint: str, _count: int) -> None:
    columns = [name for name in _LAYERS if name != "excess" or found.control]
    drawn = terminal.table(">layer", *(f">{name.replace('_', ' ')}" for name in columns))
    for row in _layers(found, checkpoint).to_dict("records"):
        drawn.add_row(str(row["layer"]), *(number(row[name]) for name in columns))
    terminal.show(
        drawn,
        f"{checkpoint}, layer by layer: mean and median D of its neurons, the share above their floor, unbiased CKA "
        "with the base of the neurons and of the residual stream behind them (1: the same up to rotation and scale), "
        f"the share most like themselves, and how far weights moved. {sentence(found)}",
    )


def _show_neuron(found: Drift, checkpoint: str, asked: Neuron, sign: str) -> None:
    said = _neuron(found, checkpoint, asked, sign)
    columns = [name for name in _NEURONS if name != "excess" or found.control]
    drawn = terminal.table("checkpoint", *(f">{name.replace('_', ' ')}" for name in (*columns, "floor")), "event")
    for row in said["rows"]:
        drawn.add_row(row["checkpoint"], *(number(row[name]) for name in (*columns, "floor")), row["event"])
    terminal.show(drawn, f"{asked}. {sentence(found)}")
    for fate, tokens in said["tokens"].items():
        listed = " ".join(tokens[:_TOKENS])
        more = f" and {len(tokens) - _TOKENS} more" if len(tokens) > _TOKENS else ""
        print(f"Tokens {fate} in {checkpoint}: {listed or 'none'}{more}.")
    changed = found.changed(asked, checkpoint, sign)
    drawn = terminal.table("", ">activation", "context", folded=("context",))
    for fate in ("gained", "lost"):
        for one in getattr(changed, fate)[:_CONTEXTS]:
            drawn.add_row(fate, number(one.value), marked(one))
    many = f"{len(changed.gained)} of its strongest contexts are new, {len(changed.lost)} are gone"
    terminal.show(drawn, f"{many}, {len(changed.kept)} stayed.")


def _named(row: dict[Any, Any]) -> Neuron:
    from neuronscope.vocabulary import Neuron

    return Neuron(int(row["layer"]), int(row["neuron"]))
