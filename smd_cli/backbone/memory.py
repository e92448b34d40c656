"""Memory of models: where their parts lie, when they leave, and that there is no more."""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from smd_cli.errors import SmdError

_MAIN_MEMORY = torch.device("cpu")
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # as in malloc.h


def keep_freed() -> None:
    """Have memory that a network frees stay with the process until `release`.

    glibc gives large blocks back to the system after every call and faults them in again for the
    next, which takes up to a third of a step. Nothing is done where there is no glibc.
    """
    libc = _glibc()
    if libc is not None:
        libc.mallopt(_MMAP_MAX, 0)
        libc.mallopt(_TRIM_THRESHOLD, -1)


def look_for_garbage() -> None:
    """Look for garbage again, which the start of `smd` goes without, but not in what is there now.

    That is modules and classes, which live to the end: to go through them takes half a second.
    """
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def _glibc() -> ctypes.CDLL | None:
    names = getattr(os, "confstr_names", {})
    version = os.confstr("CS_GNU_LIBC_VERSION") if "CS_GNU_LIBC_VERSION" in names else None
    return ctypes.CDLL(None) if version and version.startswith("glibc") else None


def place(parts: Sequence[Any], vae: Any, device: torch.device, low_memory: bool) -> Places:
    """Put a model's parts, and its autoencoder, on a device.

    With `low_memory` each part waits in main memory until it is to work, and goes back there when
    another one is; large pictures are decoded in tiles, several of them one by one.
    """
    if low_memory and hasattr(vae, "enable_tiling"):
        vae.enable_tiling()
        vae.enable_slicing()
    places = Places(device, low_memory)
    places.put(*parts, vae)
    return places


class Places:
    """Where the parts of a model lie: all on the device, or there in turns, one at a time."""

    def __init__(self, device: torch.device, low_memory: bool) -> None:
        self._device = device
        waits = low_memory and not _is_main_memory(device)
        self._turns = _Turns(device) if waits else None

    def put(self, *parts: Any) -> None:
        """Have parts work on the device from now on."""
        for part in parts:
            part.eval()
            if _multiplies_in_tiles(self._device):
                part.to(memory_format=torch.channels_last)
            if self._turns is None:
                part.to(self._device)
        if self._turns is not None:
            _take_turns(parts, self._turns)

    def forget(self, *parts: Any) -> None:
        """Know no more of parts that are to leave for good; `free` once nobody holds them."""
        if self._turns is not None:
            self._turns.forget(*parts)

    def free(self) -> None:
        """Free what parts took that nobody holds any more."""
        release(self._device)


def _multiplies_in_tiles(device: torch.device) -> bool:
    """Whether convolutions are faster with a pixel's channels side by side; a CPU does not care."""
    return device.type == "cuda"


def _is_main_memory(device: torch.device) -> bool:
    return device.type == "cpu"


def _take_turns(parts: Sequence[Any], turns: _Turns) -> None:
    """Have each part ask for the device before it works, by `forward`, `encode` or `decode`."""
    from accelerate.hooks import ModelHook, add_hook_to_module

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

    def forget(self, *parts: Any) -> None:
        """Have the place free where one of these parts has it; it need not go back."""
        if any(part is self._holder for part in parts):
            self._holder = None


def release(device: torch.device) -> None:
    """Free what nobody holds any more: modules with hooks are cycles, and devices keep a cache."""
    gc.collect()
    _empty_cache(device)
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


def _empty_cache(device: torch.device) -> None:
    """Give freed memory back to the device, where its kind (cuda, mps, xpu) keeps some."""
    empty = getattr(getattr(torch, device.type, None), "empty_cache", None)
    if empty is not None:
        empty()


_NO_ROOM = (
    "out of memory",  # CUDA, HIP, XPU, MPS
    "allocate memory",  # the CPU; Linux and macOS, with error 12
    "not enough memory",  # the CPU on Windows
    "invalid buffer size",  # Metal: larger than any buffer may be
    "status_alloc_failed",  # cuBLAS, cuDNN
    "paging file is too small",  # Windows, of a file that is mapped
)


def is_full(error: BaseException) -> bool:
    """Whether an error, or one that it came from, says that there is no memory left.

    Only CUDA's has a class of its own; libraries between hide it behind one of theirs.
    """
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, SmdError):
        if isinstance(seen, MemoryError | torch.OutOfMemoryError):
            return True
        if any(text in str(seen).lower() for text in _NO_ROOM):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


@contextmanager
def full_as_sentence(title: str, size: tuple[int, int], hint: str) -> Iterator[None]:
    """Turns running out of memory on a canvas (W, H) into a sentence with what helps.

    Raises SmdError.
    """
    try:
        yield
    except Exception as full:  # the devices' and libraries' errors have no class in common
        if not is_full(full):
            raise
        width, height = size
        raise SmdError(f"{title}: out of memory at {width}x{height}", hint) from full


def gpu_peak_bytes(device: torch.device) -> int | None:
    """The most memory that tensors have had on a CUDA device; None elsewhere."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
