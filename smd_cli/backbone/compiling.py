"""`--compile`: torch compiles the blocks that a network repeats, when they first work."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from smd_cli.errors import UsageError


def compile_blocks(network: Any, device: torch.device, *, stays: bool) -> None:
    """Have the blocks that a diffusers network repeats compiled; the rest is as it was.

    The first shape that a block sees gets code of its own, and the second one code for all others.
    On CUDA the kernels of a shape are replayed as one graph, where the weights `stays` in place.
    Raises UsageError where torch cannot compile.
    """
    _refuse_unfit(device)
    graphs = stays and device.type == "cuda"
    network.compile_repeated_blocks(mode="reduce-overhead" if graphs else "default")
    if graphs:  # what a block gives is kept until the next call of the network, not of a block
        network.register_forward_pre_hook(_begin)


def _begin(*_: Any) -> None:
    torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]


def _refuse_unfit(device: torch.device) -> None:
    """Raise UsageError unless torch compiles something small, which takes some seconds."""
    try:
        torch.compile(_small)(torch.ones(2, device=device))
    except Exception as unfit:  # of the interpreter, the compiler, or the device's language
        said = [line for line in str(unfit).splitlines() if line and "' raised:" not in line]
        reason = said[0].rstrip(".") if said else type(unfit).__name__
        hint = "install a C++ compiler (and Triton for CUDA), or leave --compile out"
        raise UsageError(f"torch cannot compile on {device} here: {reason}", hint) from unfit


def _small(x: Tensor) -> Tensor:
    return x * 2 + 1
