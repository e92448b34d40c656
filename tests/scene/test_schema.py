"""The table of keys is what the readers of the sections really ask for."""

from __future__ import annotations

import io

import pytest

from smd_cli.scene.keys.schema import KEYS
from smd_cli.scene.keys.sections import Section
from smd_cli.scene.parse import load_scene

NAMES = {
    "the scene": "scene",
    "the output": "output",
    "the sampler": "sampler",
    "the bootstrap": "bootstrap",
    "the guidance": "guidance",
    "the background": "background",
    "brush 1": "brush",
    "the defaults": "defaults",
    "the prompt section": "prompt",
    "a mask": "mask",
    "the model": "model",
    "the lora": "lora",
}
TEXT = b"""\
model: {name: a/b, lora: {path: a/b}}
defaults: {}
prompt: {}
background: {}
brushes: [{prompt: a, mask: [{image: a.png}, {rect: [0, 0, 9, 9]}]}]
sampler: {bootstrap: {}, guidance: {}}
output: {}
"""


def test_the_table_names_every_key_that_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, set[str]] = {}
    close = Section._close

    def recorded(section: Section) -> None:
        asked.setdefault(NAMES[section._who], set()).update(section._asked)
        close(section)

    monkeypatch.setattr(Section, "_close", recorded)
    load_scene("-", stdin=io.BytesIO(TEXT))
    assert {name: sorted(keys) for name, keys in asked.items()} == {
        name: sorted(keys) for name, keys in KEYS.items()
    }
