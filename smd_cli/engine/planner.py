"""The planner: scenes compiled to plans for one model. Letters as in `plan`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from smd_cli.engine.contract import Backbone, Conditioning
from smd_cli.engine.crop import Crop, cropped_brushes, cropped_picture, scene_crop
from smd_cli.engine.layers import SoftMasks, padded_size, refuse_padding, rules_of
from smd_cli.engine.noise import TAKEN_ALONG, Region, SeededNoise, widened
from smd_cli.engine.paste import Paste, paste_of
from smd_cli.engine.plan import Plan
from smd_cli.engine.repaint import first_slots, half_of, phased_weights, refined_slot
from smd_cli.engine.rows import frame_rows
from smd_cli.engine.schedule import StepTable, bootstrap_slots, table_for
from smd_cli.engine.weights import Weights
from smd_cli.engine.windows import Legal, legal_windows
from smd_cli.scene.kept import Kept
from smd_cli.scene.paint.boxes import HALF
from smd_cli.scene.paint.errors import Size
from smd_cli.scene.paint.painted import Painted
from smd_cli.scene.paint.photo import Photo
from smd_cli.scene.types import Background, Brush, Fade, Guidance, Sampler, Scene, Wrapped

WHITE = (255, 255, 255)
Pixels = npt.NDArray[np.uint8]
Fading = tuple[str, Fade[str] | None]
"""A text, and the one that it is on its way to."""


class Planner:
    """Compiles scenes for one backbone; keeps what the last plan needed and the next may share.

    Its plans are tensors alone: they hold no backbone, so that one can leave while they stay.
    """

    def __init__(self, backbone: Backbone, soft_masks: SoftMasks | None = None) -> None:
        """`soft_masks` are shared with whoever works them out as well."""
        self.backbone = backbone
        self._soft = SoftMasks() if soft_masks is None else soft_masks
        self._prompts: dict[tuple[str, int], Conditioning] = {}
        self._latents: Kept[Tensor] = Kept()
        self._pastes: Kept[Paste] = Kept()
        self._noises: Kept[Tensor] = Kept()

    def read_ahead(self, scenes: Sequence[Scene]) -> None:
        """Have the model read all prompts of these scenes' frames before any of them is planned."""
        told = self.backbone.embeds_guidance
        texts = (
            text
            for scene in scenes
            for text in texts_of(
                scene, negative=not told and _wants_negative(scene.sampler.guidance)
            )
        )
        self.backbone.read_ahead([*dict.fromkeys(texts)])

    @torch.inference_mode()
    def plan(
        self,
        scene: Scene,
        painted: Sequence[Painted],
        size: tuple[int, int],
        photo: Photo | None = None,
    ) -> Plan:
        """Compile a scene whose masks and background picture are painted at `size`.

        Of a picture much larger than the model's canvas a part is generated (`scene_crop`), all of
        one that is repainted, of which a paste then keeps the transparency and the profile.
        """
        anew = scene.background.repainted
        with self._soft.cuts.round(), self._pastes.round(), self._noises.round():
            if scene.sampler.refine > 1:
                return self._refined(scene, painted, size)
            if photo is None or (anew and photo.is_plain):
                return self._plan(scene, painted, size, None if photo is None else photo.seen)
            native_px = self.backbone.native_px
            crop = Crop.whole(size) if anew else scene_crop(scene, painted, size, native_px)
            brushes = cropped_brushes(painted, crop, self._soft.cuts)
            plan = self._plan(scene, brushes, crop.size, cropped_picture(photo.seen, crop))
            numbers = sorted({p - anew for slot in plan.acting for p in slot})  # less the ground
            acting = [painted[n] for n in numbers if n >= 0]
            paste = paste_of(photo, crop, acting, self._pastes, scene.wraps, anew=anew)
            return replace(plan, paste=replace(paste, seed=scene.seed))

    def _refined(self, scene: Scene, painted: Sequence[Painted], size: Size) -> Plan:
        """The plan of a canvas that has a draft; nothing of it is bootstrapped after that."""
        small = Crop(0, 0, size, half_of(size))
        brushes = cropped_brushes(painted, small, self._soft.cuts)
        draft = self._plan(scene, brushes, small.size)
        sampler = scene.sampler
        later = replace(sampler, bootstrap=replace(sampler.bootstrap, steps=0))
        plan = self._plan(replace(scene, sampler=later), painted, size)
        return replace(plan, draft=draft, first=refined_slot(plan.table))

    def _plan(
        self, scene: Scene, painted: Sequence[Painted], size: Size, picture: Pixels | None = None
    ) -> Plan:
        """The plan of a canvas of `size`, all of which the model sees, over a picture (H, W, 3)."""
        assert not scene.background.wants_caption, "a picture is captioned before it is planned"
        backbone, device, sampler = self.backbone, self.backbone.device, scene.sampler
        guidance = Guidance() if backbone.embeds_guidance else sampler.guidance
        refuse_padding(scene.model.name, size, backbone.multiple, scene.wraps)
        padded = padded_size(size, backbone.multiple)
        table = table_for(
            sampler,
            lambda steps, taus: backbone.step_table(steps, taus, padded),
            spaced=backbone.spaced,
        )
        generated = scene.background.generated
        firsts = first_slots(scene, painted, table)
        weights = self._weights(scene, painted, size, table, firsts)
        repainters = frozenset(p for p, first in enumerate(firsts) if first)
        legal = self._legal(replace(sampler, guidance=guidance))
        plain, white = self._backgrounds(scene, padded, picture)
        slots = bootstrap_slots(sampler.bootstrap.steps, table)
        keeps = sampler.noise_between == "kept"
        renoises = not keeps and not sampler.preaverage
        rows = frame_rows(
            scene, weights, firsts, table, legal, self._soft.windows, blends=backbone.blends
        )
        conditioning, negative = self._conditioning(scene, generated, guidance)
        noise = seeded_noise(scene, painted, plain.shape, table.slots, backbone.factor)
        return Plan(
            table=table,
            weights=weights,
            conditioning=conditioning,
            negative=negative,
            background=plain,
            boot_backgrounds=_mixed_backgrounds(
                white, plain, sampler.bootstrap.mix, slots, table.blind
            ),
            windows=rows.windows,
            shared=rows.shared,
            wraps=scene.wraps,
            slot_noise=self._slot_noise(noise),
            start_noise=lambda frame: noise.start(frame).to(device),
            guidance=guidance,
            leak=sampler.bootstrap.leak,
            size=size,
            factor=backbone.factor,
            returns_leak=generated,
            brush_noise=noise.brushes(len(weights)).to(device) if renoises else None,
            keeps_noise=keeps,
            preaverages=sampler.preaverage,
            repainters=repainters,
        )

    def _slot_noise(self, noise: SeededNoise) -> Tensor:
        """The slots' noise (T, C, h, w), drawn once where the scene's seed alone tells it."""
        device = self.backbone.device
        if noise.regions:
            return noise.slots().to(device)
        key = (noise.seed, noise.shape, noise.slot_count)
        return self._noises.of(key, lambda: noise.slots().to(device))

    def _weights(
        self,
        scene: Scene,
        painted: Sequence[Painted],
        size: tuple[int, int],
        table: StepTable,
        firsts: Sequence[int],
    ) -> Weights:
        """Weights of all generated brushes, which start in the slots `firsts`, background first."""
        sampler, backbone = scene.sampler, self.backbone
        rules = rules_of(painted, size, sampler, backbone.factor, backbone.multiple, scene.wraps)
        return phased_weights(painted, firsts, rules, table, sampler.mask_type, self._soft)

    def _legal(self, sampler: Sampler) -> Legal | None:
        model = self.backbone
        return legal_windows(
            sampler, model.window_px, model.native_px, model.factor, model.multiple
        )

    def _backgrounds(
        self, scene: Scene, padded: tuple[int, int], picture: Pixels | None
    ) -> tuple[Tensor, Tensor]:
        """Latents (C, h, w) of the background and of plain white, on the padded (width, height)."""
        with self._latents.round():
            white = self._plain(WHITE, padded, scene.wraps)
            if picture is None:
                return self._plain(scene.background.color, padded, scene.wraps), white
            seen = hashlib.sha256(picture.tobytes()).digest()
            key = (seen, picture.shape, padded, scene.wraps)
            pictured = self._latents.of(key, lambda: self._pictured(picture, padded, scene.wraps))
            return pictured, white

    def _plain(self, color: tuple[int, int, int], size: tuple[int, int], wraps: Wrapped) -> Tensor:
        """The latents of a canvas (width, height) of one colour."""
        width, height = size

        def encode() -> Tensor:
            one = torch.tensor(color, dtype=torch.float32, device=self.backbone.device)
            pixels = (one / 127.5 - 1)[None, :, None, None].expand(1, 3, height, width)
            return self.backbone.encode_image(pixels, wraps)[0]

        return self._latents.of((color, size, wraps), encode)

    def _pictured(
        self, picture: npt.NDArray[np.uint8], padded: tuple[int, int], wraps: Wrapped
    ) -> Tensor:
        """The latents of a picture (H, W, 3), its edge going on to the padded (width, height)."""
        width, height = padded
        below = ((0, height - picture.shape[0]), (0, width - picture.shape[1]), (0, 0))
        whole = torch.from_numpy(np.pad(picture, below, mode="edge")).to(self.backbone.device)
        pixels = whole.permute(2, 0, 1)[None].float().div_(127.5).sub_(1)
        return self.backbone.encode_image(pixels, wraps)[0]

    def _conditioning(
        self, scene: Scene, generated: bool, guidance: Guidance
    ) -> tuple[tuple[Conditioning, ...], tuple[Conditioning, ...] | None]:
        """A prompt row for each generated brush, strength mixed in, and the negative ones.

        The scale that a network takes itself is told with them.
        """
        below, brushes = scene.background, scene.active
        positives = [(brush.prompt, brush.prompt_fade) for brush in brushes]
        wants_negative = _wants_negative(guidance)
        negatives = [(b.negative, b.negative_fade) for b in brushes if wants_negative]
        above = None if below.prompt is None else (below.prompt, below.prompt_fade)
        beneath = (below.negative, below.negative_fade)
        under = [] if above is None else [above, beneath][: 1 + wants_negative]
        known = self._encoded_prompts([*positives, *negatives, *under])
        base = None if above is None else known[above]
        rows = _strengthened([known[text] for text in positives], base, brushes, generated)
        if self.backbone.embeds_guidance:
            asked = scene.sampler.guidance
            scale = 1.0 if asked.type == "none" else asked.scale
            rows = tuple(row.guided(scale) for row in rows)
        if not wants_negative:
            return rows, None
        base = None if above is None else known[beneath]
        return rows, _strengthened([known[text] for text in negatives], base, brushes, generated)

    def _encoded_prompts(self, texts: Sequence[Fading]) -> dict[Fading, Conditioning]:
        """A row for every text, all of one length where the model can fill them up.

        Each is encoded by itself, so that it does not depend on the others; what fades into another
        lies between the rows of both.
        """
        kept, self._prompts = self._prompts, {}
        whole = dict.fromkeys(
            t for text, fade in texts for t in (text, *([fade.to] if fade else ()))
        )
        rows = {text: self._row(text, 0, kept) for text in whole}
        longest = max((row["tokens"].shape[1] for row in rows.values()), default=0)
        rows |= {
            text: self._row(text, longest, kept)
            for text, row in rows.items()
            if row["tokens"].shape[1] != longest
        }
        return {
            (text, fade): _faded(rows[text], rows[fade.to], fade.share) if fade else rows[text]
            for text, fade in texts
        }

    def _row(
        self, text: str, length: int, kept: dict[tuple[str, int], Conditioning]
    ) -> Conditioning:
        key = (text, length)
        found = kept.get(key)
        row = self.backbone.encode_prompts([text], length) if found is None else found
        self._prompts[key] = row
        return row


def _faded(one: Conditioning, other: Conditioning, share: float) -> Conditioning:
    """A row on its way to another; where their lengths differ, the one that is nearer."""
    if one.key != other.key:
        return one if share < 0.5 else other
    return one.mix(other, share)


def _wants_negative(guidance: Guidance) -> bool:
    return guidance.type in ("full", "initialize")


def texts_of(scene: Scene, *, negative: bool) -> list[str]:
    """All prompts, and with `negative` those too, that any frame of a scene is painted with."""
    painted: list[Brush | Background] = [b for b in scene.brushes if b.enabled]
    if scene.background.prompt is not None:
        painted.append(scene.background)
    keys = ("prompt", "negative")[: 1 + negative]
    found = [getattr(one, key) for one in painted for key in keys]
    moving = (track for one in painted for track in one.tracks if track.key in keys)
    return [*dict.fromkeys([*found, *(text for track in moving for text in track.values)])]


def _strengthened(
    rows: Sequence[Conditioning],
    base: Conditioning | None,
    brushes: Sequence[Brush],
    generated: bool,
) -> tuple[Conditioning, ...]:
    """A row a brush: lerp(background text, brush text, strength), the background's first."""
    if base is None:
        return tuple(rows)
    mixed = (base.mix(row, brush.strength) for row, brush in zip(rows, brushes, strict=True))
    return (base, *mixed) if generated else tuple(mixed)


def seeded_noise(
    scene: Scene,
    painted: Sequence[Painted],
    shape: Sequence[int],
    slots: int,
    factor: int,
) -> SeededNoise:
    """The scene's noise; a brush with a seed draws its own where its paint is ≥ 0.5.

    So does one that moves where noise flows, from the scene's seed if it has none, and takes along
    what is TAKEN_ALONG around.
    """
    channels, height, width = shape
    regions = []
    for p in painted:
        mask = torch.from_numpy(p.paint.cells(factor, (height, width)) >= HALF)
        seed = scene.seed if p.brush.seed is None else p.brush.seed
        if scene.sampler.noise == "flow" and p.travel_px is not None:
            travel = (p.travel_px[0] / factor, p.travel_px[1] / factor)
            regions.append(Region(widened(mask, TAKEN_ALONG), seed, p.brush.seed_fade, travel))
        elif p.brush.seed is not None:
            regions.append(Region(mask, seed, p.brush.seed_fade))
    return SeededNoise(
        seed=scene.seed,
        shape=(channels, height, width),
        slot_count=slots,
        kind=scene.sampler.noise,
        frames=scene.frames,
        regions=tuple(regions),
    )


def _mixed_backgrounds(
    white: Tensor, background: Tensor, mix: float, slots: int, blind: int
) -> Tensor:
    """Bootstrap surroundings (S, C, h, w): r·white + (1-r)·background, r = clip(mix - i, 0, 1).

    i counts from the first slot in which they can be seen, after so many that are `blind`.
    """
    shares = [min(max(mix - max(i - blind, 0), 0.0), 1.0) for i in range(slots)]
    share = torch.tensor(shares, dtype=white.dtype, device=white.device)[:, None, None, None]
    return share * white + (1 - share) * background
