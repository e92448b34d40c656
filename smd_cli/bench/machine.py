"""What the machine can do, and what memory a run takes."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import torch

from smd_cli.backbone.memory import gpu_peak_bytes
from smd_cli.report.process import peak_bytes

_SIDE, _LARGEST = 256, 8192  # of square matrices
_LONG_S = 0.05  # a product that takes so long is measured well
_TRIES = 8


def matrix_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Operations a second of the machine's own product of square matrices: the best of some."""
    side = _SIDE
    while _product_s(side, device, dtype) < _LONG_S and side < _LARGEST:
        side *= 2
    return 2 * side**3 / min(_product_s(side, device, dtype) for _ in range(_TRIES))


@torch.inference_mode()
def _product_s(side: int, device: torch.device, dtype: torch.dtype) -> float:
    """Seconds of one product, after one that warms up."""
    square = torch.ones(side, side, dtype=dtype, device=device)
    result = square @ square
    float(result[0, 0])  # waits for the device
    began = time.perf_counter()
    torch.mm(square, square, out=result)
    float(result[0, 0])
    return time.perf_counter() - began


class Peak:
    """The most memory since this was made: a GPU's tensors, else the whole process.

    Only Linux lets a process forget its former peak; elsewhere `bytes` is None on a CPU.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._forgot = device.type == "cuda"
        if self._forgot:
            torch.cuda.reset_peak_memory_stats(device)
        elif device.type == "cpu":
            with suppress(OSError):
                Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
                self._forgot = True

    @property
    def bytes(self) -> int | None:
        """The peak so far."""
        if not self._forgot:
            return None
        on_gpu = gpu_peak_bytes(self._device)
        return peak_bytes() if on_gpu is None else on_gpu
