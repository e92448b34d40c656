"""Words of prompts that a model of few words does not know."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Iterator, Sequence
from functools import lru_cache

from smd_cli.errors import KeyPath, Problem
from smd_cli.models.facts import ModelDefaults
from smd_cli.scene.paint.pictures import quote
from smd_cli.scene.types import SceneFile
from smd_cli.units import shortened
from smd_cli.work.advice.syntax import foreign_syntax

# Words that only join others: nobody misses them in a picture.
_JOINING = frozenset(
    (
        *("a", "an", "the", "and", "or", "with", "without", "of", "in", "on", "at", "by", "to"),
        *("from", "for", "as", "is", "are", "it", "its", "this", "that", "there", "one", "some"),
        *("under", "over", "above", "below", "behind", "before", "beside", "near", "between"),
        *("around", "into", "onto"),
    )
)
_WORD = re.compile(r"[^\W\d_]{2,}")  # single letters are units and endings
_NAMED = 6  # words that one sentence names


def unknown_words(
    scene_file: SceneFile, path: KeyPath, prompt: str, defaults: ModelDefaults
) -> Iterator[Problem]:
    """What a model of few words leaves out of a prompt, or that it knows nothing in it.

    The words of what is joined to every prompt are told at its own key, in the same words each
    time, and so once in the end.
    """
    scene, words = scene_file.scene, (*defaults.objects, *defaults.materials)
    if not words:
        return
    name = scene.model.name
    if not any(known for _, known in _split(prompt, words)):
        message = f"the model {name} knows no word of {quote(shortened(prompt))}"
        hint = _closest(prompt, words) or _some(words, name)
        yield Problem(scene_file.place(*path), message, hint)
        return
    own = prompt[len(scene.prefix) : len(prompt) - len(scene.suffix)]
    joined = [(("prompt", "prefix"), scene.prefix), (("prompt", "suffix"), scene.suffix)]
    for at, text in ((path, own), *joined):
        left = _left_out(text, (*words, *defaults.colours))
        if left:
            more = f" and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
            listed = ", ".join(quote(shortened(word)) for word in left[:_NAMED]) + more
            message = f"the model {name} does not know {listed} in {quote(shortened(text.strip()))}"
            hint = _closest(" ".join(left), words)
            hint = hint or f"it paints the rest; smd models {shlex.quote(name)} lists its words"
            yield Problem(scene_file.place(*at), message, hint)


def names_any(text: str, known: Sequence[str]) -> bool:
    """Whether a prompt has any of the names that a model knows."""
    return any(found for _, found in _split(text, known))


def _split(text: str, known: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """The words of a text with whether they are known, those of two words before their parts."""
    names = _names(tuple(known))
    longest = max(map(len, names))
    for phrase in re.split(r"[^\w\s]+", text):
        words = phrase.split()
        while words:
            sizes = range(min(longest, len(words)), 0, -1)
            lowered = tuple(word.lower() for word in words[:longest])
            size = next((n for n in sizes if lowered[:n] in names), 0)
            yield " ".join(words[: size or 1]), size > 0
            words = words[size or 1 :]


@lru_cache(maxsize=8)
def _names(known: tuple[str, ...]) -> frozenset[tuple[str, ...]]:
    """Names as the words that they are made of."""
    return frozenset(tuple(name.lower().split()) for name in known)


def _left_out(text: str, known: Sequence[str]) -> list[str]:
    """The words of a text that are not known, each once; other programs' syntax has none."""
    for foreign in foreign_syntax(text):
        end = foreign.start + len(foreign.words)
        text = text[: foreign.start] + " " * len(foreign.words) + text[end:]
    rest = (word for word, is_known in _split(text, known) if not is_known)
    words = dict.fromkeys(part for word in rest for part in _WORD.findall(word))
    return [word for word in words if word.lower() not in _JOINING]


def _closest(text: str, words: Sequence[str]) -> str:
    """A hint: the known word that one of a text's comes closest to, if any does."""
    for word in re.findall(r"\w+", text.lower()):
        close = [] if word in _JOINING else _close_to(word, words)
        if close:
            return f"did you mean {quote(close[0])}?"
    return ""


def _close_to(word: str, words: Sequence[str]) -> list[str]:
    """The known words of which this is a part, the plural, or a misspelling."""
    kin = [known for known in words if word in (*known.split(), f"{known}s", f"{known}es")]
    return kin or difflib.get_close_matches(word, words, n=1, cutoff=0.8)


def _some(words: Sequence[str], model: str) -> str:
    """A hint: a few of the known words, and where the others are."""
    some = words[:: max(1, len(words) // 8)][:8]
    listed = f"smd models {shlex.quote(model)} lists them"
    return f"it knows {len(words)} words, such as {', '.join(some)}; {listed}"
