"""Errors as sentences with an address: raised deep inside, shown once at the edge."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal


class ExitCode(IntEnum):
    """What the process tells the shell."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    INTERRUPTED = 130


@dataclass(frozen=True)
class Place:
    """Where in what the user wrote: a line of the scene file, or an option of the command line.

    `line` and `column` count from 1; both are 0 for an option, whose `file` is the option as typed
    (``--set brushes.fox.alpha=2``). `source` is the line's own text, for the caret.
    """

    file: str
    line: int = 0
    column: int = 0
    source: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True)
class Problem:
    """One thing to tell about the scene; `str()` gives the full text as it is shown."""

    place: Place
    message: str
    hint: str = ""
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        lines = [f"{self.place}: {self.severity}: {self.message}"]
        if self.place.line and self.place.source.strip():
            lead = self.place.source[: self.place.column - 1]
            blank = "".join(c if c == "\t" else " " for c in lead)
            lines += [f"  {self.place.source.rstrip()}", f"  {blank}^"]
        if self.hint:
            lines.append(f"hint: {self.hint}")
        return "\n".join(lines)


class SmdError(Exception):
    """Anything the user should read as one sentence; `exit_code` says what the shell gets."""

    exit_code = ExitCode.FAILED

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"error: {self.message}" + (f"\nhint: {self.hint}" if self.hint else "")


class UsageError(SmdError):
    """The command line is wrong."""

    exit_code = ExitCode.USAGE


class SceneError(UsageError):
    """The scene is wrong: every problem found, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(p) for p in self.problems))

    def __str__(self) -> str:
        return self.message
