"""The entry point: runs the command line and turns whatever is left into an exit code."""

from __future__ import annotations

import os
import signal
import sys
from io import TextIOWrapper
from types import FrameType
from typing import Any, NoReturn

_FAILED, _USAGE, _INTERRUPTED = 1, 2, 130  # as in errors.ExitCode, which takes time to import
_BUG = "this is a bug in smd; run again with --debug and report what it prints"


def main() -> None:
    """Run `smd` and exit."""
    if isinstance(sys.stdout, TextIOWrapper):  # as stderr does: no sign is too much for a code page
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = run(sys.argv[1:])
    except SystemExit as ended:  # SIGTERM, or a closed terminal
        code = ended.code if isinstance(ended.code, int) else _FAILED
    _leave(code)


def _leave(code: int) -> NoReturn:
    """Exit at once: all is closed by now, and taking torch apart takes the interpreter seconds."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        code = code or _FAILED
    os._exit(code)


def run(arguments: list[str]) -> int:
    """Run `smd` with these arguments, in this process; gives the exit code.

    Without any it shows the help. All imports are in here: Ctrl-C has no traceback to show, however
    early it comes.
    """
    try:
        _end_in_order()
        from smd_cli.cli import app

        return int(app(arguments or ["--help"], prog_name="smd", standalone_mode=False) or 0)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader went away (`smd … | head`): nothing more to say, and nothing at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _FAILED
    except Exception as wrong:
        if "--debug" in arguments or os.environ.get("SMD_DEBUG"):
            raise
        return _told(wrong)


def _told(wrong: Exception) -> int:
    """The exit code of an exception that no command caught, after a sentence about it."""
    import typer

    if isinstance(wrong, typer.Abort):
        return _INTERRUPTED
    # The class of all complaints about arguments, whichever click this typer brings along.
    complaint: Any = typer.BadParameter.__mro__[2]
    if isinstance(wrong, complaint):
        context = getattr(wrong, "ctx", None)
        command = context.command_path if context else "smd"
        print(f"error: {wrong.format_message()}\nhint: see {command} --help", file=sys.stderr)
        return _USAGE
    print(f"error: {type(wrong).__name__}: {wrong}\nhint: {_BUG}", file=sys.stderr)
    return _FAILED


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
