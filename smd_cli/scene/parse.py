"""The scene format: nodes → a frozen, checked Scene. Every section and its keys are in here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, get_args

from smd_cli.errors import Place, Problem, SceneError, UsageError
from smd_cli.models.captioner import DEFAULT_CAPTIONER
from smd_cli.models.facts import read_defaults, resolve_model
from smd_cli.models.ref import ModelRef
from smd_cli.scene.beneath import Beneath
from smd_cli.scene.keys.fields import (
    color,
    file_path,
    flag,
    flag_or,
    integer,
    number,
    one_line,
    one_of,
    phrase,
    seed,
    seed_or_random,
    size,
    text,
)
from smd_cli.scene.keys.keyframes import TrackReader
from smd_cli.scene.keys.mask import FITS, REPEATS, MaskReader
from smd_cli.scene.keys.model import BRUSH_LORA_HINT, DEFAULT_MODEL, NO_BRUSH_LORA, ModelReader
from smd_cli.scene.keys.sampler import leaking, read_sampler
from smd_cli.scene.keys.schema import short_form
from smd_cli.scene.keys.sections import Notes, Section, reject
from smd_cli.scene.overrides import Override, apply_overrides, brush_name
from smd_cli.scene.text.nodes import Lines, Node, from_data, parse_yaml, written_places
from smd_cli.scene.text.source import Source, read_source
from smd_cli.scene.types import (
    Audio,
    Background,
    Brush,
    Output,
    Profile,
    Sampler,
    Scene,
    SceneFile,
    Wrap,
)
from smd_cli.units import shown

MAX_FRAMES = 1_000_000
MAX_BLUR_PX = 1000
MAX_BRUSHES = 1000
Beside = Callable[[Sequence[Problem], Node, Path], Sequence[Problem]]
"""Problems of a scene, its root and folder → these problems, and others."""

AUTO = "auto"  # a prompt of this one word beside a picture
_SHARE = number(0, 1)
_WRAPS: tuple[Wrap, ...] = get_args(Wrap)
_AUDIO: tuple[Audio, ...] = get_args(Audio)
_PROFILES: tuple[Profile, ...] = get_args(Profile)
_BLUR = number(0, MAX_BLUR_PX)
_PING_PONG: Literal["ping-pong"] = "ping-pong"


def load_scene(
    source: str | Source,
    overrides: Sequence[Override] = (),
    *,
    only: Sequence[str] = (),
    without: Sequence[str] = (),
    stdin: IO[bytes] | None = None,
    beside: Beside = lambda problems, root, folder: problems,  # noqa: ARG005
) -> SceneFile:
    """Read and check the scene in the file `source` (``-`` is standard input), or its text.

    `only` and `without` mute brushes by name or number. Raises SceneError with every problem, in
    the order of the file and then of the options; `beside` adds to them what else is wrong.
    """
    origin = source if isinstance(source, Source) else read_source(source, stdin)
    document = parse_yaml(origin.text, Lines(origin.file, origin.text).place)
    if document is None:
        raise SceneError([Problem(Place(origin.file), "the scene is empty")])
    root, applied, problems = apply_overrides(document.root, overrides, only, without)
    notes = Notes(document.problems + problems)
    scene = notes.attempt(None, _scene, root, origin.folder)
    if scene and not notes.problems and not _paints(scene):
        notes.problems.append(_nothing(scene, _muted_at(root, applied)))
    if scene is None or notes.problems:
        told = beside(notes.problems, root, origin.folder)
        raise SceneError(_in_order(told, origin.file, [o.place.file for o in applied]))
    made = tuple(str(override) for override in applied)
    return SceneFile(
        scene,
        origin.name,
        origin.file,
        origin.text,
        made,
        written_places(root),
        applied,
        root,
        document.warnings,
    )


def _in_order(problems: Sequence[Problem], file: str, options: Sequence[str]) -> list[Problem]:
    """Each problem once: those of the file by line, then those of the options, then others."""

    known = {option: index for index, option in reversed([*enumerate(options)])}

    def rank(problem: Problem) -> tuple[int, int, int]:
        place = problem.place
        if place.file == file:
            return 0, place.line, place.column
        return (1, known[place.file], 0) if place.file in known else (2, 0, 0)

    return sorted(dict.fromkeys(problems), key=rank)


def _paints(scene: Scene) -> bool:
    """Whether a model has anything to do in the scene."""
    return bool(scene.active) or scene.background.generated


def _nothing(scene: Scene, place: Place) -> Problem:
    kept = "is a picture that is kept" if scene.background.image else "has no prompt"
    return Problem(
        place, f"there is nothing to paint: no brush is enabled and the background {kept}"
    )


def _muted_at(root: Node, applied: Sequence[Override]) -> Place:
    """The last option that mutes a brush; without one, the brushes; without those, the scene."""
    options = [o.place for o in applied if o.key.endswith(".enabled")]
    return options[-1] if options else root.children.get("brushes", root).place


# --- The scene and its sections -------------------------------------------------------------------


@dataclass(frozen=True)
class _Wording:
    """What is joined to every prompt."""

    prefix: str = ""
    suffix: str = ""

    def prompt(self, node: Node) -> str:
        """The complete prompt."""
        return f"{self.prefix}{phrase(node)}{self.suffix}"


@dataclass(frozen=True)
class _Defaults:
    """What every brush starts from."""

    negative: str = ""
    alpha: float = 1.0
    blur_px: float = 8.0
    strength: float = 0.95
    repaint: float = 1.0


def _scene(root: Node, folder: Path) -> Scene:
    with Section(root, "the scene") as keys:
        canvas = keys.get("size", size, None)
        model = keys.get("model", ModelReader(folder), resolve_model(DEFAULT_MODEL, folder))
        own_sampler, own_blur_px = keys.attempt(
            (Sampler(), 8.0), own_defaults, model, root.children.get("model", root).place
        )
        sampler = keys.get("sampler", lambda node: read_sampler(node, own_sampler), own_sampler)
        wording = keys.get("prompt", _wording, _Wording())
        blur_px = 8.0 if sampler.preset == "paper" else own_blur_px
        start = _Defaults(blur_px=blur_px)
        start = keys.get("defaults", lambda node: _defaults(node, start), start)
        beneath = Beneath(root, folder)
        frames = keys.get("frames", beneath.frames(integer(1, MAX_FRAMES, " or auto")), 1)
        brush = _BrushReader(start, wording, MaskReader(folder, canvas, frames), frames)
        drawn = keys.get("seed", seed_or_random, 0)
        background = keys.get(
            "background",
            lambda node: _background(
                node, start.negative, wording, folder, frames, canvas is not None
            ),
            Background(negative=start.negative),
        )
        return Scene(
            model=model,
            background=background,
            brushes=keys.get("brushes", brush.all, ()),
            sampler=leaking(sampler, root, model) if background.image else sampler,
            output=keys.get("output", lambda node: _output(node, beneath), Output()),
            size=canvas,
            seed=_drawn_seed() if drawn is None else drawn,
            seed_was_random=drawn is None,
            frames=frames,
            wrap=keys.get("wrap", one_of(*_WRAPS), "none"),
            prefix=wording.prefix,
            suffix=wording.suffix,
        )


def own_defaults(model: ModelRef, place: Place) -> tuple[Sampler, float]:
    """The model's own sampler and blur, checked like the scene's."""
    try:
        own = read_defaults(model)
    except UsageError as error:
        raise SceneError([Problem(place, error.message, error.hint)]) from None
    stated = Place(str(model.folder / "smd.json")) if model.folder else place
    blur = from_data("blur", 8.0 if own.blur_px is None else own.blur_px, stated)
    sampler = from_data("sampler", own.sampler, stated)
    with Notes() as notes:
        read = notes.attempt(Sampler(), read_sampler, sampler, Sampler())
        return read, notes.attempt(8.0, _BLUR, blur)


def _wording(node: Node) -> _Wording:
    if node.text and not node.children:
        hint = "what a picture shows is the prompt of its background: or of a brush"
        reject(node, "a mapping of prefix: and suffix:", hint)
    with Section(node, "the prompt section") as keys:
        return _Wording(keys.get("prefix", text, ""), keys.get("suffix", text, ""))


def _defaults(node: Node, start: _Defaults) -> _Defaults:
    with Section(node, "the defaults") as keys:
        return _Defaults(
            negative=keys.get("negative", text, start.negative),
            alpha=keys.get("alpha", _SHARE, start.alpha),
            blur_px=keys.get("blur", _BLUR, start.blur_px),
            strength=keys.get("strength", _SHARE, start.strength),
            repaint=keys.get("repaint", _SHARE, start.repaint),
        )


def _background(
    node: Node, negative: str, wording: _Wording, folder: Path, frames: int, sized: bool
) -> Background:
    if short_form(node, "background") is not None:
        return Background(wording.prompt(node), negative)
    with Section(node, "the background") as keys:
        image, written = keys.get("image", lambda node: file_path(node, folder), (None, ""))
        tracks = TrackReader(frames)
        repaint = keys.get("repaint", tracks.keyed("repaint", _SHARE), 0.0)
        own: Profile = "srgb" if sized and image is not None else "own"
        captioner = keys.get("caption_model", ModelReader(folder).captioner, DEFAULT_CAPTIONER)
        _refuse_repaint(keys, node, max([repaint, *(v for t in tracks.found for v in t.values)]))
        if "image" not in node.children:
            hint = "image: names a film, an animation or a sequence of files"
            keys.refuse("repeat", "repeat needs pictures that it goes on with", hint)
        return Background(
            prompt=keys.get("prompt", tracks.keyed("prompt", wording.prompt), None),
            negative=keys.get("negative", tracks.keyed("negative", text), negative),
            image=image,
            image_written=written,
            fit=keys.get("fit", one_of(*FITS), None),
            profile=keys.get("profile", one_of(*_PROFILES), own),
            color=keys.get("color", color, (255, 255, 255)),
            repaint=repaint,
            captioner=captioner if _is_auto(node) else None,
            tracks=tracks.found,
            repeat=keys.get("repeat", one_of(*REPEATS), None),
        )


def _is_auto(node: Node) -> bool:
    """Whether a background's prompt is what a captioning model says of its picture."""
    prompt = node.children.get("prompt")
    return prompt is not None and prompt.text == AUTO and "image" in node.children


def _refuse_repaint(keys: Section, node: Node, repaint: float) -> None:
    """Say that a background's `repaint` lacks what it starts from, or what to paint."""
    if "repaint" in node.children and "image" not in node.children:
        hint = "image: names it; a background that is only a prompt is painted anew anyway"
        keys.refuse("repaint", "repaint needs a picture to start from", hint)
    elif repaint > 0 and "prompt" not in node.children:
        hint = "prompt: says what the whole picture shall show"
        keys.refuse("repaint", "repaint needs a prompt to paint the picture anew by", hint)


def _output(node: Node, beneath: Beneath) -> Output:
    with Section(node, "the output") as keys:
        return Output(
            fps=keys.get("fps", beneath.fps(number(0.1, 240, " or auto")), 12.0),
            loop=keys.get("loop", flag_or(_PING_PONG), True),
            quality=keys.get("quality", integer(1, 100), 90),
            audio=keys.get("audio", one_of(*_AUDIO), "keep"),
        )


@dataclass(frozen=True)
class _BrushReader:
    """Reads brushes that start from `start`, of a scene of `frames` frames."""

    start: _Defaults
    wording: _Wording
    mask: MaskReader
    frames: int

    def all(self, node: Node) -> tuple[Brush, ...]:
        """The list of brushes, in painter's order."""
        if not isinstance(node.value, tuple):
            reject(node, "a list of brushes (- prompt: …)")
        if len(node.value) > MAX_BRUSHES:
            reject(node, f"a list of at most {MAX_BRUSHES} brushes")
        with Notes(_named_twice(node.items)) as notes:
            return notes.each(enumerate(node.items, 1), self._brush)

    def _brush(self, numbered: tuple[int, Node]) -> Brush:
        count, node = numbered
        called = brush_name(node) or str(count)
        start, tracks = self.start, TrackReader(self.frames)
        keyed = tracks.keyed
        with Section(node, f"brush {shown(called, quote=False)}") as keys:
            keys.refuse("lora", NO_BRUSH_LORA, BRUSH_LORA_HINT)
            return Brush(
                number=count,
                name=keys.get("name", one_line, None),
                prompt=keys.need("prompt", keyed("prompt", self.wording.prompt), ""),
                mask=keys.need("mask", self.mask, ()),
                negative=keys.get("negative", keyed("negative", text), start.negative),
                alpha=keys.get("alpha", keyed("alpha", _SHARE), start.alpha),
                blur_px=keys.get("blur", keyed("blur", _BLUR), start.blur_px),
                strength=keys.get("strength", keyed("strength", _SHARE), start.strength),
                repaint=keys.get("repaint", keyed("repaint", _SHARE), start.repaint),
                seed=keys.get("seed", keyed("seed", seed), None),
                enabled=keys.get("enabled", keyed("enabled", flag), True),
                tracks=tracks.found,
            )


def _named_twice(brushes: Sequence[Node]) -> list[Problem]:
    """A problem for every brush that has the name of one before it."""
    first: dict[str, Place] = {}
    problems = []
    for brush in brushes:
        called = brush_name(brush)
        if called is None:
            continue
        place = brush.children["name"].place
        message = f"two brushes are named {shown(called)}"
        if place == first.get(called):  # one name in the text, which an alias repeats
            hint = "name: after the << gives it a name of its own"
            problems.append(Problem(brush.place, message, hint))
        elif called in first:
            where = f" (the first in line {first[called].line})" if first[called].line else ""
            problems.append(Problem(place, message + where))
        first.setdefault(called, place)
    return problems


def _drawn_seed() -> int:
    import secrets

    return secrets.randbelow(2**32)
