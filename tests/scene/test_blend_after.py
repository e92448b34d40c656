"""From which slot on one row serves all brushes: what a scene may say, and what cannot be."""

from __future__ import annotations

import io

import pytest

from smd_cli.errors import SceneError
from smd_cli.scene.parse import load_scene
from smd_cli.scene.types import BlendAfter, Sampler


def sampler(said: str) -> Sampler:
    text = f"model: hub:a/b\nbackground: sea\nsampler: {{{said}}}\n"
    return load_scene("-", stdin=io.BytesIO(text.encode())).scene.sampler


@pytest.mark.parametrize(
    ("said", "after"),
    [
        ("steps: 4", "never"),
        ("blend_after: never", "never"),
        ("blend_after: bootstrap", "bootstrap"),
        ("blend_after: 1", 1),
        ("blend_after: 2, bootstrap: {steps: 2}", 2),
        ("blend_after: 0, bootstrap: {steps: 0}", 0),
        ("blend_after: bootstrap, guidance: {type: full, scale: 2}", "bootstrap"),
        ("blend_after: bootstrap, guidance: {type: self, scale: 2}", "bootstrap"),
        ("blend_after: bootstrap, preset: paper", "bootstrap"),
        ("blend_after: 20, method: multidiffusion", 20),
    ],
)
def test_what_may_be_said(said: str, after: BlendAfter) -> None:
    assert sampler(said).blend_after == after


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("blend_after: 0", "3:11 blend_after must be 1 or more, not 0: bootstrap.steps is 1"),
        (
            "blend_after: 2, bootstrap: {steps: 3}",
            "3:11 blend_after must be 3 or more, not 2: bootstrap.steps is 3",
        ),
        (
            "blend_after: bootstrap, guidance: {type: initialize, scale: 2}",
            "3:11 blend_after cannot go with guidance: initialize",
        ),
        ("blend_after: 3, preaverage: false", "3:11 blend_after cannot go with preaverage: false"),
        ("blend_after: 51", "3:24 blend_after must be a whole number from 0 to 50"),
        ("blend_after: sometimes", "3:24 blend_after must be"),
    ],
)
def test_what_cannot_be(said: str, told: str) -> None:
    with pytest.raises(SceneError) as raised:
        sampler(said)
    [problem] = raised.value.problems
    assert f"{problem.place.line}:{problem.place.column} {problem.message}".startswith(told)
