"""Getting models from a hub: whole, after a break, without a network; every ill is a sentence."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY, Logged, Smd
from hub_stub import Hub, Repo, folder_files, serving
from tiny_captioner import write_captioner

from smd_cli.backbone.captioner import caption
from smd_cli.errors import SmdError, UsageError
from smd_cli.models import hub as our_hub
from smd_cli.models.cache import (
    VAE_FILES,
    Download,
    complete,
    downloads_of,
    missing,
    needed,
    snapshot,
)
from smd_cli.models.facts import resolve_model
from smd_cli.models.ref import LoraRef, ModelRef

NAME = "someone/tiny-sd"
UNET = "unet/diffusion_pytorch_model.safetensors"
VAE = "vae/diffusion_pytorch_model.safetensors"
PIECE_BYTES = 50_000
WANTED = Download(NAME)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def stub(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with one tiny model, which the library in this process takes for the real one."""
    from huggingface_hub import constants, file_download

    files = folder_files(TINY)
    files["safety_checker/model.safetensors"] = b"never asked for"
    files["unet/diffusion_pytorch_model.bin"] = b"a pickle"
    files["whole.ckpt"] = b"a pickle"
    with serving(Hub({NAME: Repo(files)})) as running:
        template = running.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "ENDPOINT", running.url)
        for module in (constants, file_download):  # older versions have it in both
            monkeypatch.setattr(module, "HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", PIECE_BYTES)
        monkeypatch.setenv("HF_HUB_OFFLINE", "0")
        monkeypatch.setattr(time, "sleep", lambda _: None)  # the library waits between attempts
        yield running


def refused(wanted: Download) -> str:
    with pytest.raises(SmdError) as wrong:
        our_hub.fetch(wanted)
    return str(wrong.value)


# --- What a model needs ---------------------------------------------------------------------------


def test_what_a_folder_needs_is_what_diffusers_wrote() -> None:
    names = set(needed(TINY, WANTED))
    assert names == {
        "model_index.json",
        "unet/config.json",
        UNET,
        "vae/config.json",
        VAE,
        "text_encoder/config.json",
        "text_encoder/model.safetensors",
        "scheduler/scheduler_config.json",
    }
    assert not missing(TINY, WANTED)


def test_pieces_and_vocabularies_are_needed_too(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(TINY, tmp_path / "model"))
    (folder / "tokenizer/tokenizer.json").unlink()
    (folder / UNET).unlink()
    pieces = {"a": "diffusion_pytorch_model-00001-of-00002.safetensors", "b": "second.safetensors"}
    index = {"metadata": {}, "weight_map": pieces}
    (folder / f"{UNET}.index.json").write_text(json.dumps(index))
    assert set(missing(folder, WANTED)) == {
        "unet/diffusion_pytorch_model-00001-of-00002.safetensors",
        "unet/second.safetensors",
        "tokenizer/vocab.json",
        "tokenizer/merges.txt",
    }


def test_a_model_of_its_own_vae_spares_the_other() -> None:
    local = ModelRef("x", Path("x"))
    assert downloads_of(local) == ()
    model = ModelRef(NAME, revision="v1", vae=ModelRef("some/vae"))
    pipeline, vae = downloads_of(model)
    assert pipeline == Download(NAME, "v1", spared=("vae",))
    assert vae == Download("some/vae", None, VAE_FILES)
    assert not {name for name in needed(TINY, pipeline) if name.startswith("vae/")}
    assert downloads_of(ModelRef(NAME, vae=local)) == (Download(NAME, spared=("vae",)),)


def test_what_a_captioning_model_needs_lies_at_its_top(tmp_path: Path) -> None:
    wanted = Download("some/blip", captioner=True)
    bare = ("config.json", "preprocessor_config.json", "tokenizer.json", "model.safetensors")
    assert needed(tmp_path, wanted) == bare
    (tmp_path / "vocab.txt").write_text("a")
    (tmp_path / "processor_config.json").write_text("{}")
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert needed(tmp_path, wanted) == (
        "config.json",
        "processor_config.json",
        "vocab.txt",
        "model-1.safetensors",
        "model-2.safetensors",
    )


def test_a_captioning_model_is_pulled_by_its_name(
    stub: Hub, cache: Path, tmp_path: Path, smd: Smd
) -> None:
    files = folder_files(write_captioner(tmp_path / "blip"))
    pickle = {"pytorch_model.bin": b"a pickle"}
    stub.repos["some/blip"] = Repo({**files, **pickle, "README.md": b"a model"})
    run = smd(["models", "pull", "some/blip"])
    assert run.code == 0, run.err
    folder = Path(run.out.strip())
    assert folder.is_relative_to(cache)
    assert {path.name for path in folder.iterdir()} == {*files}
    picture = np.zeros((8, 8, 3), dtype=np.uint8)
    told = caption(ModelRef("some/blip"), picture, "cpu")
    assert told == caption(ModelRef("blip", tmp_path / "blip"), picture, "cpu")
    without = {name: data for name, data in files.items() if name != "model.safetensors"}
    stub.repos["some/old"] = Repo({**without, **pickle})
    assert "has pytorch_model.bin, a pickle, but not model.safetensors" in refused(
        Download("some/old", captioner=True)
    )


# --- Getting it -----------------------------------------------------------------------------------


def test_a_model_comes_whole_and_nothing_else(stub: Hub, cache: Path) -> None:
    folder = our_hub.fetch(WANTED)
    assert folder == cache / "models--someone--tiny-sd" / "snapshots" / stub.repos[NAME].commit
    got = folder_files(folder)
    assert got == {k: v for k, v in folder_files(TINY).items() if not k.startswith("tiny_vae/")}
    assert not [*cache.rglob("*.incomplete")]


def test_what_is_here_is_not_asked_for_again(stub: Hub) -> None:
    first = our_hub.fetch(WANTED)
    stub.asked.clear()
    assert our_hub.fetch(WANTED) == first
    assert not stub.asked


def test_the_library_itself_finds_it_there(stub: Hub, cache: Path) -> None:
    from huggingface_hub import hf_hub_download, scan_cache_dir

    folder = our_hub.fetch(WANTED)
    stub.gets.clear()
    assert hf_hub_download(NAME, UNET) == str(folder / UNET)
    assert not stub.gets
    [repo] = scan_cache_dir(cache).repos
    assert repo.repo_id == NAME


def test_a_cut_line_is_mended_within_one_run(stub: Hub) -> None:
    stub.cuts[UNET] = 2_010_000
    folder = our_hub.fetch(WANTED)
    assert (folder / UNET).read_bytes() == (TINY / UNET).read_bytes()
    assert [first for path, first in stub.gets if path == UNET] == [0, 2_000_000]


def test_after_a_break_it_goes_on_where_it_ended(stub: Hub, cache: Path) -> None:
    stub.cuts[UNET], stub.cuts_always = 2_010_000, True
    said = refused(WANTED)
    assert said.startswith(f"error: {NAME} cannot be got from the hub at {stub.url}: ")
    assert said.endswith("\nhint: check the network and try again: what has come so far is kept")
    [part] = cache.rglob("*.smd.incomplete")
    assert part.read_bytes() == (TINY / UNET).read_bytes()[:2_000_000]
    stub.cuts.clear()
    stub.gets.clear()
    told: list[int] = []
    pending = our_hub.prepare(WANTED)
    assert pending.here_bytes == 2_000_000
    folder = our_hub.finish(pending, told.append)
    assert sum(told) == pending.total_bytes - 2_000_000
    assert (folder / UNET).read_bytes() == (TINY / UNET).read_bytes()
    assert [first for path, first in stub.gets if path == UNET] == [2_000_000]


def test_a_broken_half_does_not_pass_for_the_file(stub: Hub, cache: Path) -> None:
    stub.cuts[UNET], stub.cuts_always = 2_010_000, True
    refused(WANTED)
    [part] = cache.rglob("*.smd.incomplete")
    part.write_bytes(bytes(2_000_000))
    stub.cuts.clear()
    assert refused(WANTED) == (
        f"error: {UNET} of {NAME} came broken and was dropped\nhint: try again"
    )
    assert (our_hub.fetch(WANTED) / UNET).read_bytes() == (TINY / UNET).read_bytes()


@pytest.mark.parametrize("length", [3_194_952, 4_000_000])
def test_a_half_that_is_no_half(stub: Hub, cache: Path, length: int) -> None:
    stub.cuts[UNET], stub.cuts_always = 2_010_000, True
    refused(WANTED)
    stub.cuts.clear()
    stub.gets.clear()
    [part] = cache.rglob("*.smd.incomplete")
    part.write_bytes((TINY / UNET).read_bytes().ljust(length, b"x"))
    assert (our_hub.fetch(WANTED) / UNET).read_bytes() == (TINY / UNET).read_bytes()
    asked = [first for path, first in stub.gets if path == UNET]
    assert asked == ([] if length == 3_194_952 else [0])


def test_what_another_revision_brought_does_not_come_again(stub: Hub) -> None:
    our_hub.fetch(WANTED)
    files = {**stub.repos[NAME].files, VAE: b"v" * 20_000}
    stub.repos[NAME] = Repo(files, commit="f" * 40)
    stub.gets.clear()
    pending = our_hub.prepare(WANTED)
    assert pending.total_bytes - pending.here_bytes == 20_000
    folder = our_hub.finish(pending, lambda _: None)
    assert (folder.name, (folder / VAE).read_bytes()) == ("f" * 40, b"v" * 20_000)
    assert (folder / UNET).read_bytes() == (TINY / UNET).read_bytes()
    assert [path for path, _ in stub.gets if path.endswith(".safetensors")] == [VAE]


# --- Where links cannot be made -------------------------------------------------------------------


@pytest.fixture
def plain(stub: Hub, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """A cache as on Windows without its developer mode, or with HF_HUB_DISABLE_SYMLINKS."""
    from huggingface_hub import file_download

    def refused(*_: object, **__: object) -> None:
        raise OSError("a required privilege is not held by the client")

    monkeypatch.setattr(os, "symlink", refused)
    monkeypatch.setattr(file_download, "_are_symlinks_supported_in_dir", {})
    return stub


def test_a_model_comes_whole_without_links(plain: Hub, cache: Path) -> None:
    told: list[int] = []
    pending = our_hub.prepare(WANTED)
    folder = our_hub.finish(pending, told.append)
    got = folder_files(folder)
    assert got == {k: v for k, v in folder_files(TINY).items() if not k.startswith("tiny_vae/")}
    assert not any(path.is_symlink() for path in cache.rglob("*"))
    assert sum(told) == pending.total_bytes > 0
    assert len(told) > 10  # every few kB: that is what moves a bar
    assert plain.gets.count((UNET, 0)) == 1
    assert not [path for path in cache.rglob("blobs/*") if path.stat().st_size > PIECE_BYTES]
    plain.asked.clear()
    assert our_hub.fetch(WANTED) == folder
    assert not plain.asked


def test_after_a_break_it_goes_on_where_it_ended_without_links(plain: Hub, cache: Path) -> None:
    plain.cuts[UNET], plain.cuts_always = 2_010_000, True
    refused(WANTED)
    [part] = cache.rglob("*.smd.incomplete")
    assert part.stat().st_size == 2_000_000
    plain.cuts.clear()
    plain.gets.clear()
    pending = our_hub.prepare(WANTED)
    assert pending.here_bytes == 2_000_000
    folder = our_hub.finish(pending, lambda _: None)
    assert (folder / UNET).read_bytes() == (TINY / UNET).read_bytes()
    assert [first for path, first in plain.gets if path == UNET] == [2_000_000]
    assert not [*cache.rglob("*.incomplete")]


def test_a_blob_from_before_links_were_forbidden_is_taken(
    stub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import file_download

    folder = our_hub.fetch(WANTED)
    shutil.rmtree(folder)
    monkeypatch.setattr(file_download, "are_symlinks_supported", lambda *_: False)
    stub.gets.clear()
    assert (our_hub.fetch(WANTED) / UNET).read_bytes() == (TINY / UNET).read_bytes()
    assert not [path for path, _ in stub.gets if path == UNET]
    assert not any(path.is_symlink() for path in cache.rglob("*"))


def test_pull_without_links_as_users_have_it(stub: Hub, cache: Path) -> None:
    """In a process of its own, with the hub's own setting."""
    command = [sys.executable, "-m", "smd_cli", "models", "pull", NAME, "--json"]
    told = {**environment(stub, cache), "HF_HUB_DISABLE_SYMLINKS": "1"}
    done = subprocess.run(command, env=told, capture_output=True, text=True, check=True)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    downloads = [event for event in events if event["type"] == "download"]
    assert downloads[-1]["done"] == downloads[-1]["total"] > 3_000_000
    assert not any(path.is_symlink() for path in cache.rglob("*"))


# --- Caches that are not as they were left --------------------------------------------------------


CONFIG = "unet/config.json"


def _no_blob(path: Path) -> None:
    path.resolve().unlink()


def _empty(path: Path) -> None:
    path.resolve().write_bytes(b"")


def _short(path: Path) -> None:
    blob = path.resolve()
    blob.write_bytes(blob.read_bytes()[:-9])


def _no_link(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("harm", [_no_blob, _empty, _short, _no_link])
@pytest.mark.parametrize(
    "name", [UNET, CONFIG, "model_index.json", VAE, "tokenizer/tokenizer.json"]
)
@pytest.mark.slow
def test_what_was_harmed_is_not_here_and_comes_again(
    stub: Hub, smd: Smd, monkeypatch: pytest.MonkeyPatch, name: str, harm: Callable[[Path], None]
) -> None:
    """A link to nothing, an empty file and half a file are none: list, offline and pull agree."""
    folder = our_hub.fetch(WANTED)
    harm(folder / name)
    [row] = [line for line in smd(["models"]).out.splitlines() if line.startswith(NAME)]
    assert row.split()[1:3] == ["in", "part"]
    told = json.loads(smd(["models", "--json"]).out)
    lacking = ["tokenizer/vocab.json", "tokenizer/merges.txt"] if "tokenizer" in name else [name]
    assert told["others"][0]["missing"] == lacking
    with monkeypatch.context() as off:
        off.setenv("HF_HUB_OFFLINE", "1")
        said = refused(WANTED)
        assert f"is here only in part, and smd is offline; missing: {', '.join(lacking)}" in said
    stub.gets.clear()
    result = smd(["models", "pull", NAME])
    assert (result.code, result.out) == (0, f"{folder}\n")
    assert folder_files(folder) == {
        k: v for k, v in folder_files(TINY).items() if not k.startswith("tiny_vae/")
    }
    if harm is not _no_link:
        assert {path for path, _ in stub.gets} == {name}
    [row] = [line for line in smd(["models"]).out.splitlines() if line.startswith(NAME)]
    assert row.split()[1] == "here"


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"f" * 40])
def test_a_ref_that_leads_nowhere(stub: Hub, cache: Path, content: bytes) -> None:
    folder = our_hub.fetch(WANTED)
    ref = cache / "models--someone--tiny-sd" / "refs" / "main"
    ref.write_bytes(content)
    assert snapshot(WANTED) is None
    stub.gets.clear()
    assert our_hub.fetch(WANTED) == folder
    assert ref.read_text() == stub.repos[NAME].commit
    assert not stub.gets


@pytest.mark.usefixtures("stub")
def test_a_cache_that_is_no_folder(smd: Smd, cache: Path) -> None:
    cache.write_text("a file")
    listed = smd(["models"])
    assert (listed.code, listed.err) == (0, "")
    result = smd(["models", "pull", NAME])
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(f"error: cannot write to {cache}")
    assert result.err.endswith("hint: HF_HOME names the folder of the hub cache\n")


@pytest.mark.usefixtures("stub")
def test_leftovers_of_other_programs_are_no_model(smd: Smd, cache: Path) -> None:
    blobs = cache / "models--some--model" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / "abc.incomplete").write_bytes(bytes(2000))
    (cache / "models--some--other" / "snapshots" / "0" / "unet").mkdir(parents=True)
    (cache / "models--some--third" / "snapshots").mkdir(parents=True)
    (cache / "models--some--third" / "snapshots" / "1").symlink_to("nowhere")
    rows = [line.split() for line in smd(["models"]).out.splitlines() if line.startswith("some/")]
    assert rows == [
        ["some/model", "in", "part", "2.0", "kB", "-"],
        ["some/other", "in", "part", "-", "-"],
        ["some/third", "in", "part", "-", "-"],
    ]


def test_an_autoencoder_alone(stub: Hub) -> None:
    stub.repos["some/vae"] = Repo(folder_files(TINY / "tiny_vae"))
    folder = our_hub.fetch(Download("some/vae"))
    assert sorted(folder_files(folder)) == sorted(VAE_FILES)
    assert complete(Download("some/vae", files=VAE_FILES)) == folder


def test_a_commit_as_revision(stub: Hub) -> None:
    commit = stub.repos[NAME].commit
    assert our_hub.fetch(Download(NAME, commit)).name == commit


# --- What can be wrong ----------------------------------------------------------------------------


@pytest.fixture
def off(stub: Hub, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """No network from here on; the stub tells whether it was asked all the same."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    stub.asked.clear()
    return stub


def test_offline_with_nothing(off: Hub) -> None:
    assert refused(Download(NAME, "v1")) == (
        f"error: the model {NAME} is not here in its revision v1, and smd is offline; "
        f"all of {NAME} is missing\n"
        f"hint: with a network, get it by: smd models pull {NAME} --revision v1"
    )
    assert refused(Download("some/vae", files=VAE_FILES, name="sd-tiny")) == (
        "error: the model sd-tiny is not here, and smd is offline; "
        "missing: config.json, diffusion_pytorch_model.safetensors\n"
        "hint: with a network, get it by: smd models pull sd-tiny"
    )
    assert not off.asked


def test_offline_with_half_of_it(stub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    stub.cuts[UNET], stub.cuts_always = 2_010_000, True
    refused(WANTED)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    stub.asked.clear()
    assert refused(WANTED) == (
        f"error: the model {NAME} is here only in part, and smd is offline; "
        f"missing: {UNET}, {VAE}, text_encoder/model.safetensors\n"
        f"hint: with a network, get it by: smd models pull {NAME}"
    )
    assert not stub.asked


def test_offline_with_all_of_it(stub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = our_hub.fetch(WANTED)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    stub.asked.clear()
    assert our_hub.fetch(WANTED) == folder
    assert not stub.asked


@pytest.mark.parametrize(
    ("refusal", "sentence"),
    [
        (
            (401, "RepoNotFound"),
            "there is no model {name} on the hub, or it is private\nhint: check the spelling; "
            "for a private one, log in with `hf auth login`, or set HF_TOKEN",
        ),
        (
            (403, "GatedRepo"),
            "the model {name} is gated\nhint: ask for access at {url}/{name}, then log in with "
            "`hf auth login`, or set HF_TOKEN",
        ),
        (
            (403, ""),
            "the hub does not let you have {name} (403)\nhint: log in with `hf auth login`, or "
            "set HF_TOKEN",
        ),
        ((500, ""), "the hub does not give {name}: it answers 500\nhint: try again later"),
    ],
)
def test_a_hub_that_refuses(stub: Hub, refusal: tuple[int, str], sentence: str) -> None:
    stub.repos[NAME].refusal = refusal
    assert refused(WANTED) == "error: " + sentence.format(name=NAME, url=stub.url)


@pytest.mark.usefixtures("stub")
def test_no_such_model() -> None:
    said = refused(Download("someone/nothing"))
    assert said.startswith("error: there is no model someone/nothing on the hub, or it is private")


def test_no_such_revision(stub: Hub) -> None:
    assert refused(Download(NAME, "v9")) == (
        f"error: the model {NAME} has no revision 'v9'\nhint: see {stub.url}/{NAME}/commits/main"
    )


def test_no_hub_id(stub: Hub) -> None:
    assert refused(Download("some--one/thing")).startswith("error: 'some--one/thing' is no hub id")
    assert not stub.asked


@pytest.mark.usefixtures("stub")
def test_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:1")
    said = refused(WANTED)
    assert said.startswith(f"error: {NAME} cannot be got from the hub at http://127.0.0.1:1: ")
    assert "refused" in said
    assert len(said.splitlines()) == 2


def test_another_pipeline_is_refused_before_its_weights_come(stub: Hub) -> None:
    files = folder_files(TINY)
    index = {"_class_name": "FluxPipeline", "text_encoder_2": ["transformers", "T5EncoderModel"]}
    files["model_index.json"] = json.dumps(index).encode()
    stub.repos["some/flux"] = Repo(files)
    with pytest.raises(UsageError, match="the model some/flux is a FluxPipeline, which is not"):
        our_hub.fetch(Download("some/flux"))
    assert not [path for path, _ in stub.gets if path.endswith(".safetensors")]


def test_no_model_at_all(stub: Hub) -> None:
    stub.repos["some/text"] = Repo({"README.md": b"hello", "model.bin": b"x"})
    with pytest.raises(UsageError, match="some/text holds no model that smd can load: it has no m"):
        our_hub.fetch(Download("some/text"))


def test_pickles_alone_are_refused(stub: Hub) -> None:
    files = folder_files(TINY)
    del files[UNET]
    stub.repos[NAME] = Repo({**files, "unet/diffusion_pytorch_model.bin": b"a pickle"})
    assert refused(WANTED).startswith(
        f"error: {NAME} has unet/diffusion_pytorch_model.bin, a pickle, but not {UNET}: "
    )
    assert not [path for path, _ in stub.gets if path.endswith((".bin", ".safetensors"))]


def test_a_repository_with_holes(stub: Hub) -> None:
    files = folder_files(TINY)
    del files[UNET]
    stub.repos[NAME] = Repo(files)
    assert refused(WANTED) == f"error: {NAME} lacks files that its index names: {UNET}"


def test_a_full_disk_is_told_before(stub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(our_hub, "free_bytes", lambda: 1_000_000)
    said = refused(WANTED)
    assert said.startswith(f"error: {NAME} needs 3.7 MB more, but only 1.0 MB are free in ")
    assert not [path for path, _ in stub.gets if path.endswith(".safetensors")]


@pytest.mark.usefixtures("stub")
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_disk_that_fills_up(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pending = our_hub.prepare(WANTED)
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    monkeypatch.setattr(our_hub.Pending, "part", lambda *_: full)
    with pytest.raises(SmdError, match=f"the disk is full: {NAME} does not fit into {cache}"):
        our_hub.finish(pending, lambda _: None)


def test_nothing_of_the_library_is_heard(
    stub: Hub, capfd: pytest.CaptureFixture[str], logged: Logged
) -> None:
    stub.cuts[UNET] = 2_010_000
    our_hub.fetch(WANTED)
    assert capfd.readouterr() == ("", "")
    assert logged == []


# --- The command line -----------------------------------------------------------------------------


def test_pull_tells_the_size_first_and_where_it_lies(stub: Hub, smd: Smd, cache: Path) -> None:
    result = smd(["models", "pull", NAME])
    folder = snapshot(WANTED)
    assert (result.code, result.out) == (0, f"{folder}\n")
    assert result.err == f"note: {NAME}: 3.7 MB to come, into {cache}\n"
    stub.gets.clear()
    again = smd(["models", "pull", NAME])
    assert (again.code, again.out, again.err) == (0, result.out, f"note: {NAME} is here, whole\n")
    assert not stub.gets


@pytest.mark.usefixtures("stub")
def test_pull_as_json(smd: Smd) -> None:
    result = smd(["models", "pull", NAME, "--json"])
    events = [json.loads(line) for line in result.out.splitlines()]
    assert result.code == 0
    assert [event["type"] for event in events[:2]] == ["note", "download"]
    downloads = [event for event in events if event["type"] == "download"]
    assert downloads[-1]["done"] == downloads[-1]["total"]
    assert events[-1]["type"] == "result"
    assert (events[-1]["scene"], events[-1]["path"]) == (NAME, str(snapshot(WANTED)))


def test_pull_of_what_is_here_needs_no_hub(
    stub: Hub, smd: Smd, monkeypatch: pytest.MonkeyPatch
) -> None:
    our_hub.fetch(WANTED)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    stub.asked.clear()
    result = smd(["models", "pull", NAME])
    assert (result.code, result.out) == (0, f"{snapshot(WANTED)}\n")
    assert result.err.startswith(f"note: {NAME} is here, whole; no newer one was looked for: ")
    commit = smd(["models", "pull", NAME, "--revision", stub.repos[NAME].commit])
    assert (commit.code, commit.err) == (0, f"note: {NAME} is here, whole\n")
    assert not stub.asked


def test_pull_of_a_local_model(smd: Smd) -> None:
    result = smd(["models", "pull", "starter"])
    assert result.code == 0
    assert result.err == "note: starter is on this machine: there is nothing to download\n"
    assert smd(["models", "pull", "startr"]).err.endswith("hint: did you mean starter?\n")


SCENE = """\
model: someone/tiny-sd
size: 64x64
background: a meadow
sampler: {steps: 2}
"""


def environment(stub: Hub, cache: Path) -> dict[str, str]:
    """A process of its own sees the stub where others see the hub."""
    return {**os.environ, "HF_ENDPOINT": stub.url, "HF_HUB_CACHE": str(cache)}


def test_render_downloads_and_then_needs_no_network(
    stub: Hub, smd: Smd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(SCENE)
    nothing = smd(["render", "s.yaml", "--offline"])
    assert (nothing.code, nothing.out) == (1, "")
    assert f"hint: with a network, get it by: smd models pull {NAME}\n" in nothing.err
    assert not stub.asked
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    first = smd(["render", "s.yaml", "-o", "a.png"])
    assert (first.code, first.out) == (0, "a.png\n")
    assert first.err.startswith(f"note: {NAME}: 3.7 MB to come, into ")
    stub.asked.clear()
    second = smd(["render", "s.yaml", "-o", "b.png", "--offline"])
    assert (second.code, second.out) == (0, "b.png\n")
    assert "to come" not in second.err
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
    assert not stub.asked


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.slow
def test_ctrl_c_and_the_same_command_again(stub: Hub, cache: Path) -> None:
    """In processes of their own, as users have it: 12 MB come, then the line stands still."""
    data = b"x" * 25_000_000
    stub.repos[NAME] = Repo({**stub.repos[NAME].files, UNET: data})
    command = [sys.executable, "-m", "smd_cli", "models", "pull", NAME]
    stub.stalls[UNET] = 12_000_000
    process = subprocess.Popen(
        command, env=environment(stub, cache), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert stub.stalled.wait(30)
    while not [part for part in cache.rglob("*.smd.incomplete") if part.stat().st_size]:
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (130, b"")
    assert b"interrupted" in err
    assert b"Traceback" not in err
    stub.stalls.clear()
    stub.resume.set()
    again = subprocess.run(
        command, env=environment(stub, cache), capture_output=True, text=True, check=False
    )
    assert again.returncode == 0
    assert "are here), into" in again.stderr
    assert (Path(again.stdout.strip()) / UNET).read_bytes() == data
    [first] = [first for path, first in stub.gets if path == UNET and first]
    assert first >= 10_000_000


def test_a_preset_brings_its_autoencoder_and_its_loras_along() -> None:
    """Under the preset's own name, so that the command that gets them is one that works."""
    downloads = downloads_of(resolve_model("sdxl-lightning", Path()))
    assert [(wanted.repo, wanted.files) for wanted in downloads] == [
        ("stabilityai/stable-diffusion-xl-base-1.0", None),
        ("madebyollin/taesdxl", ("config.json", "diffusion_pytorch_model.safetensors")),
        ("ByteDance/SDXL-Lightning", ("sdxl_lightning_4step_lora.safetensors",)),
    ]
    assert downloads[0].spared == ("vae",)
    assert {wanted.command for wanted in downloads} == {"smd models pull sdxl-lightning"}
    assert all(wanted.revision for wanted in downloads)


def test_what_is_local_brings_nothing(tmp_path: Path) -> None:
    lora = LoraRef("a", tmp_path / "a.safetensors")
    assert downloads_of(ModelRef("m", tmp_path, loras=(lora,))) == ()
    assert downloads_of(ModelRef("m.safetensors", file=tmp_path / "m.safetensors")) == ()
