"""Which checkpoints are meant."""

import pytest

from neuronscope.errors import InputError, ModelNotFound
from neuronscope.series import find


def folders(home, *names, holding="config.json"):
    for name in names:
        (home / name).mkdir(parents=True)
        (home / name / holding).write_text("{}")


def test_checkpoints_of_one_folder_come_in_the_order_of_their_numbers(tmp_path):
    folders(tmp_path, "checkpoint-20", "checkpoint-100", "checkpoint-5")
    (tmp_path / "logs").mkdir()
    found = find([tmp_path])
    assert [one.label for one in found] == ["checkpoint-5", "checkpoint-20", "checkpoint-100"]
    assert [one.step for one in found] == [5, 20, 100]


def test_a_folder_with_a_model_is_one_checkpoint_and_adapters_count(tmp_path):
    folders(tmp_path, "merged", "merged/checkpoint-1")
    folders(tmp_path, "lora", holding="adapter_config.json")
    assert [one.name for one in find([tmp_path / "merged", tmp_path / "lora"])] == [
        str(tmp_path / "merged"),
        str(tmp_path / "lora"),
    ]


def test_names_of_the_hub_keep_their_revisions():
    first, second = find(["EleutherAI/pythia-70m@step1000", "EleutherAI/pythia-70m@step2000"])
    assert (first.name, first.label, first.step) == ("EleutherAI/pythia-70m@step1000", "step1000", 1000)
    assert second.step == 2000


def test_labels_that_would_be_the_same_take_in_more_of_the_name(tmp_path):
    folders(tmp_path, "a/final", "b/final")
    assert [one.label for one in find([tmp_path / "a" / "final", tmp_path / "b" / "final"])] == ["a/final", "b/final"]


def test_checkpoints_of_a_demo_model_have_a_name():
    assert [one.step for one in find(["demo:stories/*"])] == [10, 30, 100, 200, 400]
    with pytest.raises(ModelNotFound, match="demo:stories-llama has no checkpoints"):
        find(["demo:stories-llama/*"])


def test_nothing_and_twice_the_same_are_refused(tmp_path):
    folders(tmp_path, "one")
    with pytest.raises(InputError, match="No checkpoint was named"):
        find([])
    with pytest.raises(InputError, match="named twice"):
        find([tmp_path / "one", tmp_path / "one"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelNotFound, match=r"neither config\.json nor adapter_config\.json"):
        find([tmp_path / "empty"])
