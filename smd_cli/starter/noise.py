"""Fields of noise and of colours, which materials are made of."""

import numpy as np
import numpy.typing as npt
from PIL import Image

Picture = npt.NDArray[np.float32]


Field = npt.NDArray[np.float32]


Colour = tuple[float, float, float]


Rng = np.random.Generator


def as_floats(image: Image.Image) -> Picture:
    """A picture's levels 0..255 as float32 in [0, 1]."""
    levels: Picture = np.asarray(image, dtype=np.float32) / np.float32(255)
    return levels


def smooth_noise(rng: Rng, height: int, width: int, grain_px: tuple[float, float]) -> Field:
    """Smooth noise of mean 0 and std about 1, with blobs of `grain_px` (down, across)."""
    cells = [
        max(int(np.ceil(n / g)), 1) + 3 for n, g in zip((height, width), grain_px, strict=True)
    ]
    coarse = Image.fromarray(rng.standard_normal(cells).astype(np.float32))
    box = (1.0, 1.0, 1.0 + width / grain_px[1], 1.0 + height / grain_px[0])
    fine = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC, box=box))
    noise: Field = fine * np.float32(1.4)
    return noise


def cloud_noise(rng: Rng, height: int, width: int, grain_px: float, octaves: int) -> Field:
    """Fractal noise of std about 1: each octave has half the grain and 0.55 of the weight."""
    total: Field = np.zeros((height, width), dtype=np.float32)
    for k in range(octaves):
        grain = grain_px / 2**k
        total += np.float32(0.55**k) * smooth_noise(rng, height, width, (grain, grain))
    total /= np.float32(np.sqrt(sum(0.55 ** (2 * k) for k in range(octaves))))
    return total


def blend(low: Colour, high: Colour, amount: Field) -> Picture:
    """Mix two colours (0..255) by an amount in 0..1, clipped, of shape (height, width)."""
    share = np.clip(amount, 0.0, 1.0)[..., None]
    ends = np.asarray((low, high), dtype=np.float32) / np.float32(255)
    mixed: Picture = ((1 - share) * ends[0] + share * ends[1]).astype(np.float32)
    return mixed


def luma(rgb: Picture) -> Field:
    """The brightness of colours (..., 3) in [0, 1] by Rec. 601 weights, of shape (...)."""
    return np.asarray(rgb @ np.asarray((0.299, 0.587, 0.114), dtype=np.float32))
