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

from smd_cli.models.cache import Download, bytes_on_disk
from smd_cli.models.listing import list_models, preset
from smd_cli.models.presets import PRESETS, ModelPreset
from smd_cli.starter.vocabulary import COLOURS, MATERIALS, OBJECTS

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
    head, *presets, foot, prompts = result.out.splitlines()
    assert [line.split()[0] for line in presets] == list(PRESETS)
    assert all(line.split()[1:3] == ["not", "here"] for line in presets[1:])
    starter = presets[0]
    assert head.split() == ["model", "state", "size", "what"]
    assert starter.split()[:4] == ["starter", "comes", "with", "smd"]
    assert foot.startswith(f"hub cache: {cache} (")
    assert prompts == "prompt cache: off, by SMD_PROMPT_CACHE"
    assert not cache.exists()


def test_whole_and_half_models_of_no_preset(smd: Smd, cache: Path) -> None:
    put(cache, "b/whole", TINY)
    (put(cache, "a/half--model", TINY) / UNET).unlink()
    put(cache, "c/vae", TINY / "tiny_vae")
    put(cache, "d/text", TINY / "tokenizer")
    (cache / "models--e--broken").mkdir()
    (cache / "datasets--f--words").mkdir()
    lines = smd(["models"]).out.splitlines()
    assert [line.split() for line in lines[1 + len(PRESETS) : -2]] == [
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
    quick = ModelPreset("quick", "a quick one", "MIT", "some/model")
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


@pytest.mark.parametrize(
    ("arguments", "heavy"), [(["models"], "numpy"), (["models", "starter"], "torch")]
)
def test_it_loads_nothing_heavy(arguments: list[str], heavy: str) -> None:
    code = (
        f"import sys; from smd_cli.__main__ import run; assert run({arguments}) == 0; "
        f"print([m for m in ('diffusers', 'transformers', 'torch', '{heavy}') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


# --- One model ------------------------------------------------------------------------------------


def shown(smd: Smd, *arguments: str) -> dict[str, str]:
    """What `smd models NAME` shows, by title; wrapped lines in one."""
    result = smd(["models", *arguments])
    assert (result.code, result.err) == (0, "")
    facts: dict[str, str] = {}
    title = ""
    for line in result.out.splitlines()[1:]:
        assert len(line) <= 100 or title not in ("objects", "materials")
        title = line[2:14].strip() or title
        facts[title] = f"{facts.get(title, '')} {line[14:]}".strip()
    return facts


def test_the_starter_and_its_words(smd: Smd) -> None:
    facts = shown(smd, "starter")
    assert facts["state"].startswith("comes with smd, ")
    assert (facts["licence"], facts["canvas"]) == (
        "MIT",
        "256x256 px, a latent cell is 8 px",
    )
    assert facts["slots"].startswith("5, timesteps 420 280 180 110 50 (noise 0.779 ")
    assert (facts["bootstrap"], facts["blur"]) == ("3 slots, mix 3", "2 px")
    assert facts["predicts"] == "v_prediction, scheduler DDIMScheduler"
    for title, known in (("objects", OBJECTS), ("materials", MATERIALS), ("colours", COLOURS)):
        assert facts[title] == f"{len(known)}: {', '.join(known)}"


def test_a_hub_id_before_and_after_it_came(smd: Smd, cache: Path) -> None:
    before = shown(smd, "a/model")
    assert before["state"] == "not here"
    assert before["missing"] == "a/model/model_index.json"
    assert before["note"].endswith("what follows is as for Stable Diffusion 1.5")
    assert before["canvas"].startswith("512x512 px")
    assert "family" not in before
    folder = put(cache, "a/model", TINY)
    after = shown(smd, "a/model")
    assert after["state"].startswith("here, ")
    assert (after["place"], after["family"]) == (str(folder), "Stable Diffusion")
    assert after["canvas"].startswith("128x128 px")
    assert {"note", "missing"}.isdisjoint(after)


def test_folders_and_json(smd: Smd) -> None:
    told = json.loads(smd(["models", str(TINY), "--json"]).out)
    assert told == json.loads(smd(["models", "--json", "show", str(TINY)]).out)
    assert (told["state"], told["place"], told["facts_known"]) == ("here", str(TINY), True)
    assert (told["canvas"], told["factor"]) == ([128, 128], 8)
    assert told["bytes"] == sum(f.stat().st_size for f in TINY.rglob("*") if f.is_file())


def test_the_home_folder_is_a_tilde(
    smd: Smd, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path))
    foot = smd(["models"]).out.splitlines()[-2]
    assert foot.startswith(f"hub cache: {Path('~') / cache.name} (")
    shutil.copytree(TINY, tmp_path / "m")
    assert shown(smd, str(tmp_path / "m"))["place"] == str(Path("~/m"))
    assert json.loads(smd(["models", "--json"]).out)["cache"] == str(cache)


@pytest.mark.parametrize("name", ["starter", str(TINY)])
def test_a_revision_of_what_lies_here_has_no_effect(name: str, smd: Smd) -> None:
    told = smd(["models", name, "--revision", "main"])
    assert told.code == 0
    assert told.err == (
        f"--revision main: warning: revision has no effect: the model {name} lies here\n"
        "hint: models of the hub have revisions\n"
    )
    assert told.out == smd(["models", name]).out


def test_check_and_render_say_the_same_of_it(smd: Smd, tmp_path: Path) -> None:
    text = "model: {name: starter, revision: main}\nsize: 64x64\nbackground: sky\n"
    (tmp_path / "s.yaml").write_text(text)
    for command in (["check"], ["render", "-o", str(tmp_path / "s.png")]):
        told = smd([*command, str(tmp_path / "s.yaml")]).err
        assert "warning: revision has no effect: the model starter lies here\n" in told


def test_a_preset_tells_its_parts(smd: Smd) -> None:
    facts = shown(smd, "sdxl-lightning")
    assert facts["licence"] == PRESETS["sdxl-lightning"].licence
    assert (facts["loras"], facts["vae"]) == ("ByteDance/SDXL-Lightning", "madebyollin/taesdxl")
    assert facts["canvas"].startswith("1024x1024 px")
    assert facts["slots"].startswith("4, timesteps 999 749 499 249 ")


def test_names_that_are_commands_have_a_way_around(
    smd: Smd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(TINY, "pull")
    assert smd(["models", "pull"]).code == 2  # pull wants a NAME
    assert shown(smd, "show", "pull") == shown(smd, "./pull") | {"place": "pull"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nope"], "error: no model 'nope': neither a preset, an existing path nor a hub id"),
        ([""], "error: the name of a model must not be empty"),
        (["pull", ""], "error: the name of a model must not be empty"),
        (
            ["https://huggingface.co/a/b/tree/main"],
            "error: no model 'https://huggingface.co/a/b/tree/main': neither a preset, an existing "
            "path nor a hub id\nhint: a model of the hub is written a/b\n",
        ),
        (
            ["pull", "https://example.org/a"],
            "error: no model 'https://example.org/a': neither a preset, an existing path nor a hub "
            "id\nhint: download it, and write the path of the file\n",
        ),
        (["starter", "more"], "error: Got unexpected extra argument(s) (more)"),
        (["./flux"], "error: the model ./flux is a FluxPipeline, which is not supported"),
    ],
)
def test_what_cannot_be_shown(
    arguments: list[str],
    sentence: str,
    smd: Smd,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("flux").mkdir()
    Path("flux/model_index.json").write_text('{"_class_name": "FluxPipeline"}')
    result = smd(["models", *arguments])
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(sentence)
