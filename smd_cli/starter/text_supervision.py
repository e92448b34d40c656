"""What words look like, for the text encoder to learn: small pictures in the codec's latents."""

from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from smd_cli.backbone.families.codec import PatchAutoencoder
from smd_cli.starter.painter import CELL_PX, Look, Painter
from smd_cli.starter.text import PARTS
from smd_cli.starter.train_codec import to_signed
from smd_cli.starter.vocabulary import OBJECTS, Thing


class TextTargets:
    """The look of each thing at a cell for each part: its latents, and of an object where it is.

    (PARTS * PARTS, C + 1), row by row.
    """

    def __init__(self, painter: Painter, codec: PatchAutoencoder) -> None:
        self.painter, self.codec = painter, codec
        self.of = cache(self._of)

    @torch.no_grad()
    def _of(self, thing: Thing) -> Tensor:
        side = PARTS * CELL_PX
        if thing.word in OBJECTS:
            picture = np.ones((side, side, 3), dtype=np.float32)
            sprite, _ = self.painter.sprite(thing, Look(PARTS))
            self.painter.put(picture, thing, Look(PARTS), (0, 0))
            where = torch.from_numpy(sprite[..., 3].copy())[None, None]
            cover = F.avg_pool2d(where, CELL_PX)
        else:
            picture = self.painter.material(thing, np.random.default_rng(0), side)
            cover = torch.zeros(1, 1, PARTS, PARTS)
        device = self.codec.device
        latents = self.codec.encode(to_signed([picture]).to(device)).latents.cpu()
        return torch.cat([latents, cover], dim=1)[0].flatten(1).T.contiguous()
