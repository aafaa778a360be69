"""Activations as files that any other program can read.

The ending of the file's name chooses what is written.

`.safetensors` and `.npz` hold arrays:

| name | type | shape | what |
|---|---|---|---|
| `values` | float32 | layers × tokens × neurons | the activations |
| `ids` | int64 | tokens | each token's vocabulary id |
| `offsets` | int64 | tokens × 2 | where each token starts and stops in the text, in characters |
| `kept` | bool | tokens | whether the token counts in maxima and statistics |
| `layers` | int64 | layers | the true number of each layer along the first axis of `values` |

and, beside them, strings: `model`, `revision`, `precision`, `site`, `text`, `tokens` (a JSON list: how each token is
shown), `version` (of NeuronScope) and, where the text is longer than the model's context, `window`: how many tokens
were read at a time. In a safetensors file they are its metadata; in an npz file they are one JSON object in the array
`metadata`, and no array is pickled.

`.parquet` and `.csv` hold a table with one row for each layer and token, and the columns `layer`, `position`,
`token_id`, `token` (as shown), `start`, `stop`, `special`, `kept`, then one for each neuron: `N0`, `N1`, … In the
residual stream these are `D0`, `D1`, …, at the attention site `H0.0`, `H0.1`, … The page's own CSV files have the same
columns, but for a column that belongs to one layer, which says so, as in `L2.N0`. A parquet file has the strings above
as its schema's metadata; a CSV file has no room for them.

A file is written under another name beside its place and then renamed: whatever happens, there is never half a file,
and what stood there before stays until the new one is whole.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Shaped

from neuronscope.errors import FileError
from neuronscope.vocabulary import Activations, Tokens

if TYPE_CHECKING:
    import pyarrow as pa


def save(activations: Activations, path: Path | str) -> Path:
    """Write `activations` to `path` in the format that its ending names, and return the path.

    Raises:
        FileError: for an ending we do not write, a folder that is not there, or a file that cannot be written.
    """
    path = check(path)
    with written_aside(path) as aside:
        _FORMATS[path.suffix.lower()](activations, aside)
    return path


def check(path: Path | str) -> Path:
    """Return `path` if it can be written to: ask before long work, so that a mistake is told at once.

    Raises:
        FileError: for an ending we do not write, a folder that is not there, or a folder in the file's place.
    """
    path = Path(path).expanduser()
    if path.suffix.lower() not in _FORMATS:
        raise FileError(f"Cannot tell the format of {path}: end its name in {', '.join(_FORMATS)}.")
    if not path.parent.is_dir():
        raise FileError(f"Cannot write {path}: there is no folder {path.parent}. Make it first.")
    if path.is_dir():
        raise FileError(f"Cannot write {path}: it is a folder. Name a file in it.")
    return path


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Lend a path beside `path` to write to; it takes the place of `path` if the work succeeds and vanishes if not.

    Raises:
        FileError: if the system refuses, as for a full disk.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        aside.touch()
        mode = aside.stat().st_mode
        yield aside
        aside.chmod(mode)  # some writers make their files private
        aside.replace(path)
    except OSError as error:
        raise FileError(f"Cannot write {path}: {error.strerror or error}.") from error
    finally:
        aside.unlink(missing_ok=True)


def metadata(activations: Activations) -> dict[str, str]:
    """Where the numbers come from, as the strings that stand beside them in a file."""
    from neuronscope.version import VERSION

    return {
        "model": activations.source.model,
        "revision": activations.source.revision,
        "precision": activations.source.precision,
        "site": activations.site.value,
        "text": activations.tokens.text,
        "tokens": json.dumps(activations.tokens.display, ensure_ascii=False),
        "version": VERSION,
        **({"window": str(activations.window)} if activations.window else {}),
    }


def token_columns(tokens: Tokens) -> dict[str, Shaped[np.ndarray, " tokens"]]:
    """What stands before the numbers in every table with a row for each token."""
    return {
        "position": np.arange(len(tokens)),
        "token_id": tokens.ids,
        "token": np.array(tokens.display, dtype=object),
        "start": tokens.offsets[:, 0],
        "stop": tokens.offsets[:, 1],
        "special": tokens.special,
        "kept": tokens.kept,
    }


def _arrays(activations: Activations) -> dict[str, Shaped[np.ndarray, "..."]]:  # noqa: UP037  jaxtyping's own
    tokens = activations.tokens
    return {
        "values": np.ascontiguousarray(activations.values),
        "ids": np.ascontiguousarray(tokens.ids, dtype=np.int64),
        "offsets": np.ascontiguousarray(tokens.offsets, dtype=np.int64),
        "kept": np.ascontiguousarray(tokens.kept),
        "layers": np.array(activations.layers, dtype=np.int64),
    }


def _safetensors(activations: Activations, path: Path) -> None:
    from safetensors.numpy import save_file

    save_file(_arrays(activations), path, metadata=metadata(activations))


def _npz(activations: Activations, path: Path) -> None:
    text = json.dumps(metadata(activations), ensure_ascii=False)
    with path.open("wb") as file:  # given a name, numpy would add an ending of its own
        np.savez(file, allow_pickle=False, metadata=np.array(text), **_arrays(activations))


def _parquet(activations: Activations, path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(_table(activations), path)


def _csv(activations: Activations, path: Path) -> None:
    from pyarrow import csv

    csv.write_csv(_table(activations), path)


def _table(activations: Activations) -> pa.Table:
    import pyarrow as pa

    tokens, layers = activations.tokens, activations.layers
    columns: dict[str, Any] = {"layer": np.repeat(np.array(layers), len(tokens))}
    columns |= {name: np.concatenate([column] * len(layers)) for name, column in token_columns(tokens).items()}
    units = activations.values.reshape(-1, activations.values.shape[-1]).T
    columns |= {activations.unit_name(i): unit for i, unit in enumerate(np.ascontiguousarray(units))}
    return pa.table(columns).replace_schema_metadata(metadata(activations))


_FORMATS: dict[str, Callable[[Activations, Path], None]] = {
    ".safetensors": _safetensors,
    ".npz": _npz,
    ".parquet": _parquet,
    ".csv": _csv,
}
