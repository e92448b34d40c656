"""From the palette that the published demo exports to a scene, with a colour map to paint on.

The demo (Semantic Palette of StreamMultiDiffusion) exports names, prompts and strengths as JSON;
the drawing is a picture of its own, in which each palette has a fixed colour.
"""

from __future__ import annotations

import colorsys
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageColor, ImageDraw

from smd_cli.errors import UsageError
from smd_cli.scene.json_schema import MODELINE
from smd_cli.scene.keys.fields import MAX_SEED
from smd_cli.scene.paint.errors import quote
from smd_cli.work.start import SCENE, Names, Start, one_line, yaml_text

MAP = "map.png"
_MAX_BYTES = 1 << 20
_MOST = 24  # palettes
_HINT = "export it in the demo: Import/Export Semantic Palette, and save the JSON"
# Its colours in their order; palettes beyond them get others.
_COLOURS = ("#2692f3", "#f89e12", "#16c232", "#f92f6c", "#ac6aeb")
_SIZE, _FINE = (768, 512), 4

_HEAD = """\
{modeline}# Made from {palette}: a brush for each palette of the demo.
# Where each paints, {map} says by its colour: paint on it, or put the drawing of the demo there.
model: starter            # the demo's was {model}; smd models lists what there is
seed: {seed}
"""


@dataclass(frozen=True)
class _Palette:
    """One palette of an export: `alpha` 0..1, `blur` in px, `strength` 0..1; None where untold."""

    name: str
    prompt: str
    negative: str
    alpha: float | None
    blur: float | None
    strength: float | None


def start_from_palette(file: Path) -> Start:
    """The scene of an export. Raises UsageError where the file is none."""
    written = str(file)
    told = _read(file, written)
    ground, *others = _palettes(told, written)
    active = told.get("active_palettes")
    shown = others[:active] if isinstance(active, int) and active > 0 else others
    brushes = [(_colour(n), one) for n, one in enumerate(shown) if one.prompt.strip()]
    if not brushes or len(brushes) > _MOST:
        message = f"{quote(written)} has {len(brushes)} palettes with a prompt"
        raise UsageError(message, f"1 to {_MOST} of them make a scene")
    names = Names()
    seed = told.get("seed")
    text = _HEAD.format(
        modeline=MODELINE,
        palette=one_line(file.name),
        map=MAP,
        model=one_line(str(told.get("model_id", "another"))),
        seed=seed if isinstance(seed, int) and 0 <= seed <= MAX_SEED else "random",
    )
    text += _ground(ground)
    text += "brushes:                  # painter's order: later brushes lie on top\n"
    notes = []
    for colour, one in brushes:
        name = names.free(one.name)
        text += _brush(one, name, colour)
        notes.append(f"{colour}: brush {one_line(name)}")
    return Start({MAP: _map([colour for colour, _ in brushes]), SCENE: text.encode()}, tuple(notes))


def _read(file: Path, written: str) -> Mapping[str, Any]:
    """What an export tells."""
    try:
        with file.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except OSError as missing:
        reason = (missing.strerror or str(missing)).lower()
        raise UsageError(f"{quote(written)} cannot be opened: {reason}") from missing
    try:
        told = (
            json.loads(data[:_MAX_BYTES].decode("utf-8-sig")) if len(data) <= _MAX_BYTES else None
        )
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise UsageError(f"{quote(written)} is no palette of the demo: no JSON object", _HINT)
    return told


def _palettes(told: Mapping[str, Any], written: str) -> list[_Palette]:
    """The background and all palettes of an export."""
    prompts, names = (_texts(told, key, written) for key in ("prompts", "prompt_names"))
    negatives = _texts(told, "neg_prompts", written) if "neg_prompts" in told else []
    if not prompts or len(names) < len(prompts):
        message = f"{quote(written)} is no palette of the demo: it has {len(prompts)} prompts and "
        raise UsageError(f"{message}{len(names)} names", _HINT)
    made = []
    for number, prompt in enumerate(prompts):
        made.append(
            _Palette(
                names[number],
                prompt,
                negatives[number] if number < len(negatives) else "",
                _number(told, "mask_strengths", number - 1, 1),
                _number(told, "mask_stds", number - 1, 1000),
                _number(told, "prompt_strengths", number - 1, 1),
            )
        )
    return made


def _texts(told: Mapping[str, Any], key: str, written: str) -> list[str]:
    found = told.get(key)
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        message = (
            f"{quote(written)} is no palette of the demo: its {quote(key)} is no list of texts"
        )
        raise UsageError(message, _HINT)
    return found


def _number(told: Mapping[str, Any], key: str, number: int, most: float) -> float | None:
    """The number at a place of a list, where it is told and within 0 and `most`."""
    found = told.get(key)
    if not isinstance(found, list) or not 0 <= number < len(found):
        return None
    value = found[number]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        return None
    return float(value)


def _ground(one: _Palette) -> str:
    lines = []
    if one.prompt.strip():
        lines.append(f"  prompt: {yaml_text(one.prompt)}\n")
        lines += [f"  negative: {yaml_text(one.negative)}\n"] if one.negative else []
    lines += [] if lines else ["  color: white\n"]
    return "background:\n" + "".join(lines)


def _brush(one: _Palette, name: str, colour: str) -> str:
    lines = [f"  - name: {yaml_text(name)}\n", f"    prompt: {yaml_text(one.prompt)}\n"]
    lines += [f"    negative: {yaml_text(one.negative)}\n"] if one.negative else []
    numbers = {"alpha": one.alpha, "blur": one.blur, "strength": one.strength}
    lines += [f"    {key}: {value:g}\n" for key, value in numbers.items() if value is not None]
    lines.append(f'    mask: {{image: {MAP}, color: "{colour}"}}\n')
    return "".join(lines)


def _colour(number: int) -> str:
    """The colour of a palette, counted from 0."""
    if number < len(_COLOURS):
        return _COLOURS[number]
    share = (number - len(_COLOURS)) * 0.618034 % 1  # the golden ratio: no two hues lie close
    red, green, blue = (round(255 * part) for part in colorsys.hsv_to_rgb(share, 0.9, 0.55))
    return f"#{red:02x}{green:02x}{blue:02x}"


def _map(colours: Sequence[str]) -> bytes:
    """A transparent picture with a disc of each colour, side by side, to start from."""
    columns = min(len(colours), 6)
    rows = -(-len(colours) // columns)
    side = (_SIZE[0] / columns, _SIZE[1] / rows)
    radius = 0.4 * min(side)
    made = Image.new("RGBA", _SIZE)
    for number, colour in enumerate(colours):
        x, y = side[0] * (number % columns + 0.5), side[1] * (number // columns + 0.5)
        fine = Image.new("L", (_SIZE[0] * _FINE, _SIZE[1] * _FINE))
        box = [(v + step * radius) * _FINE for step in (-1, 1) for v in (x, y)]
        ImageDraw.Draw(fine).ellipse(box, fill=255)
        disc = fine.resize(_SIZE, Image.Resampling.BOX)
        plain = Image.new("RGBA", _SIZE, (*ImageColor.getrgb(colour)[:3], 0))
        plain.putalpha(disc)
        made = Image.alpha_composite(made, plain)
    buffer = io.BytesIO()
    made.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
