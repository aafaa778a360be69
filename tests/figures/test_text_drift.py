"""One text over the checkpoints: the same neurons, the same colours, and the numbers of each."""

from dataclasses import replace

import numpy as np
import pytest

from neuronscope.errors import InputError
from neuronscope.figures import drift_text, drift_text_table
from tests.figures.texts import activations


def across():
    """A text as three checkpoints read it: unit 5 grows on token 3, unit 2 falls silent."""
    base = activations()
    changed = []
    for step in range(3):
        values = base.values.copy()
        values[:, 3, 5] += 4 * step
        values[:, :, 2] *= 1 - step / 2
        changed.append(replace(base, values=values, source=replace(base.source, model=f"step-{step}")))
    return changed


def test_every_checkpoint_is_drawn_with_the_same_neurons_and_colours():
    read = across()
    figure = drift_text(read, 0, checkpoint=1)
    meta = figure.layout.meta
    assert meta["checkpoints"] == ["step-0", "step-1", "step-2"]
    frames = np.array(meta["frames"], np.float64)
    assert frames.shape == (3, *np.asarray(figure.data[0].z).shape)
    np.testing.assert_allclose(frames[1], np.asarray(figure.data[0].z), rtol=6e-3, atol=1e-6)
    largest = max(np.abs(one.layer(0)[one.tokens.kept]).max() for one in read)
    assert figure.data[0].zmax == pytest.approx(largest, rel=0.2)
    assert drift_text(read, 0, checkpoint=0).data[0].zmax == figure.data[0].zmax
    assert "step-1" in meta["title"]


def test_the_neurons_that_change_most_are_drawn_by_default():
    table = drift_text_table(across(), 0)
    assert {"L0.N5", "L0.N2"} <= set(table.columns)
    assert table["checkpoint"].unique().tolist() == ["step-0", "step-1", "step-2"]
    few = drift_text_table(across(), 0, [5])
    on_three = few[few["position"] == 3]["L0.N5"].to_numpy()
    np.testing.assert_allclose(np.diff(on_three), 4, rtol=1e-5)


def test_readings_of_other_texts_are_refused():
    first, second, _ = across()
    tokens = replace(second.tokens, ids=second.tokens.ids + 1)
    with pytest.raises(InputError, match="not readings of one text"):
        drift_text([first, replace(second, tokens=tokens)], 0)
    with pytest.raises(InputError, match="No checkpoint has read"):
        drift_text([], 0)
