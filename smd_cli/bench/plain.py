"""The published algorithm done straightforwardly: what `smd` is measured against.

Every brush sees the whole canvas in every slot of every call, whether it has any weight there or
not; the pipe is filled by whole calls; a single picture asks for both halves of the guidance even
where it takes one. Sources: StreamMultiDiffusion (arXiv 2403.09055), with the corrections of our
golden files. Network, autoencoder and text encoder are the model's own; of `engine` it shares
neither step nor stream. Letters as in `engine.plan`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from smd_cli.bench.published import published_weights
from smd_cli.engine.contract import Backbone, Conditioning, Rows
from smd_cli.engine.layers import padded_size
from smd_cli.engine.planner import WHITE, seeded_noise
from smd_cli.engine.schedule import StepTable, table_for
from smd_cli.scene.paint.boxes import FULL, full_window
from smd_cli.scene.paint.painted import PaintedScene
from smd_cli.scene.types import Bootstrap, Scene


@dataclass(frozen=True, eq=False)
class Painting:
    """All that the frames depend on.

    `weights` (P, T, 1, h, w), brush 0 being the background; `prompts` and `negatives`: P rows each;
    `background` and `white`: clean latents (C, h, w); `slot_noise` (T, C, h, w); `start_noise`
    gives a frame's first x (C, h, w); `scale`: of the guidance, whose negative half a stream asks
    for where it is `guided`.
    """

    table: StepTable
    weights: Tensor
    prompts: Conditioning
    negatives: Conditioning
    background: Tensor
    white: Tensor
    slot_noise: Tensor
    start_noise: Callable[[int], Tensor]
    bootstrap: Bootstrap
    scale: float
    guided: bool


@torch.inference_mode()
def compile_painting(
    scene: Scene, painted: PaintedScene, backbone: Backbone, weights: Tensor | None = None
) -> Painting:
    """A scene with a prompted background, as the published engine is told of it.

    `weights` (P, T, 1, h, w) take the place of those by the published mask rules.
    """
    sampler, below, device = scene.sampler, scene.background, backbone.device
    width, height = padded_size(painted.size, backbone.multiple)
    table = table_for(
        sampler, lambda steps, taus: backbone.step_table(steps, taus, (width, height))
    )
    brushes = scene.active
    if weights is None:
        weights = weights_of(scene, painted, backbone, table)
    white = _plain_latent(WHITE, (height, width), backbone)
    is_white = below.color == WHITE
    background = white if is_white else _plain_latent(below.color, (height, width), backbone)
    shape, slots = background.shape, table.slots
    noise = seeded_noise(scene, painted.brushes, shape, slots, backbone.factor)
    strengths = [1.0, *(brush.strength for brush in brushes)]
    scale = 1.0 if sampler.guidance.type == "none" else sampler.guidance.scale
    prompts = [below.prompt or "", *(brush.prompt for brush in brushes)]
    negatives = [below.negative, *(brush.negative for brush in brushes)]
    return Painting(
        table=table,
        weights=weights,
        prompts=_conditioning(prompts, strengths, backbone, scale),
        negatives=_conditioning(negatives, strengths, backbone, scale),
        background=background,
        white=white,
        slot_noise=noise.slots().to(device),
        start_noise=lambda frame: noise.start(frame).to(device),
        bootstrap=sampler.bootstrap,
        scale=1.0 if backbone.embeds_guidance else scale,
        guided=sampler.guidance.type == "full" and not backbone.embeds_guidance,
    )


def weights_of(scene: Scene, painted: PaintedScene, backbone: Backbone, table: StepTable) -> Tensor:
    """The weights (P, T, 1, h, w) of a scene by the published mask rules."""
    width, height = painted.size
    levels = [brush.paint.read(full_window(painted.size)) for brush in painted.brushes]
    paint = np.stack(levels) if levels else np.zeros((0, height, width), dtype=np.uint8)
    edge = [(0, 0), (0, -height % backbone.multiple), (0, -width % backbone.multiple)]
    shares = np.pad(paint, edge, mode="edge") / np.float32(FULL)
    return published_weights(
        torch.from_numpy(shares).to(backbone.device),
        [brush.alpha for brush in scene.active],
        [brush.blur_px for brush in scene.active],
        table.sigmas,
        factor=backbone.factor,
        mask_type=scene.sampler.mask_type,
        cover=scene.sampler.cover,
    )


def _plain_latent(
    color: tuple[int, int, int], canvas: tuple[int, int], backbone: Backbone
) -> Tensor:
    """The latent (C, h, w) of one colour all over a canvas (H, W)."""
    one = torch.tensor(color, dtype=torch.float32, device=backbone.device) / 127.5 - 1
    return backbone.encode_image(one[None, :, None, None].expand(1, 3, *canvas))[0]


def _conditioning(
    texts: Sequence[str], strengths: Sequence[float], backbone: Backbone, scale: float
) -> Conditioning:
    """A row a text, each mixed with the first by its strength."""
    encoded = backbone.encode_prompts(texts)
    rows = [
        Conditioning({name: part[n : n + 1] for name, part in encoded.tensors.items()})
        for n in range(len(texts))
    ]
    mixed = [rows[0].mix(row, share) for row, share in zip(rows, strengths, strict=True)]
    stacked = Conditioning.stack(mixed)
    return stacked.guided(scale) if backbone.embeds_guidance else stacked


@torch.inference_mode()
def stream(now: Callable[[], Painting], backbone: Backbone, frames: int) -> Iterator[Tensor]:
    """Frames' latents (C, h, w), one a call after the first T - 1: each call has T·P rows.

    `now` is asked for the painting before every call; its slots and size stay.
    """
    painting = now()
    x = painting.slot_noise.clone()  # what stands in slots that no frame has reached
    slots = range(painting.table.slots)
    for call in range(frames + len(slots) - 1):
        painting = now()
        x[0] = painting.start_noise(min(call, frames - 1))
        x0 = _denoised(painting, backbone, x, slots, painting.guided)
        if call >= len(slots) - 1:
            yield x0[-1]
        x[1:] = torch.stack([_noised(painting, x0[i], i) for i in slots])[:-1]


@torch.inference_mode()
def single(painting: Painting, backbone: Backbone, frame: int) -> Tensor:
    """A frame's latents (C, h, w) by itself: T calls of 2·P rows."""
    x = painting.start_noise(frame)
    for slot in range(painting.table.slots):
        [x0] = _denoised(painting, backbone, x[None], [slot], doubled=True)
        x = _noised(painting, x0, slot)
    return x


def _noised(painting: Painting, x0: Tensor, slot: int) -> Tensor:
    """What the slot after this one begins with; after the last x0 as it is."""
    if slot + 1 == painting.table.slots:
        return x0
    alpha, sigma = painting.table.alphas[slot + 1], painting.table.sigmas[slot + 1]
    return alpha * x0 + sigma * painting.slot_noise[slot + 1]


def _denoised(
    painting: Painting, backbone: Backbone, x: Tensor, slots: Sequence[int], doubled: bool
) -> Tensor:
    """x (F, C, h, w) of frames in these slots to the averages (F, C, h, w) of all brushes' x0."""
    brushes, device = range(len(painting.weights)), x.device
    seen = [_view(painting, x[n], slot, p) for n, slot in enumerate(slots) for p in brushes]
    shifts = [_shift(painting, slot, p) for slot in slots for p in brushes]
    rolled = [view.roll(shift, (1, 2)) for view, shift in zip(seen, shifts, strict=True)]
    taus = [painting.table.timesteps[slot] for slot in slots for _ in brushes]
    output = _asked(painting, backbone, torch.stack(rolled), taus, doubled)
    back = [out.roll((-s[0], -s[1]), (1, 2)) for out, s in zip(output, shifts, strict=True)]
    p, q = (
        torch.tensor(column, dtype=x.dtype, device=device)[list(slots), None, None, None, None]
        for column in painting.table.to_denoised
    )
    shape = (len(slots), len(brushes), *x.shape[1:])
    x0 = p * torch.stack(seen).reshape(shape) + q * torch.stack(back).reshape(shape)
    return _averaged(painting, x0, painting.weights[:, list(slots)].transpose(0, 1))


def _view(painting: Painting, x: Tensor, slot: int, brush: int) -> Tensor:
    """What a brush sees of x (C, h, w): in a bootstrap slot only itself, on a noised plain."""
    if slot >= painting.bootstrap.steps:
        return x
    white = min(max(painting.bootstrap.mix - slot, 0.0), 1.0)
    plain = white * painting.white + (1 - white) * painting.background
    alpha, sigma = painting.table.alphas[slot], painting.table.sigmas[slot]
    around = alpha * plain + sigma * painting.slot_noise[0]
    inside = painting.weights[brush, slot]
    return inside * x + (1 - inside) * around


def _shift(painting: Painting, slot: int, brush: int) -> tuple[int, int]:
    """How far down and right a bootstrapped brush is rolled, to the middle of the canvas."""
    inside = painting.weights[brush, slot, 0] > 0
    if slot >= painting.bootstrap.steps or not inside.any():
        return 0, 0
    down, right = (inside.any(dim=other).nonzero().flatten().tolist() for other in (1, 0))
    height, width = inside.shape
    return (
        height // 2 - (down[0] + down[-1] + 1) // 2,
        width // 2 - (right[0] + right[-1] + 1) // 2,
    )


def _asked(
    painting: Painting, backbone: Backbone, x: Tensor, taus: Sequence[float], doubled: bool
) -> Tensor:
    """The network's output for rows (R, C, h, w), the brushes in turn; guided where `doubled`."""
    repeats = len(x) // len(painting.weights)
    encoded = [painting.prompts] * repeats
    if doubled:
        encoded = [painting.negatives] * repeats + encoded
        x, taus = torch.cat([x, x]), [*taus, *taus]
    height, width = (side * backbone.factor for side in x.shape[-2:])
    place = torch.tensor([0, 0, height, width], device=x.device).expand(len(x), 4)
    timesteps = torch.tensor(taus, device=x.device)
    output = backbone.predict(Rows(x, timesteps, Conditioning.stack(encoded), place))
    if not doubled:
        return output
    negative, positive = output.chunk(2)
    return negative + painting.scale * (positive - negative)


def _averaged(painting: Painting, x0: Tensor, weights: Tensor) -> Tensor:
    """x0 (F, P, C, h, w) by weights (F, P, 1, h, w); what they leave bare shows the background."""
    total = weights.sum(dim=1)
    mean = (weights * x0).sum(dim=1) / total.clamp(min=1e-12)
    bare = (1 - total).clamp(0, 1)
    return (1 - bare) * mean + bare * painting.background


@torch.inference_mode()
def pixels_of(latents: Tensor, backbone: Backbone, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Decode latents (C, h, w) to pixels (H, W, 3) of a canvas of `size` (W, H)."""
    width, height = size
    decoded = backbone.decode_latents(latents[None])[0, :, :height, :width]
    pixels = ((decoded.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return pixels.permute(1, 2, 0).cpu().numpy()
