"""LZF, the packing of Krita's tiles: runs of bytes as they are, and copies of what came before.

Format: LibLZF by Marc Lehmann.
"""

from __future__ import annotations


def unpacked(data: bytes, length: int) -> bytes:
    """The `length` bytes that were packed. Raises ValueError for anything else."""
    out = bytearray()
    at, end = 0, len(data)
    while at < end and len(out) < length:
        control = data[at]
        at += 1
        if control < 32:
            out += data[at : at + control + 1]
            at += control + 1
            continue
        count = control >> 5
        if count == 7:
            count += data[at]
            at += 1
        back = ((control & 31) << 8) + data[at] + 1
        at += 1
        _copy(out, back, count + 2)
    if len(out) != length:
        raise ValueError("a tile of another length")
    return bytes(out)


def _copy(out: bytearray, back: int, count: int) -> None:
    """Append `count` bytes from `back` bytes before the end; they may run into themselves."""
    start = len(out) - back
    if start < 0:
        raise ValueError("a copy from before the beginning")
    piece = out[start : start + count]
    whole, rest = divmod(count, len(piece))
    out += piece * whole + piece[:rest]
