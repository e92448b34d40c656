"""A transformer in a file by itself, beside the rest of a model: the same picture, or why not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from asked import whole_rows
from conftest import Smd
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from smd_cli.backbone.loading import files
from smd_cli.backbone.loading.load import load_backbone
from smd_cli.backbone.quiet import quiet
from smd_cli.errors import SmdError
from smd_cli.models.cache import downloads_of, needed
from smd_cli.models.facts import resolve_model
from smd_cli.models.families import recognised
from smd_cli.models.files import refuse_unfit
from smd_cli.models.ref import LoraRef, ModelRef
from smd_cli.models.transformer_file import PREFIX
from smd_cli.scene.parse import load_scene

from .originals import ORIGINAL, flux
from .test_single_file import header

State = dict[str, Tensor]
OWN = "transformer/diffusion_pytorch_model.safetensors"


def weights(folder: Path) -> State:
    held: State = load_file(folder / OWN)
    return held


def file_of(state: State, folder: Path, prefix: str = "") -> Path:
    """A file with these weights."""
    file = folder / "one.safetensors"
    held = {f"{prefix}{name}": weight.contiguous() for name, weight in state.items()}
    save_file(held, file)
    return file


def loaded(folder: Path, file: Path | None, dtype: torch.dtype = torch.float32) -> Any:
    """The transformer of a model folder, from the file where there is one."""
    model = ModelRef("m", folder, transformer=file)
    refuse_unfit(model)
    family = recognised(json.loads((folder / "model_index.json").read_text()))
    assert family is not None
    with quiet():
        return files.load_denoiser(model, family, folder, dtype)


def alike(made: Any, wanted: Any) -> bool:
    """Whether two networks have the same weights, to the last bit, in the same precision."""
    ours, theirs = made.state_dict(), wanted.state_dict()
    same = all(torch.equal(ours[name], theirs[name]) for name in theirs)
    kinds = [{weight.dtype for weight in one.values()} for one in (ours, theirs)]
    return same and ours.keys() == theirs.keys() and kinds[0] == kinds[1] and not made.training


@pytest.mark.parametrize(
    ("name", "prefix"), [("z-image", PREFIX), ("flux2-klein", PREFIX), ("sd3", "")]
)
def test_the_original_layout_is_the_folders_transformer(
    name: str, prefix: str, flows: dict[str, Path], tmp_path: Path
) -> None:
    file = file_of(ORIGINAL[name](weights(flows[name])), tmp_path, prefix)
    assert alike(loaded(flows[name], file), loaded(flows[name], None))


@pytest.mark.parametrize("name", ["flux-dev", "sana-sprint", "sd3"])
def test_diffusers_layout_is_the_folders_transformer(
    name: str, flows: dict[str, Path], tmp_path: Path
) -> None:
    """In half precision, with weights of other parts beside it, and none in the folder."""
    rest = Path(shutil.copytree(flows[name], tmp_path / "rest"))
    (rest / OWN).unlink()
    file = file_of(weights(flows[name]), tmp_path, PREFIX)
    save_file({**load_file(file), "vae.decoder.conv_in.bias": torch.ones(3)}, file)
    wanted = loaded(flows[name], None, torch.bfloat16)
    assert alike(loaded(rest, file, torch.bfloat16), wanted)


@pytest.mark.parametrize("kind", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_fp8_without_scales_is_read_as_what_it_says(
    kind: torch.dtype, flows: dict[str, Path], tmp_path: Path
) -> None:
    small = {name: weight.to(kind) for name, weight in weights(flows["flux-schnell"]).items()}
    made = loaded(flows["flux-schnell"], file_of(small, tmp_path), torch.bfloat16).state_dict()
    assert made.keys() == small.keys()
    assert all(torch.equal(made[name], small[name].bfloat16()) for name in small)


@pytest.mark.slow
def test_flux_1_in_its_original_layout(tmp_path: Path) -> None:
    """At its real width, with one block of each kind: diffusers knows no other width."""
    from diffusers import FluxTransformer2DModel

    config = {"num_layers": 1, "num_single_layers": 1, "guidance_embeds": True}
    with quiet(), torch.device("meta"):
        shapes = FluxTransformer2DModel(**config).to(torch.bfloat16).state_dict()
    some = torch.randn(100_003, generator=torch.Generator().manual_seed(0)).bfloat16()
    state = {
        name: some.roll(place).repeat(one.numel() // some.numel() + 1)[: one.numel()].view_as(one)
        for place, (name, one) in enumerate(shapes.items())
    }
    folder = tmp_path / "m"
    (folder / "transformer").mkdir(parents=True)
    named = {"_class_name": "FluxTransformer2DModel", **config}
    (folder / "transformer" / "config.json").write_text(json.dumps(named))
    family = recognised(
        {
            "_class_name": "FluxPipeline",
            "transformer": ["diffusers", "FluxTransformer2DModel"],
            "text_encoder": ["transformers", "CLIPTextModel"],
            "text_encoder_2": ["transformers", "T5EncoderModel"],
        }
    )
    assert family is not None
    model = ModelRef("m", folder, transformer=file_of(flux(state), tmp_path, PREFIX))
    with quiet():
        made = files.load_denoiser(model, family, folder, torch.bfloat16).state_dict()
    (tmp_path / "one.safetensors").unlink()
    assert made.keys() == state.keys()
    assert all(torch.equal(made[name], state[name]) for name in state)


SCENE = """\
model: {model}
size: 64x64
background: a meadow
brushes:
  - {{prompt: a fox, mask: {{rect: [0, 0, 50%, 100%]}}}}
sampler: {{steps: 2, guidance: {{type: none}}}}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Commands run in an empty folder, and what text encoders read is kept."""
    monkeypatch.setenv("SMD_PROMPT_CACHE", str(tmp_path / "prompts"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def pixels(path: str) -> np.ndarray[Any, Any]:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def test_it_paints_as_the_folders_own(flows: dict[str, Path], tmp_path: Path) -> None:
    file = file_of(weights(flows["z-image"]), tmp_path)
    x = torch.randn(1, 16, 8, 8, generator=torch.Generator().manual_seed(0))
    made = []
    for one in (None, file):
        model = load_backbone(ModelRef("m", flows["z-image"], transformer=one), "cpu", "fp32")
        with torch.inference_mode():
            made.append(model.predict(whole_rows(x, [500], model.encode_prompts(["a fox"]))))
    assert torch.equal(*made)


@pytest.mark.slow
def test_a_scene_renders_with_it(
    flows: dict[str, Path], here: Path, smd: Smd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same picture; no prompt is read again, as the encoders are the folder's own."""
    folder = flows["z-image"]
    file_of(ORIGINAL["z-image"](weights(folder)), here, PREFIX)
    read = []
    encoders = files.load_encoders
    monkeypatch.setattr(files, "load_encoders", lambda *a: read.append(1) or encoders(*a))  # type: ignore[func-returns-value]
    texts = {"a": str(folder), "b": f"{{name: {folder}, transformer: ./one.safetensors}}"}
    for name, model in texts.items():
        Path(f"{name}.yaml").write_text(SCENE.format(model=model))
        done = smd(["render", f"{name}.yaml", "-o", f"{name}.png"])
        assert done.code == 0, done.err
    assert np.array_equal(pixels("a.png"), pixels("b.png"))
    assert read == [1]
    save_file(
        {name: one * 1.1 for name, one in load_file("one.safetensors").items()}, "one.safetensors"
    )
    told = smd(["rerun", "b.png", "-o", "c.png"])
    assert f"the files of the model {folder.name} are others than then" in told.err
    assert not np.array_equal(pixels("c.png"), pixels("b.png"))


@pytest.mark.slow
def test_a_scene_renders_with_it_in_little_memory(
    flows: dict[str, Path], here: Path, smd: Smd
) -> None:
    folder = flows["sd3"]
    file_of(ORIGINAL["sd3"](weights(folder)), here)
    made = []
    for model in (str(folder), f"{{name: {folder}, transformer: one.safetensors}}"):
        Path("s.yaml").write_text(SCENE.format(model=model))
        done = smd(["render", "s.yaml", "-o", "s.png", "--low-memory"])
        assert done.code == 0, done.err
        made.append(pixels("s.png"))
    assert np.array_equal(made[0], made[1])


@pytest.mark.slow
def test_a_lora_is_fused_into_it(flows: dict[str, Path], tmp_path: Path) -> None:
    """To the last bit as into the folder's own, and the file stays as it is."""
    folder, draw = flows["z-image"], torch.Generator().manual_seed(3)
    layer = "diffusion_model.layers.0.attention.to_q"
    lora = tmp_path / "lora.safetensors"
    down, up = torch.randn(2, 32, generator=draw), torch.randn(32, 2, generator=draw)
    save_file({f"{layer}.lora_A.weight": down, f"{layer}.lora_B.weight": up}, lora)
    file = file_of(ORIGINAL["z-image"](weights(folder)), tmp_path, PREFIX)
    before = file.read_bytes()
    x = torch.randn(1, 16, 8, 8, generator=draw)
    made = []
    for one, loras in ((None, True), (file, True), (file, False)):
        own = (LoraRef("l", lora),) if loras else ()
        model = load_backbone(ModelRef("m", folder, transformer=one, loras=own), "cpu", "fp32")
        with torch.inference_mode():
            made.append(model.predict(whole_rows(x, [500], model.encode_prompts(["a fox"]))))
    assert torch.equal(made[0], made[1])
    assert not torch.allclose(made[0], made[2], atol=1e-3)
    assert file.read_bytes() == before


def test_an_option_names_it(flows: dict[str, Path], here: Path, smd: Smd) -> None:
    file_of(weights(flows["sana-sprint"]), here)
    Path("s.yaml").write_text(SCENE.format(model=f"{{name: {flows['sana-sprint']}}}"))
    done = smd(["check", "s.yaml", "--set", "model.transformer=one.safetensors"])
    assert done.code == 0, done.err
    done = smd(["check", "s.yaml", "--set", "model.transformer=none.safetensors"])
    assert "there is no file none.safetensors" in done.err


def test_of_the_hub_the_rest_comes_alone(flows: dict[str, Path]) -> None:
    model = ModelRef("some/flux", transformer=Path("one.safetensors"))
    [wanted] = downloads_of(model)
    names = needed(flows["flux-schnell"], wanted)
    assert [name for name in names if name.startswith("transformer/")] == [
        "transformer/config.json"
    ]
    [whole] = downloads_of(ModelRef("some/flux"))
    assert {*needed(flows["flux-schnell"], whole)} - {*names} == {OWN}


# What is wrong with a file is told of its header alone.

FLUX = {
    "double_blocks.0.img_mod.lin.weight": [4, 4],
    "double_blocks.0.img_attn.qkv.weight": [4, 4],
    "single_blocks.0.linear1.weight": [4, 4],
    "txt_in.weight": [4, 32],
    "img_in.weight": [4, 64],
}
SD3 = {
    "joint_blocks.0.x_block.attn.qkv.weight": [4, 4],
    "joint_blocks.1.x_block.attn.qkv.weight": [4, 4],
    "joint_blocks.0.x_block.attn.ln_q.weight": [4],
    "context_embedder.weight": [4, 64],
}
SANA = {"blocks.0.cross_attn.q_linear.weight": [4, 4]}
GUIDED = {"guidance_in.in_layer.weight": [4, 4]}


REFUSED: dict[str, tuple[str, bytes, str]] = {
    "another family": (
        "flux-schnell",
        header(SD3),
        "one.safetensors is a transformer of Stable Diffusion 3, and the model m is of another "
        "family: FLUX.1",
    ),
    "texts of another width": (
        "flux-schnell",
        header({**FLUX, "txt_in.weight": [4, 48]}),
        "does not fit the model m: it takes texts of width 48, the model's own transformer 32",
    ),
    "made for filling": (
        "flux-schnell",
        header({**FLUX, "img_in.weight": [4, 384]}),
        "it takes pictures of width 384, the model's own transformer 64",
    ),
    "another size": (
        "flux-schnell",
        header({**FLUX, "double_blocks.1.img_mod.lin.weight": [4, 4]}),
        "it has 2 double_blocks, the model's own transformer 1",
    ),
    "dev beside schnell": (
        "flux-schnell",
        header({**FLUX, **GUIDED}),
        "it has weights for guidance_embeds, the model's own transformer none",
    ),
    "schnell beside dev": (
        "flux-dev",
        header(FLUX),
        "it has no weights for guidance_embeds, the model's own transformer has",
    ),
    "the first generation beside the later": (
        "sd3",
        header({name: one for name, one in SD3.items() if "ln_q" not in name}),
        "it has no weights for qk_norm, the model's own transformer has",
    ),
    "quantised": (
        "flux-schnell",
        header({**FLUX, "scaled_fp8": [2]}, kind="F8_E4M3"),
        "holds quantised weights (F8_E4M3), which are not supported",
    ),
    "of whole numbers": (
        "flux-schnell",
        header(FLUX, kind="I8"),
        "holds quantised weights (I8), which are not supported",
    ),
    "cut short": ("flux-schnell", header(FLUX, lack=70), "is cut short: 70 bytes lack"),
    "the original SANA": ("sana-sprint", header(SANA), "that diffusers does not convert for SANA-"),
    "a LoRA": (
        "flux-schnell",
        header({"lora_unet_mid.lora_up.weight": [4, 4]}),
        "is a LoRA, which goes under lora:",
    ),
    "something": ("flux-schnell", header({"a": [4]}), "is no transformer of FLUX.1"),
}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("kind", REFUSED)
def test_refused_where_the_scene_names_it(kind: str, flows: dict[str, Path], smd: Smd) -> None:
    name, content, sentence = REFUSED[kind]
    Path("m").symlink_to(flows[name])
    Path("one.safetensors").write_bytes(content)
    Path("s.yaml").write_text("background: sea\nmodel: {name: m, transformer: one.safetensors}\n")
    done = smd(["check", "s.yaml"])
    assert done.code == 2
    first = done.err.splitlines()[0]
    assert first.startswith("s.yaml:2:31: error: ")
    assert sentence in first


LARGE = {f"joint_blocks.{number}.x_block.attn.qkv.weight": [4, 4] for number in range(38)}
MEDIUM = {name: one for name, one in SD3.items() if "ln_q" not in name}
ALONE: dict[str, tuple[dict[str, list[int]], str, str]] = {
    "schnell": (FLUX, "FLUX.1", "flux-schnell"),
    "dev": ({**FLUX, **GUIDED}, "FLUX.1", "MODEL"),
    "large": (LARGE, "Stable Diffusion 3", "sd35-turbo"),
    "medium": (MEDIUM, "Stable Diffusion 3", "sd3-flash"),
    "Z-Image": ({"layers.0.adaLN_modulation.0.weight": [4, 4]}, "Z-Image", "z-image-turbo"),
    "klein": (
        {"double_stream_modulation_img.lin.weight": [4, 4], "txt_in.weight": [4, 7680]},
        "FLUX.2 klein",
        "flux2-klein",
    ),
    "sana": (
        {"transformer_blocks.0.ff.conv_inverted.weight": [4, 4]},
        "SANA-Sprint",
        "sana-sprint",
    ),
}


@pytest.mark.parametrize("kind", ALONE)
def test_alone_it_is_told_what_it_needs(kind: str, here: Path, smd: Smd) -> None:
    shapes, family, rest = ALONE[kind]
    (here / "in").mkdir()
    Path("in/one.safetensors").write_bytes(header(shapes))
    Path("s.yaml").write_text("background: sea\nmodel: in/one.safetensors\n")
    done = smd(["check", "s.yaml"])
    assert done.code == 2
    assert (
        f"s.yaml:2:8: error: in/one.safetensors is a transformer of {family} without text"
        in done.err
    )
    assert f"hint: write model: {{name: {rest}, transformer: in/one.safetensors}}" in done.err
    if rest != "MODEL":
        written = f"model: {{name: {rest}, transformer: in/one.safetensors}}"
        Path("s.yaml").write_text(f"background: sea\n{written}\n")
        scene = load_scene("s.yaml").scene
        assert scene.model.transformer == Path("in/one.safetensors")
        assert scene.model.repository == resolve_model(rest, here).repository


@pytest.mark.usefixtures("here")
def test_of_a_checkpoint_with_more_the_transformer_is_read(smd: Smd) -> None:
    held = {f"{PREFIX}{name}": shape for name, shape in SD3.items()}
    more = {"text_encoders.clip_l.logit_scale": [], "first_stage_model.decoder.conv_in.bias": [4]}
    Path("one.safetensors").write_bytes(header({**held, **more}))
    Path("s.yaml").write_text("background: sea\nmodel: one.safetensors\n")
    told = smd(["check", "s.yaml"]).err
    assert "is a checkpoint of Stable Diffusion 3, of which smd reads the transformer alone" in told


WRONG = {
    "{name: starter, transformer: one.safetensors}": "the model starter has no transformer, but a",
    "{name: one.safetensors, transformer: one.safetensors}": "a transformer goes beside a whole",
    "{name: starter, transformer: a/b}": "transformer must be a .safetensors file here",
    "{name: starter, transformer: some.gguf}": "some.gguf is a GGUF file, which is not supported",
    "{name: one.safetensors, config: m}": "hint: write model: {name: m, transformer: one.safetens",
}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("model", WRONG)
def test_where_it_cannot_be(model: str, flows: dict[str, Path], smd: Smd) -> None:
    Path("m").symlink_to(flows["flux-schnell"])
    Path("one.safetensors").write_bytes(header(FLUX))
    Path("some.gguf").write_bytes(b"GGUF")
    Path("s.yaml").write_text(f"background: sea\nmodel: {model}\n")
    done = smd(["check", "s.yaml"])
    assert done.code == 2
    assert WRONG[model] in done.err


def test_weights_that_lack_or_have_no_place(flows: dict[str, Path], tmp_path: Path) -> None:
    """Which the header of a file does not tell."""
    state = ORIGINAL["sd3"](weights(flows["sd3"]))
    without = {name: one for name, one in state.items() if name != "final_layer.linear.bias"}
    family = recognised(json.loads((flows["sd3"] / "model_index.json").read_text()))
    assert family is not None
    more = {**state, "joint_blocks.0.x_block.some.weight": torch.zeros(3)}
    for held, reason in (
        (more, "weights that have no place"),
        (without, "final_layer.linear.bias"),
    ):
        model = ModelRef("m", flows["sd3"], transformer=file_of(held, tmp_path))
        with quiet(), pytest.raises((SmdError, KeyError), match=reason):
            files.load_denoiser(model, family, flows["sd3"], torch.float32)
