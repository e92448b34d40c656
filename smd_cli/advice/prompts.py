"""Prompts that do not say to the model what their writer hardly doubts they do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence

from smd_cli.errors import Problem
from smd_cli.models import ModelDefaults
from smd_cli.scene.model import SceneFile
from smd_cli.scene.pictures import quote
from smd_cli.units import shortened


def prompt_warnings(scene_file: SceneFile, defaults: ModelDefaults) -> Iterator[Problem]:
    """Everything about the scene's prompts, negative ones included."""
    yield from _unknown_words(scene_file, defaults)


def _unknown_words(scene_file: SceneFile, defaults: ModelDefaults) -> Iterator[Problem]:
    """Prompts in which a model of few words knows none."""
    scene, words = scene_file.scene, (*defaults.objects, *defaults.materials)
    prompts: list[tuple[tuple[str | int, ...], str]] = [
        (("brushes", b.number - 1, "prompt"), b.prompt) for b in scene.active
    ]
    if scene.background.prompt is not None:
        prompts.append((("background", "prompt"), scene.background.prompt))
    for path, prompt in prompts if words else []:
        if not any(re.search(rf"\b{re.escape(word)}\b", prompt, re.IGNORECASE) for word in words):
            message = f"the model {scene.model.name} knows no word of {quote(shortened(prompt))}"
            yield Problem(scene_file.place(*path), message, _word_hint(prompt, words))


def _word_hint(prompt: str, words: Sequence[str]) -> str:
    """The known word that one of the prompt's comes closest to, else a few of the known ones."""
    for word in re.findall(r"\w+", prompt.lower()):
        close = difflib.get_close_matches(word, words, n=1, cutoff=0.75)
        if close:
            return f"did you mean {quote(close[0])}?"
    some = words[:: max(1, len(words) // 8)][:8]
    return f"it knows {len(words)} words, such as {', '.join(some)}"
