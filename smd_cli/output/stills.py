"""Single pictures as bytes. The same pixels and text give the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from smd_cli.output.targets import Format

Pixels = npt.NDArray[np.uint8]
FULL_CHROMA_QUALITY = 90


def encode_still(
    pixels: Pixels, file_format: Format, quality: int, text: Mapping[str, str]
) -> bytes:
    """Encode (H, W, 3) uint8 as PNG, JPEG or WebP; `quality` 1..100 for the latter two.

    PNG carries `text` as text chunks. JPEG keeps full colour resolution (4:4:4) from quality 90.
    """
    options: dict[str, Any] = {"quality": quality}
    if file_format == "PNG":
        options = {"pnginfo": text_chunks(text)}
    elif file_format == "JPEG":
        options |= {"subsampling": 0 if quality >= FULL_CHROMA_QUALITY else 2, "optimize": True}
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, file_format, **options)
    return stream.getvalue()


def text_chunks(text: Mapping[str, str]) -> PngInfo:
    """Pillow's form: tEXt for plain ASCII, iTXt (UTF-8) for everything else."""
    info = PngInfo()
    for key, value in text.items():
        (info.add_text if value.isascii() else info.add_itxt)(key, value)
    return info
