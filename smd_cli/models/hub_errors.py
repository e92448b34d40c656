"""What goes wrong with the hub and with its cache, as sentences."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from smd_cli.errors import SmdError, UsageError
from smd_cli.models.cache import Download, cache_folder

_LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"


@contextmanager
def sentences(wanted: Download) -> Iterator[None]:
    """Turns what the hub's library raises into sentences."""
    try:
        yield
    except SmdError:
        raise
    except Exception as wrong:
        sentence = _sentence(wanted, wrong)
        if sentence is None:
            raise
        raise sentence from wrong


def _sentence(wanted: Download, wrong: Exception) -> SmdError | None:
    from huggingface_hub import errors

    name = wanted.repo
    if isinstance(wrong, errors.HFValidationError):
        return UsageError(f"{name!r} is no hub id", "a hub id is OWNER/NAME")
    if isinstance(wrong, errors.GatedRepoError):
        page = f"{_endpoint()}/{name}"
        return SmdError(f"the model {name} is gated", f"ask for access at {page}, then {_LOG_IN}")
    if isinstance(wrong, errors.RepositoryNotFoundError):
        hint = f"check the spelling; for a private one, {_LOG_IN}"
        return SmdError(f"there is no model {name} on the hub, or it is private", hint)
    if isinstance(wrong, errors.RevisionNotFoundError):
        hint = f"see {_endpoint()}/{name}/commits/main"
        return SmdError(f"the model {name} has no revision {wanted.revision!r}", hint)
    if isinstance(wrong, errors.HfHubHTTPError) and wrong.response is not None:
        return _refused(name, wrong.response.status_code)
    if isinstance(wrong, OSError) and wrong.errno and not isinstance(wrong, ConnectionError):
        return _disk(wanted, wrong)
    # The base of the library's own errors is that of the HTTP library that it uses.
    if isinstance(wrong, OSError | errors.HfHubHTTPError.__mro__[1]):
        return SmdError(
            f"{name} cannot be got from the hub at {_endpoint()}: {_reason(wrong)}",
            "check the network and try again: what has come so far is kept",
        )
    return None


def _refused(name: str, status: int) -> SmdError:
    if status in (401, 403):
        return SmdError(f"the hub does not let you have {name} ({status})", _LOG_IN)
    return SmdError(f"the hub does not give {name}: it answers {status}", "try again later")


def _disk(wanted: Download, wrong: OSError) -> SmdError:
    place = wrong.filename or cache_folder()
    if wrong.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return SmdError(
            f"the disk is full: {wanted.title} does not fit into {cache_folder()}",
            "make room and try again: what has come so far is kept",
        )
    return SmdError(
        f"cannot write to {place}: {wrong.strerror}",
        "HF_HOME names the folder of the hub cache",
    )


def _reason(wrong: BaseException) -> str:
    """The first words of whatever was at the bottom of it."""
    while wrong.__cause__ is not None:
        wrong = wrong.__cause__
    return " ".join(str(wrong).split()).split(". ")[0] or type(wrong).__name__


def _endpoint() -> str:
    from huggingface_hub import constants

    return constants.ENDPOINT
