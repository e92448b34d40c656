"""Reading jobs: one JSON object a line, with the words of the options. Imports nothing heavy."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from smd_cli.errors import Place, Problem, SceneError
from smd_cli.scene.keys.fields import integer, one_line
from smd_cli.scene.keys.sections import Section, reject
from smd_cli.scene.overrides import Override, option_place
from smd_cli.scene.text.nodes import Lines, Node, parse_yaml
from smd_cli.scene.text.source import MAX_BYTES, STDIN, Source
from smd_cli.scene.text.streams import folder_of
from smd_cli.work.request import Order, Request
from smd_cli.work.values import typed

_MOST_BYTES = 4 * MAX_BYTES  # of a line
_SUGAR = {"frames": "frames", "seed": "seed", "size": "size", "model": "model", "fps": "output.fps"}
_EXAMPLE = '{"scene": "meadow.yaml", "seed": 3, "out": "meadow-3.png"}'
Shift = Callable[[Place], Place]


@dataclass(frozen=True)
class JobLine:
    """A job: the request that it stands for, and its own `id`.

    `inline` is a scene that stands in the line itself; `shifted` gives the place in the line of
    what stands at a place of that scene.
    """

    request: Request
    shifted: Shift
    id: Any = None
    inline: Source | None = None

    @property
    def texts(self) -> Mapping[str, Source]:
        """The inline scene by the name that the request calls it."""
        return {self.request.scenes[0]: self.inline} if self.inline else {}


@dataclass(frozen=True)
class Line:
    """A line of a file of jobs, by its number from 1."""

    file: str
    number: int
    content: bytes

    def place(self, column: int = 1) -> Place:
        """A place in the line, with the part of the line around it."""
        text = self.content.decode("utf-8", errors="replace")
        return replace(Lines(self.file, text).place(column - 1), line=self.number)

    @property
    def text(self) -> str:
        """The line as text. Raises SceneError for bytes that are none, and for too many."""
        if len(self.content) > _MOST_BYTES:
            message = f"a line must not be larger than {_MOST_BYTES >> 20} MiB"
            raise SceneError([Problem(Place(self.file, self.number, 1), message)])
        try:
            return self.content.decode("utf-8").removeprefix("\ufeff").rstrip("\r\n")
        except UnicodeDecodeError as wrong:
            before = self.content[: wrong.start].decode("utf-8")
            message = f"this is not UTF-8 text: byte 0x{self.content[wrong.start]:02X}"
            raise SceneError([Problem(self.place(len(before) + 1), message)]) from None


def lines_of(file: str, stream: BinaryIO) -> Iterator[Line]:
    """The lines of a stream as they come, without blank ones; a long one is cut."""
    number = 0
    while content := stream.readline(_MOST_BYTES + 1):
        number += 1
        rest = content
        while len(rest) > _MOST_BYTES and not rest.endswith(b"\n"):
            rest = stream.readline(_MOST_BYTES + 1)
        if content.strip():
            yield Line(file, number, content)


def read_job(line: Line, base: Request) -> JobLine:
    """The job in a line, for which `base` says what it does not say itself.

    Raises SceneError with all that is wrong with the line, UsageError for an order that cannot be.
    """
    text = line.text
    _refuse_other(text, line)
    document = parse_yaml(text, lambda index: line.place(index + 1), "the job")
    if document is None or document.problems:
        raise SceneError(document.problems if document else ())
    return _JobReader(line, text, base).job(document.root)


def _refuse_other(text: str, line: Line) -> None:
    """Raise SceneError for what is no JSON object."""
    hint = f"a line is a job such as {_EXAMPLE}"
    try:
        found = json.loads(text)
    except json.JSONDecodeError as wrong:
        message = f"this is no JSON: {wrong.msg[:1].lower()}{wrong.msg[1:]}"
        raise SceneError([Problem(line.place(wrong.colno), message, hint)]) from None
    except RecursionError:
        raise SceneError([Problem(line.place(), "this is nested too deep", hint)]) from None
    if not isinstance(found, dict):
        raise SceneError([Problem(line.place(), "a job is a JSON object", hint)])


class _JobReader:
    """Reads the keys of one job."""

    def __init__(self, line: Line, text: str, base: Request) -> None:
        self._line, self._text, self._base = line, text, base
        self._inline: Source | None = None
        self._start = 0
        self._own: dict[Place, Place] = {}  # where in the line what would be an option stands

    def job(self, root: Node) -> JobLine:
        """The job, with every problem of its keys raised at once."""
        base = self._base
        with Section(root, "the job") as keys:
            own_id = keys.get("id", _plain, None)
            scene = keys.need("scene", self._scene, "")
            outs = keys.get("out", _words, base.outs)
            changes = keys.get("set", self._changes, [])
            told = {key: keys.get(key, typed, None) for key in _SUGAR}
            frame = keys.get("frame", integer(0, 999_999_999), None)
            schedule = keys.get("schedule", one_line, base.order.schedule)
            only = keys.get("only", self._muting, base.only)
            without = keys.get("without", self._muting, base.without)
        span = told.pop("frames") if told["frames"] and ":" in told["frames"] else None
        asks = frame is not None or span is not None or "schedule" in root.children
        sugar = {
            key: Override(_SUGAR[key], value, f"--{key} {value}", Path())
            for key, value in told.items()
            if value is not None
        }
        self._own |= {one.place: root.children[key].place for key, one in sugar.items()}
        request = replace(
            base,
            scenes=[scene],
            outs=outs,
            overrides=[*base.overrides, *changes, *sugar.values()],
            only=only,
            without=without,
            order=Order.of(schedule, frame, span) if asks else base.order,
        )
        return JobLine(request, self._shifted, own_id, self._inline)

    def _scene(self, node: Node) -> str:
        """The name of a scene's file, or of the scene that stands here."""
        name = f"job-{self._line.number}"
        if isinstance(node.value, Mapping):
            self._start, text = self._slice(node)
            self._inline = Source(self._line.file, name, folder_of(self._line.file), text)
            return name
        if not isinstance(node.value, str) or node.value in ("", STDIN):
            reject(node, "a scene: the name of its file, an object, or its text")
        if "\n" not in node.value:
            return node.value
        file = f"{self._line.file} line {self._line.number}"
        self._inline = Source(file, name, folder_of(file), node.value)
        return name

    def _slice(self, node: Node) -> tuple[int, str]:
        """Where the object of a key begins in the line, and its text."""
        decoder = json.JSONDecoder()
        _, at = decoder.raw_decode(self._text, node.key.column - 1)
        begin = self._text.index("{", at)
        _, end = decoder.raw_decode(self._text, begin)
        return begin, self._text[begin:end]

    def _shifted(self, place: Place) -> Place:
        """The place in the line of an option, or of a place in the object that is the scene."""
        if place in self._own:
            return self._own[place]
        if place.file != self._line.file or place.line != 1 or not self._inline:
            return place
        return self._line.place(place.column + self._start)

    def _changes(self, node: Node) -> list[Override]:
        """The changes of ``set``, a mapping of keys as --set names them."""
        if not isinstance(node.value, Mapping):
            hint = '"set": {"brushes.fox.prompt": "a blue fox"}'
            reject(node, "an object of keys and values", hint)
        made = []
        for key, child in node.value.items():
            if child.value is None:
                reject(child, "a value")
            value = typed(child)
            made.append(Override(key, value, f"--set {key}={value}", Path()))
            self._own[made[-1].place] = child.place
        return made

    def _muting(self, node: Node) -> list[str]:
        """The brushes that ``only`` or ``without`` names."""
        words = _words(node)
        for item, word in zip(node.items or (node,), words, strict=True):
            self._own[option_place(f"--{node.label} {word}")] = item.place
        return words


def _plain(node: Node) -> str | int | float | bool | None:
    """A value that is given back as it came."""
    if isinstance(node.value, str | int | float) or node.value is None:
        return node.value
    return reject(node, "a text or a number")


def _words(node: Node) -> list[str]:
    """A text, or a list of them."""
    items = node.items if isinstance(node.value, tuple) else (node,)
    if not items or not all(isinstance(item.value, str) for item in items):
        reject(node, "a text, or a list of texts")
    return [str(item.value) for item in items]
