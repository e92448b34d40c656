"""The standard streams, made such that a closed or full one is a sentence and never a traceback.

A closed stream's number is taken first of all: else the next file that is opened would have it, and
what is printed would land in that file.
"""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper, UnsupportedOperation
from typing import Any, TextIO

from smd_cli.errors import SmdError

_MODES = ((0, "r", os.O_WRONLY), (1, "w", os.O_RDONLY), (2, "w", os.O_WRONLY))
"""Number, our use, and how a closed one is opened: reading from 0 and writing to 1 must fail."""


class OutputError(SmdError):
    """Standard output takes nothing more: closed, full, or on a disk that is."""

    def __init__(self, why: OSError) -> None:
        super().__init__(f"standard output could not be written: {why.strerror or why}")


class _Guarded:
    """A text stream whose failing writes are met by `_failed`; all else is the stream's own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, as a text stream does."""
        try:
            return self._stream.write(text)
        except OSError as why:
            self._failed(why)
            return len(text)

    def flush(self) -> None:
        """Flush, as a text stream does."""
        try:
            self._stream.flush()
        except OSError as why:
            self._failed(why)

    def _failed(self, why: OSError) -> None:
        """What happens to a failure."""
        raise NotImplementedError


class _Results(_Guarded):
    """Standard output: what cannot be delivered fails the job; a reader may go away."""

    def _failed(self, why: OSError) -> None:
        if isinstance(why, BrokenPipeError):
            raise why
        raise OutputError(why) from why


class _Words(_Guarded):
    """Standard error: where nobody can be told, nobody is; the exit code tells as before."""

    def _failed(self, why: OSError) -> None:
        pass


def guard() -> None:
    """Make all three standard streams usable, whatever the caller has done to them."""
    for number, mode, way in _MODES:
        _hold(number, way)
        name = ("stdin", "stdout", "stderr")[number]
        if getattr(sys, name) is None:
            opened = os.fdopen(number, mode, encoding="utf-8", errors="backslashreplace")
            setattr(sys, name, opened)
    for stream in (sys.stdout, sys.stderr):  # no sign is too much for a code page
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.stdout = _Results(sys.stdout)
    sys.stderr = _Words(sys.stderr)


def refuse_closed(stream: TextIO) -> None:
    """Raise OutputError where nothing can ever be written to `stream`, before work is done."""
    try:
        os.write(stream.fileno(), b"")
    except UnsupportedOperation:  # no stream of the system's
        return
    except OSError as why:
        raise OutputError(why) from why


def _hold(number: int, way: int) -> None:
    """Give the number of a closed stream to the null device, opened in a `way` of no use."""
    try:
        os.fstat(number)
    except OSError:
        null = os.open(os.devnull, way)
        if null != number:
            os.dup2(null, number)
            os.close(null)
        os.set_inheritable(number, True)
