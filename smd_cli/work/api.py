"""smd for Python programs and notebooks: `import smd_cli as smd`. Torch comes with a model.

Every function takes a scene in any form: a loaded one, a file's path, a mapping of the keys that a
scene file has, or such a file's text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from smd_cli.errors import UsageError
from smd_cli.scene.full import as_yaml
from smd_cli.scene.overrides import Override
from smd_cli.scene.text.source import Source
from smd_cli.scene.types import SceneFile
from smd_cli.work.check import Report, check_scene
from smd_cli.work.request import Machine, Order, Request, informed, load

if TYPE_CHECKING:
    from smd_cli.work.streaming import Model, Rendered, Stream

SceneLike: TypeAlias = SceneFile | str | Path | Mapping[str, Any]
Changes: TypeAlias = Mapping[str, Any]
"""Keys as of ``--set``, each with its value: ``{"brushes.fox.prompt": "a wolf", "seed": 7}``."""

_TEXT = "scene"


def load_scene(
    scene: SceneLike, changes: Changes | None = None, *, folder: str | Path = "."
) -> SceneFile:
    """Read and check a scene, with changes. It is frozen: changes make another one.

    A `str` is a file's path; with a line break or ``: `` in it, it is a scene's text. Relative
    paths start from the scene's file, of a mapping or a text from `folder`, in changes from the
    current folder. A random seed stays as it was drawn. Raises SceneError with all problems.
    """
    made = _changes(changes)
    if isinstance(scene, SceneFile):
        if not made:
            return scene
        kept = [_change("seed", scene.scene.seed)] if scene.scene.seed_was_random else []
        source = Source(scene.file, scene.name, scene.folder, scene.text)
        return load(source, Request((), (), (*scene.changes, *kept, *made)))
    return load(_source(scene, Path(folder)), Request((), (), made))


def check(scene: SceneLike, changes: Changes | None = None) -> Report:
    """What a scene will do, as `smd check` tells it, without a model.

    ``print("\\n".join(report.lines()))`` shows it; `report.warnings` is what looks unintended.
    Raises SceneError.
    """
    return check_scene(load_scene(scene, changes))


def open_model(
    name: str | Mapping[str, Any] = "starter",
    *,
    device: str = "auto",
    dtype: str = "auto",
    low_memory: bool = False,
    compiled: bool = False,
) -> Model:
    """Load a model, to render by it many times; `name` is what `model:` takes in a scene.

    Relative paths start from the current folder. `device` auto, cpu, cuda, cuda:1 or mps; `dtype`
    auto, fp32, fp16 or bf16. What is not here is downloaded. Raises SmdError.
    """
    from smd_cli.work.streaming import opened_model

    return opened_model(name, Machine(device, dtype, low_memory, compiled))


def render(
    scene: SceneLike,
    *outs: str | Path,
    changes: Changes | None = None,
    model: Model | None = None,
    schedule: str = "auto",
    frame: int | None = None,
    clobber: bool = True,
) -> tuple[Rendered, ...]:
    """All frames of a scene, or `frame` alone, and write them to `outs` as `smd render -o` does.

    Without `outs` nothing is written. Without a `model` the scene's own is loaded for this once.
    Raises SmdError; files that are whole by then stay.
    """
    from smd_cli.work.streaming import Model, rendered

    if frame is not None:
        _refuse_number("frame", frame, 0)
    _refuse_model(model)
    order = Order.of(schedule, frame)
    file = with_facts(load_scene(scene, changes))
    model = Model(file.scene.model) if model is None else model
    return rendered(file, model, [str(out) for out in outs], order, clobber=clobber)


def stream(
    scene: SceneLike,
    changes: Changes | None = None,
    *,
    model: Model | None = None,
    frames: int | None = None,
    blend: bool = False,
) -> Stream:
    """Frame after frame of a scene, which may be another one from any frame on (`Stream.update`).

    `frames`: how many; None: without end. `blend`: frames that are being painted when the scene
    changes go on by the new one, instead of being painted anew. Without a `model` the scene's own
    is loaded. Raises SmdError.
    """
    from smd_cli.work.streaming import Model, Stream

    if frames is not None:
        _refuse_number("frames", frames, 1)
    _refuse_model(model)
    file = with_facts(load_scene(scene, changes))
    model = Model(file.scene.model) if model is None else model
    return Stream(file, model, frames=frames, blend=blend)


def with_facts(file: SceneFile) -> SceneFile:
    """The scene as its model wants it; the hub is asked where it must be. Raises SmdError."""
    return informed(file, Request((), (), file.changes))


def _refuse_number(what: str, number: object, least: int) -> None:
    if not isinstance(number, Integral) or int(number) < least:
        raise UsageError(f"{what} must be a whole number, {least} or more, not {number!r}")


def _refuse_model(model: object) -> None:
    from smd_cli.work.streaming import Model

    if not isinstance(model, Model | None):
        message = f"model is what open_model gives, not {type(model).__name__}"
        raise UsageError(message, 'model=smd.open_model("starter")')


def _source(scene: str | Path | Mapping[str, Any], folder: Path) -> str | Source:
    """A scene's file, or its text as a source."""
    if isinstance(scene, Mapping):
        return Source(str(folder / _TEXT), _TEXT, folder, as_yaml(_plain(scene, "a scene")))
    if isinstance(scene, str) and ("\n" in scene or ": " in scene):
        return Source(str(folder / _TEXT), _TEXT, folder, scene)
    if not isinstance(scene, str | Path):
        message = f"a scene is a file's path, its text or a mapping, not {type(scene).__name__}"
        raise UsageError(message)
    return str(scene)


def _written(value: Any) -> Any:
    """Plain data: paths as texts, tuples as lists, numbers of any library. Raises TypeError."""
    if isinstance(value, Mapping):
        return {str(key): _written(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_written(one) for one in value]
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    raise TypeError(type(value).__name__)


def _plain(value: Any, what: str) -> Any:
    """The same of what is `what`. Raises UsageError for what no scene can say."""
    try:
        return _written(value)
    except TypeError as wrong:
        message = f"{what}: {wrong} is no value of a scene"
        raise UsageError(message, "texts, numbers, true or false, lists and mappings are") from None


def _changes(changes: Changes | None) -> list[Override]:
    if changes is not None and not isinstance(changes, Mapping):
        message = f"changes are a mapping of keys to values, not {type(changes).__name__}"
        raise UsageError(message, 'changes={"brushes.fox.prompt": "a wolf"}')
    return [_change(str(key), value) for key, value in (changes or {}).items()]


def _change(key: str, value: Any) -> Override:
    """A change as ``--set`` makes it; every sign of a text counts."""
    if value is None:
        raise UsageError(f"changes of {key}: None is no value of a scene")
    written = json.dumps(_plain(value, f"changes of {key}"), ensure_ascii=False)
    return Override(key, written, f"changes {key}", Path())
