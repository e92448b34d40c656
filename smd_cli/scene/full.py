"""A scene with everything that it leaves out: the same scene, as a mapping and as YAML text.

What is written stays as it is written; what is not has the value that the scene's objects have, by
the name of its key. So keys that are new in the format come along, where their object has a field
of their name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from smd_cli.errors import KeyPath
from smd_cli.models.presets import PRESETS
from smd_cli.scene.keys.fields import resolved
from smd_cli.scene.keys.schema import KEYS, short_form
from smd_cli.scene.text.nodes import Node
from smd_cli.scene.types import Brush, MaskPart, Scene, SceneFile

Data = dict[str, Any]

_FIELDS = {"blur": "blur_px"}
_SHORT = {"background": "prompt", "model": "name", "mask": "image"}
_TEXTS = {"name", "prompt", "negative", "prefix", "suffix", "revision", "image", "color"}
_WEIGHTS = {"model", "name", "transformer", "vae", "config", "lora", "path", "caption_model"}
_FILES = {"mask", "image", "file", *_WEIGHTS}
_BESIDE_IMAGE = ("prompt", "image", "repaint", "profile")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z_./-]*(?: [A-Za-z_./-]+)*")


def full_scene(file: SceneFile, size: tuple[int, int]) -> Data:
    """All keys of a scene that have a value, in the order of the format.

    `size`: the (width, height) that its canvas has. Paths count from the scene's folder.
    """
    scene, root = file.scene, file.root
    written = _plain(root, file.folder) if root is not None else {}
    whole = _filled("scene", written, scene)
    whole["model"] = written.get("model", scene.model.name)
    whole["size"], whole["seed"] = list(size), scene.seed
    whole["prompt"] = {"prefix": scene.prefix, "suffix": scene.suffix}
    whole["background"] = _background(written.get("background", {}), scene)
    brushes = zip(written.get("brushes") or [], scene.brushes, strict=True)
    whole["brushes"] = [_brush(*one) for one in brushes]
    whole["sampler"] = _filled("sampler", {}, scene.sampler)
    for part in ("bootstrap", "guidance"):
        whole["sampler"][part] = _filled(part, {}, getattr(scene.sampler, part))
    whole["output"] = _filled("output", written.get("output", {}), scene.output)
    whole.pop("defaults", None)
    return _in_order("scene", whole)


def _filled(section: str, written: Mapping[str, Any], thing: object) -> Data:
    """A section with the values of all its keys that have one."""
    own = {key: _value(getattr(thing, _FIELDS.get(key, key), None)) for key in KEYS[section]}
    return _in_order(section, {**own, **written})


def _in_order(section: str, data: Mapping[str, Any]) -> Data:
    keys = [key for key in (*KEYS[section], *data) if data.get(key) is not None]
    return {key: data[key] for key in keys}


def _value(value: object) -> Any:
    """A value of an object as plain data; None for what is none in a scene's words."""
    if isinstance(value, tuple):
        return [_value(one) for one in value]
    return value if isinstance(value, str | int | float) else None


def _background(written: str | Mapping[str, Any], scene: Scene) -> Data:
    below = scene.background
    own = {"prompt": written} if isinstance(written, str) else dict(written)
    if below.caption is not None:  # the answer is known by now
        own.pop("caption_model", None)
        word = below.caption
        own["prompt"] = f"{word} " if word == "auto" else word
    whole = _filled("background", {**dict.fromkeys(_BESIDE_IMAGE), **own}, below)
    if below.image is not None:
        whole.setdefault("repaint", below.repaint)
        whole.setdefault("profile", below.profile)
    return _in_order("background", whole)


def _brush(written: Mapping[str, Any], brush: Brush) -> Data:
    parts = written["mask"] if isinstance(written["mask"], list) else [written["mask"]]
    masks = [_mask(*one) for one in zip(parts, brush.mask, strict=True)]
    mask = masks if isinstance(written["mask"], list) else masks[0]
    return _filled("brush", {**written, "mask": mask}, brush)


def _mask(written: str | Mapping[str, Any], part: MaskPart) -> Data:
    own = {"image": written} if isinstance(written, str) else written
    unsaid = ["rect", "ellipse", "polygon", "image", *([] if "color" in own else ["tolerance"])]
    return _filled("mask", {**dict.fromkeys(unsaid), **own}, part)


def _plain(node: Node, folder: Path) -> Any:
    """What a node says, as plain data: as its reader takes it."""
    if isinstance(node.value, tuple):  # typed, it looks like a text too
        return [_plain(item, folder) for item in node.items]
    short = node.label in _SHORT and short_form(node, node.label) is not None
    typed = node.label in _TEXTS | _WEIGHTS and node.typed is not None and not node.children
    if short or typed or isinstance(node.value, str):
        return _text(node, folder)
    if node.children:
        return {key: _plain(child, folder) for key, child in node.children.items()}
    return node.value


def _text(node: Node, folder: Path) -> str:
    """A text; one of an option that names a file names it from the scene's folder."""
    text = node.text or ""
    names_file = node.label.removeprefix("a value of ") in _FILES and text not in PRESETS
    if node.base is None or not names_file:
        return text
    path = resolved(text, node.base)
    if not path.exists() or path == resolved(text, folder):
        return text
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # on another drive
        return str(path.resolve())


def without(data: Data, paths: Collection[KeyPath]) -> Data:
    """The same without the keys at some paths."""

    def kept(value: Any, at: KeyPath) -> Any:
        if isinstance(value, dict):
            left = {k: kept(v, (*at, k)) for k, v in value.items() if (*at, k) not in paths}
            return {k: v for k, v in left.items() if v != {} or value[k] == {}}
        if isinstance(value, list):
            return [kept(item, (*at, index)) for index, item in enumerate(value)]
        return value

    made: Data = kept(data, ())
    return made


class _Dumper(yaml.SafeDumper):
    """Writes what YAML 1.1 and 1.2 read alike: any text but plain words stands in quotes."""


def _quoted(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if _PLAIN.fullmatch(text) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _exact(dumper: yaml.SafeDumper, number: float) -> yaml.ScalarNode:
    whole = number.is_integer() and abs(number) < 2**53
    written = f"{number:.1f}" if whole else repr(number)
    return dumper.represent_scalar("tag:yaml.org,2002:float", written)


_Dumper.add_representer(str, _quoted)
_Dumper.add_representer(float, _exact)


def as_yaml(data: Mapping[str, Any]) -> str:
    """Plain data as YAML text; lists and mappings of plain values stand on one line."""
    text: str = yaml.dump(
        dict(data),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=None,
        width=100,
    )
    return text
