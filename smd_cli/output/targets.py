"""What `-o` means: from the names as typed to targets, with every fault found before any work.

A name may hold the tokens ``{scene}``, ``{seed}`` and ``{frame}`` and one printf number (``%04d``;
``{frame}`` is the same as ``%04d``, ``%4d`` too). Frames count from 0. ``%%``, ``{{`` and ``}}``
stand for themselves. A grid brings tokens of its own. A folder (existing, or written with a slash
at its end and then created) gets ``{scene}-%04d.png``; ``-`` is one PNG on stdout.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from smd_cli.errors import UsageError
from smd_cli.output.conflicts import refuse_inputs, refuse_same_file, standing
from smd_cli.output.places import is_file_or_nothing, refuse_long, refuse_place

__all__ = ["Target", "plan_targets", "refuse_inputs", "refuse_same_file"]

Kind = Literal["still", "sequence", "gif", "apng", "webp", "mp4", "webm", "stdout"]
Format = Literal["PNG", "JPEG", "WEBP", "GIF", "APNG", "MP4", "WEBM", "JSON"]

FORMATS: dict[str, Format] = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".gif": "GIF",
    ".apng": "APNG",
    ".mp4": "MP4",
    ".webm": "WEBM",
}
_OTHER_STILLS = re.compile(r"\.(bmp|dib|tiff?|tga|p[pgn]m|pcx|hei[cf]|avif|jxl|jp2|ico|eps)")
_OTHER_JPEGS = (".jpe", ".jif", ".jfif")
_OTHER_FILMS = re.compile(r"\.(mov|avi|mkv|m4v|mpe?g|wmv|flv|ogv|3gp|ts)")
_MOVIES: dict[Format, Kind] = {"GIF": "gif", "APNG": "apng", "MP4": "mp4", "WEBM": "webm"}
_TOKENS = ("scene", "seed", "frame")
_PIECE = re.compile(r"%%|%0?(?P<digits>\d{0,2})d|\{\{|\}\}|\{(?P<token>[^{}]*)\}|(?P<stray>[%{}])")


@dataclass(frozen=True)
class Target:
    """One place for results. `written` is what the user typed; `format` the kind of file.

    `template` is a `str.format` template whose only field is ``frame``. `makes_folder`: the folder
    is ours to create; `frames`: how many will come, from number `first` on; `scene_file`: of which
    scene. The kind "webp" is an animation, a WebP picture is "still" or "sequence". The format JSON
    is that of sidecars (`output.sidecars`).
    """

    kind: Kind
    format: Format
    written: str
    template: str
    frames: int = 1
    makes_folder: bool = False
    scene_file: str = ""
    first: int = 0

    @property
    def is_movie(self) -> bool:
        """Whether all frames go into one file."""
        return self.kind in ("gif", "apng", "webp", "mp4", "webm")

    def path(self, index: int = 0) -> Path:
        """The file that frame `index` (from 0) goes to."""
        return Path(self.template.format(frame=index))

    @property
    def numbers(self) -> range:
        """The frames that have files of their own; one for a target of a single file."""
        return range(self.first, self.first + (self.frames if self.kind == "sequence" else 1))

    @property
    def paths(self) -> list[Path]:
        """Every file that the frames make; none for stdout."""
        if self.kind == "stdout":
            return []
        return [self.path(k) for k in self.numbers]


def plan_targets(
    outs: Sequence[str],
    *,
    scene_name: str,
    seed: int,
    frames: int,
    tokens: Mapping[str, str] | None = None,
    tail: str = "",
) -> tuple[Target, ...]:
    """Read the `-o` names of one scene; raises `UsageError` for the first that cannot work.

    Without any: ``SCENE.png`` here, or ``SCENE.gif`` for several frames. `tokens` are those of a
    grid with what they stand for; `tail` stands behind the scene's name where no name is given.
    """
    names = _Names(scene_name, seed, frames, tokens or {}, tail)
    behind = _literal(tail).replace("%", "%%")
    standard = f"{{scene}}{behind}.png" if frames == 1 else f"{{scene}}{behind}.gif"
    targets = tuple(names.target(out) for out in outs or [standard])
    for target in targets:
        _check_place(target)
    refuse_same_file(targets)
    return targets


@dataclass(frozen=True)
class _Names:
    """What the names of one scene may refer to."""

    scene: str
    seed: int
    frames: int
    own: Mapping[str, str]
    tail: str = ""

    @property
    def tokens(self) -> tuple[str, ...]:
        """All tokens."""
        return (*_TOKENS, *self.own)

    def target(self, out: str) -> Target:
        """The target of one `-o` as typed."""
        if not out:
            raise UsageError("-o has an empty name", "write -o out.png, or -o out/ for a folder")
        if out == "-":
            return self._stdout()
        template = self._template(out)
        place = template.format(frame=0)
        if out.endswith(("/", os.sep)) or (_is_folder(place) and _suffix(place) not in FORMATS):
            return self._folder(out, template)
        return self._file(out, template)

    def _stdout(self) -> Target:
        if self.frames > 1:
            raise self._too_many("stdout", self.scene, ".png")
        return Target("stdout", "PNG", "-", "-")

    def _folder(self, out: str, template: str) -> Target:
        if "{frame" in template.replace("{{", ""):
            raise UsageError(*_number_in_folder(out))
        folder = Path(template.format(frame=0))
        template = _literal(str(folder / (self.scene + self.tail))) + "-{frame:04d}.png"
        return Target("sequence", "PNG", out, template, self.frames, makes_folder=True)

    def _file(self, out: str, template: str) -> Target:
        stem, suffix = _split(out)
        kind_of_file = FORMATS.get(suffix.lower())
        if kind_of_file is None:
            raise UsageError(*self._unknown_format(out, stem, suffix))
        head, name = os.path.split(template)
        if "{frame" in head.replace("{{", ""):
            raise UsageError(*_number_in_folder(out))
        numbered = "{frame" in name.replace("{{", "")
        kind = self._kind(out, kind_of_file, numbered)
        return Target(kind, kind_of_file, out, template, self.frames)

    def _kind(self, out: str, kind_of_file: Format, numbered: bool) -> Kind:
        """Still, sequence or movie: by the format, the number in the name and the frames."""
        stem, suffix = _split(out)
        movie = _MOVIES.get(kind_of_file)
        if numbered and movie:
            raise UsageError(
                f"{out}: one {suffix} file holds all frames, so its name takes no frame number",
                f"write {stem}.png for a sequence, or a name without the number",
            )
        if numbered:
            return "sequence"
        if movie is None and self.frames > 1 and kind_of_file != "WEBP":
            raise self._too_many(out, stem, suffix)
        return movie or ("webp" if self.frames > 1 else "still")

    def _too_many(self, what: str, stem: str, suffix: str) -> UsageError:
        return UsageError(
            f"{what} holds one picture, but {self.frames} frames are asked for",
            f"write {stem}-%04d{suffix} for a sequence, or {stem}.gif",
        )

    def _unknown_format(self, out: str, stem: str, suffix: str) -> tuple[str, str]:
        """The message and hint for an extension that no writer has."""
        if not suffix:
            return f"{out} has no extension, so its format is unknown", self._extension_hint(out)
        near = self._near_format(out, suffix.lower())
        known = " ".join(s for s in FORMATS if s != ".jpeg")
        hint = f"did you mean {stem}{near}?" if near else f"formats: {known}"
        return f"{out}: {suffix} is not a format that smd writes", hint

    def _extension_hint(self, out: str) -> str:
        suffix = ".png" if self.frames == 1 else ".gif"
        if not is_file_or_nothing(Path(out)):
            return f"-o - writes a PNG to stdout; a link such as out{suffix} says the format"
        return f"write {out}{suffix}, or {out}/ for a folder of pictures"

    def _near_format(self, out: str, suffix: str) -> str:
        """The extension that comes nearest: of the same kind, or a slip of the keyboard."""
        if suffix in _OTHER_JPEGS:
            return ".jpg"
        if _OTHER_FILMS.fullmatch(suffix):
            return ".mp4"
        if _OTHER_STILLS.fullmatch(suffix):
            numbered = "%" in out or "{frame}" in out
            return ".png" if self.frames == 1 or numbered else "-%04d.png"
        return next(iter(difflib.get_close_matches(suffix, FORMATS, n=1)), "")

    def _template(self, out: str) -> str:
        """The `str.format` template of a name: tokens filled in, only ``frame`` left open."""
        values = {"scene": _literal(self.scene), "seed": str(self.seed), "frame": "{frame:04d}"}
        values |= {token: _literal(value) for token, value in self.own.items()}

        def piece(match: re.Match[str]) -> str:
            token, digits = match["token"], match["digits"]
            if match["stray"]:
                raise UsageError(*_stray(out, match["stray"], self.tokens))
            if digits is not None:
                return "{frame:0" + digits + "d}" if digits else "{frame:d}"
            if token is not None and token not in values:
                raise UsageError(*_unknown_token(out, token, self.tokens))
            return values[token] if token is not None else match[0].replace("%%", "%")

        return _PIECE.sub(piece, out)


def _literal(text: str) -> str:
    """`text` as a part of a template."""
    return text.replace("{", "{{").replace("}", "}}")


def _stray(out: str, sign: str, tokens: Sequence[str]) -> tuple[str, str]:
    if sign == "%":
        hint = "write %04d for the frame's number, %% for a plain percent sign"
        return f"{out}: a % that is no frame number", hint
    hint = f"{_listed(tokens)}; write {{{{ or }}}} for a plain brace"
    return f"{out}: a {sign} without its partner", hint


def _listed(tokens: Sequence[str]) -> str:
    return "tokens are " + " ".join(f"{{{token}}}" for token in tokens)


def _unknown_token(out: str, token: str, tokens: Sequence[str]) -> tuple[str, str]:
    close = difflib.get_close_matches(token, tokens, n=1)
    hint = f"did you mean {{{close[0]}}}?" if close else _listed(tokens)
    return f"{out}: unknown token {{{token}}}", hint


def _number_in_folder(out: str) -> tuple[str, str]:
    return f"{out}: a folder's name takes no frame number", "write the number in the file's name"


def _split(out: str) -> tuple[str, str]:
    """A name without its extension, and the extension with its dot as typed."""
    suffix = Path(out).suffix
    return out.removesuffix(suffix), suffix


def _suffix(place: str) -> str:
    return Path(place).suffix.lower()


def _is_folder(place: str) -> bool:
    try:
        return Path(place).is_dir()
    except OSError:
        return False


def _check_place(target: Target) -> None:
    """Raise `UsageError` unless files can stand at the target's paths, or a stream is there."""
    if target.kind == "stdout":
        return
    refuse_long(target.path(target.numbers[-1]), target.written)
    path = target.path(target.numbers[0])
    later = (place for index, place in standing(target) if index in target.numbers[1:])
    streams = [refuse_place(place, target.written) for place in (path, *later)]
    if all(streams):
        return
    goal = Path(os.path.realpath(path)) if os.path.islink(path) else path  # noqa: PTH114 - may not raise
    _check_folder(target, goal.parent)


def _check_folder(target: Target, folder: Path) -> None:
    """Raise `UsageError` unless files can be made in `folder`, or it can be made itself."""
    while target.makes_folder and not os.path.lexists(folder):
        folder = folder.parent
    if not os.path.lexists(folder):
        raise UsageError(
            f"{target.written}: there is no folder {folder}",
            f"create it first; {folder}/ (a slash at the end) is created and filled with pictures",
        )
    if not folder.is_dir():
        raise UsageError(f"{target.written}: {folder} is a file, not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"{target.written}: no permission to write in the folder {folder}")
