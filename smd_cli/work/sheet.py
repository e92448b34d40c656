"""A sheet: rows of labelled panels on a white page, to be looked at.

All lengths are pixels of the page.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Rgb = tuple[int, int, int]

_MARGIN, _GAP, _LINE, _TITLE_LINE = 16, 12, 17, 24
_TEXT, _TITLE = 13, 17
_HEAD_WIDTH, _HEAD_LETTERS = 236, 32
_CHIP = 14
_INK, _PALE = (20, 20, 20), (95, 95, 95)


@dataclass(frozen=True, eq=False)
class Panel:
    """A picture with the lines that stand below it."""

    image: Image.Image
    caption: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height with the caption, which may be the wider one."""
        widest = max((_font(_TEXT).getlength(line) for line in self.caption), default=0)
        height = self.image.height + _LINE * len(self.caption) + 4
        return max(self.image.width, int(widest) + 1), height


@dataclass(frozen=True, eq=False)
class Row:
    """Panels side by side behind a head: a title, with a chip of `colour` where it has one, and
    `lines` of text. What is more than `columns` goes on below.
    """

    title: str
    panels: tuple[Panel, ...]
    lines: tuple[str, ...] = ()
    colour: Rgb | None = None
    columns: int = 8

    @property
    def split(self) -> Iterator[tuple[Panel, ...]]:
        """Its panels, line by line."""
        rest = iter(self.panels)
        while line := tuple(islice(rest, self.columns)):
            yield line

    @property
    def text(self) -> tuple[str, ...]:
        """The lines of its head, none wider than the head."""
        return tuple(part for line in self.lines for part in textwrap.wrap(line, _HEAD_LETTERS))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height with the head."""
        lines = [_line_size(line) for line in self.split]
        head = _TITLE_LINE * len(_titles(self.title)) + _LINE * len(self.text)
        width = max((width for width, _ in lines), default=0)
        return _HEAD_WIDTH + width, max(head, sum(height + _GAP for _, height in lines))


def draw_sheet(title: str, rows: Sequence[Row]) -> npt.NDArray[np.uint8]:
    """The page (H, W, 3) with its title on top."""
    sizes = [row.size for row in rows]
    top = _MARGIN + _TITLE_LINE + _GAP
    width = max(int(_font(_TITLE).getlength(title)), *(width for width, _ in sizes))
    height = top + sum(height + _GAP for _, height in sizes)
    page = Image.new("RGB", (width + 2 * _MARGIN, height), "white")
    draw = ImageDraw.Draw(page)
    draw.text((_MARGIN, _MARGIN), title, fill=_INK, font=_font(_TITLE))
    for row, (_, high) in zip(rows, sizes, strict=True):
        draw.line(
            (_MARGIN, top - _GAP // 2, width + _MARGIN, top - _GAP // 2), fill=(215, 215, 215)
        )
        _draw_head(draw, row, top)
        _draw_panels(page, draw, row, top)
        top += high + _GAP
    return np.asarray(page)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _titles(title: str) -> list[str]:
    return textwrap.wrap(title, _HEAD_LETTERS * _TEXT // _TITLE) or [""]


def _line_size(panels: Sequence[Panel]) -> tuple[int, int]:
    """Width and height of panels side by side."""
    sizes = [panel.size for panel in panels]
    return sum(width + _GAP for width, _ in sizes), max(height for _, height in sizes)


def _draw_head(draw: ImageDraw.ImageDraw, row: Row, top: int) -> None:
    left = _MARGIN
    if row.colour is not None:
        draw.rectangle(
            (left, top + 3, left + _CHIP, top + 3 + _CHIP), fill=row.colour, outline=_INK
        )
        left += _CHIP + 7
    for line in _titles(row.title):
        draw.text((left, top), line, fill=_INK, font=_font(_TITLE))
        top += _TITLE_LINE
    for line in row.text:
        draw.text((_MARGIN, top), line, fill=_PALE, font=_font(_TEXT))
        top += _LINE


def _draw_panels(page: Image.Image, draw: ImageDraw.ImageDraw, row: Row, top: int) -> None:
    for line in row.split:
        left = _MARGIN + _HEAD_WIDTH
        for panel in line:
            page.paste(panel.image, (left, top))
            edge = (left - 1, top - 1, left + panel.image.width, top + panel.image.height)
            draw.rectangle(edge, outline=(120, 120, 120))
            for number, text in enumerate(panel.caption):
                below = top + panel.image.height + 4 + number * _LINE
                draw.text((left, below), text, fill=_INK, font=_font(_TEXT))
            left += panel.size[0] + _GAP
        top += _line_size(line)[1] + _GAP
