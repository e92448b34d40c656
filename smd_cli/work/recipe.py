"""Recipes: the command that paints a picture again, from what its text tells."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from smd_cli.errors import Place, SceneError, UsageError
from smd_cli.output.targets import FORMATS
from smd_cli.scene.keys.fields import resolved
from smd_cli.scene.named import NamedFile, named_files, renamed
from smd_cli.scene.overrides import apply_overrides, parse_override
from smd_cli.scene.paint.reels import files_of
from smd_cli.scene.text.nodes import parse_yaml
from smd_cli.units import shown
from smd_cli.work import provenance
from smd_cli.work.changes import CHUNK, FOLDER, WEIGHTS, Change, Piece, from_json, without_folder
from smd_cli.work.portable import flaw

_FORMS = {
    "smd:frame": r"(?P<frame>\d{1,9}) of (?P<frames>[1-9]\d{0,8})",
    "smd:seed": r"\d{1,19}",
    "smd:schedule": r"auto|single|stream(:\d{1,9})?",
    "smd:machine": r"(cpu|mps|cuda(:\d{1,3})?) (fp32|fp16|bf16)( low-memory)?( compile)?",
    "smd:windows": r"[1-9]\d{0,4}",
    "smd:command": r"render|compare",
    **provenance.FORMS,
}
_OURS = {"seed", "frames"}  # changes that the command tells by options of their own


@dataclass(frozen=True)
class Recipe:
    """A scene's file by its name in `folder`, its text, and how it was painted.

    `named_outside` are the names of pictures that are not inside, `missing` the models' files that
    are not here; `suffix` is the picture's own.
    """

    folder: Path
    scene: str
    text: str
    recorded: Mapping[str, str]
    pictures: int
    changes: tuple[Change, ...]
    named_outside: tuple[NamedFile, ...]
    missing: tuple[str, ...]
    suffix: str = ".png"

    @classmethod
    def of(
        cls,
        recorded: Mapping[str, str],
        pictures: int,
        files: Mapping[str, bytes],
        folder: Path,
        suffix: str = ".png",
        origin: Path | None = None,
    ) -> Recipe:
        """What a picture's text tells about the files that lie in a folder then.

        `origin`: where its scene lay, as far as that is known. Raises ValueError where the text is
        not such as smd writes.
        """
        for chunk, form in _FORMS.items():
            if chunk in recorded and not re.fullmatch(form, recorded[chunk]):
                raise ValueError(f"{chunk} says {shown(recorded[chunk])}")
        provenance.named_in(recorded)
        scene, *others = files
        try:
            text = files[scene].decode()
        except UnicodeDecodeError:
            raise ValueError("its scene is no UTF-8 text") from None
        changes = _changes(recorded, others)
        named = _named(text, [_set(change, folder) for change in changes], folder / scene)
        weights = _Weights.of(recorded, origin)
        text = renamed(text, named, weights.name)
        inside = {os.path.normpath(folder / name) for name in others}
        pictures_named = (one for one in named if one.kind == "picture")
        outside = tuple(one for one in pictures_named if os.path.normpath(one.path) not in inside)
        lost = (n.written for n in named if n.kind == "weights" and weights.lacks(n, changes))
        missing = dict.fromkeys(lost)
        found = (pictures, tuple(changes), outside, tuple(missing))
        return cls(folder, scene, text, recorded, *found, suffix)

    @property
    def outside(self) -> dict[str, Path]:
        """The pictures that are not inside, by their names, and where they have to be."""
        return {one.written: Path(os.path.normpath(one.path)) for one in self.named_outside}

    @property
    def own_outside(self) -> dict[str, Path]:
        """Those of them that the scene's text names, not an option."""
        own = {one.written for one in self.named_outside if not one.option}
        return {name: path for name, path in self.outside.items() if name in own}

    @property
    def inside(self) -> tuple[provenance.Named, ...]:
        """The files that the picture tells and that are inside, with their digests."""
        outside = {without_folder(name) for name in self.outside}
        return tuple(n for n in provenance.named_in(self.recorded) if n[0] not in outside)

    def found_in(self, place: Path) -> Recipe:
        """The recipe whose scene names what is not inside as it is seen from another folder."""
        own = self.own_outside

        def name(one: NamedFile) -> str:
            is_outside = one.kind == "picture" and one.written in own
            path = resolved(one.written, place)
            return str(path.absolute()) if is_outside else one.written

        settings = [_set(change, self.folder) for change in self.changes]
        named = _named(self.text, settings, self.folder / self.scene)
        return replace(self, text=renamed(self.text, named, name))

    def notes(self) -> tuple[str, ...]:
        """Sentences: the command, and what has to be known about it."""
        sentences = []
        copies = self._copies
        if self.outside:
            state = "but wanted" if copies else "and found"
            names = _listed([*self.outside])
            sentences.append(f"not inside the picture, {state} where the scene names them: {names}")
        if copies:
            sentences.append(f"before you paint it again, copy {', '.join(copies)}")
        if self.missing:
            names = _listed(self.missing)
            sentences.append(
                f"no picture holds a model, and here is none by its name; say where: {names}"
            )
        if "smd:preview" in self.recorded:
            sentences.append("the picture is an estimate on the way; this paints the finished one")
        if "smd:mixed" in self.recorded:
            sentences.append("the picture mixes two scenes (--blend); this paints the second alone")
        return (*sentences, f"paint it again with: {_joined(self.command)}")

    @property
    def _copies(self) -> list[str]:
        """Which of the files that are not inside go where, of those that are not there yet."""
        lacking = {name: path for name, path in self.outside.items() if not is_there(path)}
        return [
            f"{_listed([name])} to {'its place' if path.is_absolute() else _listed([str(path)])}"
            for name, path in lacking.items()
        ]

    @property
    def command(self) -> list[str]:
        """The command, as from where `folder` is named."""
        command = ["smd", self.kind, _path(self.folder / self.scene)]
        for setting in self.settings:
            command += ["--set", setting]
        command += ["--seed", self.seed, *self._machine]
        return [*command, *self._frames] if self.kind == "render" else [*command, "-o", "again.png"]

    @property
    def kind(self) -> str:
        """The command that painted it: render or compare."""
        return self.recorded.get("smd:command", "render")

    @property
    def settings(self) -> tuple[str, ...]:
        """The changes as ``--set`` takes them, but for those that are options of their own."""
        made = [_set(change, self.folder) for change in self.changes if change.key not in _OURS]
        if "smd:windows" in self.recorded:  # what the model's own were then
            made.append(f"sampler.windows={self.recorded['smd:windows']}")
        return tuple(made)

    @property
    def seed(self) -> str:
        """The seed of all noise, a random one too."""
        return self.recorded.get("smd:seed", "0")

    @property
    def schedule(self) -> str:
        """In which order its frames were painted, as ``--schedule`` takes it."""
        return self.recorded.get("smd:schedule", "auto")

    @property
    def frame(self) -> tuple[int, int]:
        """The number of its first frame, from 0, and how many frames its scene has."""
        match = re.fullmatch(_FORMS["smd:frame"], self.recorded.get("smd:frame", "0 of 1"))
        return (int(match["frame"]), int(match["frames"])) if match else (0, 1)

    @property
    def machine(self) -> tuple[str, str, frozenset[str]]:
        """Device, precision, and the options besides; a CPU in fp32 where nothing is told."""
        device, dtype, *manners = self.recorded.get("smd:machine", "cpu fp32").split(" ")
        return device, dtype, frozenset(manners)

    @property
    def _machine(self) -> list[str]:
        """Where it was painted; in single precision on a CPU where nothing else is told."""
        if "smd:machine" not in self.recorded:
            return ["--dtype", "fp32"]
        device, dtype, *manners = self.recorded["smd:machine"].split(" ")
        return ["--device", device, "--dtype", dtype, *(f"--{word}" for word in manners)]

    @property
    def _frames(self) -> list[str]:
        """Which frame of how many, in which order painted, and into what."""
        frame, frames = self.frame
        order = ["--schedule", self.schedule]
        if 1 < self.pictures < frames:  # a part of a film
            span = f"{frame}:{frame + self.pictures - 1}"
            order += ["--set", f"frames={frames}", "--frames", span]
            return [*order, "-o", f"again{self._suffix}"]
        order += ["-n", f"{frames}"]
        if self.pictures > 1:
            return [*order, "-o", f"again{self._suffix}"]
        one = ["--frame", f"{frame}"] if self.is_one_of_many else []
        return [*order, *one, "-o", f"again{self._suffix}"]

    @property
    def is_one_of_many(self) -> bool:
        """Whether it is a single frame, of more or of an endless stream."""
        return self.pictures == 1 and (self.frame != (0, 1) or ":" in self.schedule)

    @property
    def _suffix(self) -> str:
        """What the name of a picture of the same kind ends in."""
        known = self.suffix.lower() if self.suffix.lower() in FORMATS else ".png"
        if known == ".png":
            return ".apng" if self.pictures > 1 else known
        return known


@dataclass(frozen=True)
class _Weights:
    """Which names of models in a scene's text are files, and from where: they are in no picture.

    `folders` are looked into in their order.
    """

    names: frozenset[str]
    folders: tuple[Path, ...]

    @classmethod
    def of(cls, recorded: Mapping[str, str], origin: Path | None) -> _Weights:
        try:
            names = json.loads(recorded.get(WEIGHTS, "[]"))
        except (ValueError, RecursionError):
            names = None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"{WEIGHTS} says {shown(recorded[WEIGHTS])}")
        folder = recorded.get(FOLDER, ".")
        own = () if origin is None else (origin,)
        return cls(frozenset(names), (*own, Path("." if flaw(folder) else folder)))

    def name(self, one: NamedFile) -> str:
        """The name by which a file of weights is found from anywhere on this machine."""
        found = self._found(one) if one.written in self.names and not one.exists else None
        return one.written if found is None else str(found.resolve())

    def lacks(self, one: NamedFile, changes: Sequence[Change]) -> bool:
        """Whether weights that were a file are not here."""
        if one.option:
            pieces = {piece for change in changes for piece in change.value}
            return Piece("weights", one.written) in pieces and not one.exists
        is_file = one.written in self.names or Path(one.written).is_absolute()
        return is_file and not one.exists and self._found(one) is None

    def _found(self, one: NamedFile) -> Path | None:
        """Where the file is, seen from a folder that it may have been named from."""
        places = (folder / one.written for folder in self.folders)
        return next(filter(is_there, places), None)


def is_there(path: Path) -> bool:
    """Whether there is a file, or one of a sequence."""
    try:
        return path.exists() or any(one.exists() for one in files_of(path))
    except (OSError, ValueError):  # too long, or no path at all
        return False


def _listed(names: Sequence[str]) -> str:
    return ", ".join(shown(name, quote=False) for name in names)


def _named(text: str, settings: Sequence[str], scene: Path) -> tuple[NamedFile, ...]:
    """The files that a scene names after some changes; none where it cannot be read."""
    try:
        document = parse_yaml(text, lambda index: Place(str(scene), 1, index + 1))
        overrides = [parse_override(setting) for setting in settings]
    except (SceneError, UsageError):
        return ()
    if document is None:
        return ()
    root, _, _ = apply_overrides(document.root, overrides, (), ())
    return named_files(root, scene.parent)


def _changes(recorded: Mapping[str, str], names: Sequence[str]) -> list[Change]:
    """The changes that a picture tells; a line each in older ones."""
    if CHUNK in recorded:
        changes = from_json(recorded[CHUNK])
        pieces = [piece for change in changes for piece in change.value]
        if any(piece.kind == "inside" and piece.text not in names for piece in pieces):
            raise ValueError(f"{CHUNK} names a file that is not inside")
        return changes
    pairs = [line.partition("=") for line in recorded.get("smd:overrides", "").split("\n")]
    return [Change(key, _pieces(value, names)) for key, equals, value in pairs if equals]


def _pieces(value: str, names: Sequence[str]) -> tuple[Piece, ...]:
    """A value as older pictures tell it, with the bundle's names in it."""
    either = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    if not either:
        return (Piece("text", value),)
    parts = re.split(rf"(?<![\w./\\-])[\"']?({either})[\"']?(?!\.?[\w/\\-])", value)
    if parts[0] == parts[-1] == "" and len(parts) == 3:
        return (Piece("inside", parts[1]),)
    return tuple(Piece("inside" if n % 2 else "text", part) for n, part in enumerate(parts))


def _set(change: Change, folder: Path) -> str:
    """A change as ``--set`` takes it."""

    def name(piece: Piece) -> str:
        return _path(folder / piece.text) if piece.kind == "inside" else piece.text

    return change.written(name)


def _path(path: Path) -> str:
    """A path that is no option and no home folder."""
    return f"./{path.as_posix()}" if path.as_posix()[0] in "-~" else path.as_posix()


def _joined(command: Sequence[str]) -> str:
    """The command as a shell reads it; what does not show is written as an escape."""
    if os.name == "nt":
        return subprocess.list2cmdline(command)
    return " ".join(shlex.quote(word) if _shows(word) else _escaped(word) for word in command)


def _shows(word: str) -> bool:
    return all(sign.isprintable() or sign in "\t\n" for sign in word)


def _escaped(word: str) -> str:
    signs = (s if s.isprintable() and s not in "\\'" else f"\\U{ord(s):08x}" for s in word)
    return f"$'{''.join(signs)}'"
