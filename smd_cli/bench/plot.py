"""The figures as bars: how many times as fast each side is as another."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from smd_cli.bench.figures import Figures, Ratio
from smd_cli.errors import UsageError
from smd_cli.output.atomic import write_whole

_MARGIN_PX, _TEXT_PX, _LINE_PX, _BAR_PX = 16, 14, 24, 14
_LABEL_PX, _BARS_PX, _FIGURE_PX = 340, 420, 200
_OURS, _OPTION, _SPREAD, _ONE = "#3b6ea8", "#8fb3d9", "#222222", "#bbbbbb"


def refuse_plot(path: Path) -> None:
    """Raise UsageError for a plot that could not be written."""
    if path.suffix.lower() != ".png":
        raise UsageError(f"--plot writes a PNG, not {path.name}", "--plot bars.png")
    if not path.parent.is_dir():
        raise UsageError(f"--plot {path}: there is no folder {path.parent}")


def save_plot(path: Path, measured: Sequence[Figures]) -> None:
    """Write the bars of all workloads to a PNG."""
    content = io.BytesIO()
    bars(measured).save(content, "PNG")
    write_whole(path, content.getvalue(), clobber=True, make_folder=False)


def bars(measured: Sequence[Figures]) -> Image.Image:
    """A group of bars for each workload: a line each ratio, its spread drawn over it."""
    ratios = [ratio for figures in measured for ratio in (*figures.ratios, *figures.gains)]
    longest = max([1.0, *(ratio.most for ratio in ratios)])
    lines = sum(1 + len(figures.ratios) + len(figures.gains) for figures in measured)
    width = _LABEL_PX + _BARS_PX + _FIGURE_PX + 2 * _MARGIN_PX
    page = Image.new("RGB", (width, lines * _LINE_PX + 2 * _MARGIN_PX), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(_TEXT_PX)
    scale = _BARS_PX / longest
    one = _MARGIN_PX + _LABEL_PX + scale
    draw.line((one, _MARGIN_PX, one, page.height - _MARGIN_PX), fill=_ONE)
    top = _MARGIN_PX
    for figures in measured:
        width_px, height_px = figures.size
        title = f"{figures.workload}: {figures.model}, {width_px}x{height_px}, {figures.device}"
        draw.text((_MARGIN_PX, top), title, fill="black", font=font)
        for number, ratio in enumerate((*figures.ratios, *figures.gains), start=1):
            colour = _OURS if number <= len(figures.ratios) else _OPTION
            _bar(draw, font, ratio, top + number * _LINE_PX, scale, colour)
        top += (1 + len(figures.ratios) + len(figures.gains)) * _LINE_PX
    return page


def _bar(
    draw: ImageDraw.ImageDraw,
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
    ratio: Ratio,
    top: int,
    scale: float,
    colour: str,
) -> None:
    """One ratio: what it compares, a bar to its median, a line from end to end, the figure."""
    left, middle = _MARGIN_PX + _LABEL_PX, top + _BAR_PX // 2
    label = f"{ratio.fast} : {ratio.slow}"
    draw.text((_MARGIN_PX * 2, top - 1), label, fill="black", font=font)
    draw.rectangle((left, top, left + scale * ratio.median, top + _BAR_PX), fill=colour)
    ends = (left + scale * ratio.least, left + scale * ratio.most)
    draw.line((ends[0], middle, ends[1], middle), fill=_SPREAD, width=2)
    for end in ends:
        draw.line((end, top + 3, end, top + _BAR_PX - 3), fill=_SPREAD, width=2)
    figure = f"{ratio.median:.2f} x ({ratio.least:.2f} to {ratio.most:.2f})"
    draw.text((left + _BARS_PX + _MARGIN_PX, top - 1), figure, fill="black", font=font)
