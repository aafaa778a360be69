"""Readings: one reading of an attached model serves every plot, until the text is run again."""

import numpy as np
import pytest
import torch

from neuronscope.app.readings import Readings
from neuronscope.scope import Workspace
from neuronscope.settings import Settings
from tests.models_for_tests import gpt2, tokenizer

WORDS = "the cat sat on the mat"


@pytest.fixture
def network():
    return gpt2()


@pytest.fixture
def scope(network, tmp_path):
    workspace = Workspace(Settings(tmp_path / "c", tmp_path / "d", offline=True))
    yield workspace.attach(network, tokenizer(), "mine")
    workspace.close()


def test_an_attached_model_is_read_once_for_all_plots_and_anew_when_it_is_run_again(scope, network):
    readings = Readings()
    first = readings.read(scope, [WORDS], "neurons", "refuse")[0]
    with torch.no_grad():
        network.transformer.h[0].mlp.c_fc.weight.mul_(2)
    assert readings.read(scope, [WORDS], "neurons", "refuse")[0] is first
    readings.forget(scope)
    again = readings.read(scope, [WORDS], "neurons", "refuse")[0]
    assert not np.allclose(again.values, first.values)


def test_each_text_and_site_is_a_reading_of_its_own(scope):
    readings = Readings()
    both = readings.read(scope, [WORDS, "a dog"], "neurons", "refuse")
    assert [len(one.tokens) for one in both] == [6, 2]
    assert readings.read(scope, [WORDS], "residual", "refuse")[0].site == "residual"
    np.testing.assert_array_equal(both[1].values, scope.activations("a dog").values)


def test_no_more_is_kept_than_there_is_room_for(scope):
    readings = Readings(most=1)
    first = readings.read(scope, [WORDS], "neurons", "refuse")[0]
    readings.read(scope, ["a dog"], "neurons", "refuse")
    assert readings.read(scope, [WORDS], "neurons", "refuse")[0] is not first
