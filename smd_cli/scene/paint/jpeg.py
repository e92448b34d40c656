"""JPEGs that were cut in or before their end marker and lack nothing else."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator

import numpy as np
from PIL import Image

_END = b"\xff\xd9"
_SCAN, _COEFFICIENTS = 0xDA, 64
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length: TEM, RST, SOI
# What might have followed where the data breaks off: between them, any two bits first. They are
# longer than the ten blocks of a last unit of which most lies outside the picture.
_TAILS = tuple(bits * 4096 for bits in (b"\0", b"\x55", b"\xaa", b"\xff\0"))


def with_end(data: bytes) -> bytes | None:
    """The JPEG with an end marker; None where its image data are cut.

    They are whole where every scan is there and the pixels are the same whatever bits follow.
    """
    whole = data.removesuffix(b"\xff")
    if not _has_all_scans(whole):
        return None
    seen = {_pixels(whole + tail + _END) for tail in (b"", *_TAILS)}
    return whole + _END if len(seen) == 1 and None not in seen else None


def _pixels(data: bytes) -> bytes | None:
    """What tells a JPEG's pixels from others; None where they cannot be decoded."""
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as picture:
            return hashlib.sha256(np.asarray(picture).tobytes()).digest()
    except Exception:  # decoders raise anything on damaged data
        return None


def _has_all_scans(data: bytes) -> bool:
    """Whether the scans give all bits of all coefficients of all components.

    A progressive JPEG that ends between two scans would show a coarse picture (ITU-T T.81, G.1).
    """
    missing: dict[int, set[int]] = {}
    for kind, body in _segments(data):
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC) and len(body) > 5:
            missing = {number: set(range(_COEFFICIENTS)) for number in body[6::3][: body[5]]}
        elif kind == _SCAN and body and len(body) >= 4 + 2 * body[0]:
            first, last, bits = body[1 + 2 * body[0] :][:3]
            for component in body[1 : 1 + 2 * body[0] : 2]:
                if bits & 15 == 0:  # none is left for a later scan
                    missing.get(component, set()).difference_update(range(first, last + 1))
    return bool(missing) and not any(missing.values())


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Every marker with what its segment holds; the coded bits of scans are passed over."""
    at = 0
    while 0 <= (at := data.find(b"\xff", at)) < len(data) - 3:
        kind = data[at + 1]
        if kind in _ALONE or kind in (0x00, 0xFF):
            at += 1 if kind == 0xFF else 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        yield kind, data[at + 4 : at + 2 + length]
        at += 2 + length
