"""Settings come from the environment, read when asked."""

from pathlib import Path

import pytest

from neuronscope.settings import Settings


def test_one_variable_moves_everything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NEURONSCOPE_HOME", str(tmp_path))
    found = Settings.from_environment()
    assert (found.cache_folder, found.data_folder) == (tmp_path / "cache", tmp_path / "data")


@pytest.mark.parametrize(("value", "offline"), [("1", True), ("true", True), ("0", False), ("", False)])
def test_offline_is_heard(monkeypatch: pytest.MonkeyPatch, value: str, offline: bool) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("NEURONSCOPE_OFFLINE", value)
    assert Settings.from_environment().offline is offline
