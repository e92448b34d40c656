"""The judge: a small classifier of words and colours, trained on the painter's pictures alone.

`python -m smd_cli.starter.classifier --out judge.safetensors` trains it and reports its accuracy on
pictures that it never saw. It never sees a picture that the model made before it judges one.
"""

import argparse
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageFilter
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from smd_cli.starter.examples import CANVAS_PX, draw_material, draw_object, draw_regions, lay_patch
from smd_cli.starter.noise import Picture, Rng, as_floats
from smd_cli.starter.painter import CELL_PX, Painter, draw_look, find_font, load_glyphs
from smd_cli.starter.text import autocast
from smd_cli.starter.vocabulary import COLOURS, MATERIALS, OBJECTS, Thing

log = logging.getLogger("smd_cli.starter")

CLASSES = (*OBJECTS, *MATERIALS)
NOTHING = len(CLASSES)
"""The number of one more class: the colours of an object without its shape."""

COLOUR_WORDS = tuple(COLOURS)
UNTOLD = -1
"""The colour of a crop of something that has no colour word."""

JUDGE = Path(__file__).parent / "judge.safetensors"
"""The judge that comes with the package."""

CROP_PX = 64
MARGIN = 0.05
"""A brush is judged by its mask's bounding box, larger by this share of the sides all around."""

PATCHES_PX = (32, 96)
"""Backgrounds are judged by square patches between these sizes."""

Box = tuple[int, int, int, int]
"""Top, left, bottom, right in pixels, ends not included."""


class Judge(nn.Module):
    """Pictures (N, 3, 64, 64) in [-1, 1] -> logits of `CLASSES` and NOTHING, and of the colours."""

    def __init__(self, widths: tuple[int, ...] = (32, 64, 96, 160)) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, widths[0], 5, stride=2, padding=2, bias=False)]
        for before, after in zip((widths[0], *widths), widths, strict=False):
            layers += [nn.BatchNorm2d(before), nn.ReLU()]
            layers += [nn.Conv2d(before, after, 3, padding=1, bias=False)]
            layers += [nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
        self.body = nn.Sequential(*layers[:-1])
        self.head = nn.Linear(widths[-1] * 4, len(CLASSES) + 1)
        self.colour_head = nn.Linear(widths[-1] * 4, len(COLOURS))

    def features(self, x: Tensor) -> Tensor:
        """What the decisions are made of: (N, 640)."""
        return F.adaptive_avg_pool2d(self.body(x), 2).flatten(1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        pooled = F.dropout(self.features(x), 0.2, self.training)
        return self.head(pooled), self.colour_head(pooled)


def with_margin(box: Box, size_px: int = CANVAS_PX) -> Box:
    """The box with its margin, cut at the canvas."""
    top, left, bottom, right = box
    down, across = round(MARGIN * (bottom - top)), round(MARGIN * (right - left))
    return (
        max(top - down, 0),
        max(left - across, 0),
        min(bottom + down, size_px),
        min(right + across, size_px),
    )


def crop(picture: Picture, box: Box) -> Picture:
    """The box of a picture in [0, 1], resized to 64 by 64."""
    top, left, bottom, right = box
    part = Image.fromarray((picture[top:bottom, left:right] * 255).astype(np.uint8))
    return as_floats(part.resize((CROP_PX, CROP_PX), Image.Resampling.BOX))


def judge_input(crops: list[Picture]) -> Tensor:
    """Crops as one batch for the judge."""
    return torch.from_numpy(np.stack(crops)).movedim(-1, 1) * 2 - 1


@dataclass(frozen=True, eq=False)
class Crop:
    """A crop, and the numbers of its class and of its colour word."""

    picture: Picture
    number: int
    colour: int

    @staticmethod
    def of(picture: Picture, thing: Thing) -> "Crop":
        """A crop that shows a thing."""
        colour = UNTOLD if thing.colour is None else COLOUR_WORDS.index(thing.colour)
        return Crop(picture, CLASSES.index(thing.word), colour)


def painted_crops(painter: Painter, rng: Rng) -> list[Crop]:
    """The crops of one painted canvas: its objects and two patches of its material."""
    material = draw_material(rng)
    bare = painter.material(material, rng, CANVAS_PX)
    found = [Crop.of(crop(bare, _patch(rng)), material) for _ in range(2)]
    picture, regions = bare.copy(), draw_regions(rng, int(rng.integers(2, 5)))
    things = [draw_object(rng) for _ in regions]
    for region in regions:
        if rng.random() < 0.4:
            lay_patch(picture, rng, region.cells)
    for thing, region in zip(things, regions, strict=True):
        look = draw_look(rng, max(region.object_cells - int(rng.integers(0, 3)), 4))
        painter.put(picture, thing, look, region.corner(look.size_cells))
    for thing, region in zip(things, regions, strict=True):
        top, left, bottom, right = (CELL_PX * n for n in region.box)
        box = (top, left, bottom, right)
        if rng.random() < 0.2:
            spoiled = crop(_spoiled(picture, rng, box), with_margin(box))
            found.append(Crop(spoiled, NOTHING, UNTOLD))
        else:
            found.append(Crop.of(crop(picture, with_margin(box)), thing))
    return found


def _spoiled(picture: Picture, rng: Rng, box: Box) -> Picture:
    """The picture with the tiles of a box shuffled, or the box blurred beyond recognition."""
    top, left, bottom, right = box
    spoiled: Picture = picture.copy()
    part = picture[top:bottom, left:right]
    made = spoiled[top:bottom, left:right]
    if rng.random() < 0.4:
        image = Image.fromarray((part * 255).astype(np.uint8))
        radius = rng.uniform(0.12, 0.2) * min(image.size)
        made[:] = as_floats(image.filter(ImageFilter.GaussianBlur(radius)))
        return spoiled
    tile = min(bottom - top, right - left) // int(rng.integers(3, 6))
    rows, columns = range(0, bottom - top - tile + 1, tile), range(0, right - left - tile + 1, tile)
    corners = [(y, x) for y in rows for x in columns]
    for (y, x), source in zip(corners, rng.permutation(len(corners)), strict=True):
        v, u = corners[source]
        made[y : y + tile, x : x + tile] = part[v : v + tile, u : u + tile]
    return spoiled


def _patch(rng: Rng) -> Box:
    side = int(rng.integers(PATCHES_PX[0], PATCHES_PX[1] + 1))
    top, left = (int(n) for n in rng.integers(0, CANVAS_PX - side + 1, 2))
    return top, left, top + side, left + side


@dataclass(frozen=True, eq=False)
class Labelled:
    """Crops (N, 3, 64, 64) in bytes, their classes (N,) and their colours (N,)."""

    crops: Tensor
    classes: Tensor
    colours: Tensor


def paint_set(painter: Painter, seed: int, canvases: int) -> Labelled:
    """So many canvases' crops."""
    rng = np.random.default_rng([seed, 3])
    crops = [one for _ in range(canvases) for one in painted_crops(painter, rng)]
    pixels = np.stack([(one.picture * 255).astype(np.uint8) for one in crops])
    return Labelled(
        torch.from_numpy(pixels).movedim(-1, 1).contiguous(),
        torch.tensor([one.number for one in crops]),
        torch.tensor([one.colour for one in crops]),
    )


def disturb(x: Tensor, generator: torch.Generator) -> Tensor:
    """Shift, stretch, blur, tint and grain of a batch, so that only what is shown counts."""
    n = len(x)
    spread = torch.rand(n, 8, generator=generator) * 2 - 1
    turn = torch.zeros(n, 2, 3)
    turn[:, 0, 0], turn[:, 1, 1] = 1 + 0.12 * spread[:, 0], 1 + 0.12 * spread[:, 1]
    turn[:, :, 2] = 0.1 * spread[:, 2:4]
    x = F.grid_sample(
        x, F.affine_grid(turn, list(x.shape), False), padding_mode="reflection", align_corners=False
    )
    soft = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    share = (spread[:, 4] * 0.9).clamp_min(0)[:, None, None, None]
    x = x + share * (soft - x) + 0.05 * spread[:, 5:8, None, None]
    return x + 0.04 * torch.randn(x.shape, generator=generator)


def train_judge(data: Labelled, seed: int, epochs: int = 8, batch: int = 64) -> Judge:
    """Plain cross entropy, one cycle of the learning rate."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    judge = Judge()
    judge.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(judge.parameters(), lr=2e-3, weight_decay=0.02)
    steps = epochs * (len(data.crops) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, steps, pct_start=0.15)
    for step in range(steps):
        chosen = torch.randint(len(data.crops), (batch,), generator=generator)
        x = disturb(data.crops[chosen].float() / 127.5 - 1, generator)
        with autocast(x.device):
            words, colours = judge(x.to(memory_format=torch.channels_last))
        words, colours = words.float(), colours.float()
        loss = F.cross_entropy(words, data.classes[chosen], label_smoothing=0.05)
        wanted = data.colours[chosen]
        loss = loss + 0.5 * F.cross_entropy(colours, wanted, ignore_index=UNTOLD)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            log.info("judge step %d of %d: loss %.3f", step, steps, loss.item())
    judge.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return judge.eval()


@torch.inference_mode()
def accuracy(judge: Judge, data: Labelled) -> tuple[float, float]:
    """Shares of crops whose top class, and of coloured ones whose top colour, is right."""
    found = [judge(x.float() / 127.5 - 1) for x in torch.split(data.crops, 256)]
    words = torch.cat([word.argmax(1) for word, _ in found]) == data.classes
    colours = torch.cat([colour.argmax(1) for _, colour in found]) == data.colours
    told = data.colours != UNTOLD
    return float(words.float().mean()), float(colours[told].float().mean())


def save_judge(judge: Judge, path: Path) -> None:
    """Write a judge's weights, in half precision."""
    state = {
        name: held.half() if held.is_floating_point() else held
        for name, held in judge.state_dict().items()
    }
    save_file(state, path)


def load_judge(path: Path) -> Judge:
    """A trained judge."""
    judge = Judge()
    judge.load_state_dict(load_file(path))
    return judge.eval()


def main(arguments: list[str] | None = None) -> None:
    """Train a judge and report its accuracy on held-out pictures."""
    parser = argparse.ArgumentParser(prog="smd_cli.starter.classifier", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="a .safetensors file")
    parser.add_argument("--font", type=Path, help="NotoColorEmoji.ttf, if in no usual place")
    parser.add_argument("--canvases", type=int, default=14000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(options.threads)
    painter = Painter(load_glyphs(find_font(options.font)), seed=1000)
    save_judge(
        train_judge(paint_set(painter, options.seed, options.canvases), options.seed), options.out
    )
    held_out = paint_set(painter, options.seed + 1, 600)
    shares = accuracy(load_judge(options.out), held_out)
    log.info("held-out accuracy: words %.4f, colours %.4f (%d)", *shares, len(held_out.crops))


if __name__ == "__main__":
    main()
