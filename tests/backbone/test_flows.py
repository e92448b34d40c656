"""Every flow-matching family against diffusers' own pipeline of it, from the scene file on."""

from __future__ import annotations

import functools
import inspect
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Result, Smd
from engine.scenes import relative
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from PIL import Image
from safetensors.torch import save_file

from smd_cli.backbone.loading.load import load_backbone, precision_of
from smd_cli.backbone.quiet import quiet
from smd_cli.doctor.agreement import measure
from smd_cli.engine.contract import Backbone
from smd_cli.engine.plan import Plan
from smd_cli.engine.planner import Planner
from smd_cli.engine.stream import single
from smd_cli.models.configs import read_object
from smd_cli.models.families import recognised
from smd_cli.models.ref import ModelRef
from smd_cli.report.reporter import Reporter
from smd_cli.scene.paint.painted import paint_scene
from smd_cli.scene.parse import load_scene

from .tiny_flows import FLOWS

PROMPTS = ("a red fox", "an owl in the meadow under a blue sky")
SIZES = ("64x96", "128x96")


@functools.cache
def loaded(model: ModelRef) -> Backbone:
    return load_backbone(model, "cpu", "fp32")


@functools.cache
def pipeline(folder: Path) -> Any:
    from diffusers import DiffusionPipeline

    index = read_object(folder / "model_index.json") or {}
    absent = {name: None for name, held in index.items() if held == [None, None]}
    with quiet():
        made = DiffusionPipeline.from_pretrained(folder, local_files_only=True, **absent)
    made.set_progress_bar_config(disable=True)
    return made


def scale_of(folder: Path, scale: float) -> float:
    family = recognised(read_object(folder / "model_index.json") or {})
    assert family is not None
    return scale - 1 + family.guidance_off


def drawn(plan: Plan) -> torch.Tensor:
    """What a pipeline draws between slots, where it draws any, (T - 1, C, h, w)."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(plan.table.slots, 1, *plan.background.shape, generator=generator)[:-1, 0]


def painted_by_us(
    model: str, folder: Path, prompt: str = PROMPTS[0], size: str = SIZES[0], guidance: float = 1.0
) -> tuple[Plan, torch.Tensor, Backbone]:
    """One brush over the whole canvas: its plan, its latents, and the backbone."""
    kind = "none" if guidance == 1 else "full"
    scene = folder / "s.yaml"
    scene.write_text(
        f"model: {model}\nsize: {size}\nbrushes:\n"
        f"  - {{prompt: {prompt}, blur: 0, mask: {{rect: [0, 0, 100%, 100%]}}}}\n"
        "sampler: {steps: 3, windows: off, bootstrap: {steps: 0}, "
        f"guidance: {{type: {kind}, scale: {guidance}}}}}\n"
    )
    file = load_scene(str(scene))
    painted = paint_scene(file)
    backbone = loaded(file.scene.model)
    plan = Planner(backbone).plan(file.scene, painted.brushes, painted.size)
    plan = replace(plan, slot_noise=torch.cat([plan.slot_noise[:1], drawn(plan)]))
    return plan, next(single(lambda _: plan, backbone, 1)).latents, backbone


@torch.inference_mode()
def painted_by_them(
    pipe: Any,
    folder: Path,
    plan: Plan,
    backbone: Backbone,
    prompt: str = PROMPTS[0],
    guidance: float = 1.0,
) -> torch.Tensor:
    """The pipeline's latents from the plan's noise, as it gives them."""
    more = {
        "use_resolution_binning": False,
        "intermediate_timesteps": None,
        "true_cfg_scale": 1.0 if backbone.embeds_guidance else guidance,
        "negative_prompt": None if guidance == 1 else "",
        "generator": torch.Generator().manual_seed(0),
    }
    known = inspect.signature(pipe.__call__).parameters
    width, height = plan.size
    made: torch.Tensor = pipe(
        prompt=prompt,
        width=width,
        height=height,
        num_inference_steps=plan.table.slots,
        guidance_scale=scale_of(folder, guidance),
        latents=backbone.as_taken(plan.start_noise(0)[None]),
        output_type="latent",
        **{key: value for key, value in more.items() if key in known},
    ).images[0]
    return made


# Every prompt with every size and every guidance, and every size with every guidance.
PAIRS = [
    (PROMPTS[0], SIZES[0], 1.0),
    (PROMPTS[0], SIZES[1], 1.7),
    (PROMPTS[1], SIZES[0], 1.7),
    (PROMPTS[1], SIZES[1], 1.0),
]


@pytest.mark.parametrize(("prompt", "size", "guidance"), PAIRS)
@pytest.mark.parametrize("name", FLOWS)
def test_one_brush_is_diffusers_own_picture(
    name: str, prompt: str, size: str, guidance: float, flows: dict[str, Path], tmp_path: Path
) -> None:
    """Euler's steps from one noise come to the same latents, however long prompt and canvas."""
    folder = flows[name]
    plan, ours, backbone = painted_by_us(str(folder), tmp_path, prompt, size, guidance)
    wanted = painted_by_them(pipeline(folder), folder, plan, backbone, prompt, guidance)
    assert relative(backbone.as_given(ours[None])[0], wanted) <= 1e-4


LORA_FLOWS = ("z-image", "flux2-klein", "flux-schnell", "sd3 without t5", "sana-sprint")


@pytest.mark.parametrize("name", LORA_FLOWS)
def test_a_lora_is_diffusers_own(name: str, flows: dict[str, Path], tmp_path: Path) -> None:
    """Fused at a weight it does what the pipeline's adapter does beside the layers."""
    folder = flows[name]
    with torch.random.fork_rng(), quiet():
        torch.manual_seed(8)
        pipe = pipeline.__wrapped__(folder)
        layers = LoraConfig(r=2, target_modules=["to_q", "to_k", "to_v"], init_lora_weights=False)
        pipe.transformer.add_adapter(layers)
        state = get_peft_model_state_dict(pipe.transformer, adapter_name="default")
        type(pipe).save_lora_weights(tmp_path / "lora", transformer_lora_layers=state)
        pipe = pipeline.__wrapped__(folder)
        pipe.load_lora_weights(tmp_path / "lora", adapter_name="lora")
        pipe.set_adapters(["lora"], [0.7])
    lora = f"{{path: {tmp_path / 'lora'}, weight: 0.7}}"
    plan, ours, backbone = painted_by_us(f"{{name: {folder}, lora: {lora}}}", tmp_path)
    wanted = painted_by_them(pipe, folder, plan, backbone)
    assert relative(backbone.as_given(ours[None])[0], wanted) <= 1e-4
    _, plain, _ = painted_by_us(str(folder), tmp_path)
    assert relative(ours, plain) > 1e-3


@pytest.mark.slow
def test_a_lora_of_kohyas_tools_is_diffusers_own(flows: dict[str, Path], tmp_path: Path) -> None:
    """They call a transformer's layers lora_unet_ too."""
    folder = flows["flux-schnell"]
    layer = "lora_unet_double_blocks_0_img_attn_proj"
    draw = torch.Generator().manual_seed(3)
    file = tmp_path / "l.safetensors"
    save_file(
        {
            f"{layer}.lora_down.weight": torch.randn(2, 32, generator=draw),
            f"{layer}.lora_up.weight": torch.randn(32, 2, generator=draw),
            f"{layer}.alpha": torch.tensor(1.0),
        },
        file,
    )
    with quiet():
        pipe = pipeline.__wrapped__(folder)
        pipe.load_lora_weights(tmp_path, weight_name=file.name)
    plan, ours, backbone = painted_by_us(f"{{name: {folder}, lora: {file}}}", tmp_path)
    wanted = painted_by_them(pipe, folder, plan, backbone)
    assert relative(backbone.as_given(ours[None])[0], wanted) <= 1e-4
    _, plain, _ = painted_by_us(str(folder), tmp_path)
    assert relative(ours, plain) > 1e-3


@pytest.mark.slow
def test_a_lora_of_a_text_encoder_is_diffusers_own(flows: dict[str, Path], tmp_path: Path) -> None:
    """Its encoders are loaded with the transformer, and nothing is kept of what they read."""
    folder = flows["flux-schnell"]
    with torch.random.fork_rng(), quiet():
        torch.manual_seed(8)
        pipe = pipeline.__wrapped__(folder)
        layers = LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
        pipe.text_encoder.add_adapter(layers)
        state = get_peft_model_state_dict(pipe.text_encoder, adapter_name="default")
        type(pipe).save_lora_weights(tmp_path / "lora", text_encoder_lora_layers=state)
        pipe = pipeline.__wrapped__(folder)
        pipe.load_lora_weights(tmp_path / "lora", adapter_name="lora")
    model = f"{{name: {folder}, lora: {tmp_path / 'lora'}}}"
    plan, ours, backbone = painted_by_us(model, tmp_path)
    wanted = painted_by_them(pipe, folder, plan, backbone)
    assert relative(backbone.as_given(ours[None])[0], wanted) <= 1e-4
    _, plain, _ = painted_by_us(str(folder), tmp_path)
    assert relative(ours, plain) > 1e-4


@pytest.mark.parametrize(
    ("name", "half"), [("z-image", torch.bfloat16), ("sd3", torch.float16)], ids=str
)
def test_the_half_precision_of_a_family(
    name: str, half: torch.dtype, flows: dict[str, Path]
) -> None:
    """What was trained in bf16 does not fit into fp16; a CPU and an option say otherwise."""
    model = ModelRef("m", flows[name])
    assert precision_of(model, "auto", torch.device("cuda")) == half
    assert precision_of(model, "auto", torch.device("cpu")) == torch.float32
    assert precision_of(model, "fp16", torch.device("cpu")) == torch.float16


def test_a_unets_lora_is_refused(flows: dict[str, Path], tmp_path: Path, smd: Smd) -> None:
    save_file({"unet.down.lora_A.weight": torch.zeros(2, 4)}, tmp_path / "l.safetensors")
    model = f"{{name: {flows['z-image']}, lora: [{{path: l.safetensors}}]}}"
    (tmp_path / "s.yaml").write_text(f"model: {model}\nsize: 64x64\nbackground: sea\n")
    told = smd(["check", str(tmp_path / "s.yaml")])
    assert told.code == 2
    assert "its layers are those of another model" in told.err


@pytest.mark.slow
@pytest.mark.parametrize("name", FLOWS)
def test_doctor_compares_them(name: str, flows: dict[str, Path]) -> None:
    assert measure(str(flows[name]), "cpu", "fp32", Reporter()).agrees


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("FluxKontextPipeline", "is a FluxKontextPipeline, which is not supported"),
        ("FluxFillPipeline", "is a FluxFillPipeline, which is not supported"),
    ],
)
def test_editing_pipelines_of_the_same_parts_are_refused(
    kind: str, said: str, flows: dict[str, Path], tmp_path: Path, smd: Smd
) -> None:
    folder = Path(shutil.copytree(flows["flux-schnell"], tmp_path / "m"))
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps({**index, "_class_name": kind}))
    (tmp_path / "s.yaml").write_text("model: ./m\nsize: 64x64\nbackground: sea\n")
    told = smd(["check", str(tmp_path / "s.yaml")])
    assert (told.code, said in told.err) == (2, True), told.err


@pytest.mark.parametrize(
    ("name", "part", "changes", "said"),
    [
        ("z-image", "text_encoder", {"hidden_size": 24}, "its text encoder gives 24"),
        ("flux-schnell", "text_encoder_2", {"d_model": 24}, "its T5 gives 24"),
        ("sd3", "text_encoder_3", {"d_model": 24}, "its T5 gives 24"),
        ("sana-sprint", "transformer", {"guidance_embeds": False}, "is a SANA that is no Sprint"),
        ("flux-schnell", "transformer", {"in_channels": 384}, "is made for editing, filling"),
        ("z-image", "scheduler", {"use_karras_sigmas": True}, "asks for use_karras_sigmas"),
        ("flux2-klein", "text_encoder", {"hidden_size": 20}, "its text encoder gives 3 x 20"),
    ],
)
def test_what_does_not_fit_is_told_before_anything_is_loaded(
    name: str,
    part: str,
    changes: dict[str, Any],
    said: str,
    flows: dict[str, Path],
    tmp_path: Path,
    smd: Smd,
) -> None:
    folder = Path(shutil.copytree(flows[name], tmp_path / "m"))
    file = folder / part / ("scheduler_config.json" if part == "scheduler" else "config.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    (tmp_path / "s.yaml").write_text("model: ./m\nsize: 64x64\nbackground: sea\n")
    told = smd(["check", str(tmp_path / "s.yaml")])
    assert (told.code, said in told.err) == (2, True), told.err


IDLE = {
    "clip_skip": (
        "z-image",
        "clip_skip: 1",
        "",
        "",
        "s.yaml:2:31: warning: clip_skip has no effect",
    ),
    "strength": (
        "z-image",
        "",
        "strength: 0.5, ",
        "",
        "s.yaml:5:31: warning: strength may have no effect",
    ),
    "a kind": (
        *("flux-dev", "", "", "guidance: {type: self, scale: 3}"),
        "warning: guidance.type: self has no effect: the model ./m takes guidance itself",
    ),
    "delta": (
        *("sana-sprint", "", "", "guidance: {type: full, scale: 3, delta: 0.5}"),
        "warning: guidance.delta has no effect: the model ./m takes guidance itself",
    ),
    "timesteps": (
        *("sana-sprint", "", "", "timesteps: [900, 500]"),
        "s.yaml:7:22: error: timesteps cannot be chosen with this model",
    ),
    "vae": (
        *("flux2-klein", "vae: ./vae", "", ""),
        "the model ./m does not fit: its autoencoder is an AutoencoderKL\n",
    ),
}
ACTING = {
    "clip_skip": ("z-image", "clip_skip: 0", "", ""),
    "strength": ("z-image", "", "strength: 1, ", ""),
    "no strength": ("sd3", "", "strength: 0.5, ", ""),
    "a kind": ("sd3", "", "", "guidance: {type: self, scale: 3, delta: 0.5}"),
    "a scale": ("flux-dev", "", "", "guidance: {type: full, scale: 3}"),
}


def checked(
    flows: dict[str, Path], smd: Smd, name: str, model: str, brush: str, sampler: str
) -> Result:
    Path("m").symlink_to(flows[name])
    Path("vae").symlink_to(flows["z-image"] / "vae")
    mask = "mask: {rect: [0, 0, 50%, 100%]}"
    Path("s.yaml").write_text(
        f"# a scene\nmodel: {{name: ./m{model and f', {model}'}}}\nsize: 512x512\nbrushes:\n"
        f"  - {{prompt: a fox, {brush}{mask}}}\nbackground: a meadow\nsampler: {{{sampler}}}\n"
    )
    return smd(["check", "s.yaml"])


@pytest.mark.parametrize("case", IDLE)
def test_what_cannot_act_is_told(
    case: str, flows: dict[str, Path], tmp_path: Path, smd: Smd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    *scene, said = IDLE[case]
    told = checked(flows, smd, *scene)
    assert said in told.out + told.err


@pytest.mark.parametrize("case", ACTING)
def test_what_acts_is_not(
    case: str, flows: dict[str, Path], tmp_path: Path, smd: Smd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = checked(flows, smd, *ACTING[case])
    assert (told.code, "effect" in told.out + told.err) == (0, False), told.out + told.err


def test_a_missing_encoder_is_told(flows: dict[str, Path], tmp_path: Path, smd: Smd) -> None:
    folder = Path(shutil.copytree(flows["flux-schnell"], tmp_path / "m"))
    shutil.rmtree(folder / "text_encoder_2")
    (tmp_path / "s.yaml").write_text("model: ./m\nsize: 64x64\nbackground: sea\n")
    told = smd(["check", str(tmp_path / "s.yaml")])
    assert (told.code, "it has no folder text_encoder_2" in told.err) == (2, True), told.err


@pytest.mark.parametrize("name", FLOWS)
def test_a_scene_through_the_command(
    name: str, flows: dict[str, Path], tmp_path: Path, smd: Smd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prompts of different lengths, strength, a painted background, bootstrapping, a stream."""
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(
        f"model: {flows[name]}\nsize: 96x64\nbackground: a meadow\nbrushes:\n"
        f"  - {{prompt: {PROMPTS[0]}, strength: 0.8, mask: {{rect: [0, 0, 50%, 100%]}}}}\n"
        f"  - {{prompt: {PROMPTS[1]}, mask: {{ellipse: [40%, 20%, 50%, 50%]}}}}\n"
        "sampler: {steps: 3}\n"
    )
    done = smd(["render", "s.yaml", "-n", "2", "--schedule", "stream", "-o", "%02d.png"])
    assert done.code == 0, done.err
    alone = smd(["render", "s.yaml", "-n", "2", "--schedule", "single", "-o", "s%02d.png"])
    assert alone.code == 0, alone.err
    for number in range(2):
        with Image.open(f"{number:02d}.png") as one, Image.open(f"s{number:02d}.png") as other:
            assert one.size == (96, 64)
            pairs = zip(one.tobytes(), other.tobytes(), strict=True)
            assert max(abs(a - b) for a, b in pairs) <= 1
