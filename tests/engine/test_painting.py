"""Painting into a picture: what no brush reaches stays, to the last bit."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from dense import boxed
from PIL import Image, ImageCms, features

from smd_cli.engine.plan import Plan
from smd_cli.engine.planner import Planner
from smd_cli.engine.stream import finished, picture, single
from smd_cli.output.stills import encode_still
from smd_cli.scene.paint.painted import Painted
from smd_cli.scene.paint.photo import Photo
from smd_cli.scene.types import Background, Bootstrap

from .fake import FakeBackbone
from .scenes import brush, scene

Values = npt.NDArray[Any]
IN_A_PICTURE = Background("a wall", image=Path("wall.png"))
needs_cms = pytest.mark.skipif(not features.check("littlecms2"), reason="Pillow without profiles")
MODES = {
    "RGB": (3, np.uint8),
    "RGBA": (4, np.uint8),
    "RGB of 16 bits": (3, np.uint16),
    "RGBA of 16 bits": (4, np.uint16),
}


def photo(size: tuple[int, int], channels: int = 3, kind: Any = np.uint8) -> Photo:
    shape = (size[1], size[0], channels)
    most = np.iinfo(kind).max
    return Photo(np.random.default_rng(4).integers(0, most, shape, dtype=kind, endpoint=True))


def at_the_edges(size: tuple[int, int], blur_px: float) -> list[Painted]:
    """Two brushes, in the corners at the top left and at the bottom right."""
    layers = []
    for number, (x, y) in enumerate([(0, 0), (size[0] - 23, size[1] - 17)], 1):
        paint = np.zeros(size[::-1], dtype=np.float32)
        paint[y : y + 17, x : x + 23] = 1
        layers.append(Painted(brush(number, blur_px=blur_px), boxed(paint), ()))
    return layers


def apart(layers: list[Painted], size: tuple[int, int]) -> Values:
    """How far every pixel is from the nearest paint."""
    y, x = np.mgrid[: size[1], : size[0]]
    found = np.full(y.shape, np.inf)
    for one in layers:
        rows, columns = one.paint.window
        down = np.maximum(0, np.maximum(rows.start - y, y - rows.stop + 1))
        across = np.maximum(0, np.maximum(columns.start - x, x - columns.stop + 1))
        found = np.minimum(found, np.hypot(down, across))
    return found


def planned(fake: FakeBackbone, layers: list[Painted], own: Photo, **sampler: Any) -> Plan:
    wanted = scene(*(p.brush for p in layers), background=IN_A_PICTURE, steps=2, **sampler)
    return Planner(fake).plan(wanted, layers, own.size, own)


def painted_into(fake: FakeBackbone, layers: list[Painted], own: Photo) -> Photo:
    return result(fake, planned(fake, layers, own, bootstrap=Bootstrap(1, 1.0, 0.1)))


def result(fake: FakeBackbone, plan: Plan) -> Photo:
    """The first frame of a plan."""
    return finished(next(single(lambda _: plan, fake, 1)), fake)


@pytest.mark.parametrize(("native_px", "blur_px"), [(8192, 6.0), (48, 0.0)])
@pytest.mark.parametrize(
    ("size", "mode"), [*(((101, 67), mode) for mode in MODES), ((173, 131), "RGBA")]
)
def test_outside_the_paint_the_result_is_the_picture(
    size: tuple[int, int], blur_px: float, mode: str, native_px: int
) -> None:
    own, layers = photo(size, *MODES[mode]), at_the_edges(size, blur_px)
    fake = FakeBackbone(native_px=native_px, window_px=native_px)
    made = painted_into(fake, layers, own)
    far = apart(layers, size)
    outside, inside = far > 3 * blur_px + 1, far == 0
    assert outside.mean() > 0.1
    assert made.levels.dtype == own.levels.dtype
    assert np.array_equal(made.levels[outside], own.levels[outside])
    assert (made.levels != own.levels).any(axis=2)[inside].mean() > 0.9
    png = encode_still(made, "PNG", 90, {})
    webp = encode_still(made, "WEBP", 100, {})
    for data in (webp,) if made.levels.dtype == np.uint16 else (webp, png):
        with Image.open(BytesIO(data)) as written:
            assert np.array_equal(np.asarray(written)[outside], own.in_8_bits[outside])


def test_a_picture_that_is_too_large_for_the_model_keeps_its_size() -> None:
    size = (333, 251)
    fake = FakeBackbone(native_px=64, window_px=64)
    layers = at_the_edges(size, 2.0)[:1]
    own = photo(size)
    plan = planned(fake, layers, own)
    assert plan.size[0] * plan.size[1] == pytest.approx(64**2, rel=0.02)
    assert plan.sides == (30, 36)  # 57 and 72 px, in multiples of 4
    made = picture(next(single(lambda _: plan, fake, 1)), fake)
    assert made.shape == (251, 333, 3)


def test_windows_of_a_side_paint_at_full_scale() -> None:
    size = (333, 251)
    fake = FakeBackbone(native_px=64, window_px=64)
    plan = planned(fake, at_the_edges(size, 2.0), photo(size), windows=64)
    assert plan.size == size


def test_a_brush_that_never_acts_leaves_the_picture_alone() -> None:
    fake, own = FakeBackbone(), photo((64, 48))
    paint = np.ones((48, 64), dtype=np.float32)
    layers = [Painted(brush(1, alpha=0.01), boxed(paint), ())]
    plan = planned(fake, layers, own, mask_type="discrete")
    made = finished(next(single(lambda _: plan, fake, 1)), fake)
    assert np.array_equal(made.levels, own.levels)


def test_frames_of_another_part_do_not_go_on() -> None:
    size = (333, 251)
    fake = FakeBackbone(native_px=64, window_px=64)
    first, second = at_the_edges(size, 0.0)
    one, other = (planned(fake, [layer], photo(size)) for layer in (first, second))
    assert one.slot_noise.shape == other.slot_noise.shape
    assert not one.carries(other)
    assert one.carries(planned(fake, [first], photo(size)))


def test_a_paste_is_worked_out_once_for_the_same_picture() -> None:
    fake, own, layers = FakeBackbone(), photo((64, 48)), at_the_edges((64, 48), 1.0)
    wanted = scene(*(p.brush for p in layers), background=IN_A_PICTURE)
    planner = Planner(fake)
    first, again = (planner.plan(wanted, layers, own.size, own).paste for _ in range(2))
    assert first is not None
    assert again is not None
    assert first.share is again.share


@pytest.mark.parametrize("mode", ["RGBA", "RGB of 16 bits", "RGBA of 16 bits"])
def test_a_repainted_picture_keeps_its_transparency_and_depth(mode: str) -> None:
    """Its colours are those of the picture as it looks, painted anew; a brush alone is opaque."""
    size, fake = (64, 48), FakeBackbone()
    own, layers = photo(size, *MODES[mode]), at_the_edges(size, 0.0)
    anew = replace(IN_A_PICTURE, repaint=0.95)
    wanted = scene(*(p.brush for p in layers), background=anew, steps=4)
    made, looks = (
        result(fake, plan)
        for plan in (
            Planner(fake).plan(wanted, layers, size, one) for one in (own, Photo(own.seen))
        )
    )
    assert made.levels.dtype == own.levels.dtype
    most = np.iinfo(own.levels.dtype).max
    light = made.levels[..., :3].astype(np.float64) / most
    assert np.abs(light * 255 - looks.levels).max() <= 0.51
    if own.has_alpha:
        inside = apart(layers, size) == 0
        assert (made.levels[inside][:, 3] == most).all()
        assert np.array_equal(made.levels[~inside][:, 3], own.levels[~inside][:, 3])


def swapped() -> bytes:
    """A profile in which sRGB's red comes last and its blue first."""
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return own.replace(b"rXYZ", b"----").replace(b"bXYZ", b"rXYZ").replace(b"----", b"bXYZ")


@needs_cms
def test_a_repainted_picture_keeps_its_colour_profile() -> None:
    size, fake = (64, 48), FakeBackbone()
    own, plain = Photo(photo(size).levels, swapped()), Photo(photo(size).levels[..., ::-1].copy())
    assert np.abs(own.seen.astype(int) - plain.levels).max() <= 1
    wanted = scene(background=replace(IN_A_PICTURE, repaint=0.95), steps=4)
    made, looks = (
        result(fake, plan)
        for plan in (Planner(fake).plan(wanted, [], size, one) for one in (own, plain))
    )
    assert made.profile == own.profile
    assert np.abs(made.levels.astype(int) - looks.levels[..., ::-1]).max() <= 3


def test_a_seam_goes_on_at_the_other_end_of_a_picture_that_wraps() -> None:
    """Rolled with its paint by half its width, a picture's result is rolled as well."""
    size, fake = (64, 48), FakeBackbone()
    own, layers = photo(size), at_the_edges(size, 3.0)[1:]
    wanted = scene(layers[0].brush, background=IN_A_PICTURE, wrap="x")
    paste = Planner(fake).plan(wanted, layers, size, own).paste
    assert paste is not None
    middle = replace(layers[0], paint=boxed(np.roll(painted_levels(layers[0]), 32, axis=1)))
    rolled = Planner(fake).plan(wanted, [middle], size, own).paste
    assert rolled is not None
    assert np.array_equal(np.roll(paste.share, 32, axis=1), rolled.share)
    assert paste.share[40, 0] > 100


def painted_levels(one: Painted) -> Values:
    """A brush's paint (H, W) in 0..1."""
    width, height = one.paint.size
    return one.paint.read((slice(0, height), slice(0, width))).astype(np.float32) / 255
