"""Where paint comes from: picture files and shapes, each made once while it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from smd_cli.scene.kept import Kept
from smd_cli.scene.paint.boxes import Paint
from smd_cli.scene.paint.colours import ColourMap, read_map
from smd_cli.scene.paint.errors import Note, Size
from smd_cli.scene.paint.photo import Photo, read_photo
from smd_cli.scene.paint.pictures import MaskImage, mask_of, picture_size, read_mask
from smd_cli.scene.paint.shapes import draw_shape
from smd_cli.scene.types import Background, EllipseMask, ImageMask, PolygonMask, RectMask


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

    @contextmanager
    def round(self, contents: Contents) -> Iterator[None]:
        """Paint a scene within this, from these files; where it fails, what was kept stays."""
        self._contents = contents
        try:
            with ExitStack() as rounds:
                for kept in (self._masks, self._same, self._maps, self._paints, self._photos):
                    rounds.enter_context(kept.round())
                yield
        finally:
            self._contents = {}

    def size(self, path: Path, written: str) -> Size:
        """Width and height of a picture as seen upright."""
        return picture_size(path, written, self._data(path))

    def mask(self, part: ImageMask, canvas: Size, slack_px: int) -> MaskImage:
        """The paint of an image, of a layer or of a colour of it, on the canvas: see `read_mask`.

        What a save of its file left as it was is the same object as before.
        """
        made_of = (part, canvas, slack_px)
        read = partial(self._read, part, canvas, slack_px)
        found = self._masks.of((made_of, self._digest(part.path)), read)
        return self._same.of((made_of, found.fingerprint), lambda: found)

    def _read(self, part: ImageMask, canvas: Size, slack_px: int) -> MaskImage:
        """A mask from its file; the colours of one are decoded once for all its brushes."""
        path, written, content = part.path, part.written, self._data(part.path)
        if part.color is not None:
            kind = (path, part.layer, self._digest(path))
            painted = self._maps.of(kind, lambda: read_map(path, written, content, part.layer))
            return mask_of(
                painted.of(part.color, part.tolerance),
                written,
                canvas,
                channel="luma",
                invert=part.invert,
                fit=part.fit,
                at=part.at,
                slack_px=slack_px,
            )
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
        self, below: Background, path: Path, canvas: Size, slack_px: int
    ) -> tuple[Photo, tuple[Note, ...]]:
        """The background's picture on the canvas, with what is hardly meant: see `read_photo`."""

        def read() -> tuple[Photo, tuple[Note, ...]]:
            notes: list[Note] = []
            found = read_photo(
                path,
                below.image_written,
                canvas,
                under=below.color,
                fit=below.fit,
                slack_px=slack_px,
                tell=notes.append,
                content=self._data(path),
            )
            return found, tuple(notes)

        made_of = (path, below.image_written, below.color, below.fit)
        return self._photos.of((*made_of, self._digest(path), canvas, slack_px), read)

    def _data(self, path: Path) -> bytes | None:
        return self._contents[path].data if path in self._contents else None

    def _digest(self, path: Path) -> bytes | None:
        return self._contents[path].digest if path in self._contents else None
