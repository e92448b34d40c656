"""The entry point: runs the command line and turns whatever is left into an exit code."""

from __future__ import annotations

import gc
import os
import signal
import sys
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from smd_cli.errors import SmdError

_FAILED, _INTERRUPTED = 1, 130  # as in errors.ExitCode, which takes time to import


def main() -> None:
    """Run `smd` and exit."""
    gc.disable()  # imports make no garbage, and looking for it takes a tenth of them
    try:
        from smd_cli.report.streams import guard

        guard()
        code = run(sys.argv[1:])
    except SystemExit as ended:  # SIGTERM, or a closed terminal
        code = ended.code if isinstance(ended.code, int) else _FAILED
    except KeyboardInterrupt:  # within the first import
        code = _INTERRUPTED
    except OSError as wrong:  # likewise: nothing is there yet that could tell it better
        print(f"error: smd cannot start: {wrong.strerror}", file=sys.stderr)
        code = _FAILED
    _leave(code)


def _leave(code: int) -> NoReturn:
    """Exit at once: all is closed by now, and taking torch apart takes the interpreter seconds."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except Exception as wrong:
        if not code:  # else it has been told
            print(wrong, file=sys.stderr)
        code = code or _FAILED
    os._exit(code)


def run(arguments: list[str]) -> int:
    """Run `smd` with these arguments, in this process; gives the exit code.

    Without any it shows the help. All imports are in here: Ctrl-C has no traceback to show, however
    early it comes.
    """
    try:
        _end_in_order()
        from smd_cli.cli.app import app

        return int(app(arguments or ["--help"], prog_name="smd", standalone_mode=False) or 0)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader went away (`smd … | head`): nothing more to say, and nothing at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _FAILED
    except Exception as wrong:
        if "--debug" in arguments or _is_on(os.environ.get("SMD_DEBUG", "")):
            import traceback

            traceback.print_exc()
        return _reported(wrong, as_json=_wants_json(arguments))


def _wants_json(arguments: list[str]) -> bool:
    """Whether a script listens, as far as a command line tells that cannot be read."""
    return "--json" in arguments or _is_on(os.environ.get("SMD_JSON", ""))


def _is_on(value: str) -> bool:
    """Whether an environment variable switches an option on, as the command line reads it."""
    return value.strip().lower() in ("1", "true", "t", "yes", "y", "on")


def _reported(wrong: Exception, *, as_json: bool) -> int:
    """The exit code of an exception that no command caught, after a sentence about it."""
    import typer

    from smd_cli.errors import SmdError, UsageError, unforeseen
    from smd_cli.units import visible

    if isinstance(wrong, typer.Abort):
        return _INTERRUPTED
    # The class of all complaints about arguments, whichever click this typer brings along.
    complaint: Any = typer.BadParameter.__mro__[2]
    if isinstance(wrong, complaint):
        context = getattr(wrong, "ctx", None)
        command = context.command_path if context else "smd"
        told: SmdError = UsageError(wrong.format_message(), f"see {command} --help")
    else:
        told = wrong if isinstance(wrong, SmdError) else unforeseen(wrong)
    lines = f"error: {visible(told.message, breaks=True)}\nhint: {visible(told.hint)}"
    print(wrong if told is wrong else lines, file=sys.stderr)
    if as_json:
        _tell_scripts(told)
    return told.exit_code


def _tell_scripts(told: SmdError) -> None:
    """An error as an event, unless whoever read them has gone."""
    from smd_cli.report.events import Failure
    from smd_cli.report.reporter import Reporter

    with suppress(BrokenPipeError):
        Reporter(as_json=True).report(Failure(told.message, told.hint))


def _end_in_order() -> None:
    """SIGTERM, and a terminal that is closed, end the run as Ctrl-C does; nohup keeps its word."""
    signal.signal(signal.SIGTERM, _terminated)
    hangup = getattr(signal, "SIGHUP", None)  # Windows has none
    if hangup and signal.getsignal(hangup) is not signal.SIG_IGN:
        signal.signal(hangup, _terminated)


def _terminated(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    """Raised in the main thread, so that writers clean up after themselves."""
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
