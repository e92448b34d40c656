"""Where a model's parts lie: all on the device, or each only while it works."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch


def place(parts: Sequence[Any], vae: Any, device: torch.device, low_memory: bool) -> None:
    """Put a model's parts, in the order in which they work, and its autoencoder on a device.

    With `low_memory` each part waits in main memory, and leaves the device when the next one
    comes; large pictures are decoded in tiles, several of them one by one.
    """
    own = hasattr(vae, "enable_tiling")  # one of diffusers' own, which know hooks and tiles
    if low_memory and own:
        vae.enable_tiling()
        vae.enable_slicing()
    waits = [*parts, *([vae] if own else [])] if low_memory and not _is_main_memory(device) else []
    stays = [part for part in (*parts, vae) if all(part is not other for other in waits)]
    for part in (*parts, vae):
        part.eval()
    for part in stays:
        part.to(device)
    _offload(waits, device)


def _is_main_memory(device: torch.device) -> bool:
    return device.type == "cpu"


def _offload(parts: Sequence[Any], device: torch.device) -> None:
    from accelerate import cpu_offload_with_hook

    before = None
    for part in parts:
        _, before = cpu_offload_with_hook(part, device, prev_module_hook=before)


def is_full(error: BaseException) -> bool:
    """Whether an error says that there is no memory left: on the CPU and MPS it has no class."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    told = str(error)
    return isinstance(error, RuntimeError) and (
        "allocate memory" in told or "out of memory" in told
    )
