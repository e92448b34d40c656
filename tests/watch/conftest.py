"""What the tests of `smd watch` share: a browser."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from .browser import Browser, find_chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium; without one the test is skipped, but never in CI."""
    program = find_chromium()
    if program is None and not os.environ.get("CI"):
        pytest.skip("there is no chromium")
    assert program, "there is no chromium"
    with Browser(program) as running:
        yield running
