"""`background.prompt: auto`: captioned once, told, recorded, kept beside the picture."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from conftest import TINY, Smd
from PIL import Image
from tiny_captioner import write_captioner
from watch.follow import Following

from smd_cli.backbone import captioner as ours
from smd_cli.errors import SceneError, SmdError
from smd_cli.models.captioner import DEFAULT_CAPTIONER, captioner_downloads
from smd_cli.models.ref import ModelRef
from smd_cli.scene.parse import load_scene
from smd_cli.scene.types import Scene
from smd_cli.watch.live import WatchOptions
from smd_cli.work.request import Request, load

SCENE = f"""\
model: {TINY}
background: {{image: sub/photo.png, prompt: auto, caption_model: blip}}
brushes: [{{prompt: a fox, mask: {{rect: [0, 0, 30, 30]}}, blur: 0}}]
prompt: {{prefix: "painted, "}}
sampler: {{steps: 2}}
"""
BLUE, BLACK = (0, 120, 250), (0, 0, 0)
SIDECAR = Path("sub/photo.png.caption.txt")


@pytest.fixture(scope="session")
def captioner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_captioner(tmp_path_factory.mktemp("captioner") / "blip")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, captioner: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scene with a photo, in the current folder."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(captioner, "blip")
    Path("sub").mkdir()
    Image.new("RGB", (64, 64), BLUE).save("sub/photo.png")
    Path("s.yaml").write_text(SCENE, encoding="utf-8")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The captioning models that were asked."""
    from smd_cli.work import render

    calls: list[str] = []

    def counted(model: ModelRef, picture: npt.NDArray[np.uint8], device: str) -> str:
        calls.append(model.name)
        return ours.caption(model, picture, device)

    monkeypatch.setattr(render, "caption", counted)
    return calls


def by_transformers(folder: Path, picture: Image.Image) -> str:
    """What BLIP's own classes say, put together by hand."""
    from transformers import BertTokenizer, BlipForConditionalGeneration, BlipImageProcessorPil

    size = {"height": 32, "width": 32}
    pixels = BlipImageProcessorPil(size=size)(picture, return_tensors="pt")["pixel_values"]
    model = BlipForConditionalGeneration.from_pretrained(folder).eval()
    with torch.inference_mode():
        tokens = model.generate(pixels, num_beams=3, max_new_tokens=50)
    told = BertTokenizer.from_pretrained(folder).decode(tokens[0], skip_special_tokens=True)
    return str(told).strip()


def write(name: str, text: str) -> None:
    """As editors do: a new file beside it, then a rename."""
    Path("new").write_text(text, encoding="utf-8")
    Path("new").replace(name)


def changes(picture: str) -> str:
    """What a picture tells of its prompt as a change."""
    with Image.open(picture) as shown:
        shown.load()
        return next(
            line
            for line in str(shown.info["smd:overrides"]).split("\n")
            if line.startswith("background.prompt=")
        )


def scene(text: str) -> Scene:
    write("x.yaml", text)
    return load_scene("x.yaml").scene


# The captioner


@pytest.mark.parametrize("colour", [BLUE, BLACK])
def test_a_caption_is_what_the_models_own_classes_say(
    captioner: Path, colour: tuple[int, int, int]
) -> None:
    picture = Image.new("RGB", (48, 40), colour)
    told = ours.caption(ModelRef("blip", captioner), np.asarray(picture), "cpu")
    assert told == by_transformers(captioner, picture)
    assert len(told) > 2


def test_what_cannot_caption_is_a_sentence(tmp_path: Path, captioner: Path) -> None:
    picture = np.zeros((8, 8, 3), dtype=np.uint8)
    with pytest.raises(SmdError, match="tiny cannot be used: "):
        ours.caption(ModelRef("tiny", TINY / "text_encoder"), picture, "cpu")
    mute = write_captioner(tmp_path / "mute", seed=1)
    with pytest.raises(SmdError, match="mute has no words for the picture"):
        ours.caption(ModelRef("mute", mute), np.full((8, 8, 3), (250, 120, 0), np.uint8), "cpu")
    half = Path(shutil.copytree(captioner, tmp_path / "half"))
    (half / "preprocessor_config.json").unlink()
    with pytest.raises(SmdError, match="the captioning model half cannot be used: "):
        ours.caption(ModelRef("half", half), picture, "cpu")


# The scene


def test_auto_beside_a_picture_asks_a_model() -> None:
    below = scene("background: {image: b.png, prompt: auto}\nbrushes: [{prompt: a, mask: m.png}]")
    assert below.background.captioner == DEFAULT_CAPTIONER
    assert below.background.wants_caption
    assert below.background.caption_file == Path("b.png.caption.txt")


@pytest.mark.parametrize("prompt", ["Auto", '"auto "', '"auto, mobile"', "an auto"])
def test_any_other_prompt_is_one(prompt: str) -> None:
    made = scene(f"background: {{image: b.png, prompt: {prompt}, repaint: 1}}").background
    assert (made.captioner, made.caption_file, made.wants_caption) == (None, None, False)
    assert made.prompt == json.loads(prompt) if prompt[0] == '"' else prompt


def test_auto_without_a_picture_is_a_word() -> None:
    assert scene("background: auto").background.prompt == "auto"
    assert scene("background: {prompt: auto}").background.captioner is None


def test_a_captioning_model_is_a_folder_or_of_the_hub() -> None:
    text = "background: {image: b.png, prompt: auto, repaint: 1, caption_model: X}"
    assert scene(text.replace("X", "blip")).background.captioner == ModelRef("blip", Path("blip"))
    git = scene(text.replace("X", "microsoft/git-base")).background.captioner
    assert git == ModelRef("microsoft/git-base")
    named = text.replace("X", "Salesforce/blip-image-captioning-base")
    assert scene(named).background.captioner == DEFAULT_CAPTIONER
    for wrong, told in {
        "sub": "sub is no captioning model folder: it has no config.json",
        "blip/model.safetensors": "a captioning model is a folder or a hub id, not the file",
        "nothing here": "no captioning model 'nothing here'",
    }.items():
        with pytest.raises(SceneError, match=told):
            scene(text.replace("X", wrong))


# The run


def test_a_caption_is_told_kept_and_recorded(captioner: Path, smd: Smd, calls: list[str]) -> None:
    words = by_transformers(captioner, Image.new("RGB", (64, 64), BLUE))
    first = smd(["render", "s.yaml", "-o", "one.png"])
    assert first.code == 0, first.err
    assert f"sub/photo.png shows: {words}\n" in first.err
    assert f"the caption is kept in {SIDECAR}" in first.err
    assert SIDECAR.read_text(encoding="utf-8") == f"{words}\n"
    assert changes("one.png") == f"background.prompt={words}"
    second = smd(["render", "s.yaml", "-o", "two.png"])
    assert f"sub/photo.png shows: {words}\n" in second.err
    assert "kept" not in second.err
    assert calls == ["blip"]
    assert Path("one.png").read_bytes() == Path("two.png").read_bytes()
    spelt = smd(["render", "s.yaml", "--set", f"background.prompt={words}", "-o", "three.png"])
    assert spelt.code == 0
    assert "shows:" not in spelt.err
    assert "caption_model" not in spelt.err
    with Image.open("one.png") as a, Image.open("three.png") as b:
        assert a.tobytes() == b.tobytes()


def test_a_picture_is_painted_again_without_a_captioner(smd: Smd) -> None:
    assert smd(["render", "s.yaml", "-o", "one.png"]).code == 0
    SIDECAR.unlink()
    shutil.rmtree("blip")
    printed = smd(["unpack", "one.png", "-o", "out"])
    assert printed.code == 0, printed.err
    command = shlex.split(printed.err.partition("with: ")[2])
    assert "background.prompt=" in printed.err
    assert "blip" not in printed.err
    shutil.copytree("sub", "out/sub")
    again = smd(command[1:])
    assert again.code == 0, again.err
    with Image.open("one.png") as a, Image.open("again.png") as b:
        assert a.tobytes() == b.tobytes()


def test_what_a_user_wrote_is_the_caption(smd: Smd, calls: list[str]) -> None:
    SIDECAR.write_text("\ufeff a quiet\n  lake \n", encoding="utf-8")
    run = smd(["render", "s.yaml", "-o", "one.png"])
    assert "sub/photo.png shows: a quiet lake\n" in run.err
    assert calls == []
    assert load("s.yaml", Request(["s.yaml"])).scene.background.prompt == "painted, a quiet lake"
    os.utime(SIDECAR, (1, 1))
    run = smd(["render", "s.yaml", "-o", "one.png"])
    assert f"a quiet lake; {SIDECAR} is older than the picture\n" in run.err
    SIDECAR.write_text("auto", encoding="utf-8")
    assert smd(["render", "s.yaml", "-o", "one.png"]).code == 0
    assert changes("one.png") == 'background.prompt="auto "'


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b" \n", "it is empty"),
        (b"\xff\xfe\xff", "it is no UTF-8 text"),
        (b"a" * 10_001, "too long"),
    ],
)
def test_a_caption_that_cannot_be_read(smd: Smd, data: bytes, told: str) -> None:
    SIDECAR.write_bytes(data)
    run = smd(["render", "s.yaml", "-o", "one.png"])
    assert run.code == 2
    assert f"s.yaml:2:44: error: the caption in {SIDECAR} cannot be read: " in run.err
    assert told in run.err
    assert SIDECAR.read_bytes() == data


def test_a_place_that_takes_no_caption(smd: Smd, calls: list[str]) -> None:
    """The picture's name is as long as names may be."""
    photo = f"{'x' * 240}.png"
    Path("sub/photo.png").rename(photo)
    Path("s.yaml").write_text(SCENE.replace("sub/photo.png", photo), encoding="utf-8")
    Path("t.yaml").write_text(SCENE.replace("sub/photo.png", photo), encoding="utf-8")
    run = smd(["render", "s.yaml", "t.yaml", "-o", "{scene}.png"])
    assert run.code == 0, run.err
    assert "could not be written: File name too long: the next run asks for the" in run.err
    assert changes("s.png") == changes("t.png")
    assert calls == ["blip"]


def test_check_asks_nobody(smd: Smd, calls: list[str]) -> None:
    run = smd(["check", "s.yaml"])
    assert "sub/photo.png: (a caption by blip)" in run.out
    assert run.err == ""
    SIDECAR.write_text("a lake", encoding="utf-8")
    assert "sub/photo.png: painted, a lake" in smd(["check", "s.yaml"]).out
    assert calls == []


def test_a_captioner_that_nobody_asks(smd: Smd) -> None:
    run = smd(["check", "s.yaml", "--set", "background.color=red"])
    assert "caption_model" not in run.err
    Path("s.yaml").write_text(SCENE.replace("auto", "a lake"), encoding="utf-8")
    assert "s.yaml:2:67: warning: caption_model has no effect" in smd(["check", "s.yaml"]).err


def test_offline_it_says_how_to_get_the_captioner(smd: Smd) -> None:
    Path("s.yaml").write_text(SCENE.replace(", caption_model: blip", ""), encoding="utf-8")
    run = smd(["render", "s.yaml", "--offline"])
    assert run.code == 1
    assert "Salesforce/blip-image-captioning-base is not here" in run.err
    [wanted] = captioner_downloads(DEFAULT_CAPTIONER)
    assert f"get it by: {wanted.command}\n" in run.err
    assert wanted.command.startswith("smd models pull Salesforce/blip-image-captioning-base --rev")


def test_watch_captions_a_picture_once(calls: list[str]) -> None:
    with Following(WatchOptions()) as following:
        state = following.fresh(1)
        words = SIDECAR.read_text(encoding="utf-8").strip()
        assert state.background == (f"painted, {words}", "sub/photo.png")
        write("s.yaml", SCENE.replace("a fox", "an owl"))
        assert following.fresh(2).background == state.background
        write(str(SIDECAR), "a lake")
        assert following.fresh(3).background == ("painted, a lake", "sub/photo.png")
    assert calls == ["blip"]
