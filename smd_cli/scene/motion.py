"""Motion: a scene's tracks at one frame make an ordinary scene.

What does not change is shared by identity, and scenes of equal values are equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeVar

from smd_cli.errors import KeyPath
from smd_cli.scene.track import Track
from smd_cli.scene.types import Background, Brush, Fade, Scene

Moving = TypeVar("Moving", Brush, Background)


def scene_at(scene: Scene, frame: int) -> Scene:
    """The scene of frame `frame` ≥ 0 of a film, or of an endless stream."""
    if not scene.moves:
        return scene
    own = scene.counted(frame)
    brushes = tuple(at_frame(brush, own) for brush in scene.brushes)
    return replace(scene, background=at_frame(scene.background, own), brushes=brushes)


def at_frame(thing: Moving, frame: int) -> Moving:
    """A brush or a background at a frame of its scene."""
    if not thing.tracks:
        return thing
    changes: dict[str, Any] = {"tracks": ()}
    for track in thing.tracks:
        changes |= _changes(track, frame)
    return replace(thing, **changes)


def _changes(track: Track, frame: int) -> dict[str, Any]:
    """The fields that a track sets at a frame."""
    before, after, share = track.around(frame)
    if isinstance(before, bool) or share == 0:
        return {track.field: before}
    if isinstance(before, str | int):
        fade = None if before == after else Fade(after, share)
        return {track.field: before, f"{track.field}_fade": fade}
    return {track.field: _between(before, after, share)}


def _between(before: float, after: float, share: float) -> float:
    return before + (after - before) * share


def tracks_of(scene: Scene) -> Iterator[tuple[KeyPath, Track]]:
    """All tracks of a scene, each with the path of its key."""
    for track in scene.background.tracks:
        yield ("background", track.key), track
    for brush in scene.brushes:
        for track in brush.tracks:
            yield ("brushes", brush.number - 1, track.key), track
