"""Bytes from the hub to the disk: watched while they come, stopped within a moment, gone on with where they broke off.

A network may keep its caller waiting for many seconds. So a transfer has a thread of its own, and whoever asked for it
looks several times a second at how far it is and at whether the answer is still wanted.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeVar

from neuronscope.errors import CannotDownload
from neuronscope.jobs import Cancelled, checkpoint

Result = TypeVar("Result")

_TICK = 0.1
"""Seconds between two looks."""
_ATTEMPTS = 3
"""How often a transfer that brings nothing new is tried again."""
_BUSY = (408, 429, 500, 502, 503, 504)
"""What a server answers that may do better in a moment."""
_BLOCK = 1 << 20


@dataclass
class Transfer:
    """What the thread that fetches and the one that waits for it tell each other."""

    arrived: int = 0
    """Bytes that have come."""
    unwanted: threading.Event = field(default_factory=threading.Event)
    """Set once nobody waits for them any more."""

    def check(self) -> None:
        """Raise `Cancelled` once nobody waits."""
        if self.unwanted.is_set():
            raise Cancelled


@contextlib.contextmanager
def aside(work: Callable[[Transfer], Result]) -> Iterator[tuple[Future[Result], Transfer]]:
    """Do `work` on a thread of its own, which is told when this context is left."""
    transfer = Transfer()
    pool = ThreadPoolExecutor(1, thread_name_prefix="hub")
    try:
        yield pool.submit(work, transfer), transfer
    finally:
        transfer.unwanted.set()
        pool.shutdown(wait=False)


def until_done(future: Future[Result]) -> Iterator[None]:
    """Yield several times a second until `future` is done; every step is a checkpoint."""
    while not future.done():
        wait([future], timeout=_TICK)
        checkpoint()
        yield


@dataclass(frozen=True)
class Source:
    """One file as the hub has it."""

    name: str
    """What it is called in a sentence, such as `config.json of gpt2`."""
    address: str
    """Where it is."""
    size: int
    """Its bytes."""
    checksum: str
    """SHA-256 of a large file; of a small one git's SHA-1, which counts its length in."""

    def digest(self) -> Any:
        """The checksum of nothing yet, from hashlib."""
        if len(self.checksum) == 64:
            return hashlib.sha256()
        return hashlib.sha1(b"blob %d\0" % self.size, usedforsecurity=False)


def partial(file: Path) -> Path:
    """Where the bytes of `file` are gathered until all have come."""
    return file.with_name(f"{file.name}.incomplete")


def bring(source: Source, file: Path, lock: Path, transfer: Transfer) -> None:
    """Make `file` hold what `source` is; it gets its name once all has come and has been checked.

    `lock` keeps two programs from fetching the same file at once: the second waits for the first.

    Raises:
        CannotDownload: if what comes is not what the hub's checksum says, or less than it says.
    """
    from filelock import Timeout
    from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]

    for folder in (file.parent, lock.parent):
        folder.mkdir(parents=True, exist_ok=True)
    while not file.exists():
        transfer.check()
        with contextlib.suppress(Timeout), WeakFileLock(lock, timeout=_TICK):
            if not file.exists():
                _bring(source, file, transfer)


def _bring(source: Source, file: Path, transfer: Transfer) -> None:
    with partial(file).open("a+b") as held:
        found = _checksum_of_all(source, held, transfer)
    if found != source.checksum:
        partial(file).unlink()
        raise CannotDownload(
            f"{source.name} arrived damaged: its checksum is not the one the hub gives. "
            "What came has been deleted; download it again."
        )
    partial(file).rename(file)


def _checksum_of_all(source: Source, held: IO[bytes], transfer: Transfer) -> str:
    """Add to `held` what it lacks, and return the checksum of it all."""
    digest = source.digest()
    held.seek(0)
    while block := held.read(_BLOCK):
        transfer.check()
        digest.update(block)
    in_vain = 0
    while (start := held.tell()) < source.size:
        try:
            for chunk in _chunks(source.address, start):
                transfer.check()
                held.write(chunk)
                digest.update(chunk)
                transfer.arrived += len(chunk)
            trouble = None
        except _http_error() as error:
            if not _may_pass(error):
                raise
            trouble = error
        in_vain = in_vain + 1 if held.tell() == start else 0
        if in_vain == _ATTEMPTS:
            raise trouble or CannotDownload(
                f"{source.name} is shorter on the hub than the hub says: {start:,} bytes of {source.size:,}. "
                "Its owner has to upload it again; choose another revision or model."
            )
        transfer.unwanted.wait(in_vain)
    return digest.hexdigest()


def _chunks(address: str, start: int) -> Iterator[bytes]:
    """What is at `address`, from byte `start` on."""
    from huggingface_hub import constants
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status  # type: ignore[attr-defined]

    headers = {**build_hf_headers(), "Accept-Encoding": "identity", "Range": f"bytes={start}-"}
    patience = constants.HF_HUB_DOWNLOAD_TIMEOUT
    with get_session().stream("GET", address, headers=headers, timeout=patience) as response:
        if response.status_code == 416:
            return  # There is nothing from that byte on.
        hf_raise_for_status(response)
        skipped = start if response.status_code == 200 else 0
        for chunk in response.iter_bytes():
            yield chunk[skipped:]
            skipped = max(0, skipped - len(chunk))


def _http_error() -> type[Exception]:
    """What huggingface_hub's HTTP client raises at any failure, whichever client it is in this version."""
    from huggingface_hub import errors

    return errors.HTTPError  # type: ignore[attr-defined]


def _may_pass(error: Any) -> bool:
    """Whether a failure may be gone in a moment: the line broke, or the server is busy."""
    answer = getattr(error, "response", None)
    return answer is None or answer.status_code in _BUSY
