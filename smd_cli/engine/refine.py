"""Refining: a frame is painted at half size first, and from a late slot on at its own.

At its native size a model composes a picture; at twice the side it repeats things. So the draft is
scaled up and noised for the first slot of little noise, as image-to-image does (SDEdit, arXiv
2108.01073), and the slots that are left add what a larger canvas shows.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from smd_cli.engine.contract import Backbone
from smd_cli.engine.flight import Flight
from smd_cli.engine.regions import noised


@torch.inference_mode()
def enlarged(backbone: Backbone, flight: Flight) -> Flight:
    """The flight of a whole frame, from that of its draft, which is through its slots."""
    plan = flight.drafts
    assert plan is not None
    small, (width, height) = flight.plan.size, plan.size
    picture = backbone.decode_latents(flight.x[None])[:, :, : small[1], : small[0]].clamp(-1, 1)
    larger = F.interpolate(picture, size=(height, width), mode="bicubic").clamp(-1, 1)
    rows, columns = (cells * plan.factor for cells in plan.sides)
    padded = F.pad(larger, (0, columns - width, 0, rows - height), mode="replicate")
    estimate = backbone.encode_image(padded)[0]
    slot, own = plan.first, plan.coefficients
    x = noised(estimate, plan.slot_noise[slot], own.alpha[slot], own.sigma[slot])
    return Flight(flight.frame, slot, x, plan, since=slot, estimate=estimate)
