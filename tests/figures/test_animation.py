"""The moving map: the bytes hold what the drift says, and its page is a file of its own."""

import json
import re

import numpy as np
import pytest

from neuronscope.figures import animation
from neuronscope.settings import assets_folder
from neuronscope.vocabulary import Neuron
from tests import drifts_for_tests as truth


def unpacked(data):
    """Read the bytes as the module says they are."""
    size = int(np.frombuffer(data, "<u4", 1)[0])
    head = json.loads(data[4 : 4 + size])
    frames, units, at = len(head["checkpoints"]), head["layers"] * head["neurons"], 4 + size

    def take(kind, count):
        nonlocal at
        found = np.frombuffer(data, kind, count, at)
        at += found.nbytes
        return found

    moved = (frames - 1) * units
    places = take("<i2", frames * units * 2).reshape(frames, units, 2)
    roots, location, scale = take("<u2", moved), take("u1", moved), take("u1", moved)
    above = np.unpackbits(take("u1", -(-moved // 8)), bitorder="little")[:moved]
    assert at == len(data)
    return head, places, *(one.reshape(frames - 1, units) for one in (roots, location, scale, above))


def test_the_bytes_hold_places_drift_and_its_parts_of_every_neuron(drift):
    head, places, roots, location, scale, above = unpacked(animation.payload(drift))
    assert head["checkpoints"] == [one.label for one in drift.checkpoints]
    points = drift.trajectories().points
    alive = ~np.isnan(points[0, :, 0])
    assert alive.any()
    assert (places[:, ~alive] == animation.NEVER).all()
    for axis in (0, 1):
        assert places[:, alive, axis].min() == -32767
        assert places[:, alive, axis].max() == 32767
        assert np.corrcoef(places[:, alive, axis].ravel(), points[:, alive, axis].ravel())[0, 1] > 0.999999
    for number in range(1, len(drift.checkpoints)):
        records = drift.records(number)
        assert 2 * (roots[number - 1] / 65535) ** 2 == pytest.approx(records["drift"], rel=0.01, abs=1e-8)
        whole = np.where(records["drift"] > 0, records["drift"], 1)
        assert location[number - 1] / 255 == pytest.approx(records["location"] / whole, abs=0.003)
        assert scale[number - 1] / 255 == pytest.approx(records["scale"] / whole, abs=0.003)
        assert (above[number - 1] == records["above"]).all()


def test_movers_are_those_of_largest_drift_and_the_base_has_none(drift):
    shown = animation.frames(drift)
    assert shown.movers[0] == ()
    for number in range(1, len(drift.checkpoints)):
        rows = np.argsort(-drift.records(number)["drift"], kind="stable")[: animation.MOVERS]
        assert [drift.row(one.neuron) for one in shown.movers[number]] == rows.tolist()
        assert all(one.tokens for one in shown.movers[number] if drift.tokens(one.neuron, number))
    assert truth.MOVED in [one.neuron for one in shown.movers[1]]


def test_36864_neurons_in_10_checkpoints_are_less_than_3_megabytes():
    frames, layers, units = 10, 12, 36864
    some = np.zeros((frames, units), np.float32)
    movers = ((), *(tuple(animation.Mover(Neuron(0, i), "a b") for i in range(animation.MOVERS)),) * (frames - 1))
    shown = animation.Frames(
        "m", "", tuple(map(str, range(frames))), (None,) * frames, layers, (0.5, 0.2),
        np.zeros((frames, units, 2), np.float32), some, some, some, some > 0, movers,
    )  # fmt: skip
    assert len(animation.packed(shown)) < 3_000_000


def test_the_page_stands_alone_and_reads_no_name_as_html(drift, monkeypatch):
    source = type(drift.source)("</script><b>m", "r", "float32")
    monkeypatch.setattr(type(drift), "source", source)
    page = animation.page(drift)
    assert not re.search(r"(src|href)\s*=|url\(|@import|fetch\(|XMLHttpRequest", page)
    assert "default-src 'none'" in page
    assert "</script><b>" not in page
    assert "&lt;/script&gt;&lt;b&gt;m" in page


def test_the_parts_have_the_colours_of_the_page():
    style = (assets_folder() / "drift.css").read_text()
    for mode, rule in (("light", ":root"), ("dark", '[data-bs-theme="dark"]')):
        said = " ".join(
            f"--{part}: {colour};" for part, colour in zip(animation.PARTS, animation.PART_COLOURS[mode], strict=True)
        )
        assert f"{rule} {{ {said} }}" in style
