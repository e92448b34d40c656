"""Warnings where timesteps, canvas or a brush's size leave what a model learnt."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from conftest import TINY, Smd

from smd_cli.errors import SceneError

from .scenes import said

SKY = "background: blue sky\n"


def boxed(width: int, height: int, model: str = "starter", size: str = "256x256") -> str:
    mask = f"{{rect: [10, 10, {width}, {height}]}}"
    return f"model: {model}\nsize: {size}\nbrushes: [{{prompt: a fox, mask: {mask}}}]\n"


@pytest.mark.parametrize(
    ("model", "fit", "large", "small"),
    [
        ("starter", "256x384", "512x512", "96x128"),
        ("sd15", "512x896", "1024x1024", "192x192"),
        ("sdxl", "1536x640", "2048x2048", "448x448"),
        ("sdxl-turbo", "768x768", "1024x1024", "128x128"),
    ],
)
def test_a_canvas_of_another_size_than_the_models(
    tmp_path: Path, model: str, fit: str, large: str, small: str
) -> None:
    text = f"model: {model}\n{SKY}size: "
    assert said(tmp_path, text + fit) == []
    assert said(tmp_path, text + large) == []  # by windows
    [told] = said(tmp_path, f"{text}{large}\nsampler: {{windows: off}}\n")
    assert told.startswith(f"3:7 the canvas of {large} is much larger than what the model {model} ")
    [told] = said(tmp_path, text + small)
    assert told.startswith(f"3:7 the canvas of {small} is much smaller than what the model {model}")


def test_a_canvas_of_a_model_that_is_not_here_is_nobodys_guess(tmp_path: Path) -> None:
    assert said(tmp_path, f"model: hub:a/b\n{SKY}size: 2048x2048\n") == []


@pytest.mark.parametrize(
    ("sampler", "place"),
    [
        ("timesteps: [999, 759, 259]", "2:22"),
        ("timesteps: [420, 180, 9]", "2:22"),
        ("preset: paper", "2:19"),
        ("method: multidiffusion", "2:19"),
    ],
)
def test_timesteps_that_the_starter_never_saw(tmp_path: Path, sampler: str, place: str) -> None:
    [told] = said(tmp_path, f"{SKY}sampler: {{{sampler}}}\nsize: 256x256\n")
    assert told.startswith(f"{place} the slots' timesteps, ")
    assert "leave what the model starter learnt: 479 to 20 | leave out sampler." in told


@pytest.mark.parametrize("sampler", ["timesteps: [460, 280, 50]", "mask_type: discrete"])
def test_timesteps_that_the_starter_knows(tmp_path: Path, sampler: str) -> None:
    assert said(tmp_path, f"{SKY}sampler: {{{sampler}}}\nsize: 256x256\n") == []


def test_a_turbo_model_knows_the_timesteps_of_its_four_steps(tmp_path: Path) -> None:
    text = f"model: sd-turbo\n{SKY}sampler: {{steps: "
    assert said(tmp_path, text + "4}\n") == said(tmp_path, text + "2}\n") == []
    [told] = said(tmp_path, text + "8}\n")
    assert told.startswith("3:18 the slots' timesteps, 999 to 124, leave what the model sd-turbo ")
    assert said(tmp_path, f"model: sd15\n{SKY}sampler: {{steps: 8}}\n") == []


def test_a_brush_smaller_than_the_starters_smallest_object(tmp_path: Path) -> None:
    assert said(tmp_path, boxed(48, 20)) == []
    assert said(tmp_path, boxed(47, 20)) == [
        "3:27 'brush 1' spans 47x20 px: at 48 px the model starter draws a thing just so, and "
        "below that hardly anything | make its mask larger than 48 px to see what it means"
    ]


def test_a_brush_smaller_than_eight_cells_of_a_larger_model(tmp_path: Path) -> None:
    assert said(tmp_path, boxed(64, 64, "sd15", "512x512")) == []
    [told] = said(tmp_path, boxed(63, 63, "sd15", "512x512"))
    assert "at 64 px the model sd15 draws a thing just so, and below that hardly anything" in told


def test_a_model_folder_may_say_what_it_learnt(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(TINY, tmp_path / "m"))
    stated = {"native_size": [128, 128], "learnt": {"timesteps": [500, 999], "smallest_px": 40}}
    (folder / "smd.json").write_text(json.dumps(stated), encoding="utf-8")
    text = boxed(40, 40, "m", "128x128") + "sampler: {timesteps: [999, 500]}\n"
    assert said(tmp_path, text) == []
    told = said(tmp_path, text.replace("40, 40]", "39, 39]").replace("500]", "499]"))
    assert len(told) == 2


def test_text_layers_that_the_starter_needs(tmp_path: Path) -> None:
    text = "model: {name: starter, clip_skip: 1}\nsize: 256x256\nbackground: blue sky\n"
    [told] = said(tmp_path, text)
    assert told.startswith("1:35 the model starter reads its words from the last of its 3 text ")
    assert said(tmp_path, text.replace("1}", "0}")) == []


@pytest.mark.parametrize("encoders", [1, 2])
def test_more_layers_left_out_than_there_are(tmp_path: Path, encoders: int) -> None:
    folder = Path(shutil.copytree(TINY, tmp_path / "m"))
    layers = json.loads((folder / "text_encoder" / "config.json").read_text())["num_hidden_layers"]
    if encoders == 2:
        shutil.copytree(folder / "text_encoder", folder / "text_encoder_2")
        index = json.loads((folder / "model_index.json").read_text())
        second = {
            "_class_name": "StableDiffusionXLPipeline",
            "text_encoder_2": index["text_encoder"],
        }
        (folder / "model_index.json").write_text(json.dumps(index | second))
    most = layers - encoders
    text = "model: {name: m, clip_skip: %d}\nsampler: {steps: 4}\nbackground: sea\n"
    assert said(tmp_path, text % most) == []
    with pytest.raises(SceneError) as caught:
        said(tmp_path, text % (most + 1))
    [problem] = caught.value.problems
    assert (problem.place.line, problem.place.column) == (1, 29)
    assert f"clip_skip leaves out {most + 1} of the " in problem.message


def noise_alone(folder: Path, **scheduler: object) -> None:
    """Write the tiny model into a folder, with another scheduler."""
    shutil.copytree(TINY, folder)
    path = folder / "scheduler" / "scheduler_config.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps({**told, "_class_name": "LCMScheduler", **scheduler}))


ZERO_SNR = {"rescale_betas_zero_snr": True}


@pytest.mark.parametrize(
    ("sampler", "place"),
    [
        ("", "1:8"),
        ("sampler: {steps: 4}\n", "4:18"),
        ("sampler: {timesteps: [999, 500]}\n", "4:22"),
        ("sampler: {preset: paper}\n", "4:19"),
    ],
)
@pytest.mark.parametrize("command", ["check", "render"])
def test_noise_alone_tells_a_network_that_predicts_noise_nothing(
    command: str, sampler: str, place: str, tmp_path: Path, smd: Smd
) -> None:
    noise_alone(tmp_path / "m", **ZERO_SNR)
    text = f"model: ./m\n{SKY}size: 64x64\n{sampler}"
    (tmp_path / "s.yaml").write_text(text)
    told = smd([command, str(tmp_path / "s.yaml")])
    assert told.code == 2
    sentence = "error: timestep 999 is noise alone with the model ./m, whose network predicts noise"
    assert told.err.startswith(f"{tmp_path / 's.yaml'}:{place}: {sentence}")
    assert "hint: sampler: {timesteps: [...]} with all of them below 999" in told.err
    assert not (tmp_path / "s.png").exists()


@pytest.mark.parametrize("kind", ["v_prediction", "sample"])
def test_noise_alone_does_for_other_networks(kind: str, tmp_path: Path) -> None:
    noise_alone(tmp_path / "m", **ZERO_SNR, prediction_type=kind)
    assert said(tmp_path, f"model: ./m\n{SKY}size: 64x64\n") == []


@pytest.mark.parametrize("sampler", ["timesteps: [979, 500]", "method: multidiffusion"])
def test_later_timesteps_do_for_all(sampler: str, tmp_path: Path) -> None:
    noise_alone(tmp_path / "m", **ZERO_SNR)
    assert said(tmp_path, f"model: ./m\n{SKY}size: 64x64\nsampler: {{{sampler}}}\n") == []
