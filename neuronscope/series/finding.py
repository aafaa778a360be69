"""Which checkpoints are meant: folders, folders full of them, hub names with revisions, adapters, demo models."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from neuronscope.errors import InputError, ModelNotFound
from neuronscope.models.catalogue import DEMO_PREFIX, demo_folder
from neuronscope.models.folders import ADAPTER, CONFIG


@dataclass(frozen=True)
class Candidate:
    """A checkpoint that was asked for and has not been looked at yet."""

    name: str
    """What it is loaded by."""
    label: str
    """What it is called beside the others."""
    step: int | None
    """The number in its name: its training step, if it is one."""


def find(asked: Sequence[str | Path]) -> tuple[Candidate, ...]:
    """The checkpoints that `asked` names, in that order; those of one folder by the numbers in their names.

    A folder is a checkpoint if it holds a model or an adapter; else all folders in it that do are. `demo:stories/*` are
    the checkpoints of a demo model. What is neither is the name of a model on the hub, with its revision
    (`EleutherAI/pythia-70m@step1000`).

    Raises:
        ModelNotFound: for a folder without checkpoints.
        InputError: if nothing is asked for, or the same twice.
    """
    names = [name for one in asked for name in _named(str(one))]
    if not names:
        raise InputError("No checkpoint was named: give folders, a folder that holds them, or hub names.")
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise InputError(f"{twice[0]} is named twice: a checkpoint stands in a series once.")
    return _labelled(names)


def _named(asked: str) -> list[str]:
    if asked.startswith(DEMO_PREFIX):
        if not asked.endswith("/*"):
            return [asked]
        model = asked.removesuffix("/*")
        steps = sorted(path.name for path in (demo_folder(model) / "checkpoints").glob("*"))
        if not steps:
            raise ModelNotFound(f"{model} has no checkpoints.")
        return [f"{model}/{step}" for step in steps]
    folder = Path(asked).expanduser()
    if not folder.is_dir() or is_checkpoint(folder):
        return [asked]
    inside = sorted((path for path in folder.iterdir() if is_checkpoint(path)), key=lambda path: _by_number(path.name))
    if not inside:
        raise ModelNotFound(
            f"No checkpoint in {asked}: it holds neither {CONFIG} nor {ADAPTER}, and no folder in it does. "
            "Give the folder that a training run wrote its checkpoints to."
        )
    return [str(path) for path in inside]


def is_checkpoint(folder: Path) -> bool:
    """Whether a folder holds a model or an adapter."""
    return any((folder / name).is_file() for name in (CONFIG, ADAPTER))


def _by_number(name: str) -> tuple[list[int], str]:
    return [int(digits) for digits in re.findall(r"\d+", name)], name


def _labelled(names: Sequence[str]) -> tuple[Candidate, ...]:
    """Call each by the last part of its name, or by as many parts as tell it from the others."""
    parts = [re.split(r"[/\\@]", name.rstrip("/\\")) for name in names]
    found = [Candidate(name, own[-1], None) for name, own in zip(names, parts, strict=True)]
    for size in range(2, max(map(len, parts)) + 1):
        times = Counter(one.label for one in found)
        found = [
            one if times[one.label] == 1 else replace(one, label="/".join(own[-size:]))
            for one, own in zip(found, parts, strict=True)
        ]
    return tuple(replace(one, step=_step(one.label)) for one in found)


def _step(label: str) -> int | None:
    numbers = re.findall(r"\d+", label)
    return int(numbers[-1]) if numbers else None
