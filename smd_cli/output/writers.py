"""Frames in, whole files out: one sink for every target."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, Protocol

import numpy as np

from smd_cli.errors import UsageError
from smd_cli.output.apng import ApngMovie
from smd_cli.output.atomic import AtomicFile, sentences, write_whole
from smd_cli.output.conflicts import refuse_existing, standing
from smd_cli.output.gif import MOST_FPS, GifMovie
from smd_cli.output.origin import with_origin
from smd_cli.output.ping_pong import Movie, ThereAndBack
from smd_cli.output.places import is_stream, status_of
from smd_cli.output.sidecars import SidecarSink
from smd_cli.output.stills import Pixels, encode_still
from smd_cli.output.targets import Target
from smd_cli.output.video import Sound, VideoMovie
from smd_cli.output.webp import WebpMovie
from smd_cli.scene.paint.photo import Photo
from smd_cli.scene.types import Output


class Sink(Protocol):
    """Where frames go; `add` and `finish` give the results that are whole now."""

    def add(self, index: int, photo: Photo, text: Mapping[str, str]) -> list[str]:
        """Take frame `index`."""

    def finish(self) -> list[str]:
        """All frames are there."""

    def discard(self) -> None:
        """Remove what is not whole; nothing after `finish`."""


@contextmanager
def open_outputs(
    targets: Sequence[Target],
    *,
    size: tuple[int, int],
    output: Output,
    clobber: bool = True,
    stdout: BinaryIO | None = None,
    sound: Sound | None = None,
) -> Iterator[Outputs]:
    """Writers for all targets of one scene; `size` is (width, height) of every frame.

    `sound` is for the films among them that hold any.

    Leaving the block completes the movies; leaving it by an exception (Ctrl-C too) removes what is
    not whole. Stills are whole as soon as they are added. Raises `UsageError` before anything is
    written when `clobber` is False and a result exists.
    """
    if not clobber:
        refuse_existing(targets)
    with ExitStack() as stack:
        sinks = []
        for target in targets:
            sinks.append(_open(target, size, output, clobber, stdout, sound))
            stack.callback(sinks[-1].discard)
        outputs = Outputs(sinks, size)
        yield outputs
        outputs.finish()


def notes(
    targets: Sequence[Target],
    size: tuple[int, int],
    output: Output,
    photo: Photo | None = None,
) -> list[str]:
    """One sentence for each target whose format bends what was asked for, or what is in `photo`."""
    said = []
    even = tuple(side + side % 2 for side in size)
    for target in targets:
        if target.kind == "gif" and output.fps > MOST_FPS:
            said.append(f"{target.path()}: a GIF shows at most {MOST_FPS} frames a second")
        if target.kind in ("mp4", "webm") and even != size:
            said.append(
                f"{target.path()}: video takes even sizes only, so {size[0]}x{size[1]} becomes "
                f"{even[0]}x{even[1]} (the last row or column twice)"
            )
        said += _lost(target, photo)
        if target.kind != "stdout" and target.path().is_fifo():
            said.append(f"{target.path()} is a FIFO: the result waits there for a reader")
    return said


def may_wait(targets: Sequence[Target]) -> bool:
    """Whether adding one of several frames may wait for a reader: a FIFO stands at its name."""
    numbered = [target for target in targets if target.kind == "sequence"]
    return any(is_stream(status_of(p)) for target in numbered for _, p in standing(target))


def _lost(target: Target, photo: Photo | None) -> Iterator[str]:
    """What a target's format does not hold of the picture that is painted into."""
    if photo is None or target.format == "JSON":
        return
    if photo.has_alpha and (target.is_movie or target.format == "JPEG"):
        what = "the background's colour shows where the picture is transparent"
        yield f"{target.path()} holds no transparency: {what}"
    if photo.levels.dtype == np.uint16 and (target.is_movie or target.format != "PNG"):
        yield f"{target.path()} holds 8 bits of the picture's 16: a PNG keeps them"


class Outputs:
    """Hands every frame to all sinks and collects the paths of what is whole."""

    def __init__(self, sinks: Sequence[Sink], size: tuple[int, int]) -> None:
        self._sinks = sinks
        self._shapes = [(size[1], size[0], channels) for channels in (3, 4)]
        self._paths: list[str] = []
        self._finished = False

    @property
    def paths(self) -> tuple[str, ...]:
        """Results that are whole by now, in the order in which they became so."""
        return tuple(self._paths)

    def add(self, index: int, picture: Pixels | Photo, text: Mapping[str, str]) -> tuple[str, ...]:
        """Write frame `index` (from 0, in order) and return the paths that are whole now.

        `picture`: pixels (H, W, 3) uint8, or one that stills hold as it is, and movies as it looks.
        `text` goes into the text chunks of PNG and APNG (there the first frame's).
        """
        photo = picture if isinstance(picture, Photo) else Photo(picture)
        shape, kind = photo.levels.shape, photo.levels.dtype
        if shape not in self._shapes or kind not in (np.uint8, np.uint16):
            raise ValueError(f"frame of {shape} {kind}, not {self._shapes[0]} uint8")
        return self._note([p for sink in self._sinks for p in sink.add(index, photo, text)])

    def finish(self) -> tuple[str, ...]:
        """Complete the movies and return their paths; the second time does nothing."""
        if self._finished:
            return ()
        self._finished = True
        return self._note([p for sink in self._sinks for p in sink.finish()])

    def _note(self, paths: list[str]) -> tuple[str, ...]:
        self._paths += paths
        return tuple(paths)


def refuse_terminal(stream: IO[Any]) -> None:
    """Raise `UsageError` where a picture on `stream` would land on a terminal."""
    if stream.isatty():
        raise UsageError(
            "a PNG picture would fill the terminal with signs", "send it on: -o - > picture.png"
        )


def _open(
    target: Target,
    size: tuple[int, int],
    output: Output,
    clobber: bool,
    stdout: BinaryIO | None,
    sound: Sound | None,
) -> Sink:
    """The sink for one target."""
    if target.kind == "stdout":
        return _StdoutSink(stdout or sys.stdout.buffer, target.scene_file)
    if target.format == "JSON":
        return SidecarSink(target, clobber)
    if not target.is_movie:
        return _StillSink(target, output.quality, clobber)
    file = AtomicFile(target.path(), clobber=clobber)
    try:
        with sentences(file.path):
            movie = _movie(target, file, size, output, sound)
            if output.loop == "ping-pong":
                movie = ThereAndBack(movie, file.temporary.parent)
            return _MovieSink(file, movie, target.scene_file)
    except BaseException:
        file.discard()
        raise


def _movie(
    target: Target,
    file: AtomicFile,
    size: tuple[int, int],
    output: Output,
    sound: Sound | None,
) -> Movie:
    """The encoder for a movie's format, with its header written."""
    if target.kind == "gif":
        return GifMovie(file.stream, size, output)
    if target.kind == "apng":
        return ApngMovie(file.stream, size, output)
    if target.kind == "webp":
        return WebpMovie(file.stream, size, output)
    return VideoMovie(target.kind, file, size, output, sound)


class _StillSink:
    """A file for each frame, or for the only one."""

    def __init__(self, target: Target, quality: int, clobber: bool) -> None:
        self._target = target
        self._quality = quality
        self._clobber = clobber

    def add(self, index: int, photo: Photo, text: Mapping[str, str]) -> list[str]:
        target = self._target
        path = target.path(index)
        told = with_origin(text, target.scene_file, path)
        data = encode_still(photo, target.format, self._quality, told)
        write_whole(path, data, clobber=self._clobber, make_folder=target.makes_folder)
        return [str(path)]

    def finish(self) -> list[str]:
        return []

    def discard(self) -> None:
        pass


class _MovieSink:
    """One file for all frames."""

    def __init__(self, file: AtomicFile, movie: Movie, scene_file: str) -> None:
        self._file, self._scene_file = file, scene_file
        self._movie = movie
        self._empty = True

    def add(self, index: int, photo: Photo, text: Mapping[str, str]) -> list[str]:  # noqa: ARG002
        with sentences(self._file.path):
            self._movie.add(photo.seen, self._told(text))
        self._empty = False
        return []

    def finish(self) -> list[str]:
        if self._empty:  # no file is better than one without a picture
            self.discard()
            return []
        with sentences(self._file.path):
            self._movie.finish()
        self._file.commit()
        return [str(self._file.path)]

    def discard(self) -> None:
        self._movie.abort()
        self._file.discard()

    def _told(self, text: Mapping[str, str]) -> Mapping[str, str]:
        """The text of the first frame, which tells of the whole film; of others nothing is kept."""
        return with_origin(text, self._scene_file, self._file.path) if self._empty else text


class _StdoutSink:
    """One PNG on standard output; gives no path. It tells where its scene lies from here."""

    def __init__(self, stream: BinaryIO, scene_file: str) -> None:
        refuse_terminal(stream)
        self._stream, self._scene_file = stream, scene_file

    def add(self, index: int, photo: Photo, text: Mapping[str, str]) -> list[str]:  # noqa: ARG002
        told = with_origin(text, self._scene_file, Path("stdout.png"))
        with sentences("stdout"):
            self._stream.write(encode_still(photo, "PNG", 100, told))
            self._stream.flush()
        return []

    def finish(self) -> list[str]:
        return []

    def discard(self) -> None:
        pass
