"""A model of the hub is planned and painted as the same model in a folder, here or to come."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Result, Smd
from hub_stub import Hub, Repo, folder_files, serving
from PIL import Image

from smd_cli.models.facts import read_defaults, unread
from smd_cli.models.ref import ModelRef
from smd_cli.watch.sources import SceneReader
from smd_cli.work.request import Request

from .tiny_models import FAMILY_NAMES

SCENE = """\
model: tiny/{name}
background: a meadow
brushes:
  - {{prompt: a fox, negative: ugly, mask: {{rect: [0, 0, 50%, 100%]}}}}
  - {{prompt: an owl, mask: {{ellipse: [40%, 20%, 50%, 50%]}}}}
"""
LOCAL = ("smd:folder", "smd:weights")  # a picture tells of local models alone where they are
CANVAS = (48, 32)  # that of SD 1.5 is 512x512
# Painted, that is; all are checked.
NAMES = [
    "sd-turbo",
    "sdxl-lcm",
    *(pytest.param(name, marks=pytest.mark.slow) for name in ("sd1", "sdxl-turbo")),
]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache, and no network."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "cache"


@pytest.fixture(params=NAMES)
def model(request: pytest.FixtureRequest, families: dict[str, Path], tmp_path: Path) -> Path:
    """A model in the folder that a scene beside it calls as the hub does: it wins."""
    name = request.param
    folder = Path(shutil.copytree(families[name], tmp_path / "by-folder" / "tiny" / name))
    (folder / "smd.json").write_text(f'{{"native_size": {list(CANVAS)}, "blur": 3}}')
    return folder


def keep(cache: Path, repo: str, folder: Path) -> None:
    """Lay a folder into the hub cache."""
    place = cache / f"models--{repo.replace('/', '--')}"
    shutil.copytree(folder, place / "snapshots" / ("0" * 40))
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text("0" * 40)


def told(
    smd: Smd, where: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, bytes, dict[str, str]]:
    """What check says in a folder, and the pixels and texts that render writes there."""
    where.mkdir(exist_ok=True)
    monkeypatch.chdir(where)
    Path("s.yaml").write_text(SCENE.format(name=name))
    rendered = smd(["render", "s.yaml", "-o", "s.png"])
    assert rendered.code == 0, rendered.err
    checked = smd(["check", "s.yaml"])
    assert checked.code == 0, checked.err
    with Image.open("s.png") as picture:
        texts = {key: str(text) for key, text in picture.info.items() if key not in LOCAL}
        return checked.out + checked.err, picture.tobytes(), texts


def test_in_the_cache_it_is_the_model_of_the_folder(
    model: Path, cache: Path, tmp_path: Path, smd: Smd, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_folder = told(smd, tmp_path / "by-folder", model.name, monkeypatch)
    keep(cache, f"tiny/{model.name}", model)
    assert told(smd, tmp_path / "by-id", model.name, monkeypatch) == by_folder
    with Image.open("s.png") as picture:
        assert picture.size == CANVAS


@pytest.mark.parametrize("name", FAMILY_NAMES)
def test_in_the_cache_it_is_checked_as_the_folder(
    name: str,
    families: dict[str, Path],
    cache: Path,
    tmp_path: Path,
    smd: Smd,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def checked(where: str) -> Result:
        Path(where).mkdir(exist_ok=True)
        Path(where, "s.yaml").write_text(SCENE.format(name=name))
        monkeypatch.chdir(where)
        return smd(["check", "s.yaml"])

    shutil.copytree(families[name], tmp_path / "by-folder" / "tiny" / name)
    by_folder = checked(str(tmp_path / "by-folder"))
    keep(cache, f"tiny/{name}", families[name])
    assert checked(str(tmp_path / "by-id")) == by_folder
    assert by_folder.out.startswith("s.yaml: 64x64 px, ")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """An empty hub, which the library in this process takes for the real one."""
    from huggingface_hub import constants, file_download

    with serving(Hub()) as running:
        template = running.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "ENDPOINT", running.url)
        for module in (constants, file_download):  # older versions have it in both
            monkeypatch.setattr(module, "HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_HUB_OFFLINE", "0")
        yield running


def test_one_that_has_to_come_first_is_painted_the_same(
    model: Path, hub: Hub, tmp_path: Path, smd: Smd, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_folder = told(smd, tmp_path / "by-folder", model.name, monkeypatch)
    assert not hub.asked
    hub.repos[f"tiny/{model.name}"] = Repo(folder_files(model))
    assert told(smd, tmp_path / "by-id", model.name, monkeypatch) == by_folder


def test_watch_asks_the_hub_before_it_paints(
    families: dict[str, Path], hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repos["tiny/sd-turbo"] = Repo(folder_files(families["sd-turbo"]))
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(SCENE.format(name="sd-turbo"))
    job = SceneReader().read(Request(["s.yaml"], ["s.png"]), {}).job
    assert job is not None
    assert job.painted.size == (64, 64)
    assert job.scene_file.scene.sampler.steps == 4


def test_check_says_that_it_does_not_know(tmp_path: Path, smd: Smd, hub: Hub) -> None:
    (tmp_path / "s.yaml").write_text(SCENE.format(name="sd1"))
    checked = smd(["check", str(tmp_path / "s.yaml")])
    assert checked.code == 0
    assert (
        "512x512 px, model tiny/sd1, 5 slots as for SD 1.5, its files are not here" in checked.out
    )
    assert not hub.asked


def test_what_is_wrong_is_told_before_weights_come(
    families: dict[str, Path], hub: Hub, tmp_path: Path, smd: Smd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model's own configs say that it is not for smd; its weights are never asked for."""
    files = folder_files(families["sd1"])
    files["scheduler/scheduler_config.json"] = b'{"_class_name": "EDMEulerScheduler"}'
    hub.repos["tiny/sd1"] = Repo(files)
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(SCENE.format(name="sd1"))
    rendered = smd(["render", "s.yaml"])
    assert rendered.code == 2
    assert rendered.err.startswith("s.yaml:1:8: error: the model tiny/sd1 has the scheduler EDMEul")
    assert not [path for path, _ in hub.gets if path.endswith(".safetensors")]


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"model_index.json": b'{"_class_name": "FluxPipeline"}'}, "tiny/sd1"),
        ({"README.md": b"nothing"}, "tiny/sd1 holds no model that smd can load"),
    ],
)
def test_what_the_hub_has_under_a_name_is_told_at_the_name(
    files: dict[str, bytes],
    sentence: str,
    hub: Hub,
    tmp_path: Path,
    smd: Smd,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub.repos["tiny/sd1"] = Repo(files)
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(SCENE.format(name="sd1"))
    rendered = smd(["render", "s.yaml"])
    assert rendered.code == 2
    first = rendered.err.splitlines()[0]
    assert first.startswith("s.yaml:1:8: error: ")
    assert sentence in first


def test_a_vae_of_the_hub_counts_too(families: dict[str, Path], cache: Path) -> None:
    """Its factor is read where it is; until then it is one to come."""
    model = ModelRef("m", families["sd1"], vae=ModelRef("tiny/vae"))
    assert [wanted.repo for wanted in unread(model)] == ["tiny/vae"]
    assert (read_defaults(model).known, read_defaults(model).factor) == (False, 8)
    vae = cache.parent / "vae"
    vae.mkdir()
    config = '{"_class_name": "AutoencoderKL", "block_out_channels": [8, 8]}'
    (vae / "config.json").write_text(config)
    keep(cache, "tiny/vae", vae)
    assert not unread(model)
    assert (read_defaults(model).known, read_defaults(model).factor) == (True, 2)


@pytest.mark.parametrize("lacking", ["unet/config.json", "scheduler/scheduler_config.json"])
def test_a_model_in_part_is_still_to_come(
    lacking: str, families: dict[str, Path], cache: Path
) -> None:
    keep(cache, "tiny/sd1", families["sd1"])
    assert read_defaults(ModelRef("tiny/sd1")).known
    next(cache.rglob(lacking)).unlink()
    assert not read_defaults(ModelRef("tiny/sd1")).known
    assert [wanted.repo for wanted in unread(ModelRef("tiny/sd1"))] == ["tiny/sd1"]


def test_a_scene_from_standard_input_is_read_once(
    families: dict[str, Path], hub: Hub, tmp_path: Path, smd: Smd, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io
    import sys

    hub.repos["tiny/sd1"] = Repo(folder_files(families["sd1"]))
    monkeypatch.chdir(tmp_path)
    text = io.TextIOWrapper(io.BytesIO(SCENE.format(name="sd1").encode()))
    monkeypatch.setattr(sys, "stdin", text)
    rendered = smd(["render", "-", "-o", "s.png"])
    assert rendered.code == 0, rendered.err
    with Image.open("s.png") as picture:
        assert picture.size == (64, 64)
