"""A drift that was measured: what changed from a base to each of its checkpoints, read from its folder.

Everything is read from arrays that numpy opens memory-mapped; no model is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Float32

from neuronscope.analysis.drift import NOTHING, VALID, Trajectories, trajectories
from neuronscope.errors import DriftProblem, InputError, NoSuchNeuron
from neuronscope.index.excerpts import excerpt
from neuronscope.index.read_corpus import ReadCorpus
from neuronscope.series import store
from neuronscope.series.store import CONTROL, Checkpoint, Manifest
from neuronscope.vocabulary import Example, Neuron, Source

if TYPE_CHECKING:
    import pandas as pd

MAP_TOKENS = 512
"""Sampled tokens by which neurons are put on the map."""
_TAKEN = 0.1
"""A neuron's role is taken over where another one is nearer to it than itself by so much correlation."""
_ALIKE = 0.5
"""And at least so near."""


@dataclass(frozen=True)
class NoiseFloor:
    """What the same weights seem to drift when only their numbers are rounded differently."""

    against: str | None
    """What the base was compared with itself with, in words; None where that could not be done."""
    tokens: int
    """Over how many tokens."""
    median: float
    """The median neuron's floor: the upper end of its 95 % interval."""
    rate: float
    """Of unchanged neurons the share that would be called changed; NaN where it was not measured."""
    recomputed: float
    """The root mean squared difference of the neuron that differs most when the base is run twice."""


@dataclass(frozen=True, eq=False)
class Changed:
    """What a neuron answers to in a checkpoint beside what it answered to in the base."""

    gained: tuple[Example, ...]
    """Among the strongest contexts of the checkpoint and not of the base, strongest first."""
    lost: tuple[Example, ...]
    """Among those of the base and not of the checkpoint."""
    kept: tuple[Example, ...]
    """Among both, with the checkpoint's activation."""


class Drift:
    """What changed from a base to each of its checkpoints."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        """Use `Drift.open`, `neuronscope.open_drift` or `Scope.drift`."""
        self.folder, self.manifest = folder, manifest
        self.corpus = ReadCorpus.open(folder)

    @classmethod
    def open(cls, folder: Path | str) -> Drift:
        """Open what is in a folder, all checkpoints or those that are done; raises `DriftProblem`."""
        folder = Path(folder).expanduser()
        manifest = store.read_manifest(folder)
        if manifest is None:
            raise DriftProblem(
                f"There is no drift in {folder}. Make one: neuronscope drift MODEL CHECKPOINTS --out {folder}"
            )
        if not manifest.checkpoints[0].done:
            raise DriftProblem(f"The drift in {folder} has only been begun: its base has not run. Ask for it again.")
        return cls(folder, manifest)

    def __repr__(self) -> str:
        done = len(self.checkpoints) - 1
        return f"Drift({self.manifest.model}: {done} checkpoints, {self.manifest.tokens:,} tokens)"

    @property
    def source(self) -> Source:
        """Where its numbers come from: the base."""
        m = self.manifest
        return Source(Path(m.model).name if "/" in m.model else m.model, m.revision, m.precision)

    @property
    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """The base and the checkpoints that have run, in their order; the control is not among them."""
        return tuple(one for one in self.manifest.checkpoints if one.done and one.place != CONTROL)

    @property
    def control(self) -> Checkpoint | None:
        """The control, None if there is none or it could not run."""
        return next((one for one in self.manifest.checkpoints if one.done and one.place == CONTROL), None)

    @property
    def problems(self) -> tuple[Checkpoint, ...]:
        """The checkpoints that could not be compared; `problem` says why."""
        return tuple(one for one in self.manifest.checkpoints if one.problem)

    @property
    def noise_floor(self) -> NoiseFloor:
        """What drift is to be told from."""
        said = self.manifest.floor
        return NoiseFloor(
            said.get("against"), int(said.get("tokens", 0)), float(said.get("median", 0)),
            float(said.get("rate", np.nan)), float(said.get("recomputed", np.nan)),
        )  # fmt: skip

    @property
    def units(self) -> int:
        """Neurons of all layers."""
        return self.manifest.layers * self.manifest.neurons

    @property
    def index_wise(self) -> bool:
        """Whether comparing neurons of the same number is right: in every layer of every checkpoint 90 % of the neurons
        that vary are still most like themselves."""
        shares = [self._layers(one)["itself"] for one in self.checkpoints]
        return bool(np.nanmin(np.concatenate(shares)) >= VALID)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row for each neuron of each checkpoint, the most drifted of each checkpoint first; the base is left out.

        Columns: `checkpoint step layer neuron drift low high location scale selectivity correlation above_noise floor
        control excess above_control divergence transport jaccard overlap jaccard_low overlap_low weight_in weight_gate
        weight_out cosine_in cosine_gate cosine_out bias reweighted mean_base mean sd_base sd event partner matched`.

        `drift` is D = 1 - CCC with its 95 % interval `low` to `high`; `location`, `scale` and `selectivity` add up to
        it. `above_noise` says that `low` exceeds `floor`; `excess` is the drift less that of the control, and
        `above_control` that the lower end of its interval exceeds 0. `divergence` (Jensen-Shannon, base 2) and
        `transport` (Wasserstein, in standard deviations) compare distributions; `jaccard` and `overlap` (rank-biased)
        the 20 tokens of highest mean, `_low` those of lowest. `weight_` columns are |w' - w| / |w| of the folded
        directions that a neuron reads, gates by and writes, and `bias` by how much its folded bias did;
        where none of them did, `reweighted` is false and its input alone changed. `event` is
        `born`, `died`, `swapped`, `taken over` or empty, and `partner` the neuron of its layer that is now most like
        what it was.
        """
        import pandas as pd

        parts = [self.rows(one.label) for one in self.checkpoints[1:]]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

    def rows(self, checkpoint: str | int) -> pd.DataFrame:
        """The rows of `table` of one checkpoint, by label or by its place in `checkpoints`."""
        import pandas as pd

        one = self.checkpoint(checkpoint)
        t, base = self.records(checkpoint), self.records(0)
        neurons = self.manifest.neurons
        number = np.arange(len(t))
        columns: dict[str, Any] = {"checkpoint": one.label, "step": one.step}
        columns |= {"layer": number // neurons, "neuron": number % neurons}
        columns |= {name: t[name] for name in _PLAIN}
        columns |= {"above_noise": t["above"], "above_control": t["excess_low"] > 0}
        columns |= {"jaccard": t["jaccard"][:, 0], "overlap": t["overlap"][:, 0]}
        columns |= {"jaccard_low": t["jaccard"][:, 1], "overlap_low": t["overlap"][:, 1]}
        for place, name in enumerate(("in", "gate", "out")):
            columns |= {f"weight_{name}": t["weights"][:, place], f"cosine_{name}": t["cosines"][:, place]}
        columns |= {
            "bias": t["bias"],
            "reweighted": self.reweighted(checkpoint),
            "mean_base": base["mean"],
            "mean": t["mean"],
        }
        columns |= {"sd_base": base["sd"], "sd": t["sd"]}
        columns |= {"event": self.events(checkpoint), "partner": t["partner"], "matched": t["matched"]}
        table = pd.DataFrame(columns)[list(COLUMNS)]
        return table.sort_values("drift", ascending=False, kind="stable", ignore_index=True)

    @cached_property
    def layers(self) -> pd.DataFrame:
        """One row for each layer of each checkpoint: `checkpoint step layer cka cka_residual drift median above itself
        excess weight_in weight_out`.

        `cka` is the unbiased CKA of its neurons with the base's, `cka_residual` that of the residual stream behind it;
        `drift` and `median` are over its neurons, `above` is the share above the noise floor, `itself` the share of
        neurons that are still most like themselves, `excess` the mean excess over the control (NaN without one).
        """
        import pandas as pd

        parts = []
        for one in self.checkpoints:
            found = self._layers(one)
            t = self.records(one.label).reshape(self.manifest.layers, self.manifest.neurons)
            columns: dict[str, Any] = {"checkpoint": one.label, "step": one.step, "layer": np.arange(len(found))}
            columns |= {name: found[name] for name in ("cka", "cka_residual", "itself")}
            columns |= {"drift": t["drift"].mean(1), "median": np.median(t["drift"], axis=1)}
            columns |= {"above": t["above"].mean(1), "excess": t["excess"].mean(1)}
            columns |= {"weight_in": t["weights"][:, :, 0].mean(1), "weight_out": t["weights"][:, :, 2].mean(1)}
            parts.append(pd.DataFrame(columns))
        return pd.concat(parts, ignore_index=True)

    def records(self, checkpoint: str | int) -> np.ndarray:
        """What is known of every neuron in one checkpoint, in their own order; see `store.RECORD`."""
        found = store.read(self.folder / self.checkpoint(checkpoint).place, "table")
        if len(found) != self.units:
            raise DriftProblem(f"The table of {checkpoint} has {len(found):,} rows for {self.units:,} neurons.")
        return found

    def events(self, checkpoint: str | int) -> np.ndarray:
        """What became of each neuron: `born`, `died`, `swapped`, `taken over`, or nothing.

        Born and died are said of neurons that vary, and in a plain MLP fire, in one of the two alone. Two neurons
        are swapped where each is the other's partner, and one is taken over where another neuron is more like what it
        was, r at least .5 and .1 above its own.
        """
        t, base = self.records(checkpoint), self.records(0)
        number = np.arange(len(t)) % self.manifest.neurons
        partner = t["partner"]
        first = np.arange(len(t)) - number
        other = partner[np.where(partner >= 0, first + partner, 0)]
        away = (partner >= 0) & (partner != number) & (t["matched"] >= _ALIKE)
        away &= t["matched"] > np.nan_to_num(t["own"], nan=-1) + _TAKEN
        found = np.full(len(t), "", dtype="<U10")
        found[away] = "taken over"
        found[away & (other == number)] = "swapped"
        found[~base["alive"] & t["alive"]] = "born"
        found[base["alive"] & ~t["alive"]] = "died"
        return found

    def reweighted(self, checkpoint: str | int) -> Bool[np.ndarray, " units"]:
        """Whether a neuron's own weights or its bias are others than in the base; else its input alone changed."""
        t = self.records(checkpoint)
        changed: Bool[np.ndarray, " units"] = np.nan_to_num(t["weights"]).any(1) | (t["bias"] != 0)
        return changed

    def trajectories(self) -> Trajectories:
        """Where every neuron stands in every checkpoint, on one map fitted once over all of them; kept once made."""
        labels = [one.label for one in self.checkpoints]
        held = store.kept(self.folder, "trajectories", labels)
        if held is not None:
            return Trajectories(held["points"], held["explained"])
        made = trajectories(lambda number: self._sample(self.checkpoints[number])[:, :MAP_TOKENS], range(len(labels)))
        store.keep(self.folder, "trajectories", labels, {"points": made.points, "explained": made.explained})
        return made

    def values(self, neuron: Neuron) -> Float32[np.ndarray, "checkpoints tokens"]:
        """A neuron's activations on the sampled tokens, the same in every checkpoint."""
        row = self.row(neuron)
        return np.stack([self._sample(one)[row] for one in self.checkpoints]).astype(np.float32)

    def paired(self, neuron: Neuron, checkpoint: str | int) -> Float32[np.ndarray, "2 tokens"]:
        """A neuron's activations on the sampled tokens in the base and in a checkpoint, which may be the control."""
        row = self.row(neuron)
        both = (self.checkpoint(0), self.checkpoint(checkpoint))
        return np.stack([self._sample(one)[row] for one in both]).astype(np.float32)

    def examples(self, neuron: Neuron, checkpoint: str | int, sign: str = "+") -> list[Example]:
        """The strongest contexts of a neuron in a checkpoint, at most ten, one a window."""
        one, row, side = self.checkpoint(checkpoint), self.row(neuron), _side(sign)
        folder = self.folder / one.place
        values = store.read(folder, "context_values")[row, side]
        positions = store.read(folder, "context_positions")[row, side]
        around = store.read(folder, "contexts")[row, side]
        turned = -1 if side else 1
        return [
            excerpt(self.corpus, int(position), turned * float(value), np.asarray(context))
            for value, position, context in zip(values, positions, around, strict=True)
            if value > 0
        ]

    def changed(self, neuron: Neuron, checkpoint: str | int, sign: str = "+") -> Changed:
        """Which of its strongest contexts a neuron gained and lost."""
        before, after = self.examples(neuron, 0, sign), self.examples(neuron, checkpoint, sign)
        had, has = {one.position for one in before}, {one.position for one in after}
        return Changed(
            tuple(one for one in after if one.position not in had),
            tuple(one for one in before if one.position not in has),
            tuple(one for one in after if one.position in had),
        )

    def tokens(self, neuron: Neuron, checkpoint: str | int, sign: str = "+") -> list[tuple[str, float]]:
        """The 20 tokens of highest (or, for `-`, of lowest) empirical-Bayes mean, with their plain mean."""
        means = self.token_means(neuron, checkpoint, sign)
        return [(self.corpus.display(token), mean) for token, mean in means.items()]

    def token_means(self, neuron: Neuron, checkpoint: str | int, sign: str = "+") -> dict[int, float]:
        """The same by id: two tokens may be shown alike."""
        one, row, side = self.checkpoint(checkpoint), self.row(neuron), _side(sign)
        ids = store.read(self.folder / one.place, "token_ids")[row, side]
        means = store.read(self.folder / one.place, "token_means")[row, side]
        return {int(token): float(mean) for token, mean in zip(ids, means, strict=True) if token != NOTHING}

    def row(self, neuron: Neuron) -> int:
        """Where a neuron stands among those of all layers; raises `NoSuchNeuron`."""
        m = self.manifest
        if not (0 <= neuron.layer < m.layers and 0 <= neuron.index < m.neurons):
            raise NoSuchNeuron(
                f"No neuron {neuron} in {m.model}: it has layers 0 to {m.layers - 1} of neurons 0 to {m.neurons - 1}."
            )
        return neuron.layer * m.neurons + neuron.index

    def checkpoint(self, checkpoint: str | int) -> Checkpoint:
        """One checkpoint by its place in `checkpoints`, or one or the control by label; raises `InputError`."""
        known = self.checkpoints
        if isinstance(checkpoint, int):
            if not 0 <= checkpoint < len(known):
                raise InputError(f"No checkpoint {checkpoint}: there are 0 (the base) to {len(known) - 1}.")
            return known[checkpoint]
        for one in (*known, *([self.control] if self.control else [])):
            if checkpoint in (one.label, one.name, one.place):
                return one
        raise InputError(f"No checkpoint {checkpoint!r}: there are {', '.join(one.label for one in known)}.")

    def place(self, checkpoint: str | int) -> int:
        """Where a checkpoint stands in `checkpoints`; raises `InputError`, for the control too."""
        found = self.checkpoint(checkpoint)
        if found not in self.checkpoints:
            raise InputError(f"{found.label} is the control and stands beside the series: name one of its checkpoints.")
        return self.checkpoints.index(found)

    def _layers(self, one: Checkpoint) -> np.ndarray:
        return store.read(self.folder / one.place, "layers")

    def _sample(self, one: Checkpoint) -> Float[np.ndarray, "units tokens"]:
        return store.read(self.folder / one.place, "sample").view(np.ndarray)


_PLAIN = "drift low high location scale selectivity correlation floor control excess divergence transport".split()
COLUMNS: Sequence[str] = (
    "checkpoint step layer neuron drift low high location scale selectivity correlation above_noise floor control "
    "excess above_control divergence transport jaccard overlap jaccard_low overlap_low weight_in weight_gate "
    "weight_out cosine_in cosine_gate cosine_out bias reweighted mean_base mean sd_base sd event partner matched"
).split()
"""The columns of `Drift.table`."""


def _side(sign: str) -> int:
    if sign not in ("+", "-"):
        raise InputError(f"No sign {sign!r}: ask for + or -.")
    return int(sign == "-")
