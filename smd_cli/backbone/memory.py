"""Where a model's parts lie: all on the device, or each only while it works; and who leaves it."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import Any

import torch

_MAIN_MEMORY = torch.device("cpu")


def place(parts: Sequence[Any], vae: Any, device: torch.device, low_memory: bool) -> None:
    """Put a model's parts, and its autoencoder, on a device.

    With `low_memory` each part waits in main memory until it is to work, and goes back there when
    another one is; large pictures are decoded in tiles, several of them one by one.
    """
    if low_memory and hasattr(vae, "enable_tiling"):
        vae.enable_tiling()
        vae.enable_slicing()
    waits = low_memory and not _is_main_memory(device)
    for part in (*parts, vae):
        part.eval()
        if not waits:
            part.to(device)
    if waits:
        _take_turns((*parts, vae), device)


def _is_main_memory(device: torch.device) -> bool:
    return device.type == "cpu"


def _take_turns(parts: Sequence[Any], device: torch.device) -> None:
    """Have each part ask for the device before it works, by `forward`, `encode` or `decode`."""
    from accelerate.hooks import ModelHook, add_hook_to_module

    turns = _Turns(device)

    class Asking(ModelHook):  # type: ignore[misc]
        """What accelerate, and diffusers for an autoencoder's methods, call before a part works."""

        def pre_forward(self, module: Any, *args: Any, **kwargs: Any) -> Any:
            turns.take(module)
            return args, kwargs

    for part in parts:
        add_hook_to_module(part.to(_MAIN_MEMORY), Asking())


class _Turns:
    """The device's one place: the part that is to work takes it, the one that had it leaves."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._holder: Any = None

    def take(self, part: Any) -> None:
        """Bring a part onto the device; at no time are there two."""
        if part is self._holder:
            return
        if self._holder is not None:
            self._holder.to(_MAIN_MEMORY)
            self._holder = None
            _empty_cache(self._device)
        try:
            part.to(self._device)
        except BaseException:  # what came of it must not stay: others need the room
            part.to(_MAIN_MEMORY)
            raise
        self._holder = part


def release(device: torch.device) -> None:
    """Free what nobody holds any more: modules with hooks are cycles, and devices keep a cache."""
    gc.collect()
    _empty_cache(device)


def _empty_cache(device: torch.device) -> None:
    """Give freed memory back to the device, where its kind (cuda, mps, xpu) keeps some."""
    empty = getattr(getattr(torch, device.type, None), "empty_cache", None)
    if empty is not None:
        empty()


def is_full(error: BaseException) -> bool:
    """Whether an error says that there is no memory left: on the CPU and MPS it has no class."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    told = str(error)
    return isinstance(error, RuntimeError) and (
        "allocate memory" in told or "out of memory" in told
    )
