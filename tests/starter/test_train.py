"""The training: what it is taught, and that it stops and goes on."""

import json
from pathlib import Path

import pytest
import torch

from smd_cli.backbone.families.codec import PatchAutoencoder
from smd_cli.starter.export import SAMPLER
from smd_cli.starter.finish import finish
from smd_cli.starter.painter import Painter
from smd_cli.starter.targets import Settings, Stage
from smd_cli.starter.train import LONGEST_STEP_S, Student, Training
from smd_cli.starter.train_codec import train_codec


@torch.no_grad()
def test_a_training_starts_from_an_older_one(
    painter: Painter, codec: PatchAutoencoder, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    old, folder = Student(), tmp_path / "older"
    codec.save_pretrained(folder / "codec")
    old.unet.save_pretrained(folder / "weights" / "unet")
    old.text_encoder.save_pretrained(folder / "weights" / "text_encoder")
    training = Training(tmp_path / "young", Settings(), painter, older=folder)
    training.begin()
    student = training.student
    same = zip(old.module.parameters(), student.module.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in same)
    same = zip(old.module.parameters(), student.ema.shadow_params, strict=True)
    assert all(torch.equal(a, b) for a, b in same)
    picture = torch.rand(1, 3, 16, 16) * 2 - 1
    theirs, ours = (c.encode(picture).latents for c in (codec, training.codec))
    assert torch.equal(theirs, ours)


def test_time_in_which_the_process_stood_still_is_not_charged(
    painter: Painter, codec: PatchAutoencoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec.save_pretrained(tmp_path / "codec")
    training = Training(tmp_path, Settings(minutes=1.0), painter)
    hours = iter(range(0, 360_000, 3600))
    monkeypatch.setattr("smd_cli.starter.train.time.monotonic", lambda: float(next(hours)))
    monkeypatch.setattr(training, "_advance", lambda _: 0.0)
    monkeypatch.setattr(training, "export", lambda: None)
    stage = Stage(1.0, (96,), 1)
    training.stages = (stage,)
    training.run()
    assert training.spent_s == 3 * LONGEST_STEP_S


@pytest.mark.slow
def test_a_training_is_saved_and_goes_on(
    painter: Painter, codec: PatchAutoencoder, tmp_path: Path
) -> None:
    codec.save_pretrained(tmp_path / "codec")
    training = Training(tmp_path, Settings(minutes=0.02, word_steps=2), painter)
    training.begin()
    training.run()
    assert training.step > 0
    assert (tmp_path / "weights" / "smd.json").is_file()
    again = Training(tmp_path, Settings(minutes=0.02, word_steps=2), painter)
    again.resume()
    assert again.step == training.step
    assert again.progress >= 1
    pairs = zip(again.weights, training.weights, strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    young = Training(tmp_path / "finished", Settings(), painter, older=tmp_path)
    young.begin()
    finish(young, steps=2)
    old, new = (
        PatchAutoencoder.from_pretrained(folder / "codec")
        for folder in (tmp_path, tmp_path / "finished")
    )
    assert torch.equal(old.analysis.weight, new.analysis.weight)
    assert not torch.equal(old.tail.weight, new.tail.weight)
    sampler = json.loads((tmp_path / "finished" / "weights" / "smd.json").read_text())["sampler"]
    assert sampler == SAMPLER


@pytest.mark.slow
def test_the_codec_learns(painter: Painter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smd_cli.starter.train_codec.SEEN_WINDOWS", 150)
    codec = train_codec(painter, seed=0, steps=3)
    latents = codec.encode(torch.ones(1, 3, 16, 16)).latents
    assert latents.shape == (1, 16, 2, 2)
