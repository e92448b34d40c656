"""`smd doctor`: it tells what is here, finds what is broken, and gives nothing private away."""

from __future__ import annotations

import json
import shutil
from importlib import metadata
from pathlib import Path

import pytest
import torch
from conftest import TINY, Smd

from smd_cli.backbone.families.sd import StableDiffusion
from smd_cli.doctor import agreement
from smd_cli.doctor import examine as doctor
from smd_cli.doctor.agreement import LIMITS, measure
from smd_cli.errors import SmdError
from smd_cli.report.reporter import Reporter
from smd_cli.units import without_home


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder whose hub cache is empty, and no model to render: that takes seconds."""
    from huggingface_hub import constants

    home = tmp_path / "home" / "jane"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "cache" / "hub"))
    monkeypatch.setattr(doctor, "_starter", lambda *_: "one frame in 0.10 s, loaded in 0.2 s")
    return home / "cache"


def test_all_is_well(smd: Smd) -> None:
    result = smd(["doctor", "--device", "cpu"])
    assert (result.code, result.err) == (0, "")
    told = dict(line.split(None, 1) for line in result.out.splitlines())
    for package in ("torch", "diffusers", "transformers", "pillow", "numpy"):
        assert told[package] == metadata.version(package)
    assert told["device"].startswith("cpu, float32")
    assert " free of " in told["memory"]
    assert told["starter"].startswith("one frame in ")
    assert {"smd", "python", "system", "ffmpeg"} <= set(told)


def test_json(smd: Smd) -> None:
    result = smd(["doctor", "--device", "cpu", "--json"])
    told = json.loads(result.out)
    assert (result.code, told["ok"]) == (0, True)
    by_name = {one["name"]: one for one in told["findings"]}
    assert by_name["torch"]["value"] == torch.__version__
    assert not any(one["fault"] for one in told["findings"] if one["essential"])


def test_the_home_folder_is_not_told(smd: Smd) -> None:
    result = smd(["doctor", "--device", "cpu"])
    assert "jane" not in result.out
    cached = [line for line in result.out.splitlines() if line.startswith("hub cache")]
    assert cached[0].split()[2] == str(Path("~/cache/hub"))


def test_only_whole_folders_are_the_home(cache: Path) -> None:
    home = str(cache.parent)
    assert without_home(f"cannot read {home}: no") == "cannot read ~: no"
    assert without_home(f"'{home}/a'") == "'~/a'"
    assert without_home(f"{home}tte/a") == f"{home}tte/a"


def test_the_last_line_says_whether_all_works(smd: Smd) -> None:
    result = smd(["doctor", "--device", "cpu"])
    assert result.out.splitlines()[-1] == "everything works here"


@pytest.mark.parametrize(
    ("faults", "verdict"),
    [
        ([], "everything works here"),
        ([("ffmpeg", False)], "smd works here, but not all of it: see what is said of ffmpeg"),
        (
            [("torch", True), ("starter", True)],
            "smd does not work here: see what is said of torch, starter",
        ),
        (
            [("ffmpeg", False), ("device", True)],
            "smd does not work here: see what is said of device, ffmpeg",
        ),
    ],
)
def test_the_verdict(faults: list[tuple[str, bool]], verdict: str) -> None:
    found = [doctor.Finding(name, "", "broken", essential=e) for name, e in faults]
    report = doctor.Examination((doctor.Finding("smd", "1.0"), *found))
    assert report.verdict == verdict


def test_a_starter_that_does_not_render_fails(smd: Smd, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: str) -> str:
        raise RuntimeError("no kernel image\nis available")

    monkeypatch.setattr(doctor, "_starter", broken)
    result = smd(["doctor", "--device", "cpu"])
    assert result.code == 1
    assert "error: RuntimeError: no kernel image is available\nhint: install smd anew" in result.out
    as_json = smd(["doctor", "--device", "cpu", "--json"])
    assert as_json.code == 1
    assert json.loads(as_json.out)["ok"] is False


def test_a_package_that_is_missing(smd: Smd, monkeypatch: pytest.MonkeyPatch) -> None:
    real = metadata.version

    def version(name: str) -> str:
        if name in missing:
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(metadata, "version", version)
    missing = {"peft"}
    optional = smd(["doctor", "--device", "cpu"])
    assert optional.code == 0
    assert "warning: peft is not installed\nhint: python -m pip install peft\n" in optional.out
    missing = {"accelerate"}
    needed = smd(["doctor", "--device", "cpu"])
    assert needed.code == 1
    assert "error: accelerate is not installed" in needed.out


def test_no_ffmpeg_is_a_warning(smd: Smd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "/nowhere/ffmpeg")
    result = smd(["doctor", "--device", "cpu"])
    assert result.code == 0
    assert "warning: no ffmpeg was found; .mp4 and .webm need it\nhint: " in result.out


def test_no_such_device(smd: Smd) -> None:
    result = smd(["doctor", "--device", "cuda:99"])
    assert result.code == 1
    assert "error: there is no device 'cuda:99' here\nhint: try auto or cpu\n" in result.out
    assert "starter" in result.out  # what comes after is looked at all the same


def test_little_room(smd: Smd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "free_bytes", lambda: 1_000_000_000)
    result = smd(["doctor", "--device", "cpu"])
    assert result.code == 0
    assert "warning: there is little room: a model takes 2 to 14 GB\n" in result.out


def test_no_memory_for_a_model_is_no_fault_of_the_install(
    smd: Smd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_starter", lambda *_: str(torch.empty(1 << 50)))
    found = smd(["doctor", "--device", "cpu"])
    assert found.code == 1
    assert "error: there is no memory left for it\nhint: close other programs, or " in found.out
    assert "DefaultCPUAllocator" not in found.out


def test_a_cache_that_takes_no_downloads(
    smd: Smd, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.mkdir(parents=True)
    (cache / "hub").write_text("a file")
    found = smd(["doctor", "--device", "cpu"])
    assert found.code == 0
    assert "warning: it is no folder\nhint: let HF_HOME name one\n" in found.out
    (cache / "hub").unlink()
    (cache / "hub").mkdir()
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write anywhere
    found = smd(["doctor", "--device", "cpu"])
    assert "warning: it cannot be written to: nothing can be downloaded\n" in found.out


@pytest.mark.slow
def test_the_starter_renders(smd: Smd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    result = smd(["doctor", "--device", "cpu"])
    assert result.code == 0
    assert "starter         one frame in " in result.out


# --- A model against diffusers' own pipeline ------------------------------------------------------


def model(folder: Path, **own: object) -> str:
    """The tiny model with an smd.json of its own."""
    shutil.copytree(TINY, folder)
    (folder / "smd.json").write_text(json.dumps({"native_size": [64, 48], **own}))
    return str(folder)


FULL = {"type": "full", "scale": 1.7}
SAMPLERS: dict[str, dict[str, object]] = {
    "LCM": {"sampler": {"steps": 3}},
    "LCM, guided": {"sampler": {"steps": 3, "guidance": FULL}},
    "one slot": {"sampler": {"steps": 1}},
    "no boundary scalings": {"consistency": False, "sampler": {"timesteps": [999, 640, 190]}},
    "residual guidance is left out": {"sampler": {"guidance": {"type": "self", "scale": 1.4}}},
    "DDIM": {"sampler": {"method": "multidiffusion"}},
}


LONG = {"LCM", "DDIM"}  # as with guidance; of 50 steps


@pytest.mark.parametrize(
    "own",
    [
        pytest.param(own, id=name, marks=[pytest.mark.slow] * (name in LONG))
        for name, own in SAMPLERS.items()
    ],
)
def test_a_model_agrees(own: dict[str, object], tmp_path: Path) -> None:
    found = measure(model(tmp_path / "m", **own), "cpu", "fp32", Reporter())
    assert found.error <= 1e-4
    assert found.agrees
    assert "64x48, float32" in str(found)
    wanted = "DDIMScheduler" if "multidiffusion" in str(own) else "LCMScheduler"
    assert f"StableDiffusionPipeline with {wanted}, " in str(found)


@pytest.mark.parametrize("dtype", ["fp16", "bf16"])
def test_half_precision_agrees_as_far_as_it_can(dtype: str, tmp_path: Path) -> None:
    found = measure(model(tmp_path / "m", sampler={"steps": 3}), "cpu", dtype, Reporter())
    assert 1e-4 < found.error <= found.limit
    assert found.limit > LIMITS[torch.float32]


def test_a_model_that_differs(smd: Smd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    predict = StableDiffusion.predict
    monkeypatch.setattr(StableDiffusion, "predict", lambda *a: predict(*a) * 1.01)
    name = model(tmp_path / "m")
    found = measure(name, "cpu", "fp32", Reporter())
    assert found.error > 1e-2
    result = smd(["doctor", "--device", "cpu", "--model", name])
    assert result.code == 1
    assert f"error: {found}: that is too much\nhint: report it" in result.out


def test_not_a_number_does_not_agree() -> None:
    assert not agreement.Agreement(float("nan"), 1.0, "x").agrees


def test_the_command(smd: Smd, tmp_path: Path) -> None:
    name = model(tmp_path / "m", sampler={"steps": 2})
    result = smd(["doctor", "--device", "cpu", "--model", name])
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines()[-2].startswith("model           relative error ")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("startr", "error: no model 'startr': neither a preset, "),
        ("someone/nothing", "error: the model someone/nothing is not here, and smd is offline; "),
    ],
)
def test_no_such_model(name: str, sentence: str, smd: Smd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    result = smd(["doctor", "--device", "cpu", "--model", name])
    assert result.code == 1
    assert sentence in result.out


def test_a_pipeline_that_diffusers_cannot_load(tmp_path: Path) -> None:
    name = model(tmp_path / "m")
    index = json.loads((TINY / "model_index.json").read_text())
    index["_class_name"] = "PipelineOfNobody"
    (tmp_path / "m" / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(SmdError, match="diffusers itself cannot load"):
        measure(name, "cpu", "fp32", Reporter())
