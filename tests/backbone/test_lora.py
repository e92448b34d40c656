"""LoRAs, fused, against diffusers' own pipeline with the same ones beside its weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from engine.scenes import relative
from safetensors.torch import load_file, save_file

from smd_cli.backbone.quiet import quiet
from smd_cli.errors import UsageError

from . import theirs
from .test_families import PROMPT, render
from .tiny_loras import as_kohya, tiny_lora

NAMES = ("sd1", "sd2", "lcm", "sd-turbo", "sdxl", "sdxl-turbo")
MISFIT = "does not fit the model {}: its layers are those of another model"


class Loras(dict[str, Path]):
    """Two LoRAs for each family: `sd1`, `sd1-2`, …, and `kohya`, for sd1. Made when asked for."""

    def __init__(self, families: dict[str, Path], folder: Path) -> None:
        super().__init__()
        self.families, self.folder = families, folder

    def __missing__(self, name: str) -> Path:
        if name == "kohya":
            self[name] = as_kohya(self["sd1"], self.folder / "kohya.safetensors", alpha=1.0)
        else:
            family = name.removesuffix("-2")
            seed = NAMES.index(family) + 20 * (name != family)
            with quiet():
                self[name] = tiny_lora(family, self.families[family], self.folder / name, seed)
        return self[name]


@pytest.fixture(scope="session")
def loras(families: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return Loras(families, tmp_path_factory.mktemp("loras"))


def with_loras(pipe: Any, weights: dict[Path, float]) -> Any:
    """A pipeline with LoRAs beside its weights, unfused."""
    names = [f"l{n}" for n in range(len(weights))]
    with quiet():
        for name, file in zip(names, weights, strict=True):
            pipe.load_lora_weights(file.parent, weight_name=file.name, adapter_name=name)
        pipe.set_adapters(names, list(weights.values()))
    return pipe


# Of a kind of model whose weights lie as another's do, guided and not, once in a while.
CASES = [
    ("sd1", {"sd1": 1.0}, (1.7,)),
    ("sd2", {"sd2": 1.0}, (1.0,)),
    ("sdxl", {"sdxl": 1.0}, (1.0,)),
    ("sd1", {"sd1": 0.6, "sd1-2": -0.4}, (1.0,)),
    ("sd1", {"kohya": 0.8}, (1.0,)),
]
MORE = [
    *((name, {name: 1.0}, (1.7,)) for name in ("lcm", "sd-turbo")),
]


@pytest.mark.parametrize(
    ("name", "weights", "scales"),
    [*CASES, *(pytest.param(*case, marks=pytest.mark.slow) for case in MORE)],
)
def test_one_brush_is_diffusers_own_picture(
    name: str,
    weights: dict[str, float],
    scales: tuple[float, ...],
    families: dict[str, Path],
    loras: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    items = [f"{{path: {loras[lora]}, weight: {weight}}}" for lora, weight in weights.items()]
    model = f"{{name: {families[name]}, lora: [{', '.join(items)}]}}"
    plain = theirs.pipeline(name, families[name])
    files = {loras[lora]: weight for lora, weight in weights.items()}
    pipe = with_loras(theirs.pipeline.__wrapped__(name, families[name]), files)
    for scale in scales:
        sampler = f", guidance: {{type: {'full' if scale > 1 else 'none'}, scale: {scale}}}"
        ours, made, _ = render(model, tmp_path, sampler=sampler)
        without = theirs.latents(plain, ours, PROMPT, scale, monkeypatch)
        assert relative(made, theirs.latents(pipe, ours, PROMPT, scale, monkeypatch)) <= 1e-4
        assert relative(made, without) > 0.01


def test_a_single_lora_needs_no_list(
    families: dict[str, Path], loras: dict[str, Path], tmp_path: Path
) -> None:
    listed = f"{{name: {families['sd1']}, lora: [{{path: {loras['sd1']}, weight: 1}}]}}"
    for short in (str(loras["sd1"]), str(loras["sd1"].parent), f"{{path: {loras['sd1']}}}"):
        _, made, _ = render(f"{{name: {families['sd1']}, lora: {short}}}", tmp_path)
        assert torch.equal(made, render(listed, tmp_path)[1])


Weights = dict[str, torch.Tensor]


def _elsewhere(weights: Weights) -> None:
    """One layer goes by a name that the model does not have."""
    for side in ("lora_A", "lora_B"):
        key = next(key for key in weights if key.startswith("unet") and side in key)
        weights[key.replace("attentions.0", "attentions.7")] = weights.pop(key)


def _text_elsewhere(weights: Weights) -> None:
    for key in [key for key in weights if key.startswith("text_encoder")]:
        weights[key.replace("layers.1", "layers.9")] = weights.pop(key)


def _only_elsewhere(weights: Weights) -> None:
    """Nothing of it belongs to a part of the model."""
    for key in list(weights):
        weights[f"transformer.{key}"] = weights.pop(key)


def _dora(weights: Weights) -> None:
    weights["unet.down_blocks.0.dora_scale"] = torch.ones(1)


def _narrow_text(weights: Weights) -> None:
    for key in [k for k in weights if k.startswith("text_encoder") and "lora_A" in k]:
        weights[key] = weights[key][:, :16].contiguous()


SPOILT: dict[str, tuple[Callable[[Weights], None], str]] = {
    "a layer elsewhere": (_elsewhere, MISFIT),
    "a layer of the text encoder elsewhere": (_text_elsewhere, MISFIT),
    "nothing fits": (_only_elsewhere, MISFIT),
    "text encoder of another width": (_narrow_text, MISFIT),
    "DoRA": (_dora, "is a DoRA, which is not supported"),
}


@pytest.mark.parametrize(("spoil", "sentence"), SPOILT.values(), ids=SPOILT)
def test_a_lora_that_fits_in_part_is_refused(
    spoil: Callable[[Weights], None],
    sentence: str,
    families: dict[str, Path],
    loras: dict[str, Path],
    tmp_path: Path,
) -> None:
    weights = load_file(loras["sd1"])
    spoil(weights)
    file = tmp_path / "spoilt.safetensors"
    save_file(weights, file)
    with pytest.raises(UsageError) as refused:
        render(f"{{name: {families['sd1']}, lora: {file}}}", tmp_path)
    assert refused.value.message == f"the lora {file} " + sentence.format(families["sd1"])


@pytest.mark.parametrize(
    ("model", "lora"), [("sd1", "sd2"), ("sdxl", "sd1"), ("sd1", "sdxl"), ("sd2", "kohya")]
)
def test_a_lora_of_another_family_is_refused(
    model: str, lora: str, families: dict[str, Path], loras: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as refused:
        render(f"{{name: {families[model]}, lora: {loras[lora]}}}", tmp_path)
    assert refused.value.message == f"the lora {loras[lora]} " + MISFIT.format(families[model])
