"""`smd init`: the files of a new scene, which replace none."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from smd_cli.errors import UsageError
from smd_cli.output.atomic import write_whole
from smd_cli.output.places import refuse_long
from smd_cli.report.reporter import Reporter
from smd_cli.scene.json_schema import MODELINE, SCHEMA, scene_schema
from smd_cli.scene.paint.opening import opened_document
from smd_cli.work.flat import FlatColour, flat_colours
from smd_cli.work.start import SCENE, Start, one_line, percent

_SIDE, _FINE = 256, 4  # px of the first scene, and how much finer its masks are drawn
_SHOWN = 3

_FIRST = """\
{modeline}# A first scene: a fox in the grass.
#   smd render {scene}         paints it: {stem}.png
#   smd watch {scene} --serve  paints it again whenever you save a file of it
#   smd masks {scene}          shows what is made of the masks
model: starter            # the small model of the package; smd models lists others
size: 256x256
seed: 1                   # another number, another picture
background: blue sky      # what shows where no brush paints
brushes:                  # painter's order: later brushes lie on top
  - name: ground          # a handle: --set brushes.ground.prompt="sand"
    prompt: grass
    mask:
      image: masks/ground.png
      channel: luma       # white = painted, black = not
    blur: 4               # px, softens the edge
  - name: fox
    prompt: a fox
    mask:
      image: masks/fox.png
      channel: alpha      # a layer of a paint program: opaque = painted, whatever its colour
"""

_FROM = """\
{modeline}# Made from {painting}: a brush for each of its flat colours.
# Write in every prompt what its brush shall show, and what shows where none paints.
model: starter            # the small model of the package; smd models lists others
size: {width}x{height}
seed: 1                   # another number, another picture
background: white
brushes:                  # painter's order: later brushes lie on top
"""

_BRUSH = """\
  - name: {name}
    prompt: {name}{pad} # {code}, {share} of the painting
    mask:
      image: masks/{name}.png
      channel: luma       # white = painted, black = not
"""


def init_scene(folder: Path, source: Path | None, reporter: Reporter) -> None:
    """Write a scene, its masks and the schema by which editors complete it into `folder`.

    Their paths are told, the scene's last. With a `source` the scene has a brush for each of its
    flat colours, layers or palettes, which are told. Raises UsageError where one of the files is
    there already, or the folder is none, before any is written.
    """
    if folder.exists() and not folder.is_dir():
        hint = "init writes a folder: smd init my-scene makes one"
        raise UsageError(f"{folder} is no folder", hint)
    start = Start(_first()) if source is None else _start(source, folder)
    _refuse_existing([folder / name for name in dict.fromkeys([SCENE, SCHEMA, *start.files])])
    schema = json.dumps(scene_schema(), indent=2, ensure_ascii=False) + "\n"
    for note in start.notes:
        reporter.note(note)
    for name, data in {SCHEMA: schema.encode(), **start.files}.items():
        write_whole(folder / name, data, clobber=False, make_folder=True)
        reporter.result("init", str(folder / name))


def _start(source: Path, folder: Path) -> Start:
    """The scene that a file gives: an export of the demo, a document of layers or a painting."""
    if source.suffix.lower() == ".json":
        from smd_cli.work.init_palette import start_from_palette

        return start_from_palette(source)
    with opened_document(source, str(source)) as document:
        if document is not None and document.layers:
            from smd_cli.work.init_layers import start_from_layers

            return start_from_layers(document, source, folder)
    return _from(source, flat_colours(source))


def _refuse_existing(paths: Sequence[Path]) -> None:
    """Raise UsageError for files that are there, links that lead nowhere among them."""
    for path in paths:
        refuse_long(path, str(path))
    there = [path for path in paths if path.is_symlink() or path.exists()]
    if there:
        named = ", ".join(str(path) for path in there[:_SHOWN])
        more = f" and {len(there) - _SHOWN} more" if len(there) > _SHOWN else ""
        hint = "init replaces no file: name another folder, as in smd init my-scene"
        raise UsageError(f"there is already {named}{more}", hint)


# The first scene


def _first() -> Mapping[str, bytes]:
    """The files of the first scene by name, the scene's own last."""
    text = _FIRST.format(modeline=MODELINE, scene=SCENE, stem=Path(SCENE).stem)
    clear = Image.new("RGBA", (_SIDE, _SIDE), (214, 110, 40, 0))
    clear.putalpha(_blob(92, 168, 56, (0.07, 0.05, 0.035), (0.6, 2.1, 4.0)))
    return {"masks/ground.png": _png(_hill()), "masks/fox.png": _png(clear), SCENE: text.encode()}


def _blob(
    x: float, y: float, radius: float, wobbles: Sequence[float], phases: Sequence[float]
) -> Image.Image:
    """A round shape as a hand draws one: its radius wobbles, twice around and more often."""
    points = []
    for step in range(360):
        angle = math.radians(step)
        waves = enumerate(zip(wobbles, phases, strict=True), 2)
        reach = radius * (1 + sum(much * math.cos(n * angle + at) for n, (much, at) in waves))
        points.append((x + reach * math.cos(angle), y + reach * math.sin(angle)))
    return _drawn(points)


def _hill() -> Image.Image:
    """The ground below a line that rises and falls."""
    line = [
        (x, 132 + 9 * math.sin(x / 41) + 4 * math.sin(x / 17 + 1) + 1.2 * math.sin(x / 5))
        for x in range(-4, _SIDE + 5, 2)
    ]
    return _drawn([*line, (_SIDE + 4, _SIDE + 4), (-4, _SIDE + 4)])


def _drawn(points: Sequence[tuple[float, float]]) -> Image.Image:
    """A polygon in white on black, with soft edges of a pixel."""
    fine = Image.new("L", (_SIDE * _FINE, _SIDE * _FINE), 0)
    ImageDraw.Draw(fine).polygon([(x * _FINE, y * _FINE) for x, y in points], fill=255)
    return fine.resize((_SIDE, _SIDE), Image.Resampling.BOX)


# From a painting


def _from(painting: Path, colours: Sequence[FlatColour]) -> Start:
    """A scene with a brush a colour."""
    height, width = colours[0].places.shape
    text = _FROM.format(
        modeline=MODELINE, painting=one_line(painting.name), width=width, height=height
    )
    files, notes = {}, []
    for colour in colours:
        share, pad = percent(colour.share), " " * max(0, 13 - len(colour.name))
        text += _BRUSH.format(name=colour.name, pad=pad, code=colour.code, share=share)
        files[f"masks/{colour.name}.png"] = _png(Image.fromarray(colour.places).convert("L"))
        notes.append(f"{colour.code}: {share}, brush {colour.name}")
    return Start({**files, SCENE: text.encode()}, tuple(notes))


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
