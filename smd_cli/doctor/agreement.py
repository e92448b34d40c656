"""How far our engine and diffusers' own pipeline agree on a model.

One brush over the whole canvas, without bootstrap, is what any pipeline does; with the same noise
both must come to the same latents. The pipeline is loaded by diffusers alone, from the same files.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from smd_cli.backbone.loading.fetch import lora_file, model_folder
from smd_cli.backbone.loading.files import named
from smd_cli.backbone.loading.load import load_backbone, pick_device, precision_of
from smd_cli.backbone.memory import release
from smd_cli.backbone.quiet import quiet
from smd_cli.engine.plan import Plan
from smd_cli.engine.planner import Planner
from smd_cli.engine.schedule import refuse_noise_alone
from smd_cli.engine.stream import single
from smd_cli.errors import SmdError, UsageError
from smd_cli.models.cache import INDEX, downloads_of
from smd_cli.models.configs import read_object
from smd_cli.models.facts import read_defaults
from smd_cli.models.families import Family
from smd_cli.models.files import family_in
from smd_cli.models.pull import download
from smd_cli.models.ref import LoraRef, ModelRef
from smd_cli.report.reporter import Reporter
from smd_cli.scene.overrides import Override
from smd_cli.scene.paint.painted import paint_scene
from smd_cli.scene.parse import load_scene
from smd_cli.scene.text.source import STDIN
from smd_cli.scene.types import Guidance, Scene, SceneFile

PROMPT, NEGATIVE = "a red fox in the snow", "blurry"
LIMITS: Mapping[torch.dtype, float] = {
    torch.float32: 1e-3,
    torch.float16: 0.05,
    torch.bfloat16: 0.25,
}
"""The largest error that passes: rounding alone, which half precisions have much of."""

_LARGEST_PX = 256  # what is compared does not depend on the size; small is quick
_NO_BOUNDARY = 1e8  # as timestep scaling: LCM's boundary scalings vanish
_SCENE = f"""\
brushes:
  - {{prompt: {PROMPT}, negative: {NEGATIVE}, blur: 0, mask: {{rect: [0, 0, 100%, 100%]}}}}
sampler: {{bootstrap: {{steps: 0}}}}
""".encode()


@dataclass(frozen=True)
class Agreement:
    """The largest difference of all latents, in standard deviations of theirs."""

    error: float
    limit: float
    against: str

    @property
    def agrees(self) -> bool:
        """Whether the error passes for rounding (not a number does not)."""
        return self.error <= self.limit

    def __str__(self) -> str:
        return f"relative error {self.error:.1e} (limit {self.limit:g}) against {self.against}"


def measure(name: str, device: str, dtype: str, reporter: Reporter) -> Agreement:
    """Paint one frame with a model twice, by our engine and by diffusers' pipeline.

    Gets the model from the hub where it is not here. Raises SmdError where it cannot be loaded.
    """
    where = pick_device(device)
    file = _scene_file(name)
    model = file.scene.model
    if model.file:
        raise UsageError(
            f"{name} is a single file, and those are not compared",
            "save it as a folder with diffusers' save_pretrained",
        )
    download(downloads_of(model), reporter)
    file = _scene_file(name)  # its sampler is the model's, which may just have come
    model = replace(model, folder=model_folder(model))
    precision = precision_of(model, "fp32" if _is_left(dtype, where) else dtype, where)
    plan, ours, start = _ours(file, model, where, precision)
    release(where)  # one model at a time in memory
    theirs, pipeline = _theirs(plan, start, model, where, precision)
    error = float((ours - theirs).abs().max() / theirs.std())
    width, height = plan.size
    rate = str(precision).removeprefix("torch.")
    against = f"{pipeline}, {plan.table.slots} slots, {width}x{height}, {rate}"
    return Agreement(error, LIMITS[precision], against)


def _is_left(dtype: str, device: torch.device) -> bool:
    """Whether a CPU's precision is left to us: where rounding is least, errors show best."""
    return dtype == "auto" and device.type == "cpu"


def _scene_file(name: str) -> SceneFile:
    option = Override("model", name, f"--model {name}", Path())
    return load_scene(STDIN, [option], stdin=BytesIO(_SCENE))


def _ours(
    file: SceneFile, model: ModelRef, device: torch.device, dtype: torch.dtype
) -> tuple[Plan, Tensor, Tensor]:
    """The plan with the noises that the pipeline will draw; its latents, and the start noise.

    Both are as the pipeline has them: it may pack (1, C, h, w) in a way of its own.
    """
    backbone = load_backbone(model, str(device), _option(dtype))
    width, height = (min(side, _LARGEST_PX) for side in read_defaults(model).native_size)
    scene = _comparable(replace(file.scene, size=(width, height)), model)
    painted = paint_scene(replace(file, scene=scene))
    plan = Planner(backbone).plan(scene, painted.brushes, painted.size)
    refuse_noise_alone(model.name, plan.table)
    start = plan.start_noise(0).to(dtype).float()
    draws = _draws((plan.table.slots, *start.shape), device, dtype)
    noise = torch.cat([plan.slot_noise[:1], *draws])
    plan = replace(plan, slot_noise=noise, start_noise=lambda _: start)
    made = next(single(lambda _: plan, backbone, 1)).latents
    return plan, backbone.as_given(made[None]).cpu(), backbone.as_taken(start[None])


def _comparable(scene: Scene, model: ModelRef) -> Scene:
    """The scene without what no pipeline has: guidance by residuals, fresh noise on a line; and
    without a negative prompt where that of the model takes none.
    """
    assert model.folder is not None
    sampler, family = scene.sampler, family_in(model, model.folder)
    if sampler.guidance.type not in ("none", "full"):
        sampler = replace(sampler, guidance=Guidance())
    if family.spacing and family.spacing.path == "line":
        sampler = replace(sampler, noise_between="kept")
    brushes = scene.brushes
    if family.pipeline and "negative_prompt" not in _taken(named(family.pipeline)):
        brushes = tuple(replace(brush, negative="") for brush in brushes)
    return replace(scene, sampler=sampler, brushes=brushes)


def _taken(pipeline: Any) -> Mapping[str, inspect.Parameter]:
    """What a pipeline can be told."""
    return inspect.signature(pipeline.__call__).parameters


def _draws(slots: tuple[int, ...], device: torch.device, dtype: torch.dtype) -> list[Tensor]:
    """What a pipeline draws for each slot but the first, one (1, C, h, w) after the other."""
    from diffusers.utils.torch_utils import randn_tensor

    generator = _generator()
    shape = (1, *slots[1:])
    return [
        randn_tensor(shape, generator=generator, device=device, dtype=dtype).float()
        for _ in range(slots[0] - 1)
    ]


def _generator() -> torch.Generator:
    return torch.Generator("cpu").manual_seed(0)


def _theirs(
    plan: Plan, start: Tensor, model: ModelRef, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, str]:
    """The latents of diffusers' pipeline from this noise, and its name."""
    with quiet():
        assert model.folder is not None
        pipeline = _pipeline(model, model.folder, dtype).to(device)
        _lay_loras(pipeline, model.loras)
        pipeline.set_progress_bar_config(disable=True)
        family = family_in(model, model.folder)
        if not family.spacing:
            pipeline.scheduler = _scheduler(plan, pipeline.scheduler.config)
        options = _options(plan, start.to(dtype), family)
        taken = _taken(pipeline)
        made = pipeline(**{name: value for name, value in options.items() if name in taken})
    name = f"{type(pipeline).__name__} with {type(pipeline.scheduler).__name__}"
    return cast(Tensor, made.images.float().cpu()), name


def _pipeline(model: ModelRef, folder: Path, dtype: torch.dtype) -> Any:
    """The pipeline as diffusers finds it, without the parts that make no latents."""
    from diffusers import DiffusionPipeline

    family = family_in(model, folder)
    if not family.pipeline:
        raise SmdError(
            f"the model {model.name} cannot be compared: diffusers has no pipeline of its kind"
        )
    index = read_object(folder / INDEX) or {}
    parts = {name: held[0] for name, held in index.items() if isinstance(held, list)}
    used = {*family.part_names} - (set() if family.spacing else {family.autoencoder.name})
    unused = {name: None for name, library in parts.items() if name not in used or not library}
    try:
        return DiffusionPipeline.from_pretrained(
            folder, torch_dtype=dtype, use_safetensors=True, local_files_only=True, **unused
        )
    except (OSError, ValueError, AttributeError) as unknown:
        reason = " ".join(str(unknown).split()).split(". ")[0]
        raise SmdError(f"diffusers itself cannot load {folder}: {reason}") from unknown


def _lay_loras(pipeline: Any, loras: Sequence[LoraRef]) -> None:
    """Lay LoRAs beside the pipeline's weights: fused or not, they do the same."""
    names = []
    for number, lora in enumerate(loras):
        file = lora_file(lora)
        names.append(f"lora_{number}")
        pipeline.load_lora_weights(file.parent, weight_name=file.name, adapter_name=names[-1])
    if names:
        pipeline.set_adapters(names, [lora.weight for lora in loras])


def _scheduler(plan: Plan, config: Mapping[str, Any]) -> Any:
    """DDIM where the sampler keeps its noise, else LCM, with its boundary scalings or without."""
    from diffusers import DDIMScheduler, LCMScheduler

    if plan.keeps_noise:
        usual = {"timestep_spacing": "leading", "steps_offset": 1, "set_alpha_to_one": True}
        return DDIMScheduler.from_config(config, clip_sample=False, **usual)
    if any(plan.table.c_skip):
        return LCMScheduler.from_config(config)
    return LCMScheduler.from_config(config, timestep_scaling=_NO_BOUNDARY)


def _options(plan: Plan, start: Tensor, family: Family) -> dict[str, Any]:
    width, height = plan.size
    taus = list(plan.table.timesteps)
    counted = plan.keeps_noise or family.spacing
    steps = {"num_inference_steps": len(taus)} if counted else {"timesteps": taus}
    negative = {"negative_prompt": NEGATIVE} if plan.guidance.type == "full" else {}
    return {
        "prompt": PROMPT,
        **negative,
        **steps,
        "width": width,
        "height": height,
        "guidance_scale": _scale(plan) - 1 + family.guidance_off,
        "latents": start,
        "generator": _generator(),
        "output_type": "latent",
        "true_cfg_scale": _scale(plan) if plan.guidance.type == "full" else 1.0,
        "use_resolution_binning": False,
        "intermediate_timesteps": 1.3 if len(taus) == 2 else None,
    }


def _scale(plan: Plan) -> float:
    """The guidance scale: of the rows, or the one that the network takes itself."""
    scales = plan.conditioning[0].get("guidance")
    if scales is not None:
        return float(scales[0])
    return plan.guidance.scale if plan.guidance.type == "full" else 1.0


def _option(dtype: torch.dtype) -> str:
    from smd_cli.backbone.loading.load import DTYPES

    return next(name for name, known in DTYPES.items() if known is dtype)
