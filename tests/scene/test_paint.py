"""Paint against hand values: tiny images of every kind, and shapes with known areas."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from smd_cli.errors import Place
from smd_cli.scene.model import (
    Background,
    Brush,
    EllipseMask,
    Length,
    MaskPart,
    ModelRef,
    Output,
    PolygonMask,
    RectMask,
    Sampler,
    Scene,
    SceneFile,
)
from smd_cli.scene.paint import paint_brushes

SIZE = (64, 64)


def lengths(*values: float | str) -> list[Length]:
    return [
        Length(float(v[:-1]) / 100, "share") if isinstance(v, str) else Length(v) for v in values
    ]


def rect(*values: float | str, invert: bool = False) -> RectMask:
    return RectMask(*lengths(*values), invert=invert)


def ellipse(*values: float | str, invert: bool = False) -> EllipseMask:
    return EllipseMask(*lengths(*values), invert=invert)


def polygon(*corners: tuple[float | str, float | str], invert: bool = False) -> PolygonMask:
    return PolygonMask(tuple((lengths(x)[0], lengths(y)[0]) for x, y in corners), invert)


def scene_of(
    *masks: Sequence[MaskPart], muted: Sequence[int] = (), background: Background | None = None
) -> SceneFile:
    """A scene with a brush a mask; brush i's mask stands in line 10 + i, its parts after it."""
    brushes = tuple(
        Brush(i + 1, f"prompt {i}", tuple(parts), enabled=i not in muted)
        for i, parts in enumerate(masks)
    )
    scene = Scene(
        ModelRef("a/b"), background or Background(), brushes, Sampler(), Output(), size=None
    )
    places = {
        ("brushes", i, "mask"): Place("s.yaml", 10 + i, 5, "    mask: x") for i in range(len(masks))
    }
    places["background", "image"] = Place("s.yaml", 3, 3, "  image: x")  # type: ignore[index]
    return SceneFile(scene, "s", "s.yaml", "", (), places)  # type: ignore[arg-type]


def paint_of(*parts: MaskPart, size: tuple[int, int] = SIZE) -> np.ndarray[Any, Any]:
    return paint_brushes(scene_of(parts), size)[0].paint


# Shapes


def test_a_rectangle_on_whole_pixels_is_exact() -> None:
    expected = np.zeros((64, 64))
    expected[20:50, 10:30] = 1
    assert (paint_of(rect(10, 20, 20, 30)) == expected).all()


def test_a_rectangle_between_pixels_covers_them_in_part() -> None:
    paint = paint_of(rect(10.25, 20, 1.5, 0.5))
    assert paint[20, 10] == pytest.approx(0.75 * 0.5)
    assert paint[20, 11] == pytest.approx(0.75 * 0.5)
    assert np.count_nonzero(paint) == 2


def test_percentages_count_from_the_canvas_sides() -> None:
    paint = paint_of(rect("25%", "50%", "12.5%", "25%"), size=(80, 64))
    assert paint[32:48, 20:30].all()
    assert paint.sum() == 160


@pytest.mark.parametrize(
    ("shape", "area"),
    [
        (ellipse(10, 10, 40, 20), math.pi * 20 * 10),
        (ellipse(3.3, 5.7, 50.2, 31.9), math.pi * 25.1 * 15.95),
        (ellipse(30, 30, 2, 2), math.pi),
        (ellipse(44, 10, 40, 40), math.pi * 400 / 2),  # half of it lies off the canvas
        (ellipse(-20, -20, 40, 40), math.pi * 400 / 4),
        (polygon((5, 5), (55, 12), (20, 60)), abs(50 * 55 - 7 * 15) / 2),
        (polygon((20, 60), (55, 12), (5, 5)), abs(50 * 55 - 7 * 15) / 2),  # the other way round
        (polygon((0, 0), (64, 0), (64, 64), (32, 32), (0, 64)), 64 * 64 - 32 * 32),  # concave
        (polygon((-50, -50), (150, -50), (150, 150), (-50, 150)), 64 * 64),
        (polygon((10, 10), (30, 10), (10, 30), (30, 30)), 200),  # crosses itself: two triangles
        (polygon((10, 10), (20, 10), (30, 10)), 0),  # no area
        (rect(-10, -10, 20, 30), 10 * 20),
    ],
)
def test_a_shape_covers_its_area(shape: MaskPart, area: float) -> None:
    paint = paint_of(shape)
    assert paint.sum() == pytest.approx(area, rel=2e-3, abs=0.02)
    assert paint.min() == 0 or area == 64 * 64
    assert paint.max() <= 1


def test_edges_are_antialiased_by_the_share_they_cover() -> None:
    paint = paint_of(polygon((0, 0), (64, 64), (0, 64)))  # below the diagonal
    assert np.diag(paint) == pytest.approx(0.5, abs=0.001)
    assert (paint[np.tril_indices(64, -1)] == 1).all()
    assert (paint[np.triu_indices(64, 1)] == 0).all()


def test_a_pentagram_has_no_hole() -> None:
    turn = [2 * math.pi * 2 * k / 5 for k in range(5)]
    star = polygon(*((32 + 30 * math.sin(a), 32 - 30 * math.cos(a)) for a in turn))
    assert paint_of(star)[32, 32] == 1


@pytest.mark.parametrize("shape", [rect, ellipse])
def test_an_inverted_shape_is_the_rest(shape: Callable[..., MaskPart]) -> None:
    both = paint_of(shape(10, 10, 20.5, 30)) + paint_of(shape(10, 10, 20.5, 30, invert=True))
    assert both == pytest.approx(np.ones((64, 64)))


def test_an_inverted_polygon_is_the_rest() -> None:
    paint = paint_of(polygon((0, 0), (64, 0), (0, 64), invert=True))
    assert paint.sum() == pytest.approx(64 * 64 / 2, rel=1e-3)


def test_parts_join_by_their_maximum() -> None:
    painted = paint_brushes(scene_of([rect(0, 0, 20, 20), rect(10, 10, 20, 20)]), SIZE)[0]
    assert painted.paint.sum() == 400 + 400 - 100
    assert painted.sources == ("rect 0,0 20x20", "rect 10,10 20x20")
