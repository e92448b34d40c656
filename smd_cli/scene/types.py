"""The scene as frozen objects. Every value is final: defaults are already filled in.

Built by `smd_cli.scene.parse.load_scene`; read by check, plan and the writers. All objects are
hashable, so that parts of a plan can be cached by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from smd_cli.errors import KeyPath, Place, Problem
from smd_cli.models.ref import ModelRef
from smd_cli.scene.mask_parts import Channel as Channel
from smd_cli.scene.mask_parts import EllipseMask as EllipseMask
from smd_cli.scene.mask_parts import Fit as Fit
from smd_cli.scene.mask_parts import ImageMask as ImageMask
from smd_cli.scene.mask_parts import Length as Length
from smd_cli.scene.mask_parts import MaskPart as MaskPart
from smd_cli.scene.mask_parts import Point as Point
from smd_cli.scene.mask_parts import PolygonMask as PolygonMask
from smd_cli.scene.mask_parts import RectMask as RectMask
from smd_cli.scene.mask_parts import Repeat as Repeat
from smd_cli.scene.text.streams import folder_of
from smd_cli.scene.track import Track

if TYPE_CHECKING:
    from smd_cli.scene.named import NamedFile
    from smd_cli.scene.overrides import Override
    from smd_cli.scene.text.nodes import Node

T = TypeVar("T")

MaskType = Literal["discrete", "continuous", "semi-continuous"]
Method = Literal["stream", "multidiffusion"]
GuidanceType = Literal["none", "full", "self", "initialize"]
Windows = int | Literal["auto", "off"]
BlendAfter = int | Literal["never", "bootstrap"]
NoiseKind = Literal["independent", "fixed", "walk", "flow"]
NoiseBetween = Literal["fresh", "kept"]
Loop = bool | Literal["ping-pong"]
Similarity = float | Literal["off"]
SamplerPreset = Literal["auto", "paper"]
Wrap = Literal["none", "x", "y", "both"]
Audio = Literal["keep", "drop"]
Profile = Literal["own", "srgb"]

Wrapped = tuple[bool, bool]
"""Whether rows, from the top to the bottom, and columns of a canvas go on at their other end."""

NOT_WRAPPED: Wrapped = (False, False)


@dataclass(frozen=True)
class Fade(Generic[T]):
    """Where a prompt or a seed is on its way to another, `to`: `share` of it, between 0 and 1."""

    to: T
    share: float


@dataclass(frozen=True)
class Brush:
    """A semantic brush: a prompt with a mask (the union of its parts).

    `prompt` and `negative` are complete (prefix, suffix and defaults joined). `number` counts from
    1 in painter's order; `seed` None uses the scene's noise. `repaint` 1 paints anew; less starts
    from what lies under the brush, 0 keeps that. `tracks`: what changes from frame to frame, until
    `motion.scene_at` has put one frame's values in their place; those between two keys fade.
    """

    number: int
    prompt: str
    mask: tuple[MaskPart, ...]
    name: str | None = None
    negative: str = ""
    alpha: float = 1.0
    blur_px: float = 8.0
    strength: float = 0.95
    seed: int | None = None
    enabled: bool = True
    repaint: float = 1.0
    tracks: tuple[Track, ...] = ()
    prompt_fade: Fade[str] | None = None
    negative_fade: Fade[str] | None = None
    seed_fade: Fade[int] | None = None

    @property
    def label(self) -> str:
        """The name, or ``brush 2`` where there is none."""
        return self.name or f"brush {self.number}"

    @property
    def moves(self) -> bool:
        """Whether anything about it changes from frame to frame."""
        return bool(self.tracks) or any(part.tracks for part in self.mask)


@dataclass(frozen=True)
class Background:
    """What lies under the brushes: a prompt, a picture or a plain colour (red, green, blue).

    `fit` says how a picture of another aspect ratio meets the canvas; None takes none. `repaint`:
    how much of the picture the prompt paints anew, 0 (none) to 1 (all). `captioner`: the model that
    is asked for the prompt, None where it is written; `caption`: what it says, None until it is
    asked. `tracks` and what fades: as of a brush. `repeat`: as of an image that is a mask.
    `profile`: whether the picture is written in the colours of its own profile, or in sRGB.
    """

    prompt: str | None = None
    negative: str = ""
    image: Path | None = None
    image_written: str = ""
    color: tuple[int, int, int] = (255, 255, 255)
    fit: Fit | None = None
    repaint: float = 0.0
    captioner: ModelRef | None = None
    caption: str | None = None
    tracks: tuple[Track, ...] = ()
    prompt_fade: Fade[str] | None = None
    negative_fade: Fade[str] | None = None
    repeat: Repeat | None = None
    profile: Profile = "own"

    @property
    def wants_caption(self) -> bool:
        """Whether its prompt is still to be asked for."""
        return self.captioner is not None and self.caption is None

    @property
    def caption_file(self) -> Path | None:
        """Where a caption of its picture is kept; None where none is asked for."""
        if self.captioner is None or self.image is None:
            return None
        return self.image.with_name(f"{self.image.name}.caption.txt")

    @property
    def repainted(self) -> bool:
        """Whether the picture is painted over, all of it: none of its pixels is kept."""
        return self.image is not None and self.repaint > 0

    @property
    def generated(self) -> bool:
        """Whether it is a brush of its own: it has a prompt, and no picture that is kept."""
        return self.prompt is not None and (self.image is None or self.repainted)


@dataclass(frozen=True)
class Bootstrap:
    """Slots that start from a plain background; `mix` white share, `leak` 0 = off (engine.md)."""

    steps: int = 1
    mix: float = 1.0
    leak: float = 0.0


@dataclass(frozen=True)
class Guidance:
    """Classifier-free guidance: kind, scale g and residual weight δ (R-CFG)."""

    type: GuidanceType = "none"
    scale: float = 1.0
    delta: float = 1.0


@dataclass(frozen=True)
class Sampler:
    """How a frame is denoised. Exactly one of `steps` and `timesteps` is not None.

    `method` ``multidiffusion`` is the slow baseline: DDIM steps whose results are averaged.
    `noise_between`: whether a slot's result is noised for the next one afresh, or goes on with the
    noise that it was found in. `windows`: the least side in pixels of what a brush's network rows
    see; ``auto`` is the model's, ``off`` the whole canvas. `blend_after`: the slot (from 0) from
    which on one row serves all brushes, which the network blends; ``bootstrap`` the first that is
    not bootstrapped. `refine` 2: all is painted at half size first, and then once more at its own;
    1 is off. `similarity`, below 1: frames that are about as alike as that to the last one painted
    are skipped.
    """

    preset: SamplerPreset = "auto"
    steps: int | None = 5
    timesteps: tuple[int, ...] | None = None
    mask_type: MaskType = "continuous"
    cover: float = 0.3
    bootstrap: Bootstrap = Bootstrap()
    guidance: Guidance = Guidance()
    noise: NoiseKind = "independent"
    preaverage: bool = True
    method: Method = "stream"
    windows: Windows = "auto"
    blend_after: BlendAfter = "never"
    noise_between: NoiseBetween = "fresh"
    refine: int = 1
    similarity: Similarity = "off"

    @property
    def sees_all(self) -> bool:
        """Whether every network row sees the whole canvas, however large."""
        whole = self.preset == "paper" or self.guidance.type == "initialize"
        return whole or self.windows == "off"


MULTIDIFFUSION = Sampler(
    method="multidiffusion",
    steps=50,
    mask_type="discrete",
    bootstrap=Bootstrap(steps=20, mix=20.0),
    guidance=Guidance("full", 7.5),
    preaverage=False,
    windows="off",
    noise_between="kept",
)
"""The baseline as published in arXiv 2302.08113, with white instead of random plain colours."""


@dataclass(frozen=True)
class Output:
    """How moving pictures are written: frames per second, endless loop, quality 1..100.

    `loop` ``ping-pong`` is endless too, and goes back from the last frame to the first.
    `audio`: whether the sound of a film beneath is kept in films that it goes with.
    """

    fps: float = 12.0
    loop: Loop = True
    quality: int = 90
    audio: Audio = "keep"


@dataclass(frozen=True)
class Scene:
    """A whole scene. `size` (width, height) None: taken from the pictures or the model.

    `brushes` holds muted ones too, in painter's order; `active` only those that are painted.
    `wrap`: the sides of the canvas that go on at their other end, along x or y or both; `prefix`
    and `suffix` are those of every prompt, which has them already.
    """

    model: ModelRef
    background: Background
    brushes: tuple[Brush, ...]
    sampler: Sampler
    output: Output
    size: tuple[int, int] | None = None
    seed: int = 0
    seed_was_random: bool = False
    frames: int = 1
    wrap: Wrap = "none"
    prefix: str = ""
    suffix: str = ""

    @property
    def wraps(self) -> Wrapped:
        """`wrap`, of rows and of columns."""
        return self.wrap in ("y", "both"), self.wrap in ("x", "both")

    @property
    def active(self) -> tuple[Brush, ...]:
        """The brushes that are not muted."""
        return tuple(b for b in self.brushes if b.enabled)

    @property
    def moves(self) -> bool:
        """Whether anything changes from frame to frame, besides the noise."""
        return bool(self.background.tracks) or any(brush.moves for brush in self.brushes)

    def counted(self, frame: int) -> int:
        """Which of its own frames one of an endless stream is: of several they go round."""
        return frame % self.frames if self.frames > 1 else frame

    @property
    def pictures(self) -> Mapping[Path, str]:
        """The files that it names, each as it is written: masks, muted or not, and background."""
        masks = [part for brush in self.brushes for part in brush.mask]
        found = {part.path: part.written for part in masks if isinstance(part, ImageMask)}
        if self.background.image is not None:
            found[self.background.image] = self.background.image_written
        return found


@dataclass(frozen=True)
class SceneFile:
    """A scene with where it came from.

    `name` is the file's stem ("stdin" for a scene read from there), `file` the path as given,
    `text` its exact text, `overrides` the ``key=value`` strings applied on top, in order. `places`
    tells where each written key stands: ``("brushes", 0, "mask")`` (index from 0), ``("seed",)``.
    `changes` are the overrides with where they came from, `root` is what text and changes say;
    `warnings`: what is legal in its text but hardly meant.
    """

    scene: Scene
    name: str
    file: str
    text: str
    overrides: tuple[str, ...] = ()
    places: Mapping[KeyPath, Place] = field(default_factory=dict, compare=False)
    changes: tuple[Override, ...] = field(default=(), compare=False)
    root: Node | None = field(default=None, compare=False)
    warnings: tuple[Problem, ...] = field(default=(), compare=False)

    @property
    def folder(self) -> Path:
        """Where relative paths in its text start."""
        return folder_of(self.file)

    @cached_property
    def named(self) -> tuple[NamedFile, ...]:
        """The files that text and changes name."""
        from smd_cli.scene.named import named_files

        return named_files(self.root, self.folder) if self.root else ()

    def place(self, *path: str | int) -> Place:
        """The place of a key, or of the nearest thing around it that was written."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.places:
                return self.places[path[:end]]
        return Place(self.file, 1, 1)
