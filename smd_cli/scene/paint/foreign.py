"""Files of other programs that are pictures, but none that smd reads: the way to a PNG."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from smd_cli.scene.paint.errors import PictureError, quote

_READ = "smd reads PNG, JPEG, WebP, TIFF, GIF, BMP, PNM, TGA, PSD, ORA, KRA, JPEG 2000 and AVIF"
_AVIF = "an AVIF picture"  # a damaged one, where Pillow reads AVIF
_HEAD = 512  # bytes looked at
# what it is, how it is known (bytes at a place, endings), the way to a PNG
_FOREIGN: tuple[tuple[str, tuple[tuple[int, bytes], ...], tuple[str, ...], str], ...] = (
    (
        "a GIMP document",
        ((0, b"gimp xcf"),),
        ("xcf",),
        "in GIMP: File > Export As; or as .ora, which keeps the layers",
    ),
    (
        "an HEIC photo",
        tuple((4, b"ftyp" + kind) for kind in (b"heic", b"heix", b"hevc", b"mif1", b"msf1")),
        ("heic", "heif"),
        "",
    ),
    (_AVIF, ((4, b"ftypavi"),), ("avif",), "this Pillow is built without it"),
    ("a JPEG XL picture", ((0, b"\xff\x0a"), (4, b"JXL ")), ("jxl",), ""),
    ("an OpenEXR picture", ((0, b"\x76\x2f\x31\x01"),), ("exr",), ""),
    (
        "a Clip Studio document",
        ((0, b"CSFCHUNK"),),
        ("clip", "lip"),
        "in Clip Studio: File > Export",
    ),
    ("a PDF document", ((0, b"%PDF"),), ("pdf", "ai"), ""),
    ("an Affinity document", ((0, b"\x00\xffKA"),), ("afphoto", "afdesign", "af"), ""),
    ("a PaintTool SAI document", (), ("sai", "sai2"), "in SAI: File > Export As"),
    ("a Procreate document", (), ("procreate",), "in Procreate: Share > PNG"),
    ("a Paint.NET document", ((0, b"PDN3"),), ("pdn",), "in Paint.NET: File > Save As"),
    ("a MediBang document", ((0, b"mdipack"),), ("mdp",), "in MediBang: File > Export"),
    ("a camera's raw photo", (), ("cr2", "cr3", "nef", "arw", "dng", "raf", "orf", "rw2"), ""),
)


def foreign_error(path: Path, written: str) -> PictureError:
    """The error of a file that no reader knows, which tells what it is where that can be seen."""
    head = b""
    with suppress(OSError), path.open("rb") as file:
        head = file.read(_HEAD)
    ending = path.suffix.lower().removeprefix(".")
    if ending in ("svg", "svgz"):
        return PictureError(_unread(written), "export the drawing as PNG")
    from PIL import features

    known = [f for f in _FOREIGN if f[0] != _AVIF or not features.check("avif")]
    by_content = [f for f in known if any(head[at:].startswith(m) for at, m in f[1])]
    for what, _, _, way in by_content or [f for f in known if ending in f[2]]:
        message = f"{quote(written)} is {what}, which smd does not read"
        return PictureError(message, "export it as PNG" + (f" ({way})" if way else ""))
    return PictureError(_unread(written), _READ)


def _unread(written: str) -> str:
    return f"{quote(written)} is not an image that can be read"
