"""Single pictures as bytes. The same pixels and text give the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile
from PIL.PngImagePlugin import PngInfo

from smd_cli.output.deep import deep_png
from smd_cli.output.targets import Format
from smd_cli.scene.paint.photo import Photo

Pixels = npt.NDArray[np.uint8]
FULL_CHROMA_QUALITY = 90
LOSSLESS_QUALITY = 100  # of WebP


def encode_still(
    picture: Pixels | Photo, file_format: Format, quality: int, text: Mapping[str, str]
) -> bytes:
    """Encode a picture, or pixels (H, W, 3) uint8, as PNG, JPEG or WebP.

    `quality` 1..100 counts for the latter two; a WebP of 100 loses nothing. PNG carries `text` as
    text chunks, and 16 bits where the picture has them. JPEG keeps full colour resolution (4:4:4)
    from quality 90; what is transparent shows the colour under it there. A colour profile goes
    along.
    """
    photo = picture if isinstance(picture, Photo) else Photo(picture)
    if file_format == "JPEG" and photo.has_alpha:
        photo = Photo(photo.seen)
    if file_format == "PNG" and photo.levels.dtype == np.uint16:
        return deep_png(photo, text_chunks(text))
    options: dict[str, Any] = {"quality": quality}
    if file_format == "PNG":
        options = {"pnginfo": text_chunks(text)}
    elif file_format == "JPEG":
        options["subsampling"] = 0 if quality >= FULL_CHROMA_QUALITY else 2
    elif quality == LOSSLESS_QUALITY:
        options |= {"lossless": True, "exact": True}
    if photo.profile:
        options["icc_profile"] = photo.profile
    image = Image.fromarray(photo.in_8_bits)
    data = _saved(image, file_format, options)
    # Pillow gives an optimised JPEG one buffer, of a byte a pixel or two, and fails where it ends
    room = max(ImageFile.MAXBLOCK, image.width * image.height * (2 if quality >= 95 else 1))
    if file_format == "JPEG" and len(data) <= room:
        return _saved(image, file_format, {**options, "optimize": True})
    return data


def _saved(image: Image.Image, file_format: Format, options: Mapping[str, Any]) -> bytes:
    stream = BytesIO()
    image.save(stream, file_format, **options)
    return stream.getvalue()


def text_chunks(text: Mapping[str, str]) -> PngInfo:
    """Pillow's form: tEXt for plain ASCII, iTXt (UTF-8) for everything else."""
    info = PngInfo()
    for key, value in text.items():
        (info.add_text if value.isascii() else info.add_itxt)(key, value)
    return info
