"""What options changed in a scene, as a picture tells it: no folder of this machine, no guessing.

Each change is a key and the pieces of its value: text, and names of files, which are written anew
wherever the picture is unpacked.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Literal

from smd_cli.errors import Place, SceneError
from smd_cli.scene.named import NamedFile, Span, bare, leaves, quoted
from smd_cli.scene.overrides import Override
from smd_cli.scene.text.nodes import parse_yaml
from smd_cli.scene.types import Brush, ImageMask, SceneFile
from smd_cli.units import visible

CHUNK, WEIGHTS, FOLDER = "smd:changes", "smd:weights", "smd:folder"
_KINDS = ("text", "picture", "weights", "inside")
_MODEL_KEYS = {"model", "transformer", "vae", "config", "lora", "path", "caption_model"}
_FILE_KEYS = {"mask", "image", *_MODEL_KEYS}


@dataclass(frozen=True)
class Piece:
    """A part of a value: text; or the name of a picture, of a model's weights, or in the bundle."""

    kind: Literal["text", "picture", "weights", "inside"]
    text: str


@dataclass(frozen=True)
class Change:
    """One key with its new value."""

    key: str
    value: tuple[Piece, ...]

    def written(self, name: Callable[[Piece], str] = lambda piece: piece.text) -> str:
        """``key=value`` with the names that `name` gives; one within a value stands in quotes."""
        if len(self.value) == 1:
            [piece] = self.value
            return f"{self.key}={piece.text if piece.kind == 'text' else name(piece)}"
        parts = (p.text if p.kind == "text" else quoted(name(p)) for p in self.value)
        return f"{self.key}={''.join(parts)}"


def changes_of(
    file: SceneFile, inside: Mapping[Path, str] | None = None, painted: Sequence[Brush] = ()
) -> list[Change]:
    """The changes of a scene; `inside` gives the bundle's names of its pictures.

    `painted` are its brushes as they were painted: a mask that was read by another channel than it
    would be now (smd watch keeps to the first) is told to be read by that. How much leaks into a
    picture is told where the scene leaves it to smd.
    """
    made = [_change(change, file.named, inside or {}) for change in file.changes]
    return [*made, *_channels(file, painted), *_leak(file)]


def _leak(file: SceneFile) -> Iterator[Change]:
    """The leak of a scene that paints into a picture and does not say how much."""
    boot, path = file.scene.sampler.bootstrap, ("sampler", "bootstrap", "leak")
    if file.scene.background.image is not None and boot.steps and path not in file.places:
        yield Change(".".join(path), (Piece("text", f"{boot.leak:g}"),))


def _channels(file: SceneFile, painted: Sequence[Brush]) -> Iterator[Change]:
    """The channels that masks were read by, where the scene leaves the choice to smd."""
    for brush in painted:
        own = file.scene.brushes[brush.number - 1].mask
        mask = f"brushes.{brush.number}.mask"
        is_list = ("brushes", brush.number - 1, "mask", 0) in file.places
        for number, (was, now) in enumerate(zip(own, brush.mask, strict=True), start=1):
            if isinstance(was, ImageMask) and isinstance(now, ImageMask) and was != now:
                part = f"{mask}.{number}" if is_list else mask
                yield Change(f"{part}.channel", (Piece("text", str(now.channel)),))


def to_json(changes: Sequence[Change]) -> str:
    """The changes as the text of a picture."""
    return json.dumps(
        [{"key": c.key, "value": [{p.kind: p.text} for p in c.value]} for c in changes]
    )


def exact(changes: Sequence[Change]) -> dict[str, str]:
    """The text chunk that is needed where a line each cannot tell the changes."""
    plain = all(
        len(c.value) == 1 and c.value[0].kind == "text" and c.written().isprintable()
        for c in changes
    )
    return {} if plain else {CHUNK: to_json(changes)}


def weights_of(file: SceneFile) -> dict[str, str]:
    """The text chunks that tell which names of models in a scene's text are files, and from where.

    Those by a relative path: an absolute one shows what it is.
    """
    named = (n for n in file.named if n.kind == "weights" and not n.option and n.exists)
    names = dict.fromkeys(n.written for n in named if not Path(n.written).is_absolute())
    if not names:
        return {}
    return {WEIGHTS: json.dumps([*names])} | _folder_of(file)


def _folder_of(file: SceneFile) -> dict[str, str]:
    """Where a scene lies below the current folder; nothing where it lies elsewhere."""
    try:
        folder = Path(os.path.relpath(file.folder)).as_posix()
    except (OSError, ValueError):  # there is no current folder, or on another drive
        return {}
    return {} if folder.startswith("..") else {FOLDER: folder}


def from_json(text: str) -> list[Change]:
    """The changes that a picture tells. Raises ValueError for anything else."""
    try:
        found = [(c["key"], [next(iter(p.items())) for p in c["value"]]) for c in json.loads(text)]
    except (ValueError, TypeError, KeyError, AttributeError, StopIteration, RecursionError):
        raise ValueError("no changes") from None
    if not all(_sound(key, value) for key, value in found):
        raise ValueError("no changes")
    return [Change(key, tuple(Piece(kind, text) for kind, text in v)) for key, v in found]


def one_a_line(changes: Sequence[Change]) -> str:
    """The changes for people to read, and all that can be told where none names a file."""
    return "\n".join(visible(change.written()) for change in changes)


def without_folder(written: str) -> str:
    """A file's name as written; its last part alone where all of it would tell of this machine."""
    if PurePosixPath(written).is_absolute() or (written[:1] == "~" and written[1:2] not in "/\\"):
        return PurePosixPath(written).name
    windows = PureWindowsPath(written)
    return windows.name if windows.drive else written


def _sound(key: object, value: Sequence[tuple[object, object]]) -> bool:
    sound_key = isinstance(key, str) and key.strip() and "=" not in key
    return bool(sound_key) and all(kind in _KINDS and isinstance(text, str) for kind, text in value)


def _change(change: Override, named: Sequence[NamedFile], inside: Mapping[Path, str]) -> Change:
    here = [one for one in named if one.option == change.place.file]
    scalars = _scalars(change.value)
    itself = (change.value, scalars.get((0, len(change.value))))
    for one in here:
        if one.span is None and one.written in itself:
            return Change(change.key, (_piece(one, inside),))
    own = {one.span: one for one in here if one.span and scalars.get(one.span) == one.written}
    pieces, at = [], 0
    for span, text in sorted(scalars.items()) if own else ():
        start, end = bare(change.value, span)
        if span not in own and change.value[start] != "*":
            continue
        piece = _piece(own[span], inside) if span in own else Piece("text", quoted(text))
        pieces += [Piece("text", change.value[at:start]), piece]
        at = end
    pieces.append(Piece("text", change.value[at:]))
    if len(pieces) == 1 and change.key.split(".")[-1] in _FILE_KEYS:  # changed again after it
        pieces = [Piece("text", without_folder(change.value))]
    return Change(change.key, tuple(pieces))


def _scalars(value: str) -> dict[Span, str]:
    """The texts in a value by where they stand, anchors and aliases included; none in no YAML."""
    try:
        document = parse_yaml(value, lambda _: Place(""))
    except SceneError:
        return {}
    found = leaves(document.root) if document else ()
    return {node.span: node.value for node in found if node.span and isinstance(node.value, str)}


def _piece(one: NamedFile, inside: Mapping[Path, str]) -> Piece:
    if one.kind == "picture" and one.path in inside:
        return Piece("inside", inside[one.path])
    if one.kind == "weights" and not one.exists:  # the hub's
        return Piece("text", one.written)
    return Piece("picture" if one.kind == "picture" else "weights", without_folder(one.written))
