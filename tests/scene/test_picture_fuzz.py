"""Mutated pictures of every format: read, or refused in a sentence, quickly and silently."""

from __future__ import annotations

import io
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from dense import dense
from picture_files import mask_of, psd, tiff
from PIL import Image, features

from smd_cli.scene.paint.photo import read_photo
from smd_cli.scene.paint.pictures import PictureError, picture_size, read_mask

SIZE = (24, 16)
CASES = 340


def seeds(folder: Path) -> dict[str, bytes]:
    """A small whole picture of every kind by the name of its file."""
    noise = np.random.default_rng(0).integers(0, 256, (16, 24), dtype=np.uint8)
    planes = [noise, noise, noise, mask_of()]
    picture = Image.fromarray(np.stack(planes, axis=-1))
    found = {}
    for name in ("a.png", "b.gif", "c.webp", "d.tif", "e.tga", "f.jp2", "g.avif"):
        if features.check({".avif": "avif", ".jp2": "jpg_2000"}.get(Path(name).suffix, "zlib")):
            found[name] = encoded(picture, name)
    for name in ("h.jpg", "i.bmp", "j.ppm"):
        found[name] = encoded(picture.convert("RGB"), name)
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"):
        found[f"{compression}.tif"] = encoded(picture.convert("RGB"), "k.tif", compression)
    for packed in (False, True):
        found[f"{packed}.psd"] = psd(folder / "x", planes, 3, packed=packed, layers=-1).read_bytes()
    samples = np.stack(planes, axis=-1)
    for tile in (0, 16):
        path = tiff(folder / "x", samples, 2, extra=(2,), deflate=True, predictor=2, tile=tile)
        found[f"{tile}.tif"] = path.read_bytes()
    return found


def encoded(picture: Image.Image, name: str, compression: str | None = None) -> bytes:
    file = io.BytesIO()
    kind = Image.registered_extensions()[Path(name).suffix]
    picture.save(file, kind, **({"compression": compression} if compression else {}))
    return file.getvalue()


def mutated(random: np.random.Generator, whole: bytes) -> bytes:
    """A few bytes changed, cut out, doubled or lost at the end; most of them near the header."""
    data = bytearray(whole)
    reach = min(len(data), int(random.choice([64, 256, len(data)])))
    for at in random.integers(0, reach, int(random.integers(1, 6))):
        kind = random.integers(0, 5)
        if kind == 0:
            del data[at : at + int(random.integers(1, 9))]
        elif kind == 1:
            data[at:at] = data[at : at + int(random.integers(1, 40))]
        elif kind == 2:
            data[at : at + 4] = random.choice([0, 1, 127, 255], 4).astype(np.uint8).tobytes()
        else:
            data[at % len(data)] = int(random.integers(0, 256))
        if len(data) < 16:
            break
    return bytes(data[: int(random.integers(8, len(data)))] if random.random() < 0.1 else data)


def sentence(read: Callable[[Path], object], path: Path) -> str:
    """What is told of a picture that is refused, or an empty text."""
    try:
        read(path)
    except PictureError as wrong:
        return str(wrong)
    return ""


@pytest.mark.slow
def test_no_mutation_of_a_picture_gets_through_as_anything_but_a_sentence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(16)
    whole = seeds(tmp_path)
    refused = 0
    for case in range(CASES):
        name = list(whole)[case % len(whole)]
        path = tmp_path / name
        path.write_bytes(mutated(random, whole[name]))
        started = time.process_time()
        tracemalloc.start()
        for read in (
            lambda p: picture_size(p, p.name),
            lambda p: dense(read_mask(p, p.name, SIZE, fit="stretch").paint),
            lambda p: read_photo(p, p.name, SIZE).seen,
        ):
            told = sentence(read, path)
            assert not told or told.startswith(f"error: {name!r} "), (case, told)
            assert len(told) < 400
            refused += bool(told)
        assert tracemalloc.get_traced_memory()[1] < 500e6, case
        tracemalloc.stop()
        assert time.process_time() - started < 2, case
    assert 0.1 < refused / (3 * CASES) < 0.9
    assert capfd.readouterr() == ("", "")
