"""What the pictures of a job tell of themselves, besides the frame that each of them is."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from smd_cli.errors import UsageError
from smd_cli.output.origin import FROM, HERE
from smd_cli.output.places import is_stream, status_of
from smd_cli.scene.paint.files import FileContent
from smd_cli.scene.paint.painted import PaintedScene
from smd_cli.scene.paint.reels import stays_on_disk
from smd_cli.scene.types import SceneFile
from smd_cli.units import shown
from smd_cli.work.bundle import CHUNK as BUNDLE
from smd_cli.work.bundle import bundle_chunks
from smd_cli.work.changes import CHUNK as CHANGES
from smd_cli.work.changes import FOLDER, WEIGHTS
from smd_cli.work.provenance import MADE_OF, MODEL, UNKNOWN, model_in, model_told, provenance
from smd_cli.work.record import CHUNK, record_of

# What a picture that is painted again tells as it did: the recipe, whatever is different today.
_RECIPE = (
    "smd:scene",
    "smd:overrides",
    CHANGES,
    WEIGHTS,
    FOLDER,
    "smd:windows",
    "smd:schedule",
    BUNDLE,
    FROM,
    HERE,
)


@dataclass(frozen=True, eq=False)
class Recording:
    """What pictures tell. `tells` False: nothing at all.

    `chunks` are texts about what they are made of. `contents`: the scene's files that come along;
    None where none do. `recalled` are the texts of the picture that is painted again.
    """

    tells: bool = True
    chunks: Mapping[str, str] = field(default_factory=dict)
    contents: Mapping[Path, bytes] | None = None
    recalled: Mapping[str, str] = field(default_factory=dict)

    def of(
        self, file: SceneFile, painted: PaintedScene, read: Mapping[Path, bytes] | None = None
    ) -> Recording:
        """The same of a scene, with texts about what that is made of. Raises SmdError.

        `read`: what is in those of its files that have been read.
        """
        if not self.tells:
            return self
        chunks = provenance(file, read or self.contents)
        if self.contents is not None:
            brushes = [one.brush for one in painted.brushes]
            chunks |= bundle_chunks(file, self.contents, brushes)
        return replace(self, chunks=chunks)

    def of_loaded(self, file: SceneFile) -> Recording:
        """The same, of a model that was not here and has been downloaded since."""
        if not self.tells or model_in(self.chunks) != UNKNOWN:
            return self
        return replace(self, chunks={**self.chunks, MODEL: model_told(file)})

    def text(self, made: Mapping[str, str]) -> dict[str, str]:
        """All that a picture tells, of which `made` is known of its frame."""
        if not self.tells:
            return {}
        today = {**made, **self.chunks}
        if not self.recalled:
            return today | record_of(today)
        recipe = {key: self.recalled[key] for key in _RECIPE if key in self.recalled}
        whole = {key: text for key, text in today.items() if key not in _RECIPE} | recipe
        same = all(self.recalled.get(key) == today.get(key) for key in MADE_OF)
        record = {key: self.recalled[key] for key in (CHUNK,) if key in self.recalled}
        whole |= record if same else record_of(whole)
        return {key: whole[key] for key in (*self.recalled, *whole) if key in whole}


USUAL = Recording()
"""Pictures tell all but what is in files."""


def outside_notes(file: SceneFile) -> tuple[str, ...]:
    """A sentence about what does not come along where a scene's pictures do."""
    names = dict.fromkeys(
        shown(name, quote=False)
        for path, name in file.scene.pictures.items()
        if stays_on_disk(path)
    )
    if not names:
        return ()
    return (f"--embed: films and sequences stay where they are, not inside: {', '.join(names)}",)


def contents_of(
    file: SceneFile, known: Mapping[Path, FileContent] | None = None
) -> dict[Path, FileContent]:
    """What is in the scene's pictures, each read once, if it is not `known`.

    Films and sequences, and what cannot be read, are left out. Raises UsageError for what is no
    file, such as a pipe: that cannot come along.
    """
    contents = {}
    for path, written in file.scene.pictures.items():
        if path in (known or {}) or stays_on_disk(path):
            continue
        with suppress(OSError, ValueError):
            if is_stream(status_of(path)):
                message = f"--embed: {written} is no file, and can be read once only"
                raise UsageError(message, "save it as a PNG first")
            data = path.read_bytes()
            contents[path] = FileContent(data, hashlib.sha256(data).digest())
    return contents
