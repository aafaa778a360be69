"""JSON files of an index, and of whatever else is kept in a folder of its own."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import orjson


def write_json(path: Path, content: Any) -> str:
    """Write `content` as JSON and return its SHA-256."""
    data = orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_INDENT_2)
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def put_json(path: Path, content: dict[str, Any]) -> None:
    """Put JSON in place, whole or not at all: what a kill leaves is hidden, so that it is no stranger in the folder."""
    aside = path.with_name(f".{path.name}.new")
    with aside.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
