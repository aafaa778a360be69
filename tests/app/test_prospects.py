"""What picking a model would mean is what the manager would then do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from neuronscope.app.prospects import Prospects
from neuronscope.app.sizes import Sizes
from neuronscope.errors import ModelDoesNotFit
from neuronscope.scope import Workspace
from neuronscope.settings import Settings

STORIES, LLAMA = "demo:stories", "demo:stories-llama"


@pytest.fixture
def tight(tmp_path):
    """A workspace whose budget holds one demo model in full and one in half precision, not two in full."""
    opened = Workspace(Settings(tmp_path / "cache", tmp_path / "data", offline=True), budget=7_000_000)
    yield opened
    opened.close()


def look(workspace):
    """The prospects, with exact sizes of the demo models."""
    sizes = Sizes(tuple(entry for entry in workspace.catalogue if entry.demo))
    sizes._work_out("cpu")
    return Prospects(workspace, sizes)


def entry(workspace, name):
    return next(one for one in workspace.catalogue if one.name == name)


def test_a_model_beside_which_nothing_has_to_go_needs_no_words(tight):
    found = look(tight).of(entry(tight, STORIES), "auto")
    assert (found.precision, found.goes, found.words) == ("float32", (), "")
    assert found.bytes == tight.scope(STORIES).card.bytes


def test_what_would_be_evicted_is_named_and_is_what_goes(tight):
    tight.scope(STORIES)
    found = look(tight).of(entry(tight, LLAMA), "float32")
    assert found.words.endswith(" free for models: will evict demo:stories")
    tight.scope(LLAMA, precision="float32")
    assert [scope.name for scope in tight.scopes()] == [LLAMA]
    assert look(tight).of(entry(tight, LLAMA), "bfloat16").goes == ()


def test_a_warm_model_is_said_to_be_warm_in_the_precision_that_auto_came_to(tight):
    tight.scope(STORIES)
    found = look(tight)
    assert found.of(entry(tight, STORIES), "auto").warm
    assert found.of(entry(tight, STORIES), "float32").warm
    assert not found.of(entry(tight, STORIES), "bfloat16").warm


def test_a_model_that_does_not_fit_is_refused_by_the_manager_too(tmp_path):
    with_room_for_little = Workspace(Settings(tmp_path / "c", tmp_path / "d", offline=True), budget=1_000_000)
    found = look(with_room_for_little).of(entry(with_room_for_little, STORIES), "float32")
    assert found.goes is None
    assert not found.fits
    assert found.words == "needs 4.48 MB, 1 MB free for models: does not fit"
    with pytest.raises(ModelDoesNotFit):
        with_room_for_little.scope(STORIES, precision="float32")
    with_room_for_little.close()


def test_auto_goes_down_to_the_first_precision_that_fits(tmp_path):
    half = Workspace(Settings(tmp_path / "c", tmp_path / "d", offline=True), budget=3_000_000)
    found = look(half).of(entry(half, STORIES), "auto")
    assert found.precision == "bfloat16"
    assert half.scope(STORIES).card.precision == "bfloat16"
    half.close()


def test_a_precision_that_cannot_be_had_says_so(tight):
    prospects = look(tight)
    known = prospects.size(entry(tight, STORIES))
    prospects._sizes._known[STORIES] = replace(known, bytes={"float32": 4})
    found = prospects.of(entry(tight, STORIES), "nf4")
    assert found.words == "cannot be had in nf4 on this machine"
    assert not found.fits


def test_sizes_are_rough_until_they_are_worked_out_and_then_exact(tight):
    sizes = Sizes(tight.catalogue)
    one = entry(tight, STORIES)
    assert sizes.of(one).rough
    assert sizes.of(one).bytes["float32"] == 4 * one.parameters
    sizes.start("cpu")
    sizes._thread.join(60)
    assert sizes.known
    assert not sizes.of(one).rough
    assert sizes.of(one).bytes == {str(name): size for name, size in one.estimate.bytes.items()}


def test_on_a_gpu_what_is_not_quantized_is_reckoned_in_half_precision(tight):
    one = entry(tight, STORIES)
    sizes = Sizes((one,))
    sizes._work_out("cuda")
    assert sizes.of(one).bytes["int8"] < one.estimate.bytes["int8"]
    assert sizes.of(one).bytes["float32"] == one.estimate.bytes["float32"]
