"""One drift for all tests of its figures."""

import pytest

from neuronscope.series import Drift
from tests import drifts_for_tests


@pytest.fixture(scope="session")
def drift(tmp_path_factory: pytest.TempPathFactory) -> Drift:
    """The drift of tiny checkpoints, with their control."""
    return drifts_for_tests.drift(tmp_path_factory.mktemp("drift"))
