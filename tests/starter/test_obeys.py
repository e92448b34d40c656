"""The shipped model paints what its brushes say: a few random scenes, by the shipped judge."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from smd_cli.starter.classifier import JUDGE, load_judge
from smd_cli.starter.evaluate import STUDY, Evaluator, main, sampler_of
from smd_cli.starter.evaluation_scenes import random_scene
from smd_cli.starter.export import SAMPLER
from smd_cli.starter.figures import figures

SCENES = 5


@pytest.mark.slow
def test_regions_obey_their_prompts_which_one_prompt_for_all_does_not() -> None:
    evaluator = Evaluator(load_judge(JUDGE), {})
    wanted_scenes = [random_scene(number) for number in range(SCENES)]
    own = figures([evaluator.verdict(wanted) for wanted in wanted_scenes])
    at_once = figures(
        [evaluator.verdict(wanted, wanted.without_regions()) for wanted in wanted_scenes]
    )
    assert own["objects_right"] > 60
    assert own["backgrounds_right"] > 60
    assert own["leak"] < 10
    assert own["objects_right"] > 3 * at_once["objects_right"]


@pytest.mark.slow
def test_the_evaluation_tells_its_figures_and_draws_a_sheet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {name: STUDY[name] for name in ("bootstrap 0", "leak 0")}
    monkeypatch.setattr("smd_cli.starter.evaluate.STUDY", few)
    sheet = tmp_path / "sheet.png"
    main(["--scenes", "2", "--alone", "--study", "1", "--json", "--sheet", str(sheet)])
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert told["scenes"] == 2
    assert sampler_of(told["sampler"]) == sampler_of(SAMPLER)
    assert set(told["own"]["objects_right_by_count"]) <= {"1", "2", "3", "4"}
    assert told["study"].pop("scenes") == 1
    assert {*told["study"]} == {"own", *few}
    assert told["study"]["leak 0"]["objects_right"] == told["study"]["own"]["objects_right"]
    assert sum(int(pair.split("/")[1]) for pair in told["by_word"].values()) >= 4
    with Image.open(sheet) as image:
        assert image.width == 8 * 264
