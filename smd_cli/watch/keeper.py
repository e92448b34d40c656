"""What outlives the live picture: kept pictures, and a film of all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import TracebackType

from smd_cli.errors import SmdError
from smd_cli.output.atomic import write_whole
from smd_cli.output.origin import with_origin
from smd_cli.output.stills import encode_still
from smd_cli.output.targets import Target
from smd_cli.output.writers import Outputs, open_outputs
from smd_cli.scene.paint.photo import Photo
from smd_cli.scene.types import Scene
from smd_cli.watch.command import film_target, kept_name
from smd_cli.watch.tell import Teller
from smd_cli.work.bundle import bundle_chunks
from smd_cli.work.job import Job
from smd_cli.work.request import Request


class Keeper:
    """Saves pictures under names of their own: FOLDER/SCENE-0001.png and so on.

    They hold the scene and its masks, so that they can be painted again (`smd unpack`).
    """

    def __init__(self, folder: str | None) -> None:
        """`folder` None: SCENE-kept in the current folder."""
        self._folder = folder

    def keep(
        self, job: Job, contents: Mapping[Path, bytes], photo: Photo, text: Mapping[str, str]
    ) -> tuple[str, bool]:
        """Save a picture with its text chunks and files, unless it is there already.

        Gives the path, and whether it is new.
        """
        folder = Path(self._folder or f"{job.title}-kept")
        brushes = [painted.brush for painted in job.painted.brushes]
        chunks = bundle_chunks(job.scene_file, contents, brushes)
        told = with_origin({**text, **chunks}, job.scene_file.file, folder / "kept.png")
        data = encode_still(photo, "PNG", 100, told)
        for number in count(1):
            path = folder / kept_name(job.title, number)
            if not os.path.lexists(path):
                write_whole(path, data, clobber=False, make_folder=True)
                return str(path), True
            if _holds(path, data):
                return str(path), False
        raise AssertionError  # there is no end of numbers


class Recorder:
    """A film of all whole pictures, finished when the block is left, by Ctrl-C too.

    Pictures of another size go on in a film of their own: out.mp4, out-2.mp4.
    """

    def __init__(self, out: str, request: Request, teller: Teller) -> None:
        self._out, self._source, self._teller = out, request.scenes[0], teller
        self._target: Target | None = None
        self._parts = 0
        self._size: tuple[int, int] | None = None
        self._open = ExitStack()
        self._outputs: Outputs | None = None
        self._frames = 0

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._finish()

    def add(self, photo: Photo, scene: Scene) -> None:
        """Append a picture of a scene, whose `output` counts for the first of a film."""
        size = photo.size
        if self._outputs is None or size != self._size:
            self._finish()
            self._begin(size, scene)
        assert self._outputs is not None
        try:
            self._outputs.add(self._frames, photo, {})
        except SmdError as wrong:
            self._outputs = None
            self._open.__exit__(type(wrong), wrong, wrong.__traceback__)
            raise
        self._frames += 1

    def _begin(self, size: tuple[int, int], scene: Scene) -> None:
        self._parts += 1
        target = self._target = self._target or film_target(self._out, self._source, scene.seed)
        if self._parts > 1:
            path = target.path()
            part = str(path.with_name(f"{path.stem}-{self._parts}{path.suffix}"))
            target = replace(target, template=part.replace("{", "{{").replace("}", "}}"))
        output = replace(scene.output, loop=bool(scene.output.loop))  # the session goes one way
        opened = open_outputs([target], size=size, output=output)
        self._outputs = self._open.enter_context(opened)
        self._size, self._frames = size, 0

    def _finish(self) -> None:
        """Complete the film that is open."""
        if self._outputs is None:
            return
        outputs, self._outputs = self._outputs, None
        self._open.close()
        for path in outputs.paths:
            self._teller.recorded(path, self._frames)


def _holds(path: Path, data: bytes) -> bool:
    """Whether a file has this content."""
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False
