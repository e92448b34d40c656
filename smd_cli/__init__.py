"""The command-line tool for painting with meanings: StreamMultiDiffusion driven by scene files.

Read the folders as a river: cli → work → scene, models → engine → backbone → output. watch and
bench stand on work, doctor beside it, and starter trains the model that comes along. Imports go one
way. `import smd_cli as smd` offers Python what is in `__all__`: see README.md beside this.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smd_cli.errors import SceneError, SmdError
    from smd_cli.scene.types import SceneFile
    from smd_cli.work.api import check, load_scene, open_model, render, stream
    from smd_cli.work.check import Report
    from smd_cli.work.streaming import Model, Rendered, Stream

__version__ = "0.1.0"

__all__ = [
    "Model",
    "Rendered",
    "Report",
    "SceneError",
    "SceneFile",
    "SmdError",
    "Stream",
    "check",
    "load_scene",
    "open_model",
    "render",
    "stream",
]

_HOMES = {
    "errors": ("SceneError", "SmdError"),
    "scene.types": ("SceneFile",),
    "work.api": ("check", "load_scene", "open_model", "render", "stream"),
    "work.check": ("Report",),
    "work.streaming": ("Model", "Rendered", "Stream"),  # which bring torch along
}


def __getattr__(name: str) -> Any:
    """What Python programs may use, imported when it is first asked for."""
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"smd_cli.{module}"), name)
    raise AttributeError(f"module 'smd_cli' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
