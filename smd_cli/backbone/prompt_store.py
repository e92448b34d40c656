"""What text encoders said of prompts: kept in memory for a run, and in files for the next one.

A file holds the rows of one prompt of one model, behind a digest of its name and content: one that
was cut short or altered, or is another one's, is read anew and replaced. Its name is a digest as
well; no prompt is written. Several runs may use a folder at once: files appear whole or not at all.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from smd_cli.models.prompt_cache import ENDING, MOST_BYTES, UNFINISHED, kept_prompts

Told = Mapping[str, Tensor]
"""The named tensors of a prompt, as in `contract.Conditioning`, beside the CPU."""

_MOST_HELD = 64  # prompts in memory
_DIGEST_BYTES = 32
_HALVES = (torch.bfloat16, torch.float16)


class PromptStore:
    """The prompts of one model. `identity`: all else that its rows depend on.

    `folder` None keeps no files. What cannot be written is not kept: it is read again next time,
    and `lost` hears why, once.
    """

    def __init__(
        self,
        folder: Path | None,
        identity: str,
        most_bytes: int = MOST_BYTES,
        lost: Callable[[str], object] = str,
    ) -> None:
        self._folder, self._identity, self._most_bytes = folder, identity, most_bytes
        self._lost, self._is_lost = lost, False
        self._held: dict[str, Told] = {}

    def told(self, prompt: str, read: Callable[[], Told]) -> Told:
        """The rows of a prompt in single precision, by `read` where nobody has read it yet."""
        found = self._held.pop(prompt, None) or self._found(prompt)
        if found is None:
            found = _packed(read())
            self._keep(prompt, found)
        self._held[prompt] = found
        if len(self._held) > _MOST_HELD:
            del self._held[next(iter(self._held))]
        return _unpacked(found)

    def _file(self, prompt: str) -> Path | None:
        if self._folder is None:
            return None
        key = f"{self._identity}\0{prompt}".encode("utf-8", "surrogatepass")
        return self._folder / (hashlib.sha256(key).hexdigest() + ENDING)

    def _found(self, prompt: str) -> Told | None:
        """What is in the prompt's file; None where there is none, or something else in it."""
        file = self._file(prompt)
        if file is None:
            return None
        try:
            content = file.read_bytes()
        except OSError:
            return None
        with contextlib.suppress(OSError):
            os.utime(file)
        digest, body = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if _digest(file, body) != digest:
            return None
        try:
            found: Told = load(body)
        except SafetensorError:
            return None
        return found

    def _keep(self, prompt: str, told: Told) -> None:
        file = self._file(prompt)
        if file is None:
            return
        body = save({name: tensor.contiguous() for name, tensor in told.items()})
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            _write_whole(file, _digest(file, body) + body)
            self._bound(file.parent)
        except OSError as wrong:
            if not self._is_lost:
                self._lost(f"{file.parent} cannot be written to: {wrong.strerror or wrong}")
            self._is_lost = True

    def _bound(self, folder: Path) -> None:
        """Take away what was not used for longest, as far as there is too much."""
        total = 0
        for _, size, path in kept_prompts(folder):
            total += size
            if total > self._most_bytes:
                path.unlink(missing_ok=True)


def _digest(file: Path, body: bytes) -> bytes:
    """Of a file's name and content, so that none passes for another."""
    return hashlib.sha256(file.stem.encode() + body).digest()


def _write_whole(file: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    with NamedTemporaryFile(dir=file.parent, suffix=UNFINISHED, delete=False) as new:
        made = Path(new.name)
        try:
            new.write(content)
        except OSError:
            new.close()
            made.unlink(missing_ok=True)
            raise
    try:
        made.replace(file)
    except OSError:  # on Windows another run may be reading it
        made.unlink(missing_ok=True)
        raise


def _packed(told: Told) -> Told:
    """The same numbers in half the bytes where an encoder in half precision gave them."""
    return {name: _half(tensor.detach().cpu()) for name, tensor in told.items()}


def _half(tensor: Tensor) -> Tensor:
    if tensor.dtype == torch.float32:
        for half in (tensor.to(dtype) for dtype in _HALVES):
            if torch.equal(half.float(), tensor):
                return half
    return tensor.clone()


def _unpacked(told: Told) -> Told:
    return {name: t.float() if t.is_floating_point() else t for name, t in told.items()}
