"""Writers of documents of layers, as their programs lay them out: OpenRaster, Krita, Photoshop."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
from picture_files import Values, packbits
from PIL import Image

Size = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Mask:
    """A layer's mask (h, w) at (x, y), and the level around it."""

    levels: Values
    corner: Size = (0, 0)
    around: int = 0
    enabled: bool = True


@dataclass(frozen=True, eq=False)
class Paint:
    """A layer (h, w, 4) at (x, y); `opaque`: without a channel of alpha, where those can be."""

    name: str
    pixels: Values
    corner: Size = (0, 0)
    opacity: int = 255
    visible: bool = True
    mask: Mask | None = None
    opaque: bool = False


@dataclass(frozen=True, eq=False)
class Folder:
    """A group; `layers` from the top down."""

    name: str
    layers: Sequence[Paint | Folder]
    opacity: int = 255
    visible: bool = True
    mask: Mask | None = None


Item = Paint | Folder


def soft_shape(height: int = 90, width: int = 120) -> Values:
    """A blob with a soft edge, 0..255, that touches no edge."""
    y, x = np.mgrid[:height, :width]
    far = np.hypot((x - width * 0.45) / 2, y - height * 0.6) + 3 * np.sin(x / 7)
    levels: Values = np.clip((20 - far) * 40 + 128, 0, 255).astype(np.uint8)
    return levels


def painted(alpha: Values, colour: Sequence[int] = (200, 90, 30)) -> Values:
    """A layer (h, w, 4) of one colour."""
    return np.dstack([np.full_like(alpha, c) for c in colour] + [alpha])


def cropped(pixels: Values) -> tuple[Values, Size]:
    """A layer without its transparent border, and where it lies."""
    rows, columns = (np.flatnonzero(pixels[..., 3].any(axis=axis)) for axis in (1, 0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return pixels[box], (int(columns[0]), int(rows[0]))


def placed(pixels: Values, corner: Size, size: Size, around: int = 0) -> Values:
    """An array at (x, y) on a document, pixel by pixel."""
    whole = np.full((size[1], size[0], *pixels.shape[2:]), around, np.uint8)
    for y, row in enumerate(pixels, start=corner[1]):
        if 0 <= y < size[1]:
            first, last = max(corner[0], 0), min(corner[0] + len(row), size[0])
            whole[y, first:last] = row[first - corner[0] : last - corner[0]]
    return whole


# OpenRaster


def ora(path: Path, size: Size, layers: Sequence[Item], *, merged: bool = True) -> Path:
    """Write an OpenRaster file as GIMP does: cropped layers with their place."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("mimetype"), "image/openraster")
        body = "".join(_ora_parts(archive, layers, iter(range(999))))
        head = f'<image version="0.0.3" w="{size[0]}" h="{size[1]}"><stack>'
        archive.writestr("stack.xml", f"<?xml version='1.0'?>\n{head}{body}</stack></image>")
        if merged:
            archive.writestr("mergedimage.png", _png(_merged(size, layers)))
    return path


def _ora_parts(
    archive: zipfile.ZipFile, layers: Sequence[Item], numbers: Iterator[int]
) -> Iterator[str]:
    for one in layers:
        seen = "visible" if one.visible else "hidden"
        about = f'name={quoteattr(one.name)} opacity="{one.opacity / 255!r}" visibility="{seen}"'
        if isinstance(one, Folder):
            inside = "".join(_ora_parts(archive, one.layers, numbers))
            yield f'<stack {about} isolation="isolate">{inside}</stack>'
            continue
        source = f"data/{next(numbers):03}.png"
        archive.writestr(source, _png(one.pixels))
        yield f'<layer {about} src="{source}" x="{one.corner[0]}" y="{one.corner[1]}"/>'


def _png(pixels: Values) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def _merged(size: Size, layers: Sequence[Item]) -> Values:
    """What visible layers make, of those that are no groups: a stand-in for the real picture."""
    whole = Image.new("RGBA", size)
    for one in reversed(layers):
        if isinstance(one, Paint) and one.visible:
            whole.alpha_composite(Image.fromarray(placed(one.pixels, one.corner, size)))
    return np.asarray(whole)


# Krita

TILE = 64


@dataclass
class _Kra:
    archive: zipfile.ZipFile
    size: Size
    space: str
    shift: Size
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(2, 999)))


def kra(
    path: Path,
    size: Size,
    layers: Sequence[Item],
    *,
    space: str = "RGBA",
    shift: Size = (0, 0),
    extra: str = "",
    merged: bool = True,
) -> Path:
    """Write a Krita file: `shift` is the x and y of every layer, `extra` more of its masks."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("mimetype"), "application/x-krita")
        body = "".join(_kra_parts(_Kra(archive, size, space, shift), layers, extra))
        doctype = "<!DOCTYPE DOC PUBLIC '-//KDE//DTD krita 2.0//EN' 'http://x/krita-2.0.dtd'>"
        image = f'name="Un titled" width="{size[0]}" height="{size[1]}" colorspacename="{space}"'
        archive.writestr(
            "maindoc.xml",
            f'<?xml version="1.0" encoding="UTF-8"?>\n{doctype}\n'
            f'<DOC xmlns="http://www.calligra.org/DTD/krita" syntaxVersion="2.0">'
            f"<IMAGE {image}><layers>{body}</layers><animation/></IMAGE></DOC>",
        )
        if merged:
            archive.writestr("mergedimage.png", _png(_merged(size, layers)))
    return path


def _kra_parts(to: _Kra, layers: Sequence[Item], extra: str) -> Iterator[str]:
    for one in layers:
        name, (x, y) = f"layer{next(to.numbers)}", to.shift
        about = f'name={quoteattr(one.name)} opacity="{one.opacity}" filename="{name}" '
        about += f'visible="{int(one.visible)}" x="{x}" y="{y}" colorspacename="{to.space}"'
        masks = _kra_mask(to, one.mask) if one.mask else ""
        masks = f"<masks>{masks}{extra}</masks>" if masks or extra else ""
        if isinstance(one, Folder):
            inside = "".join(_kra_parts(to, one.layers, extra))
            yield f'<layer nodetype="grouplayer" {about}>{masks}<layers>{inside}</layers></layer>'
            continue
        at = f"Un titled/layers/{name}"
        corner = (one.corner[0] - x, one.corner[1] - y)
        to.archive.writestr(at, tiles(_krita_order(one.pixels, to.space), corner))
        to.archive.writestr(f"{at}.defaultpixel", bytes(_pixel_bytes(to.space)))
        yield f'<layer nodetype="paintlayer" {about}>{masks}</layer>'


def _kra_mask(to: _Kra, mask: Mask) -> str:
    name = f"mask{next(to.numbers)}"
    at = f"Un titled/layers/{name}.pixelselection"
    whole = placed(mask.levels, mask.corner, to.size, mask.around)
    to.archive.writestr(at, tiles(whole[..., None], (0, 0)))
    to.archive.writestr(f"{at}.defaultpixel", bytes([mask.around]))
    seen = int(mask.enabled)
    about = f'filename="{name}" visible="{seen}" x="0" y="0"'
    return f'<mask nodetype="transparencymask" name="m" {about}/>'


def _pixel_bytes(space: str) -> int:
    return (4 if space.startswith("RGBA") else 2) * (2 if "16" in space else 1)


def _krita_order(pixels: Values, space: str) -> Values:
    """A layer's bytes (h, w, bytes): blue, green, red, alpha, or grey and alpha, little-endian."""
    order = [2, 1, 0, 3] if space.startswith("RGBA") else [0, 3]
    values = pixels[..., order]
    if "16" not in space:
        return values
    deep = (values.astype(np.uint16) * 257).astype("<u2")
    return np.ascontiguousarray(deep).view(np.uint8).reshape(*deep.shape[:2], -1)


def tiles(stored: Values, corner: Size) -> bytes:
    """A Krita layer's file: tiles on a grid of 64 px, every third of them raw."""
    height, width, pixel = stored.shape
    found: list[bytes] = []
    for top in range(corner[1] // TILE * TILE, corner[1] + height, TILE):
        for left in range(corner[0] // TILE * TILE, corner[0] + width, TILE):
            tile = placed(stored, (corner[0] - left, corner[1] - top), (TILE, TILE))
            packed = b"\1" + lzf(tile.transpose(2, 0, 1).tobytes())
            if len(found) % 3 == 2 or len(packed) > tile.size:
                packed = b"\0" + tile.tobytes()
            found.append(f"{left},{top},LZF,{len(packed)}\n".encode() + packed)
    head = f"VERSION 2\nTILEWIDTH {TILE}\nTILEHEIGHT {TILE}\nPIXELSIZE {pixel}\nDATA {len(found)}\n"
    return head.encode() + b"".join(found)


def lzf(data: bytes) -> bytes:
    """LZF, greedy: the last place of the same three bytes is copied from."""
    out, literal, at = bytearray(), bytearray(), 0
    seen: dict[bytes, int] = {}

    def flush() -> None:
        while literal:
            run = bytes(literal[:32])
            out.append(len(run) - 1)
            out.extend(run)
            del literal[: len(run)]

    while at < len(data):
        key = data[at : at + 3]
        found = seen.get(key, -1)
        seen[key] = at
        count = 0
        if found >= 0 and at - found <= 8192 and len(key) == 3:
            most = min(264, len(data) - at)
            while count < most and data[found + count] == data[at + count]:
                count += 1
        if count < 3:
            literal.append(data[at])
            at += 1
            continue
        flush()
        back = at - found - 1
        length = count - 2
        if length < 7:
            out += bytes([length << 5 | back >> 8, back & 255])
        else:
            out += bytes([7 << 5 | back >> 8, length - 7, back & 255])
        at += count
    flush()
    return bytes(out)


# Photoshop

_MODES = {"RGB": (3, 3), "grey": (1, 1), "CMYK": (4, 4)}


@dataclass(frozen=True)
class Psd:
    """How a PSD is written: `packing` 0 raw, 1 PackBits, 2 zip, 3 zip of differences."""

    mode: str = "RGB"
    depth: int = 8
    packing: int = 1
    wide: bool = False

    @property
    def long(self) -> str:
        return ">Q" if self.wide else ">I"


def psd_layers(path: Path, size: Size, layers: Sequence[Item], how: Psd = Psd()) -> Path:
    """Write a PSD of layers as Photoshop does; of 16 bits they stand in a block of their own."""
    records, data, count = b"", b"", 0
    for record, channels in _psd_parts(layers, how):
        records, data, count = record + records, b"".join(channels) + data, count + 1
    info = struct.pack(">h", -count) + records + data
    info += bytes(-len(info) % 4)
    if how.depth == 16:
        length = struct.pack(how.long, len(info))
        section = struct.pack(how.long, 0) + bytes(4) + b"8BIMLr16" + length + info
    else:
        section = struct.pack(how.long, len(info)) + info + bytes(4)
    number, colours = _MODES[how.mode]
    merged = _planes(_merged(size, layers), how, opaque=False)
    head = b"8BPS" + struct.pack(
        ">H6xHIIHH", 2 if how.wide else 1, colours + 1, size[1], size[0], how.depth, number
    )
    whole = b"\0\0" + b"".join(_deep(plane, how.depth) for _, plane in merged)
    body = bytes(8) + struct.pack(how.long, len(section)) + section + whole
    path.write_bytes(head + body)
    return path


def _psd_parts(layers: Sequence[Item], how: Psd) -> Iterator[tuple[bytes, list[bytes]]]:
    """Records with their channels, from the top down."""
    for one in layers:
        if isinstance(one, Paint):
            yield _psd_layer(one, how, _planes(one.pixels, how, one.opaque), b"")
            continue
        nothing = np.zeros((0, 0, 4), np.uint8)
        empty = Paint(one.name, nothing, (0, 0), one.opacity, one.visible, one.mask)
        yield _psd_layer(empty, how, _planes(nothing, how, False), _block(b"lsct", b"\0\0\0\1"))
        yield from _psd_parts(one.layers, how)
        end = replace(empty, name="</Layer group>", opacity=255, visible=True, mask=None)
        divider = _block(b"lsct", b"\0\0\0\3")
        yield _psd_layer(end, how, _planes(nothing, how, False), divider)


def _psd_layer(
    one: Paint, how: Psd, planes: list[tuple[int, Values]], blocks: bytes
) -> tuple[bytes, list[bytes]]:
    (x, y), (height, width) = one.corner, one.pixels.shape[:2]
    mask = b""
    if one.mask is not None:
        (left, top), (high, wide) = one.mask.corner, one.mask.levels.shape
        box = struct.pack(">4i", top, left, top + high, left + wide)
        mask = box + bytes([one.mask.around, 0 if one.mask.enabled else 2, 0, 0])
        planes = [*planes, (-2, one.mask.levels)]
    channels = [_packed(plane, how) for _, plane in planes]
    record = struct.pack(">4iH", y, x, y + height, x + width, len(planes))
    for (kind, _), data in zip(planes, channels, strict=True):
        record += struct.pack(">hQ" if how.wide else ">hI", kind, len(data))
    flags = 8 | (0 if one.visible else 2)
    record += b"8BIMnorm" + bytes([one.opacity, 0, flags, 0])
    short = one.name.encode("mac_roman", "replace")[:31]
    pascal = bytes([len(short)]) + short
    pascal += bytes(-len(pascal) % 4)
    name = one.name.encode("utf-16-be")
    wide_name = struct.pack(">I", len(name) // 2) + name
    extra = struct.pack(">I", len(mask)) + mask + bytes(4) + pascal
    extra += _block(b"luni", wide_name + bytes(-len(wide_name) % 4)) + blocks
    return record + struct.pack(">I", len(extra)) + extra, channels


def _block(key: bytes, data: bytes) -> bytes:
    return b"8BIM" + key + struct.pack(">I", len(data)) + data


def _planes(pixels: Values, how: Psd, opaque: bool) -> list[tuple[int, Values]]:
    """A layer's channels by number, alpha first as Photoshop has it in layers."""
    red, green, blue, alpha = (pixels[..., n] for n in range(4))
    if how.mode == "CMYK":  # 255 is no ink
        colours = [red, green, blue, np.full_like(red, 255)]
    else:
        colours = [red, green, blue] if how.mode == "RGB" else [red]
    numbered = list(enumerate(colours))
    return numbered if opaque else [*numbered, (-1, alpha)]


def _deep(plane: Values, depth: int) -> bytes:
    if depth == 16:
        return (plane.astype(np.uint16) * 257).astype(">u2").tobytes()
    return plane.astype(np.uint8).tobytes()


def _packed(plane: Values, how: Psd) -> bytes:
    head = struct.pack(">H", how.packing)
    if how.packing == 1:
        rows = [packbits(_deep(row, how.depth)) for row in plane]
        return head + b"".join(
            [struct.pack(">I" if how.wide else ">H", len(row)) for row in rows] + rows
        )
    if how.packing == 3 and plane.size:
        kind, scale = (np.uint16, 257) if how.depth == 16 else (np.uint8, 1)
        values = plane.astype(kind) * kind(scale)
        steps = np.diff(values, axis=1, prepend=np.zeros((len(values), 1), kind))
        return head + zlib.compress(steps.astype(">u2" if how.depth == 16 else "u1").tobytes())
    data = _deep(plane, how.depth)
    return head + (zlib.compress(data) if how.packing > 1 else data)
