"""OpenRaster's files: a zip of PNG layers and of `stack.xml`, which tells how they lie.

Layout: https://www.openraster.org/baseline/layer-stack-spec.html. GIMP, Krita, MyPaint write it.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from PIL import Image

from smd_cli.scene.paint.errors import PictureError, Size, quote
from smd_cli.scene.paint.layers import MAX_DEPTH, Document, Layer, group
from smd_cli.scene.paint.zipped import Archive, number, size_of


def read_openraster(archive: Archive) -> Document:
    """The document of an OpenRaster file; its layers are decoded when they are asked for."""
    root = archive.tree("stack.xml")
    size = size_of(root, "w", "h", archive.written)
    stack = root.find("stack")
    layers = _layers([] if stack is None else [*stack], archive, size, 0)
    return Document(archive.written, size, layers, archive.merged)


def _layers(
    elements: Sequence[ElementTree.Element], archive: Archive, size: Size, depth: int
) -> tuple[Layer, ...]:
    if depth > MAX_DEPTH:
        raise PictureError(f"{quote(archive.written)} has groups more than {MAX_DEPTH} deep")
    made = []
    for element in elements:
        name, visible = element.get("name", ""), element.get("visibility", "visible") != "hidden"
        opacity = min(max(number(element, "opacity", 1.0), 0.0), 1.0)
        if element.tag == "stack":
            children = _layers([*element], archive, size, depth + 1)
            made.append(group(name, visible, opacity, children))
        elif element.tag == "layer":
            made.append(_layer(element, archive, size, (name, visible, opacity)))
    return tuple(made)


def _layer(
    element: ElementTree.Element, archive: Archive, size: Size, told: tuple[str, bool, float]
) -> Layer:
    def draw() -> Image.Image:
        source = element.get("src", "")
        if not source.lower().endswith(".png"):
            raise PictureError("it is no PNG", "paint on a layer of pixels, or convert it to one")
        corner = int(number(element, "x", 0)), int(number(element, "y", 0))
        whole = Image.new("RGBA", size)
        whole.paste(archive.png(source), corner)
        return whole

    return Layer(*told, draw)
