"""What the catalogue says of a model is what its configuration gives."""

from __future__ import annotations

import pytest

from neuronscope.errors import ModelNotFound
from neuronscope.models.catalogue import CATALOGUE, Entry, demo_folder
from neuronscope.models.precision import Precision


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_the_weights_of_every_entry_are_counted_from_its_configuration(entry: Entry) -> None:
    assert entry.estimate.parameters == entry.parameters
    assert entry.estimate.bytes[Precision.BFLOAT16] == 2 * entry.parameters
    assert entry.family


def test_names_are_unique_and_sizes_ascend() -> None:
    assert len({entry.name for entry in CATALOGUE}) == len(CATALOGUE)
    hub = [entry.parameters for entry in CATALOGUE if not entry.demo]
    assert hub == sorted(hub)
    assert [entry.demo for entry in CATALOGUE[:2]] == [True, True]


def test_demo_models_are_where_the_catalogue_says() -> None:
    for entry in CATALOGUE:
        if entry.demo:
            assert (demo_folder(entry.name) / "config.json").is_file()
    with pytest.raises(ModelNotFound, match="No checkpoint 'step-9' of demo:stories: there are "):
        demo_folder("demo:stories/step-9")
