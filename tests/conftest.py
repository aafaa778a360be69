"""What every test stands on: a home of its own, one thread for numbers, checked shapes, real data if there is any."""

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis.strategies import none
from jaxtyping import install_import_hook

if TYPE_CHECKING:
    from neuronscope.scope import Workspace

CHECKED = (
    *("vocabulary", "ngrams", "shrinkage", "models", "engine", "corpus", "index", "indexed", "analysis", "figures"),
    *("scope", "selftest", "export", "series"),
)
"""The rooms whose signatures are checked at run time; in the others Dash and the terminal look at the functions too."""

install_import_hook([f"neuronscope.{room}" for room in CHECKED], "beartype.beartype")


def pytest_configure(config: pytest.Config) -> None:
    """Give this run a home, before a test module imports a library that looks for one."""
    home = Path(tempfile.mkdtemp(prefix="neuronscope-tests-"))
    config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
    os.environ |= {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_DATA_HOME": str(home / "data"),
        "HF_HOME": str(home / "huggingface"),
        "HF_HUB_OFFLINE": "1",
        "NEURONSCOPE_HOME": str(home / "neuronscope"),
        "OMP_NUM_THREADS": "1",  # read when torch is first imported, here and in processes that tests start
        "NUMBA_NUM_THREADS": "1",  # or UMAP's first map would give torch, too, a thread for each core from then on
    }


def pytest_collection_finish() -> None:
    """Exempt all that has been imported by now from garbage collection, which would look through it again and again.

    Hypothesis asks the collector who holds numpy's random numbers when it runs for the first time: that is before.
    """
    given(none())(lambda _: None)()
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh folder for what NeuronScope keeps, so that no test finds another's."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("NEURONSCOPE_HOME", str(home))
    return home


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Workspace]":
    """A workspace of the module's own, which reaches no network."""
    from neuronscope.scope import Workspace
    from neuronscope.settings import Settings

    home = tmp_path_factory.mktemp("workspace")
    made = Workspace(Settings(home / "cache", home / "data", offline=True))
    yield made
    made.close()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real small models and texts beside the checkout; skips where there is none."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the real models and texts of {folder}, which is not there")
    return folder
