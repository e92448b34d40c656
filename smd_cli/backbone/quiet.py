"""Keeps the chatter of third-party libraries off the user's terminal."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_SETTINGS = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
}


@contextmanager
def quiet() -> Iterator[None]:
    """Import and load diffusers and transformers in here: no log, no warnings, no bars.

    What goes wrong they raise as well, and the user reads it as our sentence.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import diffusers.utils.logging
        import transformers.utils.logging

        for library in (diffusers, transformers):
            library.utils.logging.set_verbosity(logging.CRITICAL)
            library.utils.logging.disable_progress_bar()
        yield
