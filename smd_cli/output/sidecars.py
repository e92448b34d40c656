"""Sidecars: what a PNG tells in its text, in a JSON file beside a picture that holds no text.

``film.gif`` has ``film.gif.json``::

    {"picture": "film.gif", "pictures": 12, "text": {"smd:scene": "…", "smd:seed": "7"}}
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from smd_cli.errors import SmdError, UsageError
from smd_cli.output.atomic import write_whole
from smd_cli.output.origin import with_origin
from smd_cli.output.png_text import MOST_TEXT_BYTES
from smd_cli.output.targets import Kind, Target
from smd_cli.scene.paint.photo import Photo

SUFFIX = ".json"
_WITH_TEXT = ("PNG", "APNG", "JSON")


def holds_text(target: Target) -> bool:
    """Whether a target's files tell of their scene themselves."""
    return target.format in _WITH_TEXT


def refuse_textless(targets: Sequence[Target]) -> None:
    """Raise UsageError where no file of any target can hold what is to be inside."""
    if not any(map(holds_text, targets)):
        message = f"--embed: {targets[0].written} holds no text, so nothing can be inside"
        raise UsageError(message, "--sidecar keeps it in a JSON file beside; a PNG holds it itself")


def sidecar_notes(targets: Sequence[Target]) -> tuple[str, ...]:
    """A sentence where sidecars are asked for and no target has one."""
    if not all(map(holds_text, targets)):
        return ()
    return ("PNG and APNG tell of their scene themselves: there is no sidecar",)


def with_sidecars(targets: Iterable[Target]) -> Iterator[Target]:
    """The targets, each that holds no text followed by that of its sidecar, or sidecars."""
    for target in targets:
        yield target
        if not holds_text(target):
            kind: Kind = "sequence" if target.kind == "sequence" else "still"
            name, template = target.written + SUFFIX, target.template + SUFFIX
            yield replace(target, kind=kind, format="JSON", written=name, template=template)


class SidecarSink:
    """Writes a sidecar for each picture of a sequence, or one when all frames are there."""

    def __init__(self, target: Target, clobber: bool) -> None:
        self._target, self._clobber = target, clobber
        self._first: tuple[int, Mapping[str, str]] | None = None
        self._count = 0

    def add(self, index: int, photo: Photo, text: Mapping[str, str]) -> list[str]:  # noqa: ARG002
        """Take the text of frame `index`; gives the sidecars that are whole now."""
        if self._target.kind == "sequence":
            return [self._written(index, text, 1)]
        self._first = self._first or (index, text)
        self._count += 1
        return []

    def finish(self) -> list[str]:
        """All frames are there: after their picture is whole."""
        return [self._written(*self._first, self._count)] if self._first else []

    def discard(self) -> None:
        """There is never a part of one."""

    def _written(self, index: int, text: Mapping[str, str], pictures: int) -> str:
        path = self._target.path(index)
        told = with_origin(text, self._target.scene_file, path)
        held = {"picture": path.name.removesuffix(SUFFIX), "pictures": pictures, "text": told}
        data = json.dumps(held, ensure_ascii=False, indent=1).encode() + b"\n"
        write_whole(path, data, clobber=self._clobber, make_folder=self._target.makes_folder)
        return str(path)


def sidecar_of(picture: Path) -> Path:
    """Where the sidecar of a picture lies; a sidecar is its own."""
    is_one = picture.suffix.lower() == SUFFIX
    return picture if is_one else picture.with_name(picture.name + SUFFIX)


def read_sidecar(path: Path) -> tuple[dict[str, str], int]:
    """The texts of a sidecar and how many pictures its file shows, as `png_text.read_text`.

    Raises SmdError for a file that is none, OSError.
    """
    with path.open("rb") as file:
        data = file.read(MOST_TEXT_BYTES + 1)
    try:
        held: Any = json.loads(data) if len(data) <= MOST_TEXT_BYTES else None
        text, pictures = held["text"], held["pictures"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise _no_sidecar(path) from None
    are_texts = isinstance(text, dict) and all(isinstance(one, str) for one in text.values())
    if not are_texts or not isinstance(pictures, int) or not 1 <= pictures < 10**9:
        raise _no_sidecar(path)
    return text, int(pictures)


def _no_sidecar(path: Path) -> SmdError:
    return SmdError(f"{path} is no sidecar that smd wrote", "render --sidecar writes one")
