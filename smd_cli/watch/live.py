"""The live loop: pictures of the scene as its files are now.

By default it paints a version's frames and waits; a newer version overtakes work on an older one,
between two network calls. Endless, it paints frame after frame, each by the newest version. What
cannot be read is tried again for a while, since editors write in pieces, and only then told; the
last good picture stays.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass

from smd_cli.backbone.loading.load import pick_device, pick_dtype
from smd_cli.engine.contract import Backbone
from smd_cli.engine.plan import Plan
from smd_cli.engine.stream import DroppedError, Frame, finished, single, stream
from smd_cli.errors import TOLD, SmdError
from smd_cli.output.targets import Target
from smd_cli.output.writers import Outputs, open_outputs
from smd_cli.report.reporter import Reporter
from smd_cli.scene.paint.photo import Photo
from smd_cli.watch.board import Board, Command
from smd_cli.watch.command import WatchOptions, names_model
from smd_cli.watch.film import Film
from smd_cli.watch.follower import Follower, Version, wait
from smd_cli.watch.keeper import Keeper, Recorder
from smd_cli.watch.sources import SceneReader
from smd_cli.watch.store import FrameStore
from smd_cli.watch.studio import NewestPlans, OvertakenError, Studio
from smd_cli.watch.tell import Teller
from smd_cli.watch.watcher import Watcher
from smd_cli.watch.watchful import watchful
from smd_cli.work.job import picture_text
from smd_cli.work.render import ModelHolder, memory_sentence
from smd_cli.work.request import ALL, Request
from smd_cli.work.similar import skips_of
from smd_cli.work.sound import sound_of

__all__ = ["Session", "Studio", "WatchOptions", "follow"]


class QuitError(Exception):
    """Somebody asked for the end."""


@dataclass(frozen=True, eq=False)
class Shown:
    """The last whole picture, and the text that lets it be made again."""

    version: Version
    frame: int
    photo: Photo
    text: Mapping[str, str]


class Session:
    """One `smd watch`: follows, paints, and does what onlookers ask for."""

    def __init__(
        self,
        follower: Follower,
        studio: Studio,
        board: Board,
        teller: Teller,
        keeper: Keeper,
        recorder: Recorder | None,
        options: WatchOptions,
        store: FrameStore,
    ) -> None:
        self._follower, self._studio, self._options = follower, studio, options
        self._board, self._teller = board, teller
        self._keeper, self._recorder = keeper, recorder
        self._playing = True
        self._steps = 0
        self._next_frame = 0
        self._done: Version | None = None
        self._failed: Version | None = None
        self._folder_gone = False
        self._settled: Version | None = None
        self._shown: Shown | None = None
        self._store: FrameStore | None = store

    def run(self) -> None:
        """Until somebody asks for the end."""
        try:
            while True:
                self._turn()
        except QuitError:
            return

    def _turn(self) -> None:
        """Paint what there is to paint, or wait for something."""
        self._attend()
        version = self._follower.version
        if version is None or not self._due(version):
            wait(self._follower, self._board.wake)
            return
        paint = self._paint_endless if self._options.endless else self._paint
        self._failed = None
        try:
            with memory_sentence(version.job):
                paint(version)
        except OvertakenError:
            return
        except SmdError as wrong:
            if self._is_for_good(version):
                raise
            self._teller.trouble(wrong)
            self._failed, self._folder_gone = version, _folder_gone(version)

    def _is_for_good(self, version: Version) -> bool:
        """Whether no save mends a failure: the command line's own model could not be loaded."""
        return names_model(version.request) and not self._studio.loaded

    def _due(self, version: Version) -> bool:
        """Whether there is something to paint now."""
        if version is self._failed:
            return self._folder_gone and not _folder_gone(version)
        unpainted = self._options.endless or version is not self._done
        return self._steps > 0 or (self._playing and unpainted)

    def _attend(self) -> None:
        """Do what was asked for, and look at the files."""
        for command in self._board.asked():
            if command is Command.QUIT:
                raise QuitError
            self._obey(command)
        self._follower.look()

    def _obey(self, command: Command) -> None:
        if command is Command.PLAY:
            self._playing, self._steps = not self._playing, 0
        elif command is Command.STEP:
            self._playing = self._playing and not self._options.endless
            self._steps += 1
        elif command is Command.SEED:
            self._teller.reseeded(self._follower.reseed(), playing=self._playing)
        elif command is Command.KEEP and self._shown:
            self._keep(self._shown, asked=True)
        elif command is Command.KEEP:
            self._teller.answer("There is no whole picture to keep yet.")
        self._teller.playing(self._playing)

    def _hold(self) -> None:
        """Between two frames: wait while paused."""
        while not self._playing and not self._steps:
            self._attend()
            if not self._playing and not self._steps:
                wait(self._follower, self._board.wake)

    def _paint(self, version: Version) -> None:
        """All frames of a version, or one more of a version that is painted already."""
        again, scene = version is self._done, version.job.scene_file.scene
        count, moving = 1 if again else scene.frames, scene.frames > 1
        first = self._next_frame if again else 0
        with self._teller.preparing(version.job.scene_file.scene.model.name):
            plans, backbone = self._studio.plans(version.job)

        def look() -> None:
            self._attend()
            if self._follower.version is not version:
                raise OvertakenError

        def latest(frame: int) -> Plan:
            look()
            return plans(frame)

        network = watchful(backbone, look)
        film = Film(plans, self._store if moving else None, skips_of(plans, scene, ALL))
        targets = [t for t in version.job.targets if not (again and t.is_movie)]
        with _opened(version, targets) as outputs:
            for number in range(first, first + count):
                look()
                frames = single(latest, network, 1, first=number, previews=self._options.previews)
                self._paint_frame(version, number, film, frames, backbone, outputs)
                if number + 1 < first + count:
                    self._hold()
            whole = outputs.finish()
            self._teller.written(version, number, whole, fresh=self._is_fresh(version))
        self._done = version

    def _paint_frame(
        self,
        version: Version,
        number: int,
        film: Film,
        frames: Iterable[Frame],
        backbone: Backbone,
        outputs: Outputs,
    ) -> None:
        """Show a frame of a film that is there, or else paint it: the last of `frames`."""
        known = film.known(number)
        if known is not None:
            text = picture_text(version.job, number, "single")
            text |= self._studio.machine_text(backbone)
            self._show(Shown(version, number, known, text), outputs)
            return
        for frame in frames:
            self._take(version, frame, backbone, outputs)
        assert self._shown is not None
        try:
            film.painted(number, self._shown.photo)
        except SmdError as wrong:
            self._store = None
            self._teller.aside(wrong)

    def _paint_endless(self, version: Version) -> None:
        """Frames without end, each by the newest version that can be compiled."""
        with self._teller.preparing(version.job.scene_file.scene.model.name):
            plans = NewestPlans(self._follower, self._studio, self._teller, version)

        def latest(frame: int) -> Plan:
            self._attend()
            return plans.newest()(frame)

        def look() -> None:
            self._attend()
            if not self._options.blend and plans.behind:
                raise DroppedError

        frames = stream(
            latest,
            watchful(plans.backbone, look),
            first=self._next_frame,
            blend=self._options.blend,
            previews=self._options.previews,
        )
        for frame in frames:
            self._deliver(plans.version, frame, plans.backbone)
            if not frame.preview:
                self._hold()

    def _deliver(self, version: Version, frame: Frame, backbone: Backbone) -> None:
        """One of endless frames; where it cannot be written the next may be."""
        try:
            with _opened(version, version.job.targets) as outputs:
                self._take(version, frame, backbone, outputs)
        except SmdError as wrong:
            self._teller.trouble(wrong)

    def _take(self, version: Version, frame: Frame, backbone: Backbone, outputs: Outputs) -> None:
        """Show a frame, or what it looks like on its way."""
        photo = finished(frame, backbone)
        text = picture_text(version.job, frame.index, _order(frame))
        text |= self._studio.machine_text(backbone)
        if frame.preview:
            self._preview(version, frame, photo, text)
            return
        text |= {"smd:mixed": "two scenes"} if frame.mixed else {}
        self._show(Shown(version, frame.index, photo, text), outputs, mixed=frame.mixed)

    def _show(self, shown: Shown, outputs: Outputs, *, mixed: bool = False) -> None:
        """Write a whole picture, film it and keep it."""
        version, number, photo = shown.version, shown.frame, shown.photo
        paths = outputs.add(number, photo, shown.text)
        fresh = self._is_fresh(version) and not mixed
        self._shown, self._next_frame = shown, number + 1
        self._steps = max(self._steps - 1, 0)
        mute = self._options.endless and version is self._settled
        self._teller.written(version, number, paths, fresh=fresh, mute=mute)
        self._teller.picture(version, number, photo.seen, fresh=fresh, mixed=mixed)
        self._film(self._shown)
        if fresh and self._options.keep and not mute:
            self._keep(self._shown)
        if fresh:
            self._settled = version

    def _preview(self, version: Version, frame: Frame, photo: Photo, text: dict[str, str]) -> None:
        """An estimate goes where a still shows every frame in turn."""
        slots = f"{frame.slots} of {frame.plan.table.slots}"
        stills = [target for target in version.job.targets if target.kind == "still"]
        with _opened(version, stills) as outputs:
            outputs.add(frame.index, photo, {**text, "smd:preview": f"slot {slots}"})
        self._teller.preview(version, frame.index, slots, photo.seen)

    def _film(self, shown: Shown) -> None:
        """Append a picture to the film; one that has failed is left alone from then on."""
        if self._recorder is None:
            return
        try:
            self._recorder.add(shown.photo, shown.version.job.scene_file.scene)
        except SmdError as wrong:
            self._recorder = None
            self._teller.aside(wrong)

    def _keep(self, shown: Shown, *, asked: bool = False) -> None:
        version = shown.version
        try:
            path, new = self._keeper.keep(version.job, version.contents, shown.photo, shown.text)
        except SmdError as wrong:
            self._teller.aside(wrong)
        else:
            self._teller.kept(path, new=new, asked=asked)

    def _is_fresh(self, version: Version) -> bool:
        return self._follower.settled and version is self._follower.version


def _order(frame: Frame) -> str:
    """The schedule that paints a frame again."""
    return "single" if frame.began is None else f"stream:{frame.began}"


def _opened(version: Version, targets: Sequence[Target]) -> AbstractContextManager[Outputs]:
    """Writers for some of a version's targets."""
    job, scene = version.job, version.job.scene_file.scene
    sound = sound_of(scene, job.painted, ALL)
    return open_outputs(targets, size=job.painted.size, output=scene.output, sound=sound)


def _folder_gone(version: Version) -> bool:
    """Whether an output has no folder."""
    needed = [target for target in version.job.targets if not target.makes_folder]
    return not all(target.path().parent.is_dir() for target in needed)


def follow(
    request: Request,
    options: WatchOptions,
    *,
    board: Board,
    reporter: Reporter,
    models: ModelHolder | None = None,
) -> None:
    """Paint the scene, and again whenever it changes, until interrupted or told to quit.

    Raises SmdError where no save mends what is wrong: the command itself, or its model.
    """
    pick_dtype(options.machine.dtype, pick_device(options.machine.device))
    gc.enable()  # the start of `smd` goes without
    teller = Teller(board, reporter)
    board.tell(endless=options.endless, busy="")
    with ExitStack() as stack:
        recorder = None
        if options.record:
            recorder = stack.enter_context(Recorder(options.record, request, teller))
        watcher = stack.enter_context(
            Watcher(board.wake, polling=options.polling, say=reporter.note)
        )
        watcher.changed.set()
        models = models or ModelHolder(options.machine, reporter)
        reader = SceneReader(options, teller.preparing, models.soft_masks, models.captioned)
        follower = Follower(reader, request, watcher, teller)
        studio = Studio(models)
        keeper = Keeper(options.keep)
        store = stack.enter_context(FrameStore())
        session = Session(follower, studio, board, teller, keeper, recorder, options, store)
        try:
            session.run()
        except KeyboardInterrupt:
            teller.ended()
            raise KeyboardInterrupt(*TOLD) from None
        teller.ended()
