"""Where paint comes from: picture files and shapes, each made once while it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from smd_cli.scene.kept import Kept
from smd_cli.scene.paint.boxes import Paint
from smd_cli.scene.paint.colours import ColourMap, map_of, read_map
from smd_cli.scene.paint.errors import Note, Size
from smd_cli.scene.paint.opening import no_layers
from smd_cli.scene.paint.photo import Photo, photo_of, read_photo
from smd_cli.scene.paint.pictures import MaskImage, mask_of, picture_size, read_mask
from smd_cli.scene.paint.pixels import Source
from smd_cli.scene.paint.reel import Reel
from smd_cli.scene.paint.reels import fingerprint, reel_of, stays_on_disk
from smd_cli.scene.paint.shapes import draw_shape
from smd_cli.scene.types import (
    Background,
    Channel,
    EllipseMask,
    ImageMask,
    PolygonMask,
    RectMask,
)


@dataclass(frozen=True)
class FileContent:
    """What is in a file: its bytes, and a digest by which they are known again."""

    data: bytes
    digest: bytes


Contents = Mapping[Path, FileContent]
"""Files that have been read; all others are read from the disk when they are needed."""


class PaintSource:
    """Masks, shapes and backgrounds by what they are made of.

    What is in a file is known by its digest: what did not change between two rounds is the same
    object in both, and no picture is decoded twice. Raises PictureError, as its readers do.
    """

    def __init__(self) -> None:
        self._contents: Contents = {}
        self._masks: Kept[MaskImage] = Kept()
        self._same: Kept[MaskImage] = Kept()
        self._maps: Kept[ColourMap] = Kept()
        self._paints: Kept[Paint] = Kept()
        self._photos: Kept[tuple[Photo, tuple[Note, ...]]] = Kept()
        self._reels: Kept[Reel | None] = Kept()
        masks = (self._masks, self._same, self._maps)
        self._all: tuple[Kept[Any], ...] = (*masks, self._paints, self._photos, self._reels)

    @contextmanager
    def round(self, contents: Contents) -> Iterator[None]:
        """Paint a scene within this, from these files; where it fails, what was kept stays."""
        self._contents = contents
        try:
            with ExitStack() as rounds:
                for kept in self._all:
                    rounds.enter_context(kept.round())
                yield
        finally:
            self._contents = {}

    def size(self, path: Path, written: str) -> Size:
        """Width and height of a picture, or of the first of a reel, as seen upright."""
        reel = self.reel(path, written) if stays_on_disk(path) else None
        return picture_size(path, written, self._data(path)) if reel is None else reel.size

    def reel(self, path: Path, written: str) -> Reel | None:
        """The film, animation or sequence behind a name; None where it is a single picture."""
        made_of = (path, self._digest(path))
        return self._reels.of(made_of, lambda: reel_of(path, written, self._data(path)))

    def mask(
        self, part: ImageMask, canvas: Size, slack_px: int, *, moving: bool = False
    ) -> MaskImage:
        """The paint of an image, of a layer or of a colour of it, on the canvas: see `read_mask`.

        Of a reel it is that of its first picture; `moving`: an animated file counts as a reel, too.
        What a save of its file left as it was is the same object as before.
        """
        made_of = (part, canvas, slack_px, moving)
        read = partial(self._read, part, canvas, slack_px, moving)
        found = self._masks.of((made_of, self._digest(part.path)), read)
        return self._same.of((made_of, found.fingerprint), lambda: found)

    def _read(self, part: ImageMask, canvas: Size, slack_px: int, moving: bool) -> MaskImage:
        """A mask from its file; the colours of one are decoded once for all its brushes."""
        path, written, content = part.path, part.written, self._data(part.path)
        reel = self._first_of(path, written, moving=moving)
        if reel is not None and part.layer is not None:
            raise no_layers(written)
        if reel is not None:
            with reel.opened(0) as source:
                return shown_mask(part, source, canvas, slack_px)
        if part.color is not None:
            kind = (path, part.layer, self._digest(path))
            colours = self._maps.of(kind, lambda: read_map(path, written, content, part.layer))
            painted = colours.of(part.color, part.tolerance)
            return _mask_of(part, painted, canvas, slack_px, "luma")
        return read_mask(
            path,
            written,
            canvas,
            channel=part.channel,
            invert=part.invert,
            fit=part.fit,
            at=part.at,
            slack_px=slack_px,
            content=content,
            layer=part.layer,
        )

    def shape(self, shape: RectMask | EllipseMask | PolygonMask, canvas: Size) -> Paint:
        """The paint of a shape on the canvas."""
        return self._paints.of((shape, canvas), lambda: draw_shape(shape, canvas))

    def joined(self, one: Paint, other: Paint) -> Paint:
        """The most of both."""
        return self._paints.of((one, other), lambda: one.joined(other))

    def photo(
        self, below: Background, path: Path, canvas: Size, slack_px: int, *, moving: bool = False
    ) -> tuple[Photo, tuple[Note, ...]]:
        """The background's picture on the canvas, of a reel the first, with what is hardly meant:
        see `read_photo`, and `mask`.
        """

        def read() -> tuple[Photo, tuple[Note, ...]]:
            reel = self._first_of(path, below.image_written, moving=moving)
            if reel is not None:
                with reel.opened(0) as source:
                    return shown_photo(below, source, canvas, slack_px)
            notes: list[Note] = []
            found = read_photo(
                path,
                below.image_written,
                canvas,
                under=below.color,
                fit=below.fit,
                profile=below.profile,
                slack_px=slack_px,
                tell=notes.append,
                content=self._data(path),
            )
            return found, tuple(notes)

        made_of = (path, below.image_written, below.color, below.fit, below.profile, moving)
        return self._photos.of((*made_of, self._digest(path), canvas, slack_px), read)

    def _first_of(self, path: Path, written: str, *, moving: bool) -> Reel | None:
        """The reel whose first picture is wanted; None where it is a single one."""
        return self.reel(path, written) if moving or stays_on_disk(path) else None

    def _data(self, path: Path) -> bytes | None:
        return self._contents[path].data if path in self._contents else None

    def _digest(self, path: Path) -> bytes | None:
        if stays_on_disk(path):
            return fingerprint(path)
        return self._contents[path].digest if path in self._contents else None


def shown_mask(
    part: ImageMask, source: Source, canvas: Size, slack_px: int, channel: Channel | None = None
) -> MaskImage:
    """What a picture of a mask's reel paints; by a `channel` that its first one was read by.

    A colour has to be in the first one alone.
    """
    later = channel is not None
    if part.color is None:
        return _mask_of(part, source, canvas, slack_px, channel or part.channel, opaque=later)
    colours = map_of(source, part.written)
    find = colours.where if later else colours.of
    painted = find(part.color, part.tolerance)
    return _mask_of(part, painted, canvas, slack_px, "luma")


def _mask_of(
    part: ImageMask,
    source: Source,
    canvas: Size,
    slack_px: int,
    channel: Channel | None,
    *,
    opaque: bool = False,
) -> MaskImage:
    return mask_of(
        source,
        part.written,
        canvas,
        channel=channel,
        invert=part.invert,
        fit=part.fit,
        at=part.at,
        slack_px=slack_px,
        opaque=opaque,
    )


def shown_photo(
    below: Background, source: Source, canvas: Size, slack_px: int
) -> tuple[Photo, tuple[Note, ...]]:
    """A picture of the background's reel on the canvas, with what is hardly meant."""
    written, under, fit = below.image_written, below.color, below.fit
    return photo_of(
        source, written, canvas, under=under, fit=fit, profile=below.profile, slack_px=slack_px
    )
