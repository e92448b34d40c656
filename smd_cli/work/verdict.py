"""Whether a picture that was painted again is the picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from smd_cli.output.targets import Target
from smd_cli.work.recorded import shown_path

_STILLS = ("PNG", "JPEG", "WEBP")


def verdicts(picture: Path, targets: Sequence[Target]) -> Iterator[str]:
    """A sentence for each result of one file in the format of the picture."""
    for target in targets:
        path = target.path(target.numbers[0])
        if target.kind == "stdout" or path.suffix.lower() != picture.suffix.lower():
            continue
        if path.is_file():
            yield f"{shown_path(path)}: {_likeness(picture, path, target.format in _STILLS)}"


def _likeness(picture: Path, again: Path, is_still: bool) -> str:
    """How one picture compares with another."""
    name = shown_path(picture)
    if picture.read_bytes() == again.read_bytes():
        return f"the same bytes as {name}"
    if not is_still:
        return f"other bytes than {name}"
    with Image.open(picture) as one, Image.open(again) as other:
        before, after = (np.asarray(image).astype(np.int32) for image in (one, other))
    if before.shape != after.shape:
        return f"another size than {name}"
    apart = np.abs(before - after)
    if not apart.any():
        return f"the same pixels as {name}, with another text"
    share = (apart.reshape(*before.shape[:2], -1).max(-1) > 0).mean()
    return f"{share:.1%} of the pixels are others than in {name}, by {apart.max()} at most"
