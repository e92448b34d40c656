"""What a decoder learns last: to tell pictures from what the denoiser finds."""

from types import SimpleNamespace
from typing import Any, cast

import torch

from smd_cli.backbone.families.codec import PatchAutoencoder
from smd_cli.starter.finish import BATCH, CLEAN, SIZE_PX, TIMESTEPS, Estimates
from smd_cli.starter.painter import Painter
from smd_cli.starter.targets import Settings, Teacher
from smd_cli.starter.train import CPU, Training
from smd_cli.starter.train_codec import teach_decoder


def estimates_of(painter: Painter, codec: PatchAutoencoder, fault: float) -> Estimates:
    """Those of a denoiser whose estimates are all `fault`."""
    teacher = Teacher(painter, codec, Settings(), CPU)

    def guess(noised: torch.Tensor, timesteps: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        assert TIMESTEPS[0] <= timesteps.min() <= timesteps.max() < TIMESTEPS[1]
        alpha, sigma = teacher.levels(timesteps)
        return (alpha * noised - fault) / sigma

    stand_in: Any = SimpleNamespace(student=SimpleNamespace(guess=guess), teacher=teacher)
    return Estimates(cast(Training, stand_in))


def test_latents_are_the_estimates_where_the_prompt_speaks_and_the_pictures_elsewhere(
    painter: Painter, codec: PatchAutoencoder
) -> None:
    estimates = estimates_of(painter, codec, fault=9.0)
    wanted, latents = estimates.draw(3)
    assert wanted.shape == (BATCH, 3, SIZE_PX, SIZE_PX)
    own = codec.encode(wanted).latents
    examples = estimates.teacher.targets[SIZE_PX, BATCH, 3].examples
    clean = 0
    for example, theirs, shown in zip(examples, own, latents, strict=True):
        told = torch.from_numpy(example.weight == 1)
        assert torch.equal(shown[:, ~told], theirs[:, ~told])
        if torch.equal(shown, theirs):
            clean += 1
        else:
            assert torch.allclose(shown[:, told], torch.tensor(9.0), atol=1e-2)
    assert 0 < clean < 3 * CLEAN * BATCH
    again, same = estimates.draw(3)
    assert torch.equal(again, wanted)
    assert torch.equal(same, latents)


def test_the_encoder_stays_while_the_decoder_learns(
    painter: Painter, codec: PatchAutoencoder
) -> None:
    young: PatchAutoencoder = PatchAutoencoder(width=16, blocks=1)
    young.load_state_dict(codec.state_dict())
    young.requires_grad_(False)
    before = [w.clone() for w in young.analysis.parameters()]
    tail = young.tail.weight.clone()
    teach_decoder(young, estimates_of(painter, codec, fault=0.0).draw, steps=2)
    assert all(torch.equal(a, b) for a, b in zip(before, young.analysis.parameters(), strict=True))
    assert not torch.equal(tail, young.tail.weight)
