"""The moving map as a picture: neurons where they stand, coloured by what moved them, at rest in each of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from neuronscope import figures
from neuronscope.errors import FileError
from neuronscope.figures import moving
from neuronscope.figures.animation import PART_COLOURS, Frames, Mover
from neuronscope.figures.shades import OTHERS
from neuronscope.figures.theme import DARK, LIGHT
from neuronscope.jobs import Cancelled, running
from neuronscope.vocabulary import Neuron

UNITS = 6
TO_RIGHT = 4


def frames(checkpoints: int = 3, tokens: str = "·the", *, still: bool = False) -> Frames:
    """Six neurons, of which number 4 goes from the left edge to the right one by a change of location."""
    points = np.zeros((checkpoints, UNITS, 2), np.float32)
    points[:, :, 0], points[:, :, 1] = -1, np.linspace(-0.8, 0.8, UNITS)
    way = np.zeros(checkpoints) if still else np.linspace(0, 1, checkpoints)
    points[:, TO_RIGHT, 0] += 2 * way
    points[:, 0] = np.nan
    drift = np.zeros((checkpoints, UNITS), np.float32)
    drift[:, TO_RIGHT] = way
    movers = ((), *(((Mover(Neuron(0, TO_RIGHT), tokens),),) * (checkpoints - 1)))
    labels = ("base", *(f"step-{i}" for i in range(1, checkpoints)))
    losses = tuple(2.0 - i / 2 for i in range(checkpoints))
    location = (drift > 0).astype(np.float32)
    return Frames(
        "tiny", "some facts", labels, losses, 1, (0.5, 0.2), points, drift, location, drift * 0, drift > 0, movers
    )


def pictures(path: Path) -> list[Image.Image]:
    with Image.open(path) as opened:
        found = []
        for number in range(opened.n_frames):
            opened.seek(number)
            found.append(opened.convert("RGB"))
        return found


def near(picture: Image.Image, colour: str, tolerance: int = 12) -> np.ndarray:
    """Where a picture has about this colour, [height, width], within the map."""
    wanted = np.frombuffer(bytes.fromhex(colour[1:]), np.uint8).astype(int)
    found = (np.abs(np.asarray(picture).astype(int) - wanted) <= tolerance).all(2)
    found[: moving._TOP - 8], found[-moving._BOTTOM + 8 :] = False, False
    return found


@pytest.mark.parametrize(("mode", "own"), [("light", LIGHT), ("dark", DARK)])
@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_a_neuron_wanders_across_the_map_and_takes_the_colour_of_what_moved_it(tmp_path, kind, mode, own):
    path = tmp_path / f"map.{kind}"
    moving.save(frames(), path, kind, mode=mode)
    first, *_, last = pictures(path)
    assert np.asarray(first)[0, 0] == pytest.approx(np.asarray(bytearray.fromhex(own.paper[1:])), abs=4)
    colour = PART_COLOURS[mode][0]
    loose = 12 if kind == "gif" else 40
    assert not near(first, colour, loose).any()
    assert near(first, OTHERS[mode], loose).nonzero()[1].max() < 60
    columns = near(last, colour, loose).nonzero()[1]
    assert columns.size
    assert columns.min() > moving.SIZE[0] - 70


def test_it_rests_in_every_checkpoint_and_eases_between_them(tmp_path):
    path = tmp_path / "map.gif"
    moving.save(frames(4), path)
    between = min(moving.MOVING // 3, moving._MOST)
    with Image.open(path) as opened:
        assert opened.n_frames == 4 + 3 * between
        lasts = []
        for number in range(opened.n_frames):
            opened.seek(number)
            lasts.append(opened.info["duration"])
        assert opened.info["loop"] == 0
    rests = [number for number, one in enumerate(lasts) if one >= 900]
    assert rests == [i * (between + 1) for i in range(4)]
    drawing = moving._Drawing(frames(4), "light")
    at = np.array([drawing._where(moment)[TO_RIGHT, 0] for moment in moving._moments(4)])
    steps = np.diff(at)
    assert (steps > 0).all()
    assert steps[0] < steps[between // 2] > steps[between]


def test_where_nothing_drifts_nothing_moves_but_the_time():
    drawing = moving._Drawing(frames(still=True), "light")
    shown = [np.asarray(drawing.at(moment))[moving._TOP : -moving._BOTTOM] for moment in moving._moments(3)]
    after = [one for one, moment in zip(shown, moving._moments(3), strict=True) if moment.nearest > 0]
    assert all(np.array_equal(one, after[0]) for one in after)


def test_neurons_that_never_vary_are_left_out_and_counted_so():
    drawing = moving._Drawing(frames(), "light")
    assert drawing._alive.tolist() == [1, 2, 3, 4, 5]


def test_a_name_has_only_tokens_that_its_font_can_write():
    assert moving._Drawing(frames(tokens="·the cat"), "light")._named == [(TO_RIGHT, "L0.N4 ·the cat")]
    assert moving._Drawing(frames(tokens="שלום"), "light")._named == [(TO_RIGHT, "L0.N4")]


def test_names_do_not_lie_upon_each_other(monkeypatch):
    made = frames()
    movers = tuple(Mover(Neuron(0, number), "·word") for number in range(1, UNITS))
    points = made.points.copy()
    points[:, 1:, 1] = np.linspace(0, 0.05, UNITS - 1)
    drawing = moving._Drawing(Frames(**{**vars(made), "points": points, "movers": ((), (), movers)}), "light")
    boxes: list[tuple[float, ...]] = []
    draw = type("Draw", (), {"rectangle": lambda _, box, fill: boxes.append(box), "text": lambda *_, **__: None})()
    drawing._names(draw, moving._Moment(2, 0.0, 1))
    assert len(boxes) >= 3
    assert not any(moving._overlap(a, b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_whoever_no_longer_wants_it_stops_it(tmp_path):
    said: list[str] = []

    class Impatient:
        def check(self):
            if len(said) == 3:
                raise Cancelled

        def report(self, progress):
            said.append(f"{progress.label} {progress.done} of {progress.total}")

    with running(Impatient()), pytest.raises(Cancelled):
        moving.save(frames(), tmp_path / "map.gif")
    assert said[:2] == ["Drawing frames 0 of 35", "Drawing frames 1 of 35"]


def test_a_real_drift_is_drawn_with_its_checkpoints_by_the_ending_of_the_file(drift, tmp_path, monkeypatch):
    monkeypatch.setattr(moving, "_MOST", 1)
    assert figures.animate(drift, tmp_path / "map.gif") == tmp_path / "map.gif"
    with pytest.raises(FileError, match=r"a moving map is a \.gif, \.webp or \.html file"):
        figures.animate(drift, tmp_path / "map.mp4")
    assert "DriftPlayer" in figures.animate(drift, tmp_path / "map.html").read_text()
    shown = pictures(tmp_path / "map.gif")
    assert len(shown) == 5
    assert near(shown[-1], PART_COLOURS["light"][0]).any()
