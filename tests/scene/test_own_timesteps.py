"""How many slots a scene asks for, of a model that has timesteps of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from smd_cli.errors import SceneError
from smd_cli.scene.parse import load_scene
from smd_cli.scene.types import Bootstrap, Guidance, Sampler

OWN = {
    "timesteps": [420, 280, 180, 110, 50],
    "guidance": {"type": "full", "scale": 3},
    "bootstrap": {"steps": 3, "mix": 3.0},
}


def sampler(said: str, own: Mapping[str, object] | None = None) -> Sampler:
    Path("own").mkdir()
    Path("own/model_index.json").write_text("{}")
    Path("own/smd.json").write_text(json.dumps({"sampler": own or OWN}))
    Path("s.yaml").write_text(f"model: own\nbackground: sea\nsampler: {said}\n")
    return load_scene("s.yaml").scene.sampler


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("steps", "timesteps", "bootstrap"),
    [
        (1, (420,), 0),
        (2, (420, 50), 1),
        (3, (420, 180, 50), 2),
        (4, (420, 280, 110, 50), 2),
        (5, (420, 280, 180, 110, 50), 3),
        (8, (420, 340, 266, 209, 160, 120, 84, 50), 5),
    ],
)
def test_steps_are_spread_over_the_models_own(
    steps: int, timesteps: tuple[int, ...], bootstrap: int
) -> None:
    """The bootstrap keeps its share; all that the model says beside stays."""
    made = sampler(f"{{steps: {steps}}}")
    assert (made.steps, made.timesteps) == (None, timesteps)
    assert made.bootstrap == Bootstrap(bootstrap, float(bootstrap))
    assert made.guidance == Guidance("full", 3.0)


def test_as_many_as_it_has_is_as_it_is() -> None:
    five = sampler("{steps: 5}")
    Path("s.yaml").write_text("model: own\nbackground: sea\n")
    assert load_scene("s.yaml").scene.sampler == five


def test_what_the_scene_says_goes_before() -> None:
    made = sampler("{steps: 3, bootstrap: {steps: 1}, guidance: {type: none}}")
    assert (made.bootstrap.steps, made.guidance.type) == (1, "none")


def test_timesteps_of_the_scene_win() -> None:
    made = sampler("{timesteps: [900, 10]}")
    assert (made.timesteps, made.bootstrap) == ((900, 10), Bootstrap(3, 3.0))


@pytest.mark.parametrize(
    "said", ["{preset: paper, steps: 4}", "{method: multidiffusion, steps: 4}"]
)
def test_published_samplers_have_no_timesteps_of_a_model(said: str) -> None:
    made = sampler(said)
    assert (made.steps, made.timesteps) == (4, None)


def test_bootstrapping_of_all_slots_stays_so() -> None:
    own = {"timesteps": [900, 500], "bootstrap": {"steps": 2}}
    assert sampler("{steps: 4}", own).bootstrap.steps == 4


def test_no_room_for_so_many() -> None:
    with pytest.raises(SceneError) as refused:
        sampler("{steps: 9}", {"timesteps": [12, 10]})
    assert str(refused.value).splitlines()[0] == (
        "s.yaml:3:18: error: steps must be 3 at most: the model's own timesteps, 12, 10, have no "
        "room for more"
    )
