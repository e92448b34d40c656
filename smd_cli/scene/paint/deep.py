"""PNG files of 16 bits a sample, of which Pillow gives the upper 8 where there are colours."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

# How Pillow unpacks such samples, and the modes that give their upper and their lower bytes.
_HALVES = {"RGB;16B": ("RGB", "RGB;16L"), "RGBA;16B": ("RGBA", "RGBA;16L")}
_GREY, _GREY_ALPHA = "I;16B", "LA;16B"


def deep_samples(picture: Image.Image) -> npt.NDArray[np.uint16] | None:
    """The samples (H, W, 1..4) of a PNG that has been opened, but not loaded; None of 8 bits."""
    file = picture.fp  # type: ignore[attr-defined]
    packed = picture.tile[0].args if picture.tile else None  # type: ignore[attr-defined]
    if packed not in (*_HALVES, _GREY, _GREY_ALPHA):
        return None
    data = file.getvalue()
    if packed == _GREY:
        return _unpacked(data, None)[..., None].astype(np.uint16)
    if packed == _GREY_ALPHA:  # four bytes a pixel, as those of eight-bit colours
        return _unpacked(data, ("RGBA", "RGBA")).view(">u2").astype(np.uint16)
    samples = _unpacked(data, None).astype(np.uint16)
    samples *= np.uint16(256)
    samples += _unpacked(data, _HALVES[packed])
    return samples


def _unpacked(data: bytes, how: tuple[str, str] | None) -> npt.NDArray[Any]:
    """The pixels of a PNG in a mode, unpacked so; None as Pillow does it."""
    with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
        if how is not None:
            picture._mode = how[0]
            picture.tile = [picture.tile[0]._replace(args=how[1])]
        return np.asarray(picture)
