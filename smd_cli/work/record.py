"""The record by which ``--resume`` knows a picture again: all that its text tells, as one digest.

Nothing in it tells of this machine or of a time, so that equal pictures stay equal bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache

from smd_cli.output.origin import FROM, HERE
from smd_cli.work.changes import FOLDER, WEIGHTS
from smd_cli.work.provenance import UNKNOWN, model_in, named_in

CHUNK = "smd:job"
_WHERE = {FROM, HERE, FOLDER, WEIGHTS}  # and not what: the model's files have a digest
_HOW = {"smd:schedule", "smd:frame", "smd:machine", CHUNK}  # not what, or told apart


def record_of(text: Mapping[str, str]) -> dict[str, str]:
    """The text chunk of a job, of the text of any of its frames.

    Nothing where that does not tell of its model's files and of all pictures what they hold.
    """
    if model_in(text) == UNKNOWN or not all(digest for _, digest in named_in(text)):
        return {}
    told = sorted((key, value) for key, value in text.items() if key not in _HOW | _WHERE)
    return {CHUNK: _digest(tuple(told))}


@lru_cache(maxsize=1)
def _digest(told: tuple[tuple[str, str], ...]) -> str:
    """The digest of what the frames of a job tell alike, masks that are inside among it: once."""
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()
