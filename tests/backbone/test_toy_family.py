"""A new family is one record with its adapter: this file adds one, and everything knows it.

Its denoiser and its prompt encoder lie in folders that no other family has.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from conftest import TINY, Smd
from diffusers import AutoencoderKL, LCMScheduler, UNet2DConditionModel
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from PIL import Image
from torch import Tensor

from smd_cli.backbone.parts import Parts
from smd_cli.backbone.quiet import quiet
from smd_cli.backbone.unet import UNetBackbone
from smd_cli.engine.contract import Conditioning
from smd_cli.engine.planner import Planner
from smd_cli.engine.stream import picture, single
from smd_cli.models.cache import Download, needed
from smd_cli.models.families import Configs, Facts, Family, Part, register, registry, supported
from smd_cli.scene.paint.painted import paint_scene
from smd_cli.scene.parse import load_scene

CHANNELS, FACTOR, CELLS, WIDTH, LETTERS = 6, 4, 12, 16, 20
SIZE = (FACTOR * CELLS, FACTOR * CELLS)
SCENE = """\
model: {model}
seed: 7
background: a meadow
brushes:
  - {{prompt: a fox, strength: 0.8, mask: {{rect: [0, 0, 50%, 100%]}}}}
  - {{prompt: {second}, mask: {{ellipse: [40%, 20%, 50%, 50%]}}}}
"""


class LetterEncoder(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """A prompt encoder of its own kind: a state for each of a prompt's first letters."""

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(self, letters: int = LETTERS, width: int = WIDTH) -> None:
        super().__init__()
        self.letters = letters
        self.states = torch.nn.Embedding(256, width)

    def forward(self, prompts: Sequence[str]) -> Tensor:
        """The states (R, L, D) of R prompts."""
        codes = [list(prompt.encode()[: self.letters]) for prompt in prompts]
        padded = [code + [0] * (self.letters - len(code)) for code in codes]
        return cast(Tensor, self.states(torch.tensor(padded)))


class LetterBackbone(UNetBackbone):
    """The adapter: only how it reads prompts is its own."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        [self._encoder] = parts.text_encoders

    def encode_prompts(self, prompts: Sequence[str], length: int = 0) -> Conditioning:  # noqa: ARG002
        return Conditioning({"tokens": self._encoder(prompts).float()})


def facts(configs: Configs) -> Facts:
    """What the configs of a toy tell."""
    painter = configs["painter"]
    return Facts(
        kind="a toy",
        cells=(painter["sample_size"], painter["sample_size"]),
        factor=2 ** (len(configs["vae"]["block_out_channels"]) - 1),
        channels=painter["in_channels"],
        text_width=painter["cross_attention_dim"],
    )


TOY = Family(
    name="Toy",
    covers="wooden toys",
    denoiser=Part("painter", ("diffusers:UNet2DConditionModel",)),
    autoencoder=Part("vae", ("diffusers:AutoencoderKL",)),
    encoders=(Part("reader", (f"{__name__}:LetterEncoder",)),),
    tokenizers=(),
    adapter=f"{__name__}:LetterBackbone",
    facts=facts,
    no_lora="it is a toy",
)


def modules() -> dict[str, Any]:
    """The parts of a random toy model; the global generator is left as it was."""
    with torch.random.fork_rng(), quiet():
        torch.manual_seed(3)
        return {
            "painter": UNet2DConditionModel(
                sample_size=CELLS,
                in_channels=CHANNELS,
                out_channels=CHANNELS,
                block_out_channels=(16, 32),
                layers_per_block=1,
                norm_num_groups=8,
                down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
                up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
                cross_attention_dim=WIDTH,
                attention_head_dim=4,
            ).eval(),
            "vae": AutoencoderKL(
                latent_channels=CHANNELS,
                block_out_channels=(8, 8, 8),
                down_block_types=("DownEncoderBlock2D",) * 3,
                up_block_types=("UpDecoderBlock2D",) * 3,
                norm_num_groups=8,
                layers_per_block=1,
            ).eval(),
            "reader": LetterEncoder().eval(),
        }


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a toy model."""
    folder = tmp_path_factory.mktemp("toys") / "toy"
    parts = modules()
    for name, module in parts.items():
        module.save_pretrained(folder / name)
    LCMScheduler().save_pretrained(folder / "scheduler")
    index = {
        name: [type(m).__module__.partition(".")[0], type(m).__name__] for name, m in parts.items()
    }
    index["scheduler"] = ["diffusers", "LCMScheduler"]
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "ToyPipeline", **index}))
    return folder


@pytest.fixture
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The family is known for one test."""
    monkeypatch.setattr(registry, "_known", dict(registry._known))
    register(TOY)


@pytest.fixture
def scene(toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A scene that is painted with the toy, in the folder that commands run in."""
    monkeypatch.chdir(tmp_path)
    file = Path("s.yaml")
    file.write_text(SCENE.format(model=toy, second="an owl"))
    return file


def pixels(file: str) -> Any:
    with Image.open(file) as found:
        return np.asarray(found.convert("RGB"))


def test_without_its_record_it_is_refused(scene: Path, smd: Smd) -> None:
    done = smd(["render", str(scene), "-o", "s.png"])
    assert done.code == 2
    assert "is a ToyPipeline, which is not supported: smd runs Stable" in done.err
    assert "wooden toys" not in done.err


@pytest.mark.usefixtures("_registered")
def test_a_scene_through_the_command(scene: Path, toy: Path, smd: Smd) -> None:
    """The picture is that of the very modules that were saved, put together by hand."""
    done = smd(["render", str(scene), "-o", "s.png"])
    assert (done.code, done.out) == (0, "s.png\n"), done.err
    parts = modules()
    backbone = LetterBackbone(
        Parts(
            denoiser=parts["painter"],
            tokenizers=(),
            text_encoders=(parts["reader"],),
            vae=parts["vae"],
            factor=FACTOR,
            window_px=max(SIZE),
            native_px=max(SIZE),
            scheduler=dict(LCMScheduler().config),
            consistency=True,
            zero_empty=True,
            clip_skip=0,
            device=torch.device("cpu"),
        )
    )
    file = load_scene(str(scene))
    painted = paint_scene(file)
    with torch.inference_mode():
        plan = Planner(backbone).plan(file.scene, painted.brushes, painted.size, painted.picture)
        wanted = picture(next(single(lambda _: plan, backbone, 1)), backbone)
    assert plan.start_noise(0).shape == (CHANNELS, CELLS, CELLS)
    assert pixels("s.png").shape == (*SIZE, 3)
    assert np.array_equal(pixels("s.png"), wanted)
    scene.write_text(SCENE.format(model=toy, second="a pond"))
    assert smd(["render", str(scene), "-o", "other.png"]).code == 0
    assert not np.array_equal(pixels("other.png"), wanted)


@pytest.mark.usefixtures("_registered")
def test_check_knows_it(scene: Path, toy: Path, smd: Smd) -> None:
    done = smd(["check", str(scene), "--json"])
    assert done.code == 0, done.err
    told = json.loads(done.out)
    told = told[0] if isinstance(told, list) else told
    assert (told["size"], told["noise_as_for"], told["model"]) == ([*SIZE], None, str(toy))


@pytest.mark.usefixtures("_registered")
def test_check_tells_what_does_not_fit(scene: Path, toy: Path, smd: Smd) -> None:
    shutil.copytree(TINY / "vae", "vae")
    model = f"{{name: {toy}, vae: vae, lora: lora.safetensors}}"
    Path("lora.safetensors").write_bytes(b"")
    scene.write_text(SCENE.format(model=model, second="an owl"))
    done = smd(["check", str(scene)])
    assert done.code == 2
    assert f"its network takes {CHANNELS} channels, its autoencoder gives 4" in done.err
    assert f"the model {toy} takes no lora: it is a toy" in done.err


@pytest.mark.usefixtures("_registered")
def test_its_card(toy: Path, smd: Smd) -> None:
    done = smd(["models", str(toy), "--json"])
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert (told["family"], told["canvas"], told["factor"]) == ("a toy", [*SIZE], FACTOR)
    assert "a toy" in smd(["models", str(toy)]).out


@pytest.mark.usefixtures("_registered")
def test_what_is_downloaded_of_it(toy: Path) -> None:
    weights = "diffusion_pytorch_model.safetensors"
    parts = ("painter", "vae", "reader")
    files = {f"{part}/{file}" for part in parts for file in ("config.json", weights)}
    known = {"model_index.json", "scheduler/scheduler_config.json", *files}
    assert set(needed(toy, Download("some/toy"))) == known


@pytest.mark.slow
@pytest.mark.usefixtures("_registered")
def test_doctor_says_that_it_has_no_oracle(toy: Path, smd: Smd) -> None:
    done = smd(["doctor", "--model", str(toy)])
    assert done.code == 1
    assert "cannot be compared: diffusers has no pipeline of its kind" in done.out


@pytest.mark.usefixtures("_registered")
def test_a_name_belongs_to_one_family() -> None:
    assert supported().count("; wooden toys")
    with pytest.raises(ValueError, match="a family Toy already"):
        register(TOY)


@pytest.mark.usefixtures("_registered")
def test_a_single_file_of_it(toy: Path, scene: Path, smd: Smd) -> None:
    """It has no layout for one: that is said, whatever the file holds."""
    shutil.copy(toy / "painter" / "diffusion_pytorch_model.safetensors", "toy.safetensors")
    model = f"{{name: toy.safetensors, config: {toy}}}"
    scene.write_text(SCENE.format(model=model, second="an owl"))
    done = smd(["check", str(scene)])
    assert done.code == 2
    assert "toy.safetensors cannot be read with the configs of Toy: such models are" in done.err


def test_what_reads_loras_must_be_named() -> None:
    with pytest.raises(ValueError, match="names no pipeline to read LoRAs"):
        register(replace(TOY, name="Other", no_lora=""))
