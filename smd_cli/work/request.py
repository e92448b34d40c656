"""What the command line asks for: scenes with their options. Imports nothing of the writers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from smd_cli.errors import Problem, SceneError, UsageError
from smd_cli.models.facts import unread
from smd_cli.models.files import problems_of
from smd_cli.scene.files import with_unread
from smd_cli.scene.overrides import Override
from smd_cli.scene.parse import load_scene
from smd_cli.scene.text.source import STDIN, Source
from smd_cli.scene.text.streams import refuse_twice
from smd_cli.scene.types import SceneFile
from smd_cli.work.captions import with_kept_caption
from smd_cli.work.vary import Axis

S = TypeVar("S")
T = TypeVar("T")


MOST_SHARED_CELLS = 8192
"""From so many latent cells a slot on, a CPU gains nothing by network calls of several frames.

Such as eight brushes on a background at 256x256, or two at 512x512. Measured on one core with the
starter's network, five slots in one call take 0.66 to 0.85 of the time of five calls at 1024 cells
a slot, 0.8 to 1.0 at 4096, 0.93 to 0.97 at 8192 and 12288; and their activations five times the
memory.
"""


@dataclass(frozen=True)
class Order:
    """Which frames are painted, and in which order.

    `schedule` is auto, single or stream. `frame` is the only one that is painted, of all that a
    scene has, or the first of several of them, up to `last`; `first` the one with which the stream
    began that it is taken from (None: frame 0 of a stream that ends with the scene's last frame).
    """

    schedule: str = "auto"
    frame: int | None = None
    first: int | None = None
    last: int | None = None

    @classmethod
    def of(cls, schedule: str, frame: int | None, span: str | None = None) -> Order:
        """The order that the options mean; ``stream:5`` is the endless stream from frame 5 on.

        `span`: ``10:20`` are the frames 10 to 20 of the film.
        """
        if span is not None:
            begin, end = _span(span, frame)
            return replace(cls.of(schedule, begin), last=end)
        match = re.fullmatch(r"(auto|single|stream)|stream:(\d{1,9})", schedule)
        if match is None:
            raise UsageError(f"--schedule is auto, single or stream, not {schedule!r}")
        if match[1]:
            return cls(match[1], frame)
        if frame is None or frame < int(match[2]):
            raise UsageError(f"--schedule {schedule} has no end", "name one of its frames: --frame")
        return cls("stream", frame, int(match[2]))

    def painted(self, frames: int) -> range:
        """The numbers of the frames that are painted, of a scene of so many."""
        if self.frame is None:
            return range(frames)
        return range(self.frame, (self.frame if self.last is None else self.last) + 1)

    def refuse_past_end(self, frames: int) -> None:
        """Raise UsageError where a span of frames ends after a scene's last one."""
        if self.last is not None and self.last >= frames:
            message = f"--frames {self.frame}:{self.last} goes past frame {frames - 1}, the last"
            raise UsageError(message, "frames count from 0; frames: in the scene says how many")

    def round_notes(self, frames: int, *, goes_round: bool) -> tuple[str, ...]:
        """A sentence where the only frame lies past a scene's last one and is as an earlier one.

        `goes_round`: something changes from frame to frame, and so it does in a stream's.
        """
        alone = self.frame
        if alone is None or self.last is not None or frames == 1 or alone < frames:
            return ()
        if not goes_round or self.first is not None:
            return ()
        told = f"--frame {alone} is past frame {frames - 1}, the last: what changes goes round, "
        return (f"{told}and is as in frame {alone % frames}; frames count from 0",)

    def schedule_of(self, frames: int, slot_cells: float, *, on_cpu: bool) -> str:
        """How so many frames are painted: single or stream; never by which of them are asked for.

        auto is stream where there are several, but on a CPU single from `MOST_SHARED_CELLS` on.
        `slot_cells`: latent cells of all network rows of a frame, by slots.
        """
        if self.schedule != "auto":
            return self.schedule
        heavy = on_cpu and slot_cells >= MOST_SHARED_CELLS
        return "single" if frames == 1 or heavy else "stream"


ALL = Order()


def _span(span: str, frame: int | None) -> tuple[int, int]:
    """The first and the last frame that ``10:20`` means."""
    if frame is not None:
        raise UsageError(f"--frame {frame} and --frames {span} exclude each other")
    match = re.fullmatch(r"(\d{1,9}):(\d{1,9})", span)
    if match is None or int(match[1]) > int(match[2]):
        hint = "--frames 10:20 are the frames 10 to 20, and both of these"
        raise UsageError(f"--frames takes a number, or FIRST:LAST, not {span!r}", hint)
    return int(match[1]), int(match[2])


@dataclass(frozen=True)
class Keeping:
    """What is kept of how a picture was made: nothing without `metadata`.

    `embed`: the scene's masks and background picture come along; `sidecar`: what holds no text has
    a JSON file beside it.
    """

    metadata: bool = True
    embed: bool = False
    sidecar: bool = False

    def __post_init__(self) -> None:
        """Raises UsageError for what exclude each other."""
        others = [f"--{name}" for name in ("embed", "sidecar") if getattr(self, name)]
        if others and not self.metadata:
            message = f"--no-metadata and {others[0]} exclude each other"
            raise UsageError(message, "without --no-metadata, PNG and APNG tell of their scene")


KEPT = Keeping()


@dataclass(frozen=True)
class Request:
    """What `smd render` was asked for, besides device and manners."""

    scenes: Sequence[str]
    outs: Sequence[str] = ()
    overrides: Sequence[Override] = ()
    only: Sequence[str] = ()
    without: Sequence[str] = ()
    clobber: bool = True
    order: Order = ALL
    axes: Sequence[Axis] = ()
    keeping: Keeping = KEPT


@dataclass(frozen=True)
class Machine:
    """Where a model runs: device and precision by name ("auto" finds them).

    `low_memory`: parts wait in main memory, and pictures are decoded in tiles; `compiled`: the
    network's blocks are compiled when they first work.
    """

    device: str = "auto"
    dtype: str = "auto"
    low_memory: bool = False
    compiled: bool = False

    @property
    def manners(self) -> tuple[str, ...]:
        """The options, without their dashes, that say how besides where and in which precision."""
        return ("low-memory",) * self.low_memory + ("compile",) * self.compiled


AUTO = Machine()


def refuse_stdin_twice(scenes: Sequence[str]) -> None:
    """Raise UsageError where two scenes come from what can be read once only."""
    refuse_twice(scenes, STDIN)


def load(source: str | Source, request: Request) -> SceneFile:
    """One scene of a request, its options applied, whose model's files are what they should be.

    Raises SceneError with all problems, those of picture files that cannot be read among them.
    """
    file = load_scene(
        source,
        request.overrides,
        only=request.only,
        without=request.without,
        beside=with_unread,
    )
    problems = [
        Problem(file.place("model", *path), wrong.message, wrong.hint)
        for path, wrong in problems_of(file.scene.model)
    ]
    if problems:
        if file.root is not None:
            problems = with_unread(problems, file.root, file.folder)
        raise SceneError(sorted(problems, key=lambda one: (one.place.line, one.place.column)))
    return with_kept_caption(file)


def informed(file: SceneFile, request: Request) -> SceneFile:
    """The same scene, read again where the hub had to be asked first what its model is like.

    Only the model's small files come, so that canvas and sampler are its own before anything is
    planned. Raises SceneError, and SmdError where the hub cannot be asked.
    """
    wanted = unread(file.scene.model)
    if not wanted:
        return file
    from smd_cli.models import hub

    try:
        for download in wanted:
            hub.prepare(download)
    except UsageError as wrong:
        place = file.place("model", "name")
        raise SceneError([Problem(place, wrong.message, wrong.hint)]) from wrong
    return load(Source(file.file, file.name, file.folder, file.text), request)


def each(items: Iterable[S], work: Callable[[S], T]) -> list[T]:
    """Do the work for all items, and only then raise the problems of all, in one SceneError."""
    made: list[T] = []
    problems: list[Problem] = []
    for item in items:
        try:
            made.append(work(item))
        except SceneError as wrong:
            problems += wrong.problems
    if problems:
        raise SceneError(dict.fromkeys(problems))
    return made
