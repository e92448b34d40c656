"""What changes from frame to frame, in a line for each brush; and keys that no frame reaches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from smd_cli.errors import KeyPath, Problem
from smd_cli.scene.motion import tracks_of, values_at
from smd_cli.scene.track import Track
from smd_cli.scene.types import Length, Scene, SceneFile
from smd_cli.units import counted, printable, shortened


def timelines(scene: Scene) -> tuple[str, ...]:
    """``fox changes: strength 0.8 at 0, 1 at 24``: a line for every brush that does."""
    tracks: dict[str, list[Track]] = {}
    for path, track in tracks_of(scene):
        tracks.setdefault(_owner(scene, path), []).append(track)
    lines = [f"{who} changes: {'; '.join(map(_told, own))}" for who, own in tracks.items()]
    return (*lines, *_looped(scene, tracks))


def _looped(scene: Scene, tracks: Mapping[str, Sequence[Track]]) -> Iterator[str]:
    """Whether a film that goes on and on jumps where its last frame is followed by the first."""
    last, loop = scene.frames - 1, scene.output.loop
    if not tracks or not last or loop is False:
        return
    jumps = [
        f"{who}'s {track.key}"
        for who, own in tracks.items()
        for track in own
        if values_at(track, 0) != values_at(track, last)
    ]
    if loop == "ping-pong":
        count = scene.frames + max(scene.frames - 2, 0)
        yield f"loops there and back in {count} frames, of which {scene.frames} are painted"
    elif not jumps:
        yield "loops without a jump: all that changes ends where it began"
    else:
        what = jumps[0] + (f" and {len(jumps) - 1} more" if jumps[1:] else "")
        yield f"jumps where it loops, by {what}; output.loop: ping-pong goes there and back"


def _owner(scene: Scene, path: KeyPath) -> str:
    """What the user calls the thing that has the key of a path."""
    if path[0] == "background":
        return "background"
    return printable(scene.brushes[int(path[1])].label)


def _told(track: Track) -> str:
    keys = (
        f"{_value(value)} at {frame:g}"
        for frame, value in zip(track.frames, track.values, strict=True)
    )
    eased = "" if track.ease == "linear" else f" ({track.ease})"
    return f"{track.key} {', '.join(keys)}{eased}"


def _value(value: Any) -> str:
    if isinstance(value, bool | int):
        return str(value).lower()
    if isinstance(value, Length):
        return f"{value.value * 100:g}%" if value.unit == "share" else f"{value.value:g}"
    if isinstance(value, tuple):
        of_points = isinstance(value[0], tuple)
        return f"{len(value)} points" if of_points else f"[{', '.join(map(_value, value))}]"
    return f"“{shortened(value)}”" if isinstance(value, str) else f"{value:.10g}"


def motion_warnings(scene_file: SceneFile) -> Iterator[Problem]:
    """Keys past the last frame, which the scene is only on its way to."""
    last = scene_file.scene.frames - 1
    for path, track in tracks_of(scene_file.scene):
        late = next((frame for frame in track.frames if frame > last), None)
        if late is None:
            continue
        frames = counted(scene_file.scene.frames, "frame")
        message = f"{track.key} has a key at frame {late:g}, and the scene has {frames}"
        hint = f"frames: {int(track.frames[-1]) + 1} reaches it; frames count from 0"
        yield Problem(scene_file.place(*path, f"{late:g}"), message, hint)
