"""`smd models`: presets and the hub cache as they are, without a network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TINY, Smd

from smd_cli.hub_cache import Download, bytes_on_disk
from smd_cli.models_list import list_models, preset
from smd_cli.presets import PRESETS, Preset

COMMIT = "0123456789abcdef0123456789abcdef01234567"
UNET = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def put(cache: Path, repo: str, files: Path, commit: str = COMMIT) -> Path:
    """Lay files into the cache as the hub's library does; gives the snapshot."""
    folder = cache / f"models--{repo.replace('/', '--')}"
    snapshot = folder / "snapshots" / commit
    (folder / "blobs").mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(commit)
    for number, path in enumerate(p for p in sorted(files.rglob("*")) if p.is_file()):
        blob = folder / "blobs" / f"{number:040x}"
        shutil.copyfile(path, blob)
        link = snapshot / path.relative_to(files)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blob)
    return snapshot


def test_an_empty_cache(smd: Smd, cache: Path) -> None:
    result = smd(["models"])
    assert (result.code, result.err) == (0, "")
    head, *presets, foot = result.out.splitlines()
    assert [line.split()[0] for line in presets] == list(PRESETS)
    assert all(line.split()[1:3] == ["not", "here"] for line in presets[1:])
    starter = presets[0]
    assert head.split() == ["model", "state", "size", "what"]
    assert starter.split()[:4] == ["starter", "comes", "with", "smd"]
    assert foot.startswith(f"hub cache: {cache} (")
    assert not cache.exists()


def test_whole_and_half_models_of_no_preset(smd: Smd, cache: Path) -> None:
    put(cache, "b/whole", TINY)
    (put(cache, "a/half--model", TINY) / UNET).unlink()
    put(cache, "c/vae", TINY / "tiny_vae")
    put(cache, "d/text", TINY / "tokenizer")
    (cache / "models--e--broken").mkdir()
    (cache / "datasets--f--words").mkdir()
    lines = smd(["models"]).out.splitlines()
    assert [line.split() for line in lines[1 + len(PRESETS) : -1]] == [
        ["a/half--model", "in", "part", "4.3", "MB", "StableDiffusionPipeline"],
        ["b/whole", "here", "4.3", "MB", "StableDiffusionPipeline"],
        ["c/vae", "here", "634", "kB", "AutoencoderTiny"],
        ["d/text", "here", "5.4", "kB", "-"],
        ["e/broken", "in", "part", "-", "-"],
    ]
    assert len({line.index("MB") for line in lines if "MB" in line}) == 1


def test_links_to_nothing_are_not_here(smd: Smd, cache: Path) -> None:
    """What a cleaned disk leaves: names without files. One is enough not to be here."""
    (put(cache, "a/model", TINY) / UNET).resolve().unlink()
    (put(cache, "b/vae", TINY / "tiny_vae") / "config.json").resolve().unlink()
    put(cache, "c/words", TINY / "tokenizer")
    for blob in (cache / "models--c--words" / "blobs").iterdir():
        blob.unlink()
    lines = smd(["models"]).out.splitlines()
    rows = [line.split() for line in lines if line.startswith(("a/", "b/", "c/"))]
    assert [row[:3] for row in rows] == [
        ["a/model", "in", "part"],
        ["b/vae", "in", "part"],
        ["c/words", "not", "here"],
    ]


def test_json_names_what_is_missing(smd: Smd, cache: Path) -> None:
    (put(cache, "a/half", TINY) / UNET).unlink()
    told = json.loads(smd(["models", "--json"]).out)
    assert told["cache"] == str(cache)
    assert [one["name"] for one in told["presets"]] == list(PRESETS)
    [half] = told["others"]
    assert half["state"] == "in part"
    assert half["missing"] == [UNET]
    sizes = [path.stat().st_size for path in TINY.rglob("*") if path.is_file()]
    assert half["bytes"] == sum(sizes) + len(COMMIT)  # and the ref


def test_a_preset_of_two_repositories(cache: Path) -> None:
    vae = Download("some/vae", files=("config.json", "diffusion_pytorch_model.safetensors"))
    model = Download("some/model", COMMIT, name="quick")
    quick = Preset("quick", "a quick one", "MIT", "some/model")
    nothing = preset(quick, (model, vae))
    assert (nothing.state, nothing.bytes) == ("not here", 0)
    assert nothing.missing[0] == "some/model/model_index.json"
    assert nothing.row == ("quick", "not here", "-", "a quick one")
    put(cache, "some/model", TINY)
    half = preset(quick, (model, vae))
    assert (half.state, half.bytes) == ("in part", bytes_on_disk("some/model"))
    assert half.missing == (
        "some/vae/config.json",
        "some/vae/diffusion_pytorch_model.safetensors",
    )
    put(cache, "some/vae", TINY / "tiny_vae")
    whole = preset(quick, (model, vae))
    assert (whole.state, whole.missing) == ("here", ())
    assert whole.bytes == bytes_on_disk("some/model") + bytes_on_disk("some/vae")


def test_the_newest_revision_counts(cache: Path) -> None:
    old = put(cache, "a/model", TINY)
    (old / UNET).unlink()
    new = old.parent / ("f" * 40)
    shutil.copytree(TINY, new)
    os.utime(old, (1, 1))
    assert [one.state for one in list_models().others] == ["here"]
    os.utime(new, (0, 0))
    assert [one.state for one in list_models().others] == ["in part"]


def test_it_loads_nothing_heavy() -> None:
    code = (
        "import sys; from smd_cli.__main__ import run; assert run(['models']) == 0; "
        "print([m for m in ('torch', 'diffusers', 'transformers', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
