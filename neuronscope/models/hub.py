"""Models on the hub: which of them are on this machine, what the others would take, and bringing one here.

Files go into huggingface_hub's own cache, where other programs find them: its client tells what there is and links what
has come. The bytes are fetched by `transfers`, because that client neither stops half-way through a file nor goes on
there. Only configuration, tokenizer and weights are fetched, each checked against the hub's checksum; pickled weights
only of models that have no others.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuronscope.errors import CannotDownload, ModelNotFound, UnsupportedModel
from neuronscope.jobs import track
from neuronscope.models import folders, hub_refusals
from neuronscope.models.transfers import Source, Transfer, aside, bring, partial, until_done

_MEGABYTE = 10**6
_ENDINGS = (".json", ".txt", ".model", ".tiktoken", ".jinja")
"""What configurations and vocabularies are kept in."""


@dataclass(frozen=True)
class Snapshot:
    """A model's files on this machine, as they were at one commit."""

    folder: Path
    """Where they are."""
    commit: str
    """The commit."""


@dataclass(frozen=True)
class RemoteFile:
    """One file on the hub."""

    name: str
    """Its name."""
    size: int
    """Its bytes."""
    checksum: str
    """What the hub says its checksum is; the cache keeps it under this name."""


@dataclass(frozen=True)
class Plan:
    """What having a model on this machine would take."""

    name: str
    """The model."""
    revision: str | None
    """The branch, tag or commit that was asked for."""
    commit: str
    """The commit that this is now."""
    files: tuple[RemoteFile, ...]
    """The files needed, the smallest first."""

    @property
    def bytes(self) -> int:
        """Bytes of all of them."""
        return sum(file.size for file in self.files)

    @property
    def missing(self) -> int:
        """Bytes still to come: without those that are here already, in whole files or in part of one."""
        return self.bytes - sum(_held(self, file) for file in self.files)


def find(name: str, revision: str | None = None) -> Snapshot | None:
    """The model's files if all that is needed of it is on this machine; speaks to nobody."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        config = try_to_load_from_cache(name, folders.CONFIG, revision=revision)
    except HFValidationError:
        return None
    if not isinstance(config, str) or not folders.is_whole(Path(config).parent):
        return None
    return Snapshot(Path(config).parent, Path(config).parent.name)


def obtain(name: str, revision: str | None = None, *, offline: bool = False, code: bool = False) -> Snapshot:
    """The model's files on this machine, downloaded first if they are not here.

    Args:
        name: Its name on the hub.
        revision: A branch, tag or commit; the main branch by default.
        offline: Never speak to the hub.
        code: Whether Python files that come with it are wanted too.

    Raises:
        ModelNotFound: if it is not on the hub, or not here and we are offline.
        UnsupportedModel: if there is nothing in it that we read.
        CannotDownload: if permission, the network, the disk or a damaged file stands in the way.
    """
    from huggingface_hub import constants

    offline = offline or constants.HF_HUB_OFFLINE
    found = find(name, revision)
    if found and (offline or not code):
        return found
    if offline:
        raise ModelNotFound(hub_refusals.not_here(name))
    return download(plan(name, revision, code=code))


def plan(name: str, revision: str | None = None, *, code: bool = False) -> Plan:
    """Ask the hub which files the model needs and how large they are; raises what `obtain` raises."""
    from huggingface_hub import HfApi, constants

    patience = constants.HF_HUB_DOWNLOAD_TIMEOUT

    def ask(_: Transfer) -> Any:
        return HfApi().model_info(name, revision=revision, files_metadata=True, timeout=patience)

    with hub_refusals.refusing(name, revision), aside(ask) as (answer, _):
        for _ in until_done(answer):
            pass
        info = answer.result()
    held = {file.rfilename: file for file in info.siblings or ()}
    files = [_remote_file(held[each]) for each in _wanted(name, sorted(held), code=code)]
    return Plan(name, revision, info.sha, tuple(sorted(files, key=lambda file: file.size)))


def download(planned: Plan) -> Snapshot:
    """Bring the files of a plan here, going on where an earlier download ended; cancelling stops it within a second.

    Raises:
        CannotDownload: if permission, the network, the disk or a damaged file stands in the way.
    """
    missing = planned.missing
    label = f"Downloading {'the rest of ' if missing < planned.bytes else ''}{planned.name}, in MB"
    with hub_refusals.refusing(planned.name, planned.revision, under_way=True):
        _check_room(planned.name, missing)
        with aside(lambda transfer: _bring_all(planned, transfer)) as (brought, transfer):
            for _ in track(_megabytes(brought, transfer), label=label, total=-(-missing // _MEGABYTE)):
                pass
            return brought.result()


def _wanted(name: str, names: list[str], *, code: bool) -> list[str]:
    """The files that loading needs; raises `UnsupportedModel` where they do not make a model."""
    top = [each for each in names if "/" not in each]
    if folders.CONFIG not in top:
        raise UnsupportedModel(
            f"{name} is on the hub but is no model that transformers loads: it has no {folders.CONFIG}. "
            "Choose the model that it was made from."
        )
    held = folders.weights_among(top)
    start, end = ("pytorch_model-", ".bin") if held == folders.OLDER_INDEX else ("model-", ".safetensors")
    shards = [each for each in top if each.startswith(start) and each.endswith(end)]
    weights = shards if held and held.endswith(".json") else [held] if held else []
    if not weights:
        raise UnsupportedModel(folders.without_weights(name, top))
    if not folders.has_tokenizer(top):
        raise UnsupportedModel(
            f"{name} has no tokenizer on the hub. Put the model and the tokenizer it was trained with in one folder, "
            "and give that folder."
        )
    python = [each for each in names if code and each.endswith(".py")]
    return [*weights, *python, *(each for each in top if each.endswith(_ENDINGS))]


def _remote_file(held: Any) -> RemoteFile:
    large = held.lfs
    return RemoteFile(held.rfilename, large.size if large else held.size, large.sha256 if large else held.blob_id)


def _check_room(name: str, missing: int) -> None:
    cache = _cache()
    free = shutil.disk_usage(next(folder for folder in (cache, *cache.parents) if folder.exists())).free
    if missing > free:
        raise CannotDownload(
            f"There is no room on the disk for {name}: {missing / 1e6:,.1f} MB are to come, and {free / 1e6:,.1f} MB "
            f"are free at {cache}. Make room, or set HF_HOME to a folder on a larger disk."
        )


def _megabytes(brought: Future[Snapshot], transfer: Transfer) -> Iterator[None]:
    """Yield once for every million bytes that have come."""
    told = 0
    for _ in until_done(brought):
        for _ in range(told, transfer.arrived // _MEGABYTE):
            told += 1
            yield


def _bring_all(planned: Plan, transfer: Transfer) -> Snapshot:
    from huggingface_hub import hf_hub_download, hf_hub_url

    for file in planned.files:
        address = hf_hub_url(planned.name, file.name, revision=planned.commit)
        source = Source(f"{file.name} of {planned.name}", address, file.size, file.checksum)
        blob = _blob(planned, file)
        bring(source, blob, _cache() / ".locks" / _folder(planned) / f"{file.checksum}.lock", transfer)
    # The bytes are in place, so the client only links them. The configuration comes last: where it is, the rest is.
    for each in sorted((file.name for file in planned.files), key=lambda each: each == folders.CONFIG):
        transfer.check()
        linked = hf_hub_download(planned.name, each, revision=planned.commit)
    if planned.revision != planned.commit:
        hf_hub_download(planned.name, folders.CONFIG, revision=planned.revision)
    return Snapshot(Path(linked).parent, planned.commit)


def _held(planned: Plan, file: RemoteFile) -> int:
    """Bytes of a file that are here."""
    blob = _blob(planned, file)
    if blob.exists():
        return file.size
    return min(partial(blob).stat().st_size, file.size) if partial(blob).exists() else 0


def _blob(planned: Plan, file: RemoteFile) -> Path:
    """Where the client's cache keeps the bytes of a file."""
    return _cache() / _folder(planned) / "blobs" / file.checksum


def _folder(planned: Plan) -> str:
    from huggingface_hub.file_download import repo_folder_name

    return repo_folder_name(repo_id=planned.name, repo_type="model")


def _cache() -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)
