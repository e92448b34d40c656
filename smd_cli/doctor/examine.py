"""`smd doctor`: what a bug report needs, and whether the essentials work. Nothing private in it."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from io import BytesIO
from typing import Any

from smd_cli import __version__
from smd_cli.errors import SmdError
from smd_cli.models import prompt_cache
from smd_cli.models.cache import cache_folder, offline
from smd_cli.models.hub import free_bytes
from smd_cli.report.reporter import Reporter
from smd_cli.scene.text.source import STDIN
from smd_cli.units import shown_bytes, visible, without_home

PACKAGES = (
    "torch",
    "diffusers",
    "transformers",
    "accelerate",
    "peft",
    "huggingface_hub",
    "safetensors",
    "numpy",
    "pillow",
)
OPTIONAL = ("peft",)
_SCENE = b"""\
background: grass
brushes: [{prompt: a fox, mask: {rect: [25%, 25%, 50%, 50%]}}]
"""
_SMALL_FREE_BYTES = 10_000_000_000
_REPORT = "report it, with what smd doctor prints"
_NO_ROOM = "close other programs, or try --device cpu, --dtype fp16 or a smaller model"
_INSTALL_ANEW = "install smd anew, with what it needs: python -m pip install --force-reinstall"


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `fault` says what is wrong with it; only an `essential` one fails."""

    name: str
    value: str
    fault: str = ""
    hint: str = ""
    essential: bool = False


@dataclass(frozen=True)
class Examination:
    """All findings, in order."""

    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing essential is broken."""
        return not any(one.fault and one.essential for one in self.findings)

    @property
    def verdict(self) -> str:
        """One sentence: whether everything works here, and what does not."""
        broken = [one.name for one in self.findings if one.fault and one.essential]
        lacking = [one.name for one in self.findings if one.fault and not one.essential]
        if broken:
            return f"smd does not work here: see what is said of {', '.join(broken + lacking)}"
        if lacking:
            return f"smd works here, but not all of it: see what is said of {', '.join(lacking)}"
        return "everything works here"

    def as_json(self) -> dict[str, Any]:
        """For machines: every finding with its fields, and the verdict."""
        return {"ok": self.healthy, "findings": [asdict(one) for one in self.findings]}


def examine(device: str, dtype: str, model: str | None, reporter: Reporter) -> Iterator[Finding]:
    """Look at everything, one thing after the other, and at a model; no fault stops it."""
    yield Finding("smd", __version__)
    yield Finding("python", f"{platform.python_version()} ({platform.python_implementation()})")
    yield Finding("system", f"{platform.system()} {platform.release()}, {platform.machine()}")
    yield from map(_package, PACKAGES)
    yield _looked("ffmpeg", _ffmpeg, essential=False)
    yield _looked("memory", _memory, essential=False)
    yield _looked("device", lambda: _device(device, dtype))
    yield _hub_cache()
    yield _prompt_cache()
    yield _looked("starter", lambda: _starter(device, dtype))
    if model is not None:
        yield _looked("model", lambda: _agreement(model, device, dtype, reporter))


def _agreement(name: str, device: str, dtype: str, reporter: Reporter) -> str:
    """Compare a model in our engine with the same model in diffusers' own pipeline."""
    from smd_cli.doctor.agreement import measure

    found = measure(name, device, dtype, reporter)
    if not found.agrees:
        raise SmdError(f"{found}: that is too much", _REPORT)
    return str(found)


def line(finding: Finding) -> str:
    """A finding as one line; what is wrong with it follows in a second one."""
    lines = [f"{finding.name:<16}{finding.value or '-'}"]
    if finding.fault:
        lines.append(f"{'error' if finding.essential else 'warning'}: {finding.fault}")
    if finding.hint:
        lines.append(f"hint: {finding.hint}")
    return "\n".join(map(visible, lines))


def _package(name: str) -> Finding:
    try:
        return Finding(name, metadata.version(name))
    except metadata.PackageNotFoundError:
        needed = name not in OPTIONAL
        fault = f"{name} is not installed"
        return Finding(name, "", fault, f"python -m pip install {name}", essential=needed)


def _looked(name: str, look: Callable[[], str], *, essential: bool = True) -> Finding:
    """A finding of whatever `look` says, or of whatever it runs into."""
    try:
        return Finding(name, without_home(look()), essential=essential)
    except SmdError as wrong:
        told = (without_home(wrong.message), without_home(wrong.hint))
        return Finding(name, "", *told, essential=essential)
    except Exception as wrong:
        if _is_full(wrong):
            return Finding(
                name, "", "there is no memory left for it", _NO_ROOM, essential=essential
            )
        said = " ".join(str(wrong).split())
        fault = without_home(f"{type(wrong).__name__}: {said}")
        return Finding(name, "", fault, _INSTALL_ANEW, essential=essential)


def _is_full(wrong: Exception) -> bool:
    """Whether there was no memory left: nothing takes much before torch is there."""
    if "torch" not in sys.modules:
        return isinstance(wrong, MemoryError)
    from smd_cli.backbone.memory import is_full

    return is_full(wrong)


def _ffmpeg() -> str:
    import imageio_ffmpeg

    try:
        program = imageio_ffmpeg.get_ffmpeg_exe()
        return f"{imageio_ffmpeg.get_ffmpeg_version()} ({program})"
    except (RuntimeError, OSError) as missing:
        raise SmdError(
            "no ffmpeg was found; .mp4 and .webm need it",
            "install imageio-ffmpeg anew, or name an ffmpeg in IMAGEIO_FFMPEG_EXE",
        ) from missing


def _memory() -> str:
    import psutil

    memory = psutil.virtual_memory()
    return f"{shown_bytes(memory.available)} free of {shown_bytes(memory.total)}"


def _device(device: str, dtype: str) -> str:
    """The device and precision that a render takes, and the other devices."""
    from smd_cli.backbone.loading.load import pick_device, pick_dtype

    chosen = pick_device(device)
    precision = str(pick_dtype(dtype, chosen)).removeprefix("torch.")
    others = [name for name in _devices() if name.split(" ")[0] != _full_name(str(chosen))]
    also = f"; also {', '.join(others)}" if others else ""
    return f"{_described(_full_name(str(chosen)))}, {precision}{also}"


def _devices() -> list[str]:
    import torch

    cuda = [_described(f"cuda:{n}") for n in range(torch.cuda.device_count())]
    return [*cuda, *(["mps"] if torch.backends.mps.is_available() else []), "cpu"]


def _full_name(device: str) -> str:
    import torch

    return f"cuda:{torch.cuda.current_device()}" if device == "cuda" else device


def _described(device: str) -> str:
    """A device with what it is and its memory, where that can be told."""
    import torch

    if not device.startswith("cuda"):
        return device
    free, total = torch.cuda.mem_get_info(device)
    name = torch.cuda.get_device_name(device)
    return f"{device} ({name}, {shown_bytes(free)} free of {shown_bytes(total)})"


def _hub_cache() -> Finding:
    place, free = cache_folder(), free_bytes()
    manner = ", offline" if offline() else ""
    value = without_home(f"{place} ({shown_bytes(free)} free{manner})")
    if place.exists() and not place.is_dir():
        return Finding("hub cache", value, "it is no folder", "let HF_HOME name one")
    if place.is_dir() and not os.access(place, os.W_OK):
        fault = "it cannot be written to: nothing can be downloaded"
        return Finding("hub cache", value, fault, "let HF_HOME name a folder of your own")
    if free >= _SMALL_FREE_BYTES:
        return Finding("hub cache", value)
    fault = "there is little room: a model takes 2 to 14 GB"
    return Finding("hub cache", value, fault, "let HF_HOME name a folder on another disk")


def _prompt_cache() -> Finding:
    """Where prompts that large text encoders have read are kept, and whether they can be."""
    place, told = prompt_cache.prompt_cache(), prompt_cache.described()
    if place is None:
        return Finding("prompt cache", told)
    above = next(one for one in (place, *place.absolute().parents) if one.exists())
    if above.is_dir() and os.access(above, os.W_OK):
        return Finding("prompt cache", told)
    fault = "it cannot be written to: prompts are read anew in every run"
    return Finding("prompt cache", told, fault, f"let {prompt_cache.SETTING} name another folder")


def _starter(device: str, dtype: str) -> str:
    """Render one frame of the starter model, from the scene's text to pixels."""
    began = time.perf_counter()
    from smd_cli.backbone.loading.load import load_backbone
    from smd_cli.engine.planner import Planner
    from smd_cli.engine.stream import picture, single
    from smd_cli.scene.paint.painted import paint_scene
    from smd_cli.scene.parse import load_scene

    file = load_scene(STDIN, stdin=BytesIO(_SCENE))
    painted = paint_scene(file)
    backbone = load_backbone(file.scene.model, device, dtype)
    loaded = time.perf_counter()
    plan = Planner(backbone).plan(file.scene, painted.brushes, painted.size)
    pixels = picture(next(single(lambda _: plan, backbone, 1)), backbone)
    if pixels.std() < 1:
        raise SmdError("the starter model paints a plain surface", "try --device cpu")
    seconds = time.perf_counter() - loaded
    return f"one frame in {seconds:.2f} s, loaded in {loaded - began:.1f} s"
