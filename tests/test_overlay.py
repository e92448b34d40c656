"""The overlay shows each brush's mask in its colour, and nothing elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from dense import boxed

from smd_cli.scene.paint.painted import Painted, PaintedScene
from smd_cli.scene.types import Brush
from smd_cli.work.overlay import PALETTE, SIDE_PX, colour_of, draw_overlay, fitted, legend

Box = tuple[int, int, int, int]


def scene(*boxes: Box, size: tuple[int, int] = (256, 256), weight: float = 1.0) -> PaintedScene:
    """Brushes that paint boxes of (left, top, right, bottom), in painter's order."""

    def painted(number: int, box: Box) -> Painted:
        paint = np.zeros((size[1], size[0]), np.float32)
        paint[box[1] : box[3], box[0] : box[2]] = weight
        return Painted(
            Brush(number, f"prompt {number}", (), name=f"name {number}"), boxed(paint), ()
        )

    return PaintedScene(size, tuple(painted(n, box) for n, box in enumerate(boxes, 1)), None)


def linear(colour: tuple[int, int, int]) -> np.ndarray:
    """sRGB of 0..255 as linear light of 0..1 (IEC 61966-2-1)."""
    share = np.array(colour) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


BLIND = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [0, -0.048, 1.052]],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.012, 0.043, 0.969],
    ],
}
"""How the world is seen without one kind of cone, in linear light (Machado et al. 2009)."""


@pytest.mark.parametrize("kind", BLIND)
def test_the_colours_differ_for_every_eye(kind: str) -> None:
    seen = [np.array(BLIND[kind]) @ linear(colour) for colour in PALETTE]
    shown = [np.cbrt(one.clip(0)) for one in seen]  # about as light as it looks
    pairs = [(a, b) for a in range(len(shown)) for b in range(a)]
    assert min(float(np.linalg.norm(shown[a] - shown[b])) for a, b in pairs) > 0.08


def test_fourteen_brushes_have_colours_of_their_own() -> None:
    assert len({colour_of(index) for index in range(14)}) == 14


def test_a_mask_is_filled_in_its_colour_and_the_rest_is_clear() -> None:
    overlay = draw_overlay(scene((64, 64, 192, 192)))
    assert overlay.shape == (SIDE_PX, SIDE_PX, 4)
    assert overlay.dtype == np.uint8
    assert np.abs(overlay[512, 512, :3].astype(int) - colour_of(0)).max() <= 2
    assert 40 < overlay[512, 512, 3] < 128
    assert not overlay[:200, :, 3].any()
    assert not overlay[:, 824:, 3].any()


def test_without_the_tint_there_are_lines_alone() -> None:
    plain, lines = (draw_overlay(scene((64, 64, 192, 192)), tint=tint) for tint in (True, False))
    assert not lines[512, 512, 3]
    assert np.array_equal(lines[512, 256], plain[512, 256])
    edge = lines[512, 244:268, 3] > 250
    assert 2 <= edge.sum() <= 8


def test_the_line_is_strong_and_lies_on_the_edge() -> None:
    overlay = draw_overlay(scene((64, 64, 192, 192)))
    edge = overlay[512, 244:268]
    strong = np.flatnonzero(edge[:, 3] > 250) + 244
    assert abs(strong.mean() + 0.5 - 256) <= 1
    assert 2 <= len(strong) <= 8
    brightest = overlay[512, strong, :3].astype(int).max(axis=0)
    assert np.abs(brightest - colour_of(0)).max() <= 10
    dark = edge[edge[:, :3].max(axis=1) < 100]
    assert len(dark)
    assert (dark[:, 3] > 100).any()


def test_later_brushes_lie_on_top() -> None:
    overlay = draw_overlay(scene((32, 32, 224, 224), (96, 96, 160, 160)))
    below, above = np.array(colour_of(0)), np.array(colour_of(1))
    both = overlay[512, 512, :3]
    assert np.linalg.norm(both - above) < np.linalg.norm(both - below)
    assert overlay[512, 512, 3] > overlay[200, 200, 3]


def test_a_weak_mask_is_paler_but_has_its_line() -> None:
    weak, full = (draw_overlay(scene((64, 64, 192, 192), weight=w)) for w in (0.3, 1.0))
    assert weak[512, 512, 3] < full[512, 512, 3] / 2
    assert weak[512, 250:262, 3].max() > 250


@pytest.mark.parametrize("size", [(64, 64), (768, 512), (512, 2048)])
def test_any_canvas_keeps_its_proportions(size: tuple[int, int]) -> None:
    painted = scene((0, 0, size[0] // 2, size[1]), size=size)
    height, width, _ = draw_overlay(painted).shape
    assert max(height, width) == SIDE_PX
    assert width / height == pytest.approx(size[0] / size[1], rel=0.01)
    assert fitted((8192, 64), 64) == (64, 1)


def test_an_empty_mask_draws_nothing() -> None:
    assert not draw_overlay(scene((0, 0, 0, 0))).any()
    assert legend(scene((0, 0, 0, 0)))[0].at is None


def test_no_brush_makes_a_clear_overlay() -> None:
    assert not draw_overlay(scene()).any()
    assert legend(scene()) == ()


def test_the_legend_names_brushes_and_colours() -> None:
    first, second = legend(scene((0, 0, 128, 128), (128, 128, 256, 256)))
    assert (first.name, first.prompt, first.colour) == ("name 1", "prompt 1", "#e69f00")
    assert (second.name, second.prompt, second.colour) == ("name 2", "prompt 2", "#56b4e9")


def test_names_stand_where_their_brush_is_seen() -> None:
    whole, half, hidden, top = legend(
        scene((0, 0, 256, 256), (0, 0, 128, 256), (192, 192, 224, 224), (160, 128, 256, 256))
    )
    assert whole.at
    assert whole.at[0] > 0.5
    assert whole.at[1] < 0.5
    assert half.at == pytest.approx((0.25, 0.5), abs=0.05)
    assert hidden.at is None
    assert top.at == pytest.approx((0.81, 0.75), abs=0.05)
