"""Why a model cannot be had from the hub, each reason in a sentence of its own: what is true, and what to do."""

from __future__ import annotations

import contextlib
import difflib
import errno
from collections.abc import Iterator
from typing import Any

from neuronscope.errors import CannotDownload, ModelError, ModelNotFound
from neuronscope.models.catalogue import CATALOGUE


@contextlib.contextmanager
def refusing(name: str, revision: str | None, *, under_way: bool = False) -> Iterator[None]:
    """Turn what the hub's client or the disk raises into one sentence; `under_way` once bytes of it may have come.

    Raises:
        ModelNotFound: if there is no such model or revision.
        CannotDownload: if permission, the network or the disk stands in the way.
    """
    from huggingface_hub import errors

    http_error: type[Exception] = errors.HTTPError  # type: ignore[attr-defined]
    try:
        yield
    except errors.HFValidationError as error:
        raise ModelNotFound(
            f"{name!r} is no name of a model: on the hub they read owner/name, or just name.{_near(name)}"
        ) from error
    except errors.HfHubHTTPError as error:
        raise _answered(name, revision, error) from error
    except errors.LocalEntryNotFoundError as error:
        raise CannotDownload(_broke_off(name)) from error
    except http_error as error:
        raise CannotDownload(_broke_off(name) if under_way else _out_of_reach(name)) from error
    except OSError as error:
        raise CannotDownload(_disk(name, error)) from error


def not_here(name: str) -> str:
    """The sentence about a model that would have to be downloaded while we are offline."""
    return (
        f"{name} is not on this machine, and NeuronScope is offline. Give a folder, or download it once while online."
        f"{_near(name)}"
    )


def _answered(name: str, revision: str | None, error: Any) -> ModelError:
    """The sentence about an answer of the hub that is not what was asked for."""
    from huggingface_hub import constants, errors

    status = error.response.status_code
    said = error.response.headers.get("X-Error-Message", "")
    if status == 401 and "Invalid credentials" in said:
        return CannotDownload(
            f"The hub does not know the token in HF_TOKEN, so it did not give {name}: renew or unset it."
        )
    if isinstance(error, errors.GatedRepoError) or status == 403:
        page = f"{constants.ENDPOINT}/{name}"
        return CannotDownload(
            f"{name} is given only to those its authors let in. {_own_access()} Ask for access on {page}, "
            "then set HF_TOKEN to a token of the account that has it."
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return ModelNotFound(f"{name} has no revision {revision!r} on the hub. Leave it out for the newest.")
    if isinstance(error, errors.EntryNotFoundError):
        return CannotDownload(f"{name} was changed on the hub while it was being downloaded. Ask for it again.")
    if isinstance(error, errors.DisabledRepoError):
        return ModelNotFound(f"{name} has been taken off the hub. Choose another model.")
    if status in {401, 404}:
        return ModelNotFound(
            f"No model {name!r} on the hub.{_near(name)} A private one wants HF_TOKEN set to a token of its owner."
        )
    return CannotDownload(f"The hub could not give {name} now (it answered {status}). Try again in a while.")


def _own_access() -> str:
    from huggingface_hub import get_token

    return "The account of the token set here is not among them." if get_token() else "No token is set here."


def _near(name: str) -> str:
    """A space and a question after models of the catalogue with names like this one; nothing where there are none."""
    known = {entry.name.lower(): entry.name for entry in CATALOGUE if not entry.demo}
    known |= {lower.rpartition("/")[2]: full for lower, full in known.items()}
    near = difflib.get_close_matches(name.lower(), known, n=4, cutoff=0.7)
    near += difflib.get_close_matches(name.lower().rpartition("/")[2], known, n=4, cutoff=0.8)
    found = [each for each in dict.fromkeys(known[lower] for lower in near) if each != name]
    return f" Did you mean {' or '.join(found[:3])}?" if found else ""


def _out_of_reach(name: str) -> str:
    from huggingface_hub import constants

    return (
        f"{name} is not on this machine, and the hub at {constants.ENDPOINT} cannot be reached. "
        "Check the connection, or give a folder."
    )


def _broke_off(name: str) -> str:
    return f"The connection broke while {name} was downloaded. What has come is kept: ask again, and it goes on there."


def _disk(name: str, error: OSError) -> str:
    from huggingface_hub import constants

    place = constants.HF_HUB_CACHE
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return (
            f"The disk is full, so {name} could not be downloaded to {place}. Make room and ask again: "
            "what has come is kept. Or set HF_HOME to a folder on a larger disk."
        )
    if isinstance(error, PermissionError):
        return f"{name} could not be downloaded: this user may not write to {place}. Set HF_HOME to a folder of yours."
    return f"{name} could not be downloaded to {place}: {error.strerror or error}. Check the disk and ask again."
