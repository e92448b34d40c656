"""What is recorded of a picture, and what differs today: `smd info`. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smd_cli.errors import SmdError
from smd_cli.units import counted, printable
from smd_cli.work.again import opened
from smd_cli.work.bundle import CHUNK as BUNDLE
from smd_cli.work.changes import CHUNK as CHANGES
from smd_cli.work.provenance import MODEL, VERSIONS, named_in
from smd_cli.work.recipe import Recipe
from smd_cli.work.recorded import Recorded, read_recorded
from smd_cli.work.unpack import recipe_in

Rows = Iterator[tuple[str, str]]


@dataclass(frozen=True)
class Info:
    """A record with its recipe; `differs` are sentences about today.

    `unknown` is why the two cannot be compared, empty where they were.
    """

    recorded: Recorded
    recipe: Recipe
    differs: tuple[str, ...]
    unknown: str = ""

    def lines(self) -> tuple[str, ...]:
        """All of it for people, one string a line."""
        rows = [*self._made(), *self._made_of()]
        width = max(len(name) for name, _ in rows)
        told = [f"{name:{width}}  {printable(value)}".rstrip() for name, value in rows]
        today = [f"  {printable(sentence)}" for sentence in self.differs]
        if self.unknown:
            return (*told, f"today: {printable(self.unknown)}")
        return (*told, "today:", *today) if today else (*told, "today: all of it is the same")

    def _made(self) -> Rows:
        texts, (frame, frames) = self.recorded.texts, self.recipe.frame
        yield "picture", str(self.recorded.picture)
        if self.recorded.file != self.recorded.picture:
            yield "told by", str(self.recorded.file)
        yield "scene", texts.get("smd:from", self.recipe.scene)
        if self.recorded.pictures > 1:
            yield "frames", f"{self.recorded.pictures} of {frames}, from {frame}"
        else:
            yield "frame", f"{frame} of {frames}"
        yield "seed", self.recipe.seed
        yield from _if("size", texts.get("smd:size", ""))
        yield "schedule", self.recipe.schedule
        device, dtype, manners = self.recipe.machine
        yield "machine", " ".join((device, dtype, *sorted(manners)))
        versions = ", ".join(filter(None, [texts.get("Software", ""), texts.get(VERSIONS, "")]))
        yield from _if("versions", versions)

    def _made_of(self) -> Rows:
        number, _, name = self.recorded.texts.get(MODEL, "").partition(" ")
        yield from _if("model", f"{name} {number}".strip())
        for change in self.recipe.changes:
            yield "change", change.written()
        held = self.recipe.inside if self.recorded.embeds else ()
        for name, digest in named_in(self.recorded.texts):
            inside = ", inside" if digest and (name, digest) in held else ""
            yield "file", f"{name} {digest or '(not read)'}{inside}"
        lines = self.recorded.texts.get("smd:scene", self.recipe.text).count("\n")
        yield "text", f"{counted(max(lines, 1), 'line')}: smd unpack writes the scene"

    def as_json(self) -> dict[str, Any]:
        """All of it for machines; `texts` are as they stand in the file, without packed masks."""
        device, dtype, manners = self.recipe.machine
        frame, frames = self.recipe.frame
        texts = {key: text for key, text in self.recorded.texts.items() if key != BUNDLE}
        return {
            "picture": str(self.recorded.picture),
            "told_by": str(self.recorded.file),
            "pictures": self.recorded.pictures,
            "command": self.recipe.kind,
            "frame": frame,
            "frames": frames,
            "seed": int(self.recipe.seed),
            "schedule": self.recipe.schedule,
            "machine": {"device": device, "dtype": dtype, "options": sorted(manners)},
            "changes": [change.written() for change in self.recipe.changes],
            "files": [{"name": n, "digest": d} for n, d in named_in(self.recorded.texts)],
            "embeds": self.recorded.embeds,
            "differs": list(self.differs),
            "unknown": self.unknown or None,
            "texts": {key: text for key, text in texts.items() if key != CHANGES},
        }


def _if(name: str, value: str) -> Rows:
    if value:
        yield name, value


def info(picture: Path, folder: Path | None = None) -> Info:
    """What is recorded of a picture. `folder`: where its scene lies, if it moved.

    Raises UsageError where nothing is recorded, SmdError where that is damaged.
    """
    recorded = read_recorded(picture)
    recipe, _ = recipe_in(recorded, Path(picture.stem))
    try:
        with opened(recorded, folder) as found:
            differs = found.differences(found.today(found.load()))
    except SmdError as wrong:
        return Info(recorded, recipe, (), f"this cannot be compared: {wrong.message}")
    return Info(recorded, recipe, differs)
