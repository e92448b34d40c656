"""Prompts that do not mean to the model what their writer meant."""

from __future__ import annotations

import re
from collections.abc import Iterator

from smd_cli.errors import KeyPath, Problem
from smd_cli.models.facts import ModelDefaults
from smd_cli.scene.motion import tracks_of
from smd_cli.scene.paint.pictures import quote
from smd_cli.scene.types import Scene, SceneFile
from smd_cli.units import shortened
from smd_cli.work.advice.syntax import foreign_syntax
from smd_cli.work.advice.words import unknown_words

_PICTURE = re.compile(
    r".*\.(?:a?png|jpe?g|jp2|webp|tiff?|gif|bmp|psd|tga|p[bgpn]m|avif|svg|hei[cf]|kra|xcf|exr"
    r"|mp4|mov|mkv|webm)|(?:https?|file)://\S+",
    re.IGNORECASE,
)
_COLOUR = re.compile(r"#(?:[0-9a-f]{3}|[0-9a-f]{6})|rgb\(.*\)", re.IGNORECASE)
_MOST_OF_A_NAME = 250  # characters


def prompt_warnings(scene_file: SceneFile, defaults: ModelDefaults) -> Iterator[Problem]:
    """Everything about the scene's prompts, negative ones included."""
    scene = scene_file.scene
    prompts: list[tuple[KeyPath, str]] = [
        (("brushes", b.number - 1, "prompt"), b.prompt) for b in scene.active
    ]
    if scene.background.prompt is not None and not scene.background.wants_caption:
        prompts.append((("background", "prompt"), scene.background.prompt))
    for at, track in tracks_of(scene):
        prompts += [(at, value) for value in track.values[1:] if track.key == "prompt"]
    for path, prompt in prompts:
        own = prompt[len(scene.prefix) : len(prompt) - len(scene.suffix)]
        told = [*_file_as_words(scene_file, path, own.strip())]
        yield from told or unknown_words(scene_file, path, prompt, defaults)
        yield from _foreign(scene_file, path, prompt)
    for path, negative in _negatives(scene):
        written = path if path in scene_file.places else ("defaults", "negative")
        yield from _file_as_words(scene_file, written, negative.strip())
        yield from _foreign(scene_file, written, negative)


def _negatives(scene: Scene) -> Iterator[tuple[KeyPath, str]]:
    for brush in scene.active:
        yield ("brushes", brush.number - 1, "negative"), brush.negative
    yield ("background", "negative"), scene.background.negative


def _foreign(scene_file: SceneFile, path: KeyPath, text: str) -> Iterator[Problem]:
    """Syntax of other programs, at the key that holds it: the text's own, or what is joined to it.

    What all brushes share is told in the same words each time, and so once in the end.
    """
    scene = scene_file.scene
    for found in foreign_syntax(text):
        at = path
        if path[-1] == "prompt" and found.start < len(scene.prefix):
            at = ("prompt", "prefix")
        elif path[-1] == "prompt" and found.start >= len(text) - len(scene.suffix):
            at = ("prompt", "suffix")
        message = f"{quote(shortened(found.words))} is read as plain words: {found.reason}"
        yield Problem(scene_file.place(*at), message, found.hint)


def _file_as_words(scene_file: SceneFile, path: KeyPath, text: str) -> Iterator[Problem]:
    """A prompt that is a picture's name, or a colour where one could stand."""
    below = path[0] == "background" and path[-1] == "prompt"
    if below and _COLOUR.fullmatch(text):
        message, hint = _from_words(text, "a colour"), f'background: {{color: "{text}"}}'
        yield Problem(scene_file.place(*path), message, f"write {hint}")
    elif _PICTURE.fullmatch(text) or _is_file(scene_file, text):
        hint = "a picture stands under mask:, and words for what to paint here"
        if below:
            hint = f"write background: {{image: {shortened(text)}}} to paint into the picture"
        yield Problem(scene_file.place(*path), _from_words(text, "a file"), hint)


def _from_words(text: str, what: str) -> str:
    return f"{quote(shortened(text))} names {what}, but is painted from its words here"


def _is_file(scene_file: SceneFile, text: str) -> bool:
    """Whether a text with a dot or a slash is the path of a file beside the scene."""
    if not ("." in text or "/" in text) or len(text) > _MOST_OF_A_NAME:
        return False
    try:
        return (scene_file.folder / text).is_file()
    except (OSError, ValueError):
        return False
