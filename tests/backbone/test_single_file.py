"""Single files in the original layout: the same picture as the folder, and what can be wrong."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Smd
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from smd_cli.backbone.loading.load import load_backbone
from smd_cli.backbone.loading.tokenizer import clip_tokenizer
from smd_cli.backbone.quiet import quiet
from smd_cli.errors import SmdError, UsageError
from smd_cli.models.checkpoints import LAYOUTS
from smd_cli.models.facts import read_defaults
from smd_cli.models.ref import ModelRef
from smd_cli.models.single_file import layout_of

from . import theirs
from .original import save_original
from .test_families import render

NAMES = ("sd1", "sdxl")


@pytest.fixture(scope="session")
def files(families: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("single")
    pipes = {name: theirs.pipeline(name, families[name]) for name in NAMES}
    return {name: save_original(p, folder / f"{name}.safetensors") for name, p in pipes.items()}


@pytest.mark.parametrize("name", NAMES)
def test_a_single_file_is_the_folders_picture(
    name: str, families: dict[str, Path], files: dict[str, Path], tmp_path: Path
) -> None:
    one = f"{{name: {files[name]}, config: {families[name]}}}"
    ours, made, backbone = render(one, tmp_path, sampler=", guidance: {type: full, scale: 2}")
    same, wanted, other = render(
        str(families[name]), tmp_path, sampler=", guidance: {type: full, scale: 2}"
    )
    assert torch.equal(made, wanted)
    assert ours.table == same.table
    latents = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(backbone.decode_latents(latents), other.decode_latents(latents))


def test_the_autoencoder_of_a_single_file_in_bf16_is_that_of_fp32(
    families: dict[str, Path], files: dict[str, Path]
) -> None:
    model = ModelRef("m", file=files["sd1"], config=families["sd1"])
    latents = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        made = [
            load_backbone(model, "cpu", dtype).decode_latents(latents) for dtype in ("bf16", "fp32")
        ]
    assert torch.equal(*made)


@pytest.mark.parametrize("name", NAMES)
def test_through_the_command(
    name: str,
    families: dict[str, Path],
    files: dict[str, Path],
    tmp_path: Path,
    smd: Smd,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(files[name], "tiny.safetensors")
    model = f"{{name: tiny.safetensors, config: {families[name]}, vae: {families[name] / 'vae'}}}"
    Path("s.yaml").write_text(f"model: {model}\nbackground: a meadow\n")
    done = smd(["render", "s.yaml", "-o", "s.png"])
    assert (done.code, done.out) == (0, "s.png\n"), done.err


def test_a_vae_from_a_single_file(
    families: dict[str, Path], files: dict[str, Path], tmp_path: Path
) -> None:
    weights = load_file(files["sd1"])
    start = "first_stage_model."
    held = {k.removeprefix(start): w for k, w in weights.items() if k.startswith(start)}
    file = tmp_path / "vae.safetensors"
    save_file({key: weight * 0.5 for key, weight in held.items()}, file)
    _, _, changed = render(f"{{name: {families['sd1']}, vae: {file}}}", tmp_path)
    vae = AutoencoderKL.from_pretrained(families["sd1"] / "vae")
    with torch.inference_mode():
        for weight in vae.parameters():
            weight.mul_(0.5)
        latents = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(0))
        wanted = vae.decode(latents / vae.config.scaling_factor).sample
        assert torch.allclose(changed.decode_latents(latents), wanted, atol=1e-6)


# Figures that are known of the released models: how many weights they have.
SIZES = {
    "sd1/unet": 859_520_964,
    "sd1/vae": 83_653_863,
    "sd1/text_encoder": 123_060_480,
    "sdxl/unet": 2_567_463_684,
    "sdxl/vae": 83_653_863,
    "sdxl/text_encoder": 123_060_480,
    "sdxl/text_encoder_2": 694_659_840,
}


@pytest.mark.parametrize("part", SIZES)
def test_the_configs_that_come_along_have_the_right_size(part: str) -> None:
    kinds: dict[str, Any] = {"unet": UNet2DConditionModel, "vae": AutoencoderKL}
    folder = LAYOUTS / part
    with quiet(), torch.device("meta"):
        if folder.name in kinds:
            kind = kinds[folder.name]
            made = kind.from_config(kind.load_config(folder))
        else:
            config = CLIPTextConfig.from_pretrained(folder)
            pooled = folder.name == "text_encoder_2"
            made = (CLIPTextModelWithProjection if pooled else CLIPTextModel)(config)
    assert sum(weight.numel() for weight in made.parameters()) == SIZES[part]


def test_clips_tokenizer() -> None:
    """Numbers as the released tokenizer gives them."""
    with quiet():
        clip = clip_tokenizer()
        assert len(clip) == 49408
        assert clip("a photo of a cat").input_ids == [49406, 320, 1125, 539, 320, 2368, 49407]
        assert (clip.pad_token_id, clip_tokenizer("!").pad_token_id) == (49407, 0)


def header(shapes: dict[str, list[int]], lack: int = 0, kind: str = "F16") -> bytes:
    """A safetensors file of zeros that says it holds numbers of a `kind`, `lack` bytes short."""
    entries, end = {}, 0
    for name, shape in shapes.items():
        begin, end = end, end + 2 * torch.Size(shape).numel()
        entries[name] = {"dtype": kind, "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text + bytes(end - lack)


UNET = "model.diffusion_model."
FIRST, TEXT = (
    f"{UNET}input_blocks.0.0.weight",
    f"{UNET}middle_block.1.transformer_blocks.0.attn2.to_k.weight",
)


@pytest.mark.parametrize(("width", "layout"), [(768, "sd1"), (2048, "sdxl")])
def test_the_family_comes_from_the_weights(width: int, layout: str, tmp_path: Path) -> None:
    file = tmp_path / "some.safetensors"
    file.write_bytes(header({FIRST: [32, 4, 3, 3], TEXT: [8, width]}))
    assert layout_of(file) == LAYOUTS / layout
    own = read_defaults(ModelRef("some", file=file))
    assert own.native_size == {"sd1": (512, 512), "sdxl": (1024, 1024)}[layout]
    assert not own.samples_as_stated


REFUSED: dict[str, tuple[bytes, str]] = {
    "not safetensors": (b"PK\x03\x04 zipped pickles", "is no safetensors file, or is cut short"),
    "empty": (b"", "some.safetensors is empty"),
    "git-LFS pointer": (b"version https://git-lfs.github.com/spec/v1\n", "is a git-LFS pointer"),
    "web page": (b"<!doctype html><title>Sign in</title>", "is a web page, not weights"),
    "header cut short": (header({FIRST: [1, 4]})[:20], "is no safetensors file, or is cut short"),
    "cut short": (header({FIRST: [32, 4, 3, 3]}, lack=70), "is cut short: 70 bytes lack"),
    "inpainting": (
        header({FIRST: [32, 9, 3, 3], TEXT: [8, 768]}),
        "is an inpainting model (its UNet takes 9 channels), which is not supported",
    ),
    "refiner": (
        header({FIRST: [32, 4, 3, 3], TEXT: [8, 1280]}),
        "is the refiner of Stable Diffusion XL",
    ),
    "SD 2": (
        header({FIRST: [32, 4, 3, 3], TEXT: [8, 1024]}),
        "is a Stable Diffusion 2 checkpoint: single files are read of Stable Diffusion 1.x and XL",
    ),
    "FLUX": (
        header({"double_blocks.0.img_attn.qkv.weight": [4, 4]}),
        "is a transformer of FLUX, which goes under transformer: beside its model",
    ),
    "SD 3": (
        header({"model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight": [4, 4]}),
        "is a transformer of Stable Diffusion 3 without text encoders and autoencoder",
    ),
    "FLUX.2": (
        header(
            {
                "double_stream_modulation_img.lin.weight": [4, 4],
                "double_blocks.0.img_attn.qkv.weight": [4, 4],
            }
        ),
        "is a transformer of FLUX.2 klein without text encoders",
    ),
    "Z-Image": (
        header({"model.diffusion_model.noise_refiner.0.attention.qkv.weight": [4, 4]}),
        "is a transformer of Z-Image, which goes under transformer:",
    ),
    "LoRA": (header({"lora_unet_mid.lora_up.weight": [4, 4]}), "is a LoRA, which goes under lora:"),
    "VAE": (header({"decoder.conv_in.weight": [4, 4]}), "is an autoencoder, which goes under vae:"),
    "something": (
        header({"a": [4]}),
        "is no whole Stable Diffusion checkpoint in the original lay",
    ),
}


def test_gguf_is_refused(tmp_path: Path, smd: Smd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("some.gguf").write_bytes(b"GGUF")
    Path("s.yaml").write_text("background: sea\nmodel: some.gguf\n")
    done = smd(["check", "s.yaml"])
    assert done.code == 2
    assert "s.yaml:2:8: error: some.gguf is a GGUF file, which is not supported" in done.err


@pytest.mark.parametrize(("content", "sentence"), REFUSED.values(), ids=REFUSED)
def test_refused_where_the_scene_names_it(
    content: bytes, sentence: str, tmp_path: Path, smd: Smd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("some.safetensors").write_bytes(content)
    Path("s.yaml").write_text("background: sea\nmodel: some.safetensors\n")
    done = smd(["check", "s.yaml"])
    assert done.code == 2
    first = done.err.splitlines()[0]
    assert first.startswith("s.yaml:2:8: error: ")
    assert sentence in first


def _without_text(weights: dict[str, torch.Tensor]) -> None:
    for key in [key for key in weights if key.startswith("cond_stage_model")]:
        del weights[key]


def _without_one(weights: dict[str, torch.Tensor]) -> None:
    del weights[f"{UNET}out.2.weight"]


@pytest.mark.parametrize("spoil", [_without_text, _without_one])
def test_a_file_that_lacks_weights(
    spoil: Callable[[dict[str, torch.Tensor]], None],
    families: dict[str, Path],
    files: dict[str, Path],
    tmp_path: Path,
) -> None:
    weights = load_file(files["sd1"])
    spoil(weights)
    save_file(weights, tmp_path / "some.safetensors")
    with pytest.raises(SmdError):
        render(f"{{name: some.safetensors, config: {families['sd1']}}}", tmp_path)


def test_configs_of_another_family(
    families: dict[str, Path], files: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(SmdError) as refused:
        render(f"{{name: {files['sd1']}, config: {families['sdxl']}}}", tmp_path)
    assert not isinstance(refused.value, UsageError) or "does not fit" in refused.value.message
