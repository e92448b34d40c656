"""Loading: from folders, quietly; everything that can be wrong is one sentence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY, Logged
from engine.scenes import world
from safetensors.torch import load_file, save_file

from smd_cli.backbone.loading.load import load_backbone, pick_device, pick_dtype
from smd_cli.errors import SmdError, UsageError
from smd_cli.models.ref import LoraRef, ModelRef

UNET = "unet/diffusion_pytorch_model.safetensors"
Change = Callable[[Path], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the tiny model that a test may spoil."""
    return Path(shutil.copytree(TINY, tmp_path / "model"))


def edit(file: str, **changes: Any) -> Change:
    """Changes keys of a JSON file; None takes one away."""

    def apply(folder: Path) -> None:
        path = folder / file
        held = {**json.loads(path.read_text()), **changes}
        path.write_text(json.dumps({k: v for k, v in held.items() if v is not None}))

    return apply


def test_quiet(
    folder: Path,
    capfd: pytest.CaptureFixture[str],
    logged: Logged,
    recwarn: pytest.WarningsRecorder,
) -> None:
    before = world()
    for dtype in ("fp32", "fp16", "bf16"):
        load_backbone(ModelRef("model", folder), "cpu", dtype)
    load_backbone(ModelRef("model", folder, vae=ModelRef("v", folder / "tiny_vae")), "cpu", "bf16")
    assert capfd.readouterr() == ("", "")
    assert logged == []
    assert not recwarn.list
    assert world() == before


def test_the_folders_own_settings(folder: Path) -> None:
    edit("scheduler/scheduler_config.json", prediction_type="v_prediction", beta_end=0.02)(folder)
    (folder / "smd.json").write_text('{"consistency": false}')
    table = load_backbone(ModelRef("model", folder), "cpu").step_table(3, None, (64, 64))
    assert table.prediction == "v_prediction"
    assert table.c_out == (1, 1, 1)
    usual = load_backbone(ModelRef("model", TINY), "cpu").step_table(3, None, (64, 64))
    assert usual.prediction == "epsilon"
    assert usual.c_out[-1] < 1
    assert usual.sigmas[0] < table.sigmas[0]


def test_a_vaes_own_factor(folder: Path) -> None:
    """The canvas pixels of a latent cell are those of the autoencoder that is used."""
    from diffusers import AutoencoderKL

    small = AutoencoderKL(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=8,
        layers_per_block=1,
    )
    small.save_pretrained(folder / "small_vae")
    vae = ModelRef("small", folder / "small_vae")
    model = load_backbone(ModelRef("model", folder, vae=vae), "cpu")
    assert (model.factor, model.multiple) == (2, 4)
    assert model.encode_image(torch.zeros(1, 3, 8, 16)).shape == (1, 4, 4, 8)


def without(path: str) -> Change:
    def apply(folder: Path) -> None:
        target = folder / path
        shutil.rmtree(target) if target.is_dir() else target.unlink()

    return apply


def cut(path: str) -> Change:
    def apply(folder: Path) -> None:
        target = folder / path
        target.write_bytes(target.read_bytes()[:-100])

    return apply


def as_pickle(path: str) -> Change:
    """Names a file as pickles are."""

    def apply(folder: Path) -> None:
        (folder / path).rename((folder / path).with_suffix(".bin"))

    return apply


def less(path: str) -> Change:
    """Takes the first weight out of a safetensors file."""

    def apply(folder: Path) -> None:
        weights = load_file(folder / path)
        del weights[min(weights)]
        save_file(weights, folder / path, metadata={"format": "pt"})

    return apply


def put(path: str, text: str) -> Change:
    def apply(folder: Path) -> None:
        (folder / path).write_text(text)

    return apply


SUPPORTED = (
    "smd runs Stable Diffusion 1.x and 2.x with their LCM and Turbo models; "
    "Stable Diffusion XL with its LCM, Turbo and Lightning models"
)
FLUX = {
    "text_encoder_2": ["transformers", "T5EncoderModel"],
    "tokenizer_2": ["transformers", "T5TokenizerFast"],
    "transformer": ["diffusers", "FluxTransformer2DModel"],
    "unet": None,
}
SDXL = {
    "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
    "tokenizer_2": ["transformers", "CLIPTokenizer"],
}


def other(sentence: str) -> str:
    """The one sentence on a model of another architecture."""
    return f"error: the model model is {sentence}, which is not supported: {SUPPORTED}"


def unet_for(channels: int) -> Change:
    return edit("unet/config.json", in_channels=channels)


BROKEN: dict[str, tuple[Change, str]] = {
    "no index": (without("model_index.json"), "error: model is not a model folder: it has no mod"),
    "index is no JSON": (put("model_index.json", "{"), "error: cannot read "),
    "index is no object": (put("model_index.json", "[]"), "error: cannot read "),
    "index is a number": (put("model_index.json", "5"), "error: cannot read "),
    "FLUX Kontext": (
        edit("model_index.json", _class_name="FluxKontextPipeline", **FLUX),
        other("a FluxKontextPipeline"),
    ),
    "SD3": (
        edit("model_index.json", _class_name="StableDiffusion3Pipeline", unet=None),
        other("a StableDiffusion3Pipeline"),
    ),
    "ControlNet": (
        edit(
            "model_index.json",
            _class_name="StableDiffusionControlNetPipeline",
            controlnet=["diffusers", "ControlNetModel"],
        ),
        other("a StableDiffusionControlNetPipeline"),
    ),
    "refiner": (
        edit("model_index.json", text_encoder=[None, None], tokenizer=[None, None], **SDXL),
        other("the refiner of Stable Diffusion XL"),
    ),
    "T5": (
        edit("model_index.json", _class_name="IFPipeline", text_encoder=["transformers", "T5Enc"]),
        other("a IFPipeline"),
    ),
    "inpainting": (
        unet_for(9),
        "error: the model model is an inpainting model (its UNet takes 9 channels), which is not "
        f"supported\nhint: {SUPPORTED}",
    ),
    "depth": (unet_for(5), "error: the model model is a depth-to-image model (its UNet takes 5 "),
    "editing": (unet_for(8), "error: the model model is an image-editing model (InstructPix2Pix)"),
    "upscaler": (unet_for(7), "error: the model model is an upscaler (its UNet takes 7 channels)"),
    "additions": (
        edit("unet/config.json", addition_embed_type="image"),
        "error: the model model is not supported: its UNet's additions are of the kind image",
    ),
    "half an SDXL": (
        edit("model_index.json", _class_name="StableDiffusionXLPipeline", **SDXL),
        "error: the model model is not supported: its UNet's additions are of the kind None, not",
    ),
    "some other thing": (
        edit("model_index.json", _class_name=None, text_encoder=None),
        other("a model of unknown kind"),
    ),
    "no unet": (without("unet"), "error: the model model is not whole: it has no folder unet"),
    "no unet weights": (
        without(UNET),
        "error: the model model is not whole: {folder}/unet has no weights",
    ),
    "unet in a pickle": (
        as_pickle(UNET),
        "error: diffusion_pytorch_model.bin is a pickle file: loading one can run any program",
    ),
    "unet lacks a weight": (less(UNET), "error: {folder}/unet lacks weights, such as conv_in.bias"),
    "text encoder lacks a weight": (
        less("text_encoder/model.safetensors"),
        "error: {folder}/text_encoder lacks weights, such as e",
    ),
    "vae lacks a weight": (
        less("vae/diffusion_pytorch_model.safetensors"),
        "error: {folder}/vae lacks weights, such as decoder.conv_in.bias",
    ),
    "unet cut short": (cut(UNET), f"error: {{folder}}/{UNET} is cut short: 100 bytes lack"),
    "unet of other sizes": (
        edit("unet/config.json", cross_attention_dim=48),
        "error: the model model does not fit: its UNet takes texts of width 48, its text encoders",
    ),
    "no text encoder": (
        without("text_encoder"),
        "error: the model model is not whole: it has no folder text_encoder",
    ),
    "text encoder cut short": (
        cut("text_encoder/model.safetensors"),
        "error: {folder}/text_encoder/model.safetensors is cut short: 100 bytes lack",
    ),
    "no tokenizer": (
        without("tokenizer"),
        "error: the model model is not whole: it has no folder tokenizer",
    ),
    "broken tokenizer": (
        put("tokenizer/tokenizer.json", "{"),
        "error: cannot load the model model: ",
    ),
    "no vae": (without("vae"), "error: the model model is not whole: it has no folder vae"),
    "another vae": (
        edit("vae/config.json", _class_name="VQModel"),
        "error: the autoencoder VQModel is not supported",
    ),
    "vae without a name": (
        edit("vae/config.json", _class_name=None),
        "error: the autoencoder of unknown kind is not supported",
    ),
    "channels": (
        edit("vae/config.json", latent_channels=5),
        "error: the model model does not fit: its network takes 4 channels, its autoencoder",
    ),
    "noise schedule": (
        edit("scheduler/scheduler_config.json", beta_schedule="sigmoid"),
        "error: the noise schedule 'sigmoid' is not supported",
    ),
}


@pytest.mark.parametrize(("change", "sentence"), BROKEN.values(), ids=BROKEN)
def test_broken_folders(
    change: Change,
    sentence: str,
    folder: Path,
    capfd: pytest.CaptureFixture[str],
    logged: Logged,
) -> None:
    change(folder)
    with pytest.raises(SmdError) as refused:
        load_backbone(ModelRef("model", folder), "cpu", "fp32").step_table(3, None, (64, 64))
    assert str(refused.value).startswith(sentence.format(folder=folder))
    assert len(str(refused.value).splitlines()) <= 2
    assert capfd.readouterr() == ("", "")
    assert logged == []


@pytest.mark.parametrize(
    ("vae", "sentence"),
    [
        ("nowhere", "error: vae is not a model folder: it has no config.json"),
        ("unet", "error: the autoencoder UNet2DConditionModel is not supported"),
        ("scheduler", "error: vae is not a model folder"),
    ],
)
def test_broken_vae(vae: str, sentence: str, folder: Path) -> None:
    with pytest.raises(UsageError) as refused:
        load_backbone(ModelRef("model", folder, vae=ModelRef("vae", folder / vae)), "cpu")
    assert str(refused.value).startswith(sentence)


@pytest.mark.parametrize("name", ["someone/something", "some--one/something", "some..one/thing"])
def test_hub_without_network(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(SmdError) as refused:
        load_backbone(ModelRef(name), "cpu")
    assert str(refused.value) == (
        f"error: the model {name} is not here, and smd is offline; all of {name} is missing\n"
        f"hint: with a network, get it by: smd models pull {name}"
    )
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["gpu", "", "cuda:99", "cpu:x", "meta", "xla", "hpu", "vulkan"])
def test_unknown_device(name: str) -> None:
    with pytest.raises(UsageError, match=f"there is no device {name!r} here"):
        load_backbone(ModelRef("model", TINY), name)


@pytest.mark.parametrize("name", ["fp64", "", "float16"])
def test_unknown_precision(name: str) -> None:
    with pytest.raises(UsageError, match=f"there is no precision {name!r}"):
        load_backbone(ModelRef("model", TINY), "cpu", name)


def test_precision_follows_the_device() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_dtype("auto", torch.device("cpu")) == torch.float32
    assert pick_dtype("auto", torch.device("cuda")) == torch.float16
    assert pick_dtype("bf16", torch.device("cpu")) == torch.bfloat16


@pytest.mark.parametrize(
    ("told", "dtype"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, torch.bfloat16),
        ({"avx512_bf16": False, "amx_bf16": True}, torch.bfloat16),
        ({"avx512_bf16": False, "amx_bf16": False, "avx512_f": True}, torch.float32),
        ({"architecture": "aarch64", "bf16": True}, torch.float32),
        (None, torch.float32),  # an older torch
    ],
)
def test_a_cpu_that_computes_in_bf16_says_so(
    told: dict[str, object] | None, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    if told is None:
        monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    else:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: told, raising=False)
    assert pick_dtype("auto", torch.device("cpu")) == dtype
    assert pick_dtype("fp32", torch.device("cpu")) == torch.float32
    assert pick_dtype("auto", torch.device("mps")) == torch.float32
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert pick_dtype("auto", torch.device("cpu")) == torch.float32


def test_weights_in_the_fp16_variant_alone(folder: Path) -> None:
    for part in ("unet", "vae"):
        plain = folder / part / "diffusion_pytorch_model.safetensors"
        plain.rename(plain.with_suffix(".fp16.safetensors"))
    text = folder / "text_encoder" / "model.safetensors"
    text.rename(text.with_suffix(".fp16.safetensors"))
    load_backbone(ModelRef("model", folder), "cpu")


@pytest.mark.parametrize(
    ("lora", "sentence"),
    [
        (LoraRef("a/b"), "the model a/b is not here, and smd is offline; missing: pytorch_lora"),
        (LoraRef("a/b", file="c.bin"), "c.bin is a pickle file: loading one can run any program"),
        (LoraRef("empty", Path("empty")), "the folder empty holds 0 LoRA files"),
    ],
)
def test_loras_that_are_not_here(
    lora: LoraRef, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    with pytest.raises(SmdError) as refused:
        load_backbone(ModelRef("model", TINY, loras=(lora,)), "cpu")
    assert refused.value.message.startswith(sentence)
