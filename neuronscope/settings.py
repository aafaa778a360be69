"""Where things live and what to assume, read once from the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

GIGABYTE = 1 << 30


@dataclass(frozen=True)
class Settings:
    """What a process assumes; made once and handed down."""

    cache_folder: Path
    """Results that can be computed again; private to this user."""
    data_folder: Path
    """What the user made and wants to keep: notes, labels, groups."""
    offline: bool = False
    """Never speak to a model hub."""
    cache_limit: int = 2 * GIGABYTE
    """The most bytes the cache folder may hold."""
    model_roots: tuple[Path, ...] = ()
    """Folders from which the page may load a model by path; none unless named when the server starts."""

    @classmethod
    def from_environment(cls) -> Settings:
        """Read `NEURONSCOPE_HOME` (both folders below it) and `NEURONSCOPE_OFFLINE` or `HF_HUB_OFFLINE`."""
        import platformdirs

        home = os.environ.get("NEURONSCOPE_HOME")
        offline = any(_is_on(os.environ.get(name, "")) for name in ("NEURONSCOPE_OFFLINE", "HF_HUB_OFFLINE"))
        return cls(
            cache_folder=Path(home, "cache") if home else platformdirs.user_cache_path("neuronscope", appauthor=False),
            data_folder=Path(home, "data") if home else platformdirs.user_data_path("neuronscope", appauthor=False),
            offline=offline,
        )


def assets_folder() -> Path:
    """The styles and scripts: beside the package in a checkout, inside it where it was installed from a wheel."""
    inside = Path(__file__).resolve().parent / "assets"
    beside = Path(__file__).resolve().parents[1] / "assets"
    return inside if (inside / "style.css").is_file() else beside


def _is_on(value: str) -> bool:
    return value.strip().lower() in {"1", "true", "yes", "on"}
