"""Pictures that Pillow decodes, as colours and transparency."""

from __future__ import annotations

import contextlib
import io
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from smd_cli.scene.paint.deep import deep_samples
from smd_cli.scene.paint.errors import PictureError, Size, quote, unread
from smd_cli.scene.paint.jpeg import with_end
from smd_cli.scene.paint.pixels import Pixels
from smd_cli.scene.paint.silence import silent_decoders

_ORIENTATION, _PHOTOMETRIC, _EXTRA = 274, 262, 338  # tags of EXIF and TIFF
_WITH_ALPHA = ("LA", "RGBA", "PA", "La", "RGBa")


@dataclass(frozen=True, eq=False)
class PillowSource:
    """A picture that Pillow has opened."""

    picture: Image.Image
    written: str
    animated: bool = False

    @property
    def size(self) -> Size:
        """Width and height as stored; of a TIFF as Pillow turns it."""
        return self.picture.size

    @property
    def turn(self) -> int:
        """How EXIF says the picture is turned, 1..8; 1 for a TIFF, which Pillow turns itself."""
        with suppress(Exception):  # damaged EXIF data spoils no picture
            if self.picture.format != "TIFF":
                return int(self.picture.getexif().get(_ORIENTATION, 1))
        return 1

    @property
    def several(self) -> str:
        """What the file holds more than one of; a photo's second picture (MPO) counts not."""
        animated = self.animated
        with suppress(Exception):  # a damaged second frame spoils no first one
            animated |= bool(getattr(self.picture, "is_animated", False))
        if not animated or self.picture.format == "MPO":
            return ""
        return "pages" if self.picture.format == "TIFF" else "frames"

    def deep(self) -> npt.NDArray[np.uint16] | None:
        """The samples (H, W, 1..4) of a PNG of 16 bits, of which Pillow gives 8; to ask first."""
        return deep_samples(self.picture) if self.picture.format == "PNG" else None

    def load(self, wanted: Size, /) -> Pixels:
        """The first frame; a JPEG is scaled down while it is decoded."""
        picture = self.picture
        picture.draft(None, wanted)
        tags = dict(getattr(picture, "tag_v2", {}))
        self._refuse_lost_alpha(tags)
        with silent_decoders() if tags else contextlib.nullcontext():
            picture = _loaded(picture, wanted)
        profile = picture.info.get("icc_profile") or b""
        if picture.mode.startswith("I") or picture.mode == "F":
            return self._deep(picture, tags, profile)
        if "transparency" not in picture.info and picture.mode not in _WITH_ALPHA:
            return Pixels(picture, profile=profile)
        keyed = "transparency" in picture.info or picture.mode not in ("LA", "RGBA")
        whole = picture.convert("RGBA") if keyed else picture
        colours = whole.convert("L" if whole.mode == "LA" else "RGB")
        return Pixels(colours, whole.getchannel("A"), profile=profile)

    def _refuse_lost_alpha(self, tags: dict[int, object]) -> None:
        """Raise for a TIFF whose transparency Pillow would drop without a word."""
        if _EXTRA in tags and self.picture.mode not in _WITH_ALPHA:
            raise unread(self.written, "holds a channel beside its colours packed in a way")

    def _deep(self, picture: Image.Image, tags: dict[int, object], profile: bytes) -> Pixels:
        """A grey picture of 16 or 32 bits a pixel in mode F, its full range being 0..1."""
        stored = np.asarray(picture)
        values = stored.astype(np.float32) / np.float32(_full_range(picture.mode, tags))
        if not (np.isfinite(values).all() and values.min() > -0.5 and values.max() < 1.5):
            raise PictureError(
                f"{quote(self.written)} holds floating-point values outside 0..1",
                "0 is unpainted and 1 is painted",
            )
        values = np.clip(values, 0, 1)
        deep = Image.fromarray(1 - values if tags.get(_PHOTOMETRIC) == 0 else values)
        key = picture.info.get("transparency")
        if key is None:
            return Pixels(deep, profile=profile)
        clear = Image.fromarray((stored != key).astype(np.uint8) * 255)
        return Pixels(deep, clear, profile=profile)


def _loaded(picture: Image.Image, wanted: Size) -> Image.Image:
    """The picture, decoded; a JPEG that lacks its end marker alone is taken as whole."""
    file = getattr(picture, "fp", None)
    try:
        picture.load()
    except OSError:
        if picture.format != "JPEG" or file is None:
            raise
        file.seek(0)
        ended = with_end(file.read())
        if ended is None:
            raise
        picture = Image.open(io.BytesIO(ended), formats=["JPEG"])
        picture.draft(None, wanted)
        picture.load()
    return picture


def _full_range(mode: str, tags: dict[int, object]) -> float:
    """The value that means white in a picture of mode I;16, I or F."""
    if mode == "F":
        return 1.0
    bits, kinds = tags.get(258, (16,)), tags.get(339, (1,))
    depth = int(bits[0]) if isinstance(bits, tuple) else 16
    signed = (isinstance(kinds, tuple) and kinds[0] == 2) or depth == 32  # Pillow reads 32 so
    return float(2 ** (depth - 1) - 1 if signed else 2**depth - 1)
