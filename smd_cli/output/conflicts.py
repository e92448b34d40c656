"""What results must not meet: each other, files that a command reads, and files of an older run."""

from __future__ import annotations

import os
import re
import string
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from smd_cli.errors import UsageError
from smd_cli.output.places import identity

if TYPE_CHECKING:
    from smd_cli.output.targets import Target

_SHOWN = 3  # names of an older run


def refuse_same_file(targets: Iterable[Target]) -> None:
    """Raise `UsageError` when two results would be one file; also for targets of many scenes."""
    owners: dict[str, Target] = {}
    some = tuple(targets)
    for target in some if len(some) > 1 else ():  # a sequence never meets itself
        for key in _keys(target):
            other = owners.setdefault(key, target)
            if other is not target:
                raise UsageError(*_same_file(other, target))


def refuse_inputs(
    targets: Iterable[Target],
    inputs: Iterable[Path],
    *,
    reader: str = "the scene",
    endless: bool = False,
) -> None:
    """Raise `UsageError` where a result would replace one of the files that `reader` is made of.

    Whatever stands at a result's name counts: links, hard links and names in other letters are
    followed. `endless`: frames may come beyond those that a target counts.
    """
    there = [
        (target, path)
        for target in targets
        for index, path in standing(target)
        if endless or index in target.numbers
    ]
    read = {identity(path): path for path in inputs} if there else {}
    for target, path in there:
        found = identity(path)
        if found is not None and found in read:
            raise UsageError(
                f"{_shown(target, path)} would replace {read[found]}, which {reader} is made of",
                "give the result another name with -o",
            )


def refuse_existing(targets: Iterable[Target]) -> None:
    """Raise `UsageError` naming the first result that exists already (``--no-clobber``)."""
    for target in targets:
        for path in target.paths:
            if os.path.lexists(path):
                raise clobber_error(path)


def clobber_error(path: Path) -> UsageError:
    """The refusal to replace `path`."""
    return UsageError(
        f"{path} exists already, and --no-clobber keeps it",
        "choose another name, or leave --no-clobber out",
    )


def leftovers(target: Target) -> str | None:
    """A sentence about pictures that a longer sequence has left among those that will come."""
    found = sorted((index, path) for index, path in standing(target) if index > target.numbers[-1])
    if not found:
        return None
    names = ", ".join(str(path) for _, path in found[:_SHOWN])
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    frames = "1 frame" if target.frames == 1 else f"{target.frames} frames"
    return f"{target.written}: left from an older run, beside {frames} of this one: {names}{more}"


def standing(target: Target) -> Iterator[tuple[int, Path]]:
    """Whatever stands at names of a target now, with the frame; a sequence's names have no end.

    A sequence's folder is read once, however many frames there are.
    """
    if target.kind == "stdout":
        return
    if target.kind != "sequence":
        if os.path.lexists(target.path()):
            yield target.numbers[0], target.path()
        return
    pattern, folder = _pattern(target), target.path().parent
    for name in _names(folder):
        if hit := pattern.fullmatch(name):
            path = target.path(int(hit[1]))  # where the case of letters counts, another name
            if path.name.casefold() == name.casefold() and os.path.lexists(path):
                yield int(hit[1]), path


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - a Path for each of a million costs too much
    except OSError:
        return []


def _pattern(target: Target) -> re.Pattern[str]:
    """What a sequence's file names look like; the first group is the frame's number."""
    parts = []
    for literal, field, _, _ in string.Formatter().parse(os.path.basename(target.template)):  # noqa: PTH119
        number = "" if field is None else "([0-9]+)" if "([0-9]+)" not in parts else "[0-9]+"
        parts += [re.escape(literal), number]
    return re.compile("".join(parts), re.IGNORECASE)


def _shown(target: Target, path: Path) -> str:
    """A target as it was typed, with the file that is meant where that says more."""
    return target.written if target.kind != "sequence" else f"{target.written} ({path})"


def _same_file(one: Target, two: Target) -> tuple[str, str]:
    if one.scene_file != two.scene_file and one.path() == two.path():
        return _two_scenes(one, two)
    hint = "give each result a name of its own; {scene} and {seed} may help"
    if one.written == two.written:
        return f"{one.written} is asked for twice", hint
    return f"{one.written} and {two.written} are the same file", hint


def _two_scenes(one: Target, two: Target) -> tuple[str, str]:
    """Two scenes whose results have one name: whether {scene} helps depends on their own names."""
    message = f"{one.scene_file} and {two.scene_file} would both become {one.path()}"
    if Path(one.scene_file).stem != Path(two.scene_file).stem:
        return message, "{scene} in the name tells them apart: -o '{scene}.png'"
    return message, "the scenes have one name: render each by a command of its own, with its own -o"


def _keys(target: Target) -> Iterator[str]:
    """A string for each file of a target, equal for names of one file (links followed)."""
    if target.kind == "stdout":
        yield "-"
        return
    folder = _folder_key(target.path().parent)  # asked once, however many pictures go there
    for path in target.paths:
        real = Path(os.path.realpath(path)) if path.is_symlink() else path
        yield _key(f"{folder if real is path else _folder_key(real.parent)}/{real.name}")


def _folder_key(folder: Path) -> str:
    """What is equal for all names of a folder: by links, letters or mounts."""
    return str(identity(folder) or os.path.realpath(folder))


def _key(place: str) -> str:
    """A string that is equal for a file's names, where the system takes them for equal."""
    key = os.path.normcase(place)
    if sys.platform in ("darwin", "win32"):
        return unicodedata.normalize("NFC", key).casefold()
    return key
