"""Trains the starter model: `python -m smd_cli.starter.train --out DIR`.

The codec comes first, then the text encoder, which is taught its words: to tell them apart, and
what they look like. Then the denoiser learns the few slots of the sampler, on larger and larger
canvases, from nothing or, with --start, from what an older training made. A training is a folder:
it is saved every few minutes and goes on from there with --resume. Its budget is minutes of work:
while the process is stopped, the clock stands still.
Networks run in bfloat16 where the machine computes in it. On a CUDA GPU batches are larger, and
pictures are painted by worker processes.
`smd_cli.starter.finish` then fits the decoder to it.
"""

import argparse
import logging
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.models.attention_processor import AttnProcessor
from diffusers.training_utils import EMAModel
from torch import Tensor, nn
from transformers import CLIPTextModel

from smd_cli.backbone.families.denoiser import PlacedUNet
from smd_cli.starter.attention_supervision import Placing, attending, attention_loss
from smd_cli.starter.export import export
from smd_cli.starter.painter import Painter, find_font, load_glyphs
from smd_cli.starter.targets import MOST_OF_CLEAN, Batch, Settings, Stage, Teacher
from smd_cli.starter.text import WIDTH, autocast, build_text_encoder, build_tokenizer, teach_words
from smd_cli.starter.text_supervision import TextTargets
from smd_cli.starter.texture import texture_loss
from smd_cli.starter.train_codec import load_or_train_codec

log = logging.getLogger("smd_cli.starter")

CPU = torch.device("cpu")

MOST_KNOWN = 16_000
"""So many prompts' states are remembered, 90 kB each."""

LONGEST_STEP_S = 20.0
"""A step that seems to take longer was interrupted: the budget is charged this much."""

POINTING = 0.35
"""The share of the loss that shows the attention where its words are (nats)."""

PLACING = 0.3
"""The share of the loss that shows the levels below where in its object a cell lies."""

TEXTURE = 0.2
"""The share of the loss that asks materials for as much detail of each kind as is true."""

SMALL_PX = (128, 160, 128, 192, 160, 256)
WHOLE_PX = (256, 160, 256, 192, 256, 128)
"""Sides of canvases: places are told, so that small ones teach most of what whole ones need."""

STAGES = (
    Stage(0.55, SMALL_PX, 10),
    Stage(1.0, (*WHOLE_PX, 384, *WHOLE_PX, 512), 10),
)


def build_unet() -> Any:
    """The denoiser: three levels, about 7.5 M parameters.

    The lower two have attention to the cells and to the prompt; the highest, on its way up, to the
    prompt alone: there every cell can look up what belongs in it.
    """
    return PlacedUNet(
        sample_size=32,
        in_channels=16,
        out_channels=16,
        block_out_channels=(64, 128, 128),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        only_cross_attention=(True, False, False),
        norm_num_groups=16,
        cross_attention_dim=WIDTH,
        attention_head_dim=4,
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
        resnet_time_scale_shift="scale_shift",
    )


@dataclass
class Student:
    """What is trained, with the averages that are kept of it."""

    device: torch.device = CPU
    unet: Any = field(default_factory=build_unet)
    text_encoder: Any = field(default_factory=lambda: build_text_encoder(build_tokenizer()))

    def __post_init__(self) -> None:
        self.known: dict[bytes, Tensor] = {}
        self.placing = Placing(self.unet.config.block_out_channels[-1])
        self.missed = self.misplaced = self.lacking = torch.zeros(())
        if self.device.type == "cpu":  # where the fused attention's way back is slow in bfloat16
            self.unet.set_attn_processor(AttnProcessor())
        self.module = nn.ModuleList([self.unet, self.text_encoder, self.placing]).to(self.device)
        self.restart_average()

    def restart_average(self) -> None:
        """Forget the averaged weights and start from the present ones."""
        self.ema: Any = EMAModel(
            self.module.parameters(), decay=0.998, use_ema_warmup=True, power=0.75, foreach=True
        )

    def loss(self, batch: Batch) -> Tensor:
        """Weighted mean square error of the velocity; shares for where the words are sought, and
        for where in their objects cells are thought to be.
        """
        unet, side = self.unet, batch.noised.shape[-1]
        with autocast(self.device), attending(unet) as kept, self.placing.listening(unet) as levels:
            found = unet(batch.noised, batch.timesteps, self.states(batch.tokens)).sample.float()
        self.lacking = texture_loss(found, batch)
        capped = (MOST_OF_CLEAN * batch.sigmas.square()).clamp_max(1)[:, None, None, None]
        error = (found - batch.velocity).square() * batch.weight * capped
        self.missed = attention_loss(kept, batch.boxes, side)
        self.misplaced = self.placing.loss(levels, batch.boxes, side)
        shares = POINTING * self.missed + PLACING * self.misplaced + TEXTURE * self.lacking
        loss: Tensor = error.mean() / batch.weight.mean() + shares
        return loss

    @torch.no_grad()
    def guess(self, noised: Tensor, timesteps: Tensor, tokens: Tensor) -> Tensor:
        """The velocities that the present weights find."""
        with autocast(self.device):
            found: Tensor = self.unet(noised, timesteps, self.states(tokens)).sample
        return found.float()

    @torch.no_grad()
    def states(self, tokens: Tensor) -> Tensor:
        """What the text encoder, which has learnt already, says of token ids (N, L); remembered."""
        keys = [row.tobytes() for row in tokens.cpu().numpy()]
        new = [n for n, key in enumerate(keys) if key not in self.known]
        if new:
            fresh = self.text_encoder(tokens[new]).last_hidden_state
            self.known |= {keys[n]: states for n, states in zip(new, fresh, strict=True)}
        found = torch.stack([self.known[key] for key in keys])
        if len(self.known) > MOST_KNOWN:
            self.known.clear()
        return found

    def load(self, folder: Path) -> None:
        """Become the model in a folder, and average anew."""
        unet = PlacedUNet.from_pretrained(folder / "unet", torch_dtype=torch.float32)
        text_encoder = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32)
        self.unet.load_state_dict(unet.state_dict())
        self.text_encoder.load_state_dict(text_encoder.state_dict())
        self.restart_average()


class Training:
    """One run in one folder."""

    stages: tuple[Stage, ...] = STAGES

    def __init__(
        self,
        out: Path,
        settings: Settings,
        painter: Painter,
        device: torch.device = CPU,
        older: Path | None = None,
    ) -> None:
        """`older` is the folder of a training whose codec is taken over."""
        out.mkdir(parents=True, exist_ok=True)
        self.out, self.settings, self.older = out, settings, older
        if older and not (out / "codec").exists():
            shutil.copytree(older / "codec", out / "codec")
        codec = load_or_train_codec(painter, out / "codec", settings.seed, settings.codec_steps)
        self.codec = codec.to(device)
        self.teacher = Teacher(painter, self.codec, settings, device)
        torch.manual_seed(settings.seed)
        self.student = Student(device)
        self.weights = list(self.student.module.parameters())
        self.learning = [*self.student.unet.parameters(), *self.student.placing.parameters()]
        self.optimizer = torch.optim.AdamW(
            self.learning, betas=(0.9, 0.98), weight_decay=0.01, fused=True
        )
        self.step, self.pictures, self.spent_s = 0, 0, 0.0

    @property
    def progress(self) -> float:
        """The share of the budget that is spent, 0..1."""
        return self.spent_s / (60 * self.settings.minutes)

    def rate(self) -> float:
        """Learning rate: a short warm-up, then a straight line down to nothing."""
        warm = min(1.0, (self.step + 1) / self.settings.warmup_steps)
        return self.settings.rate * warm * max(0.0, 1 - self.progress)

    def begin(self) -> None:
        """Become the older training's model; without one, teach the text encoder its words."""
        student, settings = self.student, self.settings
        if self.older:
            student.load(self.older / "weights")
            return
        look = TextTargets(self.teacher.targets.painter, self.codec).of
        losses = teach_words(
            student.text_encoder, self.teacher.tokenizer, look, settings.seed, settings.word_steps
        )
        log.info("words told apart: loss %.3f; looks: %.4f", *losses)
        student.restart_average()

    def plan(self) -> Iterator[tuple[int, int, int]]:
        """What to show from now on, until the budget is spent: size, number and step."""
        step = self.step
        while (progress := self.progress) < 1:
            stage = next(s for s in self.stages if progress < s.until)
            yield *stage.at(step, self.settings.factor), step
            step += 1

    def run(self) -> None:
        """Train until the budget is spent, saving on the way, then export."""
        saved, losses = self.progress, []
        clock = time.monotonic()
        for batch in self.teacher.batches(self.plan(), lambda: self.student.guess):
            losses.append(self._advance(batch))
            now = time.monotonic()
            self.spent_s += min(now - clock, LONGEST_STEP_S)
            clock = now
            if self.step % 50 == 0:
                log.info(
                    "step %d, %.1f%%, pictures %d, rate %.1e, loss %.3f, missed %.2f, %.2f, %.2f",
                    *(self.step, 100 * self.progress, self.pictures, self.rate(), np.mean(losses)),
                    *(t.item() for t in (self.student.missed, self.student.misplaced)),
                    self.student.lacking.item(),
                )
                losses = []
            if (self.progress - saved) * self.settings.minutes > self.settings.save_minutes:
                self.save()
                saved = self.progress
        self.save()
        self.export()

    def _advance(self, batch: Batch) -> float:
        """One optimizer step; its loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        loss = self.student.loss(batch)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.learning, 1.0)
        self.optimizer.step()
        self.student.ema.step(self.weights)
        self.step, self.pictures = self.step + 1, self.pictures + len(batch.noised)
        return loss.item()

    def save(self) -> None:
        """Write the state to `state.pt`, whole or not at all."""
        state = {
            "module": self.student.module.state_dict(),
            "ema": self.student.ema.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "counts": (self.step, self.pictures, self.spent_s),
        }
        torch.save(state, self.out / "state.tmp")
        (self.out / "state.tmp").replace(self.out / "state.pt")
        log.info("saved at step %d", self.step)

    def resume(self) -> None:
        """Go on from `state.pt`."""
        device = self.student.device
        state = torch.load(self.out / "state.pt", weights_only=True, map_location=device)
        self.student.module.load_state_dict(state["module"])
        self.student.ema.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.pictures, self.spent_s = state["counts"]
        log.info("resumed at step %d", self.step)

    def export(self) -> None:
        """Write the averaged model as a diffusers folder, `weights/` in the run's folder."""
        self.student.ema.store(self.weights)
        self.student.ema.copy_to(self.weights)
        unet, text_encoder = self.student.unet, self.student.text_encoder
        tokenizer = self.teacher.tokenizer
        export(self.out / "weights", unet, text_encoder, tokenizer, self.codec)
        self.student.ema.restore(self.weights)


def arguments_of_run(prog: str, about: str | None) -> argparse.ArgumentParser:
    """The options of everything that teaches networks in a folder of its own."""
    parser = argparse.ArgumentParser(prog=prog, description=about)
    parser.add_argument("--out", type=Path, required=True, help="the run's folder")
    parser.add_argument("--font", type=Path, help="NotoColorEmoji.ttf, if in no usual place")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--workers", type=int, help="painting processes; by default only on a GPU")
    return parser


def set_up(options: argparse.Namespace) -> tuple[Settings, Painter, torch.device]:
    """Start logging and threads; a run's numbers, painter and device as its options have them."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(options.threads)
    painter = Painter(load_glyphs(find_font(options.font)))
    return _settings(options), painter, torch.device(options.device)


def _settings(options: argparse.Namespace) -> Settings:
    """The numbers of a run as its options and its device have them."""
    on_gpu = options.device.startswith("cuda")
    workers = options.workers if options.workers is not None else 14 * on_gpu
    rate = 2.4e-3 if on_gpu else Settings.rate
    return Settings(
        seed=options.seed,
        rate=rate,
        factor=8 if on_gpu else 1,
        workers=workers,
    )


def main(arguments: list[str] | None = None) -> None:
    """Train, or export what has been trained."""
    parser = arguments_of_run("smd_cli.starter.train", __doc__)
    parser.add_argument("--minutes", type=float, default=Settings.minutes, help="of work")
    parser.add_argument("--start", type=Path, help="an older training's folder to go on from")
    parser.add_argument("--resume", action="store_true", help="go on from the last save")
    parser.add_argument("--export", action="store_true", help="export the last save and stop")
    options = parser.parse_args(arguments)
    settings, painter, device = set_up(options)
    settings.minutes = options.minutes
    training = Training(options.out, settings, painter, device, options.start)
    if options.resume or options.export:
        training.resume()
    else:
        training.begin()
    if options.export:
        training.export()
    else:
        training.run()


if __name__ == "__main__":
    main()
