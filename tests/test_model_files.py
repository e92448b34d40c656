"""What `smd check` finds wrong with a model's files, from names, configs and headers alone."""

from __future__ import annotations

import json
import math
import os
import shutil
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from conftest import TINY, Smd

UNET = "unet/diffusion_pytorch_model.safetensors"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 4265146304\n"
Change = Callable[[Path], object]


def weights(shapes: Mapping[str, list[int]], lack: int = 0) -> bytes:
    """A safetensors file of zeros, `lack` bytes short."""
    entries, end = {}, 0
    for name, shape in shapes.items():
        begin = end
        count = 2
        for side in shape:
            count *= side
        end += count
        entries[name] = {"dtype": "F16", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text + bytes(end - lack)


KOHYA = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
PEFT = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k"
FILES: dict[str, bytes] = {
    "pointer": POINTER,
    "empty": b"",
    "page": b"\n<!doctype html><title>Log in</title>",
    "cut": weights({f"{KOHYA}.lora_down.weight": [4, 32]}, lack=10),
    "zip": b"PK\x03\x04 pickles",
    "fits": weights({f"{KOHYA}.lora_down.weight": [4, 32], f"{KOHYA}.lora_up.weight": [16, 4]}),
    "fits2": weights({f"{PEFT}.lora_A.weight": [4, 32], f"{PEFT}.lora_B.weight": [16, 4]}),
    "text-only": weights({"lora_te_text_model_encoder_layers_0_mlp_fc1.lora_up.weight": [4, 4]}),
    "sdxl": weights({f"{KOHYA}.lora_down.weight": [4, 2048], f"{KOHYA}.lora_up.weight": [9, 4]}),
    "sdxl2": weights({f"{PEFT}.lora_A.weight": [4, 2048], f"{PEFT}.lora_B.weight": [16, 4]}),
    "sdxl3": weights({f"{PEFT}_lora.down.weight".replace("to_k", "processor.to_k"): [4, 2048]}),
    "flux": weights({"transformer.x.attn.to_k.lora_A.weight": [4, 4]}),
    "dora": weights({f"{PEFT}.lora_A.weight": [4, 32], f"{PEFT}.dora_scale": [1]}),
    "loha": weights({f"{KOHYA}.hada_w1_a": [4, 4]}),
    "lokr": weights({f"{KOHYA}.lokr_w1": [4, 4]}),
    "vae": weights({"decoder.conv_in.weight": [8, 4, 3, 3], "encoder.conv_in.weight": [8, 3]}),
    "vae16": weights({"decoder.conv_in.weight": [8, 16, 3, 3]}),
    "taesd": weights({"decoder.layers.0.weight": [8, 4, 3, 3]}),
    "words": weights({"emb_params": [2, 32]}),
    "whole": weights(
        {
            "model.diffusion_model.input_blocks.0.0.weight": [8, 4, 3, 3],
            "model.diffusion_model.middle_block.1.transformer_blocks.0.attn2.to_k.weight": [8, 768],
        }
    ),
}


@pytest.fixture
def problem(tmp_path: Path, smd: Smd, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """What check finds wrong with a ``model:``; nothing where it is content."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        Path(f"{name}.safetensors").write_bytes(content)
    shutil.copytree(TINY, "tiny")

    def check(model: str) -> str:
        Path("s.yaml").write_text(f"model: {model}\nbackground: a meadow\n")
        done = smd(["check", "s.yaml"])
        assert done.code == (2 if "error" in done.err else 0)
        return done.err

    return check


MISFIT = "does not fit the model ./tiny: its layers are those of another model"
LORAS = {
    "fits": "",
    "fits2": "",
    "text-only": "",
    "pointer": "pointer.safetensors is a git-LFS pointer",
    "empty": "empty.safetensors is empty",
    "page": "page.safetensors is a web page, not weights",
    "cut": "cut.safetensors is cut short: 10 bytes lack",
    "zip": "zip.safetensors is no safetensors file, or is cut short",
    "sdxl": f"the lora sdxl.safetensors {MISFIT}",
    "sdxl2": f"the lora sdxl2.safetensors {MISFIT}",
    "sdxl3": f"the lora sdxl3.safetensors {MISFIT}",
    "flux": f"the lora flux.safetensors {MISFIT}",
    "dora": "the lora dora.safetensors is a DoRA, which is not supported",
    "loha": "the lora loha.safetensors is a LoHa, which is not supported",
    "lokr": "the lora lokr.safetensors is a LoKr, which is not supported",
    "vae": "vae.safetensors is an autoencoder, which goes under vae:",
    "whole": "whole.safetensors is a whole checkpoint, which goes under model:",
    "words": "words.safetensors is a textual inversion, which is not supported",
    "taesd": "taesd.safetensors is no LoRA",
}


def error_at(model: str, key: str, sentence: str) -> str:
    """How the error begins at the place of `key` in a ``model:``; nothing for no sentence."""
    column = len("model: ") + model.rindex(key) + 1
    return f"s.yaml:1:{column}: error: {sentence}" if sentence else ""


@pytest.mark.parametrize("name", LORAS)
def test_loras(name: str, problem: Callable[[str], str]) -> None:
    model = f"{{name: ./tiny, lora: [fits.safetensors, {name}.safetensors]}}"
    found = problem(model)
    assert found.startswith(error_at(model, f"{name}.safe", LORAS[name]))
    assert ("error" in found) == bool(LORAS[name])


VAES = {
    "vae.safetensors": "",
    "./tiny/vae": "",
    "./tiny/tiny_vae": "",
    "pointer.safetensors": "pointer.safetensors is a git-LFS pointer",
    "vae16.safetensors": "the model ./tiny does not fit: its network takes 4 channels, its",
    "taesd.safetensors": "taesd.safetensors is no autoencoder of Stable Diffusion",
    "fits.safetensors": "fits.safetensors is a LoRA, which goes under lora:",
    "./tiny/unet": "the autoencoder UNet2DConditionModel is not supported",
}


@pytest.mark.parametrize("name", VAES)
def test_vaes(name: str, problem: Callable[[str], str]) -> None:
    model = f"{{name: ./tiny, vae: {name}}}"
    found = problem(model)
    assert found.startswith(error_at(model, name, VAES[name]))
    assert ("error" in found) == bool(VAES[name])


def edit(file: str, **changes: Any) -> Change:
    """Changes keys of a JSON file."""

    def apply(folder: Path) -> None:
        path = folder / file
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return apply


def put(file: str, content: bytes) -> Change:
    return lambda folder: (folder / file).write_bytes(content)


def shards(*there: str) -> Change:
    """A UNet in two pieces, of which some are there."""

    def apply(folder: Path) -> None:
        held = (folder / UNET).read_bytes()
        (folder / UNET).unlink()
        index = {"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}
        (folder / f"{UNET}.index.json").write_text(json.dumps(index))
        for name in there:
            (folder / "unet" / name).write_bytes(held)

    return apply


SCHEDULER = "scheduler/scheduler_config.json"


def without(file: str) -> Change:
    def apply(folder: Path) -> None:
        (folder / file).unlink()

    return apply


def index_alone(folder: Path) -> None:
    """The scheduler has no config."""
    without(SCHEDULER)(folder)
    edit("model_index.json", scheduler=["diffusers", "EDMEulerScheduler"])(folder)


FLUX = {"_class_name": "FluxPipeline", "unet": [None, None]}
FOLDERS: dict[str, tuple[Change, str]] = {
    "a whole one": (lambda _: None, ""),
    "two pieces": (shards("one.safetensors", "two.safetensors"), ""),
    "one of two pieces": (shards("one.safetensors"), "the model ./tiny is not whole: it lacks "),
    "FLUX": (edit("model_index.json", **FLUX), "the model ./tiny is a FluxPipeline, which is not"),
    "broken index": (put("model_index.json", b"{"), "cannot read "),
    "broken UNet config": (put("unet/config.json", b"{"), "cannot read "),
    "broken text config": (put("text_encoder/config.json", b"[]"), "cannot read "),
    "a pointer": (put(UNET, POINTER), f"tiny/{UNET} is a git-LFS pointer"),
    "a pointer for the text": (
        put("text_encoder/model.safetensors", POINTER),
        "tiny/text_encoder/model.safetensors is a git-LFS pointer",
    ),
    "a variant that is not loaded": (
        put("unet/diffusion_pytorch_model.fp16.safetensors", POINTER),
        "",
    ),
    "no weights": (
        without(UNET),
        "the model ./tiny is not whole: tiny/unet has no weights",
    ),
    "a pickle": (
        lambda folder: (folder / UNET).rename(folder / "unet/diffusion_pytorch_model.bin"),
        "diffusion_pytorch_model.bin is a pickle file",
    ),
    "no text encoder": (
        lambda folder: shutil.rmtree(folder / "text_encoder"),
        "the model ./tiny is not whole: it has no folder text_encoder",
    ),
    "another text encoder": (
        edit("text_encoder/config.json", hidden_size=48),
        "the model ./tiny does not fit: its UNet takes texts of width 32, its text encoders give",
    ),
    "variances": (
        edit("unet/config.json", out_channels=8),
        "the model ./tiny is not supported: its UNet takes 4 channels and gives 8",
    ),
    "VQ": (edit("vae/config.json", _class_name="VQModel"), "the autoencoder VQModel is not supp"),
    "EDM": (
        edit(SCHEDULER, _class_name="EDMDPMSolverMultistepScheduler"),
        "the model ./tiny has the scheduler EDMDPMSolverMultistepScheduler, which is not supp",
    ),
    "flow": (
        edit(SCHEDULER, _class_name="FlowMatchEulerDiscreteScheduler"),
        "the model ./tiny has the scheduler FlowMatchEulerDiscreteScheduler, which is not supp",
    ),
    "flow by another solver": (
        edit(SCHEDULER, _class_name="UniPCMultistepScheduler", use_flow_sigmas=True),
        "the model ./tiny is a flow model, which is not supported",
    ),
    "continuous timesteps": (
        edit(SCHEDULER, _class_name="EulerDiscreteScheduler", timestep_type="continuous"),
        "the model ./tiny has timesteps of the kind 'continuous', which are not supported",
    ),
    "another prediction": (
        edit(SCHEDULER, prediction_type="trigflow"),
        "the prediction type 'trigflow' is not supported",
    ),
    "unknown betas": (
        edit(SCHEDULER, beta_schedule="sigmoid"),
        "the noise schedule 'sigmoid' is not supported",
    ),
    "more timesteps": (
        edit(SCHEDULER, num_train_timesteps=2000),
        "the model was trained with 2000 timesteps, not 1000",
    ),
    "an index alone tells of the scheduler": (
        index_alone,
        "the model ./tiny has the scheduler EDMEulerScheduler, which is not supported",
    ),
    "Karras' choice of timesteps": (
        edit(SCHEDULER, _class_name="DPMSolverMultistepScheduler", use_karras_sigmas=True),
        "",
    ),
}


@pytest.mark.parametrize(("change", "sentence"), FOLDERS.values(), ids=FOLDERS)
def test_folders(change: Change, sentence: str, problem: Callable[[str], str]) -> None:
    change(Path("tiny"))
    found = problem("./tiny")
    if sentence:
        assert found.startswith(f"s.yaml:1:8: error: {sentence}")
    else:
        assert "error" not in found


def test_a_vae_that_is_scaled_otherwise(problem: Callable[[str], str]) -> None:
    """SDXL's autoencoder beside a model of SD 1: it would decode fog."""
    shutil.copytree("tiny/vae", "other")
    edit("config.json", scaling_factor=0.13025)(Path("other"))
    assert problem("{name: ./tiny, vae: ./other}").startswith(
        "s.yaml:1:28: error: the vae ./other does not fit the model ./tiny: it scales its latents "
        "by 0.13025, the model's own by 0.18215"
    )


def test_all_of_it_is_told_at_once(problem: Callable[[str], str]) -> None:
    lines = problem("{name: ./tiny, vae: empty.safetensors, lora: [cut.safetensors]}").splitlines()
    found = [line for line in lines if ": error:" in line]
    assert [line.split()[2] for line in found] == ["empty.safetensors", "cut.safetensors"]


@pytest.mark.parametrize("lora", ["fits.safetensors", "some/lora"])
def test_the_starter_takes_no_lora(lora: str, problem: Callable[[str], str]) -> None:
    found = problem(f"{{name: starter, lora: {lora}}}")
    assert found.startswith("s.yaml:1:30: error: the model starter takes no lora")


@pytest.mark.parametrize(("preset", "fits"), [("sd15", False), ("sdxl-turbo", True)])
def test_a_preset_that_is_not_here_knows_its_family(
    preset: str, fits: bool, problem: Callable[[str], str]
) -> None:
    found = problem(f"{{name: {preset}, lora: sdxl.safetensors}}")
    assert ("does not fit the model" in found) == (not fits)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
@pytest.mark.parametrize("model", ["pipe.safetensors", "{name: ./tiny, lora: pipe.safetensors}"])
def test_what_is_no_file_is_not_waited_for(model: str, problem: Callable[[str], str]) -> None:
    os.mkfifo("pipe.safetensors")
    assert "error: pipe.safetensors is no file of weights" in problem(model)


def test_parts_that_stand_where_a_whole_should(problem: Callable[[str], str]) -> None:
    Path("style").mkdir()
    Path("style/pytorch_lora_weights.safetensors").write_bytes(FILES["fits"])
    assert "hint: it holds a LoRA, which goes under lora:" in problem("style")
    assert "tiny/vae is a AutoencoderKL, which is no whole model" in problem("tiny/vae")
    assert "fits.safetensors is a LoRA" in problem("{name: fits.safetensors, config: tiny}")
    found = problem("{name: whole.safetensors, config: tiny}")
    assert "error: whole.safetensors does not fit its config: its UNet takes texts of wid" in found
    Path("style/config.json").write_text('{"_class_name": "AutoencoderKL"}')
    found = problem("{name: ./tiny, vae: style}")
    assert "the vae style is not whole: style has no weights" in found


def test_a_file_is_looked_at_again_when_it_changes(problem: Callable[[str], str]) -> None:
    model = "{name: ./tiny, lora: fits.safetensors}"
    assert "error" not in problem(model)
    Path("fits.safetensors").write_bytes(FILES["cut"])
    assert "is cut short" in problem(model)


def test_sizes_that_lie_are_no_memory(problem: Callable[[str], str]) -> None:
    """A header that claims to be huge is not read."""
    Path("fits.safetensors").write_bytes(struct.pack("<Q", 2**62) + b"{}")
    assert "is no safetensors file" in problem("{name: ./tiny, lora: fits.safetensors}")


@pytest.mark.parametrize(
    "change",
    [
        edit("model_index.json", unet=[1]),
        edit("model_index.json", text_encoder=["transformers", None]),
        edit("model_index.json", scheduler="x"),
        edit("unet/config.json", in_channels="four"),
        edit("unet/config.json", sample_size=[]),
        edit("text_encoder/config.json", hidden_size="wide"),
        edit("vae/config.json", block_out_channels=5),
        edit("vae/config.json", latent_channels=[4]),
        edit(SCHEDULER, beta_start="low"),
        edit(SCHEDULER, trained_betas=["a"] * 1000),
        edit(SCHEDULER, num_train_timesteps=None),
        edit(SCHEDULER, beta_start=-1.0),
        edit(SCHEDULER, beta_end=math.nan),
        edit(SCHEDULER, beta_end=math.inf),
        edit("unet/config.json", sample_size=0),
        edit(SCHEDULER, _class_name=5),
        put("unet/config.json", b"[" * 100_000),
        put("model_index.json", b"\xff\xfe"),
        put(UNET, struct.pack("<Q", 100_000) + b"[" * 100_000),
        put(UNET, weights({}) + b"more"),
    ],
)
def test_odd_settings_are_sentences(change: Change, problem: Callable[[str], str]) -> None:
    """Whatever stands in a file: an error with an address, or nothing, but no traceback."""
    change(Path("tiny"))
    found = problem("./tiny")
    assert not found or found.startswith("s.yaml:1:8: ")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (edit(SCHEDULER, trained_betas=[2.0] * 1000), "has a beta of 2: they lie within 0..1"),
        (edit(SCHEDULER, beta_start=-0.1), "has a beta of -0.1: they lie within 0..1"),
        (edit(SCHEDULER, beta_end=math.nan), "has settings that are no numbers"),
        (edit(SCHEDULER, num_train_timesteps="1000"), "trained with '1000' timesteps, not 1000"),
        (put("smd.json", b'{"native_size": [0, 64]}'), "odd settings: a canvas of 0x64 px"),
        (put("smd.json", b'{"native_size": [64, 1e9]}'), "a canvas of 64x1000000000 px"),
    ],
)
def test_numbers_that_cannot_be_are_errors(
    change: Change, sentence: str, problem: Callable[[str], str]
) -> None:
    """They are told, rather than painted as noise that is no number or on no canvas."""
    change(Path("tiny"))
    first = problem("./tiny").splitlines()[0]
    assert first.startswith("s.yaml:1:8: error: ")
    assert first.endswith(sentence)


@pytest.mark.parametrize("shape", [[], [4], [4, 4]])
def test_odd_shapes_are_sentences(shape: list[int], problem: Callable[[str], str]) -> None:
    names = ("input_blocks.0.0", "middle_block.1.transformer_blocks.0.attn2.to_k")
    layers = {f"model.diffusion_model.{name}.weight": shape for name in names}
    Path("odd.safetensors").write_bytes(weights(layers))
    assert "error: odd.safetensors is a model of unknown size" in problem("odd.safetensors")
    layers = {"decoder.conv_in.weight": shape, f"{PEFT}.lora_A.weight": shape}
    Path("odd.safetensors").write_bytes(weights(layers))
    assert "error" in problem("{name: ./tiny, lora: odd.safetensors}")


@pytest.mark.parametrize(
    ("file", "key", "value", "what"),
    [
        ("unet/config.json", "sample_size", "x", "a whole number from 1 on, or a list of two"),
        ("unet/config.json", "sample_size", [8], "a whole number from 1 on, or a list of two"),
        ("unet/config.json", "sample_size", [8, "a"], "a whole number from 1 on, or a list of two"),
        ("unet/config.json", "sample_size", True, "a whole number from 1 on, or a list of two"),
        ("unet/config.json", "sample_size", 0, "a whole number from 1 on, or a list of two"),
        ("unet/config.json", "in_channels", [4], "a whole number from 1 on"),
        ("vae/config.json", "block_out_channels", 5, "a list of whole numbers from 1 on"),
        ("vae/config.json", "block_out_channels", ["a"], "a list of whole numbers from 1 on"),
        ("vae/config.json", "patch_size", None, "a whole number from 1 on"),
        ("text_encoder/config.json", "num_hidden_layers", None, "a whole number from 1 on"),
        ("text_encoder/config.json", "hidden_size", "x", "a whole number from 1 on"),
        ("scheduler/scheduler_config.json", "trained_betas", 7, "a list"),
        ("scheduler/scheduler_config.json", "_class_name", [4], "a text"),
        ("smd.json", "native_size", 7, "a list of two numbers"),
        ("smd.json", "native_size", None, "a list of two numbers"),
        ("smd.json", "vocabulary", "fox", "a mapping"),
        ("smd.json", "vocabulary", {"objects": "fox"}, "a list of texts"),
        ("smd.json", "learnt", {"timesteps": [1]}, "a list of two numbers"),
        ("smd.json", "learnt", {"smallest_px": None}, "a whole number from 1 on"),
    ],
)
def test_odd_settings_are_told_in_a_sentence(
    file: str, key: str, value: object, what: str, tmp_path: Path, smd: Smd
) -> None:
    path = Path(shutil.copytree(TINY, tmp_path / "m")) / file
    settings = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**settings, key: value}))
    (tmp_path / "s.yaml").write_text("model: ./m\nbackground: sea\n")
    told = smd(["check", str(tmp_path / "s.yaml")])
    [inner] = value if isinstance(value, dict) else [key]
    found = json.dumps(value[inner] if isinstance(value, dict) else value)
    assert told.code == 2
    assert told.err.splitlines()[0].endswith(f": {inner} must be {what}, not {found}")
    assert Path(file).name in told.err


@pytest.mark.parametrize(
    ("part", "key"),
    [
        ("unet", "sample_size"),
        ("vae", "block_out_channels"),
        ("text_encoder", "num_hidden_layers"),
    ],
)
def test_a_card_tells_odd_settings_likewise(part: str, key: str, tmp_path: Path, smd: Smd) -> None:
    path = Path(shutil.copytree(TINY, tmp_path / "m")) / part / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: "x"}))
    told = smd(["models", str(tmp_path / "m")])
    assert told.code == 2
    assert f"{part}/config.json: {key} must be " in told.err


def test_settings_that_say_nothing_are_as_usual(tmp_path: Path, smd: Smd) -> None:
    for name, key in (("unet", "sample_size"), ("scheduler", "trained_betas")):
        folder = tmp_path / name
        path = Path(shutil.copytree(TINY, folder)) / name
        path /= "scheduler_config.json" if name == "scheduler" else "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), key: None}))
        (tmp_path / "s.yaml").write_text(f"model: ./{name}\nbackground: sea\n")
        assert smd(["check", str(tmp_path / "s.yaml")]).code == 0
