"""Pictures painted again by what they tell of themselves: the same bytes, and what differs."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import TINY, Result, Smd
from PIL import Image
from watch.follow import Following, disc, text_of

from smd_cli.engine.contract import Backbone
from smd_cli.models.fingerprint import digest
from smd_cli.output.origin import with_origin
from smd_cli.watch.live import WatchOptions
from smd_cli.work import provenance, record, render
from smd_cli.work.provenance import differences

SCENE = """\
model: ../models/tiny
size: 64x64
background: {prompt: a meadow, color: blue}
seed: 5
brushes:
  - {name: fox, prompt: a fox, mask: masks/fox.png}
  - {name: owl, prompt: an owl, mask: {image: "../it's.png", invert: true}}
defaults: {blur: 0}
sampler: {steps: 1}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    here = tmp_path / "work"
    (here / "proj" / "masks").mkdir(parents=True)
    (here / "out").mkdir()
    monkeypatch.chdir(here)
    shutil.copytree(TINY, "models/tiny")
    Path("proj/s.yaml").write_text(SCENE, encoding="utf-8")
    disc(20).save("proj/masks/fox.png")
    disc(44).save("it's.png")
    return here


@pytest.fixture(autouse=True)
def _loaded_once(tiny: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model in the scenes' folder is the golden one: it need not be loaded for each picture."""
    monkeypatch.setattr(render, "load_backbone", lambda *_, **__: tiny)


def done(smd: Smd, *arguments: str) -> Result:
    result = smd(arguments)
    assert result.code == 0, result.err
    return result


def rendered(smd: Smd, *options: str, out: str = "out/a.png") -> Path:
    done(smd, "render", "proj/s.yaml", "-o", out, *options)
    return Path(out)


def some_scene(draw: random.Random) -> tuple[str, list[str]]:
    """A scene that nobody wrote, with options: of all sections some keys."""
    brushes = []
    for number in range(draw.randint(1, 3)):
        at = [draw.randint(0, 40) for _ in range(2)]
        shape = f"{draw.choice(['rect', 'ellipse'])}: [{at[0]}, {at[1]}, 24, 20]"
        mask = draw.choice([f"{{{shape}}}", "masks/fox.png", '{image: "../it\'s.png"}'])
        brush = f"  - {{name: b{number}, prompt: a fox, mask: {mask}, "
        brushes.append(f"{brush}blur: {draw.choice([0, 2.5])}, alpha: {draw.choice([1, 0.9])}}}")
    seed, steps = draw.choice(["random", 7]), draw.choice([1, 2])
    noise = draw.choice(["walk", "fixed", "independent"])
    lines = ["model: ../models/tiny", "size: 64x64", f"seed: {seed}", "background: a meadow"]
    lines += [f"sampler: {{steps: {steps}, noise: {noise}}}", "brushes:", *brushes]
    options = draw.choice(
        [
            [],
            ["--set", "brushes.b0.prompt=two\nlines: 'of' \"text\" #1", "--seed", "random"],
            ["--set", 'brushes.1.mask={image: "it\'s.png", invert: true}'],
            ["--model", "./models/tiny", "--set", 'background.prompt="a \\" sea"'],
            ["-n", "3", "--frame", "2", "--schedule", "stream"],
        ]
    )
    return "\n".join(lines) + "\n", options


@pytest.mark.parametrize("number", range(10))
def test_any_scene_is_painted_again_to_the_last_byte(number: int, smd: Smd) -> None:
    text, options = some_scene(random.Random(number))
    Path("proj/s.yaml").write_text(text, encoding="utf-8")
    embedded = ["--embed"] if number % 2 else []
    picture = rendered(smd, *options, *embedded)
    result = done(smd, "rerun", str(picture), "-o", "again.png")
    assert result.out.split() == ["again.png"]
    assert "note: again.png: the same bytes as out/a.png" in result.err
    assert Path("again.png").read_bytes() == picture.read_bytes()


@pytest.mark.parametrize(
    ("out", "options"),
    [
        ("out/f-%d.png", ["-n", "3"]),
        ("out/a.apng", ["-n", "3", "--schedule", "single"]),
        ("out/a.apng", ["--set", "frames=9", "-n", "4:6"]),
        ("out/a.gif", ["-n", "2", "--sidecar", "--fps", "3"]),
        ("out/a.jpg", ["--sidecar", "--embed", "--set", "output.quality=50"]),
    ],
)
def test_films_and_frames_of_them_are(out: str, options: Sequence[str], smd: Smd) -> None:
    rendered(smd, *options, out=out)
    picture = sorted(path for path in Path("out").iterdir() if path.suffix != ".json")[-1]
    again = f"again{picture.suffix}"
    done(smd, "rerun", str(picture), "-o", again)
    assert Path(again).read_bytes() == picture.read_bytes()


def test_a_comparison_is(smd: Smd, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the seconds that it tells, so it is asked for the pixels of its last column."""
    from smd_cli.scene.types import Bootstrap, Guidance, Sampler
    from smd_cli.work import compare

    few = Sampler(method="multidiffusion", steps=1, bootstrap=Bootstrap(0), guidance=Guidance())
    monkeypatch.setattr(compare, "MULTIDIFFUSION", few)
    done(smd, "compare", "proj/s.yaml", "-o", "c.png")
    done(smd, "rerun", "c.png")
    last = [np.asarray(Image.open(name))[12:76, -100:] for name in ("c.png", "c-again.png")]
    assert np.array_equal(last[0], last[1])


def test_a_changed_mask_is_named(smd: Smd) -> None:
    picture = rendered(smd)
    disc(50).save("proj/masks/fox.png")
    result = done(smd, "rerun", str(picture))
    assert "note: masks/fox.png has changed since" in result.err
    assert "it's.png has changed" not in result.err
    assert "of the pixels are others than in out/a.png, by" in result.err
    assert result.out.split() == ["a-again.png"]


def test_embedded_masks_outlast_their_change(smd: Smd) -> None:
    picture = rendered(smd, "--embed")
    disc(50).save("proj/masks/fox.png")
    Path("it's.png").unlink()
    Path("proj/s.yaml").write_text("background: grass\n", encoding="utf-8")
    told = done(smd, "rerun", str(picture), "-o", "again.png").err
    assert "masks/fox.png has changed since: it is painted as it is inside the picture" in told
    assert "s.yaml has changed since: it is painted as the picture tells it" in told
    assert Path("again.png").read_bytes() == picture.read_bytes()


def test_what_is_said_of_embedded_files_names_the_picture(smd: Smd) -> None:
    picture = rendered(smd, "--embed")
    told = done(smd, "rerun", str(picture), "-o", "again.png").err
    assert f"{picture / 's.yaml'}:3:39: warning: color has no effect" in told
    assert "smd-rerun-" not in told


def test_a_model_that_is_gone_can_be_named(smd: Smd) -> None:
    picture = rendered(smd)
    Path("models/tiny").rename("models/moved")
    wrong = smd(["rerun", str(picture), "-o", "again.png"])
    assert wrong.code == 2
    assert "no model '../models/tiny'" in wrong.err
    assert (
        f"smd unpack {picture}, and then smd render its scene with --set model.name=FOLDER"
        in wrong.err
    )


def test_a_picture_that_is_not_there_has_a_hint(smd: Smd) -> None:
    for command in ("rerun", "info", "unpack"):
        wrong = smd([command, "gone.png"])
        assert wrong.code == 2
        assert "there is no file gone.png\nhint: name a PNG that smd wrote" in wrong.err


def test_frames_are_recorded_by_one_digest(smd: Smd, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is inside is not hashed again for every frame."""
    hashed = []

    def sha256(told: bytes) -> hashlib._Hash:
        hashed.append(told)
        return hashlib.sha256(told)

    monkeypatch.setattr(record, "hashlib", SimpleNamespace(sha256=sha256))
    rendered(smd, "-n", "3", "--embed", out="out/f-%d.png")
    assert len(hashed) == 1


def test_what_was_painted_again_is_painted_again(smd: Smd) -> None:
    """A copy that lies elsewhere is looked at from there, and then from here."""
    picture = rendered(smd)
    done(smd, "rerun", str(picture), "-o", "new/", "--in", "proj")
    [copy] = Path("new").iterdir()
    done(smd, "rerun", str(copy), "-o", "again.png")
    assert Path("again.png").read_bytes() == picture.read_bytes()


def test_a_scene_that_moved_is_asked_for(smd: Smd) -> None:
    picture = rendered(smd)
    Path("proj").rename("else")
    wrong = smd(["rerun", str(picture)])
    assert wrong.code == 2
    assert "names are not to be found: masks/fox.png, ../it's.png" in wrong.err
    assert "--in FOLDER" in wrong.err
    done(smd, "rerun", str(picture), "-o", "again.png", "--in", "else")
    assert Path("again.png").read_bytes() == picture.read_bytes()
    assert "there is no folder gone" in smd(["rerun", str(picture), "--in", "gone"]).err


def test_a_picture_is_never_painted_over_by_itself(smd: Smd) -> None:
    picture = rendered(smd)
    before = picture.read_bytes()
    assert "would replace" in smd(["rerun", str(picture), "-o", str(picture)]).err
    assert picture.read_bytes() == before


def test_other_machines_and_versions_are_told(smd: Smd) -> None:
    picture = rendered(smd)
    text = text_of(picture)
    made = {provenance.VERSIONS: "torch 1.0, numpy 3", provenance.MODEL: f"{'0' * 32} tiny"}
    told = {**text, "Software": "smd 0.0.1", **made}
    today = {key: text[key] for key in (provenance.VERSIONS, provenance.MODEL)}
    torch = dict(one.split() for one in text[provenance.VERSIONS].split(", "))["torch"]
    said = [*differences(told, today, ["", "x"])]
    assert said[0].startswith("it was painted by smd 0.0.1, and this is smd ")
    assert said[1] == f"torch was 1.0, and is {torch}"
    assert said[3:] == [
        "the files of the model ../models/tiny are others than then",
        "masks/fox.png is no file that can be read any more",
        "../it's.png has changed since",
    ]
    err = done(smd, "rerun", str(picture), "--dtype", "bf16").err
    assert "it was painted on cpu in fp32, and is now on cpu in bf16" in err


def test_another_model_under_the_same_name_is_told(smd: Smd) -> None:
    picture = rendered(smd)
    weights = Path("models/tiny/unet/diffusion_pytorch_model.safetensors")
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert "the files of the model ../models/tiny are others" in done(smd, "info", str(picture)).out


def test_a_large_file_is_known_by_samples(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    with path.open("wb") as file:
        file.truncate(1 << 27)
    first = digest(path)
    with path.open("r+b") as file:
        file.seek((1 << 27) - 1)
        file.write(b"x")
    os.utime(path, ns=(1, 1))
    assert len({first, digest(path), digest(tmp_path / "gone")}) == 3


def test_sidecars_lie_beside_what_holds_no_text(smd: Smd) -> None:
    result = done(
        smd, "render", "proj/s.yaml", "--sidecar", "-n", "2", "-o", "out/a.gif", "-o", "out/%d.jpg"
    )
    assert sorted(result.out.split()) == sorted(map(str, Path("out").iterdir()))
    held = json.loads(Path("out/1.jpg.json").read_text(encoding="utf-8"))
    assert (held["picture"], held["pictures"]) == ("1.jpg", 1)
    assert held["text"]["smd:frame"] == "1 of 2"
    assert json.loads(Path("out/a.gif.json").read_text(encoding="utf-8"))["pictures"] == 2
    done(smd, "unpack", "out/a.gif", "-o", "scene")
    model = str(Path("models/tiny").resolve())
    scene = SCENE.replace("../models/tiny", json.dumps(model))
    assert Path("scene/a.yaml").read_text(encoding="utf-8") == scene
    assert "told by   out/1.jpg.json" in done(smd, "info", "out/1.jpg").out
    assert "frame     1 of 2" in done(smd, "info", "out/1.jpg.json").out


def test_a_sidecar_replaces_no_file_that_is_read(smd: Smd) -> None:
    Path("a.gif.json").write_text(json.dumps({"background": "grass", "size": "64x64"}))
    result = smd(["render", "a.gif.json", "--sidecar", "-o", "a.gif"])
    assert (result.code, "would replace a.gif.json" in result.err) == (2, True)
    result = smd(["render", "proj/s.yaml", "--sidecar", "--no-clobber", "-o", "a.gif"])
    assert "a.gif.json exists already" in result.err
    assert "there is no sidecar" in done(smd, "render", "proj/s.yaml", "--sidecar").err


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"text": {"a": 1}, "pictures": 1}', "[" * 9999])
def test_other_files_are_no_sidecars(text: str, smd: Smd) -> None:
    Path("a.gif").write_bytes(b"GIF89a")
    Path("a.gif.json").write_text(text)
    assert "is no sidecar that smd wrote" in smd(["info", "a.gif"]).err


def test_pictures_tell_nothing_where_they_shall_not(smd: Smd) -> None:
    assert text_of(rendered(smd, "--no-metadata")) == {}
    assert "holds no scene" in smd(["rerun", "out/a.png"]).err
    told = smd(["render", "proj/s.yaml", "--no-metadata", "--embed"])
    assert (told.code, "--no-metadata and --embed exclude each other" in told.err) == (2, True)
    assert "--sidecar keeps it" in smd(["render", "proj/s.yaml", "--embed", "-o", "a.jpg"]).err


def test_no_picture_tells_of_this_machine(smd: Smd, folder: Path) -> None:
    """Nor of where it lies, but for the way to its scene."""
    for options in ([], ["--embed"], ["--set", f"brushes.1.mask={folder / 'proj/masks/fox.png'}"]):
        text = text_of(rendered(smd, *options))
        assert not [key for key, value in text.items() if str(folder) in value]
        assert (text["smd:from"], text["smd:here"]) == ("../proj/s.yaml", "..")


def test_info_tells_people_and_machines(smd: Smd) -> None:
    picture = rendered(smd, "--embed", "--seed", "12", "--set", "brushes.fox.prompt=a wolf")
    lines = done(smd, "info", str(picture)).out.splitlines()
    assert lines[:4] == [
        "picture   out/a.png",
        "scene     ../proj/s.yaml",
        "frame     0 of 1",
        "seed      12",
    ]
    assert "change    brushes.fox.prompt=a wolf" in lines
    assert f"file      masks/fox.png {digest(Path('proj/masks/fox.png'))}, inside" in lines
    assert lines[-1] == "today: all of it is the same"
    disc(9).save("proj/masks/fox.png")
    told = json.loads(done(smd, "info", str(picture), "--json").out)
    assert (told["seed"], told["embeds"], told["texts"]["smd:scene"]) == (12, True, SCENE)
    assert told["differs"][0].startswith("masks/fox.png has changed since")
    shutil.rmtree("proj")
    shutil.rmtree("models")
    told = json.loads(done(smd, "info", str(picture), "--json").out)
    assert "neither a preset, an existing path" in told["unknown"]


def test_info_imports_nothing_heavy(smd: Smd) -> None:
    rendered(smd)
    code = (
        "import sys\nfrom smd_cli.__main__ import run\n"
        "code = run(['info', 'out/a.png'])\n"
        "heavy = {'torch', 'diffusers', 'transformers', 'imageio'} & set(sys.modules)\n"
        "assert code == 0 and not heavy, (code, heavy)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_a_kept_and_a_live_picture_are_painted_again(smd: Smd) -> None:
    Path("s.yaml").write_text(SCENE.replace("../", "").replace("masks/", "proj/masks/"))
    with Following(WatchOptions(keep="kept")) as live:
        live.fresh(1)
    for picture in (Path("live.png"), Path("kept/s-0001.png")):
        done(smd, "rerun", str(picture), "-o", "again.png")
        assert Path("again.png").read_bytes() == picture.read_bytes()


def test_an_embedded_background_outlasts_its_change(smd: Smd) -> None:
    below = "background: {prompt: a meadow, image: photo.png, repaint: 0.7}"
    text = SCENE.replace("background: {prompt: a meadow, color: blue}", below)
    Path("proj/s.yaml").write_text(text, encoding="utf-8")
    Image.linear_gradient("L").resize((64, 64)).convert("RGB").save("proj/photo.png")
    picture = rendered(smd, "--embed", "--without", "owl")
    Image.new("RGB", (64, 64), "red").save("proj/photo.png")
    told = done(smd, "rerun", str(picture), "-o", "again.png").err
    assert "photo.png has changed since: it is painted as it is inside" in told
    assert Path("again.png").read_bytes() == picture.read_bytes()


def test_a_scene_from_a_pipe_is_painted_again(smd: Smd, monkeypatch: pytest.MonkeyPatch) -> None:
    text = SCENE.replace("../", "").replace("masks/", "proj/masks/")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    done(smd, "render", "-", "-o", "out/a.png")
    assert text_of(Path("out/a.png"))["smd:from"] == "../stdin"
    done(smd, "rerun", "out/a.png", "-o", "again.png")
    assert Path("again.png").read_bytes() == Path("out/a.png").read_bytes()


def test_no_way_is_told_that_leads_above_the_home_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a shared place into somebody's home, that is: it would have the name of that."""
    monkeypatch.setattr(Path, "home", lambda: folder / "proj")
    text = {"smd:scene": SCENE}
    assert with_origin(text, "proj/s.yaml", folder / "out/a.png") == text
    beside = with_origin(text, "proj/s.yaml", folder / "proj/masks/a.png")
    assert beside == {**text, "smd:from": "../s.yaml"}
    assert with_origin(text, "", folder / "proj/a.png") == text
    assert with_origin({}, "proj/s.yaml", folder / "proj/a.png") == {}
