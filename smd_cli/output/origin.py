"""Where a scene lay when a picture was painted, as seen from the picture: no name of a home."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

SCENE = "smd:scene"
FROM, HERE = "smd:from", "smd:here"
"""Text chunks: the scene's file, and the folder from which options name files."""


def with_origin(text: Mapping[str, str], scene_file: str, picture: Path) -> Mapping[str, str]:
    """A picture's text, and where its scene lies from there; a text that tells so already stays.

    `scene_file` is as the command names it, ``<stdin>`` lies in the current folder; an empty one is
    not told. Nothing is told where the way leads through a root or above the home folder.
    """
    if not scene_file or SCENE not in text or FROM in text:
        return text
    file = Path("stdin") if scene_file == "<stdin>" else Path(scene_file)
    ways = {FROM: _way(file, picture), HERE: _way(Path(), picture)}
    return {**text, **{chunk: way for chunk, way in ways.items() if way}}


def _way(place: Path, picture: Path) -> str:
    """The path from a picture's folder to a place; empty where it would tell of the machine."""
    try:
        folder, goal = (os.path.realpath(one) for one in (picture.parent, place))
        shared = os.path.commonpath([folder, goal])
        home = os.path.realpath(Path.home())
        is_above = os.path.commonpath([shared, home]) == shared != home
        return "" if is_above else Path(os.path.relpath(goal, folder)).as_posix()
    except (OSError, ValueError, RuntimeError):  # other drives, no folder any more, no home
        return ""
