"""What the memory bar shows is what the machine says."""

import os

import psutil

from neuronscope.models.memory import memory


def test_memory_is_measured_in_bytes_and_adds_up() -> None:
    found = memory(models=123)
    assert found.models == 123
    assert 0 < found.process <= found.total
    assert 0 < found.available <= found.total
    assert abs(found.process - psutil.Process(os.getpid()).memory_info().rss) < 200e6
