"""The ffmpeg that imageio brings: found, and started apart from the terminal."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Any

from smd_cli.errors import SmdError

NO_FFMPEG = "install imageio-ffmpeg anew, or name an ffmpeg in IMAGEIO_FFMPEG_EXE"


def program() -> str:
    """The ffmpeg that imageio-ffmpeg brings, or the one it finds. Raises SmdError."""
    import imageio_ffmpeg

    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise SmdError("no ffmpeg was found; .mp4 and .webm need it", NO_FFMPEG) from error


def start(arguments: Sequence[str], **streams: Any) -> subprocess.Popen[bytes]:
    """Run ffmpeg with these arguments; Ctrl-C is ours to handle. Raises SmdError.

    `streams` are stdin, stdout and stderr as `subprocess.Popen` takes them.
    """
    try:
        return subprocess.Popen(
            [program(), "-hide_banner", "-loglevel", "error", *arguments],
            start_new_session=True,  # ignored by Windows, which has the flag
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            **streams,
        )
    except OSError as error:
        raise SmdError(f"ffmpeg could not be started: {error.strerror}", NO_FFMPEG) from error
