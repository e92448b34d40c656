"""Readers of single values: each turns a node into a value, or says what it must be."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from pathlib import Path
from typing import NoReturn, TypeVar

from PIL import ImageColor

from smd_cli.models.names import address_hint
from smd_cli.scene.keys.sections import Notes, Reader, closest, reject, wrong
from smd_cli.scene.text.flaws import decimal_comma, quoting, thousands
from smd_cli.scene.text.nodes import Node
from smd_cli.scene.types import Length, Point
from smd_cli.units import MAX_SIDE_PX, MIN_SIDE_PX, shown

T = TypeVar("T")
Word = TypeVar("Word", bound=str)
Color = tuple[int, int, int]

MAX_SEED = 2**63 - 1
_FARTHEST = 100_000
_SIZE = re.compile(r"\s*([0-9]{1,9})\s*[xX×]\s*([0-9]{1,9})\s*")
_PAIR = re.compile(r"([1-9][0-9]{1,3})\s*[,;*:/ ]\s*([1-9][0-9]{1,3})")
_SHARE = re.compile(r"([-+]?[0-9]{1,9}(?:\.[0-9]{1,9})?)\s*%")
_OF_LORAS = ("lora", "a value of lora", "path")  # which may name a file of the hub
_HEX_COLOR = re.compile(r"#?([0-9a-fA-F]{6})")
_COMMENTED_COLOR = re.compile(r"\s*(#[0-9a-fA-F]{6})\b")
_YAML_1_1 = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def number(low: float, high: float | None = None, also: str = "") -> Reader[float]:
    """A finite number from `low` to `high`, both included; `also` ends the message."""
    what = f"a number from {low:g} to {high:g}" if high is not None else f"a number ≥ {low:g}"
    what += also

    def read(node: Node) -> float:
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            reject(node, what, decimal_comma(node.written))
        if not low <= value <= (math.inf if high is None else high) or math.isinf(value):
            reject(node, what)
        return float(value)

    return read


def integer(low: int, high: int, also: str = "") -> Reader[int]:
    """A whole number from `low` to `high`, both included; `also` ends the message."""

    def read(node: Node) -> int:
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            reject(node, f"a whole number from {low} to {high}{also}", thousands(node.written))
        return value

    return read


def flag(node: Node) -> bool:
    """true or false; the words of YAML 1.1 get a hint."""
    if not isinstance(node.value, bool):
        meant = _YAML_1_1.get(node.written.lower())
        reject(node, "true or false", f"write {meant}" if meant else "")
    return node.value


def flag_or(word: Word) -> Reader[bool | Word]:
    """true, false or one word more."""

    def read(node: Node) -> bool | Word:
        if node.value == word:
            return word
        if not isinstance(node.value, bool):
            meant = _YAML_1_1.get(node.written.lower())
            close = closest(node.written, [word])
            hint = f"write {meant}" if meant else f"did you mean {close}?" if close else ""
            reject(node, f"true, false or {word}", hint)
        return node.value

    return read


def text(node: Node) -> str:
    """Any text. What was typed on the command line is one, whatever else YAML sees in it."""
    value = node.text
    if value is None:
        reject(node, "a text", _quotable(node))
    return value


def _quotable(node: Node) -> str:
    """A hint for what would be a text in quotes."""
    if isinstance(node.value, int | float):
        return f"quote it: '{shown(node.written, quote=False)}'"
    opening = "[" if isinstance(node.value, tuple) else "{"
    lists = isinstance(node.value, tuple | dict)
    return quoting(opening) if lists and opening in node.place.source else ""


def phrase(node: Node) -> str:
    """A text that says something."""
    value = text(node)
    if not value.strip():
        raise wrong(node, f"{node.label} must not be empty")
    return value


def one_of(*words: Word) -> Reader[Word]:
    """One of a few words."""

    def read(node: Node) -> Word:
        found = next((word for word in words if node.value == word), None)
        if found is None:
            close = closest(node.written, words)
            reject(node, f"one of {', '.join(words)}", f"did you mean {close}?" if close else "")
        return found

    return read


def listed(node: Node, read: Reader[T], what: str, counts: range | None = None) -> tuple[T, ...]:
    """A list with as many items as `counts` allows, each read by `read`."""
    if not isinstance(node.value, tuple) or (counts and len(node.value) not in counts):
        reject(node, what, _miscounted(node, counts))
    with Notes() as notes:
        return notes.each(node.value, read)


def _miscounted(node: Node, counts: range | None) -> str:
    """A hint for a list with another number of items than `counts` allows."""
    items = node.items
    if len(items) == 1 and " " in str(items[0].value):
        return "put commas between the values"
    glued = [pair for pair in pairwise(items) if _is_glued(*pair)]
    if not (counts and glued) or len(glued) + 1 == len(items) or len(items) < counts.stop:
        return ""
    return decimal_comma(",".join(item.written for item in glued[0]))


def _is_glued(item: Node, following: Node) -> bool:
    """Whether nothing but a comma stands between two items of a list."""
    if item.span is None or following.span is None:
        return False
    return item.span[1] + 1 == following.span[0]


def size(node: Node) -> tuple[int, int]:
    """The canvas: ``512x512`` or ``[512, 512]``, 64..8192 px a side."""
    what = f"WIDTHxHEIGHT or [width, height], each from {MIN_SIDE_PX} to {MAX_SIDE_PX}"
    if isinstance(node.value, tuple):
        side = integer(MIN_SIDE_PX, MAX_SIDE_PX)
        width, height = listed(node, side, what, range(2, 3))
        return width, height
    match = _SIZE.fullmatch(node.value) if isinstance(node.value, str) else None
    sides = [int(side) for side in match.groups()] if match else []
    if not sides or not all(MIN_SIDE_PX <= side <= MAX_SIDE_PX for side in sides):
        pair = _PAIR.fullmatch(node.text or "")
        reject(node, what, f"write {pair[1]}x{pair[2]}" if pair else "")
    return sides[0], sides[1]


def seed(node: Node) -> int:
    """A seed that torch's generators take."""
    return integer(0, MAX_SEED)(node)


def seed_or_random(node: Node) -> int | None:
    """A seed; None for ``random``."""
    return None if node.value == "random" else integer(0, MAX_SEED, " or random")(node)


def length(node: Node) -> Length:
    """A distance on the canvas: pixels or a share such as ``25%``."""
    what = "a number of pixels or a share such as 25%"
    if isinstance(node.value, str):
        match = _SHARE.fullmatch(node.value)
        hint = decimal_comma(node.value)
        found = Length(float(match[1]) / 100, "share") if match else reject(node, what, hint)
    elif isinstance(node.value, bool) or not isinstance(node.value, int | float):
        reject(node, what)
    else:
        found = Length(float(node.value))
    if not abs(found.value) <= _FARTHEST:  # nan too
        reject(node, f"{what}, within {_FARTHEST} px")
    return found


def point(node: Node) -> Point:
    """``[x, y]``."""
    x, y = listed(node, length, "a point [x, y]", range(2, 3))
    return x, y


def color(node: Node) -> Color:
    """A CSS colour name, ``"#rrggbb"``, ``rrggbb`` or ``[red, green, blue]``, as three bytes."""
    what = 'a colour name, "#rrggbb" or [red, green, blue]'
    if isinstance(node.value, tuple):
        red, green, blue = listed(node, integer(0, 255), what, range(3, 4))
        return red, green, blue
    name = (node.text or "").lower()
    code = _HEX_COLOR.fullmatch(name)
    if name not in ImageColor.colormap and not code:
        _refuse_color(node, name, what)
    red, green, blue = ImageColor.getrgb(f"#{code[1]}" if code else name)[:3]
    return red, green, blue


def _refuse_color(node: Node, name: str, what: str) -> NoReturn:
    """Say that a text is no colour; one behind an unquoted # is a comment, of digits a number."""
    place = node.place
    comment = _COMMENTED_COLOR.match(place.source, max(0, place.column - 1 - place.skipped))
    if node.value is None and comment:
        hint = f'an unquoted # begins a comment: write it in quotes, "{comment[1]}"'
        raise wrong(node, f"{node.label} has no value: it must be {what}", hint)
    if isinstance(node.value, int | float) and _HEX_COLOR.fullmatch(node.written):
        reject(node, what, f'write it in quotes: "{node.written}"')
    close = None if name.startswith("#") else closest(name, ImageColor.colormap)
    reject(node, what, f"did you mean {close}?" if close else "")


def one_line(node: Node) -> str:
    """A brush's name: visible characters, not only digits."""
    value = phrase(node)
    if not value.isprintable():
        raise wrong(node, f"name must be one line of visible characters, not {shown(value)}")
    if value.isdecimal():
        raise wrong(node, f"name must not be a number, not {shown(value)}")
    return value


def file_path(node: Node, folder: Path) -> tuple[Path, str]:
    """Where the file is that the scene (or an option) names, and the name as written."""
    written = phrase(node)
    if "\0" in written:
        raise wrong(node, f"{node.label} must be a file's name, not {shown(written)}")
    refuse_address(node, written)
    path = resolved(written, folder if node.base is None else node.base)
    if node.base is not None and _is_file(resolved(written, folder)) and not _is_file(path):
        beside = resolved(written, folder)
        hint = f"paths in options count from the current folder: {shown(str(beside), quote=False)}"
        raise wrong(node, f"there is no file {shown(written)}", hint)
    return path, written


def refuse_address(node: Node, written: str) -> None:
    """Raise for a web address or a ``file://`` where a path or a hub id is wanted."""
    hint = address_hint(written, with_file=node.label in _OF_LORAS)
    if hint:
        raise wrong(node, f"{node.label} cannot be read from the address {shown(written)}", hint)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def resolved(written: str, base: Path) -> Path:
    """`written` seen from the folder `base`; ``~`` at its start is the home folder."""
    if not written.startswith("~"):  # nor is it for ./~, which a Path forgets
        return base / written
    try:
        return base / Path(written).expanduser()
    except RuntimeError:  # no such user
        return base / written
