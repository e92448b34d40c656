"""libtiff writes what it thinks of a damaged file to the process' standard error, past Python."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STDERR = 2
_LOCK = threading.Lock()


@contextmanager
def silent_decoders() -> Iterator[None]:
    """Keep libraries' own words off the terminal while one decodes.

    Standard error as a whole leads nowhere meanwhile, so the block should do nothing else.
    """
    if sys.stderr is None:  # closed from the start: its number may be a picture's by now
        yield
        return
    with _LOCK, contextlib.ExitStack() as after:
        with contextlib.suppress(OSError, ValueError):  # closed since
            kept = os.dup(_STDERR)
            after.callback(os.close, kept)
            sys.stderr.flush()
            with Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), _STDERR)
            after.callback(os.dup2, kept, _STDERR)
        yield
