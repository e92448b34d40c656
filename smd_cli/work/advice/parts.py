"""Whether a brush begins in parts: several windows of one slot that see the same of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from smd_cli.engine.rows import Seen
from smd_cli.engine.weights import Weights
from smd_cli.engine.windows import Legal, Support, Window, windows_of


def parts_of(
    brush: int,
    weights: Weights,
    slots: Sequence[Sequence[Seen]],
    legal: Legal | None,
    centred: int,
) -> tuple[bool, bool]:
    """Whether a brush begins in parts, and whether it would on a canvas of half the size, too.

    `slots`: the rows of each, of which the first `centred` have a brush in their middle.
    """
    own = ([window for brushes, window in rows if brush in brushes] for rows in slots)
    slot, windows = next(((n, found) for n, found in enumerate(own) if found), (0, []))
    if len(windows) < 2:
        return False, False
    support = weights.support(brush, slot)
    if not _in_parts(support, windows):
        return False, False
    half = _at_half(support)
    return True, _in_parts(half, windows_of(half, legal, centred=slot < centred))


def _in_parts(support: Support, windows: Sequence[Window]) -> bool:
    """Whether there are cells that several windows see."""
    seen = (
        support.cells[np.ix_(*(support.seen(s, axis) for axis, s in enumerate(w.strips)))]
        for w in windows
    )
    return sum(int(cells.sum()) for cells in seen) > int(support.cells.sum())


def _at_half(support: Support) -> Support:
    """Where a brush has any weight on a canvas of half the size: a cell there stands for four."""
    sides = [(side.start // 2, -(-side.stop // 2)) for side in support.box]
    whole = zip(support.box, sides, strict=True)
    lack = [(own.start - 2 * first, 2 * last - own.stop) for own, (first, last) in whole]
    cells = np.pad(support.cells, lack)
    fours = cells.reshape(cells.shape[0] // 2, 2, cells.shape[1] // 2, 2)
    down, across = (slice(*side) for side in sides)
    grid = -(-support.sides[0] // 2), -(-support.sides[1] // 2)
    return Support(np.asarray(fours.any(axis=(1, 3))), (down, across), grid)
