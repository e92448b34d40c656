"""A thousand damaged scenes: no traceback, an address in every error, little time and memory."""

from __future__ import annotations

import os
import subprocess
import sys

import fuzz
import pytest
import yaml

from smd_cli.scene.keys.schema import KEYS

CASES = 600
ALTERNATIVES = {"config", "image", "steps"}  # exclude others, or go with other files


def keys_in(data: object) -> set[str]:
    if isinstance(data, dict):
        return set(data).union(*map(keys_in, data.values()))
    return set().union(*map(keys_in, data)) if isinstance(data, list) else set()


def test_the_scene_that_is_damaged_holds_every_key() -> None:
    known = {key for keys in KEYS.values() for key in keys}
    assert known - ALTERNATIVES <= keys_in(yaml.safe_load(fuzz.EVERY_KEY))


def test_undamaged_scenes_go_well() -> None:
    for text in fuzz.SCENES:
        assert fuzz.outcome(text.replace("masks/", f"{fuzz.FOLDER}/masks/").encode(), []) == ""


@pytest.mark.parametrize(
    "text", ["brushes: [{prompt: a, mask: {rect: [9, 9, 90, 90]}, blur: 1e-320}]\nsize: 128x128\n"]
)
def test_what_went_wrong_once_goes_well(text: str) -> None:
    assert fuzz.outcome(text.encode(), []) == ""


@pytest.mark.slow
def test_damaged_scenes_are_told_shortly_and_quickly() -> None:
    command = [sys.executable, fuzz.__file__, "1", str(CASES)]
    env = os.environ | {"PYTHONPATH": str(fuzz.FOLDER.parent), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(command, env=env, capture_output=True, encoding="utf-8", timeout=600)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout[-5000:] + done.stderr
