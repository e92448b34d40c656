"""Movies are streamed: 290 more frames than ten leave nothing behind in memory."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from io import BytesIO
from typing import BinaryIO

import numpy as np
import pytest
from PIL import Image

from smd_cli.output.apng import ApngMovie
from smd_cli.output.gif import GifMovie
from smd_cli.output.ping_pong import Movie
from smd_cli.output.webp import WebpMovie
from smd_cli.scene.types import Output

FRAME_BYTES = 64 * 64 * 3


def held() -> tuple[int, int]:
    """Bytes that Python knows of, and living Pillow images (whose pixels it does not count)."""
    gc.collect()
    images = sum(issubclass(type(thing), Image.Image) for thing in gc.get_objects())
    return tracemalloc.get_traced_memory()[0], images


@pytest.mark.parametrize("opened", [GifMovie, ApngMovie, WebpMovie])
@pytest.mark.slow
def test_memory_stays_flat(
    opened: Callable[[BinaryIO, tuple[int, int], Output], Movie],
) -> None:
    stream = BytesIO()
    movie = opened(stream, (64, 64), Output())
    tracemalloc.start()
    try:
        for k in range(300):
            movie.add(np.full((64, 64, 3), k % 256, np.uint8), {})
            stream.seek(0)
            stream.truncate()
            if k == 10:
                before = held()
        after = held()
    finally:
        tracemalloc.stop()
    assert after[0] - before[0] < 4 * FRAME_BYTES
    assert after[1] == before[1]
