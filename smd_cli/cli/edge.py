"""What all commands do around their work: errors to exit codes, options to changes of a scene."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from smd_cli.errors import TOLD, ExitCode, SmdError, UsageError
from smd_cli.report.reporter import Reporter

if TYPE_CHECKING:
    from smd_cli.scene.overrides import Override


@contextmanager
def edge(reporter: Reporter, debug: bool) -> Iterator[None]:
    """The one place where errors become text and exit codes."""
    try:
        yield
        reporter.end()
    except SmdError as wrong:
        if debug:
            traceback.print_exc()
        reporter.error(wrong)
        raise typer.Exit(wrong.exit_code) from wrong
    except KeyboardInterrupt as interrupt:
        if interrupt.args != TOLD:
            reporter.note("interrupted; finished files are kept")
        raise typer.Exit(ExitCode.INTERRUPTED) from None


def overrides_of(changes: list[str] | None, sugar: dict[str, str | None]) -> list[Override]:
    """The scene changes of all options: --set in order, then options that are keys themselves."""
    from smd_cli.scene.overrides import Override, parse_override

    plain = [
        Override(key, value, f"--{key.removeprefix('output.')} {value}", Path())
        for key, value in sugar.items()
        if value is not None
    ]
    return [*map(parse_override, changes or ()), *plain]


def keep_off_the_network(offline: bool) -> None:
    if offline:
        from smd_cli.models.cache import go_offline

        go_offline()


def refuse_gone_folder() -> None:
    """Raise UsageError where the working folder is gone, in which libraries will not load."""
    try:
        os.getcwd()  # noqa: PTH109
    except OSError as gone:
        message = f"the working folder is gone: {gone.strerror}"
        raise UsageError(message, "change to a folder that is there") from gone


def refuse_two_on_stdout(as_json: bool, picture: bool) -> None:
    if as_json and picture:
        raise UsageError("--json and -o - both want stdout", "write the picture to a file")
