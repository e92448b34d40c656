"""Errors as sentences with an address: raised deep inside, shown once at the edge."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from smd_cli.units import visible

MAX_SENTENCE = 500  # signs of a message or a hint
MAX_PROBLEMS = 20  # of one file that are told


_BUG = "this is a bug in smd; run again with --debug and report what it prints"

TOLD = ("told",)
"""The arguments of a KeyboardInterrupt that ended what only ends so, which said what came of it."""

KeyPath = tuple[str | int, ...]
"""Where a key stands in a scene, by names and indices: ``("brushes", 0, "mask")``."""


class ExitCode(IntEnum):
    """What the process tells the shell."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Place:
    """Where in what the user wrote: a line of the scene file, or an option of the command line.

    `line` and `column` count from 1; both are 0 for an option, whose `file` is the option as typed
    (``--set brushes.fox.alpha=2``). `source` is the line's own text, for the caret; of a long line
    only a part, which begins `skipped` columns into it.
    """

    file: str
    line: int = 0
    column: int = 0
    source: str = ""
    skipped: int = 0

    def __str__(self) -> str:
        file = visible(self.file)
        return f"{file}:{self.line}:{self.column}" if self.line else file


@dataclass(frozen=True)
class Problem:
    """One thing to tell about the scene; `str()` gives the full text as it is shown.

    A message or a hint that is longer than any sentence loses its middle.
    """

    place: Place
    message: str
    hint: str = ""
    severity: Literal["error", "warning"] = "error"

    def __post_init__(self) -> None:
        for name in ("message", "hint"):
            object.__setattr__(self, name, shortened(getattr(self, name), MAX_SENTENCE))

    def __str__(self) -> str:
        place = self.place
        lines = [f"{place}: {self.severity}: {visible(self.message)}"]
        if place.line and place.source.strip():
            lead = place.source[: place.column - 1 - place.skipped]
            blank = "".join(c if c == "\t" else " " for c in lead)
            lines += [f"  {place.source.rstrip()}", f"  {blank}^"]
        if self.hint:
            lines.append(f"hint: {visible(self.hint)}")
        return "\n".join(lines)


def shortened(text: str, limit: int) -> str:
    """The text; where it is longer than `limit` signs, without its middle."""
    if len(text) <= limit:
        return text
    return f"{text[: limit * 2 // 3]}…{text[len(text) - limit // 3 + 1 :]}"


class SmdError(Exception):
    """Anything the user should read as one sentence; `exit_code` says what the shell gets."""

    exit_code = ExitCode.FAILED

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        hint = f"\nhint: {visible(self.hint)}" if self.hint else ""
        return f"error: {visible(self.message)}{hint}"


class UsageError(SmdError):
    """The command line is wrong."""

    exit_code = ExitCode.USAGE


class SceneError(UsageError):
    """The scene is wrong: every problem found, in the order of the file.

    As a text it tells the first of many.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems[0].message if self.problems else "")

    def __str__(self) -> str:
        return "\n".join(map(str, capped(self.problems)))


def unforeseen(wrong: Exception) -> SmdError:
    """What nobody made a sentence of, as one: what the system refuses to anybody is no bug."""
    numbers = {error.errno for error in _causes(wrong) if isinstance(error, OSError)}
    if numbers & {errno.EMFILE, errno.ENFILE} or "Too many open files" in str(wrong):
        hint = "close other programs, or raise the limit: ulimit -n 1024"
        return SmdError("too many files are open", hint)
    if errno.ENOSPC in numbers:
        hint = "free some space and try again"
        return SmdError(f"no space is left on the device: {wrong}", hint)
    return SmdError(f"{type(wrong).__name__}: {wrong}", _BUG)


def _causes(wrong: BaseException | None) -> Iterator[BaseException]:
    """An exception and what led to it."""
    while wrong is not None:
        yield wrong
        wrong = wrong.__cause__ or wrong.__context__


def capped(problems: Iterable[Problem]) -> Iterator[Problem]:
    """The first problems (or warnings) of each file, and instead of its others how many they are.

    For where they are told: whoever collects or raises problems keeps them all.
    """
    of_files: dict[str, list[Problem]] = {}
    for problem in problems:
        place = problem.place
        is_option = not place.line and place.file.startswith("--")
        of_files.setdefault("the options" if is_option else place.file, []).append(problem)
    for file, found in of_files.items():
        yield from found[:MAX_PROBLEMS]
        if len(found) > MAX_PROBLEMS:
            yield _rest(len(found) - MAX_PROBLEMS, file, found[0].severity)


def _rest(count: int, file: str, severity: Literal["error", "warning"]) -> Problem:
    noun = "problem" if severity == "error" else severity
    said = f"one more {noun} is" if count == 1 else f"{count} more {noun}s are"
    return Problem(Place(file), f"{said} not shown", severity=severity)
