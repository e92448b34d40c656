"""Motion: a scene's tracks at one frame make an ordinary scene.

What does not change is shared by identity, and scenes of equal values are equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeVar

from smd_cli.errors import KeyPath
from smd_cli.scene.track import Track
from smd_cli.scene.types import Background, Brush, Fade, Length, MaskPart, Scene

Moving = TypeVar("Moving", Brush, Background, MaskPart)

_BOX = ("x", "y", "width", "height")


def scene_at(scene: Scene, frame: int) -> Scene:
    """The scene of frame `frame` ≥ 0 of a film, or of an endless stream."""
    if not scene.moves:
        return scene
    own = scene.counted(frame)
    brushes = tuple(brush_at(brush, own) for brush in scene.brushes)
    return replace(scene, background=at_frame(scene.background, own), brushes=brushes)


def brush_at(brush: Brush, frame: int) -> Brush:
    """A brush and its mask at a frame of its scene."""
    if not brush.moves:
        return brush
    mask = tuple(at_frame(part, frame) for part in brush.mask)
    return replace(at_frame(brush, frame), mask=mask)


def at_frame(thing: Moving, frame: int) -> Moving:
    """What has tracks of its own at a frame of its scene."""
    if not thing.tracks:
        return thing
    changes: dict[str, Any] = {"tracks": ()}
    for track in thing.tracks:
        changes |= values_at(track, frame)
    return replace(thing, **changes)


def values_at(track: Track, frame: int) -> dict[str, Any]:
    """The fields that a track sets at a frame."""
    before, after, share = track.around(frame)
    if isinstance(before, bool) or share == 0:
        return _fields(track, before)
    if isinstance(before, str | int):
        fade = None if before == after else Fade(after, share)
        return {track.field: before, f"{track.field}_fade": fade}
    return _fields(track, _between(before, after, share))


def _fields(track: Track, value: Any) -> dict[str, Any]:
    """What a value of a track is called where it stands."""
    if track.key in ("rect", "ellipse"):
        return dict(zip(_BOX, value, strict=True))
    return {"points" if track.key == "polygon" else track.field: value}


def _between(before: Any, after: Any, share: float) -> Any:
    """Numbers, lengths of one unit, and tuples of such, by linear interpolation."""
    if isinstance(before, tuple):
        return tuple(_between(*pair, share) for pair in zip(before, after, strict=True))
    if isinstance(before, Length):
        return Length(_between(before.value, after.value, share), before.unit)
    return before + (after - before) * share


def tracks_of(scene: Scene) -> Iterator[tuple[KeyPath, Track]]:
    """All tracks of a scene, each with the path of its key."""
    for track in scene.background.tracks:
        yield ("background", track.key), track
    for brush in scene.brushes:
        own: KeyPath = ("brushes", brush.number - 1)
        for track in brush.tracks:
            yield (*own, track.key), track
        for number, part in enumerate(brush.mask):
            at = ("mask",) if len(brush.mask) == 1 else ("mask", number)
            for track in part.tracks:
                yield (*own, *at, track.key), track
