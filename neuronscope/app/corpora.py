"""The corpora a visitor may index from the page: generated text, pasted text, and files in allowed folders."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from neuronscope.app.building import Sources
from neuronscope.errors import InputError, Refused
from neuronscope.jobs import checkpoint

if TYPE_CHECKING:
    from neuronscope.settings import Settings

SEED = 7
"""Which of the demo world's endless texts are read."""
_LOGS = 4
"""How often a ship's log is drawn where there are some: one document in 27."""
_WORDS_OF_A_DOCUMENT = 40
"""Fewer than any kind of generated document has on average, so that there is enough text for the tokens asked for."""


def generated(settings: Settings, tokens: int, *, logs: bool = False) -> Sources:
    """Text of the demo models' own world, as much as `tokens` need; the same text each time.

    With `logs` there are ships' logs among it, a kind of text that the demo models are fine-tuned on.
    """

    def write() -> Path:
        from neuronscope.demo.world import KINDS, NEW_KINDS, texts

        documents = max(tokens // _WORDS_OF_A_DOCUMENT, 1)
        kinds = (*KINDS, *[*NEW_KINDS] * _LOGS) if logs else tuple(KINDS)
        path = _folder(settings) / f"generated-{'logs-' if logs else ''}{SEED}-{documents}.jsonl"
        if not path.exists():
            aside = path.with_suffix(".new")
            with aside.open("w", encoding="utf-8") as file:
                for text in texts(SEED, documents, kinds):
                    checkpoint()
                    file.write(json.dumps({"text": text}) + "\n")
            aside.replace(path)
        return path

    return write


def pasted(settings: Settings, text: str) -> Sources:
    """A text from the clipboard, kept under the fingerprint of what it says; raises `InputError` if it is empty."""
    if not text.strip():
        raise InputError("No text was pasted: paste the corpus into the box, or choose another source.")

    def write() -> Path:
        path = _folder(settings) / f"pasted-{hashlib.sha256(text.encode()).hexdigest()[:12]}.txt"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def at_path(settings: Settings, path: str) -> Sources:
    """A file or folder below a folder that was allowed when the server started.

    Raises:
        Refused: for anything else, whether or not it exists.
        InputError: if no path is named.
    """
    from neuronscope.app.security import allowed_folder

    if not path.strip():
        raise InputError("No file is named: write the path of a text file or of a folder of them.")
    try:
        found = allowed_folder(path.strip(), settings.model_roots)
    except Refused:
        roots = ", ".join(str(root) for root in settings.model_roots)
        places = f"it reads only below {roots}" if roots else "it reads no files by path"
        raise Refused(
            f"The page may not read {path.strip()!r}: {places}. Paste the text, start NeuronScope with --models and "
            "the folder, or use `neuronscope index` in a terminal."
        ) from None
    return lambda: found


def _folder(settings: Settings) -> Path:
    folder = settings.data_folder / "corpora"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
