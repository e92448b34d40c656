"""What a scene's files say at a moment: which files, what is in them, and what they ask for."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from smd_cli.engine.layers import SoftMasks
from smd_cli.errors import Problem, SceneError, SmdError
from smd_cli.models.cache import Download
from smd_cli.models.facts import unread
from smd_cli.scene.files import read_pictures
from smd_cli.scene.paint.files import FileContent, PaintSource
from smd_cli.scene.paint.painted import PaintedScene
from smd_cli.scene.paint.photo import Photo
from smd_cli.scene.paint.reels import fingerprint, stays_on_disk
from smd_cli.scene.text.source import source_of
from smd_cli.scene.types import Channel, ImageMask, MaskPart, SceneFile
from smd_cli.watch.command import WatchOptions, names_model, no_save_mends, watch_targets
from smd_cli.work.job import Job, job_of
from smd_cli.work.request import Request, informed, load

HUB_RETRY_S = 30.0
"""How long after a failed question the hub is asked for the same again."""

Digests = Mapping[Path, bytes | None]
"""Each file's digest; None where there is no file that can be read."""

Stamp = tuple[int, int, int, int] | bytes
Stamps = Mapping[Path, Stamp | None]
"""Each file's times (ns) of content and rights, size (bytes) and number; None where there is none.
Of a film or a sequence a digest of such.
"""

Captioned = Callable[[SceneFile, Photo | None], SceneFile]
"""A scene and its background's picture → the scene with that picture's caption."""

Contents = Mapping[Path, bytes]
"""What is in each file that can be read."""


@dataclass(frozen=True, eq=False)
class Reading:
    """The files of a scene, read once.

    `job` is what they ask for; None where something is wrong with them, which `wrong` tells, or
    where they were saved just then. `for_good`: no save of a file mends it. `contents` are the
    files that the job was made of.
    """

    digests: Digests
    job: Job | None = None
    wrong: SmdError | None = None
    for_good: bool = False
    contents: Contents = field(default_factory=dict)


@dataclass(frozen=True)
class _Unanswered:
    """What the hub was asked for in vain: why, and when (monotonic, s)."""

    wanted: tuple[Download, ...]
    wrong: SmdError
    at: float


class SceneReader:
    """Reads a request's one scene and every file that it names.

    Alpha or brightness: a mask that leaves the choice to smd keeps what was chosen when it was
    first read, so that erasing its last stroke does not turn it inside out. A random seed is drawn
    once, so that an edit changes what was edited alone.
    """

    def __init__(
        self,
        options: WatchOptions = WatchOptions(),  # noqa: B008 - it is frozen
        asking: Callable[[str], AbstractContextManager[None]] = lambda _: nullcontext(),
        soft_masks: SoftMasks | None = None,
        captioned: Captioned = lambda file, _: file,
    ) -> None:
        """`asking` is entered, with a model's name, while the hub is asked what it is like.

        `soft_masks` are shared with whoever works them out as well. `captioned` gives a scene a
        caption of its background's picture.
        """
        self._options, self._asking, self._captioned = options, asking, captioned
        self._soft = SoftMasks() if soft_masks is None else soft_masks
        self._paint_source, self._files = PaintSource(), _Files()
        self._unanswered: _Unanswered | None = None
        self._rules: dict[Path, Channel] = {}
        self._drawn: int | None = None

    def look(self, paths: Collection[Path]) -> Digests:
        """The digests of files as they are now; the next reading takes them as they were then."""
        self._files = _Files()
        return self._files.digests(paths)

    def read(self, request: Request, known: Collection[Path] = ()) -> Reading:
        """Read all files, each once; those that were looked at just now are not read again.

        `known` are files of an earlier reading: they count on where the scene itself cannot be
        read.
        """
        found, self._files = self._files, _Files()
        [source] = request.scenes
        digests = found.digests([*known, Path(source)])
        content = found.contents.get(Path(source))
        try:
            file = load(source_of(source, content.data) if content else source, request)
        except SmdError as wrong:
            return Reading(digests, wrong=wrong, for_good=no_save_mends(wrong))
        try:
            file = self._seeded(self._informed(file, request))
        except SmdError as wrong:
            return Reading(digests, wrong=wrong, for_good=names_model(request))
        files = [Path(source), *file.scene.pictures]
        digests = found.digests(files)
        try:
            with self._paint_source.round(found.contents):
                painted, warnings = self._paint(file)
            file = self._with_caption(file, painted)
            files += filter(None, [file.scene.background.caption_file])
            digests = found.digests(files)
            targets = watch_targets(file, request, self._options)
            job = job_of(file, painted, targets, self._soft, found.data(files))
        except SmdError as wrong:
            return Reading(digests, wrong=wrong, for_good=not isinstance(wrong, SceneError))
        if found.changed(files):
            return Reading(digests)
        job = replace(job, warnings=(*job.warnings, *warnings))
        return Reading(digests, job, contents=found.data(files))

    def _informed(self, file: SceneFile, request: Request) -> SceneFile:
        """The scene as its model wants it; a hub that did not answer is left alone for a while."""
        wanted, now = unread(file.scene.model), time.monotonic()
        last = self._unanswered
        if last and last.wanted == wanted and now - last.at < HUB_RETRY_S:
            raise last.wrong
        with self._asking(file.scene.model.name) if wanted else nullcontext():
            try:
                return informed(file, request)
            except SmdError as wrong:
                self._unanswered = _Unanswered(wanted, wrong, time.monotonic())
                raise

    def _seeded(self, file: SceneFile) -> SceneFile:
        """The scene with the seed that was drawn at first, where it asks for a random one."""
        if not file.scene.seed_was_random:
            return file
        if self._drawn is None:
            self._drawn = file.scene.seed
        return replace(file, scene=replace(file.scene, seed=self._drawn))

    def _with_caption(self, file: SceneFile, painted: PaintedScene) -> SceneFile:
        """The scene with its picture's caption; what hinders that is told at its prompt."""
        captioner = file.scene.background.captioner
        if captioner is None or not file.scene.background.wants_caption:
            return file
        try:
            with self._asking(captioner.name):
                return self._captioned(file, painted.picture)
        except SmdError as wrong:
            place = file.place("background", "prompt")
            raise SceneError([Problem(place, wrong.message, wrong.hint)]) from wrong

    def _paint(self, file: SceneFile) -> tuple[PaintedScene, list[Problem]]:
        """The scene's paint, by the rules that its masks had before."""
        painted = read_pictures(file, self._paint_source)
        found = dict(_channels(painted))
        turned = sorted(path for path in found if self._rules.get(path, found[path]) != found[path])
        held: dict[Path, Channel] = {}
        for path in turned:
            more = held | {path: self._rules[path]}
            try:
                painted, held = read_pictures(_held(file, more), self._paint_source), more
            except SceneError:  # the channel is gone: it is another kind of mask now
                continue
        rules = found | held
        self._rules = rules
        return painted, [_warning(file, path, rules[path], found[path]) for path in turned]


def _channels(painted: PaintedScene) -> Iterator[tuple[Path, Channel]]:
    """By which channel every mask was read that does not say so itself."""
    for brush in painted.brushes:
        for part, channel in zip(brush.brush.mask, brush.channels, strict=True):
            if isinstance(part, ImageMask) and part.channel is None and channel is not None:
                yield part.path, channel


def _held(file: SceneFile, rules: Mapping[Path, Channel]) -> SceneFile:
    """The scene with its masks' channels as the rules have them."""

    def part(mask: MaskPart) -> MaskPart:
        if isinstance(mask, ImageMask) and mask.channel is None and mask.is_picture:
            return replace(mask, channel=rules.get(mask.path))
        return mask

    brushes = [replace(b, mask=tuple(map(part, b.mask))) for b in file.scene.brushes]
    return replace(file, scene=replace(file.scene, brushes=tuple(brushes)))


def _warning(file: SceneFile, path: Path, used: Channel, found: Channel) -> Problem:
    """That a mask looks as if it were to be read by another channel than at first."""
    parts = [
        file.place("brushes", brush.number - 1, "mask")
        for brush in file.scene.brushes
        if any(isinstance(part, ImageMask) and part.path == path for part in brush.mask)
    ]
    message = f"{path.name} is read by {found} from now on, as it has no other channel"
    hint = ""
    if used != found:
        varies = "varies now" if found == "alpha" else "varies no longer"
        message = f"{path.name}: its transparency {varies}; it is still read by {used}, as at first"
        hint = f"channel: {used} keeps this for good; channel: {found} changes it"
    return Problem(parts[0], message, hint, severity="warning")


class _Files:
    """Files as they were when they were asked for first; each is read once."""

    def __init__(self) -> None:
        self.contents: dict[Path, FileContent] = {}
        self._stamps: dict[Path, Stamp | None] = {}
        self._prints: dict[Path, bytes | None] = {}

    def digests(self, paths: Collection[Path]) -> dict[Path, bytes | None]:
        """The digests of files; of a film or a sequence what tells that any file was saved."""
        self._read([path for path in paths if path not in self._stamps])
        return {path: self._digest(path) for path in paths}

    def _digest(self, path: Path) -> bytes | None:
        return self.contents[path].digest if path in self.contents else self._prints.get(path)

    def data(self, paths: Collection[Path]) -> dict[Path, bytes]:
        """What is in each file that could be read."""
        return {path: self.contents[path].data for path in paths if path in self.contents}

    def changed(self, paths: Collection[Path]) -> bool:
        """Whether a file was saved since it was read."""
        return stamps(paths) != {path: self._stamps[path] for path in paths}

    def _read(self, paths: Collection[Path]) -> None:
        self._stamps.update(stamps(paths))
        for path in paths:
            if stays_on_disk(path):
                self._prints[path] = fingerprint(path)
                continue
            with suppress(OSError, ValueError):
                if path.is_file():  # a pipe would be waited for
                    data = path.read_bytes()
                    self.contents[path] = FileContent(data, hashlib.sha256(data).digest())


def stamps(files: Collection[Path]) -> Stamps:
    """What tells that a file was saved, or may be read again, without reading it."""
    found: dict[Path, Stamp | None] = {}
    for path in files:
        if stays_on_disk(path):
            found[path] = fingerprint(path)
            continue
        try:
            status = path.stat()
        except (OSError, ValueError):
            found[path] = None
        else:
            times = status.st_mtime_ns, status.st_ctime_ns
            found[path] = (*times, status.st_size, status.st_ino)
    return found
