"""Options that change a scene before it is read: ``--set KEY=VALUE``, ``--only``, ``--without``.

They edit the tree of nodes, so that what they write is checked by the same readers as the file;
a problem in it stands at the option.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from smd_cli.errors import Place, Problem, SceneError, UsageError, shortened
from smd_cli.scene.keys.schema import short_form
from smd_cli.scene.keys.sections import Notes, name_hint
from smd_cli.scene.text.nodes import BROKEN, Node, parse_yaml
from smd_cli.units import counted, shown, visible

# A section that may be written as one plain value, and the key that this value then has.
_SHORT_FORMS = {"background": "prompt", "model": "name", "mask": "image"}
_SHAPES = frozenset({"rect", "ellipse", "polygon"})
_OF_IMAGES = frozenset({"image", "channel", "layer", "color", "tolerance", "fit", "at"})
# Which other keys of a section a key takes away when it is set.
_EXCLUDED: Mapping[str, Mapping[str, frozenset[str]]] = {
    "sampler": {"steps": frozenset({"timesteps"}), "timesteps": frozenset({"steps"})},
    "background": {"prompt": frozenset({"caption_model"})},
    "mask": {
        "image": _SHAPES,
        "channel": frozenset({"color", "tolerance"}),
        "color": frozenset({"channel"}),
        "fit": frozenset({"at"}),
        "at": frozenset({"fit"}),
        **{shape: _OF_IMAGES | (_SHAPES - {shape}) for shape in _SHAPES},
    },
}
_MAX_OPTION = 200  # signs of an option that a message repeats
_QUOTED = re.compile(r"'(?:[^'\r\n]|'')*'|\"(?:[^\"\\\r\n]|\\.)*\"")
_SECTIONS = {"prompt", "defaults", "sampler", "bootstrap", "guidance", "output"}


@dataclass(frozen=True)
class Override:
    """One change to the scene.

    `key` is a path of keys such as ``sampler.guidance.scale`` or ``brushes.fox.prompt`` (brushes
    by name, or by number from 1; so are a mask's parts, ``brushes.fox.mask.2.channel``); `option`
    the option as typed, for messages. Relative paths in the value start from `base`, or from the
    scene's folder where that is None.

    The reader of its key decides what `value` is: where a text is wanted, every sign of it counts
    (but the quotes around a value that is one quoted YAML text); elsewhere it is YAML.
    """

    key: str
    value: str
    option: str
    base: Path | None = None

    def __str__(self) -> str:
        return f"{self.key}={self.value}"

    @property
    def place(self) -> Place:
        """The option as a place."""
        return option_place(self.option)


def option_place(option: str) -> Place:
    """An option as a place, on one line that is not endless."""
    return Place(shortened(visible(option), _MAX_OPTION))


def parse_override(text: str) -> Override:
    """The override that ``--set TEXT`` means; paths in it start from the current folder."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UsageError(f"--set takes KEY=VALUE, not {shown(text)}", "--set brushes.fox.alpha=0.9")
    return Override(key.strip(), value, f"--set {text}", Path())


def apply_overrides(
    root: Node, overrides: Sequence[Override], only: Sequence[str], without: Sequence[str]
) -> tuple[Node, tuple[Override, ...], list[Problem]]:
    """The tree with all options applied, what was applied, and what is wrong with the options.

    `only` and `without` become overrides of ``enabled``. What cannot be applied because the
    scene itself is wrong is left out without a word.
    """
    notes, applied = Notes(), list(overrides)
    for override in overrides:
        root = notes.attempt(root, _applied, root, override)
    for muting in _mutings(root, only, without, notes):
        root = notes.attempt(root, _applied, root, muting)
        applied.append(muting)
    return root, tuple(applied), notes.problems


def brush_name(brush: Node) -> str | None:
    """The name written in a brush, if there is a readable one."""
    name = brush.children.get("name")
    return name.text if name else None


def _mutings(
    root: Node, only: Sequence[str], without: Sequence[str], notes: Notes
) -> list[Override]:
    """The overrides of `enabled` that mute the brushes in `without`, and all not in `only`."""
    kept = {notes.attempt(-1, _named, root, word, f"--only {word}") for word in only}
    muted = {
        notes.attempt(-1, _named, root, w, f"--without {w}"): f"--without {w}" for w in without
    }
    if only:
        option = " ".join(f"--only {word}" for word in only)
        others = [i for i in range(len(_brushes(root))) if i not in kept]
        muted = dict.fromkeys(others, option) | muted
    labels = {i: label if "=" not in label else f"{i + 1}" for label, i in _labels(root).items()}
    return [
        Override(f"brushes.{labels[index]}.enabled", "false", option)
        for index, option in sorted(muted.items())
        if index >= 0
    ]


def _applied(root: Node, override: Override) -> Node:
    """The tree with one override in it."""
    try:
        override.value.encode()
    except UnicodeEncodeError:
        raise SceneError([Problem(override.place, "the value is not valid Unicode")]) from None
    path = _path(root, override)
    return _replaced(root, path, _value(str(path[-1]), override))


def _value(label: str, override: Override) -> Node:
    """The override's value as a node: as YAML, and as typed; what is no YAML is the latter only."""
    place, value = override.place, override.value
    node = Node(label, value, place, place, value, override.base, value)
    try:
        document = parse_yaml(value, lambda _: place, label, override.base)
    except SceneError:
        return node
    if document is None:
        return replace(node, value=None)
    if document.problems:
        return node
    read = document.root.value
    typed = read if _QUOTED.fullmatch(value) and isinstance(read, str) else value
    return replace(document.root, key=place, typed=typed)


def _path(root: Node, override: Override) -> list[str | int]:
    """The override's key as a path; a brush by its index."""
    words = override.key.split(".")
    if not all(words):
        message = f"{shown(override.key)} is no key such as sampler.steps"
        raise SceneError([Problem(override.place, message)])
    if words[0] != "brushes" or len(words) == 1:
        return [*words]
    named = override.key.removeprefix("brushes.")
    labels = [n for n in _labels(root) if f"{named}.".startswith(f"{n}.")]
    label = max(labels, key=len, default=words[1])
    rest = named[len(label) + 1 :]
    index = _named(root, label, override.option)
    return ["brushes", index, *(rest.split(".") if rest else ())]


def _named(root: Node, word: str, option: str) -> int:
    """The index of the brush that `word` names."""
    labels = _labels(root)
    if word in labels:
        return labels[word]
    if not _readable(root):
        raise SceneError(())
    best = list({index: label for label, index in labels.items()}.values())
    hint = name_hint(word, best, "the brushes are") or "the scene has no brushes"
    raise SceneError([Problem(option_place(option), f"there is no brush {shown(word)}", hint)])


def _readable(root: Node) -> bool:
    """Whether the scene's list of brushes can be searched; if not, the scene is at fault."""
    brushes = root.children.get("brushes")
    return isinstance(root.value, Mapping) and (
        brushes is None or brushes.value is None or isinstance(brushes.value, tuple)
    )


def _brushes(root: Node) -> tuple[Node, ...]:
    return root.children["brushes"].items if "brushes" in root.children else ()


def _labels(root: Node) -> dict[str, int]:
    """Every word that names a brush, and its index: first the numbers from 1, then the names."""
    brushes = _brushes(root)
    numbers = {str(index + 1): index for index in range(len(brushes))}
    names = {name: i for i, brush in enumerate(brushes) if (name := brush_name(brush))}
    return numbers | names


def _replaced(node: Node, path: Sequence[str | int], new: Node) -> Node:
    """The tree with `new` at `path`; sections on the way are made where they are missing."""
    if not path:
        return replace(new, label=node.label)
    head, rest = path[0], path[1:]
    if isinstance(head, int):
        items = node.items
        made = _replaced(items[head], rest, new)
        return replace(node, value=(*items[:head], made, *items[head + 1 :]))
    if node.label == "mask" and isinstance(node.value, tuple) and str(head).isdecimal():
        return _with_part(node, int(head), rest, new)
    children = _opened(node, new.place)
    gone = _EXCLUDED.get(node.label, {}).get(head, frozenset())
    child = children.get(head, Node(head, {}, new.place, new.place, base=new.base))
    kept = {key: other for key, other in children.items() if key not in gone}
    return replace(node, value=kept | {head: _replaced(child, rest, new)})


def _with_part(mask: Node, number: int, rest: Sequence[str | int], new: Node) -> Node:
    """A mask of several parts with `new` in one of them, counted from 1."""
    if not 1 <= number <= len(mask.items):
        message = f"mask has {counted(len(mask.items), 'part')}: there is no part {number}"
        raise SceneError([Problem(new.place, message)])
    part = mask.items[number - 1]
    made = replace(_replaced(replace(part, label="mask"), rest, new), label=part.label)
    return replace(mask, value=(*mask.items[: number - 1], made, *mask.items[number:]))


def _opened(node: Node, place: Place) -> dict[str, Node]:
    """The keys of a section that is to be changed, also of one in its short form."""
    if node.value is None and not node.text:
        return {}
    if isinstance(node.value, tuple) and node.label == "mask":  # typed, it looks like a text too
        hint = "or name one of its parts by number, as in mask.1.channel"
        raise SceneError([Problem(place, "mask is a list: set it as a whole", hint)])
    short = _SHORT_FORMS.get(node.label)
    if short and short_form(node, node.label) is not None:
        return {short: replace(node, label=short)}
    if node.value is None:
        return {}
    if isinstance(node.value, Mapping):
        return dict(node.value)
    if isinstance(node.value, tuple):
        raise SceneError([Problem(place, f"{node.label} is a list: set it as a whole")])
    if node.value is BROKEN or node.label in _SECTIONS or node.label == "a value of brushes":
        raise SceneError(())  # the scene itself is wrong here, which its reading will tell
    raise SceneError([Problem(place, f"{node.label} has no keys inside")])
