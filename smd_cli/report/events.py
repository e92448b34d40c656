"""What scripts hear with `--json`: a frozen class for every kind of line.

The page README.md beside this module is made of these classes, by `page`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, ClassVar

from smd_cli.errors import Problem
from smd_cli.units import shown_bytes

VERSION = 1
"""Of all lines, their `v`: it goes up where a field leaves, or changes what it means."""

_Scene = Annotated[str, "the scene's name, and behind it what a grid changes"]
_File = Annotated[str, "the file"]
_State = Annotated[int, "the state of the scene, counted from 1"]


@dataclass(frozen=True)
class Event:
    """One line. A class has its `type`, and the commands that tell it."""

    type: ClassVar[str] = ""
    told_by: ClassVar[str] = ""

    @property
    def facts(self) -> Mapping[str, Any]:
        """The fields by their names."""
        return asdict(self)

    def as_line(self) -> str:
        """The line: its type, the version of all lines, the type by its old name, the fields."""
        head = {"type": self.type, "v": VERSION, "event": self.type}
        return json.dumps({**head, **self.facts}, ensure_ascii=False)


@dataclass(frozen=True)
class Failure(Event):
    """Something is wrong: with a scene, at its place; with the command; or on the way."""

    type = "error"
    told_by = "every command"

    message: Annotated[str, "a sentence"]
    hint: Annotated[str, "what may help; empty where nothing is known to"] = ""
    file: Annotated[str | None, "the scene file, or the option as typed"] = None
    line: Annotated[int | None, "from 1; 0 for an option"] = None
    column: Annotated[int | None, "from 1; 0 for an option"] = None
    scene: Annotated[str | None, "the job that failed, where it is one of several"] = None

    @classmethod
    def of(cls, problem: Problem) -> Failure:
        """A problem of a scene."""
        place = problem.place
        return cls(problem.message, problem.hint, place.file, place.line, place.column)


@dataclass(frozen=True)
class Caution(Failure):
    """What is legal but hardly meant; the fields are those of an error."""

    type = "warning"
    told_by = "render, watch, compare, masks, models NAME"


@dataclass(frozen=True)
class Note(Event):
    """One thing worth knowing."""

    type = "note"
    told_by = "every command"

    message: Annotated[str, "a sentence"]


@dataclass(frozen=True)
class Download(Event):
    """Bytes of a model came."""

    type = "download"
    told_by = "models pull, and whatever needs a model"

    model: Annotated[str, "what comes"]
    done: Annotated[int, "bytes that are here"]
    total: Annotated[int, "bytes of all"]


@dataclass(frozen=True)
class Loading(Event):
    """A model begins to load."""

    type = "loading"
    told_by = "render, watch, compare, bench, doctor"

    model: Annotated[str, "its name"]


@dataclass(frozen=True)
class Start(Event):
    """A scene begins to be painted."""

    type = "start"
    told_by = "render, compare"

    scene: _Scene
    frames: Annotated[int, "how many will come"]
    changes: Annotated[Mapping[str, str], "in a grid, what is changed: key to value"] = field(
        default_factory=dict
    )


@dataclass(frozen=True)
class FrameDone(Event):
    """Another frame is finished."""

    type = "frame"
    told_by = "render, compare"

    scene: _Scene
    done: Annotated[int, "how many are"]
    frames: Annotated[int, "of how many"]


@dataclass(frozen=True)
class Result(Event):
    """A file is whole."""

    type = "result"
    told_by = "init, render, compare, masks, unpack, models pull"

    scene: Annotated[str, "the scene, or the model that was pulled"]
    path: _File
    kept: Annotated[bool, "it was so already, which --resume found"] = False


@dataclass(frozen=True)
class Summary(Event):
    """The figures of one rendered scene; seconds are wall clock, memory is the process' peak."""

    type = "done"
    told_by = "render"

    scene: _Scene
    frames: Annotated[int, "how many were written"]
    seconds: Annotated[float, "from the plan to the last file"]
    first_seconds: Annotated[float, "to the first frame"]
    load_seconds: Annotated[float, "of imports and the model, before"]
    peak_bytes: Annotated[int | None, "of main memory; null where the system does not tell"]
    gpu_peak_bytes: Annotated[int | None, "of the GPU's memory; null without one"] = None
    skipped: Annotated[int, "frames that are the one before, by the similarity filter"] = 0

    def __str__(self) -> str:
        rate = self.frames / self.seconds
        frames = f"{self.frames} frame{'s' if self.frames != 1 else ''}"
        frames += f" ({self.skipped} skipped as alike)" if self.skipped else ""
        parts = [
            f"{frames} in {self.seconds:.1f} s",
            f"{rate:.2f} frames/s",
            f"first frame after {self.first_seconds:.1f} s",
            f"model loaded in {self.load_seconds:.1f} s",
        ]
        if self.peak_bytes is not None:
            parts.append(f"peak memory {shown_bytes(self.peak_bytes)}")
        if self.gpu_peak_bytes is not None:
            parts.append(f"GPU {shown_bytes(self.gpu_peak_bytes)}")
        return f"{self.scene}: {', '.join(parts)}"


@dataclass(frozen=True)
class Variant(Event):
    """One column of a comparison."""

    type = "variant"
    told_by = "compare"

    label: Annotated[str, "what it shows"]
    seconds: Annotated[float, "that it took"]
    ratio: Annotated[float, "how much faster than the first it was"]
    rows: Annotated[int, "network rows"]


@dataclass(frozen=True)
class Answer(Event):
    """What became of one job: its only line, in the order of the jobs."""

    type = "job"
    told_by = "render --jobs"

    line: Annotated[int, "where the job stands, from 1"]
    ok: Annotated[bool, "all of its files are whole"]
    id: Annotated[Any, "the job's own; null where it has none"] = None
    scene: Annotated[str | None, "the scene's name; null where it could not be read"] = None
    seed: Annotated[int | None, "the seed, also one that was drawn"] = None
    files: Annotated[Sequence[str], "those that are whole"] = ()
    seconds: Annotated[float, "that the job took, loading included"] = 0.0
    errors: Annotated[Sequence[Mapping[str, Any]], "each with the fields of an error"] = ()
    warnings: Annotated[Sequence[Mapping[str, Any]], "each with the fields of an error"] = ()


@dataclass(frozen=True)
class Serving(Event):
    """There is a page to look at."""

    type = "serving"
    told_by = "watch --serve"

    url: Annotated[str, "its address"]


@dataclass(frozen=True)
class Change(Event):
    """There is a new state of the scene."""

    type = "change"
    told_by = "watch"

    version: _State
    files: Annotated[str, "which files changed; empty for the first state"]


@dataclass(frozen=True)
class Preview(Event):
    """An estimate of a frame is shown."""

    type = "preview"
    told_by = "watch --preview"

    version: _State
    frame: Annotated[int, "its number, from 0"]
    slots: Annotated[str, "after how many of how many slots: 1 of 4"]


@dataclass(frozen=True)
class Picture(Event):
    """A file that `smd watch` wrote: of which version of the scene, and so long after its save."""

    type = "picture"
    told_by = "watch"

    path: _File
    version: _State
    frame: Annotated[int, "its number, from 0"]
    fresh: Annotated[bool, "there was no newer state when it was whole"]
    seconds: Annotated[float, "since the save"]

    def __str__(self) -> str:
        mark = "" if self.fresh else ", stale"
        return f"{self.path}: version {self.version} after {self.seconds:.2f} s{mark}"


@dataclass(frozen=True)
class Kept(Event):
    """A picture was saved under a name of its own."""

    type = "kept"
    told_by = "watch"

    path: _File


@dataclass(frozen=True)
class Recorded(Event):
    """A film of pictures is whole."""

    type = "recorded"
    told_by = "watch --record"

    path: _File
    frames: Annotated[int, "how many are in it"]


@dataclass(frozen=True)
class Stale(Event):
    """What was saved is wrong, which an error said: the last good picture stays."""

    type = "stale"
    told_by = "watch"


@dataclass(frozen=True)
class Waiting(Event):
    """The same, and there is no picture yet."""

    type = "waiting"
    told_by = "watch"
