"""From a scene to tensors."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from dense import boxed, weighed

from smd_cli.engine import plan as plans
from smd_cli.engine.contract import Conditioning
from smd_cli.engine.planner import Planner
from smd_cli.engine.stream import single
from smd_cli.scene.paint.painted import Painted
from smd_cli.scene.paint.photo import Photo
from smd_cli.scene.types import Background, Bootstrap, Brush, Guidance

from .fake import FakeBackbone
from .scenes import SMALL, Array, box, brush, plan, scene, world

LEFT, RIGHT = box(0, 0, 16, 24), box(12, 4, 32, 20)
EMPTY, WHOLE = box(0, 0, 0, 0), box(0, 0, 32, 24)
PICTURE = np.random.default_rng(1).integers(0, 256, (24, 32, 3), dtype=np.uint8)
FIRST, SECOND = ((0, 0),), ((1, 0),)
IN_A_PICTURE = Background("a wall", "a window", image=Path("wall.png"))


@pytest.fixture
def fake() -> FakeBackbone:
    return FakeBackbone()


# What lies below


def latent(fake: FakeBackbone, pixels: Any) -> torch.Tensor:
    """The fake's latents (C, h, w) of a picture (H, W, 3) of 0..255."""
    image = torch.from_numpy(np.asarray(pixels, dtype=np.float32)).permute(2, 0, 1)
    return fake.encode_image(image[None] / 255 * 2 - 1)[0]


def flat(*color: int, size: tuple[int, int] = SMALL) -> Array:
    return np.full((size[1], size[0], 3), color, dtype=np.float32)


def test_background_is_white_colour_or_picture(fake: FakeBackbone) -> None:
    white = plan(fake, scene(background="a hill")).background
    assert torch.allclose(white, latent(fake, flat(255, 255, 255)))
    blue = plan(fake, scene(background=Background(color=(10, 20, 200)))).background
    assert torch.allclose(blue, latent(fake, flat(10, 20, 200)), atol=1e-6)
    picture = plan(fake, scene(background=IN_A_PICTURE), picture=PICTURE).background
    assert torch.allclose(picture, latent(fake, PICTURE), atol=1e-6)


@pytest.mark.parametrize(
    ("mix", "shares"),
    [(1.0, [1, 0, 0]), (0.0, [0, 0, 0]), (1.5, [1, 0.5, 0]), (2.25, [1, 1, 0.25]), (9, [1] * 3)],
)
@pytest.mark.parametrize("color", [(255, 255, 255), (30, 90, 250)])
def test_bootstrap_mixes_white_into_the_background(
    color: tuple[int, int, int], mix: float, shares: list[float], fake: FakeBackbone
) -> None:
    made = plan(fake, scene(background=Background(color=color), bootstrap=Bootstrap(3, mix)))
    white, below = latent(fake, flat(255, 255, 255)), latent(fake, flat(*color))
    wanted = torch.stack([r * white + (1 - r) * below for r in shares])
    assert torch.allclose(made.boot_backgrounds, wanted, atol=1e-6)


@pytest.mark.parametrize(("steps", "slots"), [(0, 0), (1, 1), (3, 3), (9, 3)])
def test_bootstrap_slots_are_at_most_all(steps: int, slots: int, fake: FakeBackbone) -> None:
    made = plan(fake, scene(brush(1), steps=3, bootstrap=Bootstrap(steps)), [LEFT])
    assert made.bootstrap_slots == slots


def test_brushes_are_centred_by_their_weight(fake: FakeBackbone) -> None:
    one = box(2, 4, 8, 20)  # latent columns 1..3, rows 2..9 of 16 x 12: centre 2 and 6
    wanted = scene(brush(1), background="a hill", bootstrap=Bootstrap(1))
    (below,), (window,) = plan(fake, wanted, [one]).windows[0]
    assert below.corner == (0, 0)
    assert window.corner == (0, -6)
    assert window.shape == (12, 16)


# Sizes


@pytest.mark.parametrize(
    ("size", "grid"),
    [((32, 24), (12, 16)), ((30, 21), (12, 16)), ((29, 24), (12, 16)), ((5, 3), (2, 4))],
)
def test_any_size_is_padded_to_the_models_multiple(
    size: tuple[int, int], grid: tuple[int, int], fake: FakeBackbone
) -> None:
    wanted = scene(brush(1, blur_px=2.0, seed=3), background="a hill", bootstrap=Bootstrap(1))
    made = plan(fake, wanted, [box(0, 0, size[0], 2, size)], size)
    assert made.size == size
    assert weighed(made.weights).shape == (2, 5, 1, *grid)
    assert made.slot_noise.shape == (5, 3, *grid)
    assert (
        made.start_noise(0).shape
        == made.background.shape
        == made.boot_backgrounds[0].shape
        == (3, *grid)
    )


def test_the_picture_is_padded_with_its_edge(fake: FakeBackbone) -> None:
    made = plan(fake, scene(background=IN_A_PICTURE), size=(30, 23), picture=PICTURE[:23, :30])
    padded = PICTURE.copy()
    padded[23], padded[:, 30:] = padded[22], padded[:, 29:30]
    assert torch.allclose(made.background, latent(fake, padded), atol=1e-6)


def test_padding_leaves_the_weights_inside(fake: FakeBackbone) -> None:
    soft = brush(1, blur_px=2.0)
    whole = plan(fake, scene(soft), [box(4, 4, 32, 12)]).weights
    cut = plan(fake, scene(soft), [box(4, 4, 30, 12, (30, 22))], (30, 22)).weights
    ours, wanted = (weighed(weights)[..., :11, :15] for weights in (cut, whole))
    assert torch.allclose(ours, wanted, atol=1e-6)


# Prompts


def tokens(fake: FakeBackbone, text: str) -> torch.Tensor:
    return fake.encode_prompts([text])["tokens"][0]


def equal(rows: Sequence[Conditioning], others: Sequence[Conditioning]) -> bool:
    """Whether all tensors of two sets of rows are the same to the bit."""
    ours, theirs = Conditioning.stack(rows), Conditioning.stack(others)
    return ours.key == theirs.key and all(torch.equal(ours[n], theirs[n]) for n in ours.tensors)


def mixed(fake: FakeBackbone, below: str, text: str, strength: float) -> torch.Tensor:
    return (1 - strength) * tokens(fake, below) + strength * tokens(fake, text)


def two_brushes() -> tuple[Brush, Brush]:
    return (
        brush(1, "fox", negative="dog", strength=0.75, seed=4),
        brush(2, "owl", negative="hen", strength=1.0),
    )


@pytest.mark.parametrize("kind", ["none", "self", "full", "initialize"])
@pytest.mark.parametrize("below", [Background("hill", "town"), IN_A_PICTURE, Background()])
def test_prompt_strength(below: Background, kind: Any, fake: FakeBackbone) -> None:
    """Rows are mixed with the background's prompt where there is one; negatives likewise."""
    wanted = scene(*two_brushes(), background=below, guidance=Guidance(kind))
    made = plan(fake, wanted, [LEFT, RIGHT], picture=PICTURE if below.image else None)
    prompt, negative = below.prompt, below.negative
    if prompt is None:
        rows = [tokens(fake, "fox"), tokens(fake, "owl")]
        others = [tokens(fake, "dog"), tokens(fake, "hen")]
    else:
        rows = [mixed(fake, prompt, "fox", 0.75), mixed(fake, prompt, "owl", 1)]
        others = [mixed(fake, negative, "dog", 0.75), mixed(fake, negative, "hen", 1)]
    if prompt and not below.image:
        rows, others = [tokens(fake, prompt), *rows], [tokens(fake, negative), *others]
    told = Conditioning.stack(made.conditioning)
    assert torch.allclose(told["tokens"], torch.stack(rows))
    assert torch.allclose(told["pooled"], torch.stack(rows).sum(dim=1))
    assert (made.negative is None) == (kind in ("none", "self"))
    if made.negative is not None:
        against = Conditioning.stack(made.negative)
        assert torch.allclose(against["tokens"], torch.stack(others))
        assert torch.allclose(against["pooled"], torch.stack(others).sum(dim=1))
    assert len(made.weights) == len(rows)


def test_muted_brushes_are_not_there(fake: FakeBackbone) -> None:
    first, second = two_brushes()
    muted = plan(fake, scene(replace(first, enabled=False), second, background="hill"), [RIGHT])
    alone = plan(fake, scene(second, background="hill"), [RIGHT])
    assert torch.equal(weighed(muted.weights), weighed(alone.weights))
    assert torch.equal(muted.slot_noise, alone.slot_noise)
    assert equal(muted.conditioning, alone.conditioning)


# Weights


@pytest.mark.parametrize("blur_px", [0.0, 3.0])
def test_a_prompted_background_fills_what_brushes_leave(blur_px: float, fake: FakeBackbone) -> None:
    soft = RIGHT * np.linspace(0, 1, 32, dtype=np.float32)
    brushes = (brush(1, blur_px=blur_px, alpha=0.97), brush(2, blur_px=blur_px))
    made = plan(fake, scene(*brushes, background="a hill"), [LEFT, soft])
    weights = weighed(made.weights)
    assert weights.sum(dim=0).min() >= 1 - 1e-6
    assert torch.equal(weights[0], (1 - weights[1:].sum(dim=0)).clamp(0, 1))


def test_only_a_prompted_background_is_generated(fake: FakeBackbone) -> None:
    for below in (Background(), Background(color=(1, 2, 3))):
        assert len(plan(fake, scene(brush(1), background=below), [LEFT]).weights) == 1
    made = plan(fake, scene(brush(1), background=IN_A_PICTURE), [LEFT], picture=PICTURE)
    assert len(made.weights) == 1


def test_alpha_skips_slots(fake: FakeBackbone) -> None:
    late = brush(1, alpha=0.98)
    made = plan(fake, scene(late, background="a hill", mask_type="discrete"), [LEFT])
    assert list(made.acting) == [(0,), (0,), (0, 1), (0, 1), (0, 1)]


@pytest.mark.parametrize(
    ("paint", "acting"), [(EMPTY, (0,)), (WHOLE, (1,)), (LEFT, (0, 1))], ids=["no", "all", "half"]
)
def test_who_acts(paint: Array, acting: tuple[int, ...], fake: FakeBackbone) -> None:
    made = plan(fake, scene(brush(1), background="a hill"), [paint])
    assert set(made.acting) == {acting}


@pytest.mark.parametrize("below", ["a hill", None, IN_A_PICTURE])
@pytest.mark.parametrize("kind", ["none", "full", "self", "initialize"])
@pytest.mark.parametrize("preaverage", [True, False])
def test_no_brushes_at_all(preaverage: bool, kind: Any, below: Any, fake: FakeBackbone) -> None:
    wanted = scene(
        background=below, guidance=Guidance(kind), bootstrap=Bootstrap(2), preaverage=preaverage
    )
    picture = PICTURE if below is IN_A_PICTURE else None
    assert len(plan(fake, wanted, picture=picture).weights) == (1 if below == "a hill" else 0)


def test_of_a_large_canvas_one_step_is_held(
    fake: FakeBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = scene(brush(1), background="a hill")
    usual = plan(fake, wanted, [LEFT])
    assert usual.step(FIRST) is usual.step(FIRST)
    held = usual.step(FIRST)
    usual.step(SECOND)
    assert usual.step(FIRST) is held
    monkeypatch.setattr(plans, "MOST_KEPT_CELLS", 0)
    large = plan(fake, wanted, [LEFT])
    gone = weakref.ref(large.step(FIRST))
    assert large.step(FIRST) is gone()
    large.step(SECOND)
    gc.collect()
    assert gone() is None
    one, other = (next(single({0: made}.__getitem__, fake, 1)) for made in (usual, large))
    assert torch.equal(one.latents, other.latents)


# Noise


def noises(made: Any) -> torch.Tensor:
    starts = torch.stack([made.start_noise(frame) for frame in range(3)])
    return torch.cat([made.slot_noise, starts, made.brush_noise.flatten(0, 1)])


@pytest.mark.parametrize("kind", ["independent", "fixed", "walk"])
def test_a_brushs_seed_rerolls_its_paint_alone(kind: Any, fake: FakeBackbone) -> None:
    faint = RIGHT * np.linspace(0, 1, 32, dtype=np.float32)
    inside = torch.from_numpy(faint[::2, ::2] >= 0.5)
    assert 0 < inside.sum() < torch.from_numpy(faint[::2, ::2] > 0).sum()

    def drawn(seed: int | None) -> torch.Tensor:
        brushes = (brush(1), brush(2, seed=seed, blur_px=4.0, alpha=0.96))
        wanted = scene(*brushes, background="hill", noise=kind, preaverage=False, frames=3)
        return noises(plan(fake, wanted, [LEFT, faint]))

    none, first, second = drawn(None), drawn(1), drawn(2)
    for one, other in [(none, first), (none, second), (first, second)]:
        assert torch.equal(one[..., ~inside], other[..., ~inside])
        assert not (one[..., inside] == other[..., inside]).any()


def test_noise_has_unit_variance_with_seeded_brushes(fake: FakeBackbone) -> None:
    size = (128, 128)
    brushes = (brush(1, seed=1), brush(2, seed=2))
    paint = [box(8, 8, 80, 90, size), box(40, 30, 120, 128, size)]
    made = plan(fake, scene(*brushes, noise="walk", frames=5, preaverage=False), paint, size)
    assert (noises(made).flatten(1).var(dim=1) - 1).abs().max() < 0.07  # 12288 elements each


# Plans are made anew, parts are kept


def test_what_did_not_change_is_not_encoded_again() -> None:
    fake, fresh = FakeBackbone(), FakeBackbone()
    planner = Planner(fake)
    painted = [Painted(b, boxed(m), ()) for b, m in zip(two_brushes(), (LEFT, RIGHT), strict=True)]
    wanted = scene(*two_brushes(), background="hill", guidance=Guidance("full"))
    planner.plan(wanted, painted, SMALL)
    assert sorted(fake.encoded) == ["", "dog", "fox", "hen", "hill", "owl"]
    assert fake.pictures == 1  # white
    fake.encoded.clear()
    again = replace(wanted, background=Background("lake", color=(9, 9, 9)))
    made = planner.plan(again, painted, SMALL)
    assert fake.encoded == ["lake"]
    assert fake.pictures == 2
    anew = Planner(fresh).plan(again, painted, SMALL)
    assert equal(made.conditioning, anew.conditioning)
    assert torch.equal(made.background, anew.background)
    assert torch.equal(made.boot_backgrounds, anew.boot_backgrounds)


def test_each_background_is_encoded_once_per_size() -> None:
    fake = FakeBackbone()
    planner = Planner(fake)

    def encoded(below: Background, size: tuple[int, int] = SMALL, picture: Any = None) -> int:
        before = fake.pictures
        photo = None if picture is None else Photo(picture)
        planner.plan(scene(background=below), [], size, photo)
        return fake.pictures - before

    assert encoded(Background(color=(255, 255, 255))) == 1  # it is white itself
    assert encoded(Background(color=(9, 9, 9))) == 1
    assert encoded(Background(color=(9, 9, 9))) == 0
    assert encoded(IN_A_PICTURE, picture=PICTURE) == 1
    assert encoded(IN_A_PICTURE, picture=PICTURE.copy()) == 0
    assert encoded(IN_A_PICTURE, picture=255 - PICTURE) == 1
    assert encoded(IN_A_PICTURE, picture=PICTURE) == 1  # only what the last plan used is kept
    assert encoded(Background(color=(9, 9, 9)), (64, 48)) == 2


class LongReader(FakeBackbone):
    """A row is as long as its prompt; what is missing to `length` is filled with tens."""

    def encode_prompts(self, prompts: Sequence[str], length: int = 0) -> Conditioning:
        rows = super().encode_prompts(prompts)["tokens"]
        count = max(length, *map(len, prompts))
        filled = torch.full((len(rows), count, 2), 10.0)
        for row, prompt, known in zip(filled, prompts, rows, strict=True):
            row[: len(prompt)] = known[0]
        return Conditioning({"tokens": filled, "pooled": rows.sum(dim=1)})


def test_all_rows_are_as_long_as_the_longest_prompt() -> None:
    """Whichever prompt that is, and whatever was planned before."""
    fake = LongReader()
    planner = Planner(fake)
    painted = [Painted(b, boxed(m), ()) for b, m in zip(two_brushes(), (LEFT, RIGHT), strict=True)]
    long = scene(*two_brushes(), background="hill", guidance=Guidance("full"))
    negative = Background("hill", negative="a long list of flaws")
    for wanted, length in [(long, 4), (replace(long, background=negative), 20), (long, 4)]:
        made = planner.plan(wanted, painted, SMALL)
        assert made.negative is not None
        shapes = {row["tokens"].shape for row in (*made.conditioning, *made.negative)}
        assert (len(made.conditioning), shapes) == (3, {(1, length, 2)})
        assert (made.conditioning[0]["tokens"][0, 4:] == 10).all()


def test_a_network_that_takes_the_scale_itself() -> None:
    fake = FakeBackbone(embeds_guidance=True)
    kinds = [(Guidance("none", 5), 1), (Guidance("full", 5), 5), (Guidance("self", 2), 2)]
    for guidance, scale in kinds:
        made = plan(fake, scene(*two_brushes(), guidance=guidance), [LEFT, RIGHT])
        assert [row["guidance"].tolist() for row in made.conditioning] == [[scale], [scale]]
        assert (made.negative, made.guidance) == (None, Guidance())


def test_planning_leaves_global_generators(fake: FakeBackbone) -> None:
    before = world()
    made = plan(fake, scene(*two_brushes(), background="hill", preaverage=False), [LEFT, RIGHT])
    made.start_noise(3)
    assert world() == before
