"""From a document of layers to a scene with a brush for each, whose masks are the layers."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from smd_cli.errors import UsageError
from smd_cli.scene.json_schema import MODELINE
from smd_cli.scene.paint.boxes import FULL
from smd_cli.scene.paint.errors import PictureError, quote
from smd_cli.scene.paint.layers import Document, Spot, layer_source, picture_at, spots
from smd_cli.scene.parse import MAX_BRUSHES
from smd_cli.work.flat import refuse_no_canvas
from smd_cli.work.start import SCENE, Names, Start, one_line, percent, yaml_text

_HEAD = """\
{modeline}# Made from {painting}: a brush for each of its layers, which stay there.
# Paint on in it, and save: smd watch {scene} paints what changed.
# Write in every prompt what its brush shall show, and what shows where none paints.
model: starter            # the small model of the package; smd models lists others
size: {width}x{height}
seed: 1                   # another number, another picture
background: {background}
brushes:                  # painter's order: later brushes lie on top
"""

_BRUSH = """\
  - name: {name}
    prompt: {prompt}
{muted}    mask:
      image: {image}
      layer: {layer}
      channel: alpha      # opaque = painted, {share} of the canvas
"""
_MUTED = "    enabled: false        # it is hidden in the document\n"
_PLAIN_GROUND = "white         # what shows where no brush paints"


@dataclass(frozen=True)
class _Found:
    """A layer, how a mask names it, and how much of the document it covers, 0..1."""

    spot: Spot
    reference: str
    share: float
    opaque: bool


def start_from_layers(document: Document, painting: Path, folder: Path) -> Start:
    """The scene of a document: from its bottom layer up, hidden ones muted.

    A bottom layer that is opaque everywhere is the background. Raises UsageError for a document
    that is no canvas, or of which no layer can be a mask.
    """
    refuse_no_canvas(document.size, document.written)
    found, notes = _layers(document)
    ground = found[0] if found and found[0].opaque and found[0].spot.visible else None
    above = found[1:] if ground else found
    if not above or len(above) > MAX_BRUSHES:
        count = f"{len(above)} layers that can be masks" if above else "no layer that can be a mask"
        hint = f"a scene has 1 to {MAX_BRUSHES} brushes"
        raise UsageError(f"{quote(document.written)} has {count}", hint)
    names = Names()
    image = yaml_text(_from(folder, painting))
    text = _head(document, painting, ground)
    told = [] if ground is None else [f"layer {quote(ground.reference)}: all, the background"]
    for one in above:
        name = names.free(one.spot.layer.name)
        text += _brush(one, name, image)
        told.append(f"layer {quote(one.reference)}: {percent(one.share)}, brush {one_line(name)}")
    return Start({SCENE: text.encode()}, (*told, *notes))


def _head(document: Document, painting: Path, ground: _Found | None) -> str:
    background = _PLAIN_GROUND
    if ground is not None:
        name = Names().free(ground.spot.layer.name)
        background = f"{yaml_text(name):13} # its bottom layer is opaque everywhere"
    width, height = document.size
    return _HEAD.format(
        modeline=MODELINE,
        painting=one_line(painting.name),
        scene=SCENE,
        width=width,
        height=height,
        background=background,
    )


def _brush(one: _Found, name: str, image: str) -> str:
    return _BRUSH.format(
        name=yaml_text(name),
        prompt=yaml_text(Names().free(one.spot.layer.name)),
        muted="" if one.spot.visible else _MUTED,
        image=image,
        layer=yaml_text(one.reference),
        share=percent(one.share),
    )


def _layers(document: Document) -> tuple[list[_Found], list[str]]:
    """The layers that can be masks, from the bottom up, and sentences about the others."""
    known = [*spots(document)]
    names = [spot.layer.name for spot in known]
    found, notes = [], []
    for spot in reversed(known):
        if spot.layer.children is not None:
            continue
        single = names.count(spot.layer.name) == 1
        reference = spot.layer.name if single else spot.path
        if not reference.strip():
            notes.append("a layer without a name is left out: no mask can name it")
            continue
        layer_source(document, reference)  # raises for a name that means several
        try:
            levels = np.asarray(picture_at(spot).getchannel("A"))
        except PictureError as wrong:
            notes.append(f"layer {quote(reference)} is left out: {wrong.message}")
            continue
        share = float(levels.mean()) / FULL
        found.append(_Found(spot, reference, share, bool(levels.min() == FULL)))
    return found, notes


def _from(folder: Path, file: Path) -> str:
    """A file as a scene in `folder` names it; on another drive by its full path."""
    try:
        written = os.path.relpath(file, folder)
    except ValueError:
        written = str(file.absolute())
    posix = Path(written).as_posix()
    return f"./{posix}" if posix.startswith("~") else posix
