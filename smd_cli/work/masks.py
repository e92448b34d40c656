"""`smd masks`: one sheet that shows what the engine sees of a scene's masks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from smd_cli.engine.layers import Laid, Pile, SoftMasks, downwards
from smd_cli.engine.masks import Array, covered
from smd_cli.engine.windows import Strip, Window
from smd_cli.errors import UsageError
from smd_cli.output.conflicts import refuse_inputs
from smd_cli.output.targets import plan_targets
from smd_cli.output.writers import open_outputs
from smd_cli.report.reporter import Reporter
from smd_cli.scene.files import read_pictures
from smd_cli.scene.paint.boxes import FULL, HALF, Paint, full_window
from smd_cli.scene.paint.painted import PaintedScene
from smd_cli.scene.paint.photo import Photo
from smd_cli.scene.paint.pictures import dimensions
from smd_cli.units import counted, printable
from smd_cli.work.check import BrushReport, Report, check_scene
from smd_cli.work.inputs import inputs_of
from smd_cli.work.overlay import colour_of, draw_overlay, fitted, legend
from smd_cli.work.request import Request, load
from smd_cli.work.seen import Seen, see
from smd_cli.work.sheet import Panel, Row, draw_sheet

Pixels = npt.NDArray[np.uint8]

MOST_PANELS = 3000
_SIDE, _LARGE = 192, 480  # of a panel
_OUTLINE = (230, 120, 0)  # of a window
_LOOKED_AT = 2048  # places along the longer side of a canvas where layers are counted
_COUNTS = ((255, 255, 255), (205, 205, 205), (255, 176, 60), (214, 60, 40))
_HATCH = (200, 0, 160)


def masks_sheet(request: Request, reporter: Reporter) -> None:
    """Draw the sheet of a request's one scene into its targets; the hub is not asked.

    Raises SceneError for the scene, UsageError for outputs that cannot work and for a sheet of more
    than `MOST_PANELS` panels.
    """
    [source] = request.scenes
    file = load(source, request)
    painted = read_pictures(file)
    targets = plan_targets(request.outs, scene_name=file.name, seed=file.scene.seed, frames=1)
    refuse_inputs(targets, inputs_of(file))
    kept = SoftMasks()
    report = check_scene(file, painted, kept)
    reporter.warnings(report.warnings)
    page = sheet_of(painted, report, see(file.scene, painted, kept))
    size, output = (page.shape[1], page.shape[0]), file.scene.output
    with open_outputs(targets, size=size, output=output, clobber=request.clobber) as outputs:
        for path in outputs.add(0, Photo(page), {}):
            reporter.result(file.name, path)


def sheet_of(painted: PaintedScene, report: Report, seen: Seen) -> Pixels:
    """The sheet (H, W, 3): the canvas on top, then a row for the background and every brush."""
    rows = len(seen.weights)
    count = rows * seen.table.slots + 3 * len(seen.painted.brushes)
    if count > MOST_PANELS:
        message = f"the sheet would have {count} panels, for {counted(rows, 'row')} in "
        message += f"{counted(seen.table.slots, 'slot')}: {MOST_PANELS} are legible"
        raise UsageError(message, "--only BRUSH shows some, --set sampler.steps=5 fewer slots")
    return draw_sheet(_heading(report, seen), [_canvas_row(painted, report), *_rows(seen, report)])


def _heading(report: Report, seen: Seen) -> str:
    factor, (height, width) = seen.rules.factor, seen.rules.grid
    head = f"{printable(report.file)}: {dimensions(report.size)} px, model "
    head += f"{printable(report.model)}, {counted(seen.table.slots, 'slot')}, "
    head += f"latent grid {width}x{height}, {factor} px a cell"
    return head + (" (as for SD 1.5: the model's files are not here)" if report.as_sd15 else "")


# The canvas


def _canvas_row(painted: PaintedScene, report: Report) -> Row:
    lines = ["Brushes in painter's order: later ones lie on top.", *_legend_lines()]
    if report.part is not None:
        lines.append("The frame is the part that is generated; the rows below show that alone.")
    return Row("the canvas", (_overlay(painted, report), _layers(painted)), tuple(lines))


def _legend_lines() -> tuple[str, ...]:
    return (
        "Rows below: white = 1, black = 0. Painted: the mask. Covered: what later brushes leave. "
        "Blurred: on the latent grid, times alpha.",
        "Then the weight in each slot. A brush acts where its mask is at least as strong as the "
        "slot's noise.",
        "Orange frames: the windows that network rows see.",
    )


def _overlay(painted: PaintedScene, report: Report) -> Panel:
    """The picture below, if there is one, under all masks in their colours with their names."""
    size = fitted(painted.size, _LARGE)
    below = Image.new("RGB", size, (236, 236, 236))
    if painted.picture is not None:
        below = Image.fromarray(painted.picture.seen).resize(size, Image.Resampling.BOX)
    masks = Image.fromarray(draw_overlay(painted)).resize(size, Image.Resampling.BOX)
    page = Image.alpha_composite(below.convert("RGBA"), masks).convert("RGB")
    draw = ImageDraw.Draw(page)
    if report.part is not None:
        part, scale = report.part, size[0] / painted.size[0]
        corner = (part.left * scale, part.top * scale)
        end = (corner[0] + part.extent[0] * scale - 1, corner[1] + part.extent[1] * scale - 1)
        draw.rectangle((*corner, *end), outline=_OUTLINE, width=2)
    font = ImageFont.load_default(15)
    for entry in legend(painted):
        if entry.at is not None:
            x, y = (share * side for share, side in zip(entry.at, size, strict=True))
            text = printable(entry.name)
            half = font.getlength(text) / 2
            x = min(max(x, half + 3), size[0] - half - 3)
            where = (x, y)
            draw.text(
                where,
                text,
                fill="white",
                font=font,
                anchor="mm",
                stroke_width=2,
                stroke_fill="black",
            )
    return Panel(page, ("what is painted where",))


def _layers(painted: PaintedScene) -> Panel:
    """How many brushes paint each place in at least half strength."""
    counts = layer_counts(painted)
    shares = [float((counts == n).mean()) for n in range(3)]
    size = fitted(painted.size, _LARGE)
    colours = np.array(_COUNTS, dtype=np.uint8)[np.minimum(counts, 3)]
    page = Image.fromarray(colours).resize(size, Image.Resampling.NEAREST)
    bare = Image.fromarray(counts == 0).resize(size, Image.Resampling.NEAREST)
    down, across = np.indices((size[1], size[0]))
    hatch = ((down + across) % 12 < 2) & np.asarray(bare)
    page.paste(_HATCH, mask=Image.fromarray(hatch))
    none, one, two = (f"{share * 100:.1f} %" for share in shares)
    more = f"{(1 - sum(shares)) * 100:.1f} %"
    return Panel(
        page,
        (
            f"hatched: uncovered, {none}; grey: one brush, {one}",
            f"overlap: orange: two brushes, {two}; red: three or more, {more}",
        ),
    )


def layer_counts(painted: PaintedScene) -> npt.NDArray[np.int64]:
    """How many brushes paint half or more at places of the canvas, (h, w); of a small canvas at
    each of its pixels.
    """
    width, height = painted.size
    step = -(-max(painted.size) // _LOOKED_AT)
    counts = np.zeros((-(-height // step), -(-width // step)), dtype=np.int64)
    for one in painted.brushes:
        counts += one.paint.cells(step, (counts.shape[0], counts.shape[1])) >= HALF
    return counts


# The rows


def _rows(seen: Seen, report: Report) -> Iterator[Row]:
    """A row for the background, where it is generated, and for every brush."""
    below = len(seen.weights) - len(seen.painted.brushes)
    if below:
        yield Row("background", tuple(_slots(seen, 0)), (printable(report.background),), columns=8)
    for number, own in enumerate(_soft(seen)):
        brush = report.brushes[number]
        panels = (*own, *_slots(seen, below + number))
        lines = _lines(seen, number, brush)
        yield Row(printable(brush.label), panels, lines, colour_of(number))


def _lines(seen: Seen, number: int, report: BrushReport) -> tuple[str, ...]:
    brush = seen.painted.brushes[number].brush
    keys = f"alpha {brush.alpha:g}, blur {brush.blur_px:g} px, strength {brush.strength:g}"
    keys += f", repaint {brush.repaint:g}" if brush.repaint < 1 else ""
    acts = f"painted {report.coverage * 100:.1f} %, acts in {report.slots} of {seen.table.slots}"
    return (printable(brush.prompt), keys, f"{acts} slots")


def _soft(seen: Seen) -> Sequence[tuple[Panel, ...]]:
    """Painted, covered and blurred, of every brush, all brushes lying there."""
    pile, rules, kept = Pile(seen.painted.size), seen.rules, SoftMasks()
    return [
        *(_soft_panels(seen, laid) for laid in downwards(seen.painted.brushes, pile, rules, kept))
    ][::-1]


def _soft_panels(seen: Seen, laid: Laid) -> tuple[Panel, ...]:
    """As long as no other brush is laid."""
    brush, rules = laid.painted.brush, laid.rules
    levels, above = (_scaled(seen, one) for one in (_levels(laid.painted.paint), laid.pile.top))
    left = covered(levels, above, rules.cover, published=rules.published)
    soft, patch = np.zeros(rules.grid, dtype=np.float32), laid.soft()
    soft[patch.window] = patch.values * np.float32(brush.alpha)
    strongest = f"blurred, at most {float(soft.max(initial=0)):.2f}"
    return (
        Panel(_grey(levels / np.float32(FULL)), ("painted",)),
        Panel(_grey(left), (f"covered ({rules.cover:g} stays)",)),
        Panel(_on_grid(seen, soft), (strongest,)),
    )


def _slots(seen: Seen, row: int) -> Iterator[Panel]:
    """The weight of a row in every slot, with its windows."""
    whole = Window(*(Strip(0, side) for side in seen.rules.grid))
    for slot, sigma in enumerate(seen.table.sigmas):
        weight, windows = seen.weights.cut(row, slot, whole), seen.windows[slot][row]
        acts = weight.max(initial=0) > 0
        image = _on_grid(seen, weight)
        for window in windows:
            _frame(seen, image, window)
        count = "shared row" if slot >= seen.apart else counted(len(windows), "window")
        yield Panel(image, (f"slot {slot}, noise {sigma:.3f}", count if acts else "does not act"))


def _frame(seen: Seen, image: Image.Image, window: Window) -> None:
    """Draw the edge of a window, and what of it goes on at the other end of a side that wraps."""
    scale, draw = _scale(seen) * seen.rules.factor, ImageDraw.Draw(image)
    tops, lefts = (
        [strip.start + turn * side for turn in ((-1, 0, 1) if wraps else (0,))]
        for strip, side, wraps in zip(window.strips, seen.rules.grid, seen.scene.wraps, strict=True)
    )
    height, width = window.shape
    for top in tops:
        for left in lefts:
            edge = (
                left * scale,
                top * scale,
                (left + width) * scale - 1,
                (top + height) * scale - 1,
            )
            draw.rectangle(edge, outline=_OUTLINE, width=2)


# Pictures of masks


def _scale(seen: Seen) -> float:
    """Pixels of a panel for one of the canvas; whole ones for a cell, where there is room."""
    longest = max(seen.rules.grid)
    return (
        max(1, round(_SIDE / longest)) if longest <= _SIDE else _SIDE / longest
    ) / seen.rules.factor


def _levels(paint: Paint) -> Pixels:
    return paint.read(full_window(paint.size))


def _scaled(seen: Seen, levels: Pixels) -> Pixels:
    """Levels (H, W) of the canvas at the size of a panel."""
    height, width = (max(1, round(side * _scale(seen))) for side in levels.shape)
    return np.asarray(Image.fromarray(levels).resize((width, height), Image.Resampling.BOX))


def _grey(values: Array) -> Image.Image:
    """Values (h, w) in 0..1 as greys."""
    return Image.fromarray(np.rint(values * FULL).clip(0, FULL).astype(np.uint8)).convert("RGB")


def _on_grid(seen: Seen, values: Array) -> Image.Image:
    """Values (h, w) on the latent grid, each cell a square."""
    height, width = (
        max(1, round(side * seen.rules.factor * _scale(seen))) for side in values.shape
    )
    return _grey(values).resize((width, height), Image.Resampling.NEAREST)
