"""Reading keyframes: a mapping from frame to value, where a single value may stand as well."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import TypeVar, get_args

from smd_cli.scene.keys.fields import one_of
from smd_cli.scene.keys.sections import Notes, Reader, wrong
from smd_cli.scene.text.nodes import Node
from smd_cli.scene.track import Ease, Track
from smd_cli.units import shown

T = TypeVar("T")

LAST_KEY = 999_999
_EASE = "ease"
_EASES: tuple[Ease, ...] = get_args(Ease)
_ease = one_of(*_EASES)
_FRAME = re.compile(r"0|[1-9][0-9]{0,5}")
_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,9})?) ?%")


class TrackReader:
    """Reads what may change from frame to frame, of one object of a scene of `frames` frames.

    `found` are the tracks that have been read by then.
    """

    def __init__(self, frames: int) -> None:
        self._last = max(1, frames - 1)  # shares ascend even where there is one frame
        self._found: list[Track] = []

    @property
    def found(self) -> tuple[Track, ...]:
        """The tracks so far, in the order in which they were read."""
        return tuple(self._found)

    def keyed(self, key: str, read: Reader[T], at_key: Reader[T] | None = None) -> Reader[T]:
        """A reader of one value, or of a track of such: that gives what stands for the track.

        `at_key` reads the values of a track, where those may be what one alone may not.
        """

        def read_keyed(node: Node) -> T:
            if not is_track(node):
                return read(node)
            track = self._track(key, node, at_key or read)
            self._found.append(track)
            rest: T = track.rest
            return rest

        return read_keyed

    def _track(self, key: str, node: Node, read: Reader[T]) -> Track:
        with Notes() as notes:
            eased = node.children.get(_EASE)
            ease = _EASES[0] if eased is None else notes.attempt(_EASES[0], _ease, eased)
            keys = [child for name, child in node.children.items() if name != _EASE]
            if not keys:
                raise wrong(node, f"{node.label} has no frames", "as in {0: …, 24: …}")
            frames = notes.each(keys, self._frame)
            named = [_called(node, child) for child in keys]
            values = notes.each(named, read)
            if len(frames) == len(keys):
                notes.each(zip(pairwise(frames), keys[1:], strict=True), _ascending)
            if len(values) == len(keys):
                notes.each(zip(pairwise(values), named[1:], strict=True), _alike)
        return Track(key, frames, values, ease)

    def _frame(self, child: Node) -> float:
        """The frame that a key means: a number from 0, or a share of the way to the last frame."""
        if _FRAME.fullmatch(child.label):
            return float(child.label)
        share = _SHARE.fullmatch(child.label)
        if share and float(share[1]) <= 100:
            return float(share[1]) / 100 * self._last
        what = f"a frame from 0 to {LAST_KEY}, or a share of all such as 50%"
        message = f"a key between frames must be {what}, not {shown(child.label)}"
        raise wrong(replace(child, place=child.key), message, "ease: is the only other key here")


def is_track(node: Node) -> bool:
    """Whether a mapping has frames as its keys, one at least."""
    if not isinstance(node.value, Mapping):
        return False
    return any(name[:1].isdigit() or name == _EASE for name in node.value)


def _called(node: Node, child: Node) -> Node:
    """A value with a name that says at which frame of what it stands."""
    return replace(child, label=f"{node.label} at {child.label}")


def _ascending(found: tuple[tuple[float, float], Node]) -> None:
    """Refuse a frame that does not come after the one that is written before it."""
    (before, frame), child = found
    if not before < frame:
        message = f"frame {frame:g} is written after frame {before:g}"
        hint = "frames ascend; a share counts to the last frame of the scene"
        raise wrong(replace(child, place=child.key), message, hint)


def _alike(found: tuple[tuple[object, object], Node]) -> None:
    """Refuse a value from which no way leads to the one before: other units, or more points."""
    (before, value), child = found
    if not isinstance(before, tuple) or not isinstance(value, tuple):
        return
    if len(before) != len(value):
        message = f"{child.label} has {len(value)} points, and {len(before)} at the key before"
        raise wrong(child, message, "each of its points goes to the same one of the next key")
    if _units(before) != _units(value):
        message = f"{child.label} has other units than at the key before"
        raise wrong(child, message, "write each number at all keys in px, or at all in percent")


def _units(value: object) -> object:
    """The units of a length, or of all in a tuple."""
    return tuple(map(_units, value)) if isinstance(value, tuple) else getattr(value, "unit", "")
