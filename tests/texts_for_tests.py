"""Texts in a file, as a corpus is read from."""

import json
from collections.abc import Iterable
from pathlib import Path


def written(folder: Path, texts: Iterable[str]) -> Path:
    """A file of JSON lines in `folder`, a text in each."""
    file = folder / "texts.jsonl"
    file.write_text("\n".join(json.dumps({"text": text}) for text in texts), "utf-8")
    return file
